"""What is added up in a row: how it starts, what an element adds, and how rows are merged.

Rows are merged in order, whatever the number of threads: the same bits each time. In a row, numbers go in
blocks of the element's type into a double; and so do those of a few rows, where there is a sum for each place of a
row. Only bare numbers from memory, which may lie far from 0, and what a mean is made of that is subtracted from its
own numbers, are doubles at once. (Cotangents are not subtracted from anything.)
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from symgrad.algebra.terms import Entry
from symgrad.plan.records import Statement
from symgrad.plan.share import reduction
from symgrad.render.kernels.loop_language import DOUBLE, END, FAR, REAL, Language
from symgrad.render.kernels.loop_rows import CHUNK, LANES, PART, ROW, Rows, operation
from symgrad.render.kernels.loop_terms import row_counters

if TYPE_CHECKING:
    from symgrad.render.kernels.loops import Loops


@dataclass(frozen=True)
class Total:
    """One reduction of a nest."""

    loops: Loops
    rows: Rows
    statement: Statement
    kind: str
    """The type in which a block, or a few rows, are added up."""
    spread: bool = False
    """Whether a sum over all of the nest is added up place by place, as those beside it are that keep the places."""

    @classmethod
    def of(cls, loops: Loops, rows: Rows, statement: Statement, computed: Collection[str]) -> Total:
        """The reduction of a nest that computes these names for each element."""
        found = reduction(statement.term)
        assert found is not None
        body = found[0].body
        if not isinstance(body, Entry):
            return cls(loops, rows, statement, REAL)
        from_memory = body.name not in computed and body.name not in loops.cotangents
        if from_memory and loops.kinds[body.name] == "element":
            return cls(loops, rows, statement, FAR)
        far = from_memory or (body.name, statement.name) in loops.subtracted
        return cls(loops, rows, statement, DOUBLE if far else REAL)

    @property
    def language(self) -> Language:
        """Of the loops."""
        return self.loops.language

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
        return CHUNK if self.spread else self.rows.place(self.statement)

    def beside(self, others: Collection[Total]) -> Total:
        """The same, spread over the places of a row if others are added up there: rows may be short."""
        whole = self.place == PART and self.how == "sum" and self.kind == REAL and not self.statement.indices
        return replace(self, spread=whole and any(other.few for other in others))

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
    def first(self) -> str:
        """Its value before any element."""
        return "0.0" if self.how == "sum" else self.language.infinity("-" if self.how == "max" else "")

    @property
    def few(self) -> bool:
        """Whether a few rows are added up in REAL, place by place, before they go into doubles."""
        own = self.spread or self.statement.indices == (self.rows.inner,)
        return self.place == CHUNK and self.kind == REAL and own

    def scratch(self) -> dict[str, str]:
        """The memory that its parts need."""
        parts = {PART: "rows", CHUNK: "chunks" if self.size == "1" else f"chunks * {self.size}"}
        found = {f"part_{self.name}": parts[self.place]} if self.place in parts else {}
        return found | ({self._few: f"chunks * {self._length}"} if self.few else {})

    @property
    def _length(self) -> str:
        """A row's."""
        return f"n_{self.rows.inner.axis}"

    @property
    def in_real(self) -> tuple[str, ...]:
        """What of its memory is in REAL."""
        return (self._few,) if self.few else ()

    @property
    def _few(self) -> str:
        return f"few_{self.name}"

    def flushed(self) -> list[str]:
        """After a few rows: their sums go into doubles."""
        few, part = f"{self._few}[chunk * {self._length} + i]", f"part_{self.name}[{self._chunk('i')}]"
        return [
            self.language.loop("i", "0", self._length),
            self.language.add(part, self.language.cast(DOUBLE, few)),
            self.language.set(few, self.language.number(REAL, "0.0")),
            END,
        ]

    def start(self) -> list[str]:
        """Before a row's loops."""
        if self.place == LANES:
            return self.rows.each(self.language, self.language.set(self.target, self.first))
        if self.place == CHUNK:
            return []
        if self.how == "sum":
            return [self.language.variable(DOUBLE, {f"total_{self.name}": self.first})]
        return self.language.extreme(self.name, self.how)

    def added(self, text: str) -> str:
        """What an element does."""
        language = self.language
        wide = language.cast(DOUBLE, f"({text})")
        if self.place == CHUNK:
            indices = (self.rows.inner,) if self.spread else self.statement.indices
            size = self._length if self.spread else self.size
            place = f"[chunk * {size} + {self.loops.place('', indices)[1:-1]}]"
            return (
                language.add(f"{self._few}{place}", text)
                if self.few
                else language.add(f"part_{self.name}{place}", wide)
            )
        if self.place == LANES:
            sums = self.how == "sum"
            return language.add(self.target, wide) if sums else language.better(self.target, self.how, text, False)
        if self.how == "sum":
            return language.more(f"add_{self.name}", text)
        return language.extreme_next(self.name, self.how, text)

    def clauses(self) -> list[tuple[str, str]]:
        """What the loop along a row has to know of it."""
        if self.in_memory:
            return []
        return [("+", f"add_{self.name}") if self.how == "sum" else (self.how, self.name)]

    def finish(self) -> list[str]:
        """After a row's loops."""
        scaled = self.scaled("{0}")
        if self.place == LANES:
            statement = self.language.set(self.target, scaled.format(self.target))
            return [] if scaled == "{0}" else self.rows.each(self.language, statement)
        if self.place == CHUNK:
            return []
        value = f"total_{self.name}" if self.how == "sum" else self.language.extreme_found(self.name)
        if self.place == ROW:
            return [self.language.set(self.target, scaled.format(value))]
        return [self.language.set(f"part_{self.name}[row]", value)]

    def scaled(self, value: str) -> str:
        """A value times the reduction's coefficient."""
        found = reduction(self.statement.term)
        assert found is not None
        coefficient = self.loops.exact(found[1])
        return value if coefficient == "1.0" else f"{value} * {coefficient}"

    def merged(self) -> list[str]:
        """After all rows: the parts put together in order."""
        if self.place not in (PART, CHUNK):
            return []
        lines = self._rows_merged() if self.place == PART else self._chunks_merged()
        scaled = self.scaled(f"{self.name}[i]")
        if scaled != f"{self.name}[i]":
            lines += self.language.each("i", "0", self.size, self.language.set(f"{self.name}[i]", scaled))
        return [*lines, *(line for name in self.scratch() for line in self.language.free(name))]

    def _rows_merged(self) -> list[str]:
        language, part = self.language, f"part_{self.name}[row]"
        number = language.quotient("row", "tiles") if self.rows.tile else "row"
        sums = self.how == "sum"
        return [
            *language.each("i", "0", self.size, language.set(f"{self.name}[i]", self.first)),
            language.loop("row", "0", "rows"),
            *row_counters(language, self.rows.around, {index.axis for index in self.statement.indices}, number),
            language.add(self.target, part) if sums else language.better(self.target, self.how, part, True),
            END,
        ]

    def _chunk(self, place: str) -> str:
        """A chunk's place in memory."""
        return "chunk" if self.size == "1" else f"chunk * {self.size} + {place}"

    def _chunks_merged(self) -> list[str]:
        language = self.language
        return [
            language.loop("i", "0", self.size),
            language.variable(DOUBLE, {"sum": "0.0"}),
            *language.each("chunk", "0", "chunks", language.add("sum", f"part_{self.name}[{self._chunk('i')}]")),
            language.set(f"{self.name}[i]", "sum"),
            END,
        ]
