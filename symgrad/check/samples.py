"""Inputs of the kind that a layer is made for: probabilities, labels, positive numbers, extremes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from symgrad.algebra.terms import Index, Num, walk
from symgrad.notation.layer import Layer, Tensor
from symgrad.prove.evaluate import Evaluator, Point
from symgrad.prove.floats import Floats
from symgrad.prove.numbers import EvaluationError
from symgrad.prove.sizes import fitted

Array = Any
Random = Any
Shape = Sequence[int]
Draw = Callable[[Random, Shape], Array]

LARGE = 1e4
"""Extreme inputs are this large; the mean of inputs far from zero is."""


@dataclass(frozen=True)
class Kind:
    """What the numbers of a tensor are: how to draw them, and the values at the edge.

    Without `edges` the extreme values are ordinary ones. A kind with `free` takes any number, so
    that it may be shifted, and set to extremes and to the numbers of the layer's own formulas.
    """

    draw: Draw
    edges: tuple[float, ...] = ()
    free: bool = False


def _share(random: Random, shape: Shape) -> Array:
    return random.uniform(0, 1, shape) * (random.uniform(0, 1, shape) > 0.1)


KINDS: dict[str, Kind] = {
    "any": Kind(lambda random, shape: random.normal(size=shape), (0, 1, -1, LARGE, -LARGE), free=True),
    "tieless": Kind(lambda random, shape: random.normal(size=shape)),
    "score": Kind(lambda random, shape: random.normal(size=shape), (0, 1, -1, 30, -30)),
    "positive": Kind(lambda random, shape: random.uniform(0.1, 3, shape), (1 / LARGE, 1, LARGE)),
    "unit": Kind(lambda random, shape: random.uniform(0.01, 0.99, shape), (1e-6, 0.5, 1 - 1e-6)),
    "share": Kind(_share, (0, 0.5, 1)),
    "binary": Kind(lambda random, shape: random.choice((0.0, 1.0), shape)),
    "sign": Kind(lambda random, shape: random.choice((-1.0, 1.0), shape)),
    "count": Kind(lambda random, shape: random.poisson(2, shape).astype(float), (0, 1, 100)),
}
"""`share` is a probability that may be 0; `binary` and `sign` are labels.

`score` is for what is multiplied and then exponentiated: 30 * 30 is beyond what exp holds, and far
larger scores would be nothing but their rounding after it. `tieless` numbers are never equal.
"""


def kinds_of(layer: Layer, known: Mapping[str, str]) -> dict[str, str]:
    """A kind for each tensor: as known, else the first for which the layer has a value.

    A layer with the logarithm or the root of an input gets positive numbers, one with log(1 - p)
    numbers between 0 and 1. Where no kind fits all, any number is taken.
    """
    for kind in ("any", "positive", "unit"):
        found = {t.name: known.get(t.name, kind) for t in layer.tensors}
        if _has_value(layer, found):
            return found
    return {t.name: known.get(t.name, "any") for t in layer.tensors}


def _has_value(layer: Layer, kinds: Mapping[str, str]) -> bool:
    """Whether every entry of the layer's outputs has a value at some small random point."""
    lengths = {name: (n,) for name, n in fitted(layer, {axis.name: 2 for axis in layer.axes}).items()}
    random = np.random.default_rng(0)
    point = point_of(layer, lengths, sample(layer, lengths, kinds, random, ordinary))
    evaluator = Evaluator(layer, point, Floats())
    try:
        for name in layer.outputs:
            for key in point.keys(layer.indices(name) or ()):
                evaluator.entry(name, key)
    except EvaluationError:
        return False
    return True


Lengths = Mapping[str, tuple[int, ...]]
"""The dimensions of each axis: several, or none, for a variadic one."""


def shape_of(indices: Sequence[Index], lengths: Lengths) -> tuple[int, ...]:
    """The shape of a tensor with these indices."""
    return tuple(length for index in indices for length in lengths[index.axis])


Style = Callable[[Layer, Tensor, Kind, Random, Shape], Array]
"""Draws the numbers of one tensor."""


def sample(layer: Layer, lengths: Lengths, kinds: Mapping[str, str], random: Random, style: Style) -> dict[str, Array]:
    """An array of float64 for each tensor of a layer; of whole numbers for labels."""
    found = {}
    for tensor in layer.tensors:
        shape = shape_of(tensor.indices, lengths)
        if tensor.role == "label":
            (length,) = lengths[tensor.into]
            found[tensor.name] = random.integers(0, length, shape)
        else:
            drawn = style(layer, tensor, KINDS[kinds[tensor.name]], random, shape)
            found[tensor.name] = np.asarray(drawn, dtype=np.float64)
    return found


def ordinary(layer: Layer, tensor: Tensor, kind: Kind, random: Random, shape: Shape) -> Array:  # noqa: ARG001 - a Style
    """Numbers around 1."""
    return kind.draw(random, shape)


def shifted(layer: Layer, tensor: Tensor, kind: Kind, random: Random, shape: Shape) -> Array:  # noqa: ARG001 - a Style
    """Inputs with a large mean and standard deviation 1."""
    values = kind.draw(random, shape)
    return values + LARGE if kind.free and tensor.role == "input" else values


def extreme(layer: Layer, tensor: Tensor, kind: Kind, random: Random, shape: Shape) -> Array:
    """0, large numbers, and those that stand in the layer's formulas: ties, and places of no derivative."""
    if not kind.edges or tensor.role == "parameter":
        return kind.draw(random, shape)
    return random.choice(sorted({*kind.edges, *(_numbers(layer) if kind.free else ())}), shape)


def _numbers(layer: Layer) -> set[float]:
    """The numbers of the layer's equations, the defaults of its constants, and their negatives."""
    found = {c.default for c in layer.constants}
    found |= {node.value for d in layer.definitions for node in walk(d.body) if isinstance(node, Num)}
    return {float(sign * value) for value in found for sign in (1, -1)}


def point_of(layer: Layer, lengths: Lengths, arrays: Mapping[str, Array]) -> Point:
    """Arrays as a point of the evaluator, exactly; each axis must have one dimension.

    Constants have their defaults. Upstream gradients are among the arrays, as "d_y".
    """
    sizes = {name: length for name, (length,) in lengths.items()}
    values: dict[str, dict[tuple[int, ...], Fraction]] = {
        name: {key: Fraction(float(array[key])) for key in np.ndindex(*array.shape)} for name, array in arrays.items()
    }
    return Point(sizes, values | {c.name: {(): c.default} for c in layer.constants})


def sensible_point(
    layer: Layer, sizes: Mapping[str, int], seed: int = 0, known: Mapping[str, str] | None = None
) -> Point:
    """Ordinary numbers for everything that a layer is given, of kinds for which it has values.

    Upstream gradients are included, and are not 0 or 1: one that is left out shows.
    """
    random = np.random.default_rng(seed)
    lengths = {name: (length,) for name, length in sizes.items()}
    arrays = sample(layer, lengths, kinds_of(layer, known or {}), random, ordinary)
    for name in layer.outputs:
        arrays[f"d_{name}"] = np.asarray(random.normal(2, 0.5, shape_of(layer.indices(name) or (), lengths)))
    return point_of(layer, lengths, arrays)
