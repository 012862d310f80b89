"""Conditions of `where`, and functions of two arguments that are cases: maximum, minimum, pow."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from symgrad.algebra.simplify import excluded_pair
from symgrad.algebra.terms import (
    HALF,
    ONE,
    Delta,
    Num,
    Position,
    Term,
    add,
    compare,
    mul,
    negative,
    power,
    where,
)
from symgrad.notation.explain import WHERE
from symgrad.notation.places import equal_places, is_place, read_value
from symgrad.primitives import real_power

if TYPE_CHECKING:
    from symgrad.notation.expression import Reader

_RELATIONS: dict[type[ast.cmpop], tuple[str, bool]] = {
    ast.Lt: ("<", False),
    ast.LtE: ("<=", False),
    ast.Gt: ("<", True),
    ast.GtE: ("<=", True),
    ast.Eq: ("==", False),
    ast.NotEq: ("!=", False),
}
"""For each operator its relation, and whether the sides change places."""


def condition(reader: Reader, node: ast.expr) -> Term:
    """A condition as a term that is 0 or 1: comparisons of values or of indices, and, or, not."""
    reader.enter(node)
    found = _condition(reader, node)
    reader.depth -= 1
    return found


def _condition(reader: Reader, node: ast.expr) -> Term:
    if isinstance(node, ast.BoolOp):
        parts = [condition(reader, value) for value in node.values]
        if isinstance(node.op, ast.And):
            return mul(*parts)
        return add(ONE, negative(mul(*(add(ONE, negative(part)) for part in parts))))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return add(ONE, negative(condition(reader, node.operand)))
    if not isinstance(node, ast.Compare):
        reader.fail(node, "a condition compares two values or two indices.", WHERE)
    sides = [node.left, *node.comparators]
    return mul(*(_comparison(reader, node, op, a, b) for op, a, b in zip(node.ops, sides, sides[1:], strict=False)))


def _comparison(reader: Reader, node: ast.Compare, operator: ast.cmpop, left: ast.expr, right: ast.expr) -> Term:
    """The indicator of one comparison."""
    if type(operator) not in _RELATIONS:
        reader.fail(node, "this comparison has no meaning here.", WHERE)
    relation, swapped = _RELATIONS[type(operator)]
    letters = [side.id for side in (left, right) if isinstance(side, ast.Name) and reader.is_letter(side.id)]
    if len(letters) == 2:
        reader.meet(left, right, same=relation in ("==", "!="))
    one, other = (_side(reader, side) for side in (left, right))
    if relation in ("==", "!=") and is_place(reader, left) and is_place(reader, right):
        same = equal_places(reader, one, other)
        return same if relation == "==" else add(ONE, negative(same))
    return compare(relation, other, one) if swapped else compare(relation, one, other)


def _side(reader: Reader, node: ast.expr) -> Term:
    """A value, or the place of an index."""
    if is_place(reader, node) and not isinstance(node, ast.Name):
        return read_value(reader, node)
    if isinstance(node, ast.Name) and reader.is_letter(node.id):
        if node.id not in reader.scope.letters.parents:
            reader.undefined(node, node.id)
        reader.note(node.id, node)
        return Position(reader.known_index(node.id, node))
    return reader.term(node)


def choice(chosen: Term, then: Term, otherwise: Term) -> Term:
    """`then` where the condition is 1; a delta stays a factor, so that sums can use it."""
    if isinstance(chosen, Delta) or excluded_pair(chosen):
        return add(mul(chosen, then), mul(add(ONE, negative(chosen)), otherwise))
    return where(chosen, then, otherwise)


def larger(a: Term, b: Term) -> Term:
    """maximum(a, b); where both are equal each gets half of the gradient, as in torch.maximum."""
    return where(compare("<", b, a), a, where(compare("<", a, b), b, mul(HALF, add(a, b))))


def smaller(a: Term, b: Term) -> Term:
    """minimum(a, b); where both are equal each gets half of the gradient, as in torch.minimum."""
    return where(compare("<", a, b), a, where(compare("<", b, a), b, mul(HALF, add(a, b))))


def raised(base: Term, exponent: Term) -> Term:
    """The power; a real power, for a > 0, where the exponent is no number."""
    return power(base, exponent.value) if isinstance(exponent, Num) else real_power(base, exponent)


PAIRS = {"maximum": larger, "minimum": smaller, "pow": raised}
"""Functions of two arguments."""
