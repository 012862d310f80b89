"""A whole kernel for PyTorch: a function around an autograd.Function.

facts.md ("How a backward is wrapped in torch decides whether it is right") says why it has this
form: inputs are saved, statistics are differentiable outputs and come back with cotangents of
their own, and the backward pass is made of differentiable operations.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from symgrad.plan.records import KernelPlan, Procedure, is_full
from symgrad.render.kernels.kinds import kinds_of
from symgrad.render.kernels.layout import Frame, is_whole, shown, unpacked
from symgrad.render.kernels.prologue import Casts, dtype_names, first_full, prologue
from symgrad.render.kernels.records import Function, TorchKernel
from symgrad.render.kernels.shapes import Shapes, has_sums
from symgrad.render.kernels.small import OWN, WIDE
from symgrad.render.kernels.torch_blocks import Writer
from symgrad.render.kernels.words import (
    argument_lines,
    call_lines,
    class_name,
    fit,
    header,
    output_text,
    signature,
    whole_lines,
)

CASTS = Casts("{0}.to({1})", "{0}.long()", "{0}.numel()")


def torch_kernel(plan: KernelPlan, in_blocks: bool = True) -> TorchKernel:
    """The text of a torch kernel, ready to be laid out.

    Args:
        plan: of the layer.
        in_blocks: whether a CPU computes it block by block, and small values keep no more digits than they
            need; else each procedure is one piece, with all sums in the wider type.
    """
    used: set[str] = set()
    (forward, *blocks), kinds = forward_method(plan, used, in_blocks, in_blocks)
    first, *inside = gradient_functions(plan, "_gradients", kinds, used, in_blocks, in_blocks)
    gradients = (first, *(_from_statistic(plan, name, p, kinds, used, in_blocks) for name, p in plan.from_statistics))
    wrapper, backward = _wrapper(plan, used), backward_method(plan, gradients)
    used.update(["plus"] if plan.from_statistics else [])
    functions = (*blocks, first, *inside, *gradients[1:])
    lines = [line for function in (forward, backward, *functions) for line in function.lines]
    imports = (
        *(["import math", ""] if "math" in used or any("math." in line for line in lines) else []),
        "import torch",
    )
    about: tuple[str, ...] = (f"Computes {output_text(plan)}; see `{plan.layer.name}`.",)
    if plan.statistics:
        about = (
            *about, "",
            f"The statistics {', '.join(plan.statistics)} are outputs as well, so that derivatives of the",
            "backward pass reach the inputs through them; `backward` gets their cotangents.",
        )  # fmt: skip
    return TorchKernel(
        header(plan, "torch", "PyTorch"), imports, frozenset(used), wrapper, class_name(plan.layer), about,
        forward, setup_method(plan), backward, functions,
    )  # fmt: skip


def _outputs(plan: KernelPlan) -> list[str]:
    return [plan.names[name] for name in plan.layer.outputs]


def _wrapper(plan: KernelPlan, used: set[str]) -> Function:
    """The function that users call: checks, and hides the statistics."""
    tensors = plan.tensors
    shapes = Shapes(plan.layer, is_whole(plan.layer), frozenset(), used, "{0}.numel()", has_sums(plan))
    labels = [plan.names[name] for name in plan.layer.labels]
    lines = [f"_check_types({', '.join(f'{n}={n}' for n, _ in tensors if n not in labels)})"]
    used.update(["check_labels"] if labels else [])
    lines += [f"_check_labels({', '.join(f'{n}={n}' for n in labels)})"] if labels else []
    for name, indices in tensors:
        lines += [line for line in shapes.unpack(name, indices, check=True) if not re.match(r"n_\w+ = math", line)]
    lines += [*whole_lines(plan, used), *shapes.lengths(check=True)]
    outputs = _outputs(plan)
    apply = f"{class_name(plan.layer)}.apply({', '.join([*(n for n, _ in tensors), *plan.constants])})"
    if plan.statistics:
        lines += [f"{', '.join(outputs)}, *_ = {apply}", f"return {', '.join(outputs)}"]
    else:
        lines.append(f"return {apply}")
    doc = (f"Compute {output_text(plan)}; differentiable, to any order.", "", "Args:", *argument_lines(plan))
    return Function(plan.layer.name, signature(plan), doc, fit(lines))


def forward_method(
    plan: KernelPlan, used: set[str], in_blocks: bool, is_narrow: bool
) -> tuple[list[Function], dict[str, str]]:
    """The method, and the function of a block; what is kept of each name."""
    tensors = plan.tensors
    first = first_full(plan, tensors)
    kinds = kinds_of(plan)
    written = Writer(plan, plan.forward, "_forward_block", dict(tensors), first, (), used, in_blocks, is_narrow).write(
        kinds
    )
    lines, shapes = prologue(plan, written.lines, tensors, kinds, used, CASTS, written.cast)
    dtypes = f"{dtype_names([*lines, *written.lines])} = _dtypes({', '.join(n for n, _ in tensors)})"
    results = [
        f"{shapes.restored(plan.names[name], plan.layer.entry(name).indices)}.to(result)" for name in plan.layer.outputs
    ]
    returned = ", ".join([*results, *plan.statistics])
    lines = [f"result = {first}.dtype", dtypes, *lines, "", *written.lines, "", f"return {returned}"]
    arguments = ", ".join([*(n for n, _ in tensors), *plan.constants])
    kept = {name: written.kinds[name] for name in (*plan.saved, *plan.statistics) if name in written.kinds}
    return [Function("forward", arguments, (), fit(lines)), *written.blocks], kinds | kept


def _saved_tensors(plan: KernelPlan) -> list[str]:
    return [name for name in plan.saved if name not in plan.constants]


def _saved_constants(plan: KernelPlan) -> list[str]:
    return [name for name in plan.saved if name in plan.constants]


def setup_method(plan: KernelPlan) -> Function:
    """The method that keeps what the backward pass needs."""
    tensors = [name for name, _ in plan.tensors]
    saved = _saved_tensors(plan)
    inputs = [name if name in plan.saved or name in tensors else "_" for name in [*tensors, *plan.constants]]
    outputs = [*_outputs(plan), *plan.statistics]
    lines = [f"{unpacked(inputs)} = inputs"]
    if any(name in saved for name in outputs):
        names = [name if name in saved else "_" for name in outputs]
        lines.append(f"{unpacked(names)} = output" if len(outputs) > 1 else f"{outputs[0]} = output")
    lines += [
        *([f"ctx.save_for_backward({', '.join(saved)})"] if saved else []),
        *(["ctx.set_materialize_grads(False)"] if saved and len(plan.layer.outputs) == 1 else []),
        f"ctx.dtypes = {unpacked([f'{name}.dtype' for name in tensors])}",
        *(f"ctx.{name} = {name}" for name in _saved_constants(plan)),
    ]
    return Function("setup_context", "ctx, inputs, output", (), fit(lines))


def _reads(plan: KernelPlan, procedure: Procedure) -> list[str]:
    """The arguments of a function of gradients: what it reads, and what gives it its lengths."""
    names = [name for name in plan.saved if name in procedure.reads]
    cotangents = [name for name in procedure.reads if name not in plan.saved]
    arrays = [name for name in _saved_tensors(plan) if name not in names]
    results = {i.axis for what, _ in procedure.results for i in plan.layer.entry(what).indices}
    known = {i.axis for name in names for i in plan.indices(name)}
    extra = [n for n in arrays if (axes := {i.axis for i in plan.indices(n)}) & results and not axes <= known][:1]
    whole = {plan.names[constant.name] for constant in plan.layer.constants if constant.is_whole}
    return [*cotangents, *(n for n in plan.saved if n in {*names, *extra, *whole})]


def gradient_functions(
    plan: KernelPlan, name: str, kinds: Mapping[str, str], used: set[str], in_blocks: bool, is_narrow: bool
) -> list[Function]:
    """The function that computes the gradients from the outputs' cotangents, and that of a block."""
    cotangents = {f"d_{plan.names[name]}": plan.layer.entry(name).indices for name in plan.layer.outputs}
    given = ", ".join(shown(name, indices, plan.layer) for name, indices in cotangents.items())
    text = f"The gradients of the inputs from {given}."
    return _function(plan, plan.backward, name, cotangents, text, kinds, used, in_blocks, is_narrow)


