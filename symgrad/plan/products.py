"""Products of a full-size array and a smaller one that several statements need: computed once.

w[d] * d_y[b, d] stands in two sums of layer_norm's backward pass and in d_x. Where each statement is a sweep
over an array, the product is worth a name; where all are one loop, it is computed again for each element.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from symgrad.algebra.binding import transform_children
from symgrad.algebra.terms import Entry, Mul, Term, mul, walk
from symgrad.plan.common import common_statement
from symgrad.plan.names import describing_name
from symgrad.plan.records import FULL, Statement
from symgrad.plan.weights import weighted_sum

Pair = tuple[Entry, Entry]


def shared_products(statements: Sequence[Statement], taken: set[str], constants: set[str]) -> list[Statement]:
    """The statements, with those products computed before their first use.

    Args:
        statements: in order.
        taken: the names that are in use; those of the products are added.
        constants: the names of constants, which no name mentions.
    """
    found = list(statements)
    while (pair := _repeated(found)) is not None:
        term = mul(*pair)
        users = [place for place, s in enumerate(found) if pair in set(_pairs_of(s))]
        name, needing = describing_name(term, constants, "product"), [found[place] for place in users]
        new = common_statement(name, pair[1].indices, term, FULL, needing, taken)
        found = [replace(s, term=_with(s.term, pair, new.entry)) if n in users else s for n, s in enumerate(found)]
        found.insert(users[0], new)
    return found


def _repeated(statements: Sequence[Statement]) -> Pair | None:
    """The product that most statements need, at least two; or None."""
    users: dict[Pair, int] = {}
    for statement in statements:
        for pair in set(_pairs_of(statement)):
            users[pair] = users.get(pair, 0) + 1
    best = min(users, key=lambda pair: (-users[pair], pair[0].name, pair[1].name), default=None)
    return best if best is not None and users[best] > 1 else None


def _pairs_of(statement: Statement) -> Iterator[Pair]:
    """The pairs of a statement; a product of a matrix and a vector needs none of them."""
    return _pairs(statement.term) if weighted_sum(statement) is None else iter(())


def _pairs(term: Term) -> Iterator[Pair]:
    """The smaller and the larger of two arrays that are multiplied."""
    for node in walk(term):
        if isinstance(node, Mul):
            entries = [factor for factor in node.factors if isinstance(factor, Entry) and factor.is_plain]
            for large in entries:
                same = node.free == large.free and len(large.indices) == len(large.free)
                yield from ((small, large) for small in entries if same and small.free and small.free < large.free)


def _with(term: Term, pair: Pair, entry: Entry) -> Term:
    """The term with the product replaced by its name."""
    if isinstance(term, Mul) and all(each in term.factors for each in pair):
        rest = list(term.factors)
        for each in pair:
            rest.remove(each)
        return mul(entry, *(_with(factor, pair, entry) for factor in rest))
    return transform_children(term, lambda child: _with(child, pair, entry))
