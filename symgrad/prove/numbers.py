"""The arithmetics in which terms are evaluated: exact rationals, 50 digits, and dual numbers.

Nothing here simplifies: every node becomes one operation on numbers. Dual numbers carry a value
and its derivative along one direction, so that a derivative is computed by running the forward
pass, never by a derived formula.
"""

from __future__ import annotations

import hashlib
import operator
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Protocol

from symgrad.algebra.terms import MAX_POWER_BITS, Add, Call, Compare, Entry, Mul, Num, Pow, Term, Where
from symgrad.errors import SymgradError
from symgrad.primitives import PRIMITIVES, through_exp

Number = Any
"""A Fraction, an mpf or a `Dual`: what an arithmetic computes with; all have + and *."""


class EvaluationError(SymgradError):
    """A term cannot be evaluated: something in it has no value at this point."""


class NotExact(EvaluationError):  # noqa: N818 - an answer of the arithmetic, not a fault
    """A value is not a rational number, so exact arithmetic cannot hold it."""


class Undefined(EvaluationError):  # noqa: N818 - an answer of the arithmetic, not a fault
    """There is no real value here: a division by zero, a root of a negative number."""


class Arithmetic(Protocol):
    """What evaluation needs beyond the operators + and *."""

    def number(self, value: Fraction) -> Number:
        """The number of an exact rational."""

    def power(self, base: Number, exponent: Fraction) -> Number:
        """base**exponent, the real value; raises `Undefined` where there is none."""

    def call(self, function: str, argument: Number) -> Number:
        """A scalar function of the table of primitives."""


@dataclass(frozen=True)
class Exact:
    """Rational numbers.

    Roots and functions have a value only where it is rational (sqrt(4/9), exp(0)); elsewhere they
    raise `NotExact`.

    Attributes:
        surrogate: give each function at each rational argument a made-up rational value instead,
            the same one every time. The index calculus (which sums, which indices, which factors)
            can then be checked by brute force in exact rationals. Derivatives of such functions
            come from the derivative rows of the table, on made-up values too. What this witness
            cannot see: a wrong row of the table, and identities between functions (it would call
            sigmoid(u) and 1/(1 + exp(-u)) different). Roots stay real: sqrt(v)**2 is v.
    """

    surrogate: bool = False

    def number(self, value: Fraction) -> Fraction:
        """The rational itself."""
        return value

    def power(self, base: Fraction, exponent: Fraction) -> Fraction:
        """The exact power, where it is rational."""
        check_domain(base, exponent)
        root = _root(base, exponent.denominator)
        if root is None:
            raise NotExact(f"{base}**({exponent}) is not rational")
        bits = max(root.numerator.bit_length(), root.denominator.bit_length())
        if bits * abs(exponent.numerator) > 64 * MAX_POWER_BITS:
            raise NotExact(f"a power with exponent {exponent} has too many digits")
        return root**exponent.numerator

    def call(self, function: str, argument: Fraction) -> Fraction:
        """The exact value where it is rational, or the made-up one of a surrogate."""
        if self.surrogate:
            return _made_up(function, argument)
        known = _EXACT_VALUES.get((function, argument))
        if known is not None:
            return Fraction(known)
        elementary = PRIMITIVES[function].elementary
        if elementary is None:
            raise NotExact(f"{function}({argument}) is not rational")
        found: Fraction = apply(elementary, argument, self)
        return found


_EXACT_VALUES = {("exp", Fraction(0)): 1, ("log", Fraction(1)): 0, ("sin", Fraction(0)): 0, ("cos", Fraction(0)): 1}


def _made_up(function: str, argument: Fraction) -> Fraction:
    """A positive rational that depends on nothing but the name and the argument."""
    digest = hashlib.sha256(f"{function}({argument})".encode()).digest()
    return Fraction(1 + digest[0], 2 + digest[1] % 16)


def _root(value: Fraction, degree: int) -> Fraction | None:
    """The exact root of a value >= 0 (any value for degree 1), or None where it is not rational."""
    if degree == 1:
        return value
    top, bottom = _integer_root(value.numerator, degree), _integer_root(value.denominator, degree)
    if top**degree != value.numerator or bottom**degree != value.denominator:
        return None
    return Fraction(top, bottom)


