"""Sweeps as C loops: rows in parallel, sums by rows and merged in a fixed order, whatever the number of threads.

A row is the innermost axis. Sums that lose it are added up along the row, in blocks of the element's type
that go into a double; what they keep for each row is merged row by row, in order. Sums that keep it are
added up in doubles by fixed chunks of rows, which are then merged in order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction

from symgrad.algebra.binding import transform_children
from symgrad.algebra.terms import Add, Binder, Entry, Index, Mul, Num, Reduce, Sum, Term, walk
from symgrad.notation.layer import Layer
from symgrad.plan.cost import Group, groups_of
from symgrad.plan.records import Procedure, Statement
from symgrad.plan.share import reduction
from symgrad.plan.sweeps import PLACES, PRODUCT, Sweep, sweeps_of
from symgrad.render.kernels.c_terms import CTerms, UnsupportedError, counter
from symgrad.render.kernels.small import centred

CHUNKS = 64
START = {"sum": "0.0", "max": "-INFINITY", "min": "INFINITY"}


@dataclass
class CLoops:
    """Writes the loops of one procedure.

    Attributes:
        layer: whose axes they run over.
        indices: the dimensions of everything that is read or computed, by name.
        kinds: "real" for arrays in the element's type, "wide" for arrays of doubles, "number" for scalars.
        lines: what has been written.
    """

    layer: Layer
    indices: Mapping[str, tuple[Index, ...]]
    kinds: dict[str, str]
    lines: list[str] = field(default_factory=list)
    places: dict[str, int] = field(default_factory=dict)
    """The order of the statements."""

    def write(self, procedure: Procedure) -> list[str]:
        """All loops of a procedure."""
        found = sweeps_of(procedure, self.layer)
        self.places = {statement.name: place for place, statement in enumerate(procedure.statements)}
        for sweep in found.sweeps:
            if sweep.kind in (PRODUCT, PLACES):
                what = "a contraction" if sweep.kind == PRODUCT else "entries at computed places"
                raise UnsupportedError(f"{what}: {', '.join(s.formula for s in sweep.arrays)}"[:200])
        for group in groups_of(found):
            self._group(group)
        for statement in found.after:
            self._small(statement)
        return self.lines

    def _group(self, group: Group) -> None:
        order = self._order(group.sweeps[0])
        outer = order[:-1]
        if group.rows and {index.axis for index in outer} <= set(group.rows):
            first, *others = group.sweeps
            for statement in first.before:
                self._small(statement)
            _Nest(self, order).rows((replace(first, before=()), *others))
            return
        for sweep in group.sweeps:
            for statement in sweep.before:
                self._small(statement)
            _Nest(self, order).rows((replace(sweep, before=()),))

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
        terms = CTerms(self.load, "double")
        depth = 0
        self.lines.append(f"/* {_comment(statement.formula)} */")
        for index in statement.indices:
            self.lines.append(
                "    " * depth
                + f"for (ptrdiff_t {counter(index)} = 0; {counter(index)} < n_{index.axis}; {counter(index)}++)"
            )
            depth += 1
        target = self.place(statement.name, statement.indices)
        self.lines.append("    " * depth + f"{target} = {terms.text(statement.term)};")

    def load(self, entry: Entry, real: str) -> str:
        """An entry's value."""
        if self.kinds[entry.name] == "number":
            return f"({real}){entry.name}" if real == "REAL" else entry.name
        text = self.place(entry.name, entry.indices)
        own = "REAL" if self.kinds[entry.name] == "real" else "double"
        return text if own == real else f"({real}){text}"

    def place(self, name: str, indices: tuple[Index, ...]) -> str:
        """x[(i_s * n_c + i_c) * n_k + i_k]; a scalar array has one element."""
        text = ""
        for index in indices:
            text = f"({text}) * n_{index.axis} + {counter(index)}" if text else counter(index)
        return f"{name}[{text or '0'}]"


def _comment(text: str) -> str:
    return text.replace("*/", "* /")


