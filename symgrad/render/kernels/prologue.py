"""The first lines of a function: they find the lengths, and bring arrays into one dtype and a flat shape."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from symgrad.errors import UnsupportedError
from symgrad.plan.records import KernelPlan, is_full
from symgrad.render.kernels.layout import Frame, is_whole
from symgrad.render.kernels.shapes import Shapes
from symgrad.render.kernels.small import LABEL, OWN


@dataclass(frozen=True)
class Casts:
    """How a library brings an array into another dtype.

    Attributes:
        real: an array `{0}` in the dtype `{1}`.
        label: an array of labels `{0}` as what indexes an array.
        size: the number of elements of `{0}`.
    """

    real: str
    label: str
    size: str


def prologue(
    plan: KernelPlan, body: Sequence[str], arrays: Sequence[tuple[str, Frame]], kinds: Mapping[str, str],
    used: set[str], casts: Casts, cast_later: frozenset[str] = frozenset(),
) -> tuple[list[str], Shapes]:  # fmt: skip
    """The lines that unpack lengths and bring arrays into the kernel's dtypes and a flat shape.

    Those of `cast_later` get the shape only.
    """
    text = "\n".join(body)
    needed = frozenset(axis.name for axis in plan.layer.axes if re.search(rf"\bn_{axis.name}\b", text))
    shapes = Shapes(plan.layer, is_whole(plan.layer), needed, used, casts.size)
    lines = []
    for name, indices in arrays:
        if any(index.axis not in shapes.known for index in indices):
            lines += shapes.unpack(name, indices, check=False)
    lines += shapes.lengths(check=False)
    for name, indices in arrays:
        if kinds[name] == LABEL:
            lines.append(_brought(name, indices, shapes, casts.label.format(name)))
        elif name in cast_later:
            lines += shapes.flatten([(name, indices)])
        elif is_full(indices, plan.layer) or not {name, name.removeprefix("d_")} & set(plan.statistics):
            dtype = "dtype" if kinds[name] == OWN else "wide"
            lines.append(_brought(name, indices, shapes, casts.real.format(name, dtype)))
    return [line for line in lines if line], shapes


def _brought(name: str, indices: Frame, shapes: Shapes, text: str) -> str:
    """`x = x.to(dtype).reshape(n_s, n_c, n_k)`; empty where nothing is to be done."""
    flat = shapes.flatten([(name, indices)])
    merged = flat[0].split(" = ", 1)[1].removeprefix(name) if flat else ""
    return f"{name} = {text}{merged}" if text + merged != name else ""


def dtype_names(lines: Sequence[str]) -> str:
    """The names for both dtypes; the wide one gets none where nothing uses it."""
    return "dtype, wide" if any(re.search(r"\bwide\b", line) for line in lines) else "dtype, _"


def nothing_to_compute(plan: KernelPlan) -> UnsupportedError:
    """What is said of a layer all of whose gradients are 0."""
    name = plan.layer.name
    return UnsupportedError(f"no output of layer {name} depends on an input: there is no backward pass to write.")


def first_full(plan: KernelPlan, arrays: Sequence[tuple[str, Frame]]) -> str:
    """The first full-size array: its dtype is the results'.

    Raises:
        UnsupportedError: nothing is read, because all gradients are 0.
    """
    labels = {plan.names[name] for name in plan.layer.labels}
    real = [(name, indices) for name, indices in arrays if name not in labels]
    if not real:
        raise nothing_to_compute(plan)
    return next((name for name, indices in real if is_full(indices, plan.layer)), real[0][0])
