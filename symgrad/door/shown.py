"""What every object of the Python door has in common: it shows itself, as text, LaTeX and HTML."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from symgrad.render.parts import Part, as_html, as_latex


class Shown:
    """Base: a subclass says its text (`__str__`) and its parts."""

    def __init_subclass__(cls) -> None:
        cls._repr_pretty_ = Shown._repr_pretty_  # type: ignore[method-assign]  # IPython prefers a nearer __repr__

    def _parts(self) -> Iterable[Part]:
        raise NotImplementedError

    def latex(self) -> str:
        """LaTeX in which formulas stand between $$; amsmath and MathJax both set it."""
        return as_latex(self._parts())

    def html(self) -> str:
        """HTML in which formulas stand between $$, for MathJax; names and texts are escaped."""
        return as_html(self._parts())

    def _repr_latex_(self) -> str:
        return self.latex()

    def _repr_html_(self) -> str:
        return self.html()

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """IPython's terminal shows the whole text."""
        printer.text(repr(self) if cycle else str(self))
