"""A torch kernel with a second autograd.Function for `torch.compile`.

What is compiled is differentiated once. So nothing need reach the inputs through the statistics, whose
cotangents a compiler would take for arrays of zeros and add up; and sums of the backward pass that are known in
the forward pass, up to the scalar that comes in (plan/ahead.py), are added up there, with what else it computes.
"""

from __future__ import annotations

import re
from dataclasses import replace

from symgrad.plan.records import KernelPlan
from symgrad.render.kernels.records import CompiledClass, Function, TorchKernel
from symgrad.render.kernels.torch_kernel import (
    backward_method,
    forward_method,
    gradient_functions,
    setup_method,
    torch_kernel,
)
from symgrad.render.kernels.words import class_name, fit


def torch_file(plan: KernelPlan) -> TorchKernel:
    """The text of a torch kernel, ready to be laid out.

    Args:
        plan: of the layer; where it has sums ahead, they are for what is compiled.
    """
    kernel = torch_kernel(plan.whole or plan)
    if not plan.statistics and not plan.ahead:
        return kernel
    used = {*kernel.helpers, "compiled"}
    compiled, more = _with_sums(plan, used) if plan.ahead else (_without_statistics(plan, kernel), ())
    text = re.sub(rf"\b_apply\((\s*){kernel.class_name},", r"_apply(\1function,", "\n".join(kernel.wrapper.lines))
    lines = text.split("\n")
    place = next(n for n, line in enumerate(lines) if "_apply(" in line)
    choice = f"function = {compiled.name} if _is_compiled() else {kernel.class_name}"
    wrapper = replace(kernel.wrapper, lines=fit([*lines[:place], choice, *lines[place:]]))
    return replace(
        kernel, helpers=frozenset(used), wrapper=wrapper, compiled=compiled, gradients=(*kernel.gradients, *more)
    )


def _class(
    plan: KernelPlan, about: tuple[str, ...], forward: Function, setup: Function, backward: Function
) -> CompiledClass:
    """The class, of which the statistics have no derivatives."""
    kept = [*plan.statistics]
    setup = replace(setup, lines=fit([*setup.lines, f"ctx.mark_non_differentiable({', '.join(kept)})"]))
    cotangents = [f"d_{plan.names[name]}" for name in plan.layer.outputs]
    backward = replace(backward, signature=", ".join(["ctx", *cotangents, "*_"]))
    return CompiledClass(f"{class_name(plan.layer)}Compiled", about, forward, setup, backward)


def _without_statistics(plan: KernelPlan, kernel: TorchKernel) -> CompiledClass:
    """The class of a layer without sums ahead: it computes the same."""
    arguments = kernel.forward.signature
    forward = Function("forward", arguments, (), (f"return {kernel.class_name}.forward({arguments})",))
    gradients = next(function for function in kernel.gradients if function.name == "_gradients")
    backward = backward_method(replace(plan, from_statistics=None), (gradients,), set())
    about = (f"The same as `{kernel.class_name}` for `torch.compile`: differentiable once.",)
    return _class(plan, about, forward, _setup(plan), backward)


def _setup(plan: KernelPlan) -> Function:
    """The method that keeps what the backward pass needs, with all statistics by name."""
    setup = setup_method(plan)
    lines = list(setup.lines)
    outputs = [plan.names[name] for name in plan.layer.outputs]
    names = [*(name if name in plan.saved else "_" for name in outputs), *plan.statistics]
    lines = [f"{', '.join(names)} = output" if line.endswith(" = output") else line for line in lines]
    return replace(setup, lines=tuple(lines))


def _with_sums(plan: KernelPlan, used: set[str]) -> tuple[CompiledClass, tuple[Function, ...]]:
    """The class whose forward pass has sums of the backward pass, and the functions that it calls."""
    whole = plan.whole or plan
    ahead = tuple(name for name, _ in plan.ahead)
    own = replace(plan, statistics=(*whole.statistics, *ahead), from_statistics=None)
    (forward, *_), kinds = forward_method(own, used, in_blocks=False, is_narrow=True)
    forward = _not_later(forward, plan.names[plan.layer.outputs[0]], ahead)
    used.add("not_later")
    gradients = gradient_functions(own, "_gradients_from_sums", kinds, used, in_blocks=False, is_narrow=True)
    cotangent = f"d_{plan.names[plan.layer.outputs[0]]}"
    doc = f"The gradients of the inputs from {cotangent}, and from the sums that were added up for {cotangent} = 1."
    gradients = [replace(gradients[0], doc=(doc,))]
    about = (
        f"The same as `{class_name(plan.layer)}` for `torch.compile`: differentiable once.", "",
        f"The sums of the backward pass are {cotangent} times what the forward pass adds up.",
    )  # fmt: skip
    return _class(own, about, forward, _setup(own), backward_method(own, gradients, used)), tuple(gradients)


def _not_later(forward: Function, output: str, sums: tuple[str, ...]) -> Function:
    """The method with an output that needs the sums: a compiler would leave them to the backward pass otherwise."""
    place = next(n for n, line in enumerate(forward.lines) if line.startswith("return "))
    line = f"{output} = _not_later({', '.join([output, *sums])})"
    lines = [*forward.lines[: place - 1], line, *forward.lines[place - 1 :]]
    return replace(forward, lines=fit(lines))
