"""What takes long to compute and is needed by several sweeps along a row: computed by the first and kept for the row.

An exponential takes longer than reading a number from cache. So softmax, which adds up exp(x - max x) and then divides
it by the sum, has a row of them beside its loops; what takes a multiplication or two is computed again.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from symgrad.algebra.terms import Call, Term, walk
from symgrad.plan.sweeps import Sweep

CHEAP = frozenset(("abs", "sign", "relu", "pi"))
"""The functions that take no longer than reading a number."""


def worth_keeping(sweeps: Sequence[Sweep]) -> tuple[str, ...]:
    """The names of what several of the sweeps of a row compute for each element, and takes long."""
    names = [statement.name for sweep in sweeps for statement in sweep.each if _takes_long(statement.term)]
    return tuple(name for name in dict.fromkeys(names) if names.count(name) > 1)


def without_causes(sweep: Sweep, kept: Collection[str]) -> Sweep:
    """A sweep that reads what is kept, without the statements that only this is computed from."""
    needed = {name for s in (*sweep.reductions, *sweep.arrays) for name in s.term.names}
    each = []
    for statement in reversed(sweep.each):
        if statement.name in needed:
            each.append(statement)
            needed |= set() if statement.name in kept else statement.term.names
    return replace(sweep, each=tuple(reversed(each)))


def _takes_long(term: Term) -> bool:
    return any(isinstance(node, Call) and node.function not in CHEAP for node in walk(term))
