"""Terms as Triton: the formula as it is written, with what does not change along a row put together."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from symgrad.algebra.binding import transform_children
from symgrad.algebra.terms import MINUS_ONE, Add, Call, Entry, Mul, Num, Pow, Size, Term, Where, mul, walk
from symgrad.errors import UnsupportedError
from symgrad.plan.infix import Spelling, condition, infix
from symgrad.primitives import POWER
from symgrad.render.kernels.small import centred, fraction_text, raw, split_product

OWN = ("exp", "log", "sqrt", "erf", "abs", "sigmoid")
"""The functions of triton.language."""
HELPERS = ("square", "relu", "sign", "softplus")
"""Those that the emitted file defines."""
LIBDEVICE = ("log1p", "expm1", "tanh", "sinh", "cosh", "sin", "cos", "tan", "atan", "asin", "acos", "asinh", "acosh",
             "atanh", "erfc", "lgamma", POWER)  # fmt: skip
"""Those of CUDA's libdevice."""


@dataclass
class TritonTerms:
    """Writes terms whose entries have been given variables.

    Attributes:
        names: the variable of an entry.
        in_rows: whether a term has one value for each row, or one alone.
        wide: statistics in two parts, by name; the second part's variable has `_low` behind the name.
        real: the type to compute in.
        used: the helper functions that the lines call.
        sizes: notes that the length of an axis stands in a formula.
    """

    names: Callable[[str], str]
    in_rows: Callable[[Term], bool]
    wide: set[str]
    real: str
    used: set[str]
    sizes: Callable[[str], str]

    def text(self, term: Term) -> str:
        """The term."""
        return infix(self._ready(term), self._spelling)

    def condition(self, term: Term) -> str:
        """A term that is 1 or 0, as a condition."""
        return condition(self._ready(term), self._spelling)

    @property
    def _spelling(self) -> Spelling:
        return Spelling(
            entry=lambda e: self.names(e.name), size=lambda s: self.sizes(s.axis), call=self._call,
            fraction=fraction_text, delta=lambda d: f"({condition(d, self._spelling)}).to({self.real})",
            position=lambda p: f"i_{p.index.axis}", where=lambda _, c, a, b: f"tl.where({c}, {a}, {b})",
            truth=lambda _, c: f"({c}).to({self.real})",
        )  # fmt: skip

    def _call(self, function: str, arguments: str) -> str:
        if function in OWN:
            return f"tl.{function}({arguments})"
        if function in HELPERS:
            self.used.update((function, "libdevice") if function == "softplus" else (function,))
            return f"_{function}({arguments})"
        if function in LIBDEVICE:
            self.used.add("libdevice")
            return f"libdevice.{function}({arguments})"
        raise UnsupportedError(f"the function {function}")

    def _ready(self, term: Term) -> Term:
        """The term with numbers computed, powers by products and roots, and coefficients put together."""
        value = number(term)
        if value is not None and not isinstance(term, Num):
            return raw(_number_text(value))
        found = centred(term, dict.fromkeys(self.wide, "wide"))
        if found is not None:
            array, statistic = found
            low = raw(f"{self.names(statistic.name)}_low")
            return Add((Add((array, Mul((MINUS_ONE, statistic)))), Mul((MINUS_ONE, low))))
        match term:
            case Pow(base, exponent):
                return self._power(base, exponent)
            case Mul():
                return self._product(term)
            case Where(test, then, otherwise):
                both = number(then) is not None and number(otherwise) is not None
                return Where(self._ready(test), self._value(then, both), self._value(otherwise, False))
        return transform_children(term, self._ready)

    def _value(self, term: Term, alone: bool) -> Term:
        """A choice's value; a number beside another one says its type."""
        value = number(term)
        if value is None:
            return self._ready(term)
        return raw(f"tl.full((), {_number_text(value)}, {self.real})" if alone else _number_text(value))

    def _product(self, term: Mul) -> Term:
        """A product, in which all factors that are the same along a row are one."""
        if self.in_rows(term):
            return transform_children(term, self._ready)
        small, large = split_product(term, lambda factor: not self.in_rows(factor))
        whole = mul(*small)
        if number(whole) is not None or isinstance(whole, Entry):
            return Mul(tuple(self._ready(factor) for factor in term.factors))
        if isinstance(whole, Pow) and whole.exponent < 0:  # y / r, not y * (1 / r)
            return Mul((*map(self._ready, large), self._ready(whole)))
        return Mul((*map(self._ready, large), raw(f"({infix(self._ready(whole), self._spelling)})")))

    def _power(self, base: Term, exponent: Fraction) -> Term:
        """A power; small whole ones by squares, halves by roots."""
        if exponent < 0:
            return Pow(self._power(base, -exponent), Fraction(-1))
        inner = self._ready(base)
        if exponent in (1, Fraction(1, 2)):
            return inner if exponent == 1 else Pow(inner, exponent)
        if exponent.denominator == 2:
            return Mul((self._power(base, exponent - Fraction(1, 2)), Pow(inner, Fraction(1, 2))))
        square = Call("square", (inner,))
        if exponent in (2, 3, 4):
            return {2: square, 3: Mul((square, inner)), 4: Call("square", (square,))}[int(exponent)]
        return Call(POWER, (inner, raw(f"tl.full((), {_number_text(float(exponent))}, {self.real})")))


def number(term: Term) -> float | None:
    """The value of a term without names, indices and lengths."""
    if term.names or term.free or term.binds or any(isinstance(node, Size) for node in walk(term)):
        return None
    match term:
        case Num(value):
            return float(value)
        case Call("pi", ()):
            return math.pi
        case Call("log", (Num(value),)) if value == 0:
            return -math.inf
        case Call(function, arguments) if hasattr(math, function):
            values = [number(argument) for argument in arguments]
            return None if None in values else float(getattr(math, function)(*values))
        case Pow(base, exponent):
            inner = number(base)
            return None if inner is None else float(inner ** float(exponent))
        case Mul(factors):
            found = [number(factor) for factor in factors]
            return None if None in found else math.prod(v for v in found if v is not None)
        case Add(terms):
            found = [number(part) for part in terms]
            return None if None in found else math.fsum(v for v in found if v is not None)
    return None


def _number_text(value: float) -> str:
    return f'float("{value}")' if math.isinf(value) or math.isnan(value) else repr(value)
