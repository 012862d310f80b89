"""The largest and the smallest value over an axis, as SymPy expressions: what SymPy has no class for."""

from __future__ import annotations

from itertools import product
from typing import Any, ClassVar

import sympy
from sympy.concrete.expr_with_limits import ExprWithLimits


class _Over(ExprWithLimits):  # type: ignore[misc]
    """A value taken over ranges (k, 0, N - 1), as `Sum` takes a sum."""

    head: ClassVar[Any]
    macro: ClassVar[str]

    def doit(self, **hints: Any) -> Any:
        """The value over explicit ranges; the expression itself while a length is a symbol."""
        body = self.function.doit(**hints) if hints.get("deep", True) else self.function
        limits = [(letter, *(bound.doit(**hints) for bound in bounds)) for letter, *bounds in self.limits]
        if not all(bound.is_Integer for _, *bounds in limits for bound in bounds):
            return self.func(body, *limits)
        letters = [letter for letter, *_ in limits]
        places = product(*(range(int(low), int(high) + 1) for _, low, high in limits))
        return self.head(*(body.xreplace(dict(zip(letters, map(sympy.Integer, at), strict=True))) for at in places))

    def _eval_is_extended_real(self) -> Any:
        return self.function.is_extended_real

    def _latex(self, printer: Any, exp: str = "") -> str:
        letters = ",".join(printer._print(letter) for letter, *_ in self.limits)
        text = rf"{self.macro}_{{{letters}}} \left({printer._print(self.function)}\right)"
        return rf"\left({text}\right)^{{{exp}}}" if exp else text


class MaxOver(_Over):
    """The largest value of an expression over ranges: `MaxOver(x[i], (i, 0, N - 1))`."""

    head = sympy.Max
    macro = r"\max"


class MinOver(_Over):
    """The smallest value of an expression over ranges: `MinOver(x[i], (i, 0, N - 1))`."""

    head = sympy.Min
    macro = r"\min"
