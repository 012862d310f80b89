"""A whole kernel for NumPy."""

from __future__ import annotations

from collections.abc import Sequence

from symgrad.algebra.terms import Entry, Index, Size, walk
from symgrad.plan.records import KernelPlan, Procedure, is_full
from symgrad.render.kernels.layout import Frame, has_variadic, is_whole, shown
from symgrad.render.kernels.numpy_lines import NumpyLines, kinds_of
from symgrad.render.kernels.records import Field, Function, NumpyKernel
from symgrad.render.kernels.shapes import Shapes
from symgrad.render.kernels.small import OWN, PYTHON, WIDE
from symgrad.render.kernels.words import argument_lines, header, output_text, signature


def numpy_kernel(plan: KernelPlan) -> NumpyKernel:
    """The text of a NumPy kernel, ready to be laid out."""
    used: set[str] = set()
    forward, backward = _forward(plan, used), _backward(plan, used)
    imports = (*(["import math"] if "math" in used else []), "from typing import NamedTuple", "", "import numpy as np")
    layer = plan.layer
    return NumpyKernel(
        header(plan, "numpy", "NumPy"), imports, frozenset(used), forward, backward,
        tuple(Field(name, shown(name, plan.indices(name), layer)) for name in plan.saved),
        tuple(
            Field(what, shown(f"d_{what}", layer.entry(what).indices, layer)) for what, _ in plan.backward.results
        ),
    )  # fmt: skip


def _forward(plan: KernelPlan, used: set[str]) -> Function:
    layer = plan.layer
    tensors = [(plan.names[t.name], t.indices) for t in layer.tensors]
    shapes = _shapes(plan, plan.forward, used)
    names = [name for name, _ in tensors]
    lines = [f"{_unpacked(names)} = _arrays({', '.join(f'{n}={n}' for n in names)})"]
    for name, indices in tensors:
        lines += shapes.unpack(name, indices, check=True)
    lines += shapes.flatten(tensors)
    outputs = [plan.names[name] for name in layer.outputs]
    writer = NumpyLines(plan, plan.forward, (*outputs, *plan.saved), names[0], used)
    body = writer.write(kinds_of(plan))
    returned = ", ".join(_returned(writer, shapes, plan.names[name], layer.entry(name).indices) for name in layer.outputs)
    saved = ", ".join(
        _kept(shapes, name, plan.indices(name)) for name in plan.saved
    )
    returned = f"({returned})" if len(outputs) > 1 else returned
    lines += [*_dtype(names[0], [*body, returned]), "", *body, f"return {returned}, Saved({saved})"]
    doc = (f"Compute {output_text(plan)}, and what `backward` needs.", "", "Args:", *argument_lines(plan))
    return Function("forward", signature(plan), doc, tuple(lines))


def _backward(plan: KernelPlan, used: set[str]) -> Function:
    layer = plan.layer
    cotangents = [(f"d_{plan.names[name]}", layer.entry(name).indices) for name in layer.outputs]
    arrays = [(n, i) for n, i in cotangents if i]
    shapes = _shapes(plan, plan.backward, used)
    lines = [f"{_unpacked(list(plan.saved))} = saved"]
    saved = [(name, plan.indices(name)) for name in plan.saved]
    for name, indices in saved:
        if indices and _has_new(indices, shapes):
            lines += shapes.unpack(name, indices, check=False)
    first = next(name for name, indices in [*saved, *arrays] if indices and is_full(indices, layer))
    if arrays:
        given = ", ".join(f"{n}={n}" for n, _ in arrays)
        like = f"{first}.dtype, " if first in plan.saved else ""
        lines.append(f"{_unpacked([n for n, _ in arrays])} = _arrays({like}{given})")
    lines += [f"{n} = float({n})" for n, i in cotangents if not i]
    for name, indices in arrays:
        lines += shapes.unpack(name, indices, check=True)
    lines += shapes.flatten([*saved, *arrays])
    results = plan.backward.results
    writer = NumpyLines(plan, plan.backward, tuple(n for _, n in results) + plan.saved, first, used)
    kinds = {**kinds_of(plan), **{n: OWN if i else PYTHON for n, i in cotangents}}
    body = writer.write(kinds)
    returned = [f"{what}={_returned(writer, shapes, name, layer.entry(what).indices)}" for what, name in results]
    lines += [*_dtype(first, [*body, *returned]), "", *body, *_call_lines("return Gradients", returned)]
    arguments = ", ".join(["saved", *(n if i else f"{n}=1.0" for n, i in cotangents)])
    what = ", ".join(shown(n, i, layer) for n, i in cotangents)
    doc = (f"Compute the gradients of the inputs from {what}, the gradient of what `forward` returned.",)
    return Function("backward", arguments, doc, tuple(lines))


def _shapes(plan: KernelPlan, procedure: Procedure, used: set[str]) -> Shapes:
    needed = frozenset(n.axis for s in procedure.statements for n in walk(s.term) if isinstance(n, Size))
    return Shapes(plan.layer, is_whole(plan.layer), needed, used, "{0}.size")


def _has_new(indices: Frame, shapes: Shapes) -> bool:
    return any(index.axis not in shapes.known for index in indices)


def _unpacked(names: Sequence[str]) -> str:
    return f"({names[0]},)" if len(names) == 1 else ", ".join(names)


def _dtype(first: str, lines: Sequence[str]) -> list[str]:
    """The line that names the dtype, where it is used."""
    return [f"dtype = {first}.dtype"] if any("dtype)" in line for line in lines) else []


def _returned(writer: NumpyLines, shapes: Shapes, name: str, indices: tuple[Index, ...]) -> str:
    """An expression for a result in the inputs' dtype and its own shape."""
    kind = writer.smalls.kinds[name]
    if kind == PYTHON:
        return f"np.full({shapes.shape(indices)}, {name}, dtype)"
    return shapes.restored(name, indices) if kind == OWN else f"{name}.astype(dtype)"


def _kept(shapes: Shapes, name: str, indices: Frame) -> str:
    return shapes.restored(name, indices) if has_variadic(indices, shapes.layer) else name


def _call_lines(function: str, arguments: Sequence[str]) -> list[str]:
    """A call on one line, or an argument a line where that is too long."""
    line = f"{function}({', '.join(arguments)})"
    if len(line) <= 92:
        return [line]
    return [f"{function}(", *(f"    {argument}," for argument in arguments), ")"]


_ = (Entry, WIDE)
