"""The C functions of a kernel: loops, and around them functions that others can call.

The loops (loops.py) work on arrays in the element's type REAL and on small arrays in double. The public
function takes what a caller has: it makes room for what only the loops need, and stores small results in
the element's type. Its arguments are what is given, then the lengths of the axes, then what is computed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from symgrad.plan.records import KernelPlan, Procedure
from symgrad.render.kernels.c_language import C
from symgrad.render.kernels.c_names import final_names, marked, marked_procedure, plain, unmarked
from symgrad.render.kernels.c_prelude import defined
from symgrad.render.kernels.c_turn import Axes, turned_frame, turned_procedure
from symgrad.render.kernels.loop_function import (
    RESULT,
    Argument,
    Written,
    arguments_of,
    count,
    indices_of,
    inner_of,
    kinds_of,
    stored_in,
    wide,
)
from symgrad.render.kernels.loops import Loops


@dataclass(frozen=True)
class CFunction:
    """A procedure as C.

    Attributes:
        name: "forward" or "backward".
        lines: the text of the loops and of the public function, not yet indented.
        arguments: of the public function.
        stored: the names of statements whose values are in memory.
    """

    name: str
    lines: tuple[str, ...]
    arguments: tuple[Argument, ...]
    stored: tuple[str, ...]

    def of(self, role: str) -> tuple[Argument, ...]:
        """The arguments of a role, in order."""
        return tuple(argument for argument in self.arguments if argument.role == role)


def c_function(plan: KernelPlan, procedure: Procedure, name: str, axes: Axes | None = None) -> CFunction:
    """A procedure's C function.

    Args:
        plan: of the layer.
        procedure: of the plan.
        name: "forward" or "backward".
        axes: of the arrays for whose second layout (c_turn.py) there are to be loops too.

    Raises:
        UnsupportedError: its loops need what this backend does not have.
    """
    indices = {marked(n): found for n, found in indices_of(plan, procedure).items()}
    kinds = {marked(n): kind for n, kind in kinds_of(plan, procedure).items()}
    written = marked_procedure(procedure)
    body = Loops(C(), plan.layer, indices, dict(kinds)).write(written)
    turned: list[str] = []
    if axes is not None:
        other = {n: turned_frame(found, axes) for n, found in indices.items()}
        turned = Loops(C(), plan.layer, other, dict(kinds)).write(turned_procedure(written, axes))
    code = C().uncommented([*body, *turned])
    stored = stored_in(procedure, code, marked)
    found = Written(indices, kinds, stored, code)
    arguments = arguments_of(plan, procedure, name, found, marked)
    inner = inner_of(arguments, found)
    loops = _loops(name, inner, body)
    if axes is not None:
        loops = ["#if LAST", *_loops(name, inner, turned), "#else", *loops, "#endif"]
    lines = [*loops, "", *_public(name, arguments, inner)]
    names = final_names(C().uncommented(lines), defined())
    final = tuple(replace(a, name=unmarked([a.name], names)[0], variable=plain(a.name), what=plain(a.what))
                  for a in arguments)  # fmt: skip
    return CFunction(name, tuple(unmarked(lines, names)), final, tuple(plain(n) for n in stored))


def packed(function: CFunction) -> list[str]:
    """A C function that takes all arguments in one record, which is one conversion for a caller in Python."""
    members = [f"{argument.declaration};" for argument in function.arguments]
    values = ", ".join(f"given->{argument.name}" for argument in function.arguments)
    return [
        f"struct {function.name}_arguments {{", *(members or ["int none;"]), "};",
        f"int {function.name}_packed(const struct {function.name}_arguments *given)", "{",
        *([] if members else ["(void)given;"]), f"return NAME({function.name})({values});", "}",
    ]  # fmt: skip


def indented(lines: Sequence[str]) -> list[str]:
    """Lines of C, indented by their braces."""
    depth, found = 0, []
    for line in lines:
        text = line.strip()
        depth -= text.startswith("}")
        found.append("    " * depth + text if text and not text.startswith("#") else text)
        depth += text.count("{") - text.count("}") + text.startswith("}")
    return found


def _loops(name: str, inner: Sequence[Argument], body: Sequence[str]) -> list[str]:
    """The function of the loops; none of its arrays overlaps another."""
    parameters = ", ".join(a.declaration.replace("*", "*restrict ") for a in inner) or "void"
    code = C().uncommented(body)
    unused = [f"(void){a.name};" for a in inner if not re.search(rf"\b{a.name}\b", code)]
    return [f"static int {name}_loops({parameters})", "{", *unused, *body, "return 0;", "}"]


def _public(name: str, arguments: Sequence[Argument], inner: Sequence[Argument]) -> list[str]:
    """The function for callers."""
    have = {(a.what, a.type): a.name for a in arguments}
    rooms = [a for a in inner if (a.what, a.type) not in have]
    rounded = [a for a in arguments if a.role == RESULT and a.type == "REAL" and ("double", a.what) in _pairs(inner)]
    names = [have.get((a.what, a.type), wide(a.name)) for a in inner]
    call = f"{name}_loops({', '.join(names)})"
    parameters = ", ".join(a.declaration for a in arguments) or "void"
    lines = [f"int NAME({name})({parameters})", "{"]
    if not rooms:
        lines += [f"int failed = {call};"]
    else:
        lines += [f"{a.type} *{wide(a.name)} = malloc(sizeof({a.type}) * (size_t)({count(a.indices or ())} + 1));"
                  for a in rooms]  # fmt: skip
        lines += [f"int failed = {' || '.join(f'!{wide(a.name)}' for a in rooms)};", f"if (!failed) failed = {call};"]
    for a in rounded:
        source = have.get((a.what, "double"), wide(a.what))
        loop = f"for (ptrdiff_t at = 0; !failed && at < {count(a.indices or ())}; at++)"
        lines.append(f"{loop} {a.name}[at] = (REAL){source}[at];")
    return [*lines, *(f"free({wide(a.name)});" for a in rooms), "return failed;", "}"]


def _pairs(arguments: Sequence[Argument]) -> set[tuple[str, str]]:
    return {(argument.type, argument.what) for argument in arguments}
