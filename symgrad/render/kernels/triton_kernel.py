"""Triton kernels with a torch function around them, whose derivatives have the rules of the torch backend.

The backward pass runs kernels; where it is itself differentiated (create_graph, torch.func), it is made of the
torch backend's differentiable operations instead, which are emitted beside the kernels.
"""

from __future__ import annotations

import re
from dataclasses import replace
from keyword import iskeyword

from symgrad.errors import UnsupportedError
from symgrad.plan.build import with_names
from symgrad.plan.records import KernelPlan, Procedure, Statement, is_full
from symgrad.render.kernels.records import Function, JitFunction, TritonKernel
from symgrad.render.kernels.templates import block
from symgrad.render.kernels.torch_kernel import torch_kernel
from symgrad.render.kernels.triton_launch import Launches, packed
from symgrad.render.kernels.words import header

IMPORTS = ("import contextlib", "import math", "import os", "from typing import NamedTuple", "",
           "import torch", "import triton", "import triton.language as tl")  # fmt: skip
TEMPLATE = "torch/kernel.py.jinja"
WORDS = frozenset(
    (
        *(
            "row",
            "col",
            "rows",
            "cols",
            "part",
            "parts",
            "place",
            "program",
            "programs",
            "tile",
            "first",
            "start",
            "kept",
            "merge",
        ),
        *(
            "inside",
            "row_inside",
            "col_inside",
            "chunk",
            "real",
            "index",
            "count",
            "numbers",
            "added",
            "length",
            "its_mean",
            "its_squares",
        ),
        *(
            "ROWS",
            "BLOCK",
            "PARTS",
            "tl",
            "triton",
            "libdevice",
            "torch",
            "math",
            "os",
            "contextlib",
            "kernel",
            "dtype",
            "dtypes",
        ),
    )
)
"""The names that the kernels use for themselves."""
PATTERN = re.compile(r"(part|all|each|size|i|n|shape)_\w+|_\w*|\w+_(ptr|low|wide)|\w+_stride_\w+")
"""And their forms."""


def triton_kernel(plan: KernelPlan) -> TritonKernel:
    """The text of Triton kernels, ready to be laid out.

    Raises:
        UnsupportedError: the layer needs what this backend does not have.
    """
    layer = plan.layer
    if layer.fits:
        raise UnsupportedError(f"layer {layer.name} has computed places, which the Triton backend does not do.")
    used: set[str] = set()
    own = _renamed(plan)
    try:
        forward, kernels = _forward(own, used)
        backward, more = _backward(own, used)
    except UnsupportedError as error:
        raise UnsupportedError(f"the Triton backend cannot do layer {layer.name}: it has {error}") from None
    whole = plan.whole or plan
    saved = tuple(n for n in plan.names.values() if n in {*plan.saved, *whole.saved})
    ahead = tuple(name for name, _ in plan.ahead)
    made = torch_kernel(
        replace(whole, saved=(*saved, *ahead), statistics=(*whole.statistics, *ahead), ahead=plan.ahead),
        in_blocks=False,
    )
    setup = made.setup.lines
    if ahead:
        setup = (*setup, f"ctx.mark_non_differentiable({', '.join(ahead)})")
    return TritonKernel(
        header(plan, "triton", "PyTorch, in Triton,"),
        (*IMPORTS, *(["from triton.language.extra import libdevice"] if "libdevice" in used else [])),
        frozenset(used), made.wrapper, made.class_name, made.about, _method(plan, forward),
        replace(made.setup, lines=setup), _with_kernels(made.backward, plan), made.gradients,
        (forward, backward), (*kernels, *more), block(TEMPLATE, "helpers", made),
    )  # fmt: skip


