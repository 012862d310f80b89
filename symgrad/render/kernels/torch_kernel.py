"""A whole kernel for PyTorch: a function around an autograd.Function.

facts.md ("How a backward is wrapped in torch decides whether it is right") says why it has this
form: inputs are saved, statistics are differentiable outputs and come back with cotangents of
their own, and the backward pass is made of differentiable operations.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from symgrad.plan.records import KernelPlan, Procedure, is_full
from symgrad.render.kernels.layout import Frame, has_variadic, is_whole, shown
from symgrad.render.kernels.numpy_lines import kinds_of
from symgrad.render.kernels.records import Function, TorchKernel
from symgrad.render.kernels.shapes import Shapes
from symgrad.render.kernels.small import OWN, WIDE
from symgrad.render.kernels.torch_lines import TorchLines
from symgrad.render.kernels.words import argument_lines, call_lines, class_name, header, output_text, signature


def torch_kernel(plan: KernelPlan) -> TorchKernel:
    """The text of a torch kernel, ready to be laid out."""
    used: set[str] = set()
    gradients = (_gradients(plan, used), *(_from_statistic(plan, name, p, used) for name, p in plan.from_statistics))
    wrapper, forward, backward = _wrapper(plan, used), _forward(plan, used), _backward(plan, used)
    imports = (*(["import math", ""] if "math" in used else []), "import torch")
    about = (f"Computes {output_text(plan)}; see `{plan.layer.name}`.",)
    if plan.statistics:
        about = (
            *about, "",
            f"The statistics {', '.join(plan.statistics)} are outputs as well, so that derivatives of the backward pass",
            "reach the inputs through them; `backward` gets their cotangents.",
        )  # fmt: skip
    return TorchKernel(
        header(plan, "torch", "PyTorch"), imports, frozenset(used), wrapper, class_name(plan.layer), about,
        forward, _setup(plan), backward, gradients,
    )  # fmt: skip


def _tensors(plan: KernelPlan) -> list[tuple[str, Frame]]:
    return [(plan.names[t.name], t.indices) for t in plan.layer.tensors]


def _constants(plan: KernelPlan) -> list[str]:
    return [plan.names[constant.name] for constant in plan.layer.constants]


def _outputs(plan: KernelPlan) -> list[str]:
    return [plan.names[name] for name in plan.layer.outputs]


def _wrapper(plan: KernelPlan, used: set[str]) -> Function:
    """The function that users call: checks, and hides the statistics."""
    tensors = _tensors(plan)
    shapes = Shapes(plan.layer, is_whole(plan.layer), frozenset(), used, "{0}.numel()")
    lines = [f"_check_types({', '.join(f'{n}={n}' for n, _ in tensors)})"]
    for name, indices in tensors:
        lines += [line for line in shapes.unpack(name, indices, check=True) if not re.match(r"n_\w+ = math", line)]
    outputs = _outputs(plan)
    apply = f"{class_name(plan.layer)}.apply({', '.join([*(n for n, _ in tensors), *_constants(plan)])})"
    if plan.statistics:
        lines += [f"{', '.join(outputs)}, *_ = {apply}", f"return {', '.join(outputs)}"]
    else:
        lines.append(f"return {apply}")
    doc = (f"Compute {output_text(plan)}; differentiable, to any order.", "", "Args:", *argument_lines(plan))
    return Function(plan.layer.name, signature(plan), doc, tuple(lines))


def _prologue(plan: KernelPlan, body: Sequence[str], arrays: Sequence[tuple[str, Frame]], used: set[str]) -> tuple[list[str], Shapes]:
    """The lines that unpack lengths and bring arrays into the compute dtype and a flat shape."""
    text = "\n".join(body)
    needed = frozenset(axis.name for axis in plan.layer.axes if re.search(rf"\bn_{axis.name}\b", text))
    shapes = Shapes(plan.layer, is_whole(plan.layer), needed, used, "{0}.numel()")
    lines = []
    for name, indices in arrays:
        if any(index.axis not in shapes.known for index in indices):
            lines += shapes.unpack(name, indices, check=False)
    for name, indices in arrays:
        cast = "wide" if not indices and name.startswith("d_") else "dtype"
        lines.append(_restored_to(name, indices, shapes, cast))
    return lines, shapes


def _restored_to(name: str, indices: Frame, shapes: Shapes, cast: str) -> str:
    """`x = x.to(dtype).reshape(n_s, n_c, n_k)`."""
    flat = shapes.flatten([(name, indices)])
    merged = flat[0].split(" = ", 1)[1].removeprefix(name) if flat else ""
    return f"{name} = {name}.to({cast}){merged}"


def _forward(plan: KernelPlan, used: set[str]) -> Function:
    tensors = _tensors(plan)
    first = _first(plan, tensors)
    body = TorchLines(plan, plan.forward, kinds_of(plan), first, used).write()
    lines, shapes = _prologue(plan, body, tensors, used)
    dtypes = f"dtype, wide = _dtypes({', '.join([first, *(n for n, _ in tensors if n != first)])})"
    results = [
        f"{shapes.restored(plan.names[name], plan.layer.entry(name).indices)}.to(result)"
        for name in plan.layer.outputs
    ]
    returned = ", ".join([*results, *plan.statistics])
    lines = [f"result = {first}.dtype", dtypes, *lines, "", *body, "", f"return {returned}"]
    arguments = ", ".join([*(n for n, _ in tensors), *_constants(plan)])
    return Function("forward", arguments, (), tuple(lines))


def _first(plan: KernelPlan, arrays: Sequence[tuple[str, Frame]]) -> str:
    """The first full-size array: its dtype is the results'."""
    return next((name for name, indices in arrays if is_full(indices, plan.layer)), arrays[0][0])


