"""Terms as C: for one element of a loop nest, with what does not change along a row computed before it."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
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

FUNCTIONS = frozenset(("exp", "log", "log1p", "expm1", "sigmoid", "tanh", "sinh", "cosh", "sin", "cos", "tan", "atan",
                       "asinh", "asin", "acos", "acosh", "atanh", "erf", "erfc", "softplus", "relu", "abs", "sign",
                       "lgamma", "pow", "pi"))  # fmt: skip
"""The functions that the C backend has, as `sg_exp` in REAL and `exact_exp` in double."""


@dataclass
class CTerms:
    """Writes terms.

    Attributes:
        load: an entry's value as C, in the type that is asked for: "REAL" or "double".
        real: "REAL" for values of elements, "double" for what is computed once.
    """

    load: Callable[[Entry, str], str]
    real: str
    kept: dict[Term, str] = field(default_factory=dict)
    """Terms that have a C variable already."""

    def text(self, term: Term) -> str:
        """The term, in brackets where it is more than an atom."""
        if term in self.kept:
            return self.kept[term]
        match term:
            case Num(value):
                return self.number(value)
            case Size(axis):
                return f"({self.real})n_{axis}"
            case Entry():
                return self.load(term, self.real)
            case Position(index):
                return f"({self.real}){counter(index)}"
            case Delta():
                return f"({self.real})({self.condition(term)})"
            case Compare():
                return f"({self.real})({self.condition(term)})"
            case Where(condition, then, otherwise):
                return f"({self.condition(condition)} ? {self.text(then)} : {self.text(otherwise)})"
            case Add(terms):
                return f"({self.sum(terms)})"
            case Mul(factors):
                return f"({self.product(factors)})"
            case Pow(base, exponent):
                return self.power(base, exponent)
            case Call("pi", ()):
                return self.number_text("3.14159265358979323846")
            case Call(function, arguments) if function in FUNCTIONS:
                prefix = "sg" if self.real == "REAL" else "exact"
                return f"{prefix}_{function}({', '.join(map(self.text, arguments))})"
            case Call(function, _):
                raise UnsupportedError(f"the C backend has no {function}")
        raise UnsupportedError(f"the C backend has no {type(term).__name__}")

    def number(self, value: Fraction) -> str:
        """A number; a fraction as a quotient."""
        if value.denominator == 1:
            return self.number_text(f"{value.numerator}.0")
        return f"({self.number_text(f'{value.numerator}.0')} / {self.number_text(f'{value.denominator}.0')})"

    def number_text(self, text: str) -> str:
        """A decimal in the type at hand."""
        return f"(REAL){text}" if self.real == "REAL" else text

    def sum(self, terms: tuple[Term, ...]) -> str:
        """A + b - c."""
        text = self.text(terms[0])
        for term in terms[1:]:
            sign, size = split_sign(term)
            text += f" {'-' if sign < 0 else '+'} {self.text(size)}"
        return text

    def product(self, factors: tuple[Term, ...]) -> str:
        """A * b / c."""
        under = [f for f in factors if isinstance(f, Pow) and f.exponent < 0 and f not in self.kept]
        above = [f for f in factors if f not in under]
        below = [power(f.base, -f.exponent) for f in under if isinstance(f, Pow)]
        text = " * ".join(map(self.text, above)) or self.number_text("1.0")
        if below:
            bottom = " * ".join(map(self.text, below))
            text += f" / ({bottom})" if len(below) > 1 else f" / {bottom}"
        return text

    def power(self, base: Term, exponent: Fraction) -> str:
        """A power; small whole ones by products, roots by sqrt."""
        one = self.number_text("1.0")
        if exponent < 0:
            return f"({one} / {self.power(base, -exponent)})"
        inner = self.text(base)
        prefix = "sg" if self.real == "REAL" else "exact"
        if exponent == 1:
            return inner
        if exponent.denominator == 2:
            whole = exponent.numerator // 2
            root = f"{prefix}_sqrt({inner})"
            return root if whole == 0 else f"({self.power(base, Fraction(whole))} * {root})"
        if exponent.denominator == 1 and exponent <= 4:
            square = f"{prefix}_square({inner})"
            return {2: square, 3: f"({square} * {inner})", 4: f"{prefix}_square({square})"}[int(exponent)]
        return f"{prefix}_pow({inner}, {self.number(exponent)})"

    def place(self, index: Index) -> str:
        """A place on an axis as a whole number: a counter, or what a label says."""
        if not isinstance(index, Place):
            return counter(index)
        if isinstance(index.value, Entry):
            return self.load(index.value, "ptrdiff_t").removeprefix("(ptrdiff_t)")
        raise UnsupportedError(f"a computed place: {index.name}")

    def condition(self, term: Term) -> str:
        """A term that is 1 or 0, as a condition."""
        match term:
            case Compare(relation, left, right):
                return f"{self.text(left)} {relation} {self.text(right)}"
            case Delta(left, right):
                return f"{self.place(left)} == {self.place(right)}"
            case Mul(factors):
                return " && ".join(f"({self.condition(factor)})" for factor in factors)
        return f"{self.text(term)} != 0"


def counter(index: Index) -> str:
    """The C variable that counts an index."""
    return f"i_{index.axis}"


def row_counters(outer: tuple[Index, ...], axes: Collection[str], number: str) -> Iterator[str]:
    """The lines that find the counters of these axes from the number of a place in row-major order."""
    rest = number
    for place, index in reversed(list(enumerate(outer))):
        if index.axis in axes:
            yield f"const ptrdiff_t {counter(index)} = {rest if place == 0 else f'{rest} % n_{index.axis}'};"
        rest = f"{rest} / n_{index.axis}"


def reached(lines: Sequence[str], place: str) -> set[str]:
    """The arrays that these lines read or write at a place: "[i_k]"."""
    return set(re.findall(rf"\b(\w+){re.escape(place)}", "\n".join(lines)))


def fetching(lines: Sequence[str], place: str, inner: Index, but: Collection[str] = ()) -> list[str]:
    """The loop that fetches ahead what a block of a row reads or writes at this place of its arrays."""
    k = counter(inner)
    fetched = " ".join(f"FETCH(&{name}{place});" for name in sorted(reached(lines, place) - set(but)))
    return [f"for (ptrdiff_t {k} = block; {k} < end; {k} += LINE) {{ {fetched} }}"] if fetched else []


def comment(text: str) -> str:
    """A formula as part of a comment: nothing in it can end the comment."""
    return text.replace("*/", "* /").replace("/*", "/ *")
