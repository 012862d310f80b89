"""Formulas about a layer from text, for the tests of evaluation."""

from __future__ import annotations

from collections.abc import Mapping

from symgrad.algebra.terms import Index, Term
from symgrad.notation.expression import Reader, Scope
from symgrad.notation.layer import Layer
from symgrad.notation.letters import Letters
from symgrad.notation.library import from_text
from symgrad.notation.lines import Statement

MERGED = """
input     x[c, i]
parameter w[c], beta[c]
target    t[c, i]

mu[c]   = mean[i](x[c, i])
var[c]  = mean[i]((x[c, i] - mu[c])**2)
y[c, i] = w[c] * (x[c, i] - mu[c]) / sqrt(var[c]) + beta[c]
z[c, i] = 1 / (1 + exp(-y[c, i]))
L       = mean[c, i]((z[c, i] - t[c, i])**2)

output    L
"""
"""The article's network with its samples and positions as one index, and without eps."""


def merged() -> Layer:
    return from_text(MERGED, "merged")


def term(text: str, layer: Layer, joined: Mapping[str, str] | None = None) -> Term:
    """The term of a formula; `joined` says which letters beside the layer's run over which axis."""
    letters = Letters()
    for axis in layer.axes:
        letters.declare(axis.name, axis.name)
    statement = Statement("<test>", 1, text)
    for letter, axis in (joined or {}).items():
        letters.join(letter, axis, statement.origin(0), "the layer")

    def lookup(name: str) -> tuple[Index, ...] | None:
        return layer.indices(name.removeprefix("d_"))

    names = [*(t.name for t in layer.tensors), *(d.name for d in layer.definitions)]
    read = Reader(statement, 0, Scope(lookup, lambda: names, letters, derivatives=True)).read()
    return letters.resolve(read)
