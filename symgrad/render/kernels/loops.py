"""Sweeps as loops: rows in parallel, sums by rows and merged in a fixed order, whatever the number of threads.

A row is the innermost axis. Sums that lose it are added up along the row, in blocks of the element's type
that go into a double; what they keep for each row is merged row by row, in order. Sums that keep it are
added up in doubles by fixed chunks of rows, which are then merged in order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from symgrad.algebra.terms import Entry, Index, Place, Term, walk
from symgrad.errors import UnsupportedError
from symgrad.notation.layer import Layer
from symgrad.plan.absent import kept, without
from symgrad.plan.cost import Group, groups_of
from symgrad.plan.records import Procedure, Statement
from symgrad.plan.sweeps import PLACES, PRODUCT, Sweep, sweeps_of
from symgrad.render.kernels.loop_column_moments import ColumnMoments
from symgrad.render.kernels.loop_language import DOUBLE, END, PLACE, REAL, Case, Language
from symgrad.render.kernels.loop_moments import RowMoments
from symgrad.render.kernels.loop_nest import Nest
from symgrad.render.kernels.loop_rows import Rows, axes_of
from symgrad.render.kernels.loop_terms import LoopTerms, counter
from symgrad.render.kernels.small import centred

APART, STRETCH, IN_CACHE = 8, 256, 1 << 18
"""All that lies at a place of some axes is swept several times while it is in cache if there are at least so many
places, for threads to share; if its stretches of memory have so many elements; and if it has at most so many."""


@dataclass
class Loops:
    """Writes the loops of one procedure.

    Attributes:
        language: in which they are written.
        layer: whose axes they run over.
        indices: the dimensions of everything that is read or computed, by name.
        kinds: "real" for arrays in the element's type, "element" for those that may hold a smaller type, "wide" for
            arrays of doubles, "number" for scalars, "label" for arrays of places.
        cotangents: the names of the gradients that are given.
        lines: what has been written.
    """

    language: Language
    layer: Layer
    indices: Mapping[str, tuple[Index, ...]]
    kinds: dict[str, str]
    cotangents: frozenset[str]
    lines: list[str] = field(default_factory=list)
    cases: dict[str, Case] = field(default_factory=dict)
    """Lengths for which there are loops of their own, by name."""
    places: dict[str, int] = field(default_factory=dict)
    """The order of the statements."""
    subtracted: set[tuple[str, str]] = field(default_factory=set)
    """The arrays from which statistics are subtracted, and these."""
    row: tuple[Index, ...] = ()
    """The nest whose row is being written: in its arrays, `start` is where the row begins."""
    elements: frozenset[str] = field(init=False)
    """The arrays that may hold a smaller type."""

    def __post_init__(self) -> None:
        """Remember them: while a row is written, its values have other kinds."""
        self.elements = frozenset(name for name, kind in self.kinds.items() if kind == "element")

    def write(self, procedure: Procedure) -> list[str]:
        """All loops of a procedure; apart for arrays without the axes that may be absent, if rows lie along these."""
        for axis in self.layer.axes:
            rows = [s for s in procedure.statements if len(s.indices) > 1 and s.indices[-1].axis == axis.name]
            absent = without(procedure, axis.name) if axis.variadic and rows else None
            if absent is not None:
                indices = {name: kept(each, axis.name) for name, each in self.indices.items()}
                other = Loops(self.language, self.layer, indices, dict(self.kinds), self.cotangents)
                case = Case(f"NO_{axis.name}", (f"n_{axis.name} == 1",), f"there is no {axis.name}, or one place of it")
                self.lines += [*self._when(case), *other.loops(absent), self.language.done(), END]
                self.cases |= other.cases
        return self.loops(procedure)

    def loops(self, procedure: Procedure) -> list[str]:
        """The loops for all axes as they are."""
        found = sweeps_of(procedure, self.layer)
        self.places = {statement.name: place for place, statement in enumerate(procedure.statements)}
        wide = dict.fromkeys(self.places, "wide")
        terms = (node for statement in procedure.statements for node in walk(statement.term))
        pairs = (centred(term, wide) for term in terms)
        self.subtracted = {(pair[0].name, pair[1].name) for pair in pairs if pair is not None}
        for sweep in found.sweeps:
            what = "" if sweep.kind != PRODUCT else "a contraction"
            if sweep.kind == PLACES and not all(self._is_picked(statement) for statement in sweep.arrays):
                what = "entries at computed places"
            if what:
                raise UnsupportedError(f"{what}: {', '.join(s.formula for s in sweep.arrays)}"[:200])
        for group in groups_of(found):
            self._group(group)
        for statement in found.after:
            self._small(statement)
        return self.lines

    def _group(self, group: Group) -> None:
        if group.sweeps[0].kind == PLACES:
            for statement in (*group.sweeps[0].before, *group.sweeps[0].arrays):
                self._small(statement)
            return
        order = self._order(group.sweeps[0])
        if group.rows:
            rows = self._rows(order, group)
            if rows is not None:
                self._together(group, rows)
                return
        together = self._in_stretches(order, group)
        if together is not None:
            case, lines = together
            self.lines += [*self._when(case), *lines, END]
            self.lines += self.language.when(self.language.negated(self.language.case(case)), "in the order of memory")
        self._one_by_one(order, group)
        self.lines += [END] if together is not None else []

    def _when(self, case: Case) -> list[str]:
        """Opens the block of a case."""
        self.cases[case.name] = case
        return self.language.when(self.language.case(case), case.why)

    def _in_stretches(self, order: tuple[Index, ...], group: Group) -> tuple[Case, list[str]] | None:
        """The sweeps of a group for all that lies at a place of its rows, in stretches: when, and the lines."""
        sums = [s for sweep in group.sweeps for s in sweep.reductions]
        rows = Rows.in_stretches(order, sums, group.rows) if group.rows else None
        if rows is None:
            return None
        held, written = dict(self.kinds), list(self.lines)
        try:
            self.lines = []
            self._together(group, rows)
            lines = self.lines
        except UnsupportedError:
            return None
        finally:
            self.kinds, self.lines = held, written
        count = " * ".join(f"n_{index.axis}" for index in rows.around)
        large = f"{count} >= {APART}", f"n_{rows.inner.axis} >= {STRETCH}", f"{rows.length} <= {IN_CACHE}"
        what = [index.axis for index in (*rows.around, *rows.middle, rows.inner)]
        return Case(f"IN_CACHE_{'_'.join(what)}", large, f"what lies at one {rows.around[0].axis} fits in cache"), lines

    def _one_by_one(self, order: tuple[Index, ...], group: Group) -> None:
        """The sweeps of a group one after the other, each in the order of memory."""
        waiting = list(group.sweeps)
        while waiting:
            sweep = waiting.pop(0)
            for statement in sweep.before:
                self._small(statement)
            moments = _moments(sweep, waiting[0], order) if waiting else None
            if moments is not None:
                del waiting[0]
                moments.write(self)
            else:
                Nest(self, Rows.of(order, sweep.reductions, ())).write((replace(sweep, before=()),))

    def _is_picked(self, statement: Statement) -> bool:
        """Whether a statement has an entry that a label picks, for each of its places."""
        term = statement.term
        places = [index for index in term.indices if isinstance(index, Place)] if isinstance(term, Entry) else []
        picked = [p for p in places if isinstance(p.value, Entry) and self.kinds.get(p.value.name) == "label"]
        return bool(picked) and len(picked) == len(places)

    def _rows(self, order: tuple[Index, ...], group: Group) -> Rows | None:
        """The rows in which the sweeps of a group can follow each other, if there are any."""
        try:
            rows = Rows.of(order, [s for sweep in group.sweeps for s in sweep.reductions], group.rows)
        except UnsupportedError:
            return None
        return rows if rows.axes() <= set(group.rows) else None

    def _together(self, group: Group, rows: Rows) -> None:
        """All sweeps of a group in each row; what is not of a row is computed before."""
        first, *others = group.sweeps
        for statement in first.before:
            self._small(statement)
        own = {s.name for sweep in group.sweeps for s in (*sweep.reductions, *sweep.arrays, *sweep.each)}
        later: list[Sweep] = []
        for sweep in others:
            of_rows = tuple(s for s in sweep.before if axes_of(s) == rows.axes())
            for statement in sweep.before:
                if statement not in of_rows:
                    if statement.term.names & own:
                        raise UnsupportedError(f"a value along rows between sweeps: {statement.formula[:80]}")
                    self._small(statement)
            own |= {s.name for s in of_rows}
            later.append(replace(sweep, before=of_rows))
        Nest(self, rows).write((replace(first, before=()), *later))

    def _order(self, sweep: Sweep) -> tuple[Index, ...]:
        """The loop nest, outermost first: the dimensions of the first array that has them all."""
        if len(set(sweep.axes)) < len(sweep.axes):
            raise UnsupportedError("a loop over one dimension twice")
        names = [*sweep.reads, *(statement.name for statement in sweep.arrays)]
        for name in names:
            if tuple(sorted(index.axis for index in self.indices[name])) == sweep.axes:
                return self.indices[name]
        places = {axis.name: place for place, axis in enumerate(self.layer.axes)}
        return tuple(Index(axis, axis) for axis in sorted(sweep.axes, key=places.__getitem__))

    def _small(self, statement: Statement) -> None:
        """A small statement: once for each of its own indices, in double."""
        target, value = self.place(statement.name, statement.indices), self.exact(statement.term)
        if statement.name in self.elements:
            value = self.language.stored(self.language.cast(REAL, value))
        counters = [(counter(index), f"n_{index.axis}") for index in statement.indices]
        self.lines.append(self.language.comment(statement.formula))
        self.lines += self.language.nested(counters, self.language.set(target, value))

    def exact(self, term: Term) -> str:
        """A term in double."""
        return LoopTerms(self.language, self.load, DOUBLE).text(term)

    def load(self, entry: Entry, real: str) -> str:
        """An entry's value."""
        if self.kinds[entry.name] == "number":
            return self.language.cast(real, entry.name) if real == REAL else entry.name
        text = self.place(entry.name, entry.indices)
        text = self.language.loaded(text) if self.kinds[entry.name] == "element" else text
        own = {"label": PLACE, "real": REAL, "element": REAL}.get(self.kinds[entry.name], DOUBLE)
        return text if real in (own, PLACE) else self.language.cast(real, text)

    def position(self, index: Index) -> str:
        """A place on an axis: a counter, or what a label says."""
        if isinstance(index, Place):
            assert isinstance(index.value, Entry)
            return self.place(index.value.name, index.value.indices)
        return counter(index)

    def place(self, name: str, indices: tuple[Index, ...]) -> str:
        """x[(i_s * n_c + i_c) * n_k + i_k], or x[start + i_k] in a row; a scalar array has one element."""
        if len(indices) > 1 and indices == self.row:
            return f"{name}[start + {counter(indices[-1])}]"
        text = ""
        for index in indices:
            before = f"({text})" if " " in text else text
            text = f"{before} * n_{index.axis} + {self.position(index)}" if text else self.position(index)
        return f"{name}[{text or '0'}]"


def _moments(first: Sweep, second: Sweep, order: tuple[Index, ...]) -> RowMoments | ColumnMoments | None:
    """What two sweeps compute, if it is a mean and the square sum around it, which one sweep can do."""
    return RowMoments.of(first, second, order) or ColumnMoments.of(first, second, order)
