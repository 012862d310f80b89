"""Sums over a sharded axis that need not be exchanged: those that serve gradients of replicated tensors alone.

The gradient of a parameter is often nothing but a sum over the sharded axis, times what every process knows.
Then each process may return its own part: the parts add up to the gradient. It may not where something else
needs the whole sum, or where the gradient is not linear in it.
"""

from __future__ import annotations

from collections.abc import Collection

from symgrad.algebra.terms import Add, Entry, Mul, Sum, Term
from symgrad.plan.records import KernelPlan, Statement
from symgrad.plan.shardable import is_sum_over, letters


def partial_sums(plan: KernelPlan, axis: str) -> frozenset[str]:
    """The sums over the axis that stay with each process.

    They are of the backward pass, or were moved from there into the forward pass (`plan.ahead`).
    """
    moved = {name for name, _ in plan.ahead}
    found = {s.name for s in plan.backward.statements if is_sum_over(s, axis)}
    found |= {s.name for s in plan.forward.statements if is_sum_over(s, axis) and s.name in moved}
    found -= {name for statement in plan.forward.statements for name in statement.term.names}
    found -= {name for name in found if _needed_whole(plan, axis, [name])}
    while True:
        needed = _needed_whole(plan, axis, found)
        if not needed:
            return frozenset(found)
        found -= needed


def made_of(plan: KernelPlan, sums: Collection[str]) -> dict[str, frozenset[str]]:
    """For each name of the backward pass that depends on some of these sums: on which."""
    found = {name: frozenset((name,)) for name in sums}
    for statement in plan.backward.statements:
        uses = frozenset[str]().union(*(found.get(name, frozenset()) for name in statement.term.names))
        if uses and statement.name not in sums:
            found[statement.name] = uses
    return found


def _needed_whole(plan: KernelPlan, axis: str, sums: Collection[str]) -> set[str]:
    """The sums that some statement needs whole, if the others are parts."""
    parts = made_of(plan, sums)
    needed: set[str] = set()
    for statement in plan.backward.statements:
        uses = [parts[name] for name in statement.term.names if name in parts]
        if uses and not _is_linear_statement(statement, axis, parts):
            needed = needed.union(*uses)
    return needed


def _is_linear_statement(statement: Statement, axis: str, parts: Collection[str]) -> bool:
    """Whether parts of a statement's value can be computed from parts of what it uses."""
    return not letters(statement, axis) and _is_linear(statement.term, parts)


def _is_linear(term: Term, parts: Collection[str]) -> bool:
    """Whether a term is linear, and without a rest, in the names that are parts."""
    match term:
        case Entry(name):
            return name in parts
        case Add(terms):
            return all(_is_linear(each, parts) for each in terms)
        case Mul(factors):
            with_parts = [factor for factor in factors if not factor.names.isdisjoint(parts)]
            return len(with_parts) == 1 and _is_linear(with_parts[0], parts)
        case Sum(_, body):
            return _is_linear(body, parts)
    return False
