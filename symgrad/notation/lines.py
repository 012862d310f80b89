"""Text to statements: docstring, comments, continued lines, brackets; with every place kept."""

from __future__ import annotations

import re
from dataclasses import dataclass

from symgrad.errors import InputError, Origin

MAX_CHARACTERS = 200_000
MAX_DEPTH = 50
PAIRS = {")": "(", "]": "["}


@dataclass(frozen=True)
class Statement:
    """One statement. `text` keeps its line breaks; `line` is where it begins, from 1."""

    source: str
    line: int
    text: str

    def origin(self, offset: int) -> Origin:
        """The place of the character at `offset` in `text`."""
        before = self.text[:offset]
        row = before.count("\n")
        column = offset - (before.rfind("\n") + 1)
        return Origin(self.source, self.line + row, column + 1, self.text.split("\n")[row])

    def at(self, line: int, column: int, base: int = 0) -> Origin:
        """The place of `line` (from 1) and `column` (from 0) in the part of `text` from `base` on."""
        rows = self.text[base:].split("\n")
        line = min(max(line, 1), len(rows))
        offset = base + sum(len(row) + 1 for row in rows[: line - 1]) + min(max(column, 0), len(rows[line - 1]))
        return self.origin(min(offset, len(self.text)))


def split(text: str, source: str) -> tuple[str, list[Statement]]:
    """The docstring ("" where there is none) and the statements, comments removed."""
    if len(text) > MAX_CHARACTERS:
        raise InputError(f"{source} has {len(text)} characters; the limit is {MAX_CHARACTERS}.")
    doc, body, first = _docstring(text, source)
    statements: list[Statement] = []
    pending: list[str] = []
    start, depth = 0, 0
    for number, raw in enumerate(body.split("\n"), start=first):
        line = raw.split("#", 1)[0].rstrip()
        if not pending and not line.strip():
            continue
        start = start if pending else number
        pending.append(line)
        depth = _depth(Statement(source, start, "\n".join(pending)))
        if depth == 0:
            statements.append(Statement(source, start, "\n".join(pending)))
            pending = []
    if pending:
        _unclosed(Statement(source, start, "\n".join(pending)))
    return doc, statements


def _docstring(text: str, source: str) -> tuple[str, str, int]:
    """The docstring, what follows it, and the line where that begins."""
    opening = re.match(r'(?:[ \t]*(?:#[^\n]*)?\n)*[ \t]*"""', text)
    if not opening:
        return "", text, 1
    end = text.find('"""', opening.end())
    if end < 0:
        line = text[: opening.end()].count("\n") + 1
        origin = Origin(source, line, 1, text.split("\n")[line - 1])
        raise InputError("this docstring is not closed.", origin, 'Close it with """.')
    rest = text[end + 3 :]
    return text[opening.end() : end].strip(), rest, text[: end + 3].count("\n") + 1


def _depth(statement: Statement) -> int:
    """How many brackets are open at the end; errors for a bracket that closes nothing."""
    stack: list[str] = []
    for offset, character in enumerate(statement.text):
        if character in "([":
            stack.append(character)
            if len(stack) > MAX_DEPTH:
                raise InputError(
                    f"brackets are nested more than {MAX_DEPTH} deep.",
                    statement.origin(offset),
                    "Give the inner part a name of its own, on a line before.",
                )
        elif character in ")]":
            if not stack or stack.pop() != PAIRS[character]:
                raise InputError(
                    f"this {character!r} closes nothing.", statement.origin(offset), "Remove it, or open it before."
                )
    return len(stack)


def _unclosed(statement: Statement) -> None:
    """Report the innermost bracket that is never closed."""
    stack: list[int] = []
    for offset, character in enumerate(statement.text):
        if character in "([":
            stack.append(offset)
        elif character in ")]":
            stack.pop()
    offset = stack[-1]
    raise InputError(
        f"this {statement.text[offset]!r} is never closed.",
        statement.origin(offset),
        "A statement goes on to the next line while a bracket is open: close it.",
    )
