"""Exact numbers of moderate size, and terms that have no value whatever the tensors are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction

from symgrad.algebra.terms import Add, Call, Mul, Num, Pow, Term
from symgrad.errors import InputError, Origin

MAX_EXPONENT = 64
MAX_DIGITS = 60
MAX_DECIMAL_EXPONENT = 300
MAX_BITS = 2048
_NUMBER = re.compile(r"([0-9]*\.?[0-9]*)(?:[eE]([+-]?[0-9]+))?")
_LEADING_ZEROS = re.compile(r"0+[0-9]+(?![0-9.eE])")
_SMALLEST, _LARGEST = Fraction(1, 10**MAX_DECIMAL_EXPONENT), Fraction(10**MAX_DECIMAL_EXPONENT)


def exact_number(text: str, origin: Origin) -> Fraction:
    """The exact value of a decimal literal, refused where it is absurdly large or long."""
    match = _NUMBER.fullmatch(text)
    if not match or not match.group(1).strip(".") or _LEADING_ZEROS.match(text):
        raise InputError(f"{text[:40]!r} is not a decimal number.", origin, "Write it as 2, 0.5 or 1e-5.")
    exponent = match.group(2) or "0"
    far = len(exponent) > 5 or abs(int(exponent)) > MAX_DECIMAL_EXPONENT
    if len(match.group(1)) > MAX_DIGITS or far or is_extreme(Fraction(text)):
        raise too_large(origin)
    return Fraction(text)


def too_large(origin: Origin) -> InputError:
    """The error for a number that floating point does not hold, or that nobody can read."""
    return InputError(
        "this number is too long, too large or too small.",
        origin,
        f"Numbers have at most {MAX_DIGITS} digits and lie between 1e-{MAX_DECIMAL_EXPONENT} and "
        f"1e{MAX_DECIMAL_EXPONENT}, or are 0.",
    )


def is_extreme(value: Fraction) -> bool:
    """Whether a number is beyond what floating-point numbers hold, or takes too many digits."""
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > MAX_BITS:
        return True
    return value != 0 and not _SMALLEST <= abs(value) <= _LARGEST


def no_value(term: Term) -> str:
    """Why a node has no value whatever the tensors are, or an empty string."""
    match term:
        case Pow(Num(value), exponent) if value == 0 and exponent < 0:
            return "this divides by zero."
        case Pow(Num(value), exponent) if value < 0 and exponent.denominator > 1:
            return "a root of a negative number has no real value."
        case Pow(_, exponent) if abs(exponent) > MAX_EXPONENT or exponent.denominator > MAX_EXPONENT:
            return f"powers of powers make an exponent beyond {MAX_EXPONENT} here."
        case Call("log", (Num(value),)) if value <= 0:
            return "log has no real value here: its argument is not positive."
        case Call("log1p", (Num(value),)) if value <= -1:
            return "log1p has no real value here: its argument is not above -1."
    if any(is_extreme(value) for value in _numbers(term)):
        return "the numbers here make one that is too large, too small or too long for floating point."
    return ""


def _numbers(term: Term) -> Iterator[Fraction]:
    """The numbers that stand directly in a node."""
    parts = term.terms if isinstance(term, Add) else term.factors if isinstance(term, Mul) else (term,)
    return (part.value for part in parts if isinstance(part, Num))
