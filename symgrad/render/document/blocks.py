"""What a document is made of; the template says how each kind is set."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

_SHORT = 10
"""A table of at most so many rows is not divided between pages."""


@dataclass(frozen=True)
class Text:
    """A paragraph of LaTeX."""

    latex: str
    kind: ClassVar[str] = "text"


@dataclass(frozen=True)
class Items:
    """A list of points."""

    items: tuple[str, ...]
    kind: ClassVar[str] = "items"


@dataclass(frozen=True)
class Line:
    """One equality of a chain.

    Attributes:
        pieces: of the right side; a line can break between them.
        reason: beside it, in the margin; may be empty.
        number: "(22)", or empty.
        left: of an equality with a left side of its own; else empty.
    """

    pieces: tuple[str, ...]
    reason: str = ""
    number: str = ""
    left: str = ""

    @property
    def key(self) -> str:
        """The number without its parentheses: where it is found in the document."""
        return self.number.strip("()")


@dataclass(frozen=True)
class Chain:
    """Equalities below each other, with their signs aligned after the widest of the `lefts`."""

    lines: tuple[Line, ...]
    lefts: tuple[str, ...]
    kind: ClassVar[str] = "chain"


@dataclass(frozen=True)
class Node:
    """A node of a drawing: its place in centimetres, and how it looks."""

    name: str
    label: str
    style: str
    x: str
    y: str


@dataclass(frozen=True)
class Edge:
    """A curve from node to node through points "(x, y)"."""

    start: str
    end: str
    style: str
    through: tuple[str, ...] = ()


@dataclass(frozen=True)
class Picture:
    """A drawing, as a figure with a caption."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    caption: str
    label: str
    kind: ClassVar[str] = "picture"


@dataclass(frozen=True)
class Table:
    """Rows of two cells: what, and the pieces of what is said of it; a caption may be empty."""

    head: tuple[str, str]
    rows: tuple[tuple[str, tuple[str, ...]], ...]
    caption: str
    label: str
    kind: ClassVar[str] = "table"

    @property
    def together(self) -> bool:
        """Whether the table is short enough to stand on one page."""
        return len(self.rows) <= _SHORT


Block = Text | Items | Chain | Picture | Table


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it.

    Attributes:
        level: "section", "subsection" or "subsubsection".
        title: in LaTeX.
        bookmark: the same for the PDF's outline, without markup.
        blocks: in order.
    """

    level: str
    title: str
    bookmark: str
    blocks: tuple[Block, ...] = field(default=())
