"""Which small values need the wider type: those that are taken off large arrays, and what they are made of.

x - mu loses nothing only if mu has more digits than x, and so does x - log(sum(exp(x))). A variance, or a sum of
gradients, is a factor: it needs no more digits than what it is multiplied with.
"""

from __future__ import annotations

from symgrad.algebra.terms import Add, Entry, walk
from symgrad.plan.infix import split_sign
from symgrad.plan.records import FULL, KernelPlan, is_full


def wide_names(plan: KernelPlan) -> frozenset[str]:
    """The names of small values that are computed in the wider type."""
    taken_off, parts = _taken_off_and_parts(plan)
    return taken_off | parts


def widened_names(plan: KernelPlan) -> frozenset[str]:
    """Those of them that go on in the wider type where their sum was added up in the narrow one.

    A value that is itself taken off has the digits that it was added up with, and would gain nothing.
    """
    return _taken_off_and_parts(plan)[1]


def _taken_off_and_parts(plan: KernelPlan) -> tuple[frozenset[str], frozenset[str]]:
    """The small values that are taken off large arrays, and those that they are made of."""
    procedures = (plan.forward, plan.backward, plan.from_statistics)
    statements = [statement for procedure in procedures if procedure for statement in procedure.statements]
    taken_off = {name for statement in statements for node in walk(statement.term) for name in _taken_off(node, plan)}
    parts: set[str] = set()
    for statement in reversed(statements):
        if statement.name in taken_off | parts and statement.kind != FULL:
            small = [n for n in walk(statement.term) if isinstance(n, Entry) and not is_full(n.free, plan.layer)]
            parts |= {entry.name for entry in small}
    return frozenset(taken_off), frozenset(parts)


def _taken_off(node: object, plan: KernelPlan) -> list[str]:
    """The smaller arrays of a sum with a full-size array."""
    if not isinstance(node, Add):
        return []
    entries = [split_sign(term)[1] for term in node.terms]
    large = [e for e in entries if isinstance(e, Entry) and is_full(e.free, plan.layer)]
    return [e.name for e in entries if isinstance(e, Entry) and any(e.free < other.free for other in large)]