@dataclass
class _Nest:
    """The loops over one nest."""

    loops: CLoops
    order: tuple[Index, ...]

    @property
    def outer(self) -> tuple[Index, ...]:
        """All but the row."""
        return self.order[:-1]

    @property
    def inner(self) -> Index:
        """The row's index."""
        return self.order[-1]

    def line(self, text: str) -> None:
        self.loops.lines.append(text)

    def rows(self, sweeps: tuple[Sweep, ...]) -> None:
        """The rows in parallel, with these sweeps one after the other in each."""
        along = [s for sweep in sweeps for s in sweep.reductions if self._keeps_row(s)]
        across = [s for sweep in sweeps for s in sweep.reductions if not self._keeps_row(s)]
        partial = [s for s in across if not self._whole(s)]
        rows = " * ".join(f"n_{index.axis}" for index in self.outer) or "1"
        self.line("{")
        self.line(f"const ptrdiff_t rows = {rows}, length = n_{self.inner.axis};")
        if along:
            self.line(f"const ptrdiff_t chunks = rows < {CHUNKS} ? rows : {CHUNKS};")
        for statement in partial:
            self.line(f"double *part_{statement.name} = scratch(rows);")
        for statement in along:
            self.line(f"double *part_{statement.name} = scratch(chunks * {self._size(statement)});")
        checks = " || ".join(f"!part_{s.name}" for s in (*partial, *along))
        if checks:
            frees = " ".join(f"free(part_{s.name});" for s in (*partial, *along))
            self.line(f"if ({checks}) {{ {frees} return 1; }}")
        self._loops(sweeps, bool(along))
        for statement in partial:
            self._merge_rows(statement)
        for statement in along:
            self._merge_chunks(statement)
        self.line("}")

    def _loops(self, sweeps: tuple[Sweep, ...], chunked: bool) -> None:
        self.line("#pragma omp parallel for schedule(static)")
        if chunked:
            self.line("for (ptrdiff_t chunk = 0; chunk < chunks; chunk++)")
            self.line("for (ptrdiff_t row = chunk * rows / chunks; row < (chunk + 1) * rows / chunks; row++) {")
        else:
            self.line("for (ptrdiff_t row = 0; row < rows; row++) {")
        rest = "row"
        for index in reversed(self.outer):
            if index is self.outer[0]:
                self.line(f"const ptrdiff_t {counter(index)} = {rest};")
            else:
                self.line(f"const ptrdiff_t {counter(index)} = ({rest}) % n_{index.axis};")
                rest = f"({rest}) / n_{index.axis}"
        for index in self.outer:
            self.line(f"(void){counter(index)};")
        for sweep in sweeps:
            for statement in sweep.before:
                self._before(statement)
            self.line("{")
            self._sweep(sweep)
            self.line("}")
        self.line("}")

    def _before(self, statement: Statement) -> None:
        """A small statement of a row."""
        if not {index.axis for index in statement.indices} <= {index.axis for index in self.outer}:
            raise UnsupportedError(f"a value along rows between sweeps: {statement.formula[:80]}")
        self.line(f"/* {_comment(statement.formula)} */")
        target = self.loops.place(statement.name, statement.indices)
        self.line(f"{target} = {CTerms(self.loops.load, 'double').text(statement.term)};")

    def _sweep(self, sweep: Sweep) -> None:
        """One sweep along a row."""
        terms = CTerms(self._load, "REAL")
        hoisted = _Hoist(self, terms)
        body: list[str] = []
        locals_ = sorted((*sweep.each, *sweep.arrays), key=lambda s: self.loops.places[s.name])
        self.loops.kinds.update({statement.name: "local" for statement in locals_})
        for statement in locals_:
            text = terms.text(hoisted.term(statement.term))
            body += [f"/* {_comment(statement.formula)} */", f"const REAL {statement.name}_ = {text};"]
        for statement in sweep.arrays:
            body.append(f"{self.loops.place(statement.name, statement.indices)} = {statement.name}_;")
        totals: list[tuple[Statement, str]] = []
        for statement in sweep.reductions:
            total = _total(statement)
            text = terms.text(hoisted.term(total.body))
            body.append(f"/* {_comment(statement.formula)} */")
            body.append(self._added(statement, total, text))
            totals.append((statement, _operation(total)))
        self.loops.lines += hoisted.lines
        self._along(body, [(s, how) for s, how in totals if not self._keeps_row(s)])
        self.loops.kinds.update({statement.name: "real" for statement in sweep.arrays})

    def _load(self, entry: Entry, real: str) -> str:
        """A local value of this element, or one from memory."""
        local = f"{entry.name}_"
        return local if self.loops.kinds[entry.name] == "local" else self.loops.load(entry, real)

    def _added(self, statement: Statement, total: Binder, text: str) -> str:
        """The line that adds an element."""
        how = _operation(total)
        if self._keeps_row(statement):
            if how != "sum":
                raise UnsupportedError(f"a {how} along rows: {statement.formula[:80]}")
            place = self.loops.place("", statement.indices)[1:-1]
            return f"part_{statement.name}[chunk * {self._size(statement)} + {place}] += (double)({text});"
        if how == "sum":
            return f"add_{statement.name} += {text};"
        sign = ">" if how == "max" else "<"
        name = f"best_{statement.name}"
        return f"{{ const REAL each = {text}; {name} = (each {sign} {name} || each != each) ? each : {name}; }}"

    def _along(self, body: list[str], totals: list[tuple[Statement, str]]) -> None:
        """The loop along a row, in blocks where something is added up."""
        k = counter(self.inner)
        sums = [s.name for s, how in totals if how == "sum"]
        for statement, how in totals:
            kind = "double total" if how == "sum" else "REAL best"
            self.line(f"{kind}_{statement.name} = {START[how]};")
        simd = f"#pragma omp simd reduction(+:{', '.join(f'add_{n}' for n in sums)})" if sums else "#pragma omp simd"
        extremes = len(sums) < len(totals)
        if sums:
            self.line("for (ptrdiff_t block = 0; block < length; block += BLOCK) {")
            self.line("const ptrdiff_t end = block + BLOCK < length ? block + BLOCK : length;")
            self.line(f"REAL {', '.join(f'add_{n} = 0' for n in sums)};")
            first, last = "block", "end"
        else:
            first, last = "0", "length"
        if not extremes:
            self.line(simd)
        self.line(f"for (ptrdiff_t {k} = {first}; {k} < {last}; {k}++) {{")
        self.loops.lines += body
        self.line("}")
        if sums:
            self.loops.lines += [f"total_{n} += (double)add_{n};" for n in sums]
            self.line("}")
        for statement, how in totals:
            value = f"total_{statement.name}" if how == "sum" else f"(double)best_{statement.name}"
            if self._whole(statement):
                self.line(f"{self.loops.place(statement.name, statement.indices)} = {self._scaled(statement, value)};")
            else:
                self.line(f"part_{statement.name}[row] = {value};")

    def _scaled(self, statement: Statement, value: str) -> str:
        """A sum's value times its coefficient."""
        found = reduction(statement.term)
        assert found is not None
        coefficient = CTerms(self.loops.load, "double").text(found[1])
        return value if coefficient == "1.0" else f"{value} * {coefficient}"

    def _merge_rows(self, statement: Statement) -> None:
        """The rows' parts, merged in order."""
        total = _total(statement)
        how = _operation(total)
        name, kept = statement.name, statement.indices
        size = self._size(statement)
        self.line(f"for (ptrdiff_t i = 0; i < {size}; i++) {name}[i] = {START[how]};")
        self.line("for (ptrdiff_t row = 0; row < rows; row++) {")
        rest = "row"
        axes = {index.axis for index in kept}
        for index in reversed(self.outer):
            if index.axis in axes:
                self.line(f"const ptrdiff_t {counter(index)} = ({rest}) % n_{index.axis};")
            rest = f"({rest}) / n_{index.axis}"
        place = self.loops.place(name, kept)
        part = f"part_{name}[row]"
        if how == "sum":
            self.line(f"{place} += {part};")
        else:
            sign = ">" if how == "max" else "<"
            self.line(f"{place} = ({part} {sign} {place} || {part} != {part}) ? {part} : {place};")
        self.line("}")
        self._finish(statement)

    def _merge_chunks(self, statement: Statement) -> None:
        """The chunks' parts, merged in order."""
        name, size = statement.name, self._size(statement)
        self.line(f"for (ptrdiff_t i = 0; i < {size}; i++) {{")
        self.line("double sum = 0.0;")
        self.line(f"for (ptrdiff_t chunk = 0; chunk < chunks; chunk++) sum += part_{name}[chunk * {size} + i];")
        self.line(f"{name}[i] = sum;")
        self.line("}")
        self._finish(statement)

    def _finish(self, statement: Statement) -> None:
        scaled = self._scaled(statement, f"{statement.name}[i]")
        if scaled != f"{statement.name}[i]":
            self.line(f"for (ptrdiff_t i = 0; i < {self._size(statement)}; i++) {statement.name}[i] = {scaled};")
        self.line(f"free(part_{statement.name});")

    def _size(self, statement: Statement) -> str:
        return " * ".join(f"n_{index.axis}" for index in statement.indices) or "1"

    def _keeps_row(self, statement: Statement) -> bool:
        return any(index.axis == self.inner.axis for index in statement.indices)

    def _whole(self, statement: Statement) -> bool:
        """Whether a sum is finished with each row."""
        return {index.axis for index in statement.indices} == {index.axis for index in self.outer}


