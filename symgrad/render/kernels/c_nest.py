"""The loops over one nest: rows in parallel, in each the sweeps one after the other."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from symgrad.algebra.terms import Entry
from symgrad.errors import UnsupportedError
from symgrad.plan.records import Statement
from symgrad.plan.share import reduction
from symgrad.plan.sweeps import Sweep
from symgrad.render.kernels.c_hoist import Hoist
from symgrad.render.kernels.c_rows import CHUNK, TILE, Rows, axes_of
from symgrad.render.kernels.c_sums import CHUNKS, Total
from symgrad.render.kernels.c_terms import CTerms, comment, counter, fetching, reached

if TYPE_CHECKING:
    from symgrad.render.kernels.c_loops import CLoops


@dataclass
class Nest:
    """The loops over one nest."""

    loops: CLoops
    rows: Rows
    in_cache: set[str] = field(default_factory=set)
    """What an earlier sweep of the row being written has read or written."""

    def line(self, text: str) -> None:
        """Write one line."""
        self.loops.lines.append(text)

    def write(self, sweeps: tuple[Sweep, ...]) -> None:
        """The rows in parallel, with these sweeps one after the other in each."""
        totals = [Total(self.loops, self.rows, s) for sweep in sweeps for s in sweep.reductions]
        chunked = any(total.place == CHUNK for total in totals)
        self.line("{")
        self.loops.lines += self.rows.counted()
        if chunked:
            self.line(f"const ptrdiff_t chunks = rows < {CHUNKS} ? rows : {CHUNKS};")
        self._scratch({f"part_{total.name}": total.scratch() for total in totals if total.scratch()})
        self.line("#pragma omp parallel for schedule(static)")
        if chunked:
            self.line("for (ptrdiff_t chunk = 0; chunk < chunks; chunk++)")
            self.line("for (ptrdiff_t row = chunk * rows / chunks; row < (chunk + 1) * rows / chunks; row++) {")
        else:
            self.line("for (ptrdiff_t row = 0; row < rows; row++) {")
        start = len(self.loops.lines)
        self.loops.row = self.rows.order
        for sweep in sweeps:
            self._before(sweep.before)
            self._sweep(sweep)
        self.loops.row = ()
        self._counters(start)
        self.line("}")
        for total in totals:
            self.loops.lines += total.merged()
        self.line("}")

    def _scratch(self, parts: dict[str, str]) -> None:
        """Memory for parts of sums; 1 is returned where there is none."""
        for name, size in parts.items():
            self.line(f"double *{name} = scratch({size});")
        if parts:
            frees = " ".join(f"free({name});" for name in parts)
            self.line(f"if ({' || '.join(f'!{name}' for name in parts)}) {{ {frees} return 1; }}")

    def _counters(self, start: int) -> None:
        """The places of a row that its lines use, put before them."""
        text = "\n".join(self.loops.lines[start:])
        used = [i.axis for i in self.rows.around if re.search(rf"\b{counter(i)}\b", text)]
        if re.search(r"\bfirst\b", text):
            used.append(self.rows.inner.axis)
        self.loops.lines[start:start] = self.rows.found(used)

    def _before(self, statements: tuple[Statement, ...]) -> None:
        """The small statements of a row, or of each place of it."""
        for statement in statements:
            if axes_of(statement) != self.rows.axes():
                raise UnsupportedError(f"a value along rows between sweeps: {statement.formula[:80]}")
            target = self.loops.place(statement.name, statement.indices)
            value = CTerms(self.loops.load, "double").text(statement.term)
            self.line(f"/* {comment(statement.formula)} */")
            self.line(f"{self.rows.loop() + ' ' if self.rows.middle else ''}{target} = {value};")

    def _sweep(self, sweep: Sweep) -> None:
        """One sweep along a row: its loops, around what is done for an element."""
        totals = [Total(self.loops, self.rows, s) for s in sweep.reductions]
        terms = CTerms(self._load, "REAL")
        hoisted = Hoist(self.loops, self.rows.inner, terms)
        body = self._body(sweep, totals, hoisted)
        self.line("{")
        for total in totals:
            self.loops.lines += total.start()
        for index in self.rows.middle:
            i = counter(index)
            self.line(f"for (ptrdiff_t {i} = 0; {i} < n_{index.axis}; {i}++) {{")
        if "[start + " in "\n".join(body):
            self.line(f"const ptrdiff_t start = {self._start()};")
        self.loops.lines += hoisted.lines
        self._along(body, totals)
        self.loops.lines += ["}" for _ in self.rows.middle]
        for total in totals:
            self.loops.lines += total.finish()
        self.line("}")
        self.loops.kinds.update({statement.name: "real" for statement in sweep.arrays})

    def _start(self) -> str:
        """Where a row begins in the arrays of the whole nest."""
        length = f"n_{self.rows.inner.axis}"
        if not self.rows.tile:
            return f"row * {length}"
        *around, _ = self.rows.order
        place = self.loops.place("", tuple(around))[1:-1]
        return f"({place}) * {length}" if len(around) > 1 else f"{place} * {length}"

    def _body(self, sweep: Sweep, totals: list[Total], hoisted: Hoist) -> list[str]:
        """The lines for one element."""
        body: list[str] = []
        locals_ = sorted((*sweep.each, *sweep.arrays), key=lambda s: self.loops.places[s.name])
        self.loops.kinds.update({statement.name: "local" for statement in locals_})
        for statement in locals_:
            text = hoisted.terms.text(hoisted.term(statement.term))
            body += [f"/* {comment(statement.formula)} */", f"const REAL {statement.name}_ = {_bare(text)};"]
        for statement in sweep.arrays:
            body.append(f"{self.loops.place(statement.name, statement.indices)} = {statement.name}_;")
        for total in totals:
            found = reduction(total.statement.term)
            assert found is not None
            text = hoisted.terms.text(hoisted.term(found[0].body))
            body += [f"/* {comment(total.statement.formula)} */", total.added(_bare(text))]
        return body

    def _load(self, entry: Entry, real: str) -> str:
        """A local value of this element, or one from memory."""
        local = f"{entry.name}_"
        return local if self.loops.kinds[entry.name] == "local" else self.loops.load(entry, real)

    def _along(self, body: list[str], totals: list[Total]) -> None:
        """The loop along a row, in blocks: what is added up in one goes into a double."""
        k, first, last = counter(self.rows.inner), "block", "end"
        blocks = self.rows.tile != TILE
        if blocks:
            self.line(f"for (ptrdiff_t block = {self.rows.first}; block < {self.rows.last}; block += BLOCK) {{")
            self.line(f"const ptrdiff_t end = block + BLOCK < {self.rows.last} ? block + BLOCK : {self.rows.last};")
            place = self.loops.place("", self.rows.order)
            self.loops.lines += fetching(body, place, self.rows.inner, self.in_cache)
            self.in_cache |= reached(body, place)
        else:
            first, last = self.rows.first, self.rows.last
        added = [total for total in totals if total.how == "sum" and not total.in_memory]
        for kind in ("REAL", "double"):
            names = [f"add_{total.name} = 0" for total in added if total.kind == kind]
            if names:
                self.line(f"{kind} {', '.join(names)};")
        self.line(" ".join(["#pragma omp simd", *(clause for total in totals for clause in total.clauses())]))
        self.line(f"for (ptrdiff_t {k} = {first}; {k} < {last}; {k}++) {{")
        self.loops.lines += body
        self.line("}")
        self.loops.lines += [f"total_{total.name} += (double)add_{total.name};" for total in added]
        if blocks:
            self.line("}")


def _bare(text: str) -> str:
    """An expression without brackets around all of it."""
    if not text.startswith("("):
        return text
    depth = 0
    for place, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if depth == 0:
            return text[1:-1] if place == len(text) - 1 else text
    return text
