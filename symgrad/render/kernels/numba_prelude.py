"""The functions that loops for numba call, without those that a kernel does not use."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from symgrad.render.kernels.templates import environment

Piece = tuple[frozenset[str], list[str]]
"""What some lines define, nothing for others, and the lines."""


def prelude(code: Sequence[str]) -> list[str]:
    """The lines of the prelude of which this code, or what it uses of the prelude, uses anything."""
    return pruned(environment().get_template("numba/prelude.py.jinja").render(), "\n".join(code))


def pruned(text: str, code: str) -> list[str]:
    """The lines of `text` without the functions and numbers that neither `code` nor what stays uses."""
    pieces = list(_pieces(text))
    needed, before = _identifiers(code), set[str]()
    while needed != before:
        before = set(needed)
        needed.update(*(_identifiers("\n".join(lines)) for names, lines in pieces if names & before))
    kept = [(names, lines) for names, lines in pieces if not names or names & needed]
    lines: list[str] = []
    for place, (names, own) in enumerate(kept):
        if not names and not _has_lines(kept, place):
            continue
        is_short = len(own) == 1 and bool(lines)
        lines += [*([] if is_short and _indent(lines[-1]) == _indent(own[0]) and " = " in lines[-1] else [""]), *own]
    return lines[1:]


def _has_lines(kept: Sequence[Piece], place: int) -> bool:
    """Whether anything of a branch is kept; both branches define the same names."""
    following = kept[place + 1 :]
    return bool(following) and bool(following[0][0]) and following[0][1][0].startswith(" ")


def _pieces(text: str) -> Iterator[Piece]:
    """Functions with their comments, assignments one by one, and the lines of branches."""
    for block in re.split(r"\n\s*\n", text.strip("\n")):
        lines = block.splitlines()
        function = re.search(r"^ *def (\w+)", block, re.MULTILINE)
        if function:
            yield frozenset((function.group(1),)), lines
            continue
        for line in lines:
            left, equals, _ = line.partition(" = ")
            yield frozenset(left.replace(",", " ").split() if equals else ()), [line]


def _identifiers(text: str) -> set[str]:
    return set(re.findall(r"[A-Za-z_]\w*", re.sub(r"#.*", "", text)))


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
