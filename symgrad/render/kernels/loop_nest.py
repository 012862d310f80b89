"""The loops over one nest: rows in parallel, in each the sweeps one after the other."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from symgrad.algebra.terms import Entry, Place
from symgrad.errors import UnsupportedError
from symgrad.plan.records import Statement
from symgrad.plan.share import reduction
from symgrad.plan.sweeps import Sweep
from symgrad.render.kernels.loop_hoist import Columns, Hoist
from symgrad.render.kernels.loop_keep import without_causes, worth_keeping
from symgrad.render.kernels.loop_labels import at, elsewhere, picked
from symgrad.render.kernels.loop_language import (
    CHUNK_ROWS,
    CHUNKS,
    DOUBLE,
    END,
    FAR,
    PLACE,
    REAL,
    SCOPE,
    Language,
    bare,
    reached,
)
from symgrad.render.kernels.loop_moments import RowMoments
from symgrad.render.kernels.loop_rows import CHUNK, TILE, Rows, axes_of
from symgrad.render.kernels.loop_sums import Total
from symgrad.render.kernels.loop_terms import LoopTerms, counter

if TYPE_CHECKING:
    from symgrad.render.kernels.loops import Loops


@dataclass
class Nest:
    """The loops over one nest."""

    loops: Loops
    rows: Rows
    in_cache: set[str] = field(default_factory=set)
    """What an earlier sweep of the row being written has read or written."""
    kept: tuple[str, ...] = ()
    """What is kept for a row from the first sweep on that computes it."""
    in_row: set[str] = field(default_factory=set)
    """What of this earlier sweeps have computed."""
    columns: Columns = field(init=False)
    """What is the same in all rows."""

    def __post_init__(self) -> None:
        """No columns yet."""
        self.columns = Columns(self.loops, self.rows)

    @property
    def language(self) -> Language:
        """Of the loops."""
        return self.loops.language

    def line(self, text: str) -> None:
        """Write one line."""
        self.loops.lines.append(text)

    def write(self, sweeps: tuple[Sweep, ...]) -> None:
        """The rows in parallel, with these sweeps one after the other in each."""
        computed = {s.name for sweep in sweeps for s in (*sweep.each, *sweep.arrays)}
        totals = [Total.of(self.loops, self.rows, s, computed) for sweep in sweeps for s in sweep.reductions]
        totals = [total.beside(totals) for total in totals]
        if self.rows.around and not self.rows.tile:
            self.kept = worth_keeping(sweeps)
        chunked = bool(self.kept) or any(total.place == CHUNK for total in totals)
        language = self.language
        self.loops.lines += [SCOPE, *self.rows.counted(language)]
        if chunked:
            self.line(language.let(PLACE, {"chunks": self._chunks(totals)}))
        few = [total for total in totals if total.few]
        before = len(self.loops.lines)
        self.loops.lines += self._rows(chunked, bool(few))
        start = len(self.loops.lines)
        self.loops.row = self.rows.order
        waiting = list(sweeps)
        while waiting:
            sweep = without_causes(waiting.pop(0), self.in_row)
            self._before(sweep.before)
            moments = self._moments(sweep, waiting)
            if moments is not None:
                moments.write_stretches(self.loops, self.rows.middle, self._start())
                del waiting[0]
            else:
                self._sweep(sweep, [total for total in totals if total.statement in sweep.reductions])
        self.loops.row = ()
        self._counters(start)
        self.line(END)
        self.loops.lines += [line for total in few for line in total.flushed()]
        self.loops.lines += [END] * (chunked + bool(few))
        self.loops.lines[before:before] = self._memory(totals)
        for total in totals:
            self.loops.lines += total.merged()
        self.loops.lines += [line for name in self.kept for line in language.free(f"row_{name}")]
        self.loops.lines += [*self.columns.freed(), END]

    def _moments(self, sweep: Sweep, later: list[Sweep]) -> RowMoments | None:
        """The moments that a sweep and the next compute of a row in stretches, if they compute just these."""
        if not self.rows.middle or self.rows.tile or not later or later[0].before:
            return None
        return RowMoments.of(sweep, later[0], self.rows.order)

    def _chunks(self, totals: list[Total]) -> str:
        """How many chunks there are: for sums the same number whatever the threads, for what is kept one each."""
        if not any(total.place == CHUNK for total in totals):
            return self.language.least("rows", self.language.threads)
        full = self.language.quotient(f"(rows + {CHUNK_ROWS - 1})", str(CHUNK_ROWS))
        return self.language.least(full, str(CHUNKS))

    def _memory(self, totals: list[Total]) -> list[str]:
        """The memory for parts of sums and for what is the same in all rows, and the lines that compute this."""
        parts = {name: size for total in totals for name, size in total.scratch().items()}
        kept, length = [f"row_{name}" for name in self.kept], f"n_{self.rows.inner.axis}"
        real = [*self.columns.names, *kept, *(name for total in totals for name in total.in_real)]
        sizes = parts | dict.fromkeys(self.columns.names, length) | dict.fromkeys(kept, f"chunks * {self.rows.length}")
        return [*self.language.scratch(sizes, real=real), *self.columns.lines()]

    def _rows(self, chunked: bool, few: bool) -> list[str]:
        """Opens the loop over rows: over those of a chunk, where there are chunks, and a few of them at a time."""
        language = self.language
        if not chunked:
            return language.rows()
        first, last = language.quotient("chunk * rows", "chunks"), language.quotient("(chunk + 1) * rows", "chunks")
        if not few:
            return [*language.chunks(), language.loop("row", first, last)]
        some = language.stepped("some", first, last, "FEW", "next")
        return [*language.chunks(), *some, language.loop("row", "some", "next")]

    def _counters(self, start: int) -> None:
        """The places of a row that its lines use, put before them."""
        text = "\n".join(self.loops.lines[start:])
        used = [i.axis for i in self.rows.around if re.search(rf"\b{counter(i)}\b", text)]
        if re.search(r"\bfirst\b", text):
            used.append(self.rows.inner.axis)
        self.loops.lines[start:start] = self.rows.found(self.language, used)

    def _before(self, statements: tuple[Statement, ...]) -> None:
        """The small statements of a row, or of each place of it."""
        for statement in statements:
            if axes_of(statement) != self.rows.axes():
                raise UnsupportedError(f"a value along rows between sweeps: {statement.formula[:80]}")
            target = self.loops.place(statement.name, statement.indices)
            value = self.language.set(target, self.loops.exact(statement.term))
            self.line(self.language.comment(statement.formula))
            self.loops.lines += self.rows.each(self.language, value) if self.rows.in_lanes else [value]

    def _sweep(self, sweep: Sweep, totals: list[Total]) -> None:
        """One sweep along a row: its loops, around what is done for an element."""
        terms = LoopTerms(self.language, self._load, REAL)
        hoisted = Hoist(self.loops, self.rows.inner, terms, self.columns)
        labels = picked(sweep, self.rows.inner, self.loops.kinds) if self.rows.around and not self.rows.tile else ()
        body = self._body(elsewhere(sweep, labels) if labels else sweep, totals, hoisted)
        again = [line for place in labels for line in self._picked(sweep, place, hoisted)]
        self.line(SCOPE)
        for total in totals:
            self.loops.lines += total.start()
        for index in self.rows.middle:
            self.line(self.language.loop(counter(index), "0", f"n_{index.axis}"))
        if "[start + " in "\n".join([*body, *again]):
            self.line(self.language.let(PLACE, {"start": self._start()}))
        self.loops.lines += hoisted.lines([*body, *again])
        self._along(body, totals)
        self.loops.lines += again
        self.loops.lines += [END for _ in self.rows.middle]
        for total in totals:
            self.loops.lines += total.finish()
        self.line(END)
        self.in_row |= {statement.name for statement in sweep.each if statement.name in self.kept}
        held = self.loops.elements
        self.loops.kinds.update({s.name: "element" if s.name in held else "real" for s in sweep.arrays})

    def _picked(self, sweep: Sweep, place: Place, hoisted: Hoist) -> list[str]:
        """The element that a label picks, if it picks one of the row's."""
        language, k = self.language, counter(self.rows.inner)
        body = self._body(at(sweep, place), [], hoisted)
        inside = language.both([f"{k} >= {self.rows.first}", f"{k} < {self.rows.last}"])
        which = language.let(PLACE, {k: self.loops.position(place)})
        return [SCOPE, which, *language.when(inside, f"the place {place.name} once more"), *body, END, END]

    def _start(self) -> str:
        """Where a row begins in the arrays of the whole nest."""
        length = f"n_{self.rows.inner.axis}"
        if not self.rows.tile and not self.rows.middle:
            return f"row * {length}"
        *around, _ = self.rows.order
        place = self.loops.place("", tuple(around))[1:-1]
        return f"({place}) * {length}" if len(around) > 1 else f"{place} * {length}"

    def _body(self, sweep: Sweep, totals: list[Total], hoisted: Hoist) -> list[str]:
        """The lines for one element."""
        body, language = list[str](), self.language
        locals_ = sorted((*sweep.each, *sweep.arrays), key=lambda s: self.loops.places[s.name])
        self.loops.kinds.update({statement.name: "local" for statement in locals_})
        for statement in locals_:
            if statement.name in self.in_row:
                body.append(language.let(REAL, {f"{statement.name}_": self._in_row(statement)}))
                continue
            text = hoisted.terms.text(hoisted.term(statement.term))
            body += [language.comment(statement.formula), language.let(REAL, {f"{statement.name}_": bare(text)})]
            if statement.name in self.kept:
                body.append(language.set(self._in_row(statement), f"{statement.name}_"))
        for statement in sweep.arrays:
            value = f"{statement.name}_"
            value = language.stored(value) if statement.name in self.loops.elements else value
            body.append(language.set(self.loops.place(statement.name, statement.indices), value))
        for total in totals:
            found = reduction(total.statement.term)
            assert found is not None
            text = hoisted.terms.text(hoisted.term(found[0].body))
            body += [language.comment(total.statement.formula), total.added(bare(text))]
        return body

    def _in_row(self, statement: Statement) -> str:
        """The place in memory of what is kept for an element of a row."""
        inner, place = self.rows.inner, f"chunk * ({self.rows.length})"
        if not self.rows.middle:
            return f"row_{statement.name}[chunk * n_{inner.axis} + {counter(inner)}]"
        middle = self.loops.place("", self.rows.middle)[1:-1]
        return f"row_{statement.name}[{place} + {middle} * n_{inner.axis} + {counter(inner)}]"

    def _load(self, entry: Entry, real: str) -> str:
        """A local value of this element, or one from memory."""
        local = f"{entry.name}_"
        return local if self.loops.kinds[entry.name] == "local" else self.loops.load(entry, real)

    def _along(self, body: list[str], totals: list[Total]) -> None:
        """The loop along a row, in blocks: what is added up in one goes into a double."""
        k, first, last = counter(self.rows.inner), "block", "end"
        blocks = self.rows.tile != TILE
        language = self.language
        if blocks:
            place = self.loops.place("", self.rows.order)
            adds = any(not total.in_memory for total in totals)
            self.loops.lines += language.block(self.rows.first, self.rows.last, adds)
            self.loops.lines += language.fetch(body, place, k, self.in_cache)
            self.in_cache |= reached(body, place)
        else:
            first, last = self.rows.first, self.rows.last
        added = [total for total in totals if total.how == "sum" and not total.in_memory]
        for kind in (REAL, FAR, DOUBLE):
            names = {f"add_{total.name}": "0" for total in added if total.kind == kind}
            self.loops.lines += [language.variable(kind, names)] if names else []
        self.loops.lines += language.along(k, first, last, body, [each for t in totals for each in t.clauses()])
        for total in added:
            self.line(language.add(f"total_{total.name}", language.cast(DOUBLE, f"add_{total.name}")))
        self.loops.lines += [END] if blocks else []
