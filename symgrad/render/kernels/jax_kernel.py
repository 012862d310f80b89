"""A whole kernel for JAX: a function around a jax.custom_jvp.

Its rule is the proved forward mode, which is linear in the tangents, so that JAX gets reverse mode by
transposing it. Statistics are outputs as well, as in the torch kernel: the rule takes them from the function
itself, so that derivatives of the rule go through the rule again, to any order. What the rule computes is
checkpointed: reverse mode keeps the inputs and the statistics, and nothing of their size besides.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from symgrad.plan.forward_mode import DOT
from symgrad.plan.records import KernelPlan, Procedure
from symgrad.render.kernels.jax_lines import JAX
from symgrad.render.kernels.kinds import kinds_of
from symgrad.render.kernels.layout import Frame, is_whole, shown, tuple_text
from symgrad.render.kernels.prologue import Casts, first_full, prologue
from symgrad.render.kernels.records import Function, JaxKernel
from symgrad.render.kernels.shapes import Shapes, has_sums
from symgrad.render.kernels.small import OWN
from symgrad.render.kernels.torch_lines import TorchLines
from symgrad.render.kernels.words import (
    FORWARD_MODE,
    argument_lines,
    call_lines,
    fit,
    header,
    listed,
    output_text,
    signature,
    whole_lines,
)

CASTS = Casts("{0}.astype({1})", "{0}", "{0}.size")
PLACED = frozenset(("entries", "entries_at", "added", "added_at"))
"""Helper functions for entries at computed places."""

Arrays = list[tuple[str, Frame]]
"""Arrays by their Python names, with their dimensions."""


def jax_kernel(plan: KernelPlan) -> JaxKernel:
    """The text of a JAX kernel, ready to be laid out.

    Args:
        plan: with tangents (plan/forward_mode.py).
    """
    assert plan.tangents is not None
    used: set[str] = set()
    wrapper, forward = _wrapper(plan, used), _forward(plan, used)
    arrays, constants = _given(plan, plan.tangents), _read_constants(plan, plan.tangents)
    tangents = _tangents(plan, plan.tangents, arrays, constants, used)
    lines = [line for function in (wrapper, forward, tangents) for line in function.lines]
    used -= {name for name in PLACED if not any(f"_{name}(" in line for line in lines)}
    used.update(["not_negative"] if used & PLACED else [])
    imports = ["import math"] if any("math." in line for line in lines) else []
    imports += ["from functools import partial"] if plan.constants else []
    imports += [*([""] if imports else []), "import jax", "import jax.numpy as jnp"]
    return JaxKernel(
        header(plan, "jax", "JAX", proved=FORWARD_MODE), tuple(imports), frozenset(used), wrapper,
        forward, _decorator("jax.custom_jvp", "nondiff_argnums", len(plan.layer.tensors), len(plan.constants)),
        _rule(plan, plan.tangents, [*(name for name, _ in arrays), *constants]),
        tangents, _decorator("jax.checkpoint", "static_argnums", len(arrays), len(constants)),
    )  # fmt: skip


def _decorator(function: str, argument: str, first: int, number: int) -> str:
    """`partial(jax.custom_jvp, nondiff_argnums=(3,))` for the arguments from `first` on, or the function alone."""
    places = [str(first + n) for n in range(number)]
    return f"partial({function}, {argument}={tuple_text(places)})" if places else function


def _left(names: Sequence[str], one: str = ",") -> str:
    """What stands before =; `one` is what stands behind a single name."""
    text = listed(names)
    return f"({text})" if "\n" in text else f"({text}{one})" if one and len(names) == 1 else text


def _returned(results: Sequence[str]) -> list[str]:
    """`return a, b`, or a result a line where that is too long."""
    lines = call_lines("return ", results)
    return [f"return {', '.join(results)}"] if len(lines) == 1 else lines


def _arguments(plan: KernelPlan) -> list[str]:
    """The arguments of `_forward`."""
    return [*(name for name, _ in plan.tensors), *plan.constants]


def _read_constants(plan: KernelPlan, procedure: Procedure) -> list[str]:
    """The constants that a procedure reads, or that tell lengths."""
    whole = {plan.names[constant.name] for constant in plan.layer.constants if constant.is_whole}
    return [name for name in plan.constants if name in procedure.reads or name in whole]


def _results(plan: KernelPlan) -> list[str]:
    """What `_forward` returns: the outputs and the statistics."""
    return [*(plan.names[name] for name in plan.layer.outputs), *plan.statistics]


def _wrapper(plan: KernelPlan, used: set[str]) -> Function:
    """The function that users call: checks, and hides the statistics."""
    layer, tensors = plan.layer, plan.tensors
    shapes = Shapes(layer, is_whole(layer), frozenset(), used, CASTS.size, has_sums(plan))
    labels = {plan.names[name]: axis for name, axis in layer.labels.items()}
    used.update(["labels"] if labels else [])
    reals = [name for name, _ in tensors if name not in labels]
    lines = [f"{_left(reals)} = _arrays({', '.join(f'{name}={name}' for name in reals)})"]
    lines += [f'{name} = _labels("{shown(name, plan.indices(name), layer)}", {name})' for name in labels]
    for name, indices in tensors:
        lines += [line for line in shapes.unpack(name, indices, check=True) if not re.match(r"n_\w+ = math", line)]
    lines += [*whole_lines(plan, used), *_number_lines(plan, used), *shapes.lengths(check=True)]
    for name, axis in labels.items():
        lines.append(f'_check_labels("{shown(name, plan.indices(name), layer)}", {name}, n_{axis})')
    outputs = ", ".join(plan.names[name] for name in layer.outputs)
    call = f"_forward({listed(_arguments(plan))})"
    lines += (f"{outputs}, *_ = {call}\nreturn {outputs}" if plan.statistics else f"return {call}").split("\n")
    what = f"Compute {output_text(plan)}; differentiable in forward and reverse mode, to any order."
    return Function(layer.name, signature(plan), (what, "", "Args:", *argument_lines(plan)), fit(lines))


def _number_lines(plan: KernelPlan, used: set[str]) -> list[str]:
    """The line that makes constants Python's own floats."""
    names = [plan.names[constant.name] for constant in plan.layer.constants if not constant.is_whole]
    used.update(["numbers"] if names else [])
    return [f"{_left(names)} = _numbers({', '.join(f'{name}={name}' for name in names)})"] if names else []