def _from_statistic(
    plan: KernelPlan, name: str, procedure: Procedure, kinds: Mapping[str, str], used: set[str], in_blocks: bool
) -> Function:
    """The function that computes the gradients from one statistic's cotangent."""
    text = f"The gradients of the inputs from d_{name}, which only derivatives of the backward pass bring in."
    cotangents = {f"d_{name}": plan.indices(name)}
    return _function(plan, procedure, f"_gradients_from_{name}", cotangents, text, kinds, used, in_blocks, in_blocks)[0]


def _function(
    plan: KernelPlan, procedure: Procedure, name: str, cotangents: dict[str, Frame], doc: str,
    known: Mapping[str, str], used: set[str], in_blocks: bool, is_narrow: bool,
) -> list[Function]:  # fmt: skip
    """One function of gradients, and that of a block; of several results each has a flag that says if it is wanted."""
    reads, constants = _reads(plan, procedure), set(plan.constants)
    arrays = [(n, cotangents[n] if n in cotangents else plan.indices(n)) for n in reads if n not in constants]
    arrays.sort(key=lambda pair: pair[0] in cotangents)
    given = {n: OWN if is_full(i, plan.layer) else WIDE for n, i in cotangents.items()}
    same = {f"d_{n}": known[n] for n in plan.statistics if f"d_{n}" in cotangents and n in known}
    kinds = {**known, **given, **same}
    wanted = tuple(what for what, _ in procedure.results)
    first = first_full(plan, arrays)
    written = Writer(plan, procedure, f"{name}_block", dict(arrays), first, wanted, used, in_blocks, is_narrow).write(
        kinds
    )
    body = written.lines
    lines, shapes = prologue(plan, body, arrays, kinds, used, CASTS, written.cast)
    results = [shapes.restored(result, plan.layer.entry(what).indices) for what, result in procedure.results]
    if len(wanted) > 1:
        lines.insert(0, f"{', '.join(f'need_{what}' for what in wanted)} = needs")
        results = [f"{result} if need_{what} else None" for what, result in zip(wanted, results, strict=True)]
    returned = [f"return {results[0]}"] if len(results) == 1 else call_lines("return ", results)
    used_text = "\n".join([*lines, *body])
    flags = ["dtype", *(["wide"] if re.search(r"\bwide\b", used_text) else []), *(["needs"] if len(wanted) > 1 else [])]
    function = Function(name, ", ".join([*reads, *flags]), (doc,), fit([*lines, "", *body, "", *returned]))
    return [function, *written.blocks]


