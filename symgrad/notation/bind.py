"""A layer with some of its constants set to numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction

from symgrad.algebra.binding import substitute
from symgrad.algebra.terms import Entry, Num, Term
from symgrad.notation.layer import Layer


def bind_constants(layer: Layer, values: Mapping[str, Fraction]) -> Layer:
    """The layer with the given constants replaced by exact numbers, and no longer among its arguments."""

    def value(entry: Entry) -> Term | None:
        return Num(values[entry.name]) if entry.name in values else None

    return replace(
        layer,
        constants=tuple(c for c in layer.constants if c.name not in values),
        definitions=tuple(replace(d, body=substitute(d.body, value)) for d in layer.definitions),
        order=tuple(name for name in layer.order if name not in values),
    )
