"""A kernel in C with the Python functions around it: the same `forward` and `backward` as NumPy's."""

from __future__ import annotations

import re
from collections.abc import Sequence

from symgrad.algebra.terms import Index
from symgrad.plan.records import KernelPlan, Procedure, is_full
from symgrad.render.kernels.c_loops import CLoops
from symgrad.render.kernels.c_terms import UnsupportedError
from symgrad.render.kernels.layout import Frame, flat_items, is_whole, shown, tuple_text
from symgrad.render.kernels.records import CKernel, Field, Function
from symgrad.render.kernels.shapes import Shapes, has_sums
from symgrad.render.kernels.words import argument_lines, call_lines, fit, header, output_text, signature

ALIGN = 2
Arguments = list[tuple[str, str]]
"""The C type and the name of each argument."""


def c_kernel(plan: KernelPlan) -> CKernel:
    """The text of a C kernel, ready to be laid out.

    Raises:
        UnsupportedError: the layer needs what this backend does not have.
    """
    if plan.layer.labels or plan.layer.fits:
        raise UnsupportedError(f"layer {plan.layer.name} has computed places, which the C backend does not do yet.")
    used: set[str] = set()
    try:
        forward, calls = _forward(plan, used)
        backward, back = _backward(plan, used)
    except UnsupportedError as error:
        raise UnsupportedError(f"the C backend cannot do layer {plan.layer.name} yet: it has {error}") from None
    constants = {plan.names[c.name]: "int" if c.is_whole else "float" for c in plan.layer.constants}
    return CKernel(
        header(plan, "c", "the CPU, in C"), ("import math", *_IMPORTS), frozenset(used), forward, backward,
        tuple(
            Field(name, constants.get(name, "np.ndarray"), shown(name, plan.indices(name), plan.layer))
            for name in plan.saved
        ),
        tuple(
            Field(what, "np.ndarray", shown(f"d_{what}", plan.layer.entry(what).indices, plan.layer))
            for what, _ in plan.backward.results
        ),
        tuple(_indented([*calls, "", *back])),
    )  # fmt: skip


_IMPORTS = ("import ctypes", "import hashlib", "import os", "import platform", "import subprocess", "import tempfile",
            "from functools import lru_cache", "from pathlib import Path", "from typing import NamedTuple", "",
            "import numpy as np")  # fmt: skip


def _indices(plan: KernelPlan, procedure: Procedure) -> dict[str, tuple[Index, ...]]:
    found = {name: plan.indices(name) for name in plan.names.values()}
    found |= dict(plan.ahead)
    found |= {f"d_{plan.names[name]}": plan.layer.entry(name).indices for name in plan.layer.outputs}
    return found | {statement.name: statement.indices for statement in procedure.statements}


def _kinds(plan: KernelPlan, procedure: Procedure, reads: Sequence[str]) -> dict[str, str]:
    """What the names hold; scalars that are read are numbers."""
    tensors = {plan.names[tensor.name] for tensor in plan.layer.tensors}
    constants = {plan.names[constant.name] for constant in plan.layer.constants}
    indices = _indices(plan, procedure)
    kinds = {}
    for name in reads:
        is_cotangent = name.startswith("d_")
        if name in constants or (is_cotangent and not indices[name]):
            kinds[name] = "number"
        elif name in tensors or is_cotangent or is_full(indices[name], plan.layer):
            kinds[name] = "real"
        else:
            kinds[name] = "wide"
    for statement in procedure.statements:
        kinds[statement.name] = "real" if statement.kind == "full-size" else "wide"
    return kinds


def _procedure(
    plan: KernelPlan, procedure: Procedure, name: str
) -> tuple[list[str], list[str], list[str], dict[str, str]]:
    """The C function, the Python lines that call it, the names that it computes, and what names hold."""
    indices, kinds = _indices(plan, procedure), _kinds(plan, procedure, procedure.reads)
    loops = CLoops(plan.layer, indices, dict(kinds))
    body = loops.write(procedure)
    results = {result for _, result in procedure.results}
    stored = _stored(procedure, body)
    sizes = [axis.name for axis in plan.layer.axes if re.search(rf"\bn_{axis.name}\b", "\n".join(body))]
    given: Arguments = [(_type(kinds[n], is_read=True), n) for n in procedure.reads]
    made: Arguments = [(_type(kinds[n], is_read=False), n) for n in stored]
    counts: Arguments = [("ptrdiff_t ", f"n_{axis}") for axis in sizes]
    parameters = ", ".join(f"{kind}{argument}" for kind, argument in (*given, *counts, *made))
    code = [f"int {name}({parameters or 'void'})", "{", *body, "return 0;", "}"]
    lines = []
    for made_name in stored:
        dtype = "dtype" if kinds[made_name] == "real" else "np.float64"
        shape = tuple_text(flat_items(indices[made_name])) if indices[made_name] else "()"
        lines.append(f"{made_name} = np.empty({shape}, {dtype})")
    arguments = [f"float({n})" if kind == "double " else n for kind, n in (*given, *counts, *made)]
    lines += (
        call_lines(f'_call("{name}", dtype', [], "")
        if not arguments
        else call_lines("_call", [f'"{name}"', "dtype", *arguments])
    )
    return code, lines, [n for n in stored if n in results or n in plan.saved], kinds


