"""The errors that symgrad raises on purpose, each with the place, the reason and the way out."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Origin:
    """A place in a text that a person wrote; `line` and `column` count from 1."""

    source: str
    line: int
    column: int
    text: str

    def shifted(self, columns: int) -> Origin:
        """The place `columns` characters further right on the same line."""
        return Origin(self.source, self.line, self.column + columns, self.text)


class SymgradError(Exception):
    """Base of every error that symgrad raises on purpose."""


class InputError(SymgradError):
    """The input is wrong: says where (with a caret), what is wrong, and what to do.

    Args:
        message: what is wrong, with the user's own names in it.
        origin: where, or None where no text is at fault (a missing file).
        hint: what was expected and what to do.
    """

    def __init__(self, message: str, origin: Origin | None = None, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.origin = origin
        self.hint = hint

    def __str__(self) -> str:
        message = _clipped(printable(self.message))
        lines = [message]
        if self.origin is not None:
            origin = self.origin
            text, column = _window(origin.text, origin.column)
            lines = [
                f"{_clipped(printable(origin.source))}:{origin.line}:{origin.column}: {message}",
                f"    {text}",
                "    " + " " * (column - 1) + "^",
            ]
        lines += [_clipped(printable(line)) for line in self.hint.split("\n") if line]
        return "\n".join(lines)


class DerivationError(SymgradError):
    """The calculus has no rule for something; the message names it and says where to add one."""


class UnsupportedError(SymgradError):
    """A layer needs something that a backend does not have; the message says what."""


class TooLargeError(SymgradError):
    """An expression outgrew the limit that keeps the work bounded."""


def printable(text: str) -> str:
    """The text with everything that a terminal would obey (escapes, line ends, overrides) spelled out."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode() for c in text)


def _clipped(text: str, limit: int = 600) -> str:
    """A text that fits a screen, with its middle left out where it is longer."""
    half = limit // 2
    return text if len(text) <= limit else f"{text[:half]} … {text[-half:]}"


def _window(text: str, column: int, width: int = 100) -> tuple[str, int]:
    """At most `width` printable characters of `text` around `column`, and the column in them."""
    start = max(0, min(column - width // 2, len(text) - width))
    return "".join(c if c.isprintable() else " " for c in text[start : start + width]), column - start
