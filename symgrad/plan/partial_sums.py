"""Sums that have a part in common: group_norm's sums of w[g, c] d_y[s, g, c, k] over c and k, and of d_y over s and k.

Both are made from the sums of d_y over k alone, which are far fewer numbers. So the large array is read once, and
what it is multiplied with for each c, or for each s, comes after.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from symgrad.algebra.terms import ONE, Entry, Index, Mul, Sum, Term, mul, sum_over
from symgrad.plan.common import common_statement
from symgrad.plan.names import describing_name
from symgrad.plan.records import REDUCTION, SMALL, Statement
from symgrad.plan.share import reduction


@dataclass(frozen=True)
class Parts:
    """A sum of a product.

    Attributes:
        large: the factors with all letters.
        small: the product of the others.
        bound: the letters of the sum.
        coefficient: what stands before the sum.
    """

    large: frozenset[Term]
    small: Term
    bound: frozenset[Index]
    coefficient: Term

    @property
    def free_of_small(self) -> frozenset[Index]:
        """The letters over which the large factors can be summed first."""
        return self.bound - self.small.free


def shared_sums(statements: Sequence[Statement], taken: set[str], constants: set[str]) -> list[Statement]:
    """The statements, with the sums that several of them begin with before their first use.

    Args:
        statements: in order.
        taken: the names that are in use; those of the sums are added.
        constants: the names of constants, which no name mentions.
    """
    users: dict[frozenset[Term], dict[int, Parts]] = {}
    for place, statement in enumerate(statements):
        parts = _parts(statement)
        if parts is not None:
            users.setdefault(parts.large, {})[place] = parts
    result: list[list[Statement]] = [[statement] for statement in statements]
    for group in users.values():
        first = frozenset.intersection(*(parts.free_of_small for parts in group.values()))
        if len(group) < 2 or not first or all(parts.bound == first for parts in group.values()):
            continue
        begin = min(group)
        new = _common([statements[place] for place in group], group[begin], first, taken, constants)
        for place, parts in group.items():
            result[place] = [_after(statements[place], parts, new.entry)]
        result[begin].insert(0, new)
    return [statement for each in result for statement in each]


def _parts(statement: Statement) -> Parts | None:
    """The parts of a statement that is a sum of large arrays, all of them given or computed before."""
    found = reduction(statement.term) if statement.kind == REDUCTION else None
    if found is None or not isinstance(found[0], Sum):
        return None
    total, coefficient = found
    factors = total.body.factors if isinstance(total.body, Mul) else (total.body,)
    large = [factor for factor in factors if factor.free == total.body.free]
    if not large or not all(isinstance(factor, Entry) and factor.is_plain for factor in large):
        return None
    small = mul(*(factor for factor in factors if factor.free != total.body.free))
    return Parts(frozenset(large), small, frozenset(total.indices), coefficient)


def _common(
    users: Sequence[Statement], parts: Parts, first: frozenset[Index], taken: set[str], constants: set[str]
) -> Statement:
    """The statement that adds up the large factors over the letters that come first."""
    entries = sorted((e for e in parts.large if isinstance(e, Entry)), key=lambda entry: entry.name)
    term = mul(*entries)
    frame = entries[0].indices
    indices = tuple(index for index in frame if index not in first)
    total = sum_over([index for index in frame if index in first], term)
    name = f"sum_{describing_name(term, constants, 'product')}"
    return common_statement(name, indices, total, REDUCTION, users, taken)


def _after(statement: Statement, parts: Parts, common: Entry) -> Statement:
    """The statement with what it sums made from the common sum."""
    body = mul(parts.small, common) if parts.small != ONE else common
    rest = [index for index in common.indices if index in parts.bound]
    term = mul(parts.coefficient, sum_over(rest, body))
    return replace(statement, term=term, kind=REDUCTION if rest else SMALL)