def _integer_root(value: int, degree: int) -> int:
    """The largest integer whose power is at most `value`, by bisection."""
    low, high = 0, 1 << (value.bit_length() // degree + 1)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if middle**degree <= value else (low, middle - 1)
    return low


def check_domain(base: Number, exponent: Fraction) -> None:
    """Raise `Undefined` where base**exponent has no real value."""
    if base == 0 and exponent < 0:
        raise Undefined("a division by zero")
    if base < 0 and exponent.denominator != 1:
        raise Undefined("a root of a negative number")


class Real:
    """Real numbers to a number of digits, through mpmath: an implementation that is not symgrad's.

    The context is its own, so that mpmath's global precision neither matters nor changes.
    """

    def __init__(self, digits: int = 50) -> None:
        import mpmath

        self.context = mpmath.mp.clone()
        self.context.dps = digits

    def number(self, value: Fraction) -> Number:
        """The rational, rounded."""
        return self.context.mpf(value.numerator) / value.denominator

    def power(self, base: Number, exponent: Fraction) -> Number:
        """The power, rounded."""
        check_domain(base, exponent)
        if exponent.denominator == 1:
            return base**exponent.numerator
        if exponent.denominator == 2:
            return self.context.sqrt(base) ** exponent.numerator
        return self.context.power(base, self.number(exponent))

    def call(self, function: str, argument: Number) -> Number:
        """The function of that name in mpmath; the elementary form where mpmath has none."""
        if function == "pi":
            return +self.context.pi
        compute = getattr(self.context, _IN_MPMATH.get(function, function), None)
        elementary = PRIMITIVES[function].elementary
        if compute is None and elementary is not None:
            return apply(elementary, argument, self)
        if compute is None:
            raise EvaluationError(f"mpmath has no function {function}: give its row in primitives an elementary form")
        try:
            found = compute(argument)
        except (ValueError, ZeroDivisionError, OverflowError) as error:
            raise Undefined(f"{function} has no value here") from error
        if not isinstance(found, self.context.mpf) or not self.context.isfinite(found):
            raise Undefined(f"{function} has no real value here")
        return found


_IN_MPMATH = {"lgamma": "loggamma"}


class Bounds:
    """Interval arithmetic: each number is a pair of bounds that surely hold the true value.

    Two values whose intervals are disjoint do differ, whatever was lost to cancellation on the way.
    Functions that mpmath's intervals do not have, and have no elementary form, cannot be bounded.
    """

    def __init__(self, digits: int) -> None:
        from mpmath.ctx_iv import MPIntervalContext

        self.context = MPIntervalContext()
        self.context.dps = digits

    def number(self, value: Fraction) -> Number:
        """An interval around the rational."""
        return self.context.mpf(value.numerator) / value.denominator

    def power(self, base: Number, exponent: Fraction) -> Number:
        """The power; a root only of what is surely positive."""
        if (exponent.denominator != 1 and not base.a > 0) or (exponent < 0 and 0 in base):
            raise EvaluationError("a power of an interval around 0 cannot be bounded")
        if exponent.denominator == 1:
            return base**exponent.numerator
        if exponent.denominator == 2:
            return self.context.sqrt(base) ** exponent.numerator
        return self.context.exp(self.number(exponent) * self.context.log(base))

    def call(self, function: str, argument: Number) -> Number:
        """A function, or its elementary form."""
        if function == "pi":
            return +self.context.pi
        elementary = PRIMITIVES[function].elementary
        if elementary is not None:
            return apply(elementary, argument, self)
        if function not in ("exp", "log", "sin", "cos") or (function == "log" and not argument.a > 0):
            raise EvaluationError(f"{function} of an interval cannot be bounded")
        return getattr(self.context, function)(argument)


@dataclass(frozen=True)
class Dual:
    """value + tangent·ε with ε² = 0; the tangent is None where nothing depends on the direction."""

    value: Number
    tangent: Number | None = None

    def __add__(self, other: Dual) -> Dual:
        return Dual(self.value + other.value, plus(self.tangent, other.tangent))

    def __mul__(self, other: Dual) -> Dual:
        """The product rule: (ab)' = a'b + ab'."""
        first = None if self.tangent is None else self.tangent * other.value
        second = None if other.tangent is None else self.value * other.tangent
        return Dual(self.value * other.value, plus(first, second))


def plus(left: Number | None, right: Number | None) -> Number | None:
    """The sum of two tangents."""
    if left is None or right is None:
        return right if left is None else left
    return left + right


@dataclass(frozen=True)
class Duals:
    """Dual numbers over another arithmetic: forward-mode differentiation."""

    base: Arithmetic

    def number(self, value: Fraction) -> Dual:
        """A number that does not vary."""
        return Dual(self.base.number(value))

    def power(self, base: Dual, exponent: Fraction) -> Dual:
        """(u^p)' = p u^(p-1) u'."""
        value = self.base.power(base.value, exponent)
        if base.tangent is None:
            return Dual(value)
        slope = self.base.number(exponent) * self.base.power(base.value, exponent - 1)
        return Dual(value, slope * base.tangent)

    def call(self, function: str, argument: Dual) -> Dual:
        """f(u)' = f'(u) u', with f' from the table's derivative row."""
        value = self.base.call(function, argument.value)
        if argument.tangent is None:
            return Dual(value)
        slope = apply(PRIMITIVES[function].derivative, argument.value, self.base)
        return Dual(value, slope * argument.tangent)


_ARGUMENT = Entry("u")


def apply(row: Callable[[Term], Term], argument: Number, arithmetic: Arithmetic) -> Number:
    """A row of the table of primitives, a term in u, at a number."""
    return fold(row(_ARGUMENT), arithmetic, lambda _: argument)


def fold(term: Term, arithmetic: Arithmetic, leaf: Callable[[Term], Number]) -> Number:
    """The value of a term whose nodes with indices (entries, sums, …) are evaluated by `leaf`."""
    match term:
        case Num(value):
            return arithmetic.number(value)
        case Add(terms):
            total = fold(terms[0], arithmetic, leaf)
            for part in terms[1:]:
                total = total + fold(part, arithmetic, leaf)
            return total
        case Mul(factors):
            return _product(factors, arithmetic, leaf)
        case Pow(base, exponent):
            return arithmetic.power(fold(base, arithmetic, leaf), exponent)
        case Call(function, ()):
            return arithmetic.call(function, arithmetic.number(Fraction(0)))
        case Call("pow", (base, exponent)):
            return fold(through_exp(base, exponent), arithmetic, leaf)
        case Call(function, (argument,)):
            return arithmetic.call(function, fold(argument, arithmetic, leaf))
        case Where(condition, then, otherwise):
            chosen = then if real_part(fold(condition, arithmetic, leaf)) != 0 else otherwise
            return fold(chosen, arithmetic, leaf)
        case Compare(relation, left, right):
            sides = (real_part(fold(side, arithmetic, leaf)) for side in (left, right))
            holds = _RELATIONS[relation](*sides)
            if holds is None:
                raise EvaluationError("a comparison of overlapping intervals is open")
            return arithmetic.number(Fraction(int(holds)))
        case _:
            return leaf(term)


_RELATIONS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
}


