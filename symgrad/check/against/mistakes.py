"""The usual mistakes, made by rule in a right formula.

Here stand those that run through a whole chain of formulas: a path left out, the upstream gradient
forgotten, a wrong N; those of one place are in `edits`. Nothing here knows a layer: the same rules
run over every formula.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from symgrad.algebra.binding import substitute
from symgrad.algebra.terms import ONE, ZERO, Add, Entry, Num, Pow, Size, Term, mul, walk
from symgrad.check.against.edits import edits, edits_within
from symgrad.check.against.reference import Body
from symgrad.notation.layer import Layer


@dataclass(frozen=True)
class Mistake:
    """A chain of formulas with one mistake.

    Attributes:
        what: the mistake in words.
        place: which of the chain's formulas it stands in.
        bodies: the chain with it.
        rank: small for what is made often; ties are tried in the order made.
    """

    what: str
    place: int
    bodies: tuple[Body, ...]
    rank: int


def mistakes(chain: tuple[Body, ...], layer: Layer) -> Iterator[Mistake]:
    """Every usual mistake in a gradient's formula, or in one that it is made of.

    Args:
        chain: the formulas in the order of computation, the gradient itself last.
        layer: whose names they use.
    """
    yield from _forgotten(chain, layer)
    yield from _lengths(chain, layer)
    for place in reversed(range(len(chain))):
        name, indices, body = chain[place]
        for rank, what, term in edits(body, indices, layer):
            if term.free <= set(indices):
                changed = (*chain[:place], (name, indices, term), *chain[place + 1 :])
                yield Mistake(what, place, changed, max(rank, 2) if place < len(chain) - 1 else rank)
    yield from _shared(chain, layer)
    yield from _statistics(chain, layer)


def _shared(chain: tuple[Body, ...], layer: Layer) -> Iterator[Mistake]:
    """A part that stands in several places, computed once and wrong: x - mu, sqrt(var + eps)."""
    found = Counter(n for _, _, body in chain for n in walk(body) if isinstance(n, (Add, Pow)) and n.names)
    for part, count in found.items():
        if count > 1 and not any(name.startswith("d_") for name in part.names):
            for what, wrong in edits_within(part, layer):
                if wrong.free <= part.free:
                    bodies = tuple((name, indices, _exchanged(body, part, wrong)) for name, indices, body in chain)
                    yield Mistake(f"wherever it stands: {what}", len(chain) - 1, bodies, 3)


def _exchanged(term: Term, part: Term, wrong: Term) -> Term:
    """The term with a part replaced wherever it stands as it is."""
    if term == part:
        return wrong
    return term.rebuild(tuple(_exchanged(child, part, wrong) for child in term.children))


def _statistics(chain: tuple[Body, ...], layer: Layer) -> Iterator[Mistake]:
    """A statistic that the backward pass computes anew, and wrong."""
    used = {name for _, _, body in chain for name in body.names}
    for definition in layer.definitions:
        if definition.name in used and definition.body.binds and definition.name not in layer.outputs:
            for _, what, wrong in edits(definition.body, definition.indices, layer):
                if wrong.free <= set(definition.indices):
                    short = definition.name.rpartition(".")[2]
                    bodies = ((definition.name, definition.indices, wrong), *chain)
                    yield Mistake(f"{short} is another in the backward pass: {what}", 0, bodies, 3)


def _forgotten(chain: tuple[Body, ...], layer: Layer) -> Iterator[Mistake]:
    """What is left out or wrong wherever it stands: a path, the upstream gradient, a parameter, a constant."""
    own = chain[-1]
    between = [name for name, _, _ in chain[:-1] if name in own[2].names and name.startswith("d_")]
    for size in range(len(between), 0, -1):
        for start in range(len(between) - size + 1):
            gone = between[start : start + size]
            held = " and ".join(name.removeprefix("d_").rpartition(".")[2] for name in gone)
            words = f"{held} {'is taken as a constant' if size == 1 else 'are taken as constants'}"
            yield _everywhere(chain, dict.fromkeys(gone, ZERO), words, 0, only_last=True)
    for output in layer.outputs:
        if any(f"d_{output}" in body.names for _, _, body in chain):
            yield _everywhere(chain, {f"d_{output}": ONE}, f"the upstream gradient d_{output} is left out", 0)
    for tensor in layer.tensors:
        if tensor.role == "parameter":
            yield _everywhere(chain, {tensor.name: ONE}, f"the factor {tensor.name} is left out", 1)
    for constant in layer.constants:
        for value in (constant.default, Fraction(0)):
            words = f"{constant.name} is left out" if value == 0 else f"{constant.name} is always {constant.text}"
            yield _everywhere(chain, {constant.name: Num(value)}, words, 1)
        for other in layer.constants:
            if constant.is_whole and other.is_whole and other != constant:
                words = f"{other.name} instead of {constant.name}"
                yield _everywhere(chain, {constant.name: Entry(other.name)}, words, 1)


def _lengths(chain: tuple[Body, ...], layer: Layer) -> Iterator[Mistake]:
    """The same wrong N wherever it stands: without one axis, with one more, or another one."""
    nodes = {node.axis for _, _, body in chain for node in walk(body) if isinstance(node, Size)}
    axes = [axis.name for axis in layer.axes]
    used = [axis for axis in axes if axis in nodes]
    was = "·".join(f"N_{axis}" for axis in used)
    for axis in used:
        if len(used) > 1:
            left = "·".join(f"N_{other}" for other in used if other != axis)
            yield _resized(chain, {axis: ONE}, f"N = {left} instead of {was}")
        for other in axes:
            if other not in used:
                more = "·".join(f"N_{name}" for name in axes if name in (*used, other))
                yield _resized(chain, {axis: mul(Size(axis), Size(other))}, f"N = {more} instead of {was}")
                swapped = "·".join(f"N_{other if name == axis else name}" for name in used)
                yield _resized(chain, {axis: Size(other)}, f"N = {swapped} instead of {was}")
    if used:
        yield _resized(chain, dict.fromkeys(used, ONE), f"the division by {was} is missing wherever it stands")


def _resized(chain: tuple[Body, ...], sizes: dict[str, Term], what: str) -> Mistake:
    """The chain with the lengths of axes replaced."""
    bodies = tuple((name, indices, _with_sizes(body, sizes)) for name, indices, body in chain)
    changed = [n for n, (old, new) in enumerate(zip(chain, bodies, strict=True)) if old[2] != new[2]]
    return Mistake(what, changed[-1] if changed else len(chain) - 1, bodies, 1)


def _with_sizes(term: Term, sizes: dict[str, Term]) -> Term:
    if isinstance(term, Size):
        return sizes.get(term.axis, term)
    return term.rebuild(tuple(_with_sizes(child, sizes) for child in term.children))


def _everywhere(
    chain: tuple[Body, ...], values: dict[str, Term], what: str, rank: int, only_last: bool = False
) -> Mistake:
    """The chain with names replaced by numbers."""

    def replaced(entry: Entry) -> Term | None:
        return values.get(entry.name)

    bodies = tuple(
        (name, indices, body if only_last and place < len(chain) - 1 else substitute(body, replaced))
        for place, (name, indices, body) in enumerate(chain)
    )
    changed = [n for n, (old, new) in enumerate(zip(chain, bodies, strict=True)) if old[2] != new[2]]
    return Mistake(what, changed[-1] if changed else len(chain) - 1, bodies, rank)
