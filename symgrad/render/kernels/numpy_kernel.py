"""A whole kernel for NumPy."""

from __future__ import annotations

import re
from collections.abc import Sequence

from symgrad.algebra.terms import Index
from symgrad.plan.records import KernelPlan, is_full
from symgrad.render.kernels.kinds import kinds_of
from symgrad.render.kernels.layout import Frame, has_variadic, is_whole, shown, unpacked
from symgrad.render.kernels.numpy_blocks import Written, write
from symgrad.render.kernels.records import Field, Function, NumpyKernel
from symgrad.render.kernels.shapes import Shapes, has_sums
from symgrad.render.kernels.small import OWN, PYTHON
from symgrad.render.kernels.words import (
    WIDTH,
    argument_lines,
    call_lines,
    fit,
    header,
    output_text,
    signature,
    whole_lines,
)

HELPERS = ("sigmoid", "erf", "erfc", "lgamma", "digamma")
"""Functions that NumPy lacks; the template has them."""


def numpy_kernel(plan: KernelPlan) -> NumpyKernel:
    """The text of a NumPy kernel, ready to be laid out."""
    used: set[str] = set()
    functions = (*_forward(plan, used), *_backward(plan, used))
    lines = [line for function in functions for line in function.lines]
    used.update(helper for helper in HELPERS if any(f"_{helper}(" in line for line in lines))
    used.update(["erf"] if "erfc" in used else [])
    uses_math = used & {"lgamma", "digamma", "sum", "dot", "centred"} or any("math." in line for line in lines)
    imports = (*(["import math"] if uses_math else []), "from typing import NamedTuple", "", "import numpy as np")
    layer = plan.layer
    constants = {plan.names[c.name]: "int" if c.is_whole else "float" for c in layer.constants}
    return NumpyKernel(
        header(plan, "numpy", "NumPy"), imports, frozenset(used), functions,
        tuple(
            Field(name, constants.get(name, "np.ndarray"), shown(name, plan.indices(name), layer))
            for name in plan.saved
        ),
        tuple(
            Field(what, "np.ndarray", shown(f"d_{what}", layer.entry(what).indices, layer))
            for what, _ in plan.backward.results
        ),
    )  # fmt: skip


def _forward(plan: KernelPlan, used: set[str]) -> list[Function]:
    layer = plan.layer
    tensors = plan.tensors
    names = [name for name, _ in tensors]
    outputs, outs = [plan.names[name] for name in layer.outputs], _outs(plan)
    first = next(t.name for t in layer.tensors if t.role != "label")
    written = write(
        plan, plan.forward, "_forward_block", (*outputs, *plan.saved), plan.names[first], kinds_of(plan),
        dict(tensors), dict(zip(outputs, outs, strict=True)), used,
    )  # fmt: skip
    body = written.lines
    shapes = _shapes(plan, body, used)
    labels = {plan.names[name]: axis for name, axis in layer.labels.items()}
    reals = [name for name in names if name not in labels]
    lines = [f"out = (None,) * {len(outs)} if out is None else out"] if any(outs) and len(outs) > 1 else []
    lines += [f"{unpacked(reals)} = _arrays({', '.join(f'{n}={n}' for n in reals)})"]
    lines += [f"{name} = np.asarray({name})" for name in labels]
    for name, indices in tensors:
        lines += shapes.unpack(name, indices, check=True)
    lines += [*whole_lines(plan, used), *shapes.lengths(check=True)]
    for name, axis in labels.items():
        used.add("check_labels")
        lines.append(f'_check_labels("{shown(name, plan.indices(name), layer)}", {name}, n_{axis})')
    lines += shapes.flatten(tensors)
    results = [_returned(written, shapes, plan.names[name], layer.entry(name).indices) for name in layer.outputs]
    used.update(["into"] if any(outs) else [])
    results = [f"_into({out}, {result})" if out else result for out, result in zip(outs, results, strict=True)]
    saved = call_lines("saved = Saved", [_kept(shapes, name, plan.indices(name)) for name in plan.saved])
    returned = f"return {results[0] if len(results) == 1 else '(' + ', '.join(results) + ')'}, saved"
    lines += [*_dtype(plan.names[first], [*body, returned]), "", *body, "", *saved, returned]
    doc = [f"Compute {output_text(plan)}, and what `backward` needs.", "", "Args:", *argument_lines(plan)]
    arguments = signature(plan)
    if any(outs):
        arguments += f"{'' if layer.constants else ', *'}, out=None"
        what = (
            f"the array to write {outputs[0]} into" if len(outs) == 1 else "arrays to write the outputs into, or None"
        )
        doc.append(f"    out: {what}; it may share no memory with the arguments.")
    return [Function("forward", arguments, tuple(doc), fit(lines)), *written.blocks]