def real_part(value: Number) -> Number:
    """What comparisons see: the value of a dual number, the real part of a complex one."""
    value = value.value if isinstance(value, Dual) else value
    return value.real if isinstance(value, complex) else value


def extreme(values: list[Number], largest: bool, arithmetic: Arithmetic) -> Number:
    """The largest or smallest value; ties share the derivative evenly, as in torch.amax."""
    parts = [real_part(value) for value in values]
    best = max(parts) if largest else min(parts)
    if any((part <= best if largest else part >= best) is not True for part in parts):
        raise EvaluationError("which of overlapping intervals is the extreme one is open")
    ties = [value for value, part in zip(values, parts, strict=True) if part == best]
    total = ties[0]
    for value in ties[1:]:
        total = total + value
    return total if len(ties) == 1 else total * arithmetic.number(Fraction(1, len(ties)))


def _product(factors: tuple[Term, ...], arithmetic: Arithmetic, leaf: Callable[[Term], Number]) -> Number:
    """The product; a factor of deltas that is 0 decides it, whatever the others would be.

    `where(k != i, 1/(x[k] - x[i]), 0)` is a product with such a factor, and is 0 at k = i.
    """
    total = arithmetic.number(Fraction(1))
    for factor in sorted(factors, key=lambda factor: factor.of_indices, reverse=True):
        value = fold(factor, arithmetic, leaf)
        if factor.of_indices and (value.value if isinstance(value, Dual) else value) == 0:
            return value
        total = total * value
    return total
