"""How a loop nest is divided into rows, which threads share, and what becomes of each sum there.

Mostly a row is the innermost axis at one place of the others. Where sums keep the innermost axis and lose one
around it (a softmax over the channels of an image), a row is a tile of the innermost axis at a place of the
outer ones, and loops over the axes in the middle: what is added up lies side by side in cache. Where sums have an
axis that is not the outermost (batch normalization's have the channels), a row may be all that lies at one place of
it, in several stretches of memory. And an array of one axis is divided into pieces.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from symgrad.algebra.terms import Index, Reduce, Sum
from symgrad.errors import UnsupportedError
from symgrad.plan.records import Axes, Statement
from symgrad.plan.share import reduction
from symgrad.render.kernels.loop_language import PLACE, Language
from symgrad.render.kernels.loop_terms import counter, row_counters

ROW, LANES, PART, CHUNK = "row", "lanes", "part", "chunk"
TILE, PIECE = "TILE", "PIECE"


@dataclass(frozen=True)
class Rows:
    """The division of a nest.

    Attributes:
        order: the nest, outermost first.
        around: the axes that give a row its place.
        tile: the name of a row's length where it is a part of the innermost axis; "" where it is all of it.
    """

    order: tuple[Index, ...]
    around: tuple[Index, ...]
    tile: str

    @classmethod
    def of(cls, order: tuple[Index, ...], sums: Sequence[Statement], rows: Axes) -> Rows:
        """The division for these reductions; `rows` are the axes over which all sweeps may loop together."""
        *around, inner = order
        keeping = [axes_of(s) for s in sums if inner.axis in axes_of(s)]
        kept = set(rows or (keeping[0] if keeping else ())) - {inner.axis}
        outer = next((n for n in range(1, len(around)) if {index.axis for index in around[:n]} == kept), 0)
        fits = all(axes_of(s) in (kept | {inner.axis},) or axes_of(s) <= kept for s in sums)
        if (keeping or inner.axis in rows) and outer and fits:
            return cls(order, order[:outer], TILE)
        if rows and not set(rows) >= {index.axis for index in around}:
            raise UnsupportedError(
                f"sums over {', '.join(sorted({i.axis for i in around} - set(rows)))} that are not nested"
            )
        return cls(order, tuple(around), "" if around else PIECE)

    @classmethod
    def in_stretches(cls, order: tuple[Index, ...], sums: Sequence[Statement], rows: Axes) -> Rows | None:
        """The division into all that lies at one place of `rows`, if these are not the outermost axes of the nest.

        None where a sum does not lose all the other axes, or the innermost axis is one of `rows`.
        """
        around = tuple(index for index in order if index.axis in rows)
        nested = around == order[: len(around)]
        if nested or order[-1] in around or not all(axes_of(s) <= set(rows) for s in sums):
            return None
        return cls(order, around, "")

    @property
    def inner(self) -> Index:
        """The innermost axis."""
        return self.order[-1]

    @property
    def middle(self) -> tuple[Index, ...]:
        """The axes over which a row loops, outside the innermost."""
        return tuple(index for index in self.order[:-1] if index not in self.around)

    @property
    def in_lanes(self) -> bool:
        """Whether sums may keep the innermost axis: a row then has a value at each of its places."""
        return self.tile == TILE and bool(self.middle)

    @property
    def length(self) -> str:
        """How many elements a row has that is not a tile."""
        return " * ".join(f"n_{index.axis}" for index in (*self.middle, self.inner))

    @property
    def first(self) -> str:
        """Where a row begins on the innermost axis."""
        return "first" if self.tile else "0"

    @property
    def last(self) -> str:
        """Where it ends."""
        return "last" if self.tile else f"n_{self.inner.axis}"

    def axes(self) -> frozenset[str]:
        """The axes of what is kept for each row; with the innermost where a row has a value at each of its places."""
        found = {index.axis for index in self.around}
        return frozenset(found | {self.inner.axis}) if self.in_lanes else frozenset(found)

    def counted(self, language: Language) -> list[str]:
        """The lines that say how many rows there are."""
        count = " * ".join(f"n_{index.axis}" for index in self.around)
        if not self.tile:
            return [language.let(PLACE, {"rows": count or "1"})]
        tiles = language.quotient(f"(n_{self.inner.axis} + {self.tile} - 1)", self.tile)
        return [language.let(PLACE, {"tiles": tiles, "rows": f"{count} * tiles"} if count else {"rows": tiles})]

    def found(self, language: Language, axes: Sequence[str]) -> list[str]:
        """The lines that find a row's place, as far as these axes are concerned, from its number."""
        if not self.tile:
            return list(row_counters(language, self.around, axes, "row"))
        first = f"row % tiles * {self.tile}" if self.around else f"row * {self.tile}"
        last = language.least(f"first + {self.tile}", f"n_{self.inner.axis}")
        piece = [language.let(PLACE, {"first": first, "last": last})] if self.inner.axis in axes else []
        return [*piece, *row_counters(language, self.around, axes, language.quotient("row", "tiles"))]

    def place(self, statement: Statement) -> str:
        """What becomes of a sum: finished with each row, for each place of a row, in parts by rows, or by chunks."""
        axes, inner = axes_of(statement), self.inner.axis
        if inner in axes:
            if self.in_lanes:
                return LANES
            if operation(statement) != "sum":
                raise UnsupportedError(f"a {operation(statement)} along rows: {statement.formula[:80]}")
            return CHUNK
        return ROW if not self.tile and axes == {index.axis for index in self.around} else PART

    def each(self, language: Language, statement: str) -> list[str]:
        """A statement for each of a row's places."""
        return language.each(counter(self.inner), self.first, self.last, statement)


def axes_of(statement: Statement) -> frozenset[str]:
    """The axes that a statement's value has."""
    return frozenset(index.axis for index in statement.indices)


def operation(statement: Statement) -> str:
    """How a reduction's elements are put together: "sum", "max" or "min"."""
    found = reduction(statement.term)
    assert found is not None
    if isinstance(found[0], Reduce):
        if found[0].operation == "prod":
            raise UnsupportedError("a product over an axis")
        return found[0].operation
    assert isinstance(found[0], Sum)
    return "sum"
