"""Outputs that other definitions use: their own upstream gradient is kept apart from what comes back."""

from __future__ import annotations

from dataclasses import replace

from symgrad.algebra.binding import substitute
from symgrad.algebra.terms import Entry, Term
from symgrad.notation.layer import Definition, Layer


def with_separate_outputs(layer: Layer, word: str = "value") -> Layer:
    """The layer with an output u that is used further written as u = u_value, which is what is used.

    `d_u` is then the upstream gradient alone, and `d_u.u_value` the gradient by all paths; `word` is what
    stands in the place of "value".
    """
    used = {name for definition in layer.definitions for name in definition.body.names}
    shared = {name: f"{name}.{name}_{word}" for name in layer.outputs if name in used}
    if not shared:
        return layer

    def inner(entry: Entry) -> Term | None:
        return Entry(shared[entry.name], entry.indices) if entry.name in shared else None

    definitions: list[Definition] = []
    for definition in layer.definitions:
        name = shared.get(definition.name)
        body = substitute(definition.body, inner)
        definitions.append(replace(definition, name=name or definition.name, body=body))
        if name is not None:
            definitions.append(replace(definition, body=Entry(name, definition.indices)))
    return replace(layer, definitions=tuple(definitions))
