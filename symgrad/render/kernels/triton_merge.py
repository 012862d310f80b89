"""The kernels that merge what programs have left: the parts in a fixed order, in float64."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from symgrad.algebra.terms import Index, mul
from symgrad.plan.records import Statement
from symgrad.render.kernels.small import raw
from symgrad.render.kernels.triton_body import count
from symgrad.render.kernels.triton_records import PART, PROGRAM, Merge, Stage, axes_of
from symgrad.render.kernels.triton_scope import TOP, Names, Parameters, Scope, decoded, indent
from symgrad.render.kernels.triton_sums import operation_of, total_of
from symgrad.render.kernels.words import comment

START = {"sum": "0.0", "max": 'float("-inf")', "min": 'float("inf")'}


@dataclass
class MergeBody:
    """Writes the kernel that merges some of a stage's sums.

    Attributes:
        known: what the names of the procedure are.
        stage: what left the parts.
        number: the number of the stage.
        merge: what is merged.
        stored: the names of what has to be stored.
        used: the helper functions that the lines call.
    """

    known: Names
    stage: Stage
    number: int
    merge: Merge
    stored: Collection[str]
    used: set[str]

    def __post_init__(self) -> None:
        kept = axes_of(self.merge.kept)
        self.scope = Scope(
            self.known, self.number, frozenset(), kept, "tl.float64", frozenset(), self.used, Parameters(),
            cols_on_top=True,
        )  # fmt: skip
        self.lines = self.scope.lines[TOP]

    def write(self) -> list[str]:
        """All lines of the kernel."""
        if self.merge.kept:
            self.scope.parameters.number("kept", count(self.merge.kept))
            self.lines += [
                "col = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)[None, :]",
                *decoded("col", self.merge.kept, self.scope), "col_inside = col < kept",
            ]  # fmt: skip
        self.scope.parameters.number("length", self.length())
        if self.merge.moments is not None:
            self._moments(self.merge.moments.mean, self.merge.moments.squares)
        else:
            self._sums()
        for statement in self.merge.smalls:
            self.scope.define(statement.name)
            self._store(statement.name)
        return self.lines

    def length(self) -> str:
        """How many parts there are, in Python."""
        texts = {PART: "tile.parts", PROGRAM: "tile.programs"}
        return " * ".join(texts.get(name, f"n_{name}") for name in self.merge.over)

    def _sums(self) -> None:
        inner = []
        for statement in self.merge.sums:
            how, name = operation_of(statement), f"all_{statement.name}"
            self.lines.append(f"{name} = {self._start(how)}")
            inner.append(f"added = tl.load({self._place(statement)}, inside, 0.0).to(tl.float64)")
            if how == "sum":
                inner.append(f"{name} += {self._summed('added')}")
            else:
                combine, helper = ("larger", "largest") if how == "max" else ("smaller", "smallest")
                self.used.add(helper)
                inner.append(f"{name} = _{combine}({name}, _{helper}(added, inside, 0))")
        self._loop(inner)
        for statement in self.merge.sums:
            self._finish(statement)

    def _moments(self, mean: Statement, squares: Statement) -> None:
        """The update of Chan, Golub and LeVeque: a part's mean may lie off the whole's."""
        self.scope.parameters.number("chunk", "tile.chunk")
        self.scope.parameters.number("cols", count(self.stage.cols))
        self.used.add("square")
        numbers = "numbers = tl.minimum(chunk, cols - part * chunk).to(tl.float64)  # in this part"
        middle = f"its_mean = tl.load({self._place(mean)}, inside, 0.0)"
        self.lines.append(f"all_{mean.name} = {self._start('sum')}")
        self._loop([numbers, middle, f"all_{mean.name} += {self._summed('numbers * its_mean')}"])
        self._finish(mean)
        self.lines.append(f"all_{squares.name} = {self._start('sum')}")
        own = f"its_squares = tl.load({self._place(squares)}, inside, 0.0)"
        both = f"its_squares + numbers * _square(its_mean - {mean.name})"
        self._loop([numbers, middle, own, f"all_{squares.name} += {self._summed(both)}"])
        self._finish(squares)

    def _start(self, how: str) -> str:
        """What is there before the first part."""
        return f"tl.full({'(1, BLOCK)' if self.merge.kept else '()'}, {START[how]}, tl.float64)"

    def _summed(self, text: str) -> str:
        """The sum of a tile's parts."""
        self.used.add("sum" if self.merge.kept else "sum_all")
        return f"_sum({text}, inside, 0)" if self.merge.kept else f"_sum_all({text}, inside)"

    def _loop(self, inner: list[str]) -> None:
        """The loop over the parts, some at a time."""
        inside = "(place < length) & col_inside" if self.merge.kept else "place < length"
        single = self.merge.over in ((PART,), (PROGRAM,))
        rest = "part" if single else "place"
        head = [f"{rest} = start + tl.arange(0, PARTS)[:, None]", f"inside = {inside.replace('place', rest)}"]
        for name in reversed(self.merge.over):
            if name in (PART, PROGRAM):
                if single:
                    continue
                head.append(f"part = {rest}")
            else:
                last = name == self.merge.over[0]
                head.append(f"i_{name} = {rest}" if last else f"i_{name} = {rest} % {self.scope.length(name)}")
                rest = f"{rest} // n_{name}"
        self.lines.append("for start in range(0, length, PARTS):")
        self.lines.extend(indent([*head, *inner]))

    def _place(self, statement: Statement) -> str:
        """The address of a part."""
        pointer = self.scope.parameters.array(f"part_{statement.name}")
        if not self.merge.kept and self.merge.over[0] in (PART, PROGRAM):
            return f"{pointer} + part"
        if self.merge.over == (PROGRAM,):
            return f"{pointer} + part * kept + col"
        flat = self._flat(self.stage.rows)
        if self.merge.over[0] != PART:
            return f"{pointer} + {flat}"
        self.scope.parameters.number("rows", count(self.stage.rows))
        return f"{pointer} + part * rows + {flat}"

    def _flat(self, frame: tuple[Index, ...]) -> str:
        """The number of a row."""
        text = ""
        for index in frame:
            before = f"({text})" if " " in text else text
            text = f"{before} * {self.scope.length(index.axis)} + i_{index.axis}" if text else f"i_{index.axis}"
        return text

    def _finish(self, statement: Statement) -> None:
        name, coefficient = statement.name, total_of(statement)[1]
        text = self.scope.terms.text(mul(raw(f"all_{name}"), coefficient))
        self.lines += [*comment(statement.formula), f"{name} = {text}"]
        self.scope.places[name] = TOP
        self._store(name)

    def _store(self, name: str) -> None:
        if name in self.stored:
            self.lines.extend(self.scope.store(name, name))