def _total(statement: Statement) -> Binder:
    found = reduction(statement.term)
    assert found is not None
    return found[0]


def _operation(total: Binder) -> str:
    if isinstance(total, Reduce):
        if total.operation == "prod":
            raise UnsupportedError("a product over an axis")
        return total.operation
    assert isinstance(total, Sum)
    return "sum"


@dataclass
class _Hoist:
    """Gives what does not change along a row a variable before the row's loop, computed in double."""

    nest: _Nest
    terms: CTerms
    lines: list[str] = field(default_factory=list)

    def term(self, term: Term) -> Term:
        """The term; its parts without the row's index are kept under names of their own."""
        found = centred(term, {n: "wide" for n, kind in self.nest.loops.kinds.items() if kind == "wide"})
        if found is not None and self._moves(found[0]) and not self._moves(found[1]):
            return self._split(*found)
        if not self._moves(term):
            return self._kept(term)
        if isinstance(term, (Add, Mul)):
            parts = term.terms if isinstance(term, Add) else term.factors
            still = [part for part in parts if not self._moves(part)]
            moving = [self.term(part) for part in parts if self._moves(part)]
            if len(still) > 1 or (still and not isinstance(still[0], Num)):
                rest = self._kept(
                    Add(tuple(still))
                    if isinstance(term, Add) and len(still) > 1
                    else Mul(tuple(still))
                    if len(still) > 1
                    else still[0]
                )
                return type(term)((*moving, rest))
            return type(term)((*still, *moving))
        return transform_children(term, self.term)

    def _moves(self, term: Term) -> bool:
        """Whether a term varies along the row."""
        inner = self.nest.inner.axis
        return any(index.axis == inner for index in term.free) or any(
            self.nest.loops.kinds.get(name) == "local" for name in term.names
        )

    def _kept(self, term: Term) -> Term:
        """A variable for a term; numbers stay."""
        if isinstance(term, Num) or not (term.names or any(True for _ in walk(term))):
            return term
        if term not in self.terms.kept:
            name = f"c{len(self.terms.kept)}"
            value = CTerms(self.nest.loops.load, "double").text(term)
            self.lines.append(f"const REAL {name} = (REAL)({value});")
            self.terms.kept[term] = name
        return term

    def _split(self, array: Entry, statistic: Entry) -> Term:
        """Array - mean, with the mean in two parts, so that nothing of it is lost."""
        high, low = Entry(f"high_{statistic.name}"), Entry(f"low_{statistic.name}")
        if high not in self.terms.kept:
            place = self.nest.loops.load(statistic, "double")
            self.lines.append(f"const REAL high_{statistic.name} = (REAL){place};")
            self.lines.append(f"const REAL low_{statistic.name} = (REAL)({place} - (double)high_{statistic.name});")
            self.terms.kept[high], self.terms.kept[low] = high.name, low.name
        minus = Num(Fraction(-1))
        return Add((Add((array, Mul((minus, high)))), Mul((minus, low))))
