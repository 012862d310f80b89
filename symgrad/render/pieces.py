r"""Formulas cut into pieces between which a line can break, inside brackets too.

A bracket that is cut has a fixed size, because \left and \right must stand in one formula.
"""

from __future__ import annotations

import re

from symgrad.algebra.reading import is_negative
from symgrad.algebra.terms import Add, Diff, Mul, Sum, Term, mul
from symgrad.render.fractions import is_quotient, ranges, reaches_on
from symgrad.render.latex import Printer
from symgrad.render.names import Names

_WORDS = re.compile(r"\\(mathrm|operatorname|left|right)")
_MARKS = re.compile(r"\\[A-Za-z]+|[{}_^\\ ]")


def latex_pieces(term: Term, names: Names, room: int) -> list[str]:
    """A term for a narrow column: what is longer than `room` letters is cut inside its brackets.

    The pieces follow each other. One that begins with + or - has an empty formula before it, so
    that the sign keeps its distance.
    """
    cutter = _Cutter(names)
    pieces = [piece for sign, part in cutter.signed(term) for piece in cutter.pieces(sign, part, room)]
    return [f"{{}}{piece}" if piece[:2] in ("+ ", "- ") else piece for piece in pieces]


def letters_in(formula: str) -> int:
    """About how many letters wide a formula is: what stands above each other counts twice."""
    return len(_MARKS.sub("", _WORDS.sub("", formula)))


class _Cutter(Printer):
    """A printer that looks for brackets to cut."""

    def pieces(self, sign: str, term: Term, room: int) -> list[str]:
        """One top-level term, cut inside its widest brackets where it is long."""
        whole = sign + self.unsigned(term)
        cut = self.cut(sign, term, room) if letters_in(whole) > room else []
        return cut if len(cut) > 1 else [whole]

    def cut(self, sign: str, term: Term, room: int) -> list[str]:
        """A long term in pieces; fewer than two where there is nowhere to cut it."""
        opened = self.opened(term)
        if isinstance(term, Mul) and (opened is None or sum(self.is_long(f, room // 2) for f in term.factors) > 1):
            return self.product(sign, term, room)
        return [] if opened is None else self.bracketed(sign + opened[0], opened[1], room)

    def product(self, sign: str, term: Mul, room: int) -> list[str]:
        """A product with several long factors: each of them in brackets, after the short ones."""
        long = [f for f in term.factors if self.is_long(f, room // 2) or reaches_on(f)]
        short = [f for f in term.factors if f not in long]
        if not any(self.is_long(f, room // 2) for f in long):
            return []
        head = sign + (self.unsigned(mul(*short)) if short else "")
        return [piece for at, f in enumerate(long) for piece in self.bracketed("" if at else head, f, room)]

    def bracketed(self, head: str, inside: Term, room: int) -> list[str]:
        """A head, and brackets that are cut between the terms in them."""
        cut = [piece for sign, part in self.signed(inside) for piece in self.pieces(sign, part, room)]
        cut[0] = rf"{head} \biggl({cut[0]}"
        cut[-1] += r"\biggr)"
        return cut

    def is_long(self, factor: Term, room: int) -> bool:
        """Whether a factor fills lines of its own, and can be cut."""
        return isinstance(factor, (Add, Sum)) and letters_in(self.term(factor)) > room

    def opened(self, term: Term) -> tuple[str, Term] | None:
        """What stands before the widest brackets of a term, and what is in them; None where nothing can be cut."""
        match term:
            case Add():
                return "", term
            case Sum():
                return self.opened_sum(term)
            case Diff(body, wrt) if not is_quotient(term):
                return rf"\frac{{\partial}}{{\partial {self.entry(wrt)}}}", body
            case Mul(factors):
                return self.opened_product(list(factors))
        return None

    def opened_sum(self, term: Sum) -> tuple[str, Term] | None:
        """A sum whose body is in brackets, or has some."""
        signs, body = ranges(term)
        head = " ".join(map(self.sign, signs))
        if isinstance(body, Add) or is_negative(body):
            return head, body
        inner = self.opened(body)
        return None if inner is None else (f"{head} {inner[0]}", inner[1])

    def opened_product(self, factors: list[Term]) -> tuple[str, Term] | None:
        """A product whose widest brackets come last; what reaches on to the end may only be its last factor."""
        last = factors[-1]
        if not reaches_on(last):
            last = max(factors, key=lambda factor: letters_in(self.term(factor)) if isinstance(factor, Add) else 0)
        factors.remove(last)
        inner = self.opened(last)
        if inner is None or any(map(reaches_on, factors)):
            return None
        head = self.unsigned(mul(*factors)) if len(factors) > 1 else self.factor(factors[0], last=False)
        return f"{head} {inner[0]}", inner[1]
