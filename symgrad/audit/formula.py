"""Formulas of derivatives.yaml: the part of C++'s expression syntax that they use, parsed, never run."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NoReturn

from symgrad.errors import InputError, Origin

MAX_LENGTH = 10_000
MAX_NESTING = 60


@dataclass(frozen=True)
class Number:
    """A literal: `2`, `0.5`, `1.`; kept as written."""

    text: str


@dataclass(frozen=True)
class Text:
    """A literal between double quotes."""

    text: str


@dataclass(frozen=True)
class Name:
    """A variable or a constant: `grad`, `M_PI`, `at::Reduction::None`."""

    name: str


@dataclass(frozen=True)
class Use:
    """A call, `pow(2, other)`; a method is a call whose first argument is the object: `other.pow(2)`."""

    function: str
    arguments: tuple[Formula, ...]
    method: bool = False


@dataclass(frozen=True)
class Operation:
    """An operator on one operand (`-`, `!`) or two."""

    operator: str
    operands: tuple[Formula, ...]


@dataclass(frozen=True)
class Choice:
    """condition ? then : otherwise."""

    condition: Formula
    then: Formula
    otherwise: Formula


@dataclass(frozen=True)
class Listing:
    """{a, b}: several sizes, dimensions or results."""

    items: tuple[Formula, ...]


Formula = Number | Text | Name | Use | Operation | Choice | Listing

_TOKEN = re.compile(
    r"""(?P<space>\s+|/\*.*?\*/)
    |(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
    |(?P<text>"[^"\\]*")
    |(?P<name>(?:::)?std::\w+<[\w:,\s]*>|(?:::)?[A-Za-z_]\w*(?:::\w+)*)
    |(?P<mark>\|\||&&|==|!=|<=|>=|->|[-+*/!<>?:()\[\]{},.&|])""",
    re.VERBOSE | re.DOTALL,
)
_LEVELS = (("||",), ("&&",), ("|",), ("&",), ("==", "!="), ("<", "<=", ">", ">="), ("+", "-"), ("*", "/"))
"""Binary operators, those that bind least first, as in C++."""
_SIGNS = ("-", "+", "!", "*")
"""Operators before an operand; a `*` there opens an optional value."""
_END = ("", "", 0)


def tokens(text: str, source: str = "<formula>") -> list[tuple[str, str, int]]:
    """The kind, text and place of each token.

    Raises:
        InputError: the text is too long, or holds a character that no formula has.
    """
    if len(text) > MAX_LENGTH:
        raise InputError(f"this formula has more than {MAX_LENGTH} characters.", _origin(text, source, 0))
    found, place = [], 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            hint = "Formulas have names, numbers, calls, + - * /, comparisons and ? :."
            raise InputError(f"{text[place]!r} does not fit here.", _origin(text, source, place), hint)
        if match.lastgroup != "space":
            found.append((str(match.lastgroup), match.group(), place))
        place = match.end()
    return found


def _origin(text: str, source: str, place: int) -> Origin:
    line = text.count("\n", 0, place)
    start = text.rfind("\n", 0, place) + 1
    return Origin(source, line + 1, place - start + 1, text.split("\n")[line])


def parse_formula(text: str, source: str = "<formula>") -> Formula:
    """The syntax tree of a formula.

    Raises:
        InputError: with the place and what was expected; lambdas, casts and assignments are not read.
    """
    reader = _Reader(text, source, tokens(text, source))
    found = reader.choice()
    if reader.kind:
        reader.fail("the end of the formula")
    return found


@dataclass
class _Reader:
    """Recursive descent, one token ahead."""

    text: str
    source: str
    tokens: list[tuple[str, str, int]]
    place: int = 0
    depth: int = field(default=0)

    @property
    def kind(self) -> str:
        """The kind of the token ahead; "" at the end."""
        return self._ahead()[0]

    @property
    def mark(self) -> str:
        """The token ahead where it is an operator or a bracket, else ""."""
        kind, text, _ = self._ahead()
        return text if kind == "mark" else ""

    def _ahead(self) -> tuple[str, str, int]:
        return self.tokens[self.place] if self.place < len(self.tokens) else _END

    def take(self) -> str:
        """The text of the token ahead, which is passed."""
        found = self._ahead()[1]
        self.place += 1
        return found

    def expect(self, mark: str) -> None:
        """Pass a mark that has to stand here."""
        if self.mark != mark:
            self.fail(repr(mark))
        self.place += 1

    def fail(self, expected: str) -> NoReturn:
        """Raise at the token ahead."""
        place = self._ahead()[2] if self.kind else len(self.text)
        shown = repr(self._ahead()[1]) if self.kind else "the end"
        raise InputError(
            f"{shown} stands where {expected} is expected.",
            _origin(self.text, self.source, place),
            "Check the formula.",
        )

    def choice(self) -> Formula:
        """A ? b : c, which binds least."""
        self.depth += 1
        if self.depth > MAX_NESTING:
            raise InputError(
                f"this formula is nested more than {MAX_NESTING} deep.", _origin(self.text, self.source, 0)
            )
        found = self.binary(0)
        if self.mark == "?":
            self.place += 1
            then = self.choice()
            self.expect(":")
            found = Choice(found, then, self.choice())
        self.depth -= 1
        return found

    def binary(self, level: int) -> Formula:
        """A chain of operators of one level, from left to right."""
        if level == len(_LEVELS):
            return self.signed()
        found = self.binary(level + 1)
        while self.mark in _LEVELS[level]:
            operator = self.take()
            found = Operation(operator, (found, self.binary(level + 1)))
        return found

    def signed(self) -> Formula:
        """Signs before an operand."""
        signs = []
        while self.mark in _SIGNS:
            signs.append(self.take())
        found = self.postfix()
        for sign in reversed(signs):
            found = Operation(sign, (found,)) if sign in "-!" else found
        return found

    def postfix(self) -> Formula:
        """An operand with its calls, methods and subscripts."""
        found = self.operand()
        while self.mark in (".", "->", "["):
            if self.take() == "[":
                found = Use("[]", (found, self.choice()))
                self.expect("]")
                continue
            if self.kind != "name":
                self.fail("the name of a method")
            name = self.take()
            self.expect("(")
            found = Use(name, (found, *self.listed(")")), method=True)
        return found

    def operand(self) -> Formula:
        """A number, a name, a call, something in brackets."""
        if self.kind == "number":
            return Number(self.take())
        if self.kind == "text":
            return Text(self.take()[1:-1])
        if self.mark == "(":
            self.place += 1
            found = self.choice()
            self.expect(")")
            return found
        if self.mark == "{":
            self.place += 1
            return Listing(self.listed("}"))
        if self.kind != "name":
            self.fail("a value")
        name = self.take().removeprefix("::")
        if self.mark in ("(", "{"):
            closing = ")" if self.take() == "(" else "}"
            return Use(name, self.listed(closing))
        return Name(name)

    def listed(self, closing: str) -> tuple[Formula, ...]:
        """Values between commas, up to a closing bracket."""
        found: list[Formula] = []
        while self.mark != closing:
            found.append(self.choice())
            if self.mark != closing:
                self.expect(",")
        self.place += 1
        return tuple(found)
