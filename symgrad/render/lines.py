"""Lines of a terminal: their width, and formulas broken to it."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable


def width(text: str) -> int:
    """How many columns a text takes: combining marks take none."""
    return sum(0 if unicodedata.combining(c) else 1 for c in text)


def wrapped(first: str, text: str, limit: int, tag: str = "") -> str:
    """`first` and a formula, broken where it is too long for a line; a tag stands at the right end.

    Lines break before + and − outside of all brackets; where a part is longer than a line, before
    a Σ, and then inside of one pair of brackets.
    """
    indent = " " * (width(first) + 2)
    lines, line = [], first
    for piece in _pieces(text, limit - width(indent)):
        if line != first and width(line) + width(piece.rstrip()) > limit:
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


def _pieces(text: str, room: int) -> list[str]:
    """The text in pieces that fit, as far as there are places to cut."""
    pieces = []
    for term in _cut(text, lambda depth, here, before: depth == 0 and here in "+−" and before == " "):
        if width(term) <= room:
            pieces.append(term)
            continue
        for part in _cut(term, lambda depth, here, before: depth == 0 and here == "Σ"):
            if width(part) <= room:
                pieces.append(part)
            else:
                pieces += _cut(part, lambda depth, here, before: depth <= 1 and here in "+−" and before == " ")
    return pieces


def _cut(text: str, cuts: Callable[[int, str, str], bool]) -> list[str]:
    """The text cut before each character that `cuts` (depth of brackets, character, the one before)."""
    pieces, depth, start = [], 0, 0
    for place, character in enumerate(text):
        if place > start and cuts(depth, character, text[place - 1]):
            pieces.append(text[start:place])
            start = place
        depth += (character in "([") - (character in ")]")
    pieces.append(text[start:])
    return pieces
