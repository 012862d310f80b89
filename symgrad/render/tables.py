"""Tables and wrapped lines for a terminal."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

from symgrad.render.lines import width


def columns() -> int:
    """The width of the terminal; 80 where there is none."""
    return max(40, shutil.get_terminal_size((80, 24)).columns)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table with aligned columns and a rule under its head."""
    widths = [max(width(row[place]) for row in (head, *rows)) for place in range(len(head))]
    lines = [_row(head, widths), "  ".join("─" * w for w in widths)]
    return "\n".join([*lines, *(_row(row, widths) for row in rows)])


def _row(row: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell + " " * (w - width(cell)) for cell, w in zip(row, widths, strict=True)).rstrip()