def backward_method(plan: KernelPlan, gradients: Sequence[Function]) -> Function:
    """The method that adds up what the cotangents bring."""
    tensors = [name for name, _ in plan.tensors]
    results = [what for what, _ in plan.backward.results]
    saved = _saved_tensors(plan)
    cotangents = [f"d_{name}" for name in (*_outputs(plan), *plan.statistics)]
    lines = [f"{unpacked(saved)} = ctx.saved_tensors"] if saved else []
    lines += [f"{n} = ctx.{n}" for n in _saved_constants(plan)]
    if len(results) > 1:
        places = [f"ctx.needs_input_grad[{tensors.index(what)}]" for what in results]
        first = results == tensors[: len(results)]
        lines.append(f"needs = {f'ctx.needs_input_grad[:{len(results)}]' if first else unpacked(places)}")
    names = dtype_names([function.signature for function in gradients])
    lines.append(f"{names} = _compute_dtypes({[*saved, *cotangents][0]}.device, *ctx.dtypes)")
    lines.append(" = ".join(f"d_{what}" for what in results) + " = None")
    condition = " or ".join(f"d_{name} is not None" for name in _outputs(plan))
    assigned = ", ".join(f"d_{what}" for what in results)
    lines += [f"if {condition}:", f"    {assigned} = {gradients[0].name}({gradients[0].signature})"]
    for function, (name, procedure) in zip(gradients[1:], plan.from_statistics, strict=True):
        lines += _statistic_call(function, name, [what for what, _ in procedure.results], tensors)
    returned = [
        f"_cast(d_{name}, ctx.dtypes[{place}])" if name in results else "None" for place, name in enumerate(tensors)
    ]
    lines.append(f"return {', '.join([*returned, *['None' for _ in plan.constants]])}")
    return Function("backward", ", ".join(["ctx", *cotangents]), (), fit(lines))


def _statistic_call(function: Function, name: str, wanted: list[str], tensors: list[str]) -> list[str]:
    """The lines that add what one statistic's cotangent brings, where there is one."""
    call = f"{function.name}({function.signature})"
    if len(wanted) == 1:
        need = f"ctx.needs_input_grad[{tensors.index(wanted[0])}]"
        return [f"if d_{name} is not None and {need}:", f"    d_{wanted[0]} = _plus(d_{wanted[0]}, {call})"]
    needs = unpacked([f"ctx.needs_input_grad[{tensors.index(what)}]" for what in wanted])
    call = call.replace(", needs)", f", ({needs}))")
    parts = [f"    d_{what} = _plus(d_{what}, parts[{place}])" for place, what in enumerate(wanted)]
    return [f"if d_{name} is not None:", f"    parts = {call}", *parts]
