"""Means with the mean of squares around them: statements that parts of an array can answer together.

With n_r numbers, mean m_r and sum of squares q_r = sum (x - m_r)^2 in part r, the whole has

    n = sum_r n_r,   m = sum_r n_r m_r / n,   q = sum_r (q_r + n_r (m_r - m)^2)

(Chan, Golub & LeVeque 1979), so that one exchange of (n_r, m_r, q_r) gives both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from symgrad.algebra.binding import substitute
from symgrad.algebra.terms import MINUS_ONE, Add, Entry, Index, Mul, Pow, Sum, Term
from symgrad.plan.formula import mean_of
from symgrad.plan.records import Procedure, Statement
from symgrad.plan.share import reduction
from symgrad.plan.sweeps import Sweep

SQUARE = Fraction(2)


@dataclass(frozen=True)
class Moments:
    """The statements of a mean and of a multiple of the sum of squares around it.

    Attributes:
        array: the array, m = mean(array).
        over: the letters over which both run.
        mean: the mean's statement.
        squares: the statement of the squares.
    """

    array: Entry
    over: tuple[Index, ...]
    mean: Statement
    squares: Statement

    def around(self, middle: Entry) -> Sum:
        """The sum of squares around something."""
        return Sum(self.over, squares_around(self.array, middle))


def squares_around(array: Entry, middle: Entry) -> Term:
    """(x - m)^2."""
    return Pow(Add((array, Mul((MINUS_ONE, middle)))), SQUARE)


def find_moments(procedure: Procedure, axis: str) -> tuple[Moments, ...]:
    """The pairs of statements in a procedure that are moments over an axis, and perhaps others."""
    means: dict[str, tuple[Statement, Sum, Entry]] = {}
    values: dict[str, Statement] = {}
    found = []
    for statement in procedure.statements:
        total = _sum_over(statement, axis)
        if total is None:
            values[statement.name] = statement
            continue
        mean = mean_of(statement.term)
        if mean is not None and not mean[1] and isinstance(total.body, Entry):
            means[statement.name] = (statement, total, total.body)
            continue
        body = _unfolded(total.body, values)
        found += [
            Moments(array, total.indices, middle, statement)
            for middle, over, array in means.values()
            if set(over.indices) == set(total.indices) and statement.indices == middle.indices
            and body == squares_around(array, Entry(middle.name, middle.indices))
        ][:1]  # fmt: skip
        means = {name: mean for name, mean in means.items() if name not in {m.mean.name for m in found}}
    return tuple(found)


def moments_of(first: Sweep, second: Sweep) -> Moments | None:
    """The moments that two sweeps compute, if they compute nothing else."""
    if len(first.reductions) != 1 or len(second.reductions) != 1 or second.before:
        return None
    if first.each or first.arrays or second.arrays or second.axes != first.axes:
        return None
    (mean,), (squares,) = first.reductions, second.reductions
    found, total = mean_of(mean.term), reduction(squares.term)
    if found is None or found[1] or total is None or not isinstance(total[0], Sum) or squares.indices != mean.indices:
        return None
    array, middle = found[0].body, Entry(mean.name, mean.indices)
    if not isinstance(array, Entry) or set(total[0].indices) != set(found[0].indices):
        return None
    body = _unfolded(total[0].body, {statement.name: statement for statement in second.each})
    return Moments(array, found[0].indices, mean, squares) if body == squares_around(array, middle) else None


def _sum_over(statement: Statement, axis: str) -> Sum | None:
    """The sum over an axis, perhaps over others too, that a statement is."""
    found = reduction(statement.term)
    if found is None or not isinstance(found[0], Sum):
        return None
    return found[0] if any(index.axis == axis for index in found[0].indices) else None


def _unfolded(body: Term, values: Mapping[str, Statement]) -> Term:
    """A body with the names of differences written out."""

    def value(entry: Entry) -> Term | None:
        statement = values.get(entry.name)
        return statement.term if statement is not None and statement.indices == entry.indices else None

    return substitute(body, value) if _simple(body, values.keys()) else body


def _simple(body: Term, names: Iterable[str]) -> bool:
    """Whether a body is the square of something that has a name."""
    return isinstance(body, Pow) and isinstance(body.base, Entry) and body.base.name in names
