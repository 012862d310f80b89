"""Cases of SymPy, Piecewise and what is 0 or 1, in the notation's spelling."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sympy

from symgrad.door.letters import is_reduction
from symgrad.door.sympy_checks import shown
from symgrad.door.sympy_functions import is_minus

if TYPE_CHECKING:
    from symgrad.door.write_sympy import Writer

_RELATIONS = {
    sympy.StrictLessThan: "<", sympy.LessThan: "<=", sympy.StrictGreaterThan: ">", sympy.GreaterThan: ">=",
    sympy.Equality: "==", sympy.Unequality: "!=",
}  # fmt: skip


def step(writer: Writer, node: Any) -> str:
    """Heaviside(u), which is 1/2 at 0, or what its second argument says there."""
    inside, middle = node.args[0], node.args[1] if len(node.args) > 1 else sympy.Rational(1, 2)
    if middle == sympy.Rational(1, 2):
        return f"((1 + sign({writer.expression(inside)}))/2)"
    if middle not in (0, 1):
        writer.fail(node, "Heaviside with this value at 0 has no form here.", "Write a Piecewise.")
    below = [-term for term in inside.as_ordered_terms() if is_minus(term)]
    above = [term for term in inside.as_ordered_terms() if not is_minus(term)]
    one, other = sympy.Add(*below), sympy.Add(*above)  # j <= k for two indices, whose difference is no value
    _counted(writer, node, one, other)
    return f"where({writer.expression(one)} {'<=' if middle else '<'} {writer.expression(other)}, 1, 0)"


def delta(writer: Writer, node: Any) -> str:
    """KroneckerDelta(i, j)."""
    one, other = node.args[:2]
    _counted(writer, node, one, other)
    return f"where({writer.expression(one)} == {writer.expression(other)}, 1, 0)"


def piecewise(writer: Writer, node: Any) -> str:
    """Piecewise((a, condition), (b, True)) as where(condition, a, b)."""
    *cases, (last, always) = node.args
    if always != sympy.true:
        writer.fail(node, "this Piecewise has no value elsewhere.", "End it with (…, True).")
    text = writer.expression(last)
    for value, chosen in reversed(cases):
        text = f"where({condition(writer, chosen)}, {writer.expression(value)}, {text})"
    return text


def condition(writer: Writer, node: Any) -> str:
    """Comparisons with and, or, not."""
    if isinstance(node, (sympy.And, sympy.Or)):
        word = " and " if isinstance(node, sympy.And) else " or "
        return word.join(f"({condition(writer, part)})" for part in sorted(node.args, key=sympy.default_sort_key))
    if isinstance(node, sympy.Not):
        return f"not ({condition(writer, node.args[0])})"
    if type(node) not in _RELATIONS:
        writer.fail(node, f"{shown(node)} is no condition of the notation.", "Compare two values or two indices.")
    _counted(writer, node, node.lhs, node.rhs)
    return f"{writer.expression(node.lhs)} {_RELATIONS[type(node)]} {writer.expression(node.rhs)}"


def _counted(writer: Writer, node: Any, *sides: Any) -> None:
    """Places count from 0 in the notation: one that counts from 1 may be compared to another only."""
    if not all(side in writer.scope for side in sides) and any(_is_place(writer, side) for side in sides):
        writer.counts_from_0(node, "is compared to a number")


def _is_place(writer: Writer, node: Any) -> bool:
    """Whether an index stands in an expression as a number, and not as that of an entry."""
    if node in writer.scope:
        return True
    inner = isinstance(node, (sympy.Indexed, *_RELATIONS)) or is_reduction(node)
    return not inner and any(_is_place(writer, part) for part in node.args)
