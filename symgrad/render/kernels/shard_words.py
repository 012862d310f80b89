"""What a sharded kernel says about itself: what is sharded, what is exchanged, and what its gradients are."""

from __future__ import annotations

import textwrap

from symgrad.plan.shard import ShardedPlan
from symgrad.render.kernels.words import WIDTH, argument_lines, output_text


def convention_lines(sharded: ShardedPlan, ddp: str) -> list[str]:
    """What is sharded and how gradients are counted, for the file's docstring."""
    first, second = sharded.exchanges
    axis, held = sharded.axis, _replicated(sharded)
    extra = " (and one to add up the others' gradients, with ddp=False)" if sharded.apart else ""
    paragraphs = [
        f"The axis {axis} is sharded: each process of a torch.distributed group holds a part of it, which may have any"
        f" length, also 0. What has no {axis} is the same in all processes. The result is that of the parts put"
        f" together: lengths are counted over all processes. Exchanges: {first} in the forward pass, {second} in the"
        f" backward pass{extra}. All processes have to run both passes.",
        f"Gradients, with {ddp}=True (for torch.nn.parallel.DistributedDataParallel): those of the sum of the losses of"
        " all processes, as in torch.nn.SyncBatchNorm."
        + (f" For what all processes hold ({held}) each returns its share: the shares add up"
           " to the gradient, and DistributedDataParallel, which averages them, makes it the gradient of the mean loss."
           if held else "")
        + _of_loss(sharded),
        f"With {ddp}=False: the gradients of one function of the parts put together"
        + (f"; all processes get the whole gradient of {held}." if held else ".")
        + (f" {_scalar(sharded)} counts once." if _scalar(sharded) else ""),
    ]  # fmt: skip
    lines: list[str] = []
    for paragraph in paragraphs:
        lines += [*([""] if lines else []), *textwrap.wrap(paragraph, WIDTH, break_on_hyphens=False)]
    return lines


def _scalar(sharded: ShardedPlan) -> str:
    """The name of the only, scalar output; empty where there is none."""
    plan = sharded.plan
    return plan.names[plan.layer.outputs[0]] if plan.layer.scalar_output else ""


def _of_loss(sharded: ShardedPlan) -> str:
    """How a loss that all processes have is counted."""
    name = _scalar(sharded)
    return (
        f" {name} is the loss of every process, and so counts as often as there are processes; their mean is {name}"
        f" itself, for parts of any lengths. Every process has to go on with {name} in the same way."
        if name
        else ""
    )


def _replicated(sharded: ShardedPlan) -> str:
    """The tensors with gradients that all processes hold."""
    layer = sharded.plan.layer
    return ", ".join(sharded.plan.names[t.name] for t in layer.differentiable if sharded.is_replicated(t.name))


def function_doc(sharded: ShardedPlan, group: str, ddp: str) -> list[str]:
    """The docstring of the function that users call."""
    plan = sharded.plan
    names = {plan.names[t.name]: sharded.is_replicated(t.name) for t in plan.layer.tensors}
    lines = argument_lines(plan)
    for place, replicated in enumerate(names.values()):
        lines[place] = lines[place].removesuffix(".") + (
            ", the same in all processes." if replicated else ", this process's part."
        )
    return [
        f"Compute {output_text(plan)} from parts along {sharded.axis} in all processes; differentiable once.",
        "",
        "Args:",
        *lines,
        f"    {group}: the process group, by default the one of all processes.",
        f"    {ddp}: whether DistributedDataParallel, or you, will average gradients of what all processes hold;",
        "        see above.",
    ]


def about_lines(sharded: ShardedPlan) -> list[str]:
    """The docstring of the autograd function."""
    plan = sharded.plan
    return [f"Computes {output_text(plan)}; see `{plan.layer.name}`."]
