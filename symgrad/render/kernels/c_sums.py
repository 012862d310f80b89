"""What is added up in a row: how it starts, what an element adds, and how rows are merged.

Rows are merged in order, whatever the number of threads: the same bits each time. In a row, numbers go in
blocks of the element's type into a double; only bare numbers from memory, which may lie far from 0, are doubles
at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from symgrad.algebra.terms import Entry
from symgrad.plan.records import Statement
from symgrad.plan.share import reduction
from symgrad.render.kernels.c_rows import CHUNK, LANES, PART, ROW, Rows, operation
from symgrad.render.kernels.c_terms import CTerms, row_counters

if TYPE_CHECKING:
    from symgrad.render.kernels.c_loops import CLoops

CHUNKS = 64
"""Into how many parts rows are divided at most, where each part has sums of its own."""
START = {"sum": "0.0", "max": "-INFINITY", "min": "INFINITY"}


@dataclass(frozen=True)
class Total:
    """One reduction of a nest."""

    loops: CLoops
    rows: Rows
    statement: Statement

    @property
    def name(self) -> str:
        """The statement's."""
        return self.statement.name

    @property
    def how(self) -> str:
        """What it is: a sum, max or min."""
        return operation(self.statement)

    @property
    def place(self) -> str:
        """Where it is added up."""
        return self.rows.place(self.statement)

    @property
    def in_memory(self) -> bool:
        """Whether each element adds to a place in memory, not to a variable of the row."""
        return self.place in (LANES, CHUNK)

    @property
    def target(self) -> str:
        """The place in memory."""
        return self.loops.place(self.name, self.statement.indices)

    @property
    def size(self) -> str:
        """How many numbers it has."""
        return " * ".join(f"n_{index.axis}" for index in self.statement.indices) or "1"

    @property
    def kind(self) -> str:
        """The type in which a block is added up."""
        found = reduction(self.statement.term)
        assert found is not None
        body = found[0].body
        return "double" if isinstance(body, Entry) and self.loops.kinds[body.name] != "local" else "REAL"

    def scratch(self) -> str:
        """How much memory its parts need; empty for none."""
        return {PART: "rows", CHUNK: f"chunks * {self.size}"}.get(self.place, "")

    def start(self) -> list[str]:
        """Before a row's loops."""
        if self.place == LANES:
            return [f"{self.rows.loop()} {self.target} = {START[self.how]};"]
        if self.place == CHUNK:
            return []
        kind = "double total" if self.how == "sum" else "REAL best"
        lines = [f"{kind}_{self.name} = {START[self.how]};"]
        return lines if self.how == "sum" else [*lines, f"int nan_{self.name} = 0;"]

    def added(self, text: str) -> str:
        """What an element does."""
        sign = ">" if self.how == "max" else "<"
        if self.place == CHUNK:
            place = self.loops.place("", self.statement.indices)[1:-1]
            return f"part_{self.name}[chunk * {self.size} + {place}] += (double)({text});"
        if self.place == LANES and self.how == "sum":
            return f"{self.target} += (double)({text});"
        if self.place == LANES:
            best = self.target
            return f"{{ const double each = {text}; {best} = each {sign} {best} || each != each ? each : {best}; }}"
        if self.how == "sum":
            return f"add_{self.name} += {text};"
        best, nan = f"best_{self.name}", f"nan_{self.name}"
        return f"{{ const REAL each = {text}; {best} = each {sign} {best} ? each : {best}; {nan} |= each != each; }}"

    def clauses(self) -> list[str]:
        """What the loop along a row has to know of it."""
        if self.in_memory:
            return []
        if self.how == "sum":
            return [f"reduction(+:add_{self.name})"]
        return [f"reduction({self.how}:best_{self.name})", f"reduction(|:nan_{self.name})"]

    def finish(self) -> list[str]:
        """After a row's loops."""
        scaled = self.scaled("{0}")
        if self.place == LANES:
            return [] if scaled == "{0}" else [f"{self.rows.loop()} {self.target} = {scaled.format(self.target)};"]
        if self.place == CHUNK:
            return []
        value = f"total_{self.name}" if self.how == "sum" else f"nan_{self.name} ? NAN : (double)best_{self.name}"
        if self.place == ROW:
            return [f"{self.target} = {scaled.format(value)};"]
        return [f"part_{self.name}[row] = {value};"]

    def scaled(self, value: str) -> str:
        """A value times the reduction's coefficient."""
        found = reduction(self.statement.term)
        assert found is not None
        coefficient = CTerms(self.loops.load, "double").text(found[1])
        return value if coefficient == "1.0" else f"{value} * {coefficient}"

    def merged(self) -> list[str]:
        """After all rows: the parts put together in order."""
        if self.place not in (PART, CHUNK):
            return []
        lines = self._rows_merged() if self.place == PART else self._chunks_merged()
        scaled = self.scaled(f"{self.name}[i]")
        if scaled != f"{self.name}[i]":
            lines.append(f"for (ptrdiff_t i = 0; i < {self.size}; i++) {self.name}[i] = {scaled};")
        return [*lines, f"free(part_{self.name});"]

    def _rows_merged(self) -> list[str]:
        part, sign = f"part_{self.name}[row]", ">" if self.how == "max" else "<"
        number = "row / tiles" if self.rows.tile else "row"
        better = f"{part} {sign} {self.target} || {part} != {part}"
        return [
            f"for (ptrdiff_t i = 0; i < {self.size}; i++) {self.name}[i] = {START[self.how]};",
            "for (ptrdiff_t row = 0; row < rows; row++) {",
            *row_counters(self.rows.around, {index.axis for index in self.statement.indices}, number),
            f"{self.target} += {part};" if self.how == "sum" else f"{self.target} = {better} ? {part} : {self.target};",
            "}",
        ]

    def _chunks_merged(self) -> list[str]:
        return [
            f"for (ptrdiff_t i = 0; i < {self.size}; i++) {{",
            "double sum = 0.0;",
            f"for (ptrdiff_t chunk = 0; chunk < chunks; chunk++) sum += part_{self.name}[chunk * {self.size} + i];",
            f"{self.name}[i] = sum;",
            "}",
        ]