def _forward(plan: KernelPlan, used: set[str]) -> Function:
    """The function that has a rule of its own."""
    tensors = plan.tensors
    first = first_full(plan, tensors)
    body = TorchLines(plan, plan.forward, kinds_of(plan), first, used, JAX, is_forward=True).write()
    lines, shapes = prologue(plan, body, tensors, kinds_of(plan), used, CASTS)
    outputs = {plan.names[name]: plan.layer.entry(name).indices for name in plan.layer.outputs}
    results = [f"{shapes.restored(name, indices)}.astype(result)" for name, indices in outputs.items()]
    lines = [f"result = {first}.dtype", _dtypes(plan, tensors, [*lines, *body]), *lines]
    what = f"Compute {output_text(plan)}"
    what += f", and the statistics {', '.join(plan.statistics)}." if plan.statistics else "."
    lines = [*lines, "", *body, "", *_returned([*results, *plan.statistics])]
    return Function("_forward", listed(_arguments(plan)), (what,), fit(lines))


def _dtypes(plan: KernelPlan, arrays: Arrays, lines: Sequence[str]) -> str:
    """The line that finds the dtypes; the wide one gets no name where nothing uses it."""
    labels = {plan.names[name] for name in plan.layer.labels}
    names = ", ".join(name for name, _ in arrays if name not in labels)
    wide = any(re.search(r"\bwide\b", line) for line in lines)
    return f"dtype, {'wide' if wide else '_'} = _dtypes({names})"


def _given(plan: KernelPlan, procedure: Procedure) -> Arrays:
    """The arrays that the tangents are computed from: tensors, outputs and statistics, the tensors' tangents."""
    moving = [(f"{DOT}{tensor.name}", tensor.indices) for tensor in plan.layer.differentiable]
    moving = [(name, indices) for name, indices in moving if name in procedure.reads]
    kept = [(name, plan.indices(name)) for name in _results(plan) if name in procedure.reads]
    wanted = {index.axis for statement in procedure.statements for index in statement.indices}
    known = {index.axis for _, indices in moving for index in indices}
    tensors = []
    for name, indices in plan.tensors:
        axes = {index.axis for index in indices}
        if name in procedure.reads or axes & wanted - known:  # one that is not read tells a length
            tensors.append((name, indices))
            known |= axes
    return [*tensors, *kept, *moving]


def _tangents(
    plan: KernelPlan, procedure: Procedure, arrays: Arrays, constants: Sequence[str], used: set[str]
) -> Function:
    """The function that is linear in the tangents."""
    statistics = [(name, indices) for name, indices in arrays if name in _results(plan)]
    others = [pair for pair in arrays if pair not in statistics]
    kinds = kinds_of(plan) | {name: OWN for name, _ in others if name.startswith(DOT)}
    body = TorchLines(plan, procedure, kinds, first_full(plan, [*others, *statistics]), used, JAX).write()
    lines, shapes = prologue(plan, body, [*others, *statistics], kinds, used, CASTS)
    results = [
        shapes.restored(result, plan.layer.entry(what).indices) if what in plan.layer.outputs else result
        for what, result in procedure.results
    ]
    moved = ", ".join(plan.names[what] for what, _ in procedure.results)
    doc = f"Compute the tangents of {moved}: linear in those of the inputs."
    lines = [_dtypes(plan, others, [*lines, *body]), *lines, "", *body, "", *_returned(results)]
    return Function("_tangents", listed([*(name for name, _ in arrays), *constants]), (doc,), fit(lines))


def _rule(plan: KernelPlan, procedure: Procedure, arguments: Sequence[str]) -> Function:
    """The rule of `_forward`; what does not move has a tangent of 0."""
    tensors, results = [name for name, _ in plan.tensors], _results(plan)
    moving = [f"{DOT}{tensor.name}" for tensor in plan.layer.tensors]
    dots = [name if name in procedure.reads else "_" for name in moving]
    found = {plan.names[what]: f"{DOT}{plan.names[what]}" for what, _ in procedure.results}
    moved = [f"{found[name]}.astype({name}.dtype)" if name in found else f"jnp.zeros_like({name})" for name in results]
    lines = [
        f"{_left(tensors)} = primals",
        f"{_left(dots)} = tangents",
        f"{_left(results, '')} = _forward({listed(_arguments(plan))})",
        *([f"{_left([*found.values()], '')} = _tangents({listed(arguments)})"] if found else []),
        f"return {results[0]}, {moved[0]}"
        if len(results) == 1
        else f"return ({', '.join(results)}), ({', '.join(moved)})",
    ]
    lines = [part for line in lines for part in line.split("\n")]
    return Function("_forward_jvp", ", ".join([*plan.constants, "primals", "tangents"]), (), fit(lines))
