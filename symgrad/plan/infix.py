"""Terms as text in infix form: the notation for comments, Python for small expressions.

What differs between the two is in a `Spelling`; the brackets, the order and the fractions are
the same, so that a line of code looks like the formula above it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from symgrad.algebra.reading import inequality
from symgrad.algebra.terms import (
    MINUS_ONE,
    ONE,
    Add,
    Binder,
    Call,
    Compare,
    Delta,
    Entry,
    Mul,
    Num,
    Position,
    Pow,
    Size,
    Term,
    Where,
    mul,
    position,
    power,
)
from symgrad.errors import SymgradError

SUM, PRODUCT, POWER, ATOM = range(4)
"""How tightly a piece of text binds."""


@dataclass(frozen=True)
class Spelling:
    """How the pieces that differ between languages are written.

    Attributes:
        entry: an entry of a tensor.
        size: the length of an axis.
        call: a function's name and its arguments as text.
        fraction: a number that is no integer.
        delta: Kronecker's delta as a number.
        position: the place of an index, as a number.
        where: a choice: of itself, its condition's text, and the texts of both values.
        truth: a condition as a number, 1 or 0: of the condition and its text.
        both: what stands between two conditions that both hold.
        no: what stands before a condition that must not hold.
        reduction: a sum or another reduction as a whole, or None where there are none.
    """

    entry: Callable[[Entry], str]
    size: Callable[[Size], str]
    call: Callable[[str, str], str]
    fraction: Callable[[Fraction], str]
    delta: Callable[[Delta], str]
    position: Callable[[Position], str]
    where: Callable[[Term, str, str, str], str]
    truth: Callable[[Term, str], str]
    both: str = " & "
    no: str = "~"
    reduction: Callable[[Binder, str], str] | None = None


def infix(term: Term, spelling: Spelling) -> str:
    """The term as text."""
    return _Writer(spelling).text(term)[0]


def condition(term: Term, spelling: Spelling) -> str:
    """A term that is 1 or 0, as a condition."""
    return _Writer(spelling).condition(term)


@dataclass(frozen=True)
class _Writer:
    spelling: Spelling

    def at_least(self, term: Term, level: int) -> str:
        """The text, in brackets where it binds less tightly than `level`."""
        text, binds = self.text(term)
        return text if binds >= level else f"({text})"

    def text(self, term: Term) -> tuple[str, int]:
        """The text and how tightly it binds."""
        spelling = self.spelling
        match term:
            case Num(value):
                return self.number(value)
            case Size():
                return spelling.size(term), ATOM
            case Entry():
                return spelling.entry(term), ATOM
            case Delta():
                return spelling.delta(term), ATOM
            case Call(function, arguments):
                return spelling.call(function, ", ".join(self.text(a)[0] for a in arguments)), ATOM
            case Binder() if spelling.reduction is not None:
                return spelling.reduction(term, self.text(term.body)[0]), ATOM
            case Position():
                return spelling.position(term), ATOM
            case Compare():
                return spelling.truth(term, self.condition(term)), ATOM
            case Where(condition, then, otherwise):
                values = self.text(then)[0], self.text(otherwise)[0]
                return spelling.where(term, self.condition(condition), *values), ATOM
            case Add(terms):
                return self.sum_of(terms), SUM
            case Pow(base, exponent):
                return self.power(base, exponent)
            case Mul(factors):
                return self.product(factors), PRODUCT
        raise SymgradError(f"{type(term).__name__} cannot be written as code; add a case to plan/infix.py")

    def condition(self, term: Term) -> str:
        """A term that is 1 or 0, as a condition."""
        match term:
            case Compare(relation, left, right):
                return f"{self.at_least(left, SUM)} {relation} {self.at_least(right, SUM)}"
            case Delta(left, right):
                return self.condition(Compare("==", Position(left), position(right)))
            case Mul(factors):
                return self.spelling.both.join(f"({self.condition(factor)})" for factor in factors)
            case Add((one, Mul((minus, *rest)))) if one == ONE and minus == MINUS_ONE:
                same = inequality(term)
                if same is not None:
                    return self.condition(Compare("!=", Position(same.left), position(same.right)))
                return f"{self.spelling.no}({self.condition(mul(*rest))})"
        return f"{self.at_least(term, SUM)} != 0"

    def number(self, value: Fraction) -> tuple[str, int]:
        """An integer or a fraction; a negative one binds like a product."""
        text = str(value) if value.denominator == 1 else self.spelling.fraction(value)
        return text, PRODUCT if "/" in text or value < 0 else ATOM

    def sum_of(self, terms: tuple[Term, ...]) -> str:
        """Terms joined by + and -."""
        text = self.at_least(terms[0], PRODUCT)
        for term in terms[1:]:
            sign, size = split_sign(term)
            text += f" {'-' if sign < 0 else '+'} {self.at_least(size, PRODUCT)}"
        return text

    def power(self, base: Term, exponent: Fraction) -> tuple[str, int]:
        """A power; roots by their name, reciprocals as fractions."""
        if exponent < 0:
            return "1 / " + self.at_least(power(base, -exponent), POWER), PRODUCT
        if exponent == Fraction(1, 2):
            return self.spelling.call("sqrt", self.text(base)[0]), ATOM
        shown = str(exponent) if exponent.denominator == 1 else f"({exponent})"
        return f"{self.at_least(base, ATOM)}**{shown}", POWER

    def product(self, factors: tuple[Term, ...]) -> str:
        """Factors joined by *, those with negative powers below one fraction bar."""
        sign, above, below = split_fraction(factors)
        top = " * ".join(self.at_least(f, PRODUCT if len(above) == 1 else POWER) for f in above) or "1"
        text = ("-" if sign < 0 else "") + top
        if not below:
            return text
        bottom = " * ".join(self.at_least(f, POWER) for f in below)
        return f"{text} / ({bottom})" if len(below) > 1 else f"{text} / {bottom}"


def split_sign(term: Term) -> tuple[int, Term]:
    """The sign of a term's numeric coefficient, and the term without it."""
    if isinstance(term, Num) and term.value < 0:
        return -1, Num(-term.value)
    if isinstance(term, Mul) and isinstance(term.factors[0], Num) and term.factors[0].value < 0:
        return -1, mul(Num(-term.factors[0].value), *term.factors[1:])
    return 1, term


def split_fraction(factors: tuple[Term, ...]) -> tuple[int, list[Term], list[Term]]:
    """A product's sign, its factors above and those below the fraction bar."""
    sign, above, below = 1, list[Term](), list[Term]()
    for factor in factors:
        if isinstance(factor, Num):
            sign, value = (-sign if factor.value < 0 else sign), abs(factor.value)
            above.extend([Num(Fraction(value.numerator))] if value.numerator != 1 else [])
            below.extend([Num(Fraction(value.denominator))] if value.denominator != 1 else [])
        elif isinstance(factor, Pow) and factor.exponent < 0:
            inverse = power(factor.base, -factor.exponent)
            below.extend(inverse.factors if isinstance(inverse, Mul) else (inverse,))
        else:
            above.append(factor)
    return sign, above, below
