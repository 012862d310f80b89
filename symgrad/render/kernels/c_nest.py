"""The loops over one nest: rows in parallel, what is added up along them and across them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from symgrad.algebra.terms import Binder, Entry, Index, Reduce, Sum
from symgrad.plan.records import Statement
from symgrad.plan.share import reduction
from symgrad.plan.sweeps import Sweep
from symgrad.render.kernels.c_hoist import Hoist
from symgrad.render.kernels.c_terms import CTerms, UnsupportedError, comment, counter, fetching, row_counters

if TYPE_CHECKING:
    from symgrad.render.kernels.c_loops import CLoops

CHUNKS = 64
"""Into how many parts rows are divided at most, where each part has sums of its own."""
START = {"sum": "0.0", "max": "-INFINITY", "min": "INFINITY"}


@dataclass
class Nest:
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
        """Write one line."""
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
        self.loops.lines += row_counters(self.outer, {index.axis for index in self.outer})
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
        self.line(f"/* {comment(statement.formula)} */")
        target = self.loops.place(statement.name, statement.indices)
        self.line(f"{target} = {CTerms(self.loops.load, 'double').text(statement.term)};")

    def _sweep(self, sweep: Sweep) -> None:
        """One sweep along a row."""
        terms = CTerms(self._load, "REAL")
        hoisted = Hoist(self.loops, self.inner, terms)
        body: list[str] = []
        locals_ = sorted((*sweep.each, *sweep.arrays), key=lambda s: self.loops.places[s.name])
        self.loops.kinds.update({statement.name: "local" for statement in locals_})
        for statement in locals_:
            text = terms.text(hoisted.term(statement.term))
            body += [f"/* {comment(statement.formula)} */", f"const REAL {statement.name}_ = {text};"]
        for statement in sweep.arrays:
            body.append(f"{self.loops.place(statement.name, statement.indices)} = {statement.name}_;")
        totals: list[tuple[Statement, str]] = []
        for statement in sweep.reductions:
            total = _total(statement)
            text = terms.text(hoisted.term(total.body))
            body.append(f"/* {comment(statement.formula)} */")
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
        best, nan = f"best_{statement.name}", f"nan_{statement.name}"
        return f"{{ const REAL each = {text}; {best} = each {sign} {best} ? each : {best}; {nan} |= each != each; }}"

    def _along(self, body: list[str], totals: list[tuple[Statement, str]]) -> None:
        """The loop along a row, in blocks where something is added up."""
        k = counter(self.inner)
        sums = [s.name for s, how in totals if how == "sum"]
        for statement, how in totals:
            kind = "double total" if how == "sum" else "REAL best"
            self.line(f"{kind}_{statement.name} = {START[how]};")
            if how != "sum":
                self.line(f"int nan_{statement.name} = 0;")
        lists = [f"{how}:{'add' if how == 'sum' else 'best'}_{s.name}".replace("sum:", "+:") for s, how in totals]
        lists += [f"|:nan_{s.name}" for s, how in totals if how != "sum"]
        self.line("for (ptrdiff_t block = 0; block < length; block += BLOCK) {")
        self.line("const ptrdiff_t end = block + BLOCK < length ? block + BLOCK : length;")
        self.loops.lines += fetching(body, self.loops.place("", self.order), self.inner)
        for kind in ("REAL", "double"):
            names = [f"add_{s.name} = 0" for s, how in totals if how == "sum" and self._adds_in(s) == kind]
            if names:
                self.line(f"{kind} {', '.join(names)};")
        self.line(" ".join(["#pragma omp simd", *(f"reduction({each})" for each in lists)]))
        self.line(f"for (ptrdiff_t {k} = block; {k} < end; {k}++) {{")
        self.loops.lines += body
        self.line("}")
        self.loops.lines += [f"total_{n} += (double)add_{n};" for n in sums]
        self.line("}")
        for statement, how in totals:
            value = (
                f"total_{statement.name}"
                if how == "sum"
                else f"nan_{statement.name} ? NAN : (double)best_{statement.name}"
            )
            if self._whole(statement):
                self.line(f"{self.loops.place(statement.name, statement.indices)} = {self._scaled(statement, value)};")
            else:
                self.line(f"part_{statement.name}[row] = {value};")

    def _adds_in(self, statement: Statement) -> str:
        """The type in which a block is added up: double for bare numbers from memory, which may lie far from 0."""
        body = _total(statement).body
        return "double" if isinstance(body, Entry) and self.loops.kinds[body.name] != "local" else "REAL"

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
        self.loops.lines += row_counters(self.outer, {index.axis for index in kept})
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
