"""Equations in the layer's notation, for the comments beside the code."""

from __future__ import annotations

from fractions import Fraction

from symgrad.algebra.binding import transform_children
from symgrad.algebra.reading import padded_entry
from symgrad.algebra.terms import (
    Binder,
    Delta,
    Entry,
    Index,
    Mul,
    Position,
    Pow,
    Reduce,
    Size,
    Sum,
    Term,
    mul,
    product_of_sizes,
)
from symgrad.plan.infix import Spelling, infix


def equation(name: str, indices: tuple[Index, ...], body: Term) -> str:
    """`name[indices] = body` on one line."""
    return f"{_entry(Entry(name, indices))} = {formula(body)}"


def formula(term: Term) -> str:
    """The term in the notation."""
    return infix(_with_means(term), NOTATION)


def mean_of(term: Term) -> tuple[Sum, tuple[Term, ...]] | None:
    """The sum and the other factors, where a term is a sum divided by its number of terms."""
    if not isinstance(term, Mul):
        return None
    for place, total in enumerate(term.factors):
        if not isinstance(total, Sum):
            continue
        count = Pow(product_of_sizes(i.axis for i in total.indices), Fraction(-1))
        if count in term.factors:
            rest = tuple(f for n, f in enumerate(term.factors) if n != place and f != count)
            return total, rest
    return None


def _with_means(term: Term) -> Term:
    """The term with each mean as one node: a sum over indices whose letters carry a mark."""
    if (padded := padded_entry(term)) is not None:
        return Entry(f"pad({_entry(padded)})")
    if isinstance(term, Sum):
        return Sum(term.indices, _with_means(term.body))
    term = transform_children(term, _with_means)
    found = mean_of(term)
    if found is None:
        return term
    total, rest = found
    marked = Sum((Index("mean", "mean"), *total.indices), total.body)
    return mul(*rest, marked)


def _entry(entry: Entry) -> str:
    letters = ", ".join(index.name for index in entry.indices)
    return f"{entry.name}[{letters}]" if letters else entry.name


def _reduction(term: Binder, body: str) -> str:
    mean = isinstance(term, Sum) and term.indices[0].name == "mean"
    name = term.operation if isinstance(term, Reduce) else "mean" if mean else "sum"
    return f"{name}[{', '.join(index.name for index in term.indices[mean:])}]({body})"


def _position(term: Position) -> str:
    return term.index.name


def _where(_: Term, condition: str, then: str, otherwise: str) -> str:
    return f"where({condition}, {then}, {otherwise})"


def _delta(term: Delta) -> str:
    return f"where({term.left.name} == {term.right.name}, 1, 0)"


def _size(term: Size) -> str:
    return f"size[{term.axis}]"


NOTATION = Spelling(
    entry=_entry, size=_size, call=lambda f, a: f"{f}({a})" if a else f, fraction=str, delta=_delta,
    position=_position, where=_where, truth=lambda term, condition: _where(term, condition, "1", "0"),
    both=" and ", no="not ", reduction=_reduction,
)  # fmt: skip
