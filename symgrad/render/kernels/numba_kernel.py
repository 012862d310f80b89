"""A kernel as Python that numba compiles: the loops of the C backend where there is no compiler."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from keyword import kwlist

from symgrad.errors import UnsupportedError
from symgrad.plan.records import KernelPlan, Procedure
from symgrad.render.kernels.c_at_once import functions as at_once
from symgrad.render.kernels.c_door import Door
from symgrad.render.kernels.c_names import final_names, plain, unmarked, with_final_names
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


@dataclass(frozen=True)
class NumbaFunction(LoopFunction):
    """A procedure as Python.

    Attributes:
        lines: the text of the loops, and of the function around them.
    """

    lines: tuple[str, ...]


class NumbaDoor(Door):
    """The Python side around functions that take arrays and numbers."""

    language = "numba"

    def call(self, function: LoopFunction) -> list[str]:
        """The lines that call a compiled function."""
        names = [argument.variable or argument.name for argument in function.arguments]
        values = [f"float({name})" if name in self.constants else name for name in names]
        return call_lines("_call", ["dtype", f'"{function.name}"', *values])


def numba_kernel(plan: KernelPlan) -> CKernel:
    """The record of the file of a layer.

    Raises:
        UnsupportedError: the layer needs what this backend does not have.
    """
    door = _door(plan)
    names = ", ".join(f'"{each.name}": {each.name}' for each in door.loops)
    made = [each for each in door.loops if isinstance(each, NumbaFunction)]
    code = [line for each in made for line in (*each.lines, "")] + [f"return {{{names}}}"]
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
        made = {name: _function(plan, procedure, name) for name, procedure in procedures(plan).items()}
    except UnsupportedError as error:
        raise UnsupportedError(f"the numba backend cannot do layer {plan.layer.name} yet: it has {error}") from None
    return NumbaDoor(plan, made[FORWARD], made[BACKWARD], set(), at_once=made.get(AT_ONCE))


def _function(plan: KernelPlan, procedure: Procedure, name: str) -> NumbaFunction:
    """A procedure's compiled function; a name that the text uses for something else gets a number."""
    made = loop_function(plan, procedure, name, Numba())
    lines = _lines(made)
    names = final_names(Numba().uncommented([line.strip() for line in lines]), FACTORY | set(kwlist))
    stored = tuple(plain(each) for each in made.stored)
    final = replace(made, arguments=with_final_names(made.arguments, names), stored=stored)
    return NumbaFunction(**vars(final), lines=tuple(unmarked(lines, names)))


def _kind(argument: Argument) -> str:
    """A letter for what an argument is."""
    arrays = {"REAL": "a", "double": "w", "int64_t": "l"}
    return arrays[argument.type] if argument.indices is not None else {"double": "d", "ptrdiff_t": "n"}[argument.type]


def _lines(function: LoopFunction) -> list[str]:
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
    call = call_lines(name, list(map(plain, function.names)))
    call = [f"{name}({', '.join(function.names)})"] if len(call) == 1 else [
        call[0], *(f"    {each}," for each in function.names), call[-1],
    ]  # fmt: skip
    return [
        *lines,
        "",
        *_head(function.name, [a.name for a in function.arguments]),
        *_inside([*rooms, *call, *rounded]),
    ]


def _head(name: str, arguments: Sequence[str]) -> list[str]:
    """The head of a function."""
    head = f"def {name}({', '.join(arguments)}):"
    return [head] if len(plain(head)) <= 110 else [f"def {name}(", *(f"    {a}," for a in arguments), "):"]


def _inside(lines: Sequence[str]) -> list[str]:
    return [f"    {line}" for line in lines]
