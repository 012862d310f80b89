"""Terms in loops: for one element of a nest, with what does not change along a row computed before it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from fractions import Fraction

from symgrad.algebra.terms import (
    Add,
    Call,
    Compare,
    Delta,
    Entry,
    Index,
    Mul,
    Num,
    Place,
    Position,
    Pow,
    Size,
    Term,
    Where,
    power,
)
from symgrad.errors import UnsupportedError
from symgrad.plan.infix import split_sign
from symgrad.render.kernels.loop_language import PLACE, Language

FUNCTIONS = frozenset(("exp", "log", "log1p", "expm1", "sigmoid", "tanh", "sinh", "cosh", "sin", "cos", "tan", "atan",
                       "asinh", "asin", "acos", "acosh", "atanh", "erf", "erfc", "softplus", "relu", "abs", "sign",
                       "lgamma", "pow", "pi"))  # fmt: skip
"""The functions that loops have, in REAL for elements (inlined and vectorized) and in double."""


@dataclass
class LoopTerms:
    """Writes terms.

    Attributes:
        language: of the loops.
        load: an entry's value, in the type that is asked for: "REAL", "double" or "ptrdiff_t" (a label as a place).
        real: "REAL" for values of elements, "double" for what is computed once.
    """

    language: Language
    load: Callable[[Entry, str], str]
    real: str
    kept: dict[Term, str] = field(default_factory=dict)
    """Terms that have a variable already."""

    def text(self, term: Term) -> str:
        """The term, in brackets where it is more than an atom."""
        if term in self.kept:
            return self.kept[term]
        match term:
            case Num(value):
                return self.number(value)
            case Size(axis):
                return self.language.cast(self.real, f"n_{axis}")
            case Entry():
                return self.load(term, self.real)
            case Position(index):
                return self.language.cast(self.real, counter(index))
            case Delta() | Compare():
                return self.language.truth(self.real, self.condition(term))
            case Where(condition, then, otherwise):
                return self.language.choice(self.condition(condition), self.text(then), self.text(otherwise))
            case Add(terms):
                return f"({self.sum(terms)})"
            case Mul(factors):
                return f"({self.product(factors)})"
            case Pow(base, exponent):
                return self.power(base, exponent)
            case Call("pi", ()):
                return self.decimal("3.14159265358979323846")
            case Call(function, arguments) if function in FUNCTIONS:
                return self.call(function, *map(self.text, arguments))
            case Call(function, _):
                raise UnsupportedError(f"{function}, which the {self.language.name} backend does not have")
        raise UnsupportedError(f"{type(term).__name__}, which the {self.language.name} backend does not have")

    def number(self, value: Fraction) -> str:
        """A number; a fraction as a quotient."""
        if value.denominator == 1:
            return self.decimal(f"{value.numerator}.0")
        return f"({self.decimal(f'{value.numerator}.0')} / {self.decimal(f'{value.denominator}.0')})"

    def decimal(self, text: str) -> str:
        """A decimal in the type at hand."""
        return self.language.number(self.real, text)

    def call(self, function: str, *arguments: str) -> str:
        """A scalar function in the type at hand."""
        return f"{self.language.function(self.real, function)}({', '.join(arguments)})"

    def sum(self, terms: tuple[Term, ...]) -> str:
        """A + b - c."""
        text = self.text(terms[0])
        for term in terms[1:]:
            sign, size = (1, term) if term in self.kept else split_sign(term)
            text += f" {'-' if sign < 0 else '+'} {self.text(size)}"
        return text

    def product(self, factors: tuple[Term, ...]) -> str:
        """A * b / c."""
        under = [f for f in factors if isinstance(f, Pow) and f.exponent < 0 and f not in self.kept]
        above = [f for f in factors if f not in under]
        below = [power(f.base, -f.exponent) for f in under if isinstance(f, Pow)]
        text = " * ".join(map(self.text, above)) or self.decimal("1.0")
        if below:
            bottom = " * ".join(map(self.text, below))
            text += f" / ({bottom})" if len(below) > 1 else f" / {bottom}"
        return text

    def power(self, base: Term, exponent: Fraction) -> str:
        """A power; small whole ones by products, roots by sqrt."""
        one = self.decimal("1.0")
        if exponent < 0:
            return f"({one} / {self.power(base, -exponent)})"
        inner = self.text(base)
        if exponent == 1:
            return inner
        if exponent.denominator == 2:
            whole = exponent.numerator // 2
            root = self.call("sqrt", inner)
            return root if whole == 0 else f"({self.power(base, Fraction(whole))} * {root})"
        if exponent.denominator == 1 and exponent <= 4:
            square = self.call("square", inner)
            return {2: square, 3: f"({square} * {inner})", 4: self.call("square", square)}[int(exponent)]
        return self.call("pow", inner, self.number(exponent))

    def place(self, index: Index) -> str:
        """A place on an axis as a whole number: a counter, or what a label says."""
        if not isinstance(index, Place):
            return counter(index)
        if isinstance(index.value, Entry):
            return self.load(index.value, PLACE)
        raise UnsupportedError(f"a computed place: {index.name}")

    def condition(self, term: Term) -> str:
        """A term that is 1 or 0, as a condition."""
        match term:
            case Compare(relation, left, right):
                return f"{self.text(left)} {relation} {self.text(right)}"
            case Delta(left, right):
                return f"{self.place(left)} == {self.place(right)}"
            case Mul(factors):
                return self.language.both([self.condition(factor) for factor in factors])
        return f"{self.text(term)} != 0"


def counter(index: Index) -> str:
    """The variable that counts an index."""
    return f"i_{index.axis}"


def row_counters(language: Language, outer: tuple[Index, ...], axes: Collection[str], number: str) -> Iterator[str]:
    """The lines that find the counters of these axes from the number of a place in row-major order."""
    rest = number
    for place, index in reversed(list(enumerate(outer))):
        if index.axis in axes:
            yield language.let(PLACE, {counter(index): rest if place == 0 else f"{rest} % n_{index.axis}"})
        rest = language.quotient(rest, f"n_{index.axis}")
