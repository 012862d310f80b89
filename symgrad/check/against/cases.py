"""The cases that a kernel is run in, and their numbers.

Lengths of axes are never all alike, so that no N can stand in the place of another; each axis is 1
once; upstream gradients are random, because a sum's own (all ones) hides most mistakes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np

from symgrad.check.against.layouts import LAYOUTS
from symgrad.check.against.records import Array, Case, Data
from symgrad.check.samples import (
    Kind,
    Lengths,
    Random,
    Shape,
    Style,
    extreme,
    kinds_of,
    ordinary,
    sample,
    shape_of,
    shifted,
)
from symgrad.notation.layer import Layer, Tensor
from symgrad.notation.lengths import given_axes
from symgrad.prove.sizes import fitted

RANKS: tuple[tuple[int, ...], ...] = ((4,), (2, 3), (), (2, 1, 3))
"""Dimensions of a variadic axis: one, two, none, three."""
_FIRST = (3, 2, 5, 4, 2, 3)
_SIZES = ((4, 3, 2, 5, 3, 2), (7, 2, 3, 2, 4, 3), (2, 5, 7, 3, 3, 2))
_LARGE = (11, 5, 16, 4, 3, 2)
_MOST_PLACES = 200_000
"""Layers with shifted entries have many axes: their cases get no more places than that, over all axes together."""


def lengths_of(layer: Layer, sizes: Sequence[int], inner: tuple[int, ...]) -> Lengths:
    """`sizes` for the plain axes in order, `inner` for variadic ones; where entries are shifted, those that fit."""
    plain = [axis.name for axis in layer.axes if not axis.variadic]
    given = [sizes[place % len(sizes)] for place in range(len(plain))]
    found = {a: (n,) for a, n in zip(plain, given, strict=True)} | {a.name: inner for a in layer.axes if a.variadic}
    fit = fitting(layer, found, {}, least=2)
    while fit is not found and math.prod(math.prod(n) for n in fit.values()) > _MOST_PLACES:
        longest = max(given_axes(layer), key=lambda axis: math.prod(found[axis]) if len(found[axis]) == 1 else 0)
        found[longest] = (found[longest][0] - 1,)
        fit = fitting(layer, found, {}, least=2)
    return fit


def fitting(layer: Layer, lengths: Lengths, constants: Mapping[str, float], least: int) -> Lengths:
    """Lengths of all axes that fit where entries are shifted; as they are where none is.

    Args:
        layer: whose axes they are.
        lengths: of the axes that its tensors have; an axis on which entries are shifted may become longer.
        constants: values of constants that do not have their defaults.
        least: the shortest length of an axis whose length follows from others.
    """
    if not layer.fits and all(axis.length is None for axis in layer.axes):
        return lengths
    whole = {c.name: Fraction(constants[c.name]) for c in layer.constants if c.is_whole and c.name in constants}
    wanted = {axis: math.prod(inner) for axis, inner in lengths.items()}
    given, wide = given_axes(layer), {fit.axis for fit in layer.fits}
    for _ in range(_MOST_LONGER):
        sizes = fitted(layer, wanted, whole)
        short = [axis.name for axis in layer.axes if axis.name not in given and sizes[axis.name] < least]
        if not short:
            break
        wanted |= {axis: sizes[axis] + 1 for axis in wide}
    return {a.name: lengths[a.name] if a.variadic else (sizes[a.name],) for a in layer.axes}


_MOST_LONGER = 12


def first_cases(layer: Layer) -> list[Case]:
    """An ordinary case for each number of dimensions that a variadic axis may stand for."""
    variadic = any(axis.variadic for axis in layer.axes)
    return [Case(lengths_of(layer, _FIRST, inner)) for inner in (RANKS if variadic else RANKS[:1])]


def all_cases(
    layer: Layer, ranks: Sequence[tuple[int, ...]], dtypes: Sequence[str], fixed: Sequence[str]
) -> list[Case]:
    """Every case, without repetition.

    Args:
        layer: whose axes they are about.
        ranks: the dimensions of a variadic axis that the kernel takes, the first its main ones.
        dtypes: those to try; the first is float64.
        fixed: constants that the kernel does not take.
    """
    main = lengths_of(layer, _FIRST, ranks[0])
    found = [Case(lengths_of(layer, _FIRST, inner), seed=seed) for inner in ranks for seed in (0, 1)]
    found += [Case(lengths_of(layer, sizes, ranks[n % len(ranks)])) for n, sizes in enumerate(_SIZES)]
    found += [Case({**main, axis.name: (1,) * len(main[axis.name])}) for axis in layer.axes if main[axis.name]]
    found += [Case({axis: (1,) * len(inner) for axis, inner in main.items()})]
    found += [Case(lengths_of(layer, _LARGE, tuple(n + 3 for n in ranks[0])))]
    first = Case(main)
    if len(fixed) < len(layer.constants):
        found += [replace(case, constants="other") for case in found[:4]]
    found += [replace(first, upstream="ones"), replace(found[-1], upstream="ones")]
    for inner in ranks[:2]:
        case = Case(lengths_of(layer, _FIRST, inner))
        found += [replace(case, layout=layout) for layout in LAYOUTS[1:]]
        found += [replace(case, layout="strided", upstream="ones")]
    found += [replace(first, data=style, seed=seed) for style in list(STYLES)[1:] for seed in (0, 1)]
    if len(layer.differentiable) > 1 and "bfloat16" in dtypes:  # only torch knows which gradients are wanted
        found += [replace(first, wanted=tensor.name) for tensor in layer.differentiable]
    found += [case for dtype in dtypes[1:] for case in _in_dtype(layer, first, dtype, ranks)]
    other = {name: value for name, value in other_constants(layer).items() if name not in fixed}
    return _once([_fitted(layer, case, other if case.constants == "other" else {}) for case in found])


def _fitted(layer: Layer, case: Case, constants: Mapping[str, float]) -> Case:
    """The case with lengths that fit its constants."""
    shortest = min((n for inner in case.lengths.values() for n in inner), default=1)
    return replace(case, lengths=fitting(layer, case.lengths, constants, least=min(shortest, 2)))


def _in_dtype(layer: Layer, first: Case, dtype: str, ranks: Sequence[tuple[int, ...]]) -> Iterator[Case]:
    """The cases of a narrower type; extreme numbers only where it holds them."""
    large = lengths_of(layer, _LARGE, tuple(n + 3 for n in ranks[0]))
    yield replace(first, dtype=dtype)
    yield replace(first, dtype=dtype, layout="strided")
    yield Case(large, dtype=dtype)
    yield Case(large, dtype=dtype, upstream="ones")
    if dtype == "float32":
        for style in list(STYLES)[1:]:
            yield Case(large, dtype=dtype, data=style)


def _once(cases: list[Case]) -> list[Case]:
    found: list[Case] = []
    for case in cases:
        if case not in found:
            found.append(case)
    return found


def _scaled(by: float) -> Style:
    def style(layer: Layer, tensor: Tensor, kind: Kind, random: Random, shape: Shape) -> Array:  # noqa: ARG001
        values = kind.draw(random, shape)
        return values * by if kind.free and tensor.role == "input" else values

    return style


def _equal(layer: Layer, tensor: Tensor, kind: Kind, random: Random, shape: Shape) -> Array:  # noqa: ARG001
    """Inputs that are one number: every difference from a mean is 0."""
    values = kind.draw(random, shape)
    return np.full(shape, values.flat[0]) if tensor.role == "input" and values.size else values


def _ties(layer: Layer, tensor: Tensor, kind: Kind, random: Random, shape: Shape) -> Array:  # noqa: ARG001
    """Small whole numbers: zeros, and many that are equal."""
    return random.integers(-2, 3, shape).astype(float) if kind.free else kind.draw(random, shape)


def _zeros(layer: Layer, tensor: Tensor, kind: Kind, random: Random, shape: Shape) -> Array:  # noqa: ARG001
    """Parameters of which some are 0, as after initialization."""
    values = np.asarray(kind.draw(random, shape))
    return values * (random.uniform(size=shape) < 0.5) if kind.free and tensor.role == "parameter" else values


STYLES: dict[str, Style] = {
    "ordinary": ordinary,
    "a large mean": shifted,
    "large numbers": _scaled(1e3),
    "small numbers": _scaled(1e-3),
    "equal numbers": _equal,
    "ties and zeros": _ties,
    "zero parameters": _zeros,
    "extreme numbers": extreme,
}
"""The styles of numbers, by their names in reports; `ordinary` comes first."""


def other_constants(layer: Layer) -> dict[str, float]:
    """A value for each constant that is not its default: 0.1 for a tiny one, a quarter more for others.

    Whole constants are one more, or one less where another one is that already: a window is not a stride.
    """
    found: dict[str, float] = {}
    for c in layer.constants:
        if c.is_whole:
            whole = (int(c.default) + step for step in (1, -1, 2, 3, 4))
            found[c.name] = next(n for n in whole if n > 0 and n not in found.values())
        else:
            found[c.name] = 0.1 if abs(c.default) <= 0.01 else float(c.default) * 1.25
    return found


class Sampler:
    """Draws the numbers of cases for one layer.

    Args:
        layer: whose tensors get numbers.
        fixed: constants that stay at their defaults.
        targets: the kind of the targets' numbers (see samples.KINDS), where it is not any number.
        every: the kind of all tensors' numbers, where the kernel refuses others.
    """

    def __init__(self, layer: Layer, fixed: Sequence[str] = (), targets: str = "", every: str = "") -> None:
        known = {t.name: every for t in layer.tensors if every}
        known |= {t.name: targets for t in layer.tensors if t.role == "target" and targets}
        self.layer, self.every, self.kinds = layer, every, kinds_of(layer, known)
        self.defaults: dict[str, float] = {c.name: c.value for c in layer.constants}
        self.other = {n: v for n, v in other_constants(layer).items() if n not in fixed}

    def data(self, case: Case) -> Data:
        """The numbers of a case; the same every time."""
        random = np.random.default_rng([case.seed, 7])
        tensors = sample(self.layer, case.lengths, self.kinds, random, STYLES[case.data])
        cotangents = {}
        for name in self.layer.outputs:
            shape = shape_of(self.layer.entry(name).indices, case.lengths)
            drawn = random.normal(size=shape) + (0.5 if shape else 2.5)
            cotangents[name] = np.ones(shape) if case.upstream == "ones" else np.asarray(drawn)
        constants = self.defaults | (self.other if case.constants == "other" else {})
        labels = self.layer.labels
        held = {name: array if name in labels else rounded(array, case.dtype) for name, array in tensors.items()}
        return Data(case, held, {n: rounded(a, case.dtype) for n, a in cotangents.items()}, constants)


def rounded(array: Array, dtype: str) -> Array:
    """The nearest numbers of a dtype, in float64."""
    if dtype == "bfloat16":
        bits = np.array(array, dtype=np.float32).view(np.uint32).astype(np.uint64)
        kept = (bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000
        return np.asarray(kept.astype(np.uint32).view(np.float32), dtype=np.float64)
    with np.errstate(over="ignore"):
        return np.asarray(np.asarray(array).astype(dtype), dtype=np.float64)
