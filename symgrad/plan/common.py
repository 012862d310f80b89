"""A statement for what several others have in common."""

from __future__ import annotations

from collections.abc import Sequence

from symgrad.algebra.terms import Index, Term
from symgrad.plan.formula import equation
from symgrad.plan.names import free_name
from symgrad.plan.records import Statement


def common_statement(
    wanted: str, indices: tuple[Index, ...], term: Term, kind: str, users: Sequence[Statement], taken: set[str]
) -> Statement:
    """The statement that computes a term for others.

    Args:
        wanted: its name, which gets a number where it is taken.
        indices: the dimensions of what it computes.
        term: what it computes.
        kind: of the statement.
        users: the statements that need it.
        taken: the names that are in use; its own is added.
    """
    name = free_name(wanted, taken)
    taken.add(name)
    needed = tuple(dict.fromkeys(what for user in users for what in user.needed_by))
    return Statement(name, indices, term, kind, equation(name, indices, term), needed)
