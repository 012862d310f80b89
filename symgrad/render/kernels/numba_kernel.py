"""A kernel as Python that numba compiles: the loops of the C backend where there is no compiler."""

from __future__ import annotations

import re
from collections.abc import Sequence

from symgrad.errors import UnsupportedError
from symgrad.plan.records import KernelPlan
from symgrad.render.kernels.c_at_once import functions as at_once
from symgrad.render.kernels.c_door import Door
from symgrad.render.kernels.c_torch import class_of, error_text, methods, wrapper
from symgrad.render.kernels.layout import shown
from symgrad.render.kernels.loop_function import (
    AT_ONCE,
    BACKWARD,
    FORWARD,
    Argument,
    LoopFunction,
    count,
    loop_function,
    procedures,
    wide,
)
from symgrad.render.kernels.numba_language import Numba, indented
from symgrad.render.kernels.numba_prelude import prelude
from symgrad.render.kernels.records import CKernel, Field
from symgrad.render.kernels.words import call_lines, header

MODULES = frozenset(("lru_cache", "numba", "prange", "prepare"))
"""What the file imports or defines; a layer of such a name gets an underscore behind it there."""

FACTORY = frozenset(("real", "small", "plain", "shared", "BLOCK", "FEW", "TILE", "PIECE", *MODULES))
"""What stands around the loops."""


class NumbaDoor(Door):
    """The Python side around functions that take arrays and numbers."""

    language = "numba"

    def call(self, function: LoopFunction) -> list[str]:
        """The lines that call a compiled function."""
        values = [f"float({a.name})" if a.name in self.constants else a.name for a in function.arguments]
        return call_lines("_call", ["dtype", f'"{function.name}"', *values])


def numba_kernel(plan: KernelPlan) -> CKernel:
    """The record of the file of a layer.

    Raises:
        UnsupportedError: the layer needs what this backend does not have.
    """
    door = _door(plan)
    names = ", ".join(f'"{each.name}": {each.name}' for each in door.loops)
    code = [line for each in door.loops for line in (*_function(each), "")] + [f"return {{{names}}}"]
    name = plan.layer.name + ("_" if plan.layer.name in MODULES else "")
    functions = (wrapper(door, name), *door.functions(), *door.inner(), *at_once(door))
    *torch_methods, compute = methods(door)
    return CKernel(
        header(plan, "numba", "the CPU, compiled by numba"), frozenset(door.used),
        tuple(prelude(code)), tuple(code), (),
        tuple((f"_{f.name.upper()}", "".join(map(_kind, f.arguments))) for f in door.loops),
        tuple(Field(kept, door.type_of(kept), shown(kept, plan.indices(kept), plan.layer)) for kept in plan.saved),
        tuple(Field(what, "np.ndarray", shown(f"d_{what}", plan.layer.entry(what).indices, plan.layer))
              for what, _ in plan.backward.results),
        name, functions, class_of(door), tuple(torch_methods), compute, error_text(door),
        calls=tuple(each.name for each in door.loops),
    )  # fmt: skip


def _door(plan: KernelPlan) -> NumbaDoor:
    if plan.layer.fits:
        raise UnsupportedError(f"layer {plan.layer.name} has computed places, which the numba backend does not do yet.")
    try:
        made = {name: loop_function(plan, procedure, name, Numba()) for name, procedure in procedures(plan).items()}
        for each in made.values():
            _check_names(each)
    except UnsupportedError as error:
        raise UnsupportedError(f"the numba backend cannot do layer {plan.layer.name} yet: it has {error}") from None
    return NumbaDoor(plan, made[FORWARD], made[BACKWARD], set(), at_once=made.get(AT_ONCE))


def _check_names(function: LoopFunction) -> None:
    """Raise where a variable of the loops has the name of an array, which has no other scope in Python."""
    text = "\n".join(function.body)
    own = set(re.findall(r"^(\w+) =|^for (\w+) in", text, re.MULTILINE))
    used = {name for pair in own for name in pair if name} | FACTORY
    for argument in function.inner:
        if argument.name in used:
            raise UnsupportedError(f"{argument.name}, a name that the loops use for themselves")


def _kind(argument: Argument) -> str:
    """A letter for what an argument is."""
    arrays = {"REAL": "a", "double": "w", "int64_t": "l"}
    return arrays[argument.type] if argument.indices is not None else {"double": "d", "ptrdiff_t": "n"}[argument.type]


def _function(function: LoopFunction) -> list[str]:
    """The compiled loops, and around them what makes room and rounds small results to the arrays' dtype."""
    own = tuple(a.name for a in function.arguments) == function.names and not function.rooms
    name = function.name if own else f"{function.name}_loops"
    how = "shared" if any("prange(" in line for line in function.body) else "plain"
    lines = [f"@{how}", *_head(name, [a.name for a in function.inner]), *_inside(indented(function.body) or ["pass"])]
    if own:
        return lines
    rooms = [f"{wide(a.name)} = np.empty({count(a.indices or ())}{'' if a.type == 'double' else ', real'})"
             for a in function.rooms]  # fmt: skip
    rounded = [f"{a.name}[:] = {source}" for a, source in function.rounded]
    call = call_lines(name, list(function.names))
    return [
        *lines,
        "",
        *_head(function.name, [a.name for a in function.arguments]),
        *_inside([*rooms, *call, *rounded]),
    ]


def _head(name: str, arguments: Sequence[str]) -> list[str]:
    """The head of a function."""
    head = f"def {name}({', '.join(arguments)}):"
    return [head] if len(head) <= 110 else [f"def {name}(", *(f"    {a}," for a in arguments), "):"]


def _inside(lines: Sequence[str]) -> list[str]:
    return [f"    {line}" for line in lines]
