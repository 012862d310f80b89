"""How the names of a layer are displayed: Greek letters, σ² for `var`, μ for `y.mu`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from symgrad.algebra.terms import Diff, Entry
from symgrad.notation.layer import Layer

_NAMES = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon phi chi psi "
    "omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega"
)
GREEK: Mapping[str, str] = dict(zip(_NAMES.split(), "αβγδεζηθικλμνξπρστυφχψωΓΔΘΛΞΠΣΥΦΨΩ", strict=True))
"""The Greek letters that have a LaTeX macro of the same name."""
SHORT = {"eps": "epsilon", "lam": "lambda"}
"""Names that stand for a Greek letter whose own name is long, or a Python keyword."""
RESERVED = frozenset((("N", ""),))
"""What the printers use themselves: N is the length of an axis."""


@dataclass(frozen=True)
class Symbol:
    r"""How one name is displayed, without its indices.

    Attributes:
        latex: \mu, x, \mathrm{loss}.
        unicode: μ, x, loss; with the square and the owner: y.σ².
        plain: the name in ASCII: mu, y.var.
        squared: whether the symbol carries a square, as the variance σ² does.
        owner: what tells it from namesakes, ready for a LaTeX superscript; else empty.
    """

    latex: str
    unicode: str
    plain: str
    squared: bool = False
    owner: str = ""

    @property
    def has_superscript(self) -> bool:
        """Whether a power needs parentheses around the symbol."""
        return self.squared or bool(self.owner)


@dataclass(frozen=True)
class Names:
    """The symbols of a layer's names. Make it with `Names.of`.

    Attributes:
        symbols: for each name of the layer.
        loss: the scalar by which gradients are taken: the layer's scalar output, else ℒ.
        from_zero: whether indices are counted from 0, which matters where places are computed.
        direct: names from which several paths lead to the loss, one of them direct: the derivative along that
            one is not the gradient, and is displayed as ∂L/∂x|direct.
    """

    symbols: Mapping[str, Symbol]
    loss: Symbol
    from_zero: bool = False
    direct: frozenset[str] = frozenset()

    @classmethod
    def of(cls, layer: Layer) -> Names:
        """The symbols of a layer; no two names share one."""
        known = [*(t.name for t in layer.tensors), *(c.name for c in layer.constants)]
        known += [definition.name for definition in layer.definitions]
        last = Counter(name.rpartition(".")[2] for name in known)
        symbols: dict[str, Symbol] = {}
        used = set(RESERVED)
        for name in known:
            owner, _, own = name.rpartition(".")
            found = _symbol(own, owner if last[own] > 1 else "")
            if (found.latex, found.owner) in used:
                found = _upright(own, owner if last[own] > 1 else "")
            used.add((found.latex, found.owner))
            symbols[name] = found
        loss = symbols[layer.outputs[0]] if layer.scalar_output else Symbol(r"\mathcal{L}", "ℒ", "L")
        return cls(symbols, loss, bool(layer.fits or layer.labels), _direct(layer))

    def is_direct(self, derivative: Diff) -> bool:
        """Whether it is the derivative of the loss along the direct path, where there are others."""
        body = derivative.body
        own = isinstance(body, Entry) and not body.indices and self.symbols.get(body.name) == self.loss
        return own and not derivative.total and derivative.wrt.name in self.direct

    def symbol(self, name: str) -> Symbol:
        """The symbol of a name; one that the layer does not know is shown in full."""
        owner, _, own = name.rpartition(".")
        return self.symbols.get(name) or _symbol(own, owner)


def _direct(layer: Layer) -> frozenset[str]:
    """The names in a scalar output's own equation from which other paths lead to it too."""
    definition = layer.definition(layer.outputs[0]) if layer.scalar_output else None
    if definition is None:
        return frozenset()
    through: set[str] = set()
    for other in reversed([each for each in layer.definitions if each != definition]):
        if other.name in definition.body.names | through:
            through |= other.body.names
    return frozenset(definition.body.names & through)


def gradient_of(name: str) -> str | None:
    """The name by which `d_y` takes the derivative, y; None where the name is not a gradient's."""
    return name[2:] if name.startswith("d_") and len(name) > 2 else None


def letter(name: str) -> Symbol:
    """An index letter, or the name of an axis: i, α, row, s1 as s with subscript 1."""
    match = re.fullmatch(r"([A-Za-z])(\d+)", name)
    if match:
        return Symbol(f"{match[1]}_{{{match[2]}}}", name, name)
    return _symbol(name, "", squares=False)


def escape_latex(text: str) -> str:
    r"""Text that stands for itself inside \mathrm{…}: nothing of it can be markup."""
    return escape_text(text).replace("_", r"\_")


def escape_text(text: str) -> str:
    """Text without anything that a terminal or a browser could take for a command."""
    return re.sub(r"[^A-Za-z0-9_.]", "?", text)


def _symbol(name: str, owner: str, *, squares: bool = True) -> Symbol:
    """The symbol of one part of a name; `owner` is the part before the dot where it is needed."""
    if name == "var" and squares:
        return _owned(r"\sigma", "σ²", name, owner, squared=True)
    greek = SHORT.get(name, name)
    if greek in GREEK:
        return _owned(f"\\{greek}", GREEK[greek], name, owner)
    if len(name) == 1 and name.isascii() and name.isalpha():
        return _owned(name, name, name, owner)
    return _upright(name, owner)


def _upright(name: str, owner: str) -> Symbol:
    """A name spelled out in upright letters."""
    return _owned(rf"\mathrm{{{escape_latex(name)}}}", escape_text(name), name, owner)


def _owned(latex: str, unicode: str, name: str, owner: str, *, squared: bool = False) -> Symbol:
    prefix = f"{escape_text(owner)}." if owner else ""
    superscript = ""
    if owner:
        single = len(owner) == 1 and owner.isalpha() and owner.isascii()
        superscript = f"({owner})" if single else rf"(\mathrm{{{escape_latex(owner)}}})"
    return Symbol(latex, prefix + unicode, prefix + escape_text(name), squared, superscript)
