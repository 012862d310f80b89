"""A whole kernel for PyTorch: a function around an autograd.Function.

facts.md ("How a backward is wrapped in torch decides whether it is right") says why it has this
form: inputs are saved, statistics are differentiable outputs and come back with cotangents of
their own, and the backward pass is made of differentiable operations.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import groupby

from symgrad.plan.records import KernelPlan, Procedure, is_full
from symgrad.render.kernels.kinds import kinds_of
from symgrad.render.kernels.layout import Frame, is_whole, shown, unpacked
from symgrad.render.kernels.prologue import Casts, dtype_names, first_full, prologue
from symgrad.render.kernels.records import Function, TorchKernel
from symgrad.render.kernels.shapes import Shapes, has_sums
from symgrad.render.kernels.small import OWN, WIDE
from symgrad.render.kernels.torch_blocks import Writer
from symgrad.render.kernels.words import (
    WIDTH,
    argument_lines,
    call_lines,
    class_name,
    fit,
    header,
    output_text,
    signature,
    whole_lines,
    wrapped_call,
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
    rest = _from_statistics(plan, kinds, used, in_blocks) if plan.from_statistics else []
    wrapper, backward = _wrapper(plan, used), backward_method(plan, [first, *rest], used)
    functions = (*blocks, first, *inside, *rest)
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
    apply = f"_apply({', '.join([class_name(plan.layer), *(n for n, _ in tensors), *plan.constants])})"
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


def _statistics(plan: KernelPlan) -> Procedure:
    """What computes the gradients from the statistics' cotangents."""
    assert plan.from_statistics is not None
    return plan.from_statistics


def _moving(plan: KernelPlan) -> list[str]:
    """The statistics through which derivatives of the backward pass reach an input."""
    return [name for name in plan.statistics if f"d_{name}" in _statistics(plan).reads]


def _from_statistics(plan: KernelPlan, kinds: Mapping[str, str], used: set[str], in_blocks: bool) -> list[Function]:
    """The function that computes the gradients from the statistics' cotangents."""
    names = _moving(plan)
    given = ", ".join(f"d_{name}" for name in names) if len(names) < 5 else "the statistics' cotangents"
    text = f"The gradients of the inputs from {given}, which only derivatives of `backward` bring in."
    cotangents = {f"d_{name}": plan.indices(name) for name in names}
    name = "_gradients_from_statistics"
    return _function(plan, _statistics(plan), name, cotangents, text, kinds, used, in_blocks, in_blocks)[:1]


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


def backward_method(plan: KernelPlan, gradients: Sequence[Function], used: set[str]) -> Function:
    """The method that adds up what the cotangents bring: those of the outputs, and of the statistics."""
    tensors = [tensor.name for tensor in plan.layer.tensors]
    results = [what for what, _ in plan.backward.results]
    saved = _saved_tensors(plan)
    cotangents = [f"d_{name}" for name in (*_outputs(plan), *plan.statistics)]
    lines = [f"{unpacked(saved)} = ctx.saved_tensors"] if saved else []
    lines += [f"{n} = ctx.{n}" for n in _saved_constants(plan)]
    if len(results) > 1:
        lines.append(f"needs = {_needs(results, tensors)}")
    names = dtype_names([function.signature for function in gradients])
    lines.append(f"{names} = _compute_dtypes({[*saved, *cotangents][0]}.device, *ctx.dtypes)")
    lines.append(" = ".join(f"d_{what}" for what in results) + " = None")
    condition = " or ".join(f"d_{name} is not None" for name in _outputs(plan))
    assigned = ", ".join(f"d_{what}" for what in results)
    call = wrapped_call(f"{assigned} = {gradients[0].name}", gradients[0].signature.split(", "))
    lines += [f"if {condition}:", *(f"    {line}" for line in call)]
    for function in gradients[1:]:
        lines += _statistics_lines(plan, function, tensors, used)
    returned = [
        f"_cast(d_{name}, ctx.dtypes[{place}])" if name in results else "None" for place, name in enumerate(tensors)
    ]
    returned += ["None" for _ in plan.constants]
    is_short = len(", ".join(returned)) < WIDTH + 12
    lines += [f"return {', '.join(returned)}"] if is_short else call_lines("return ", returned)
    return Function("backward", ", ".join(["ctx", *cotangents]), (), fit(lines))


def _needs(results: Sequence[str], tensors: list[str]) -> str:
    """Which of these gradients are wanted; places that follow each other as slices."""
    places = [tensors.index(what) for what in results]
    runs = [[place for _, place in run] for _, run in groupby(enumerate(places), key=lambda pair: pair[1] - pair[0])]
    if len(runs) > 1 and len(places) < 5:
        return unpacked([f"ctx.needs_input_grad[{place}]" for place in places])
    slices = [f"ctx.needs_input_grad[{run[0] or ''}:{run[-1] + 1}]" for run in runs]
    return slices[0] if len(slices) == 1 else unpacked([f"*{each}" for each in slices])


def _statistics_lines(plan: KernelPlan, function: Function, tensors: list[str], used: set[str]) -> list[str]:
    """The lines that add what the statistics' cotangents bring, where there are any."""
    wanted, names = [what for what, _ in _statistics(plan).results], _moving(plan)
    used.add("plus")
    given, many = [f"d_{name}" for name in names], len(names) > 4
    condition = " or ".join(f"{name} is not None" for name in given)
    condition = f"any(given is not None for given in ({', '.join(given)}))" if many else condition
    lines = []
    if len(names) > 1:
        used.add("or_zeros")
        lines = [f"{', '.join(given)} = _or_zeros(({', '.join(given)}), ({', '.join(names)}))"]
    arguments = function.signature.split(", ")
    if len(wanted) == 1:
        need = f"ctx.needs_input_grad[{tensors.index(wanted[0])}]"
        condition = f"({condition})" if len(names) in range(2, 5) else condition
        condition = f"{condition} and {need}"
        lines += [f"d_{wanted[0]} = _plus(d_{wanted[0]}, {function.name}({', '.join(arguments)}))"]
    else:
        same = wanted == [what for what, _ in plan.backward.results]
        arguments[-1] = arguments[-1] if same else _of(_needs(wanted, tensors))
        totals = ", ".join(f"d_{what}" for what in wanted)
        lines += wrapped_call(f"parts = {function.name}", arguments)
        if len(totals) < WIDTH:
            lines.append(f"{totals} = map(_plus, ({totals}), parts)")
        else:
            lines += [f"d_{what} = _plus(d_{what}, parts[{place}])" for place, what in enumerate(wanted)]
    return [f"if {condition}:", *(f"    {line}" for line in lines)]


def _of(text: str) -> str:
    """An argument: a tuple in brackets."""
    return text if text.endswith("]") and ", " not in text else f"({text})"
