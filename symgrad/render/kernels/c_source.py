"""The C functions of a kernel: loops, and around them functions that others can call.

The public function takes what a caller has: it makes room for what only the loops need, and stores small results
in the element's type. Its arguments are what is given, then the lengths of the axes, then what is computed.
"""

from __future__ import annotations

from collections.abc import Sequence

from symgrad.render.kernels.loop_function import LoopFunction, count, wide


def c_lines(function: LoopFunction) -> list[str]:
    """The text of the loops and of the public function, not yet indented."""
    return [*_loops(function), "", *_public(function)]


def packed(function: LoopFunction) -> list[str]:
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


def _loops(function: LoopFunction) -> list[str]:
    """The function of the loops; none of its arrays overlaps another."""
    parameters = ", ".join(a.declaration.replace("*", "*restrict ") for a in function.inner) or "void"
    return [f"static int {function.name}_loops({parameters})", "{", *function.body, "return 0;", "}"]


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
        loop = f"for (ptrdiff_t i = 0; !failed && i < {count(a.indices or ())}; i++)"
        lines.append(f"{loop} {a.name}[i] = (REAL){source}[i];")
    return [*lines, *(f"free({name});" for _, name in rooms), "return failed;", "}"]
