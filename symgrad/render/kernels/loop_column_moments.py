"""Mean and centred square sum for each place of the innermost axis, in one sweep over all rows.

A few rows are added up in the element's type, as differences from a shift that lies close to them: the mean of the
few rows before. With s and q the sums of m differences d and of their squares, these rows have the mean shift + s / m
and the square sum q - s^2 / m, and are merged with the rows before them, as chunks of rows are later,

    m' = m + gap n' / n,   q' = q + q' + gap^2 n n' / (n + n')

(Chan, Golub and LeVeque 1979). What q - s^2 / m loses is in proportion to how far a few rows lie from those before,
which is part of the whole's square sum too; so a mean far from 0 costs nothing. The mean itself is a sum over
all, so that it is infinite where a number is, while the square sum is NaN; a shift is always a number.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from symgrad.algebra.terms import Index
from symgrad.plan.moments import Moments, moments_of
from symgrad.plan.sweeps import Sweep
from symgrad.render.kernels.loop_language import CHUNK_ROWS, CHUNKS, DOUBLE, END, PLACE, REAL, SCOPE, Language
from symgrad.render.kernels.loop_moments import coefficient_of
from symgrad.render.kernels.loop_terms import counter

if TYPE_CHECKING:
    from symgrad.render.kernels.loops import Loops


@dataclass(frozen=True)
class ColumnMoments:
    """Moments that are kept for each place of a row.

    Attributes:
        moments: the statements.
        order: the loop nest.
    """

    moments: Moments
    order: tuple[Index, ...]

    @classmethod
    def of(cls, first: Sweep, second: Sweep, order: tuple[Index, ...]) -> ColumnMoments | None:
        """The moments that two sweeps compute, if they compute just these, and keep the innermost axis alone."""
        found = moments_of(first, second)
        if found is None or len(order) < 2 or found.mean.indices != order[-1:] or found.array.indices != order:
            return None
        return cls(found, order)

    @property
    def _length(self) -> str:
        """A row's."""
        return f"n_{self.order[-1].axis}"

    @property
    def _k(self) -> str:
        """The place in a row."""
        return counter(self.order[-1])

    def _at(self, name: str) -> str:
        """What a chunk has at a place of a row."""
        return f"{name}[chunk * {self._length} + {self._k}]"

    def write(self, loops: Loops) -> None:
        """The loops: chunks of rows in parallel, then merged in order."""
        language = loops.language
        rows = " * ".join(f"n_{index.axis}" for index in self.order[:-1])
        full = language.quotient(f"(rows + {CHUNK_ROWS - 1})", str(CHUNK_ROWS))
        names = ("wholes", "means", "spreads", "shifts", "sums", "squares")
        first, last = language.quotient("chunk * rows", "chunks"), language.quotient("(chunk + 1) * rows", "chunks")
        loops.lines += [
            SCOPE,
            language.let(PLACE, {"rows": rows}),
            language.let(PLACE, {"chunks": language.least(full, str(CHUNKS))}),
            *language.scratch(dict.fromkeys(names, f"chunks * {self._length}"), real=names[3:]),
            *language.chunks(),
            language.let(PLACE, {"begin": first, "finish": last}),
            *self._begun(loops),
            language.variable(DOUBLE, {"done": "0.0"}),
            *language.stepped("some", "begin", "finish", "FEW", "next"),
            language.loop("row", "some", "next"),
            *self._added(loops),
            END,
            language.let(DOUBLE, {"few": language.cast(DOUBLE, "(next - some)")}),
            *self._flushed(language),
            language.add("done", "few"),
            END,
            END,
            *self._merged(loops, first, last),
            *(line for name in names for line in language.free(name)),
            END,
        ]

    def _begun(self, loops: Loops) -> list[str]:
        """The first row of a chunk is its first shift, as far as it has numbers."""
        language, value = loops.language, self._value(loops)
        first = language.choice(f"{value} - {value} == 0", value, language.number(REAL, "0.0"))
        return [
            language.let(PLACE, {"start": f"begin * {self._length}"}),
            *language.along(self._k, "0", self._length, [language.set(self._at("shifts"), first)], ()),
        ]

    def _value(self, loops: Loops) -> str:
        """An element of the row that begins at `start`."""
        before, loops.row = loops.row, self.order
        value = loops.load(self.moments.array, REAL)
        loops.row = before
        return value

    def _added(self, loops: Loops) -> list[str]:
        """A row's differences from the shift, and their squares."""
        language, value = loops.language, self._value(loops)
        body = [
            language.comment(f"{self.moments.mean.formula} and {self.moments.squares.formula}"),
            language.let(REAL, {"gap_": f"{value} - {self._at('shifts')}"}),
            language.add(self._at("sums"), "gap_"),
            language.add(self._at("squares"), "gap_ * gap_"),
        ]
        return [
            language.let(PLACE, {"start": f"row * {self._length}"}),
            *language.block("0", self._length, adds=False),
            *language.fetch([value], f"[start + {self._k}]", self._k),
            *language.along(self._k, "block", "end", body, ()),
            END,
        ]

    def _flushed(self, language: Language) -> list[str]:
        """A few rows are merged with those before them."""
        zero = language.number(REAL, "0.0")
        middle = language.cast(REAL, "middle")
        total, spread = (language.cast(DOUBLE, self._at(name)) for name in ("sums", "squares"))
        body = [
            language.let(DOUBLE, {"total": total}),
            language.let(DOUBLE, {"middle": f"{language.cast(DOUBLE, self._at('shifts'))} + total / few"}),
            language.let(DOUBLE, {"gap": f"middle - {self._at('means')}"}),
            language.add(self._at("spreads"), f"{spread} - total * total / few + gap * gap * shared"),
            language.add(self._at("wholes"), "few * middle"),
            language.add(self._at("means"), "gap * share"),
            language.set(self._at("shifts"), language.choice("middle - middle == 0.0", middle, self._at("shifts"))),
            language.set(self._at("sums"), zero),
            language.set(self._at("squares"), zero),
        ]
        return [
            language.let(DOUBLE, {"share": "few / (done + few)"}),
            language.let(DOUBLE, {"shared": "done * share"}),
            *language.along(self._k, "0", self._length, body, ()),
        ]

    def _merged(self, loops: Loops, first: str, last: str) -> list[str]:
        """The chunks in order, and the whole scaled."""
        language = loops.language
        mean, squares = self.moments.mean, self.moments.squares
        return [
            language.loop(self._k, "0", self._length),
            language.variable(DOUBLE, {"done": "0.0", "whole": "0.0", "middle": "0.0", "spread": "0.0"}),
            language.loop("chunk", "0", "chunks"),
            language.let(DOUBLE, {"few": language.cast(DOUBLE, f"({last} - {first})")}),
            language.let(DOUBLE, {"gap": f"{self._at('means')} - middle"}),
            language.let(DOUBLE, {"share": "few / (done + few)"}),
            language.add("spread", f"{self._at('spreads')} + gap * gap * (done * share)"),
            language.add("whole", self._at("wholes")),
            language.add("middle", "gap * share"),
            language.add("done", "few"),
            END,
            language.set(loops.place(mean.name, mean.indices), f"whole * {coefficient_of(loops, mean)}"),
            language.set(loops.place(squares.name, squares.indices), f"spread * {coefficient_of(loops, squares)}"),
            END,
        ]
