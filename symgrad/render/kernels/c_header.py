"""The header of a kernel in C: what each function takes, computes and returns."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from symgrad.render.kernels.c_door import Door
from symgrad.render.kernels.c_language import inside
from symgrad.render.kernels.layout import shown
from symgrad.render.kernels.loop_function import (
    AT_ONCE,
    BACKWARD,
    FORWARD,
    GIVEN,
    KEPT,
    LENGTH,
    RESULT,
    Argument,
    LoopFunction,
)
from symgrad.render.kernels.words import header

WIDTH = 110
WHAT = {
    FORWARD: "The forward pass.",
    BACKWARD: "The backward pass: the gradients of the inputs.",
    AT_ONCE: "Both passes together: the loss, and the gradients of the inputs.",
}
"""What each function computes."""


def summary(door: Door) -> tuple[str, ...]:
    """The words of the Python file's docstring, as the inside of a comment."""
    lines = header(door.plan, "c", "the CPU, in C99 with OpenMP")
    lines = tuple(line.replace("c/kernel.py.jinja", "c/kernel.c.jinja") for line in lines)
    return tuple(inside(line) for line in lines)


def declarations(door: Door) -> Iterator[str]:
    """Each function with its comment, once for each type of its arrays."""
    if door.axes:
        first, second, third = door.axes
        yield f"/* With -DLAST=1 arrays [{first}, {second}, {third}] lie as [{first}, {third}, {second}]. */"
    for function in door.loops:
        if function is not door.forward:
            yield ""
        yield from _comment(door, function)
        types = {"f32": ("float", "float"), "f64": ("double", "double")}
        if door.elements:
            types |= {"bf16": ("float", "uint16_t"), "f16": ("float", "uint16_t")}
        for suffix, (real, element) in types.items():
            yield from _declaration(door, function, {"REAL": real, "ELEMENT": element}, suffix)


def _declaration(door: Door, function: LoopFunction, types: Mapping[str, str], suffix: str) -> list[str]:
    parameters = [re.sub(r"\b(REAL|ELEMENT)\b", lambda m: types[m[1]], a.declaration) for a in function.arguments]
    parameters = parameters or ["void"]
    lines, line = [], f"int {door.plan.layer.name}_{function.name}_{suffix}("
    for place, parameter in enumerate(parameters):
        text = parameter + (");" if place == len(parameters) - 1 else ",")
        if len(line) + len(text) > WIDTH:
            lines.append(line.rstrip())
            line = "    "
        line += text + " "
    return [*lines, line.rstrip()]


def _comment(door: Door, function: LoopFunction) -> Iterator[str]:
    yield f"/* {WHAT[function.name]}"
    yield " *"
    for argument in function.arguments:
        yield f" * {argument.name}: {inside(_about(door, function, argument))}."
    yield " *"
    yield " * Returns 0, or 1 where there was no memory for partial sums; the results are not complete then. */"


def _about(door: Door, function: LoopFunction, argument: Argument) -> str:
    layer = door.plan.layer
    if argument.role == LENGTH:
        return f"how many places {argument.name.removeprefix('n_')} has"
    place = shown(argument.what, argument.indices or (), layer).replace("...", "")
    numbers = " * ".join(f"n_{index.axis}" for index in argument.indices or ()) or "1"
    size = f"; {numbers} number{'s' if numbers != '1' else ''}" if argument.indices is not None else ""
    if argument.role == KEPT:
        return f"{place}, computed for the backward pass{size}"
    if argument.role == RESULT:
        return f"{place}, computed{size}"
    kept = function.name == "backward" and argument.what in door.plan.saved
    wide = any(a.what == argument.what and a.type == argument.type for a in door.forward.of(KEPT))
    given = "a constant" if argument.what in door.constants else "given"
    if argument.what in door.labels:
        axis = door.plan.layer.labels[next(n for n, python in door.plan.names.items() if python == argument.what)]
        return f"{place}, labels: whole numbers from 0 to n_{axis} - 1{size}"
    if kept and wide:
        given = "what the forward pass computed for it"
    elif kept and argument.what not in door.constants:
        given = "as in the forward pass"
    elif argument.role == GIVEN and argument.what.startswith("d_"):
        given = f"the gradient of {argument.what[2:]}"
    return f"{place}, {given}{size}"