def _renamed(plan: KernelPlan) -> KernelPlan:
    """The plan with names that the kernels do not use for themselves."""
    names = {*plan.names.values(), *(n for n, _ in plan.ahead)}
    for procedure in (plan.forward, plan.backward):
        names |= {s.name for s in procedure.statements} | set(procedure.reads)
    safe: dict[str, str] = {}
    for name in sorted(names):
        found = name.replace("_", "") or "own" if PATTERN.fullmatch(name) else name
        while found in WORDS or iskeyword(found) or found in safe.values() or (found != name and found in names):
            found = f"{found}_"
        safe[name] = found
    return replace(
        plan, names={name: safe[python] for name, python in plan.names.items()},
        saved=tuple(safe[n] for n in plan.saved), statistics=tuple(safe[n] for n in plan.statistics),
        forward=_with_safe(plan.forward, safe), backward=_with_safe(plan.backward, safe),
        ahead=tuple((safe[n], indices) for n, indices in plan.ahead),
    )  # fmt: skip


def _with_safe(procedure: Procedure, safe: dict[str, str]) -> Procedure:
    statements = tuple(_safe_statement(s, safe) for s in procedure.statements)
    results = tuple((what, safe[name]) for what, name in procedure.results)
    return Procedure(tuple(safe[n] for n in procedure.reads), statements, results)


def _safe_statement(statement: Statement, safe: dict[str, str]) -> Statement:
    return replace(statement, name=safe[statement.name], term=with_names(statement.term, safe))


def _forward(plan: KernelPlan, used: set[str]) -> tuple[Function, list[JitFunction]]:
    """The function that runs the forward kernels, and these."""
    layer = plan.layer
    tensors = [plan.names[t.name] for t in layer.tensors]
    constants = plan.constants
    launches = Launches(plan, plan.forward, f"{layer.name}_forward", used)
    outputs = [plan.names[name] for name in layer.outputs]
    real = [n for n in tensors if n not in launches.known.labels]
    first = next((n for n in real if is_full(launches.known.indices[n], layer)), real[0])
    returned = [*outputs, *plan.statistics, *(n for n, _ in plan.ahead)]
    function = launches.function("_forward", [*tensors, *constants], dict.fromkeys(outputs, f"{first}.dtype"), returned)
    return function, launches.kernels


def _backward(plan: KernelPlan, used: set[str]) -> tuple[Function, list[JitFunction]]:
    """The function that runs the backward kernels, and these."""
    layer = plan.layer
    cotangents = [f"d_{plan.names[name]}" for name in layer.outputs]
    launches = Launches(plan, plan.backward, f"{layer.name}_backward", used)
    places = [tensor.name for tensor in layer.tensors]
    dtypes = {name: f"dtypes[{places.index(what)}]" for what, name in plan.backward.results}
    function = launches.function(
        "_backward", [*plan.saved, *cotangents, "dtypes"], dtypes, [name for _, name in plan.backward.results]
    )
    return function, launches.kernels


def _method(plan: KernelPlan, forward: Function) -> Function:
    """The method that runs the forward kernels on the tensors' device."""
    tensors = [plan.names[t.name] for t in plan.layer.tensors]
    arguments = ", ".join([*tensors, *plan.constants])
    lines = (f"with _device_of({tensors[0]}):", f"    return {forward.name}({arguments})")
    return Function("forward", arguments, (), lines)


def _with_kernels(method: Function, plan: KernelPlan) -> Function:
    """The torch backend's backward method, which runs kernels unless it is itself differentiated."""
    lines, waiting = list[str](), list(method.lines)
    while waiting:
        line = waiting.pop(0)
        if not re.match(r"    .* = _gradients\(", line):
            lines.append(line)
            continue
        whole = [line]
        while line.endswith("(") and whole[-1].strip() != ")":  # over several lines
            whole.append(waiting.pop(0))
        left = line.split(" = ")[0].strip()
        cotangents = [f"d_{plan.names[name]}" for name in plan.layer.outputs]
        call = packed(f"{left} = _backward", [*plan.saved, *cotangents, "ctx.dtypes"])
        lines += [
            "    if torch.is_grad_enabled():  # the gradients will be differentiated: by operations that can be",
            *(f"    {part}" for part in whole),
            "    else:",
            f"        with _device_of({cotangents[0]}):",
            *(f"            {part}" for part in call),
        ]
    return replace(method, lines=tuple(lines))
