"""The scalar functions of the notation and of SymPy, one row each, and the shapes in which SymPy keeps formulas."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import sympy
from sympy.codegen.cfunctions import expm1, log1p

NAMES: Mapping[str, Any] = {
    "exp": sympy.exp, "log": sympy.log, "log1p": log1p, "expm1": expm1,
    "sin": sympy.sin, "cos": sympy.cos, "tan": sympy.tan,
    "sinh": sympy.sinh, "cosh": sympy.cosh, "tanh": sympy.tanh,
    "atan": sympy.atan, "asinh": sympy.asinh, "erf": sympy.erf, "erfc": sympy.erfc,
    "abs": sympy.Abs, "sign": sympy.sign, "lgamma": sympy.loggamma,
}  # fmt: skip
"""Functions that SymPy has itself; both sides mean the same for real arguments."""

FORMULAS: Mapping[str, Callable[..., Any]] = {
    "pow": sympy.Pow,
    "sigmoid": lambda u: 1 / (1 + sympy.exp(-u)),
    "softplus": lambda u: sympy.log(1 + sympy.exp(u)),
    "relu": lambda u: sympy.Piecewise((u, u > 0), (0, True)),
    "digamma": sympy.digamma,
    "abs": lambda u: sympy.Abs(u, evaluate=not u.is_Add),
}
"""Functions that SymPy spells through others.

relu is a choice, not Max(u, 0): its derivative at 0 is 0. |z - t| keeps its sign, which SymPy would choose anew.
"""

KNOWN = tuple(sorted([*(cls.__name__ for cls in NAMES.values()), "digamma", "Max", "Min", "sqrt", "Heaviside"]))
"""The names of what `from_sympy` reads, for its errors."""


def one_plus_exp(node: Any) -> Any | None:
    """U where `node` is 1 + exp(u); else None: the inside of a sigmoid's denominator and of a softplus."""
    if not node.is_Add or len(node.args) != 2:
        return None
    one, other = node.args
    return other.args[0] if one == 1 and isinstance(other, sympy.exp) else None


def is_division(node: Any) -> bool:
    """Whether a node is written behind a /: a negative power that is no sigmoid."""
    if not isinstance(node, sympy.Pow) or not node.exp.is_Rational or not node.exp.is_negative:
        return False
    return one_plus_exp(node.base) is None


def is_minus(term: Any) -> bool:
    """Whether a term has a negative number as a factor."""
    return isinstance(term, sympy.Expr) and bool(term.as_coeff_Mul()[0].is_negative)


def decimal(node: Any) -> str:
    """A float as a decimal without closing zeros."""
    mantissa, mark, exponent = str(node).partition("e")
    return (mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa) + mark + exponent
