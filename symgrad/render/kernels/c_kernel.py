"""A kernel in C: a Python file around it, for arrays and for tensors; and the plain C, for other programs."""

from __future__ import annotations

from symgrad.errors import UnsupportedError
from symgrad.plan.records import KernelPlan
from symgrad.render.kernels.c_at_once import functions as at_once
from symgrad.render.kernels.c_door import Door
from symgrad.render.kernels.c_half import elements
from symgrad.render.kernels.c_header import declarations, summary
from symgrad.render.kernels.c_prelude import prelude
from symgrad.render.kernels.c_source import CFunction, c_function, indented, packed
from symgrad.render.kernels.c_torch import class_of, error_text, methods, wrapper
from symgrad.render.kernels.c_turn import Axes, turned_axes
from symgrad.render.kernels.layout import shown
from symgrad.render.kernels.loop_function import AT_ONCE, BACKWARD, FORWARD, procedures
from symgrad.render.kernels.records import CHeader, CKernel, CSource, Field, Rendered
from symgrad.render.kernels.templates import fill
from symgrad.render.kernels.words import header

MODULES = frozenset(("Path", "atexit", "ctypes", "hashlib", "lru_cache", "os", "platform", "prepare", "shlex", "shutil",
                     "struct", "subprocess", "tempfile", "threading"))  # fmt: skip
"""What the Python file imports; a layer of such a name gets an underscore behind it there."""


def c_files(plan: KernelPlan) -> Rendered:
    """The Python file of a layer, with the plain C and its header beside it.

    Raises:
        UnsupportedError: the layer needs what this backend does not have.
    """
    name, source = plan.layer.name, f"layer {plan.layer.name}, template c/kernel"
    door = _with_second_layout(plan)
    beside = tuple(
        Rendered(f"c/{name}.{end}", fill(f"c/kernel.{end}.jinja", record), f"{source}.{end}.jinja")
        for end, record in (("c", _source(door)), ("h", _header(door)))
    )
    text = fill("c/kernel.py.jinja", _kernel(door))
    return Rendered(f"c/{name}.py", text, f"{source}.py.jinja", beside)


def _door(plan: KernelPlan) -> Door:
    if plan.layer.fits:
        raise UnsupportedError(f"layer {plan.layer.name} has computed places, which the C backend does not do yet.")
    try:
        return _door_for(plan, None)
    except UnsupportedError as error:
        raise UnsupportedError(f"the C backend cannot do layer {plan.layer.name} yet: it has {error}") from None


def _with_second_layout(plan: KernelPlan) -> Door:
    """The layer with loops for its second layout as well, where it has one that the loops can do."""
    axes, door = turned_axes(plan), _door(plan)
    if axes is None:
        return door
    try:
        return _door_for(plan, axes)
    except UnsupportedError:
        return door


def _door_for(plan: KernelPlan, axes: Axes | None) -> Door:
    made = {name: c_function(plan, procedure, name, axes) for name, procedure in procedures(plan).items()}
    used = {"turned"} if axes else set[str]()
    return Door(
        plan, made[FORWARD], made[BACKWARD], used, axes, elements(plan), made.get(AT_ONCE)
    )  # fmt: skip


def _functions(door: Door) -> tuple[CFunction, ...]:
    return tuple(each for each in door.loops if isinstance(each, CFunction))


def _code(door: Door) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What the functions need, and the functions."""
    name = door.plan.layer.name
    conditions = {"f32": "#elif REAL_IS_FLOAT", "f64": "#else"}
    if door.elements:
        conditions = {"bf16": "#elif BFLOAT16", "f16": "#elif FLOAT16"} | conditions
    suffixes = [line for suffix, condition in conditions.items()
                for line in (condition, f"#define NAME(function) {name}_##function##_{suffix}")]  # fmt: skip
    suffixes = [suffixes[0].replace("elif", "if"), *suffixes[1:], "#endif", ""]
    if door.axes:
        suffixes += [
            "#ifndef LAST",
            f"#define LAST 0 /* 1 for arrays that lie with {door.axes[1]} innermost */",
            "#endif",
            "",
        ]
    for case in door.cases:
        suffixes += [
            f"#ifndef {case.name} /* 1 or 0 where it is known when compiling; then the other loops are left out */",
            f"#define {case.name} ({' && '.join(case.conditions)})",
            "#endif",
            "",
        ]
    functions = _functions(door)
    names = [each.name for each in functions]
    lines = [line for each in functions for line in ("", *each.alone(each.lines, names))]
    code = [*suffixes, *indented(lines[1:])]
    return tuple(prelude(code)), tuple(code)


def _kernel(door: Door) -> CKernel:
    plan = door.plan
    needs, code = _code(door)
    name = plan.layer.name + ("_" if plan.layer.name in MODULES else "")
    functions = (wrapper(door, name), *door.functions(), *door.inner(), *at_once(door))
    *torch_methods, compute = methods(door)
    calls = _functions(door)
    names = [each.name for each in calls]
    return CKernel(
        header(plan, "c", "the CPU, in C"), frozenset(door.used), needs, code,
        tuple(indented([line for function in calls for line in ("", *function.alone(packed(function), names))][1:])),
        tuple((f"_{f.name.upper()}", "".join(a.code for a in f.arguments)) for f in calls),
        tuple(Field(kept, door.type_of(kept), shown(kept, plan.indices(kept), plan.layer)) for kept in plan.saved),
        tuple(Field(what, "np.ndarray", shown(f"d_{what}", plan.layer.entry(what).indices, plan.layer))
              for what, _ in plan.backward.results),
        name, functions, class_of(door), tuple(torch_methods), compute, error_text(door), tuple(sorted(door.elements)),
        (*(["LAST"] if door.axes else []), *(case.name for case in door.cases)), tuple(names),
    )  # fmt: skip


def _source(door: Door) -> CSource:
    needs, code = _code(door)
    return CSource(door.plan.layer.name, summary(door), needs, code)


def _header(door: Door) -> CHeader:
    return CHeader(f"SYMGRAD_{door.plan.layer.name.upper()}_H", summary(door), tuple(declarations(door)))
