"""The scalar functions: one row each, with derivative, elementary form, and spellings.

This table is shared by both routes, so a wrong row would make two equal wrong gradients: the
proof that the routes agree is blind to it. Every row is therefore checked against a source of its
own (SymPy's derivative and mpmath's numeric one; see tests/test_primitives.py), and finite
differences and torch.autograd see it again from outside.

To add a function, add a row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from symgrad.algebra.terms import ONE, TWO, ZERO, Call, Term, add, compare, divide, mul, negative, power, where
from symgrad.errors import DerivationError

Unary = Callable[[Term], Term]


@dataclass(frozen=True)
class Primitive:
    """A scalar function of one argument.

    Attributes:
        name: as in the notation.
        derivative: f'(u) as a term in u.
        source: where the derivative is stated (NIST DLMF section).
        elementary: the function through exp and powers, where that decides equalities.
        numpy: its expression for an array `{0}`; None where NumPy has no such function.
        torch: its expression for a tensor `{0}`.
        ufunc: the NumPy ufunc that computes it into a buffer, or None.
        latex: its LaTeX macro or operator name.
    """

    name: str
    derivative: Unary
    source: str
    numpy: str
    torch: str
    ufunc: str | None
    latex: str
    elementary: Unary | None = None


def _exp(u: Term) -> Term:
    return Call("exp", (u,))


def _call(name: str) -> Unary:
    return lambda u: Call(name, (u,))


def _sigmoid(u: Term) -> Term:
    return power(add(ONE, _exp(negative(u))), -1)


def _tanh(u: Term) -> Term:
    square = _exp(mul(TWO, u))
    return divide(add(square, negative(ONE)), add(square, ONE))


PI = Call("pi", ())
"""The number pi, as a function of nothing."""


POWER = "pow"
"""The function of two arguments: a real power, pow(a, b) = exp(b log a) for a > 0."""


def real_power(base: Term, exponent: Term) -> Term:
    """Base to the power of something that is no number."""
    return Call(POWER, (base, exponent))


def through_exp(base: Term, exponent: Term) -> Term:
    """Pow(a, b) as exp(b log a), which decides equalities."""
    return _exp(mul(exponent, Call("log", (base,))))


def _no_derivative(name: str) -> Unary:
    """A row whose derivative is not supported says so when it is asked for."""

    def derivative(u: Term) -> Term:
        raise DerivationError(f"there is no rule for the derivative of {name}; add it in primitives.py.")

    return derivative


def _half_of(sign: int) -> Unary:
    """(exp(u) + sign exp(-u)) / 2."""
    return lambda u: divide(add(_exp(u), mul(ONE if sign > 0 else negative(ONE), _exp(negative(u)))), TWO)


_ROWS = (
    Primitive("exp", _exp, "DLMF 4.7.7", "np.exp({0})", "torch.exp({0})", "np.exp", r"\exp"),
    Primitive("log", lambda u: power(u, -1), "DLMF 4.7.1", "np.log({0})", "torch.log({0})", "np.log", r"\log"),
    Primitive(
        "log1p", lambda u: power(add(ONE, u), -1), "DLMF 4.7.1",
        "np.log1p({0})", "torch.log1p({0})", "np.log1p", r"\operatorname{log1p}",
        elementary=lambda u: Call("log", (add(ONE, u),)),
    ),
    Primitive(
        "expm1", _exp, "DLMF 4.7.7",
        "np.expm1({0})", "torch.expm1({0})", "np.expm1", r"\operatorname{expm1}",
        elementary=lambda u: add(_exp(u), negative(ONE)),
    ),
    Primitive(
        "sigmoid", lambda u: mul(Call("sigmoid", (u,)), add(ONE, negative(Call("sigmoid", (u,))))),
        "DLMF 4.7.7 and the quotient rule",
        "_sigmoid({0})", "torch.sigmoid({0})", None, r"\operatorname{sigmoid}",
        elementary=_sigmoid,
    ),
    Primitive(
        "tanh", lambda u: add(ONE, negative(power(Call("tanh", (u,)), 2))), "DLMF 4.34.9",
        "np.tanh({0})", "torch.tanh({0})", "np.tanh", r"\tanh",
        elementary=_tanh,
    ),
    Primitive(
        "sinh", _call("cosh"), "DLMF 4.34.7",
        "np.sinh({0})", "torch.sinh({0})", "np.sinh", r"\sinh",
        elementary=_half_of(-1),
    ),
    Primitive(
        "cosh", _call("sinh"), "DLMF 4.34.8",
        "np.cosh({0})", "torch.cosh({0})", "np.cosh", r"\cosh",
        elementary=_half_of(+1),
    ),
    Primitive("sin", _call("cos"), "DLMF 4.20.1", "np.sin({0})", "torch.sin({0})", "np.sin", r"\sin"),
    Primitive(
        "cos", lambda u: negative(Call("sin", (u,))), "DLMF 4.20.2",
        "np.cos({0})", "torch.cos({0})", "np.cos", r"\cos",
    ),
    Primitive(
        "tan", lambda u: add(ONE, power(Call("tan", (u,)), 2)), "DLMF 4.20.3",
        "np.tan({0})", "torch.tan({0})", "np.tan", r"\tan",
        elementary=lambda u: divide(Call("sin", (u,)), Call("cos", (u,))),
    ),
    Primitive(
        "atan", lambda u: power(add(ONE, power(u, 2)), -1), "DLMF 4.24.9",
        "np.arctan({0})", "torch.atan({0})", "np.arctan", r"\arctan",
    ),
    Primitive(
        "asin", lambda u: power(add(ONE, negative(power(u, 2))), Fraction(-1, 2)), "DLMF 4.24.7",
        "np.arcsin({0})", "torch.asin({0})", "np.arcsin", r"\arcsin",
    ),
    Primitive(
        "acos", lambda u: negative(power(add(ONE, negative(power(u, 2))), Fraction(-1, 2))), "DLMF 4.24.8",
        "np.arccos({0})", "torch.acos({0})", "np.arccos", r"\arccos",
    ),
    Primitive(
        "acosh", lambda u: power(add(power(u, 2), negative(ONE)), Fraction(-1, 2)), "DLMF 4.38.10, for u > 1",
        "np.arccosh({0})", "torch.acosh({0})", "np.arccosh", r"\operatorname{arcosh}",
    ),
    Primitive(
        "atanh", lambda u: power(add(ONE, negative(power(u, 2))), -1), "DLMF 4.38.11",
        "np.arctanh({0})", "torch.atanh({0})", "np.arctanh", r"\operatorname{artanh}",
    ),
    Primitive(
        "asinh", lambda u: power(add(ONE, power(u, 2)), Fraction(-1, 2)), "DLMF 4.38.9",
        "np.arcsinh({0})", "torch.asinh({0})", "np.arcsinh", r"\operatorname{arsinh}",
    ),
    Primitive(
        "erf", lambda u: mul(TWO, power(PI, Fraction(-1, 2)), _exp(negative(power(u, 2)))), "DLMF 7.2.1",
        "_erf({0})", "torch.erf({0})", None, r"\operatorname{erf}",
    ),
    Primitive(
        "erfc", lambda u: mul(negative(TWO), power(PI, Fraction(-1, 2)), _exp(negative(power(u, 2)))), "DLMF 7.2.2",
        "_erfc({0})", "torch.erfc({0})", None, r"\operatorname{erfc}",
        elementary=lambda u: add(ONE, negative(Call("erf", (u,)))),
    ),
    Primitive(
        "softplus", _call("sigmoid"), "log(1 + exp(u)), by the chain rule",
        "np.logaddexp(0, {0})", "torch.nn.functional.softplus({0})", None, r"\operatorname{softplus}",
        elementary=lambda u: Call("log", (add(ONE, _exp(u)),)),
    ),
    Primitive(
        "relu", lambda u: compare("<", ZERO, u), "u where u > 0, else 0; 0 at u = 0, as in PyTorch",
        "np.maximum({0}, 0)", "torch.relu({0})", None, r"\operatorname{relu}",
        elementary=lambda u: where(compare("<", ZERO, u), u, ZERO),
    ),
    Primitive(
        "abs", _call("sign"), "0 at u = 0, as in PyTorch",
        "np.abs({0})", "torch.abs({0})", "np.abs", r"\operatorname{abs}",
        elementary=lambda u: where(compare("<", u, ZERO), negative(u), u),
    ),
    Primitive(
        "sign", lambda _: ZERO, "constant away from 0; 0 at u = 0, as in PyTorch",
        "np.sign({0})", "torch.sign({0})", "np.sign", r"\operatorname{sign}",
        elementary=lambda u: add(compare("<", ZERO, u), negative(compare("<", u, ZERO))),
    ),
    Primitive(
        "lgamma", _call("digamma"), "DLMF 5.2.2",
        "_lgamma({0})", "torch.lgamma({0})", None, r"\operatorname{lgamma}",
    ),
    Primitive(
        "digamma", _no_derivative("digamma"), "its derivative, the trigamma function, is not supported",
        "_digamma({0})", "torch.digamma({0})", None, r"\psi",
    ),
    Primitive(
        "pi", lambda _: ZERO, "a constant: pi takes no argument",
        "math.pi", "math.pi", None, r"\pi",
    ),
)  # fmt: skip

PRIMITIVES: dict[str, Primitive] = {row.name: row for row in _ROWS}

ALIASES: dict[str, Unary] = {
    "sqrt": lambda u: power(u, Fraction(1, 2)),
    "rsqrt": lambda u: power(u, Fraction(-1, 2)),
    "square": lambda u: power(u, 2),
}
"""Functions of the notation that are powers, not nodes of their own."""
