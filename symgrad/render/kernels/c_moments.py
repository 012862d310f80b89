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
from symgrad.render.kernels.c_terms import CTerms, counter, fetching, row_counters

if TYPE_CHECKING:
    from symgrad.render.kernels.c_loops import CLoops


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

    def write(self, loops: CLoops) -> None:
        """The loops: rows in parallel, then merged in order."""
        line = loops.lines.append
        mean, squares = self.mean.name, self.squares.name
        k, outer = counter(self.order[-1]), self.order[:-1]
        rows = " * ".join(f"n_{index.axis}" for index in outer)
        line("{")
        line(f"const ptrdiff_t rows = {rows}, length = n_{self.order[-1].axis};")
        line("double *totals = scratch(rows), *spreads = scratch(rows);")
        line("if (!totals || !spreads) { free(totals); free(spreads); return 1; }")
        line("#pragma omp parallel for schedule(static)")
        line("for (ptrdiff_t row = 0; row < rows; row++) {")
        line("const ptrdiff_t start = row * length;")
        loops.row = self.order
        value = loops.load(self.moments.array, "REAL")
        line(f"/* {self.mean.formula}, for this row */")
        self._added(loops, "total", k, f"(double){value}", "double", fetched=True)
        line("const double middle = total / (double)length;")
        line("const REAL high = (REAL)middle, low = (REAL)(middle - (double)high);")
        line(f"/* {self.squares.formula}, for this row */")
        self._added(loops, "spread", k, f"sg_square(({value} - high) - low)", "REAL")
        loops.row = ()
        line("totals[row] = total;")
        line("spreads[row] = spread;")
        line("}")
        for name in (mean, squares):
            line(f"for (ptrdiff_t i = 0; i < {self._size}; i++) {name}[i] = 0.0;")
        self._merged(loops, self.mean, "totals[row]", "")
        gap = f"const double gap = totals[row] / (double)length - {loops.place(mean, self.mean.indices)};"
        self._merged(loops, self.squares, "spreads[row] + (double)length * gap * gap", gap)
        line("free(totals);")
        line("free(spreads);")
        line("}")

    @property
    def _size(self) -> str:
        return " * ".join(f"n_{index.axis}" for index in self.mean.indices) or "1"

    def _added(self, loops: CLoops, name: str, k: str, value: str, kind: str, fetched: bool = False) -> None:
        """A sum along the row, by blocks; of bare numbers, which may lie far from 0, in double."""
        loops.lines += [
            f"double {name} = 0.0;",
            "for (ptrdiff_t block = 0; block < length; block += BLOCK) {",
            "const ptrdiff_t end = block + BLOCK < length ? block + BLOCK : length;",
            *fetching([value] if fetched else [], loops.place("", self.order), self.order[-1]),
            f"{kind} added = 0;",
            "#pragma omp simd reduction(+:added)",
            f"for (ptrdiff_t {k} = block; {k} < end; {k}++) added += {value};",
            f"{name} += (double)added;",
            "}",
        ]

    def _merged(self, loops: CLoops, statement: Statement, part: str, before: str) -> None:
        """The rows' parts added up in order, and the whole scaled."""
        line = loops.lines.append
        line("for (ptrdiff_t row = 0; row < rows; row++) {")
        loops.lines += row_counters(self.order[:-1], {index.axis for index in statement.indices}, "row")
        if before:
            line(before)
        line(f"{loops.place(statement.name, statement.indices)} += {part};")
        line("}")
        found = reduction(statement.term)
        assert found is not None
        coefficient = CTerms(loops.load, "double").text(found[1])
        if coefficient != "1.0":
            line(f"for (ptrdiff_t i = 0; i < {self._size}; i++) {statement.name}[i] *= {coefficient};")
