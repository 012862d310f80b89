"""Every row of the table of scalar functions against two sources of its own: SymPy and mpmath.

The table is shared by both routes of the derivation, so that a proof cannot see a wrong row. SymPy
differentiates its own function of that name, mpmath differentiates its own numerically; neither
knows the table.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import mpmath
import pytest
import sympy

from symgrad.algebra.terms import Add, Call, Compare, Entry, Mul, Num, Pow, Term, Where, add, mul, number
from symgrad.errors import DerivationError
from symgrad.primitives import ALIASES, PRIMITIVES, Primitive
from symgrad.prove.numbers import Real, apply

u = sympy.Symbol("u", real=True)
SYMPY = {
    "sigmoid": lambda x: 1 / (1 + sympy.exp(-x)),
    "log1p": lambda x: sympy.log(1 + x),
    "expm1": lambda x: sympy.exp(x) - 1,
    "softplus": lambda x: sympy.log(1 + sympy.exp(x)),
    "relu": lambda x: sympy.Max(x, 0),
    "abs": sympy.Abs,
    "lgamma": sympy.loggamma,
    "digamma": lambda x: sympy.polygamma(0, x),
    "pi": lambda *_: sympy.pi,
}
"""What SymPy calls otherwise."""
MPMATH = {
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "softplus": lambda x: mpmath.log1p(mpmath.exp(x)),
    "relu": lambda x: max(x, mpmath.mpf(0)),
    "abs": abs,
    "lgamma": mpmath.loggamma,
    "pi": lambda x: mpmath.pi + 0 * x,
}
"""What mpmath calls otherwise."""
POINTS = tuple(Fraction(text) for text in ("-7/3", "-3/2", "-2/5", "1/7", "1/2", "5/4", "2", "19/6"))
ABOVE = {"log": 0, "lgamma": 0, "digamma": 0, "log1p": -1, "asin": -1, "acos": -1, "atanh": -1, "acosh": 1}
BELOW = {"asin": 1, "acos": 1, "atanh": 1}
WITHOUT_DERIVATIVE = {"digamma"}
DIGITS = 40
RELATIONS = {"<": sympy.Lt, "<=": sympy.Le, "==": sympy.Eq, "!=": sympy.Ne}
ROWS = [pytest.param(row, id=name) for name, row in PRIMITIVES.items()]
ELEMENTARY = [pytest.param(row, id=name) for name, row in PRIMITIVES.items() if row.elementary is not None]
DERIVED = [pytest.param(row, id=name) for name, row in PRIMITIVES.items() if name not in WITHOUT_DERIVATIVE]


def points(name: str) -> tuple[Fraction, ...]:
    """Rational points inside of the function's domain."""
    return tuple(point for point in POINTS if ABOVE.get(name, -10) < point < BELOW.get(name, 10))


def in_sympy(term: Term) -> sympy.Expr:
    """A term in u as SymPy's expression, its functions as SymPy's own."""
    match term:
        case Num(value):
            return sympy.Rational(value.numerator, value.denominator)
        case Entry("u"):
            return u
        case Add(terms):
            return sympy.Add(*map(in_sympy, terms))
        case Mul(factors):
            return sympy.Mul(*map(in_sympy, factors))
        case Pow(base, exponent):
            return in_sympy(base) ** sympy.Rational(exponent.numerator, exponent.denominator)
        case Call(name, arguments):
            return function(name)(*map(in_sympy, arguments))
        case Compare(relation, left, right):
            return sympy.Piecewise((1, RELATIONS[relation](in_sympy(left), in_sympy(right))), (0, True))
        case Where(condition, then, otherwise):
            return sympy.Piecewise((in_sympy(then), sympy.Ne(in_sympy(condition), 0)), (in_sympy(otherwise), True))
        case _:
            raise NotImplementedError(f"{type(term).__name__} in a row of the table: teach it to this test")


def function(name: str):
    return SYMPY.get(name) or getattr(sympy, name)


def value(expression: sympy.Expr, point: Fraction) -> sympy.Expr:
    """The expression's value at a rational point, to 40 digits."""
    return sympy.N(expression.subs(u, sympy.Rational(point.numerator, point.denominator)), DIGITS)


def agrees_with_sympy(row: Primitive) -> bool:
    """Whether SymPy's derivative equals the row's: by simplification, else at every point."""
    right = function(row.name)(u).diff(u) if row.name != "pi" else sympy.Integer(0)
    difference = in_sympy(row.derivative(Entry("u"))) - right
    if difference == 0 or difference.rewrite(sympy.exp).simplify() == 0:
        return True
    return all(abs(value(difference, point)) < sympy.Float(10) ** -30 for point in points(row.name))


