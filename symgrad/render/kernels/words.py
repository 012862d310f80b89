"""The words around the code: headers and docstrings."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from symgrad.notation.layer import Layer
from symgrad.notation.library import SUFFIX, gallery
from symgrad.plan.formula import equation
from symgrad.plan.records import KernelPlan
from symgrad.render.kernels.layout import shown

REVERSE_MODE = (
    "The backward pass was derived by symgrad from these equations. Every gradient below was proved",
    "equal, for every size, to the derivative of the forward pass; the formula that each line",
    "computes stands above it (d_x is the gradient of the final scalar with respect to x).",
)
FORWARD_MODE = (
    "The tangents were derived by symgrad from these equations. Every one below was proved equal, for",
    "every size, to the derivative of the forward pass, and all together to be the adjoint of its",
    "gradients; the formula that each line computes stands above it (dot_x is the tangent of x: the",
    "direction in which x moves).",
)
"""What was proved of a file's derivatives."""


def header(
    plan: KernelPlan, backend: str, what: str, template: str = "kernel", options: str = "", more: Sequence[str] = (),
    proved: Sequence[str] = REVERSE_MODE,
) -> tuple[str, ...]:  # fmt: skip
    """The docstring of an emitted file; `more` stands before the words about where it comes from."""
    layer = plan.layer
    return (
        _title(layer),
        "",
        f"{'Forward and backward pass' if proved == REVERSE_MODE else 'Forward pass and its tangents'} for {what} of",
        "",
        *(f"    {line}" for line in _equations(layer)),
        "",
        *proved,
        "",
        *more,
        f"Generated from the layer {layer.name} and the template {backend}/{template}.py.jinja; do not edit. Again:",
        "",
        f"    python -m symgrad generate {_file(layer)} --backend {backend}{options}",
    )


def _file(layer: Layer) -> str:
    """What names the layer on the command line: a name of the gallery, or its own file, where it has one."""
    origins = [definition.origin for definition in layer.definitions if not definition.call]
    own = layer.name + SUFFIX
    written = any(origin is not None and origin.source.endswith(own) for origin in origins)
    return own if written and layer.name not in gallery() else layer.name


def _title(layer: Layer) -> str:
    """The first sentence of the layer's docstring."""
    first = layer.doc.strip().splitlines()[0] if layer.doc.strip() else layer.name
    return safe(first if first.endswith(".") else first + ".")


def _equations(layer: Layer) -> list[str]:
    lines = [equation(d.name, d.indices, d.body) for d in layer.definitions]
    return [piece for line in lines for piece in textwrap.wrap(
        line, WIDTH + 12, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False
    )]  # fmt: skip


WIDTH = 96
"""The longest line of emitted code, before the indentation of its function."""


def comment(formula: str) -> list[str]:
    """A formula as comment lines, broken between summands."""
    parts = _summands(formula) if len(formula) > WIDTH - 2 else [formula]
    lines = ["# " + parts[0]]
    for part in parts[1:]:
        if len(lines[-1]) + len(part) < WIDTH:
            lines[-1] += " " + part
        else:
            lines.append("#     " + part)
    return [piece for line in lines for piece in _folded(line)]


def _folded(line: str) -> list[str]:
    """A comment line that is too long even so, broken at blanks."""
    if len(line) <= WIDTH + 12:
        return [line]
    return textwrap.wrap(line, WIDTH, subsequent_indent="#     ", break_long_words=False, break_on_hyphens=False)


def assignment(name: str, text: str) -> list[str]:
    """`name = text`; a long sum a summand a line, a long product a factor a line."""
    line = f"{name} = {text}"
    parts = [piece for part in _summands(text) for piece in _pieces(part)]
    if len(line) <= WIDTH or len(parts) == 1:
        return [line]
    return [f"{name} = (", *(f"    {part}" for part in parts), ")"]


def _summands(text: str) -> list[str]:
    """The text cut before each + and - outside brackets."""
    return _cut(text, ("+ ", "- "))


def _pieces(summand: str) -> list[str]:
    """A summand, cut before each * and / outside brackets where it is too long for a line."""
    return _cut(summand, ("* ", "/ ")) if len(summand) > WIDTH else [summand]


def _cut(text: str, before: tuple[str, ...]) -> list[str]:
    depth, parts = 0, [""]
    for place, character in enumerate(text):
        depth += (character in "([") - (character in ")]")
        if character == " " and not depth and text[place + 1 : place + 3] in before:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def fit(lines: Sequence[str]) -> tuple[str, ...]:
    """The lines of a function, none too long where it can be broken."""
    return tuple(piece for line in lines for piece in fitted(line))