def _saved_tensors(plan: KernelPlan) -> list[str]:
    return [name for name in plan.saved if name not in _constants(plan)]


def _saved_constants(plan: KernelPlan) -> list[str]:
    return [name for name in plan.saved if name in _constants(plan)]


def _setup(plan: KernelPlan) -> Function:
    tensors = [name for name, _ in _tensors(plan)]
    saved = _saved_tensors(plan)
    inputs = [name if name in plan.saved or name in tensors else "_" for name in [*tensors, *_constants(plan)]]
    outputs = [*_outputs(plan), *plan.statistics]
    lines = [f"{_left(inputs)} = inputs"]
    if any(name in saved for name in outputs):
        names = [name if name in saved else "_" for name in outputs]
        lines.append(f"{_left(names)} = output" if len(outputs) > 1 else f"{outputs[0]} = output")
    lines += [
        f"ctx.save_for_backward({', '.join(saved)})",
        *(["ctx.set_materialize_grads(False)"] if len(plan.layer.outputs) == 1 else []),
        f"ctx.dtypes = {_left([f'{name}.dtype' for name in tensors])}",
        *(f"ctx.{name} = {name}" for name in _saved_constants(plan)),
    ]
    return Function("setup_context", "ctx, inputs, output", (), tuple(lines))


def _left(names: Sequence[str]) -> str:
    return f"({names[0]},)" if len(names) == 1 else ", ".join(names)


def _reads(plan: KernelPlan, procedure: Procedure) -> list[str]:
    """The arguments of a function of gradients: what it reads, and what gives it its lengths."""
    names = [name for name in plan.saved if name in procedure.reads]
    cotangents = [name for name in procedure.reads if name not in plan.saved]
    arrays = [name for name in _saved_tensors(plan) if name not in names]
    results = {i.axis for what, _ in procedure.results for i in plan.layer.entry(what).indices}
    known = {i.axis for name in names for i in plan.indices(name)}
    extra = [n for n in arrays if (axes := {i.axis for i in plan.indices(n)}) & results and not axes <= known][:1]
    return [*cotangents, *(n for n in plan.saved if n in {*names, *extra})]


def _gradients(plan: KernelPlan, used: set[str]) -> Function:
    """The function that computes the gradients from the outputs' cotangents."""
    cotangents = {f"d_{plan.names[name]}": plan.layer.entry(name).indices for name in plan.layer.outputs}
    given = ", ".join(shown(name, indices, plan.layer) for name, indices in cotangents.items())
    return _function(plan, plan.backward, "_gradients", cotangents, f"The gradients of the inputs from {given}.", used)


def _from_statistic(plan: KernelPlan, name: str, procedure: Procedure, used: set[str]) -> Function:
    """The function that computes the gradients from one statistic's cotangent."""
    text = f"The gradients of the inputs from d_{name}, which only derivatives of the backward pass bring in."
    return _function(plan, procedure, f"_gradients_from_{name}", {f"d_{name}": plan.indices(name)}, text, used)