def agrees_with_mpmath(row: Primitive) -> bool:
    """Whether mpmath's numeric derivative of its own function is the row's, at every point."""
    own = MPMATH.get(row.name) or getattr(mpmath, row.name)
    with mpmath.workdps(DIGITS):
        for point in points(row.name):
            at = mpmath.mpf(point.numerator) / point.denominator
            found = apply(row.derivative, Real(DIGITS).number(point), Real(DIGITS))
            if abs(mpmath.diff(own, at) - mpmath.mpf(found)) > mpmath.mpf(10) ** -15:
                return False
    return True


def elementary_agrees(row: Primitive) -> bool:
    """Whether the elementary form has the values of mpmath's own function."""
    assert row.elementary is not None
    own = MPMATH.get(row.name) or getattr(mpmath, row.name)
    with mpmath.workdps(DIGITS):
        for point in points(row.name):
            at = mpmath.mpf(point.numerator) / point.denominator
            found = apply(row.elementary, Real(DIGITS).number(point), Real(DIGITS))
            if abs(own(at) - mpmath.mpf(found)) > mpmath.mpf(10) ** -30:
                return False
    return True


@pytest.mark.parametrize("row", DERIVED)
def test_the_derivative_is_sympys(row):
    assert agrees_with_sympy(row)


@pytest.mark.parametrize("row", DERIVED)
def test_the_derivative_is_mpmaths_numeric_one(row):
    assert agrees_with_mpmath(row)


@pytest.mark.parametrize("row", ELEMENTARY)
def test_the_elementary_form_has_mpmaths_values(row):
    assert elementary_agrees(row)


@pytest.mark.parametrize("row", ELEMENTARY)
def test_the_elementary_form_has_the_same_derivative(row):
    form = in_sympy(row.elementary(Entry("u"))).diff(u) - in_sympy(row.derivative(Entry("u")))
    assert all(abs(value(form, point)) < sympy.Float(10) ** -30 for point in points(row.name))


@pytest.mark.parametrize("row", DERIVED)
def test_a_wrong_derivative_is_seen_by_both(row):
    slightly = replace(row, derivative=lambda x: add(row.derivative(x), number("1/1000000")))
    twice = replace(row, derivative=lambda x: mul(number(2), row.derivative(x)))
    assert not agrees_with_sympy(slightly)
    assert not agrees_with_mpmath(slightly)
    if row.derivative(Entry("u")) != Num(Fraction(0)):
        assert not agrees_with_sympy(twice)
        assert not agrees_with_mpmath(twice)


def test_usual_mistakes_are_seen():
    sigmoid, tanh, cos = PRIMITIVES["sigmoid"], PRIMITIVES["tanh"], PRIMITIVES["cos"]
    for wrong in (
        replace(sigmoid, derivative=lambda x: Call("sigmoid", (x,))),
        replace(tanh, derivative=lambda x: add(number(1), mul(number(-1), Call("tanh", (x,))))),
        replace(cos, derivative=lambda x: Call("sin", (x,))),
    ):
        assert not agrees_with_sympy(wrong)
        assert not agrees_with_mpmath(wrong)
    assert not elementary_agrees(replace(sigmoid, elementary=lambda x: Call("exp", (x,))))


@pytest.mark.parametrize("name", sorted(WITHOUT_DERIVATIVE))
def test_a_row_without_derivative_says_so(name):
    with pytest.raises(DerivationError, match=name):
        PRIMITIVES[name].derivative(Entry("u"))


@pytest.mark.parametrize(("name", "slope"), [("relu", 0), ("abs", 0), ("sign", 0)])
def test_the_slope_at_a_corner_is_pytorchs(name, slope):
    assert apply(PRIMITIVES[name].derivative, Real().number(Fraction(0)), Real()) == slope


@pytest.mark.parametrize("name", ALIASES)
def test_aliases_are_the_powers_of_their_names(name):
    powers = {"sqrt": sympy.sqrt, "rsqrt": lambda x: 1 / sympy.sqrt(x), "square": lambda x: x**2}
    assert in_sympy(ALIASES[name](Entry("u"))) == powers[name](u)


@pytest.mark.parametrize("row", ROWS)
def test_every_row_has_a_source(row):
    assert row.source
    assert row.name in PRIMITIVES
