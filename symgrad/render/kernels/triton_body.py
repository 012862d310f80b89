"""The body of a kernel: tiles of rows and columns, what is added up in them, and what is stored."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from symgrad.algebra.terms import Index
from symgrad.plan.records import Statement
from symgrad.plan.sweeps import Sweep
from symgrad.render.kernels.triton_records import Stage, axes_of
from symgrad.render.kernels.triton_scope import INNER, ROW, TOP, Names, Parameters, Scope, centres_of, decoded, indent
from symgrad.render.kernels.triton_sums import Sums


@dataclass
class Body:
    """Writes the kernel of a stage.

    Attributes:
        known: what the names of the procedure are.
        stage: what is computed.
        number: the number of the stage.
        stored: the names of what has to be stored.
        one_block: whether a row is in registers as a whole.
        used: the helper functions that the lines call.
        parameters: those of the kernel; both kernels of a stage share them.
    """

    known: Names
    stage: Stage
    number: int
    stored: Collection[str]
    one_block: bool
    used: set[str]
    parameters: Parameters

    def __post_init__(self) -> None:
        rows, cols = axes_of(self.stage.rows), axes_of(self.stage.cols)
        wide = {n: "wide" for n in self.known.indices if n not in self.known.strided}
        terms = (s.term for s in self.known.statements.values() if s.kind != "gather")
        self.scope = Scope(
            self.known, self.number, rows, cols, "real", frozenset(self.stage.partial), self.used, self.parameters,
            centres=centres_of(terms, wide), cols_on_top=self.one_block,
        )  # fmt: skip
        self.sums = Sums(self.stage, self.scope, self.stored, self.used)

    def line(self, text: str, level: str = ROW) -> None:
        """Write a line."""
        self.scope.lines[level].append(text)

    def write(self) -> list[str]:
        """All lines of the kernel."""
        return self._whole() if self.stage.whole else self._cut()

    def _whole(self) -> list[str]:
        """A program takes whole rows."""
        scope = self.scope
        scope.parameters.number("rows", count(self.stage.rows))
        scope.parameters.number("cols", count(self.stage.cols))
        if self.one_block:
            scope.lines[TOP] += self._columns("tl.arange(0, BLOCK)[None, :].to(index)")
            self.line("inside = row_inside & col_inside")
        sweeps = list(self.stage.sweeps)
        for sweep in sweeps:
            if axes_of(self.stage.rows) == frozenset(sweep.axes):
                self._of_rows(sweep)
            elif self.one_block:
                self._in_registers(sweep)
            else:
                self._in_blocks(sweep)
        for statement in self.stage.smalls:
            scope.define(statement.name)
            self._store(statement.name)
        row = ["row = first + tl.arange(0, ROWS)[:, None].to(index)", *decoded("row", self.stage.rows, scope)]
        lines = [*row, "row_inside = row < rows", *scope.lines[ROW]]
        top = ["first = tl.program_id(0).to(index) * ROWS"]
        if self.sums.loops:
            top = ["program = tl.program_id(0).to(index)"]
            top += [f"{name} = {start}" for name, start in self.sums.totals]
            scope.parameters.number("programs", "tile.programs")
            lines = ["for first in range(program * ROWS, rows, programs * ROWS):", *indent(lines)]
        return [*scope.lines[TOP], *top, *lines, *self.sums.ends]

    def _cut(self) -> list[str]:
        """Rows are cut into parts, one for each program."""
        scope, stage = self.scope, self.stage
        adds = stage.moments is not None or any(sweep.reductions for sweep in stage.sweeps)
        if stage.moments is not None:
            self._moments()
        for sweep in stage.sweeps:
            self._of_part(sweep)
        lines = []
        if stage.rows or stage.cols:
            lines.append("program = tl.program_id(0).to(index)")
        if stage.rows:
            scope.parameters.number("rows", count(stage.rows))
            scope.parameters.number("parts", "tile.parts")
            lines += ["part = program % parts", "row = program // parts * ROWS + tl.arange(0, ROWS)[:, None].to(index)"]
            lines += [*decoded("row", stage.rows, scope), "row_inside = row < rows"]
        part = "part" if stage.rows else "program"
        inner = scope.lines[INNER]
        if stage.cols:
            scope.parameters.number("cols", count(stage.cols))
            start = "start" if adds else f"{part} * BLOCK"
            inner = [*self._columns(f"{start} + tl.arange(0, BLOCK)[None, :].to(index)"),
                     *(["inside = row_inside & col_inside"] if stage.rows else []), *inner]  # fmt: skip
            if adds:
                scope.parameters.number("chunk", "tile.chunk")
                loop = f"for start in range({part} * chunk, tl.minimum({part} * chunk + chunk, cols), BLOCK):"
                inner = [loop, *indent(inner)]
        starts = [f"{name} = {start}" for name, start in self.sums.totals]
        return [*scope.lines[TOP], *lines, *starts, *scope.lines[ROW], *inner, *self.sums.ends]

    def _columns(self, text: str) -> list[str]:
        """The lines that say which columns a tile has."""
        return [f"col = {text}", *decoded("col", self.stage.cols, self.scope), "col_inside = col < cols"]

    def _of_rows(self, sweep: Sweep) -> None:
        """What has one element for each row."""
        for statement in sweep.arrays:
            self.scope.define(statement.name)
            self._store(statement.name)
        for statement in sweep.reductions:
            text = self.sums.body(statement, ROW)
            if statement.indices:
                self.sums.store_part(statement, text, ROW)
            else:
                self.sums.add_to_program(statement, text, "row_inside", ROW)

    def _in_registers(self, sweep: Sweep) -> None:
        """A sweep over rows that are in registers."""
        scope = self.scope
        for statement in sweep.reductions:
            text = self.sums.body(statement, INNER)
            if not statement.indices:
                self.sums.add_to_program(statement, text, "inside", INNER)
            elif axes_of(statement.indices) == axes_of(self.stage.cols):
                self.sums.add_to_columns(statement, text)
            else:
                self.sums.finish(statement, self.sums.summed(statement, text), INNER)
        for statement in sweep.arrays:
            scope.define(statement.name)
            self._store(statement.name)
        self._flush()

    def _flush(self) -> None:
        """In one block there is no loop: lines follow each other."""
        self.scope.lines[ROW] += self.scope.lines[INNER]
        self.scope.lines[INNER] = []
        self.scope.places = {n: ROW if p == INNER else p for n, p in self.scope.places.items()}

    def _in_blocks(self, sweep: Sweep) -> None:
        """A sweep over rows, a block after the other."""
        scope, ends = self.scope, list[tuple[Statement, str]]()
        barrier = False
        for statement in sweep.reductions:
            text = self.sums.body(statement, INNER)
            if not statement.indices:
                self.sums.add_to_program(statement, text, "inside", INNER)
            elif axes_of(statement.indices) == axes_of(self.stage.cols):
                self.sums.add_in_memory(statement, text)
                barrier = True
            else:
                ends.append((statement, self.sums.add_block(statement, text)))
        for statement in sweep.arrays:
            scope.define(statement.name)
            self._store(statement.name)
        columns = self._columns("start + tl.arange(0, BLOCK)[None, :].to(index)")
        inner = [*columns, "inside = row_inside & col_inside", *scope.lines[INNER]]
        self.line("for start in range(0, cols, BLOCK):")
        scope.lines[ROW] += indent(inner)
        if barrier:
            self.line("tl.debug_barrier()  # the next rows add to what these have stored")
        scope.forget()
        for statement, total in ends:
            self.sums.finish(statement, total, ROW)

    def _of_part(self, sweep: Sweep) -> None:
        """A sweep over a part of each row: what is added up waits to be merged."""
        for statement in sweep.reductions:
            text = self.sums.body(statement, INNER)
            if not statement.indices:
                self.sums.add_to_program(statement, text, "inside" if self.stage.rows else "col_inside", INNER)
                continue
            name = self.sums.add_part(statement, text)
            pointer = self.scope.parameters.array(name)
            self.sums.ends.append(f"tl.store({pointer} + part * rows + row, {name}, row_inside)")
        for statement in sweep.arrays:
            self.scope.define(statement.name)
            self._store(statement.name)

    def _moments(self) -> None:
        """Mean and squares of a part, block after block."""
        moments = self.stage.moments
        assert moments is not None
        mean, squares = moments.mean, moments.squares
        self.used.update(("moments", "merged"))
        array = self.scope.text(moments.array)
        inside = "inside" if self.stage.rows else "col_inside"
        names = f"count, {mean.name}, {squares.name}"
        shape = "(ROWS, 1)" if self.stage.rows else "(1, 1)"
        self.sums.totals += [(n, f"tl.zeros({shape}, tl.float64)") for n in ("count", mean.name, squares.name)]
        self.sums.explain(mean, INNER)
        self.sums.explain(squares, INNER)
        self.line(f"{names} = _merged({names}, *_moments({array}, {inside}))", INNER)
        for name in (mean.name, squares.name):
            pointer = self.scope.parameters.array(f"part_{name}")
            if self.stage.rows:
                self.sums.ends.append(f"tl.store({pointer} + part * rows + row, {name}, row_inside)")
            else:
                self.sums.ends.append(f"tl.store({pointer} + program + tl.arange(0, 1)[:, None], {name})")

    def _store(self, name: str) -> None:
        if name in self.stored:
            level = self.scope.places[name]
            level = ROW if level == TOP else level
            if self.one_block and not self.scope.known.indices[name]:
                level = ROW
            self.scope.lines[level] += self.scope.store(name, name)


def count(frame: tuple[Index, ...]) -> str:
    """The number of places on some axes, in Python."""
    return " * ".join(f"n_{index.axis}" for index in frame) or "1"
