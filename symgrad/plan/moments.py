"""A mean and the centred squares around it, which one sweep can add up together.

Of parts that have n_p numbers each, with the mean m_p and the squares q_p = sum (x - m_p)^2 of each,

    m = sum_p n_p m_p / sum_p n_p,        sum (x - m)^2 = sum_p (q_p + n_p (m_p - m)^2),

the update of Chan, Golub and LeVeque 1979: each sum is of numbers close to 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from symgrad.algebra.terms import Add, Entry, Mul, Num, Pow, Sum, Term
from symgrad.plan.formula import mean_of
from symgrad.plan.records import Statement
from symgrad.plan.share import reduction
from symgrad.plan.sweeps import Sweep


@dataclass(frozen=True)
class Moments:
    """The statements of a mean and of a sum, or a mean, of squares around it.

    Attributes:
        array: what they are of.
        mean: m = mean(x).
        squares: the reduction of (x - m)^2.
    """

    array: Entry
    mean: Statement
    squares: Statement


def moments_of(first: Sweep, second: Sweep) -> Moments | None:
    """The moments that two sweeps compute, if they compute just these."""
    if len(first.reductions) != 1 or len(second.reductions) != 1 or second.before:
        return None
    if first.each or first.arrays or second.arrays or second.axes != first.axes:
        return None
    mean, squares = first.reductions[0], second.reductions[0]
    found, total = mean_of(mean.term), reduction(squares.term)
    if found is None or found[1] or not isinstance(found[0].body, Entry) or total is None:
        return None
    array = found[0].body
    same = isinstance(total[0], Sum) and set(total[0].indices) == set(found[0].indices)
    values = {Entry(statement.name, statement.indices): statement.term for statement in second.each}
    centred = Add((array, Mul((Num(Fraction(-1)), Entry(mean.name, mean.indices)))))
    if not same or squares.indices != mean.indices or _unfolded(total[0].body, values) != Pow(centred, Fraction(2)):
        return None
    return Moments(array, mean, squares)


def _unfolded(term: Term, values: dict[Entry, Term]) -> Term:
    """The term with what is computed for each element written out."""
    if isinstance(term, Entry):
        return values.get(term, term)
    return term.rebuild(tuple(_unfolded(child, values) for child in term.children)) if term.children else term
