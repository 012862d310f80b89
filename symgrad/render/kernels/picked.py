"""Summands that are 0 but where a label points: they are added there, instead of zeros everywhere else."""

from __future__ import annotations

from collections.abc import Sequence

from symgrad.algebra.terms import MINUS_ONE, ONE, Delta, Entry, Index, Mul, Place, Term, mul
from symgrad.plan.infix import split_sign

Picked = dict[Term, tuple[Delta, Term]]


def picked_of(terms: Sequence[Term], frame: Sequence[Index]) -> Picked:
    """The summands of a full-size sum that have one element for each label, with the delta and that element.

    There are none where nothing else would be left that is computed: then there is no array to add them to.
    """
    found = {term: each for term in terms if (each := _picked(term, frame)) is not None}
    rest = [term for term in terms if term not in found]
    return found if len(rest) > 1 or any(not isinstance(split_sign(term)[1], Entry) for term in rest) else {}


def _picked(term: Term, frame: Sequence[Index]) -> tuple[Delta, Term] | None:
    """[v = t[b]] g[b] as its delta and g[b]; None for what is no such product."""
    sign, size = split_sign(term)
    factors = size.factors if isinstance(size, Mul) else (size,)
    deltas = [factor for factor in factors if isinstance(factor, Delta)]
    if len(deltas) != 1:
        return None
    delta, rest = deltas[0], [factor for factor in factors if factor is not deltas[0]]
    at, letter = delta.right, delta.left
    if not isinstance(at, Place) or not at.inside or not isinstance(at.value, Entry):
        return None
    others = tuple(index for index in frame if index != letter)
    if at.value.indices != others or letter not in frame or any(letter in factor.free for factor in rest):
        return None
    return delta, mul(*rest, ONE if sign > 0 else MINUS_ONE)
