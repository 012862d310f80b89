"""Which usual mistake gives their numbers: tried in floats at several sizes, every one of which must agree.

A mistake counts as the explanation only where its formula gives their numbers at three different
sizes or more, and is itself refuted by the prover. What this cannot see: two mistakes at once, and
one that no rule makes; then nothing is claimed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from symgrad.algebra.terms import Entry, Term
from symgrad.check.against.forms import Form
from symgrad.check.against.mistakes import Mistake, mistakes
from symgrad.check.against.records import Array, Data, Explanation
from symgrad.check.against.reference import Body, flat, term_arrays
from symgrad.errors import SymgradError
from symgrad.notation.layer import Layer
from symgrad.prove.verdict import REFUTED, Prover

AGREES = 1e-8
"""Relative: their formula may be another way to compute the mistaken one, with constants of ten digits."""
LEAST_SIZES = 3
MOST = 20_000


@dataclass(frozen=True)
class Seen:
    """One case's numbers, and what the kernel returned there."""

    data: Data
    theirs: Array


@dataclass(frozen=True)
class Search:
    """What a search came to; `tried` counts the formulas."""

    explanation: Explanation | None
    tried: int


def explain(
    layer: Layer, forms: Sequence[Form], name: str, seen: Sequence[Seen], prover: Prover, say: Callable[[str], None]
) -> Search:
    """The first usual mistake whose numbers are theirs in all cases.

    Args:
        layer: whose gradient it is.
        forms: the right forms in which mistakes are made.
        name: the wrong result: "d_x".
        seen: cases with their numbers; the first ones tell most mistakes apart.
        prover: refutes the mistaken formula as a claim.
        say: takes progress.
    """
    seen = [each for each in seen if all(n > 1 for inner in each.data.case.lengths.values() for n in inner)]
    chains = _chains(forms, name)
    if not _enough(seen) or not chains:
        return Search(None, 0)
    places = [_Place(layer, each, chains[0]) for each in seen]
    tried, first = 0, places[0]
    for mistake, right in _candidates(layer, chains):
        tried += 1
        if tried % 200 == 0:
            say(f"{name}: {tried} mistakes tried")
        if tried > MOST:
            break
        if first.agreement(mistake) <= AGREES:
            worst = max(place.agreement(mistake) for place in places)
            if worst <= AGREES:
                return Search(_explanation(mistake, right, worst, seen, prover), tried)
    return Search(None, tried)


def _enough(seen: Sequence[Seen]) -> bool:
    """Whether there are enough different sizes to tell formulas apart."""
    return len({_sizes(each) for each in seen}) >= LEAST_SIZES


def _sizes(each: Seen) -> tuple[tuple[str, tuple[int, ...]], ...]:
    return tuple(sorted(each.data.case.lengths.items()))


def _candidates(layer: Layer, chains: Sequence[tuple[Body, ...]]) -> Iterator[tuple[Mistake, tuple[Body, ...]]]:
    """Mistakes in every form: those that are made often first, and those that show in the gradient's own formula."""
    found = [(m, chain) for chain in chains for m in mistakes(chain, layer)]
    yield from sorted(found, key=lambda pair: (pair[0].rank, pair[0].place != len(pair[0].bodies) - 1))


def _chains(forms: Iterable[Form], name: str) -> list[tuple[Body, ...]]:
    """The chain of each form that has this gradient, each once."""
    return list(dict.fromkeys(chain for form in forms if (chain := form.chain(name))))


def _explanation(
    mistake: Mistake, right: tuple[Body, ...], worst: float, seen: Sequence[Seen], prover: Prover
) -> Explanation:
    name, indices, wrong = mistake.bodies[mistake.place]
    known = {name: body for name, _, body in right}
    original = known[name] if name in known else _defined(prover, name)
    entry = Entry(name, indices)
    verdict = prover.decide(original, wrong).verdict
    sizes = len({_sizes(each) for each in seen})
    return Explanation(mistake.what, entry, original, wrong, len(seen), sizes, worst, verdict == REFUTED)


def _defined(prover: Prover, name: str) -> Term:
    """The right body of a definition."""
    definition = prover.layer.definition(name)
    assert definition is not None
    return definition.body


class _Place:
    """One case, ready to evaluate mistaken formulas."""

    def __init__(self, layer: Layer, seen: Seen, right: tuple[Body, ...]) -> None:
        self.arrays = term_arrays(layer, seen.data)
        self.theirs = flat(seen.theirs, right[-1][1], seen.data.case.lengths)
        values = self.values(right)
        self.scale = float(max(np.max(np.abs(self.theirs), initial=0.0), np.max(np.abs(values), initial=0.0))) or 1.0

    def agreement(self, mistake: Mistake) -> float:
        """The worst difference between a mistaken formula's numbers and theirs, relative to the largest of both."""
        try:
            found = self.values(mistake.bodies)
        except (SymgradError, ValueError, IndexError):
            return float("inf")
        if not np.all(np.isfinite(found)):
            return float("inf")
        return float(np.max(np.abs(found - self.theirs), initial=0.0)) / self.scale

    def values(self, bodies: tuple[Body, ...]) -> Array:
        """The values of the last of these formulas, the others computed before it."""
        kept = dict(self.arrays.values)
        try:
            for name, indices, body in bodies[:-1]:
                self.arrays.define(name, indices, body)
            _, indices, body = bodies[-1]
            return self.arrays.whole(body, indices)
        finally:
            self.arrays.values.clear()
            self.arrays.values.update(kept)
