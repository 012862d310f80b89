"""What takes long to compute and is needed by several sweeps along a row: computed by the first and kept for the row.

An exponential takes longer than reading a number from cache. So softmax, which adds up exp(x - max x) and then divides
it by the sum, has a row of them beside its loops; what takes a multiplication or two is computed again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from symgrad.algebra.terms import Call, Term, walk
from symgrad.plan.sweeps import Sweep

CHEAP = frozenset(("abs", "sign", "relu", "pi"))
"""The functions that take no longer than reading a number."""


def worth_keeping(sweeps: Sequence[Sweep]) -> tuple[str, ...]:
    """The names of what a sweep of a row needs, an earlier one has computed for each element, and takes long.

    Of a chain of such values only the last is kept: those before it are not needed then.
    """
    found: dict[str, None] = {}
    before: set[str] = set()
    for sweep in sweeps:
        each = {statement.name: statement.term for statement in sweep.each}
        waiting = [name for s in (*sweep.reductions, *sweep.arrays) for name in sorted(s.term.names & each.keys())]
        while waiting:
            name = waiting.pop()
            if name in before and _takes_long(name, each):
                found[name] = None
            else:
                waiting += sorted(each[name].names & each.keys())
        before |= each.keys()
    return tuple(found)


def without_causes(sweep: Sweep, kept: Collection[str]) -> Sweep:
    """A sweep that reads what is kept, without the statements that only this is computed from."""
    needed = {name for s in (*sweep.reductions, *sweep.arrays) for name in s.term.names}
    each = []
    for statement in reversed(sweep.each):
        if statement.name in needed:
            each.append(statement)
            needed |= set() if statement.name in kept else statement.term.names
    return replace(sweep, each=tuple(reversed(each)))


def _takes_long(name: str, each: Mapping[str, Term]) -> bool:
    """Whether a value, or one that it is computed from, is more than a few multiplications."""
    own = any(isinstance(node, Call) and node.function not in CHEAP for node in walk(each[name]))
    return own or any(_takes_long(cause, each) for cause in each[name].names & each.keys())
