"""Text to statements: docstring, comments, continued lines, brackets; with every place kept."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from symgrad.errors import InputError, Origin, printable

MAX_CHARACTERS = 200_000
MAX_DEPTH = 50
PAIRS = {")": "(", "]": "["}
QUOTES = '"""'
_CONTROL = re.compile(r"[^\n\t\x20-\x7e\xa0-\U0010ffff]|[\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]")
_INSTEAD = {
    "−": "-", "–": "-", "×": "*", "·": "*", "⋅": "*", "∙": "*", "÷": "/", "²": "**2", "³": "**3", "√": "sqrt(…)",
    "Σ": "sum[i](…)", "∑": "sum[i](…)", "≠": "!=", "…": "...", "\xa0": "a plain space",
}  # fmt: skip


@dataclass(frozen=True)
class Statement:
    """One statement. `text` keeps its line breaks; `line` is where it begins, from 1."""

    source: str
    line: int
    text: str

    def origin(self, offset: int) -> Origin:
        """The place of the character at `offset` in `text`."""
        row = self.text.count("\n", 0, offset)
        start = self.text.rfind("\n", 0, offset) + 1
        end = self.text.find("\n", offset)
        return Origin(self.source, self.line + row, offset - start + 1, self.text[start : end if end >= 0 else None])

    def at(self, line: int, column: int, base: int = 0) -> Origin:
        """The place of `line` (from 1) and `column` (from 0) in the part of `text` from `base` on."""
        rows = self.text[base:].split("\n")
        line = min(max(line, 1), len(rows))
        offset = base + sum(len(row) + 1 for row in rows[: line - 1]) + min(max(column, 0), len(rows[line - 1]))
        return self.origin(min(offset, len(self.text)))

    def first(self) -> Origin:
        """The place of the first character that is no space."""
        return self.origin(len(self.text) - len(self.text.lstrip()))


def normalized(text: str) -> str:
    r"""The text without a byte order mark, its line ends as \n."""
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def split(text: str, source: str) -> tuple[str, list[Statement]]:
    """The docstring ("" where there is none) and the statements, comments removed.

    Raises:
        InputError: a character or a bracket that cannot stand where it stands; too long a text.
    """
    text = normalized(text)
    if len(text) > MAX_CHARACTERS:
        raise InputError(
            f"{source} has {len(text)} characters; the limit is {MAX_CHARACTERS}.", hint="A layer is a short text."
        )
    _check_characters(text, source)
    doc, end = _docstring(text, source)
    body = re.sub(r"[^\n]", " ", text[:end]) + text[end:]
    statements: list[Statement] = []
    pending: list[str] = []
    open_brackets: list[tuple[str, Origin]] = []
    for number, raw in enumerate(body.split("\n"), start=1):
        line = raw.split("#", 1)[0].rstrip()
        if not pending and not line:
            continue
        pending.append(line)
        _follow_brackets(line, Origin(source, number, 1, line), open_brackets)
        if not open_brackets:
            statements.append(Statement(source, number - len(pending) + 1, "\n".join(pending)))
            _check_ascii(statements[-1])
            pending = []
    if open_brackets:
        bracket, origin = open_brackets[-1]
        raise InputError(
            f"this {bracket!r} is never closed.",
            origin,
            "A statement goes on to the next line while a bracket is open: close it.",
        )
    return doc, statements


def _check_characters(text: str, source: str) -> None:
    """Refuse what is not text: it could reach a terminal, or the emitted files, as a command."""
    found = _CONTROL.search(text)
    if found:
        origin = Statement(source, 1, text).origin(found.start())
        raise InputError(
            f"the character {printable(found.group())} is not text.",
            origin,
            "Remove it: a layer is made of printable characters, spaces, tabs and line ends.",
        )


def _docstring(text: str, source: str) -> tuple[str, int]:
    """The docstring, and the offset where it ends."""
    opening = re.match(r'(?:[ \t]*(?:#[^\n]*)?\n)*[ \t]*("""|\'\'\')', text)
    if not opening:
        return "", 0
    origin = Statement(source, 1, text).origin(opening.start(1))
    if opening[1] != QUOTES:
        raise InputError("a docstring stands in double quotes.", origin, f"Write {QUOTES}…{QUOTES}.")
    end = text.find(QUOTES, opening.end())
    if end < 0:
        raise InputError("this docstring is not closed.", origin, f"Close it with {QUOTES}.")
    return text[opening.end() : end].strip(), end + len(QUOTES)


def _check_ascii(statement: Statement) -> None:
    """Statements are ASCII: a letter that only looks like another is an error, not a second name."""
    if statement.text.isascii():
        return
    offset, character = next((n, c) for n, c in enumerate(statement.text) if not c.isascii())
    plain = unicodedata.normalize("NFKC", character)
    instead = _INSTEAD.get(character, plain if plain.isascii() and plain.strip() else "")
    shown = f"\\u{ord(character):04x}" if unicodedata.combining(character) else printable(character)
    raise InputError(
        f"'{shown}' ({unicodedata.name(character, 'no name')}) is not an ASCII character.",
        statement.origin(offset),
        (f"Write {instead} here. " if instead else "")
        + "Names and formulas are ASCII; comments and docstrings may hold any text.",
    )


def _follow_brackets(line: str, start: Origin, stack: list[tuple[str, Origin]]) -> None:
    """Open and close the brackets of a line; errors for one that closes nothing."""
    for match in re.finditer(r"[()\[\]]", line):
        character, origin = match.group(), start.shifted(match.start())
        if character in "([":
            stack.append((character, origin))
            if len(stack) > MAX_DEPTH:
                raise InputError(
                    f"brackets are nested more than {MAX_DEPTH} deep.",
                    origin,
                    "Give the inner part a name of its own, on a line before.",
                )
        elif not stack:
            raise InputError(f"this {character!r} closes nothing.", origin, "Remove it, or open it before.")
        elif stack.pop()[0] != PAIRS[character]:
            raise InputError(
                f"this {character!r} closes a bracket of another kind.",
                origin,
                "Close the brackets in the order in which they were opened, each with its own kind.",
            )
