"""Lines of a terminal: their width, and formulas broken to it."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator

TAGS_END = 100
"""The column in which tags end on a wide terminal, so that they stay near their formulas."""


def width(text: str) -> int:
    """How many columns a text takes: combining marks take none."""
    return sum(0 if unicodedata.combining(c) else 1 for c in text)


def wrapped(first: str, text: str, limit: int, tag: str = "", indent: int | None = None) -> str:
    """`first` and a formula, broken where it is too long for a line; a tag stands at the right end.

    Lines break before a + or − outside of all brackets; where a part is still longer than a line,
    before a sum, before a denominator, between factors, then in the same order inside of one pair of brackets more.
    """
    margin = width(first) + 2 if indent is None else indent
    lines = _filled(first, text, limit, margin)
    if tag and not _has_room(lines, limit, tag):
        narrower = _filled(first, text, limit - width(tag) - 2, margin)
        lines = narrower if _has_room(narrower, limit, tag) else [*lines, ""]
    if tag:
        gap = min(limit, TAGS_END) - width(lines[-1]) - width(tag)
        lines[-1] += " " * max(gap, 2 if lines[-1] else 0) + tag
    return "\n".join(lines)


def _has_room(lines: list[str], limit: int, tag: str) -> bool:
    """Whether all lines fit, and the tag behind the last one."""
    return max(map(width, lines)) <= limit and limit - width(lines[-1]) - width(tag) >= 2


def _filled(first: str, text: str, limit: int, margin: int) -> list[str]:
    """As many pieces on each line as fit."""
    lines, line, empty = [], first, width(first) <= margin
    for piece in _pieces(text, limit - margin, 0):
        if not empty and width(line) + width(piece.rstrip()) > limit:
            lines.append(line.rstrip())
            line, empty = " " * margin, True
        line += piece
        empty = False
    return [*lines, line.rstrip()]


Cut = Callable[[str, int], bool]


def _plus(text: str, place: int) -> bool:
    return text[place] in "+−-" and text[place - 1] == " " == text[place + 1 : place + 2]


def _sum(text: str, place: int) -> bool:
    return text[place : place + 2] == "·Σ" or (text[place] == "Σ" and text[place - 1] != "·")


def _times(text: str, place: int) -> bool:
    return text[place] == "·" or (text[place] == "*" and "*" not in text[place - 1] + text[place + 1 : place + 2])


def _over(text: str, place: int) -> bool:
    return text[place] == "/" and text[:place].endswith((")", ") ")) and text[place + 1 :].lstrip().startswith("(")


CUTS: tuple[Cut, ...] = (_plus, _sum, _over, _times)
"""Where a formula may be cut, the best places first."""
DEEPEST = 4
"""How many brackets may be open at a cut."""


def _pieces(text: str, room: int, level: int) -> Iterator[str]:
    """The text in pieces that fit, as far as there are places to cut."""
    depth, kind = divmod(level, len(CUTS))
    if depth > DEEPEST or width(text.rstrip()) <= room:
        yield text
        return
    for piece in _cut(text, CUTS[kind], depth):
        yield from _pieces(piece, room, level + 1)


def _cut(text: str, cuts: Cut, most: int) -> Iterator[str]:
    """The text cut at each place that `cuts` names and at which at most `most` brackets are open."""
    depth, start = 0, 0
    for place, character in enumerate(text):
        if place > start and depth <= most and cuts(text, place):
            yield text[start:place]
            start = place
        depth += (character in "([{") - (character in ")]}")
    yield text[start:]
