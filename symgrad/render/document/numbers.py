"""Equation numbers: the book's where it has one, the document's own where an equation is referred to."""

from __future__ import annotations

from dataclasses import dataclass

from symgrad.algebra.terms import Term
from symgrad.article.book import EquationBook
from symgrad.render.document.markup import listed


@dataclass
class Numbering:
    """Gives numbers, in the order in which the document is read.

    Attributes:
        book: whose numbers are taken; without one the document counts from 1.
        own: how many numbers of its own the document has.
    """

    book: EquationBook | None
    own: int = 0

    def known(self, left: Term, right: Term, after: str = "") -> str:
        """The book's number, "(22)", or an empty string."""
        return self.book.number(left, right, after) if self.book else ""

    def in_book(self, number: str) -> bool:
        """Whether a number is the book's."""
        return self.book is not None and number in self.book.order

    def fresh(self) -> str:
        """The next number of the document itself: (S1) beside a book's numbers, else (1)."""
        self.own += 1
        return f"({'S' if self.book else ''}{self.own})"


def goto(number: str) -> str:
    """The number in a sentence, as a link."""
    return rf"\eqgoto{{{number.strip('()')}}}"


def references(numbers: list[str]) -> str:
    """(12), (13) and (14), each once."""
    return listed(goto(number) for number in dict.fromkeys(numbers) if number)