def fitted(line: str) -> list[str]:
    """A line of code; in one that is too long what stands in its longest brackets is broken up."""
    groups = [] if len(line) <= WIDTH + 12 or line.lstrip().startswith("#") else _brackets(line)
    if not groups:
        return [line]
    start, end = max(groups, key=lambda group: group[1] - group[0])
    indent = " " * (len(line) - len(line.lstrip()))
    inside = line[start + 1 : end]
    parts = [f"{part.strip()}," for part in _arguments(inside)] if _has_commas(inside) else _summands(inside)
    return [
        line[: start + 1],
        *(piece for part in parts for piece in fitted(f"{indent}    {part}")),
        *fitted(indent + line[end:]),
    ]


def _brackets(line: str) -> list[tuple[int, int]]:
    """Where round brackets open and close that hold several arguments or summands."""
    found, opened = [], list[int]()
    for place, character in enumerate(line):
        if character in "([":
            opened.append(place)
        elif character in ")]" and opened:
            start = opened.pop()
            inside = line[start + 1 : place]
            if line[start] == "(" and (_has_commas(inside) or len(_summands(inside)) > 1):
                found.append((start, place))
    return found


def _has_commas(text: str) -> bool:
    return len(_arguments(text)) > 1


def _arguments(text: str) -> list[str]:
    """The text cut at the commas outside brackets; a last comma ends it."""
    text = text.strip().removesuffix(",")
    depth, quoted, parts = 0, False, [""]
    for character in text:
        quoted ^= character == '"'
        depth += (character in "([") - (character in ")]")
        if character == "," and not depth and not quoted:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def call_lines(function: str, arguments: Sequence[str], behind: str = "") -> list[str]:
    """A call on one line, or an argument a line where that is too long."""
    line = f"{function}({', '.join(arguments)}){behind}"
    if len(line) <= WIDTH:
        return [line]
    return [f"{function}(", *(f"    {argument}," for argument in arguments), f"){behind}"]


def listed(names: Sequence[str]) -> str:
    """Names with commas between them; many of them in lines of their own, for what stands between brackets."""
    text = ", ".join(names)
    if len(text) <= WIDTH - 16:
        return text
    lines = textwrap.wrap(text + ",", WIDTH - 4, break_long_words=False, break_on_hyphens=False)
    return "".join(f"\n    {line}" for line in lines) + "\n"


def filled_call(function: str, arguments: Sequence[str]) -> list[str]:
    """A call on one line, or its arguments on a line of their own where they fit on one."""
    inner = ", ".join(arguments)
    if len(f"{function}({inner})") > WIDTH and len(inner) + 4 <= WIDTH:
        return [f"{function}(", f"    {inner}", ")"]
    return call_lines(function, arguments)


def wrapped_call(function: str, arguments: Sequence[str]) -> list[str]:
    """A call on one line, or with as many arguments on a line as fit; for calls of many arguments."""
    inner = ", ".join(arguments)
    if len(f"{function}({inner})") <= WIDTH:
        return [f"{function}({inner})"]
    lines = textwrap.wrap(f"{inner},", WIDTH, break_long_words=False, break_on_hyphens=False)
    return [f"{function}(", *(f"    {line}" for line in lines), ")"]


def safe(text: str) -> str:
    """A user's text as part of a docstring: nothing in it can end the string or start an escape."""
    return "".join(c if c.isprintable() else " " for c in text).replace("\\", "/").replace('"', "'")


def class_name(layer: Layer) -> str:
    """BatchNorm for batch_norm."""
    name = "".join(part[:1].upper() + part[1:] for part in layer.name.split("_"))
    return name if name != layer.name else name + "Function"


def argument_lines(plan: KernelPlan) -> list[str]:
    """One line for each argument: its shape and role."""
    layer, lines = plan.layer, []
    for tensor in layer.tensors:
        role = ROLES.get(tensor.role, f"labels, whole numbers from 0 to n_{tensor.into} - 1")
        lines.append(f"    {shown(plan.names[tensor.name], tensor.indices, layer)}: {role}.")
    lines += [f"    {plan.names[c.name]}: a {'whole number' if c.is_whole else 'constant'}." for c in layer.constants]
    return lines


def whole_lines(plan: KernelPlan, used: set[str]) -> list[str]:
    """The line that checks constants that are whole numbers."""
    names = [plan.names[constant.name] for constant in plan.layer.constants if constant.is_whole]
    used.update(["check_whole"] if names else [])
    return [f"_check_whole({', '.join(f'{name}={name}' for name in names)})"] if names else []


ROLES = {"input": "input", "parameter": "parameter", "target": "target, gets no gradient"}


def output_text(plan: KernelPlan) -> str:
    """y[s, c, k...], or several."""
    layer = plan.layer
    return ", ".join(shown(plan.names[name], layer.entry(name).indices, layer) for name in layer.outputs)


def signature(plan: KernelPlan) -> str:
    """x, w, beta, *, eps=1e-5."""
    tensors = [plan.names[t.name] for t in plan.layer.tensors]
    constants = [f"{plan.names[c.name]}={c.text or repr(float(c.default))}" for c in plan.layer.constants]
    return ", ".join([*tensors, *(["*"] if constants else []), *constants])
