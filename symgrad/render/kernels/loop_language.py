"""The language in which loops are written: what a declaration, a loop or a cast looks like.

The division into rows, the order of statements and the way sums are merged (loops.py and loop_*.py) are the same
for every language. A line that opens a block is closed by a line `}`; lines are indented at the end.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

REAL, DOUBLE, PLACE = "REAL", "double", "ptrdiff_t"
"""The types: of elements, of what is computed once or added up by rows, of places and lengths."""
FAR = "FAR"
"""The type in which elements of a smaller type in memory are added up: their own bits leave some for the sum."""
SCOPE, END = "{", "}"
"""A block of its own, and the end of any block."""
CHUNKS, CHUNK_ROWS = 64, 4
"""Into how many parts rows are divided at most, where each part has memory of its own, and about how many rows one has
at least."""


@dataclass(frozen=True)
class Case:
    """Lengths for which there are loops of their own.

    Attributes:
        name: of the case.
        conditions: on the lengths, in C and in Python alike.
        why: in words.
    """

    name: str
    conditions: tuple[str, ...]
    why: str


class Language(ABC):
    """Spells expressions (text) and statements (lines)."""

    name: str
    """In messages: "the C backend"."""
    threads: str
    """How many threads there may be."""

    # expressions

    @abstractmethod
    def cast(self, kind: str, text: str) -> str:
        """A value in a type."""

    @abstractmethod
    def number(self, kind: str, text: str) -> str:
        """A decimal in a type."""

    @abstractmethod
    def function(self, kind: str, name: str) -> str:
        """What computes a scalar function in a type."""

    @abstractmethod
    def choice(self, condition: str, then: str, otherwise: str) -> str:
        """One of two values."""

    @abstractmethod
    def truth(self, kind: str, condition: str) -> str:
        """1 or 0."""

    @abstractmethod
    def both(self, conditions: Sequence[str]) -> str:
        """All of these conditions."""

    @abstractmethod
    def quotient(self, number: str, divisor: str) -> str:
        """The whole part of a quotient of whole numbers, none below 0."""

    @abstractmethod
    def least(self, one: str, other: str) -> str:
        """The smaller of two whole numbers."""

    @abstractmethod
    def infinity(self, sign: str) -> str:
        """An infinite double; the sign is "-" or ""."""

    def loaded(self, text: str) -> str:
        """An element as it is computed with, from a place in memory that may hold a smaller type."""
        return text

    def stored(self, value: str) -> str:
        """An element as such a place holds it."""
        return value

    @abstractmethod
    def uncommented(self, lines: Sequence[str]) -> str:
        """These lines in one text, without comments."""

    # statements

    @abstractmethod
    def comment(self, text: str) -> str:
        """A formula as a comment."""

    @abstractmethod
    def let(self, kind: str, values: Mapping[str, str]) -> str:
        """Variables that keep their values."""

    @abstractmethod
    def variable(self, kind: str, values: Mapping[str, str]) -> str:
        """Variables that change."""

    @abstractmethod
    def set(self, target: str, value: str) -> str:
        """An assignment."""

    def add(self, target: str, value: str) -> str:
        """Adds a value."""
        return self.set(target, value).replace(" = ", " += ", 1)

    def scale(self, target: str, value: str) -> str:
        """Multiplies by a value."""
        return self.set(target, value).replace(" = ", " *= ", 1)

    @abstractmethod
    def done(self) -> str:
        """Leaves the function; all is well."""

    def case(self, case: Case) -> str:
        """The condition of a case."""
        return self.both(case.conditions)

    @abstractmethod
    def negated(self, condition: str) -> str:
        """That it does not hold."""

    @abstractmethod
    def when(self, condition: str, why: str) -> list[str]:
        """Opens a block that is for one case."""

    @abstractmethod
    def loop(self, k: str, first: str, last: str) -> str:
        """Opens a loop over k from first to before last."""

    @abstractmethod
    def each(self, k: str, first: str, last: str, statement: str) -> list[str]:
        """A loop with one statement."""

    @abstractmethod
    def nested(self, counters: Sequence[tuple[str, str]], statement: str) -> list[str]:
        """Loops from 0 to before a length, one in another, around a statement."""

    @abstractmethod
    def rows(self) -> list[str]:
        """Opens the loop over rows that threads share."""

    @abstractmethod
    def chunks(self) -> list[str]:
        """Opens the loop over chunks of rows, which threads share."""

    @abstractmethod
    def stepped(self, k: str, first: str, last: str, step: str, end: str) -> list[str]:
        """Opens a loop over parts of some length, each from k to before `end`."""

    def block(self, first: str, last: str, adds: bool) -> list[str]:  # noqa: ARG002
        """Opens a loop over blocks of a row, from `block` to before `end`; `adds`: these are added up."""
        return self.stepped("block", first, last, "BLOCK", "end")

    @abstractmethod
    def fetch(self, body: Sequence[str], place: str, k: str, but: Collection[str] = ()) -> list[str]:
        """Fetches ahead what a block's lines reach at this place of arrays."""

    @abstractmethod
    def along(self, k: str, first: str, last: str, body: Sequence[str], added: Sequence[tuple[str, str]]) -> list[str]:
        """The innermost loop, vectorized; `added` are its sums ("+") and extremes ("max", "min") with their names."""

    # memory and what is added up

    @abstractmethod
    def scratch(self, parts: Mapping[str, str], real: Collection[str] = ()) -> list[str]:
        """Memory for so many numbers, all zero: doubles, but those in `real` are of the element's type."""

    @abstractmethod
    def free(self, name: str) -> list[str]:
        """Gives it back."""

    @abstractmethod
    def more(self, name: str, value: str) -> str:
        """Adds an element to a variable of the loop along a row."""

    @abstractmethod
    def extreme(self, name: str, how: str) -> list[str]:
        """The variables for the "max" or "min" of a row's elements, before its loops; NaN wins."""

    @abstractmethod
    def extreme_next(self, name: str, how: str, value: str) -> str:
        """What an element does to them."""

    @abstractmethod
    def extreme_found(self, name: str) -> str:
        """The extreme of a row, as a double."""

    @abstractmethod
    def better(self, target: str, how: str, value: str, is_name: bool) -> str:
        """Keeps in a place the extreme of what is there and a value; `is_name`: the value is a place too."""


def bare(text: str) -> str:
    """An expression without a pair of brackets around all of it."""
    if not text.startswith("("):
        return text
    depth = 0
    for place, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if depth == 0:
            return text[1:-1] if place == len(text) - 1 else text
    return text


def reached(lines: Sequence[str], place: str) -> set[str]:
    """The arrays that these lines read or write at a place: "[i_k]"."""
    return set(re.findall(rf"\b(\w+){re.escape(place)}", "\n".join(lines)))
