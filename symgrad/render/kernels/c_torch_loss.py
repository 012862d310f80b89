"""The autograd.Function around the C function that computes a loss and its gradients together.

The forward pass computes the gradients too, for an upstream gradient of 1, where somebody may ask for them; the
backward pass hands them out, scaled where they lie and before their dtype changes. It does so once: who differentiates
a second time through the same graph gets gradients that are computed again. In float16, gradients that nobody has
scaled yet may be too small to be held, which is why people scale losses there; so they wait for the backward pass.
"""

from __future__ import annotations

from symgrad.render.kernels.c_door import Door
from symgrad.render.kernels.c_tensors import brought, first_large
from symgrad.render.kernels.layout import tuple_text, unpacked
from symgrad.render.kernels.records import Function
from symgrad.render.kernels.words import call_lines, fit


def methods(door: Door) -> tuple[Function, Function, Function, Function]:
    """The forward, setup_context and backward, and what computes the gradients again."""
    return _forward(door), _setup(door), _backward(door), _compute(door)


def _forward(door: Door) -> Function:
    (output,) = door.outputs
    given = ["dtype", *door.last, *door.tensors, *door.constants]
    both = call_lines(f"{output}, found = _forward_backward", [*given, "1.0", "None"])
    alone = [*call_lines(f"{output}, _ = _forward", [*given, "None"]), "found = None"]
    lines = [f"result = {first_large(door)}.dtype", *brought(door)]
    lines += [f"if at_once{' and dtype is not _FLOAT16' if door.elements else ''}:", *(f"    {line}" for line in both)]
    lines += ["else:", *(f"    {line}" for line in alone)]
    lines.append(f"return _tensor({output}, result), (dtype, found)")
    return Function("forward", ", ".join([*door.tensors, *door.constants, "at_once"]), (), fit(lines))


def _setup(door: Door) -> Function:
    lines = [
        f"{unpacked([*door.tensors, *door.constants, '_'])} = inputs",
        "_, (ctx.dtype, ctx.found) = output",
        f"ctx.save_for_backward({', '.join(door.tensors)})",
        f"ctx.constants = {tuple_text(door.constants)}",
        f"ctx.dtypes = {tuple_text([f'{name}.dtype' for name in door.tensors])}",
    ]
    return Function("setup_context", "ctx, inputs, output", (), fit(lines))


def _backward(door: Door) -> Function:
    (cotangent,) = (name for name, _ in door.cotangents)
    found = _found(door)
    lines = [
        "wanted = tuple(d if needed else None for d, needed in zip(ctx.dtypes, ctx.needs_input_grad))",
        "found, ctx.found = ctx.found, None  # they are handed out once: who gets them may change them",
        "again = torch.is_grad_enabled() or is_transformed()",
        "if found is not None and not again:",
        *(f"    {line}" for line in call_lines("results = _wanted", ["wanted", *found, f"factor={cotangent}.item()"])),
        "else:",
        f"    given = ctx.dtype, ctx.constants, wanted, *ctx.saved_tensors, {cotangent}",
        "    results = Once.apply(*given) if again else gradients(*given)",
        f"return *results, {', '.join('None' for _ in [*door.constants, ''])}",
    ]
    return Function("backward", f"ctx, {cotangent}, *_", (), fit(lines))


def _compute(door: Door) -> Function:
    """The function that computes all again, now for the gradient that has come in."""
    (cotangent,) = (name for name, _ in door.cotangents)
    given = ["dtype", *door.last, *door.tensors, *door.constants, f"{cotangent}.item()", "None"]
    lines = [f"{unpacked(door.constants)} = constants"] if door.constants else []
    lines += [*brought(door, "dtype"), *call_lines("_, found = _forward_backward", given)]
    lines += call_lines("return _wanted", ["wanted", *_found(door)])
    return Function("gradients", ", ".join(["dtype", "constants", "wanted", *door.tensors, cotangent]), (), fit(lines))


def _found(door: Door) -> list[str]:
    """The gradient of each tensor, None where it has none."""
    results = [what for what, _ in door.plan.backward.results]
    return [f"found.{t.name}" if t.name in results else "None" for t in door.plan.layer.tensors]
