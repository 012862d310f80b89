"""The C functions of a kernel: loops, and around them functions that others can call.

The loops (loops.py) work on arrays in the element's type REAL and on small arrays in double. The public
function takes what a caller has: it makes room for what only the loops need, and stores small results in
the element's type. Its arguments are what is given, then the lengths of the axes, then what is computed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from symgrad.plan.records import KernelPlan, Procedure
from symgrad.render.kernels.c_half import elements
from symgrad.render.kernels.c_language import C
from symgrad.render.kernels.c_names import (
    final_names,
    marked,
    marked_procedure,
    plain,
    unmarked,
    with_final_names,
)
from symgrad.render.kernels.c_prelude import defined
from symgrad.render.kernels.c_turn import Axes, turned_frame, turned_procedure
from symgrad.render.kernels.loop_function import (
    Argument,
    LoopFunction,
    Written,
    arguments_of,
    cotangents_of,
    count,
    indices_of,
    inner_of,
    kinds_of,
    stored_in,
    wide,
)
from symgrad.render.kernels.loops import Loops


@dataclass(frozen=True)
class CFunction(LoopFunction):
    """A procedure as C.

    Attributes:
        lines: the text of the loops and of the public function, not yet indented.
    """

    lines: tuple[str, ...]

    def alone(self, lines: Sequence[str], functions: Iterable[str]) -> list[str]:
        """Lines that are left out where only another one of these functions is compiled."""
        others = [f"ONLY_{name.upper()}" for name in functions if name != self.name]
        condition = f"#ifndef {others[0]}" if len(others) == 1 else f"#if !defined({') && !defined('.join(others)})"
        return [condition, *lines, "#endif"]


def c_function(plan: KernelPlan, procedure: Procedure, name: str, axes: Axes | None = None) -> CFunction:
    """A procedure's C function.

    Args:
        plan: of the layer.
        procedure: of the plan.
        name: "forward", "backward" or "forward_backward".
        axes: of the arrays for whose second layout (c_turn.py) there are to be loops too.

    Raises:
        UnsupportedError: its loops need what this backend does not have.
    """
    indices = {marked(n): found for n, found in indices_of(plan, procedure).items()}
    held = elements(plan)
    kinds = {marked(n): "element" if n in held and kind == "real" else kind
             for n, kind in kinds_of(plan, procedure).items()}  # fmt: skip
    written = marked_procedure(procedure)
    cotangents = frozenset(map(marked, cotangents_of(plan)))
    writer = Loops(C(), plan.layer, indices, dict(kinds), cotangents)
    body, cases = writer.write(written), dict(writer.cases)
    turned: list[str] = []
    if axes is not None:
        other = {n: turned_frame(found, axes) for n, found in indices.items()}
        writer = Loops(C(), plan.layer, other, dict(kinds), cotangents)
        turned = writer.write(turned_procedure(written, axes))
        cases |= writer.cases
    code = C().uncommented([*body, *turned])
    stored = stored_in(procedure, code, marked)
    found = Written(indices, kinds, stored, code)
    arguments = arguments_of(plan, procedure, name, found, marked)
    inner = inner_of(arguments, found)
    loops = _loops(name, inner, body)
    if axes is not None:
        loops = ["#if LAST", *_loops(name, inner, turned), "#else", *loops, "#endif"]
    made = LoopFunction(name, tuple(body), arguments, inner, tuple(stored), tuple(cases.values()))
    lines = [*loops, "", *_public(made)]
    names = final_names(C().uncommented(lines), defined())
    made = replace(made, arguments=with_final_names(arguments, names), stored=tuple(plain(n) for n in stored))
    return CFunction(**vars(made), lines=tuple(unmarked(lines, names)))


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


def _public(function: LoopFunction) -> list[str]:
    """The function for callers."""
    rooms = [(a, wide(a.name)) for a in function.rooms]
    call = f"{function.name}_loops({', '.join(function.names)})"
    parameters = ", ".join(a.declaration for a in function.arguments) or "void"
    lines = [f"int NAME({function.name})({parameters})", "{"]
    if not rooms:
        lines += [f"int failed = {call};"]
    else:
        lines += [f"{a.type} *{name} = malloc(sizeof({a.type}) * (size_t)({count(a.indices or ())} + 1));"
                  for a, name in rooms]  # fmt: skip
        lines += [f"int failed = {' || '.join(f'!{name}' for _, name in rooms)};", f"if (!failed) failed = {call};"]
    for a, source in function.rounded:
        loop = f"for (ptrdiff_t at = 0; !failed && at < {count(a.indices or ())}; at++)"
        lines.append(f"{loop} {a.name}[at] = (REAL){source}[at];")
    return [*lines, *(f"free({name});" for _, name in rooms), "return failed;", "}"]
