"""The C prelude, without what a kernel does not use."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from symgrad.render.kernels.templates import environment

_FUNCTION = re.compile(r"static inline [\w ]+?\**(\w+)\(")
_MACRO = re.compile(r"#define (\w+)")


def prelude(code: Sequence[str]) -> list[str]:
    """The lines of the C prelude of which this code, or what it uses of the prelude, uses anything."""
    text = environment().get_template("c/prelude.c.jinja").render()
    return pruned(text, "\n".join(code))


@lru_cache(maxsize=1)
def defined() -> frozenset[str]:
    """The functions and macros of the C prelude."""
    text = environment().get_template("c/prelude.c.jinja").render()
    return frozenset(name for name, _ in _pieces(text.splitlines()) if name)


def pruned(text: str, code: str) -> list[str]:
    """The lines of `text` without the functions and macros that neither `code` nor what stays uses.

    A function's comment goes with it, and so do conditions that have nothing left in them.
    """
    pieces = list(_pieces(text.splitlines()))
    uses = [_identifiers("\n".join(lines)) for _, lines in pieces]
    needed = _identifiers(code).union(*(words for (name, _), words in zip(pieces, uses, strict=True) if not name))
    found = set[str]()
    while found != needed:
        found = set(needed)
        needed.update(*(words for (name, _), words in zip(pieces, uses, strict=True) if name in found))
    kept = [(name, lines) for name, lines in pieces if not name or name in found]
    return _without_gaps([line for _, lines in _closed(kept) for line in lines])


Piece = tuple[str, list[str]]
"""A function's or macro's name, or "" for other lines, and its lines."""


def _identifiers(text: str) -> set[str]:
    return set(re.findall(r"[A-Za-z_]\w*", _without_comments(text)))


def _without_comments(text: str) -> str:
    return re.sub(r"/\*.*?\*/", " ", text, flags=re.DOTALL)


def _pieces(lines: Sequence[str]) -> Iterator[Piece]:
    """The text cut into functions with their comments, macros, and the lines between."""
    place, before = 0, list[str]()
    while place < len(lines):
        line = lines[place]
        function, macro = _FUNCTION.match(line), _MACRO.match(line)
        end = place + 1
        if function:
            depth = line.count("{") - line.count("}")
            while depth or "{" not in "".join(lines[place:end]):
                depth += lines[end].count("{") - lines[end].count("}")
                end += 1
        elif line.startswith("/*"):
            while "*/" not in lines[end - 1]:
                end += 1
            before += lines[place:end]
            place = end
            continue
        else:
            while lines[end - 1].endswith("\\"):
                end += 1
        found = function or macro
        if not found:
            yield from [("", before)] if before else []
            before = []
        yield (found.group(1) if found else "", [*before, *lines[place:end]])
        before, place = [], end
    yield from [("", before)] if before else []


def _closed(pieces: list[Piece]) -> list[Piece]:
    """The pieces without conditions (#if … #endif) that hold nothing, or only a declaration, and their comments."""
    while True:
        texts = [lines[0] if not name else "" for name, lines in pieces]
        for start, text in enumerate(texts):
            if text.startswith("#if"):
                end = start + 1
                while texts[end].startswith(("#else", "#elif", "extern ")) or (
                    not texts[end] and not "".join(pieces[end][1])
                ):
                    end += 1
                if texts[end].startswith("#endif"):
                    start -= start > 0 and texts[start - 1].startswith("/*")
                    pieces = pieces[:start] + pieces[end + 1 :]
                    break
        else:
            return pieces


def _without_gaps(lines: Sequence[str]) -> list[str]:
    """The lines with one empty line where there were several, none at the ends."""
    found: list[str] = []
    for line in lines:
        if line.strip() or (found and found[-1]):
            found.append(line.rstrip())
    return found[:-1] if found and not found[-1] else found
