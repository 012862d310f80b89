"""What sweeps cost: numbers moved between memory and processor, operations, and the least that must be moved.

Counted in arrays: a sweep moves each array of its nest once. Smaller arrays (statistics, parameters) are
not counted: they stay in cache. Sweeps that follow each other over one nest, and hand each other only what
is kept for each row, can be done row by row, so that the array is read once for all of them.
"""

from __future__ import annotations

from dataclasses import dataclass

from symgrad.algebra.terms import Add, Call, Compare, Mul, Num, Pow, Term, Where, walk
from symgrad.plan.records import Axes, KernelPlan, Procedure
from symgrad.plan.sweeps import PLACES, PRODUCT, Sweep, Sweeps


@dataclass(frozen=True)
class Moved:
    """Arrays that are read and written, by their axes: ("c", "k", "s") for one of all these axes, once each."""

    read: tuple[Axes, ...]
    written: tuple[Axes, ...]

    @property
    def every(self) -> tuple[Axes, ...]:
        """Both."""
        return (*self.read, *self.written)


@dataclass(frozen=True)
class Group:
    """Consecutive sweeps over one nest that can be done together, one after the other for each row.

    Attributes:
        sweeps: in order.
        rows: the axes of a row's place, over which the group as a whole may loop; empty for a single sweep.
    """

    sweeps: tuple[Sweep, ...]
    rows: Axes


def groups_of(found: Sweeps) -> tuple[Group, ...]:
    """The sweeps, with those put together that can be done row by row."""
    groups: list[Group] = []
    for sweep in found.sweeps:
        rows = _common_rows(groups[-1], sweep) if groups else None
        if rows:
            groups[-1] = Group((*groups[-1].sweeps, sweep), rows)
        else:
            groups.append(Group((sweep,), ()))
    return tuple(groups)


def _common_rows(group: Group, sweep: Sweep) -> Axes:
    """The axes that all sums have which earlier sweeps of a group hand over; empty where there are none."""
    last = group.sweeps[-1]
    if (sweep.kind, sweep.axes) != (last.kind, last.axes) or sweep.kind in (PRODUCT, PLACES):
        return ()
    smalls = {s.name: s for s in sweep.before}
    used = set(sweep.reads)
    for name in reversed(smalls):
        if name in used:
            used |= smalls[name].term.names
    sums = [r for each in group.sweeps for r in each.reductions if r.name in used]
    kept = [tuple(sorted(index.axis for index in r.indices)) for r in sums]
    common = set(sweep.axes).intersection(*kept) if kept else set()
    return tuple(sorted(common & set(group.rows) if group.rows else common))


def moved(plan: KernelPlan, procedure: Procedure, found: Sweeps) -> Moved:
    """What the sweeps of a procedure move."""
    arrays = {name: axes for name, axes in _arrays(plan, procedure).items() if axes}
    read, written = list[Axes](), list[Axes]()
    for group in groups_of(found):
        names = dict.fromkeys(name for sweep in group.sweeps for name in sweep.reads)
        own = {s.name for sweep in group.sweeps for s in sweep.arrays}
        read += [arrays[n] for n in names if n in arrays and n not in own and _is_large(arrays[n], group.sweeps[0])]
        written += [arrays[s.name] for sweep in group.sweeps for s in sweep.arrays]
    return Moved(tuple(read), tuple(written))


def _is_large(axes: Axes, sweep: Sweep) -> bool:
    """Whether an array is as large as the loop nest; of a contraction or a gather every array counts."""
    return sweep.kind in (PRODUCT, PLACES) or axes == sweep.axes


def least(plan: KernelPlan, procedure: Procedure) -> Moved:
    """What any algorithm must move: each array that is needed is read once, each result is written once.

    An array that is not as large as the largest ones counts for nothing here either.
    """
    arrays = _arrays(plan, procedure)
    results = {name for _, name in procedure.results}
    made = {statement.name for statement in procedure.statements}
    large = set(plan.full_axes)
    read = [arrays[name] for name in procedure.reads if arrays.get(name) in large]
    return Moved(tuple(read), tuple(arrays[n] for n in sorted(results & made) if arrays[n] in large))


def _arrays(plan: KernelPlan, procedure: Procedure) -> dict[str, Axes]:
    """The axes of everything a procedure reads or computes."""
    found: dict[str, Axes] = {}
    for original, name in plan.names.items():
        indices = plan.layer.indices(original) or ()
        for each in (name, f"d_{name}"):
            found[each] = tuple(sorted(index.axis for index in indices))
    for statement in procedure.statements:
        found[statement.name] = tuple(sorted(index.axis for index in statement.indices))
    return found


def operations(sweep: Sweep) -> int:
    """Additions, multiplications, divisions, roots and functions for each element of a nest."""
    statements = (*sweep.each, *sweep.reductions, *sweep.arrays)
    return sum(_count(statement.term, sweep.axes) for statement in statements) + len(sweep.reductions)


def _count(term: Term, axes: Axes) -> int:
    """The operations in a term that depend on all axes of the nest."""
    total = 0
    for node in walk(term):
        if tuple(sorted(index.axis for index in node.free)) != axes:
            continue
        if isinstance(node, (Add, Mul)):
            parts = [part for part in node.children if not (isinstance(part, Num) and part.value == -1)]
            total += len(parts) - 1
        elif isinstance(node, (Pow, Call, Compare, Where)):
            total += 1
    return total
