"""The nearest right form of a wrong claim: the first single correction that is proved."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from fractions import Fraction

from symgrad.algebra.terms import Index, Term
from symgrad.notation.claim import Claim
from symgrad.prove.evaluate import Evaluator, random_point
from symgrad.prove.floats import Floats
from symgrad.prove.mutations import Mutation, corrections
from symgrad.prove.numbers import EvaluationError, Number
from symgrad.prove.sizes import fitted
from symgrad.prove.verdict import Prover

TOLERANCE = 1e-9


def nearest_form(claim: Claim, prover: Prover, fixed: Mapping[str, Fraction]) -> Mutation | None:
    """A right side that differs from the claim's in one place and is proved, or None.

    It is looked for in the claim as written first, then with names of the person's own written out.
    Candidates that are wrong in numbers at one random point are passed over without a proof.
    """
    right_sides = [claim.right] if claim.written is None or not claim.own else [claim.written, claim.right]
    for right in right_sides:
        for found in _plausible(claim, right, prover, fixed):
            if prover.equal(claim.left, claim.opened(found.term), claim.distinct, fixed):
                return found
    return None


def _plausible(claim: Claim, right: Term, prover: Prover, fixed: Mapping[str, Fraction]) -> Iterator[Mutation]:
    """The corrections that agree with the left side in numbers."""
    layer = prover.layer
    sizes = fitted(layer, {axis.name: 2 + place for place, axis in enumerate(layer.axes)})
    point = random_point(layer, sizes, random.Random(1), fixed=fixed, positive=True)
    places = {index: place for place, index in enumerate(sorted(claim.left.free))}
    at = {index: place % point.sizes[index.axis] for index, place in places.items()}
    if any(len({at[index] for index in pair}) < 2 for pair in claim.distinct):
        at = {index: place % point.sizes[index.axis] for index, place in _apart(claim, at).items()}
    evaluator = Evaluator(layer, point, Floats())
    wanted = _value(evaluator, claim.left, at)
    for found in corrections(right, layer, claim.left.free):
        if found.term.free <= claim.left.free and _close(_value(evaluator, claim.opened(found.term), at), wanted):
            yield found


def _apart(claim: Claim, at: Mapping[Index, int]) -> dict[Index, int]:
    """Places in which the indices that are to differ do."""
    changed = dict(at)
    for pair in claim.distinct:
        first, second = sorted(pair)
        if changed[first] == changed[second]:
            changed[second] = changed[first] + 1
    return changed


def _value(evaluator: Evaluator, term: Term, at: Mapping[Index, int]) -> Number | None:
    try:
        return evaluator.value(term, at)
    except EvaluationError:
        return None


def _close(found: Number | None, wanted: Number | None) -> bool:
    """Whether two values may be equal; where the left side has a value, the right one needs one."""
    if wanted is None:
        return True
    if found is None:
        return False
    return bool(abs(found - wanted) <= TOLERANCE * max(1.0, abs(wanted)))
