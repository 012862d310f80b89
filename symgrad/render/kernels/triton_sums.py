"""What a kernel adds up: for each row, for each column, or for all of a program's tiles."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from symgrad.algebra.terms import ONE, Binder, Entry, Reduce, Term, mul
from symgrad.errors import UnsupportedError
from symgrad.plan.records import REDUCTION, Statement
from symgrad.plan.share import reduction
from symgrad.render.kernels.small import raw
from symgrad.render.kernels.triton_records import Stage
from symgrad.render.kernels.triton_scope import INNER, ROW, TOP, Scope
from symgrad.render.kernels.triton_terms import TritonTerms
from symgrad.render.kernels.words import assignment, comment

START = {"sum": "tl.zeros((ROWS, 1), {real})", "max": 'tl.full((ROWS, 1), float("-inf"), {real})',
         "min": 'tl.full((ROWS, 1), float("inf"), {real})'}  # fmt: skip

LONG = 60
"""What is reduced stands inside of the reduction, unless it is longer than this."""


@dataclass
class Sums:
    """Writes the reductions of a stage's kernel.

    Attributes:
        stage: what is computed.
        scope: the kernel's variables.
        stored: the names of what has to be stored.
        used: the helper functions that the lines call.
    """

    stage: Stage
    scope: Scope
    stored: Collection[str]
    used: set[str]
    totals: list[tuple[str, str]] = field(default_factory=list)
    """What is added up over all of a program's rows: names, and how they start."""
    ends: list[str] = field(default_factory=list)
    """The lines that store these."""
    loops: bool = False
    """Whether a program takes one tile of rows after the other, because something is added up over them."""

    def line(self, text: str, level: str = ROW) -> None:
        """Write a line."""
        self.scope.lines[level].append(text)

    def body(self, statement: Statement, level: str) -> str:
        """What is reduced, after its formula; what is long gets a variable."""
        text = self.scope.text(total_of(statement)[0].body)
        self.explain(statement, level)
        if len(text) <= LONG:
            return text
        name = f"each_{statement.name}"
        self.scope.lines[level] += assignment(name, text)
        return name

    def explain(self, statement: Statement, level: str) -> None:
        """The formula."""
        self.scope.lines[level] += comment(statement.formula)

    def summed(self, statement: Statement, text: str) -> str:
        """A row's sum, or its largest or smallest value."""
        how = operation_of(statement)
        name = {"max": "largest", "min": "smallest"}.get(how, "sum_far" if self.is_far(statement) else "sum")
        self.used.add(name)
        axis = "" if name == "sum_far" else ", 1"
        return f"_{name}({text}, {'inside' if self.stage.rows else 'col_inside'}{axis})"

    def is_far(self, statement: Statement) -> bool:
        """Whether a sum is of numbers as they are given, which may lie far from 0."""
        body = total_of(statement)[0].body
        return isinstance(body, Entry) and body.name in self.scope.known.given and operation_of(statement) == "sum"

    def more(self, how: str, name: str, text: str) -> str:
        """What has been added up and one block more."""
        if how == "sum":
            return f"{name} + {text}"
        self.used.add("larger" if how == "max" else "smaller")
        return f"_{'larger' if how == 'max' else 'smaller'}({name}, {text})"

    def add_part(self, statement: Statement, text: str) -> str:
        """Add a tile's sum to that of the program's part of each row; the name of the part's."""
        name, how = f"part_{statement.name}", operation_of(statement)
        self.totals.append((name, START[how].format(real="tl.float64" if how == "sum" else "real")))
        self.line(f"{name} = {self.more(how, name, self.summed(statement, text))}", INNER)
        return name

    def add_block(self, statement: Statement, text: str) -> str:
        """Add a block's sum to that of its row; the name of the row's."""
        name, how = f"all_{statement.name}", operation_of(statement)
        kind = "tl.float64" if how == "sum" else "real"
        self.line(f"{name} = {START[how].format(real=kind)}")
        self.line(f"{name} = {self.more(how, name, self.summed(statement, text))}", INNER)
        return name

    def add_to_program(self, statement: Statement, text: str, inside: str, level: str) -> None:
        """Add a tile's sum to the program's."""
        name, how = f"part_{statement.name}", operation_of(statement)
        if how != "sum":
            raise UnsupportedError(f"a {how} over all axes: {statement.formula[:80]}")
        self.used.add("sum_all")
        self.loops = True
        self.totals.append((name, "tl.full((), 0.0, tl.float64)"))
        self.line(f"{name} += _sum_all({text}, {inside})", level)
        self.ends.append(f"tl.store({self.scope.parameters.array(name)} + program, {name})")

    def add_to_columns(self, statement: Statement, text: str) -> None:
        """Add the rows of a tile up, for each column."""
        name = self._sum_only(statement)
        self.loops = True
        self.totals.append((name, "tl.zeros((1, BLOCK), real)"))
        self.line(f"{name} += _sum({text}, inside, 0)", INNER)
        self.ends.append(f"tl.store({self.scope.parameters.array(name)} + program * cols + col, {name}, col_inside)")

    def add_in_memory(self, statement: Statement, text: str) -> None:
        """The same where the columns do not fit: the program's own sums are in memory."""
        name = self._sum_only(statement)
        pointer = self.scope.parameters.array(name)
        self.loops = True
        self.line(f"{name} = {pointer} + program * cols + col", INNER)
        self.line(f"added = tl.load({name}, col_inside, 0.0) + _sum({text}, inside, 0)", INNER)
        self.line(f"tl.store({name}, added, col_inside)", INNER)

    def _sum_only(self, statement: Statement) -> str:
        if operation_of(statement) != "sum":
            raise UnsupportedError(f"a {operation_of(statement)} over rows: {statement.formula[:80]}")
        self.used.add("sum")
        return f"part_{statement.name}"

    def finish(self, statement: Statement, total: str, level: str) -> None:
        """A row's sum is known."""
        if statement.name in self.stage.partial:
            self.store_part(statement, total, level)
            return
        name, far = statement.name, self.is_far(statement)
        if level == ROW:
            self.explain(statement, ROW)
        self.scope.places[name] = ROW
        if far and name in self.scope.centres:
            self.used.add("split")
            self.line(f"{name}_wide = {self._scaled(statement, total, 'tl.float64')}", level)
            self.line(f"{name}, {name}_low = _split({name}_wide, real)", level)
            self.scope.wide.add(name)
        else:
            cast = far or (level == ROW and operation_of(statement) == "sum")
            self.line(f"{name} = {self._scaled(statement, f'{total}.to(real)' if cast else total, 'real')}", level)
        if name in self.stored:
            wide = name in self.scope.wide and name not in self.scope.known.results
            self.scope.lines[level] += self.scope.store(name, f"{name}_wide" if wide else name)

    def _scaled(self, statement: Statement, total: str, real: str) -> str:
        """A sum's text times its coefficient."""
        coefficient = total_of(statement)[1]
        if coefficient == ONE:
            return total
        term = mul(raw(total), coefficient)
        if real == "real":
            return self.scope.terms.text(term)
        return TritonTerms(str, lambda _: True, set(), real, self.used, self._wide_size).text(term)

    def _wide_size(self, axis: str) -> str:
        """The length of an axis in float64, which has all of its digits."""
        name = f"size_{axis}_wide"
        if name not in self.scope.places:
            self.scope.parameters.number(f"size_{axis}", f"float(n_{axis})", '"fp64"')
            self.scope.lines[TOP].insert(0, f"{name} = tl.full((), size_{axis}, tl.float64)")
            self.scope.places[name] = TOP
        return name

    def store_part(self, statement: Statement, text: str, level: str) -> None:
        """A row's share of a sum over rows."""
        pointer = self.scope.parameters.array(f"part_{statement.name}")
        self.line(f"tl.store({pointer} + row, {text}, row_inside)", level)


def total_of(statement: Statement) -> tuple[Binder, Term]:
    """A statement's reduction, and its coefficient."""
    found = reduction(statement.term)
    assert found is not None and statement.kind == REDUCTION
    return found


def operation_of(statement: Statement) -> str:
    """What a statement's reduction does: "sum", "max" or "min"."""
    total = total_of(statement)[0]
    if not isinstance(total, Reduce):
        return "sum"
    if total.operation == "prod":
        raise UnsupportedError(f"a product over an axis: {statement.formula[:80]}")
    return total.operation
