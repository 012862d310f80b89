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

from symgrad.algebra.terms import ONE, TWO, Call, Term, add, divide, mul, negative, power

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
)  # fmt: skip

PRIMITIVES: dict[str, Primitive] = {row.name: row for row in _ROWS}

ALIASES: dict[str, Unary] = {
    "sqrt": lambda u: power(u, Fraction(1, 2)),
    "rsqrt": lambda u: power(u, Fraction(-1, 2)),
    "square": lambda u: power(u, 2),
}
"""Functions of the notation that are powers, not nodes of their own."""
