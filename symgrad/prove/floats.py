"""Double precision, real and complex, as arithmetics of the evaluator."""

from __future__ import annotations

import cmath
import math
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
        """base ** exponent."""
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


_MORE = {
    "sigmoid": lambda lib, u: 1 / (1 + lib.exp(-u)),
    "expm1": lambda lib, u: lib.exp(u) - 1,
    "log1p": lambda lib, u: lib.log(1 + u),
}
