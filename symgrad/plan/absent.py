"""A procedure for arrays in which an axis is absent, or has one place: the same statements without its index.

`k...` stands for any number of dimensions, also none: batch_norm's x[s, c, k...] may be a matrix. Loops along k
would then have one step each, so that the axis is left out, and another one becomes the innermost.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from symgrad.algebra.terms import (
    Add,
    Binder,
    Delta,
    Entry,
    Index,
    Mul,
    Num,
    Place,
    Position,
    Size,
    Term,
    add,
    delta,
    mul,
    place_at,
)
from symgrad.plan.records import Procedure, Statement


def without(procedure: Procedure, axis: str) -> Procedure | None:
    """The procedure for size 1 of an axis; None if a reduction over just this axis would be left with nothing."""
    try:
        return replace(procedure, statements=tuple(_statement(s, axis) for s in procedure.statements))
    except _NothingLeftError:
        return None


class _NothingLeftError(Exception):
    """A reduction has no other axis."""


def _statement(statement: Statement, axis: str) -> Statement:
    return replace(statement, indices=kept(statement.indices, axis), term=_term(statement.term, axis))


def kept(indices: tuple[Index, ...], axis: str) -> tuple[Index, ...]:
    """The indices over other axes."""
    return tuple(_index(index, axis) for index in indices if index.axis != axis)


def _index(index: Index, axis: str) -> Index:
    return place_at(index.axis, _term(index.value, axis), index.inside) if isinstance(index, Place) else index


def _term(term: Term, axis: str) -> Term:
    match term:
        case Size(own) if own == axis:
            return Num(Fraction(1))
        case Position(index) if index.axis == axis:
            return Num(Fraction(0))
        case Entry(name, indices):
            return Entry(name, kept(indices, axis))
        case Delta(left, right):
            return Num(Fraction(1)) if left.axis == axis else delta(_index(left, axis), _index(right, axis))
        case Binder():
            indices = kept(term.indices, axis)
            if not indices:
                raise _NothingLeftError
            return term.rebind(indices, _term(term.body, axis))
        case Add():
            return add(*(_term(child, axis) for child in term.children))
        case Mul():
            return mul(*(_term(child, axis) for child in term.children))
    return term.rebuild(tuple(_term(child, axis) for child in term.children)) if term.children else term
