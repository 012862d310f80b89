"""A layer with some of its constants set to numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction

from symgrad.algebra.binding import substitute
from symgrad.algebra.terms import Entry, Num, Term
from symgrad.notation.layer import Fit, Layer


def bind_constants(layer: Layer, values: Mapping[str, Fraction]) -> Layer:
    """The layer with the given constants replaced by exact numbers, and no longer among its arguments."""

    def value(entry: Entry) -> Term | None:
        return Num(values[entry.name]) if entry.name in values else None

    return replace(
        layer,
        axes=tuple(replace(a, length=substitute(a.length, value)) if a.length else a for a in layer.axes),
        fits=tuple(_bound(fit, value) for fit in layer.fits),
        constants=tuple(c for c in layer.constants if c.name not in values),
        definitions=tuple(replace(d, body=substitute(d.body, value)) for d in layer.definitions),
        order=tuple(name for name in layer.order if name not in values),
    )


def _bound(fit: Fit, value: Callable[[Entry], Term | None]) -> Fit:
    """A shifted entry with numbers for constants."""
    padding = None if fit.padding is None else substitute(fit.padding, value)
    return replace(fit, value=substitute(fit.value, value), padding=padding)