def _stored(procedure: Procedure, body: Sequence[str]) -> list[str]:
    """The statements whose values are in memory."""
    text = re.sub(r"/\*.*?\*/", "", "\n".join(body))
    return [s.name for s in procedure.statements if re.search(rf"\b{s.name}\[", text)]


def _type(kind: str, is_read: bool) -> str:
    if kind == "number":
        return "double "
    return f"{'const ' if is_read else ''}{'REAL' if kind == 'real' else 'double'} *restrict "


def _forward(plan: KernelPlan, used: set[str]) -> tuple[Function, list[str]]:
    layer = plan.layer
    tensors = [(plan.names[t.name], t.indices) for t in layer.tensors]
    names = [name for name, _ in tensors]
    code, body, _, kinds = _procedure(plan, plan.forward, "forward")
    shapes = _shapes(plan, body, used)
    lines = [f"{_unpacked(names)} = _arrays({', '.join(f'{n}={n}' for n in names)})"]
    for name, indices in tensors:
        lines += shapes.unpack(name, indices, check=True)
    results = [_returned(shapes, plan.names[n], layer.entry(n).indices, kinds) for n in layer.outputs]
    saved = call_lines("saved = Saved", [_kept(plan, shapes, name) for name in plan.saved])
    returned = f"return {results[0] if len(results) == 1 else '(' + ', '.join(results) + ')'}, saved"
    lines += [f"dtype = {names[0]}.dtype", "", *body, "", *saved, returned]
    doc = (f"Compute {output_text(plan)}, and what `backward` needs.", "", "Args:", *argument_lines(plan))
    return Function("forward", signature(plan), doc, fit(lines)), code


def _backward(plan: KernelPlan, used: set[str]) -> tuple[Function, list[str]]:
    layer = plan.layer
    cotangents = [(f"d_{plan.names[name]}", layer.entry(name).indices) for name in layer.outputs]
    arrays = [(name, indices) for name, indices in cotangents if indices]
    saved = [(name, plan.indices(name)) for name in plan.saved]
    code, body, _, kinds = _procedure(plan, plan.backward, "backward")
    shapes = _shapes(plan, body, used)
    lines = [f"{_unpacked(list(plan.saved))} = saved"] if plan.saved else []
    for name, indices in saved:
        new = any(index.axis not in shapes.known for index in indices)
        lines += shapes.unpack(name, indices, check=False) if new else []
    tensors = [plan.names[t.name] for t in layer.tensors if plan.names[t.name] in plan.saved]
    outputs = [
        plan.names[name] for name in layer.outputs if plan.names[name] in plan.saved and plan.indices(plan.names[name])
    ]
    like = f"{(tensors or outputs)[0]}.dtype" if tensors or outputs else ""
    if arrays:
        given = ", ".join([*([like] if like else []), *(f"{name}={name}" for name, _ in arrays)])
        lines.append(f"{_unpacked([name for name, _ in arrays])} = _arrays({given})")
    lines += [f"{name} = float({name})" for name, indices in cotangents if not indices]
    for name, indices in arrays:
        lines += shapes.unpack(name, indices, check=True)
    lines.append(f"dtype = {like or arrays[0][0] + '.dtype'}")
    returned = [
        f"{what}={_returned(shapes, name, layer.entry(what).indices, kinds)}" for what, name in plan.backward.results
    ]
    lines += ["", *body, "", *call_lines("return Gradients", returned)]
    arguments = ", ".join(["saved", *(f"{name}=1.0" if layer.scalar_output else name for name, _ in cotangents)])
    given = ", ".join(shown(name, indices, layer) for name, indices in cotangents)
    doc = (f"Compute the gradients of the inputs from {given}, the gradient of what `forward` returned.",)
    return Function("backward", arguments, doc, fit(lines)), code


def _shapes(plan: KernelPlan, body: Sequence[str], used: set[str]) -> Shapes:
    text = "\n".join(body)
    needed = frozenset(axis.name for axis in plan.layer.axes if re.search(rf"\bn_{axis.name}\b", text))
    return Shapes(plan.layer, is_whole(plan.layer) and False, needed, used, "{0}.size", has_sums(plan))


def _unpacked(names: Sequence[str]) -> str:
    return f"({names[0]},)" if len(names) == 1 else ", ".join(names)


def _returned(shapes: Shapes, name: str, indices: Frame, kinds: dict[str, str]) -> str:
    """A result in the inputs' dtype and its own shape."""
    text = shapes.restored(name, indices)
    return text if kinds.get(name) == "real" else f"{text}.astype(dtype)"


def _kept(plan: KernelPlan, shapes: Shapes, name: str) -> str:
    tensors = {plan.names[t.name] for t in plan.layer.tensors} | {plan.names[c.name] for c in plan.layer.constants}
    return name if name in tensors else shapes.restored(name, plan.indices(name))


def _indented(lines: Sequence[str]) -> list[str]:
    """The lines of C, indented by their braces."""
    depth, found = 0, []
    for line in lines:
        text = line.strip()
        depth -= text.startswith("}")
        found.append("    " * depth + text if text and not text.startswith("#") else text)
        depth += text.count("{") - text.count("}") + text.startswith("}")
    return found
