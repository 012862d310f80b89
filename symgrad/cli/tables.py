"""Tables and wrapped lines for a terminal."""

from __future__ import annotations

import shutil
import unicodedata
from collections.abc import Sequence


def columns() -> int:
    """The width of the terminal; 80 where there is none."""
    return max(40, shutil.get_terminal_size((80, 24)).columns)


def width(text: str) -> int:
    """How many columns a text takes: combining marks take none."""
    return sum(0 if unicodedata.combining(c) else 1 for c in text)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table with aligned columns and a rule under its head."""
    widths = [max(width(row[place]) for row in (head, *rows)) for place in range(len(head))]
    lines = [_row(head, widths), "  ".join("─" * w for w in widths)]
    return "\n".join([*lines, *(_row(row, widths) for row in rows)])


def _row(row: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell + " " * (w - width(cell)) for cell, w in zip(row, widths, strict=True)).rstrip()


def wrapped(first: str, text: str, limit: int, tag: str = "") -> str:
    """`first` and a formula, broken before + and − at the top level where it is too long for a line.

    Continuation lines are indented; a tag such as (22) stands at the right end of the last line.
    """
    indent = " " * (width(first) + 2)
    lines, line = [], first
    for piece in _pieces(text):
        if width(line) + width(piece) > limit and line.strip() and line != first:
            lines.append(line.rstrip())
            line = indent
        line += piece
    lines.append(line.rstrip())
    if tag:
        gap = limit - width(lines[-1]) - width(tag)
        if gap >= 2:
            lines[-1] += " " * gap + tag
        else:
            lines.append(" " * (limit - width(tag)) + tag)
    return "\n".join(lines)


def _pieces(text: str) -> list[str]:
    """The text cut before operators: top-level + and − first, · outside of brackets else."""
    pieces, depth, start = [], 0, 0
    for place, character in enumerate(text):
        depth += (character in "([") - (character in ")]")
        cut = (character in "+−=" and text[place - 1 : place] == " " and depth <= 1) or (character == "Σ" and not depth)
        if cut and place > start:
            pieces.append(text[start:place])
            start = place
    pieces.append(text[start:])
    return pieces