def _function(
    plan: KernelPlan, procedure: Procedure, name: str, cotangents: dict[str, Frame], doc: str, used: set[str]
) -> Function:
    reads = _reads(plan, procedure)
    constants = set(_constants(plan))
    arrays = [(n, cotangents[n] if n in cotangents else plan.indices(n)) for n in reads if n not in constants]
    arrays.sort(key=lambda pair: pair[0] in cotangents)
    given = {n: OWN if is_full(i, plan.layer) else WIDE for n, i in cotangents.items()}
    writer = TorchLines(plan, procedure, {**kinds_of(plan), **given}, _first(plan, arrays), used)
    body = writer.write_as_needed() if len(procedure.results) > 1 else writer.write()
    lines, shapes = _prologue(plan, body, [(n, i) for n, i in arrays], used)
    small = [n for n, i in arrays if not is_full(i, plan.layer) and writer.kinds[n] == WIDE and i]
    lines = [line for line in lines if line.split(" = ")[0] not in small or ".to(" not in line]
    results = [
        shapes.restored(result, plan.layer.entry(what).indices) + (f" if need_{what} else None" if len(procedure.results) > 1 else "")
        for what, result in procedure.results
    ]
    returned = call_lines("return ", results)
    returned = [line.replace("return (", "return ", 1).removesuffix(")") for line in returned] if len(results) == 1 else returned
    needs = [f"need_{what}" for what, _ in procedure.results] if len(procedure.results) > 1 else []
    arguments = ", ".join([*reads, "dtype", *(["wide"] if any("wide" in x for x in [*lines, *body]) else []), *needs])
    lines = [*lines, "", *body, "", *(line.replace("return (", "return (") for line in returned)]
    return Function(name, arguments, (doc,), tuple(lines))


def _backward(plan: KernelPlan, used: set[str]) -> Function:
    """The method that adds up what the cotangents bring."""
    tensors = [name for name, _ in _tensors(plan)]
    results = [what for what, _ in plan.backward.results]
    saved = _saved_tensors(plan)
    cotangents = [f"d_{name}" for name in (*_outputs(plan), *plan.statistics)]
    lines = [f"{_left(saved)} = ctx.saved_tensors", *(f"{n} = ctx.{n}" for n in _saved_constants(plan))]
    needs = [f"need_{name}" if name in results else "_" for name in tensors]
    lines.append(f"{', '.join([*needs, '*_'])} = ctx.needs_input_grad" if len(results) > 1 else "")
    lines = [line for line in lines if line]
    first = _first(plan, _tensors(plan))
    order = [tensors.index(name) for name in [first, *(n for n in tensors if n != first)]]
    types = "*ctx.dtypes" if order == sorted(order) else ", ".join(f"ctx.dtypes[{n}]" for n in order)
    lines.append(f"dtype, wide = _compute_dtypes({saved[0]}.device, {types})")
    lines.append(" = ".join(f"d_{what}" for what in results) + " = None")
    lines += _main_call(plan, results, used)
    for name, procedure in plan.from_statistics:
        lines += _statistic_call(plan, name, procedure, results, used)
    casts = {name: f"_cast(d_{name}, ctx.dtypes[{place}])" for place, name in enumerate(tensors)}
    returned = [casts[name] if name in results else "None" for name in tensors] + ["None"] * len(_constants(plan))
    lines.append(f"return {', '.join(returned)}")
    used.add("cast")
    return Function("backward", ", ".join(["ctx", *cotangents]), (), tuple(lines))


def _main_call(plan: KernelPlan, results: list[str], used: set[str]) -> list[str]:
    outputs = [f"d_{name}" for name in _outputs(plan)]
    function = next(f for f in [_gradients(plan, used)])
    call = call_lines(f"    {_assigned(results)} = _gradients", function.signature.split(", "))
    zeros = [
        f"    {name} = {other}.new_zeros(()) if {name} is None else {name}"
        for name in outputs for other in []
    ]  # fmt: skip
    condition = " or ".join(f"{name} is not None" for name in outputs)
    return [f"if {condition}:", *zeros, *(line if line.startswith("    ") else f"    {line}" for line in call)]


def _assigned(results: list[str]) -> str:
    return ", ".join(f"d_{what}" for what in results)


def _statistic_call(plan: KernelPlan, name: str, procedure: Procedure, results: list[str], used: set[str]) -> list[str]:
    function = _from_statistic(plan, name, procedure, used)
    wanted = [what for what, _ in procedure.results]
    used.add("plus")
    call = f"{function.name}({function.signature})"
    need = " or ".join(f"need_{what}" for what in wanted)
    condition = f"if d_{name} is not None" + (f" and {need}:" if len(results) > 1 and len(wanted) == 1 else ":")
    if len(wanted) == 1:
        return [condition, f"    d_{wanted[0]} = _plus(d_{wanted[0]}, {call})"]
    parts = [f"    d_{what} = _plus(d_{what}, parts[{place}])" for place, what in enumerate(wanted)]
    return [condition, f"    parts = {call}", *parts]


_ = has_variadic