def _outs(plan: KernelPlan) -> list[str]:
    """For each output what a user may give to write it into; empty for small ones."""
    full = [is_full(plan.layer.entry(name).indices, plan.layer) for name in plan.layer.outputs]
    if len(full) == 1:
        return ["out" if full[0] else ""]
    return [f"out[{place}]" if large else "" for place, large in enumerate(full)]


def _backward(plan: KernelPlan, used: set[str]) -> list[Function]:
    layer = plan.layer
    cotangents = [(f"d_{plan.names[name]}", layer.entry(name).indices) for name in layer.outputs]
    arrays = [(name, indices) for name, indices in cotangents if indices]
    saved = [(name, plan.indices(name)) for name in plan.saved]
    first = next((name for name, indices in [*saved, *arrays] if is_full(indices, layer)), None)
    first = first or next((name for name, indices in arrays), plan.saved[0] if plan.saved else "")
    results = plan.backward.results
    written = write(
        plan, plan.backward, "_backward_block", (*(name for _, name in results), *plan.saved), first,
        {**kinds_of(plan), **{name: OWN if i else PYTHON for name, i in cotangents}},
        dict([*saved, *cotangents]), {name: f"out.{what}" for what, name in results}, used,
    )  # fmt: skip
    body = written.lines
    shapes = _shapes(plan, body, used)
    lines = [f"{unpacked(list(plan.saved))} = saved"] if plan.saved else []
    for name, indices in saved:
        lines += shapes.unpack(name, indices, check=False) if _has_new(indices, shapes) else []
    if arrays:
        like = [f"{first}.dtype"] if first in plan.saved else []
        given = ", ".join([*like, *(f"{name}={name}" for name, _ in arrays)])
        lines.append(f"{unpacked([name for name, _ in arrays])} = _arrays({given})")
    lines += [f"{name} = float({name})" for name, indices in cotangents if not indices]
    for name, indices in arrays:
        lines += shapes.unpack(name, indices, check=True)
    lines += shapes.lengths(check=False)
    lines += shapes.flatten([*saved, *arrays])
    returned = [
        f"{what}=_into(out.{what}, {_returned(written, shapes, name, layer.entry(what).indices)})"
        for what, name in results
    ]
    used.add("into")
    lines.insert(0, f"out = Gradients({', '.join('None' for _ in results)}) if out is None else out")
    lines += [*_dtype(first, [*body, *returned]), "", *body, "", *call_lines("return Gradients", returned)]
    arguments = ", ".join(
        ["saved", *(f"{name}=1.0" if plan.layer.scalar_output else name for name, _ in cotangents), "out=None"]
    )
    given = ", ".join(shown(name, indices, layer) for name, indices in cotangents)
    doc = [f"Compute the gradients of the inputs from {given}, the gradient of what `forward` returned."]
    if len(doc[0]) > WIDTH + 12:
        doc = ["Compute the gradients of the inputs from those of what `forward` returned:", "", given + "."]
    doc += [
        "",
        "They are written into the arrays of `out`, where it has some; these may share no memory with what is read.",
    ]
    return [Function("backward", arguments, tuple(doc), fit(lines)), *written.blocks]


def _shapes(plan: KernelPlan, body: Sequence[str], used: set[str]) -> Shapes:
    text = "\n".join(body)
    needed = frozenset(axis.name for axis in plan.layer.axes if re.search(rf"\bn_{axis.name}\b", text))
    return Shapes(plan.layer, is_whole(plan.layer), needed, used, "{0}.size", has_sums(plan))


def _has_new(indices: Frame, shapes: Shapes) -> bool:
    return any(index.axis not in shapes.known for index in indices)


def _dtype(first: str, lines: Sequence[str]) -> list[str]:
    """The line that names the dtype, where it is used."""
    return [f"dtype = {first}.dtype"] if any(re.search(r"\bdtype[,)]", line) for line in lines) else []


def _returned(written: Written, shapes: Shapes, name: str, indices: tuple[Index, ...]) -> str:
    """An expression for a result in the inputs' dtype and its own shape."""
    kind = written.kinds[name]
    if kind == PYTHON:
        return f"np.full({shapes.shape(indices)}, {name}, dtype)"
    text = shapes.restored(name, indices)
    return text if kind == OWN else f"{text}.astype(dtype)"


def _kept(shapes: Shapes, name: str, indices: Frame) -> str:
    return shapes.restored(name, indices) if has_variadic(indices, shapes.layer) else name
