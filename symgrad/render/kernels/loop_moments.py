"""Mean and centred square sum of an array in one sweep: each row by itself while it is in cache, then merged.

With m_r the mean of row r, and n numbers in it,

    sum_rk (x_rk - m)^2 = sum_r (sum_k (x_rk - m_r)^2 + n (m_r - m)^2),

the update of Chan, Golub and LeVeque 1979. A row is read twice, the second time from cache, so that memory is
read once for both; and each sum is of numbers close to 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from symgrad.algebra.terms import Index
from symgrad.plan.moments import Moments, moments_of
from symgrad.plan.records import Statement
from symgrad.plan.share import reduction
from symgrad.plan.sweeps import Sweep
from symgrad.render.kernels.loop_language import DOUBLE, END, FAR, PLACE, REAL, SCOPE
from symgrad.render.kernels.loop_terms import counter, row_counters

if TYPE_CHECKING:
    from symgrad.render.kernels.loops import Loops


@dataclass(frozen=True)
class RowMoments:
    """Moments that are added up row by row and merged.

    Attributes:
        moments: the statements.
        order: the loop nest.
    """

    moments: Moments
    order: tuple[Index, ...]

    @classmethod
    def of(cls, first: Sweep, second: Sweep, order: tuple[Index, ...]) -> RowMoments | None:
        """The moments that two sweeps compute, if they compute just these, by rows that have to be merged."""
        found = moments_of(first, second)
        if found is None:
            return None
        axes = {index.axis for index in found.mean.indices}
        merged = order[-1].axis not in axes and axes < {index.axis for index in order[:-1]}
        return cls(found, order) if merged else None

    @property
    def mean(self) -> Statement:
        """The mean's statement."""
        return self.moments.mean

    @property
    def squares(self) -> Statement:
        """The statement of the squares."""
        return self.moments.squares

    def write(self, loops: Loops) -> None:
        """The loops: rows in parallel, then merged in order."""
        language = loops.language
        count = " * ".join(f"n_{index.axis}" for index in self.order[:-1])
        loops.lines += [
            SCOPE,
            language.let(PLACE, {"rows": count, "length": f"n_{self.order[-1].axis}"}),
            *language.scratch({"totals": "rows", "spreads": "rows"}),
            *language.rows(),
            language.let(PLACE, {"start": "row * length"}),
        ]
        self._row(loops)
        loops.lines += [language.set("totals[row]", "total"), language.set("spreads[row]", "spread"), END]
        for statement in (self.mean, self.squares):
            loops.lines += language.each("i", "0", self._size, language.set(f"{statement.name}[i]", "0.0"))
        length = language.cast(DOUBLE, "length")
        self._merged(loops, self.mean, "totals[row]", "")
        mean = loops.place(self.mean.name, self.mean.indices)
        gap = language.let(DOUBLE, {"gap": f"totals[row] / {length} - {mean}"})
        self._merged(loops, self.squares, f"spreads[row] + {length} * gap * gap", gap)
        loops.lines += [*language.free("totals"), *language.free("spreads"), END]

    def write_stretches(self, loops: Loops, middle: tuple[Index, ...], start: str) -> None:
        """The same for a row that lies in several stretches of memory, one for each place of `middle`."""
        language = loops.language
        length = language.cast(DOUBLE, "length")
        loops.lines += [
            SCOPE,
            language.let(PLACE, {"length": f"n_{self.order[-1].axis}"}),
            language.variable(DOUBLE, {"parts": "0.0", "whole": "0.0", "average": "0.0", "squares": "0.0"}),
            *(language.loop(counter(index), "0", f"n_{index.axis}") for index in middle),
            language.let(PLACE, {"start": start}),
        ]
        self._row(loops)
        loops.lines += [
            language.let(DOUBLE, {"gap": "middle - average"}),
            language.add("parts", "1.0"),
            language.add("whole", "total"),
            language.add("average", "gap / parts"),
            language.add("squares", f"spread + {length} * gap * gap * (parts - 1.0) / parts"),
            *(END for _ in middle),
        ]
        for statement, value in ((self.mean, "whole"), (self.squares, "squares")):
            scaled = f"{value} * {coefficient_of(loops, statement)}"
            loops.lines.append(language.set(loops.place(statement.name, statement.indices), scaled))
        loops.lines.append(END)

    def _row(self, loops: Loops) -> None:
        """A row's sum from `start` on, and its square sum about its own mean, which is kept in two parts."""
        language, line = loops.language, loops.lines.append
        before, loops.row = loops.row, self.order
        value = loops.load(self.moments.array, REAL)
        line(language.comment(f"{self.mean.formula}, for this row"))
        kind = FAR if self.moments.array.name in loops.elements else DOUBLE
        self._added(loops, "total", language.cast(kind, value), kind, fetched=True)
        line(language.let(DOUBLE, {"middle": f"total / {language.cast(DOUBLE, 'length')}"}))
        low = language.cast(REAL, f"(middle - {language.cast(DOUBLE, 'high')})")
        line(language.let(REAL, {"high": language.cast(REAL, "middle"), "low": low}))
        line(language.comment(f"{self.squares.formula}, for this row"))
        self._added(loops, "spread", f"{language.function(REAL, 'square')}(({value} - high) - low)", REAL)
        loops.row = before

    @property
    def _size(self) -> str:
        return " * ".join(f"n_{index.axis}" for index in self.mean.indices) or "1"

    def _added(self, loops: Loops, name: str, value: str, kind: str, fetched: bool = False) -> None:
        """A sum along the row, by blocks; of bare numbers, which may lie far from 0, in double or FAR."""
        language, k = loops.language, counter(self.order[-1])
        loops.lines += [
            language.variable(DOUBLE, {name: "0.0"}),
            *language.block("0", "length", adds=True),
            *language.fetch([value] if fetched else [], loops.place("", self.order), k),
            language.variable(kind, {"added": "0"}),
            *language.along(k, "block", "end", [language.more("added", value)], [("+", "added")]),
            language.add(name, language.cast(DOUBLE, "added")),
            END,
        ]

    def _merged(self, loops: Loops, statement: Statement, part: str, before: str) -> None:
        """The rows' parts added up in order, and the whole scaled."""
        language = loops.language
        loops.lines += [
            language.loop("row", "0", "rows"),
            *row_counters(language, self.order[:-1], {index.axis for index in statement.indices}, "row"),
            *([before] if before else []),
            language.add(loops.place(statement.name, statement.indices), part),
            END,
        ]
        coefficient = coefficient_of(loops, statement)
        if coefficient != "1.0":
            loops.lines += language.each("i", "0", self._size, language.scale(f"{statement.name}[i]", coefficient))


def coefficient_of(loops: Loops, statement: Statement) -> str:
    """What a sum is multiplied by."""
    found = reduction(statement.term)
    assert found is not None
    return loops.exact(found[1])
