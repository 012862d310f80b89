"""From sweeps to launches: which kernel computes what, for which rows, and what is merged after it.

A kernel works on tiles: its rows run over some axes of a loop nest, its columns over the others. Sums over the
columns are one number a row. Where the rows hold the nest's outermost axis there are enough of them: a program
takes whole rows, and all sweeps of a group follow each other while the row is in registers. Where they do not
(statistics of a channel over all samples), each row is cut into parts, one for each program; the parts' sums are
written out and merged in a fixed order by a second kernel, so that nothing depends on who comes first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from symgrad.algebra.terms import Index, walk
from symgrad.errors import UnsupportedError
from symgrad.notation.layer import Layer
from symgrad.plan.cost import Group, groups_of
from symgrad.plan.moments import Moments, moments_of
from symgrad.plan.placed import gathered
from symgrad.plan.records import GATHER, REDUCTION, Procedure, Statement
from symgrad.plan.sweeps import PLACES, PRODUCT, Sweep, sweeps_of
from symgrad.render.kernels.triton_records import PART, PROGRAM, Axes, Merge, Stage, axes_of


def stages_of(
    procedure: Procedure, layer: Layer, indices: dict[str, tuple[Index, ...]], kept: frozenset[str]
) -> tuple[Stage, ...]:
    """The kernels of a procedure, in order.

    Args:
        procedure: what is computed.
        layer: whose axes they run over.
        indices: the dimensions of everything that is read or computed.
        kept: what has to be in memory in the end.
    """
    return _Stages(procedure, layer, indices, kept).made()


@dataclass
class _Stages:
    procedure: Procedure
    layer: Layer
    indices: dict[str, tuple[Index, ...]]
    kept: frozenset[str]
    found: list[Stage] = field(default_factory=list)

    def made(self) -> tuple[Stage, ...]:
        sweeps = sweeps_of(self.procedure, self.layer)
        for sweep in sweeps.sweeps:
            self._refuse(sweep)
        for group in groups_of(sweeps):
            self._group(group)
        for statement in sweeps.after:
            self._small(statement, len(self.found) - 1)
        return tuple(self.found)

    def _refuse(self, sweep: Sweep) -> None:
        shown = ", ".join(s.formula for s in sweep.arrays)[:160]
        if sweep.kind == PRODUCT:
            raise UnsupportedError(f"a contraction, which is a library's work: {shown}")
        if sweep.kind == PLACES and not all(_by_label(s, self.layer) for s in sweep.arrays):
            raise UnsupportedError(f"entries at computed places: {shown}")
        if len(set(sweep.axes)) < len(sweep.axes):
            raise UnsupportedError("a loop over one dimension twice")

    def _group(self, group: Group) -> None:
        order = self._order(group.sweeps[0])
        rows = frozenset(group.rows) or self._rows(group.sweeps[0], order)
        if self._is_whole(rows, order) and (len(group.sweeps) == 1 or self._hands_over_rows_only(group, rows)):
            self._add(order, rows, group.sweeps)
            return
        waiting = list(group.sweeps)
        while waiting:
            sweep = waiting.pop(0)
            moments = moments_of(sweep, waiting[0]) if waiting else None
            if moments is not None:
                others = waiting.pop(0)
                self._befores((sweep, others))
                self.found.append(self._of_moments(moments, order))
            else:
                self._add(order, self._rows(sweep, order), (sweep,))

    def _add(self, order: tuple[Index, ...], rows: Axes, sweeps: Sequence[Sweep]) -> None:
        """One stage, and others for sums that it cannot add up on the way."""
        whole = self._is_whole(rows, order) and any(sweep.reductions for sweep in sweeps)
        cols = frozenset(index.axis for index in order) - rows
        later: dict[Axes, list[Statement]] = {}
        own: list[Sweep] = []
        for sweep in sweeps:
            here = [s for s in sweep.reductions if self._fits(s, rows, cols, whole)]
            for statement in sweep.reductions:
                if statement not in here:
                    later.setdefault(axes_of(statement.indices), []).append(statement)
            own.append(replace(sweep, reductions=tuple(here)))
        stage = Stage(*_split(order, rows), whole, tuple(own))
        last = len(self.found) - 1
        if whole and last >= 0 and self._joins(self.found[last], rows):
            before = self.found.pop()
            stage = replace(stage, sweeps=(*before.sweeps, *stage.sweeps))
        stage = replace(stage, merges=self._merges(stage))
        if self.found and not later and self._follows(self.found[-1], order, sweeps):
            self._join(stage, sweeps)
            return
        self._befores(sweeps, stage)
        for reductions in later.values():
            each = Sweep(sweeps[-1].kind, sweeps[-1].axes, (), tuple(reductions), (), (), ())
            self._add(order, axes_of(reductions[0].indices), (each,))

    def _joins(self, before: Stage, rows: Axes) -> bool:
        """Whether a stage before has one element for each of these rows, with nothing added up."""
        return axes_of((*before.rows, *before.cols)) == rows and not before.merges and not before.whole

    def _follows(self, last: Stage, order: tuple[Index, ...], sweeps: Sequence[Sweep]) -> bool:
        """Whether a loop over these axes is one over the rows of the stage before, from whose rows it takes all.

        An array that other programs or threads of that stage write can only be read in the next one.
        """
        arrays = {s.name for sweep in last.sweeps for s in sweep.arrays if axes_of(s.indices) != axes_of(last.rows)}
        reads = {name for sweep in sweeps for s in (*sweep.arrays, *sweep.reductions) for name in self._needs(s)}
        return last.whole and axes_of(last.rows) == axes_of(order) and not reads & arrays

    def _join(self, stage: Stage, sweeps: Sequence[Sweep]) -> None:
        """Compute for each row, in the stage before, what has an element for each of its rows."""
        last = self.found.pop()
        smalls = [s for sweep in sweeps for s in sweep.before if s.name in self.kept]
        joined = replace(last, sweeps=(*last.sweeps, *stage.sweeps), smalls=(*last.smalls, *smalls), merges=())
        self.found.append(replace(joined, merges=self._merges(joined)))

    def _befores(self, sweeps: Sequence[Sweep], stage: Stage | None = None) -> None:
        """Give what is computed before sweeps, and kept, a place; then add their stage."""
        place = len(self.found) - 1
        for statement in (s for sweep in sweeps for s in sweep.before if s.name in self.kept):
            if stage is not None and stage.whole and axes_of(statement.indices) == axes_of(stage.rows):
                stage = replace(stage, smalls=(*stage.smalls, statement))
            else:
                self._small(statement, place)
        if stage is not None:
            self.found.append(stage)

    def _small(self, statement: Statement, place: int) -> None:
        """A kept small statement: in the stage before where it has one value for each of what is there."""
        if statement.name not in self.kept:
            return
        own = axes_of(statement.indices)
        if place >= 0:
            stage = self.found[place]
            needs = self._needs(statement)
            for number, merge in enumerate(stage.merges):
                others = set(stage.partial) - {s.name for s in merge.sums}
                if axes_of(merge.kept) == own and not needs & others:
                    grown = replace(merge, smalls=(*merge.smalls, statement))
                    merges = (*stage.merges[:number], grown, *stage.merges[number + 1 :])
                    self.found[place] = replace(stage, merges=merges)
                    return
            if stage.whole and axes_of(stage.rows) == own and not needs & set(stage.partial):
                self.found[place] = replace(stage, smalls=(*stage.smalls, statement))
                return
        order = self._order_of(own)
        last = self.found[-1] if len(self.found) - 1 > place else None
        if last is not None and axes_of((*last.rows, *last.cols)) == own:  # smalls of the same dimensions together
            (before,) = last.sweeps
            self.found[-1] = replace(last, sweeps=(replace(before, arrays=(*before.arrays, statement)),))
            return
        sweep = Sweep("sweep", tuple(sorted(own)), (), (), (statement,), (), ())
        self.found.append(Stage(order[:-1], order[-1:], False, (sweep,)))

    def _needs(self, statement: Statement) -> set[str]:
        """All that a statement is computed from, directly or through others."""
        known = {s.name: s for s in self.procedure.statements}
        found, waiting = set[str](), list(statement.term.names)  # those of entries at computed places too
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting += known[name].term.names if name in known and known[name].kind != REDUCTION else ()
        return found

    def _merges(self, stage: Stage) -> tuple[Merge, ...]:
        """What a stage leaves to merge: one kernel for all sums that keep the same axes."""
        rows, cols = axes_of(stage.rows), axes_of(stage.cols)
        groups: dict[Axes, list[Statement]] = {}
        for statement in (s for sweep in stage.sweeps for s in sweep.reductions):
            own = axes_of(statement.indices)
            if not (stage.whole and own == rows and _nest_of(statement) != rows):
                groups.setdefault(own, []).append(statement)
        found = []
        for own, sums in groups.items():
            if not own or (stage.whole and own == cols):
                over: tuple[str, ...] = (PROGRAM,)
            else:
                over = (*(() if stage.whole else (PART,)), *(i.axis for i in stage.rows if i.axis not in own))
            if not own and not stage.whole and not rows:
                over = (PART,)
            found.append(Merge(sums[0].indices, over, tuple(sums)))
        return tuple(found)

    def _of_moments(self, moments: Moments, order: tuple[Index, ...]) -> Stage:
        kept = moments.mean.indices
        merge = Merge(kept, (PART,), (moments.mean, moments.squares), moments)
        return Stage(*_split(order, axes_of(kept)), False, (), moments, (), (merge,))

    def _rows(self, sweep: Sweep, order: tuple[Index, ...]) -> Axes:
        """The axes of the rows for a sweep by itself: those that its sums keep; all but the last without sums."""
        if not sweep.reductions:
            return axes_of(order[:-1])
        kept = sorted((axes_of(s.indices) for s in sweep.reductions), key=lambda a: (-len(a), order[0].axis not in a))
        return kept[0]

    @staticmethod
    def _is_whole(rows: Axes, order: tuple[Index, ...]) -> bool:
        return order[0].axis in rows and len(rows) < len(order)

    @staticmethod
    def _fits(statement: Statement, rows: Axes, cols: Axes, whole: bool) -> bool:
        """Whether a sum can be added up on the way."""
        own = axes_of(statement.indices)
        return own <= rows or (whole and own == cols)

    def _hands_over_rows_only(self, group: Group, rows: Axes) -> bool:
        """Whether later sweeps of a group use only sums that are finished with a row."""
        for place, sweep in enumerate(group.sweeps[1:], start=1):
            needs = {n for s in (*sweep.reductions, *sweep.arrays) for n in self._needs(s)}
            made = [s for before in group.sweeps[:place] for s in before.reductions]
            if any(s.name in needs and axes_of(s.indices) != rows for s in made):
                return False
        return True

    def _order(self, sweep: Sweep) -> tuple[Index, ...]:
        """The loop nest, outermost first: the dimensions of the first array that has them all."""
        for name in (*sweep.reads, *(statement.name for statement in sweep.arrays)):
            if tuple(sorted(index.axis for index in self.indices[name])) == sweep.axes:
                return tuple(Index(index.axis, index.axis) for index in self.indices[name])
        return self._order_of(frozenset(sweep.axes))

    def _order_of(self, axes: Axes) -> tuple[Index, ...]:
        return tuple(Index(axis.name, axis.name) for axis in self.layer.axes if axis.name in axes)


def _split(order: tuple[Index, ...], rows: Axes) -> tuple[tuple[Index, ...], tuple[Index, ...]]:
    """The rows' and the columns' indices."""
    return tuple(i for i in order if i.axis in rows), tuple(i for i in order if i.axis not in rows)


def _nest_of(statement: Statement) -> Axes:
    """The axes over which a reduction loops."""
    letters = set(statement.indices)
    for node in walk(statement.term):
        letters |= set(getattr(node, "indices", ())) if node.binds else set()
    return axes_of(letters)


def _by_label(statement: Statement, layer: Layer) -> bool:
    """Whether a statement only picks entries by labels."""
    entry = gathered(statement.term)
    if statement.kind != GATHER or entry is None or entry != statement.term:
        return False
    places = [index for index in entry.indices if hasattr(index, "value")]
    return all(place.value.names <= set(layer.labels) and not place.value.children for place in places)
