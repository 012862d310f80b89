"""Sums that are products of a matrix and a vector: sum over b of r[b] x[b, d] g[b, d] is r times (x g).

The matrix need not be multiplied by the vector first; and it is the same for sums along rows and along columns,
sum over d of w[d] x[b, d] g[b, d], so that it is computed once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from symgrad.algebra.terms import Entry, Index, Mul, Sum, Term, mul
from symgrad.plan.common import common_statement
from symgrad.plan.names import describing_name
from symgrad.plan.records import FULL, REDUCTION, Statement
from symgrad.plan.share import reduction


@dataclass(frozen=True)
class Weighted:
    """A sum of a matrix' rows or columns, each times a number.

    Attributes:
        matrix: the factors with both letters.
        vector: the product of those with the letter of the sum.
        letter: that letter.
    """

    matrix: tuple[Term, ...]
    vector: Term
    letter: Index


def weighted_sum(statement: Statement) -> Weighted | None:
    """The parts of a statement that is a product of a matrix and a vector; None for others."""
    found = reduction(statement.term) if statement.kind == REDUCTION else None
    if found is None or not isinstance(found[0], Sum) or not isinstance(found[0].body, Mul):
        return None
    total, factors = found[0], found[0].body.factors
    matrix = tuple(factor for factor in factors if factor.free == total.body.free)
    vector = tuple(factor for factor in factors if factor.free != total.body.free)
    same = all(factor.free == frozenset(total.indices) for factor in vector)
    if len(total.body.free) != 2 or len(total.indices) != 1 or len(statement.indices) != 1 or not matrix:
        return None
    return Weighted(matrix, mul(*vector), total.indices[0]) if vector and same else None


def shared_matrices(statements: Sequence[Statement], taken: set[str], constants: set[str]) -> list[Statement]:
    """The statements, with those matrices computed before their first use that several sums need.

    Args:
        statements: in order.
        taken: the names that are in use; those of the matrices are added.
        constants: the names of constants, which no name mentions.
    """
    users: dict[frozenset[Term], list[int]] = {}
    for place, statement in enumerate(statements):
        found = weighted_sum(statement)
        if found is not None and len(found.matrix) > 1 and all(isinstance(f, Entry) for f in found.matrix):
            users.setdefault(frozenset(found.matrix), []).append(place)
    result: list[list[Statement]] = [[statement] for statement in statements]
    for places in users.values():
        if len(places) < 2:
            continue
        first = weighted_sum(statements[places[0]])
        assert first is not None
        term = mul(*first.matrix)
        entry = next(factor for factor in first.matrix if isinstance(factor, Entry))
        name, needing = describing_name(term, constants, "product"), [statements[place] for place in places]
        new = common_statement(name, entry.indices, term, FULL, needing, taken)
        for place in places:
            result[place][-1] = _with(result[place][-1], new.entry)
        result[places[0]].insert(0, new)
    return [statement for group in result for statement in group]


def _with(statement: Statement, matrix: Entry) -> Statement:
    """The statement with its matrix read from a name."""
    found, parts = reduction(statement.term), weighted_sum(statement)
    assert found is not None and parts is not None
    total, coefficient = found
    return replace(statement, term=mul(coefficient, Sum(total.indices, mul(parts.vector, matrix))))
