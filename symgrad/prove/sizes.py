"""Lengths of axes to try: small ones first, different ones, those that fit where entries are shifted."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Mapping
from fractions import Fraction
from math import prod

from symgrad.errors import SymgradError
from symgrad.notation.layer import Layer
from symgrad.notation.lengths import given_axes, sizes_from

LARGEST = 4
"""The longest axis that is tried, but for those on which entries are shifted."""
DRAWN = 400
"""How many lengths are drawn for a layer with shifted entries, of which the smallest that fit are tried."""
TRIED = 40
MOST_ADDED = 30

Trial = tuple[dict[str, int], dict[str, Fraction]]
"""The lengths of all axes, and the values of the whole constants that they follow from."""


def sizes_of(layer: Layer, fixed: Mapping[str, Fraction]) -> Iterator[Trial]:
    """Lengths of a layer's axes, all different where there are at most four axes, small ones first.

    Args:
        layer: whose axes they are.
        fixed: constants that have a value already.
    """
    if any(constant.is_whole for constant in layer.constants) or layer.fits or _has_lengths(layer):
        yield from _fitting(layer, fixed)
        return
    names = [axis.name for axis in layer.axes]
    lengths = range(1, LARGEST + 1)
    choices = list(itertools.permutations(lengths, len(names)))
    if not choices:
        shifted = [tuple((place + shift) % LARGEST + 1 for place in range(len(names))) for shift in lengths]
        choices = sorted(shifted)
    choices.sort(key=lambda each: (prod(each), each))
    yield from ((dict(zip(names, each, strict=True)), {}) for each in choices)


def fitted(layer: Layer, wanted: Mapping[str, int], constants: Mapping[str, Fraction] | None = None) -> dict[str, int]:
    """Lengths close to those wanted that fit: axes on which entries are shifted are made longer until they do.

    Args:
        layer: whose axes they are.
        wanted: a length for each axis that the declared tensors have; others are not read.
        constants: the values of whole constants; their defaults by default.
    """
    values = {c.name: c.default for c in layer.constants if c.is_whole} | dict(constants or {})
    given = {axis: wanted[axis] for axis in given_axes(layer)}
    wide = [axis for axis in given if any(fit.axis == axis for fit in layer.fits)]
    for more in range(MOST_ADDED):
        sizes = sizes_from(layer, {axis: n + more * (axis in wide) for axis, n in given.items()}, values)
        if sizes is not None:
            return {axis.name: sizes[axis.name] for axis in layer.axes}
    raise SymgradError(f"no small lengths fit the shifted entries of {layer.name}.")


def _has_lengths(layer: Layer) -> bool:
    return any(axis.length is not None for axis in layer.axes)


def _fitting(layer: Layer, fixed: Mapping[str, Fraction]) -> Iterator[Trial]:
    """Lengths and whole constants, drawn, where every entry fits."""
    rng = random.Random(len(layer.axes))
    wide = {fit.axis for fit in layer.fits}
    found: dict[tuple[int, ...], Trial] = {}
    for _ in range(DRAWN):
        given = {axis: rng.randint(1, LARGEST + 2 * (axis in wide)) for axis in given_axes(layer)}
        whole = {
            c.name: fixed.get(c.name, rng.choice((c.default, c.default, Fraction(1), Fraction(2), Fraction(3))))
            for c in layer.constants
            if c.is_whole
        }
        sizes = sizes_from(layer, given, whole)
        if sizes is not None:
            found.setdefault((*sizes.values(), *map(int, whole.values())), (sizes, whole))
    ordered = sorted(found.items(), key=lambda item: (sum(item[1][0].values()), item[0]))
    small, rest = ordered[: TRIED // 2], ordered[TRIED // 2 :]
    step = max(1, len(rest) // (TRIED // 2))
    yield from (trial for _, trial in [*small, *rest[::step]])
