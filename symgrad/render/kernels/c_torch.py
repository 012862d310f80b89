"""The differentiable function on torch tensors around a kernel in C."""

from __future__ import annotations

from symgrad.render.kernels.c_door import Door
from symgrad.render.kernels.c_tensors import brought, first_large
from symgrad.render.kernels.c_torch_loss import methods as loss_methods
from symgrad.render.kernels.layout import tuple_text, unpacked
from symgrad.render.kernels.records import Function
from symgrad.render.kernels.words import argument_lines, call_lines, class_name, fit, output_text, signature


def wrapper(door: Door, name: str) -> Function:
    """The function that users call with tensors."""
    plan = door.plan
    doc = (f"Compute {output_text(plan)} of torch tensors on the CPU; differentiable, once.", "", "Args:",
           *argument_lines(plan))  # fmt: skip
    apply = f"_differentiable[0]({', '.join([*door.tensors, *door.constants])})"
    several = len(door.outputs) > 1
    lines = [
        "if not _differentiable:",
        "    _make_differentiable()",
        f"{'*results' if several else 'result'}, _ = {apply}",
        f"return {'tuple(results)' if several else 'result'}",
    ]
    return Function(name, signature(plan), doc, fit(lines))


def methods(door: Door) -> tuple[Function, Function, Function, Function]:
    """The forward, setup_context and backward of its autograd.Function, and what computes the gradients."""
    if door.at_once is not None:
        return loss_methods(door)
    return _forward(door), _setup(door), _backward(door), _compute(door)


def error_text(door: Door) -> tuple[str, ...]:
    """What a second derivative is answered with, in pieces."""
    name = door.plan.layer.name
    return (
        f"the {door.language} kernel of {name} is differentiable once; for more: ",
        f"symgrad generate {name} --backend torch",
    )


def class_of(door: Door) -> str:
    """The name of its autograd.Function."""
    return class_name(door.plan.layer)


def _forward(door: Door) -> Function:
    names, results = door.tensors, door.outputs
    left = results[0] if len(results) == 1 else f"({', '.join(results)})"
    lines = [f"result = {first_large(door)}.dtype", *brought(door)]
    lines += call_lines(f"{left}, saved = _forward", ["dtype", *door.last, *names, *door.constants, "None"])
    lines += [f"return {', '.join(f'_tensor({name}, result)' for name in results)}, (dtype, saved)"]
    return Function("forward", ", ".join([*names, *door.constants]), (), fit(lines))


def _saved(door: Door) -> list[str]:
    """What of `saved` is an argument or a result, and kept as a tensor that autograd watches."""
    return [n for n in door.plan.saved if n in door.tensors or (n in door.outputs and door.is_element(n))]


def _kept(door: Door) -> list[str]:
    """The rest of `saved`: constants, and what C computed for itself."""
    return [name for name in door.plan.saved if name not in _saved(door)]


def _setup(door: Door) -> Function:
    names, saved, kept = door.tensors, _saved(door), _kept(door)
    lines = [f"{unpacked([*names, *('_' for _ in door.constants)])} = inputs"]
    outputs = [name if name in saved else "_" for name in door.outputs]
    lines.append(f"{', '.join(outputs)}, (ctx.dtype, kept) = output")
    lines += [f"ctx.save_for_backward({', '.join(saved)})"] if saved else []
    lines += [f"ctx.kept = {tuple_text([f'kept.{name}' for name in kept])}"]
    lines.append(f"ctx.dtypes = {tuple_text([f'{name}.dtype' for name in names])}")
    return Function("setup_context", "ctx, inputs, output", (), fit(lines))


def _compute(door: Door) -> Function:
    """The function that computes the gradients from what was saved and the outputs' gradients."""
    saved, kept, cotangents = _saved(door), _kept(door), door.cotangents
    given = [*(n for n in saved if n not in door.labels), *(name for name, indices in cotangents if indices)]
    lines = [f"{unpacked(kept)} = kept"] if kept else []
    lines += [f"{name} = {name}.item()" for name, indices in cotangents if not indices]
    if given:
        brought = call_lines(f"_, {', '.join(given)} = _tensors", [f'"{", ".join(given)}"', "dtype", *given])
        lines += [*door.is_last(door.plan.saved), *door.around(given, brought)]
    lines += [f'{name} = _label_tensor("{name}", {name})' for name in door.labels if name in saved]
    lines.append(f"saved = {tuple_text(list(door.plan.saved))}")
    lines += call_lines("found = _backward", ["dtype", *door.last, "saved", *(name for name, _ in cotangents), "None"])
    results = [what for what, _ in door.plan.backward.results]
    found = [f"found.{t.name}" if t.name in results else "None" for t in door.plan.layer.tensors]
    lines += call_lines("return _wanted", ["wanted", *found])
    arguments = ["dtype", "kept", "wanted", *saved, *(name for name, _ in cotangents)]
    return Function("gradients", ", ".join(arguments), (), fit(lines))


def _backward(door: Door) -> Function:
    nothing = ", ".join("None" for _ in door.constants)
    lines = (
        "wanted = tuple(d if needed else None for d, needed in zip(ctx.dtypes, ctx.needs_input_grad))",
        "given = ctx.dtype, ctx.kept, wanted, *ctx.saved_tensors, *cotangents[:-1]",
        "again = torch.is_grad_enabled() or is_transformed()",
        "results = Once.apply(*given) if again else gradients(*given)",
        f"return *results, {nothing}" if nothing else "return results",
    )
    return Function("backward", "ctx, *cotangents", (), lines)
