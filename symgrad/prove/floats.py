"""Double precision, real and complex, as arithmetics of the evaluator."""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable
from fractions import Fraction
from types import ModuleType

from symgrad.prove.numbers import Number, Undefined


class Floats:
    """Python floats; a value outside of a function's domain is Undefined."""

    library: ModuleType = math

    def number(self, value: Fraction) -> Number:
        """The nearest double."""
        return float(value)

    def power(self, base: Number, exponent: Fraction) -> Number:
        """Base ** exponent."""
        try:
            result = base ** (exponent.numerator if exponent.denominator == 1 else float(exponent))
        except (ZeroDivisionError, OverflowError) as error:
            raise Undefined(str(error)) from None
        if isinstance(result, complex) and not isinstance(base, complex):
            raise Undefined(f"{base} to the power {exponent}")
        return result

    def call(self, function: str, argument: Number) -> Number:
        """A scalar function, by Python's own library, not by the table of primitives."""
        try:
            if function in _MORE:
                return _MORE[function](self.library, argument)
            return getattr(self.library, function)(argument)
        except (ValueError, OverflowError, ZeroDivisionError) as error:
            raise Undefined(str(error)) from None


class Complexes(Floats):
    """Python complex numbers, for derivatives by the complex step.

    f'(x) = Im f(x + ih) / h to full precision for analytic f, without any derivative rule: this
    witness shares nothing with the calculus or its table. It is blind to a forward pass that is
    typed wrong.
    """

    library = cmath

    def number(self, value: Fraction) -> Number:
        """The nearest double, as a complex number."""
        return complex(value)


def _to_first_order(
    function: Callable[[float], float], slope: Callable[[float], float]
) -> Callable[[ModuleType, Number], Number]:
    """A function that cmath lacks: f(x + ih) = f(x) + ih f'(x), exact for a step of 1e-30."""

    def compute(library: ModuleType, argument: Number) -> Number:
        if library is math:
            return function(argument)
        return complex(function(argument.real), argument.imag * slope(argument.real))

    return compute


def _gauss(x: float) -> float:
    return 2 / math.sqrt(math.pi) * math.exp(-x * x)


def _digamma(x: float) -> float:
    import mpmath

    return float(mpmath.digamma(x))


def _trigamma(x: float) -> float:
    import mpmath

    return float(mpmath.polygamma(1, x))


def _by_sign(positive: float, negative: float) -> Callable[[ModuleType, Number], Number]:
    """A multiple of the argument on each side of 0, and 0 there."""
    return lambda _, u: u * (positive if u.real > 0 else negative if u.real < 0 else 0)


_MORE: dict[str, Callable[[ModuleType, Number], Number]] = {
    "sigmoid": lambda lib, u: 1 / (1 + lib.exp(-u)),
    "expm1": lambda lib, u: lib.exp(u) - 1,
    "log1p": lambda lib, u: lib.log(1 + u),
    "softplus": lambda lib, u: lib.log(1 + lib.exp(u)),
    "erf": _to_first_order(math.erf, _gauss),
    "erfc": _to_first_order(math.erfc, lambda x: -_gauss(x)),
    "lgamma": _to_first_order(math.lgamma, _digamma),
    "digamma": _to_first_order(_digamma, _trigamma),
    "relu": _by_sign(1, 0),
    "abs": _by_sign(1, -1),
    "sign": lambda _, u: (u.real > 0) - (u.real < 0),
    "pi": lambda *_: math.pi,
}
