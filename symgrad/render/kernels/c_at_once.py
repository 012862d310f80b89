"""The Python functions around the C function that computes a loss and its gradients together."""

from __future__ import annotations

from symgrad.render.kernels.c_door import Door
from symgrad.render.kernels.c_gradients import gradients
from symgrad.render.kernels.records import Function
from symgrad.render.kernels.words import argument_lines, call_lines, fit, output_text


def functions(door: Door) -> tuple[Function, ...]:
    """`forward_backward`, for arrays, and what does its work; nothing where C has no such function."""
    return () if door.at_once is None else (_for_arrays(door), _inner(door))


def _for_arrays(door: Door) -> Function:
    (cotangent,) = (name for name, _ in door.cotangents)
    doc = (
        f"Compute {output_text(door.plan)} and the gradients of the inputs together: faster than one after the other.",
        "", "Args:", *argument_lines(door.plan),
        f"    {cotangent}: the gradient of {cotangent[2:]}.",
        "    out: Gradients whose arrays receive the gradients, which are returned as well; None for an array, or",
        "        for all: new ones.",
    )  # fmt: skip
    given = ["dtype", *door.last, *door.tensors, *door.constants, cotangent, "out"]
    lines = [*door.brought(), *call_lines("return _forward_backward", given)]
    return Function("forward_backward", door.with_options(f"{cotangent}=1.0, out=None"), doc, fit(lines))


def _inner(door: Door) -> Function:
    assert door.at_once is not None
    assert door.plan.at_once is not None
    (cotangent,), (output,) = (name for name, _ in door.cotangents), door.outputs
    shapes = door.shapes(door.at_once)
    lines = [*door.unpacked(shapes), f"{cotangent} = float({cotangent})"]
    lines.append(f"{output} = np.empty((), {door.dtype(output)})")
    results = [result for result in door.plan.at_once.results if result[1] != output]
    lines += gradients(door, door.at_once, results, shapes, door.tensors, f"return {output}, Gradients")
    arguments = ", ".join(["dtype", *door.last, *door.tensors, *door.constants, cotangent, "out"])
    doc = (f"`forward_backward`, for arrays that the {door.language} functions can read.",)
    return Function("_forward_backward", arguments, doc, fit(door.with_real(lines)))
