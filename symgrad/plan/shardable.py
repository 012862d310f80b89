"""What stands in the way of sharding an axis: code that needs entries of other processes, or their places.

A process that holds a part of an axis can compute each entry of its part, and its part of a sum. It cannot say
where in the whole its part begins, nor read an entry of another process.
"""

from __future__ import annotations

from collections.abc import Iterator

from symgrad.algebra.terms import Binder, Delta, Entry, Index, Place, Position, Reduce, Size, Term, walk
from symgrad.errors import UnsupportedError
from symgrad.notation.layer import Layer
from symgrad.plan.records import REDUCTION, SCATTER, KernelPlan, Statement
from symgrad.plan.share import reduction


def require_shardable(plan: KernelPlan, axis: str) -> None:
    """Raise unless every statement can be computed from parts of the axis and sums over it.

    Raises:
        UnsupportedError: with the equation and the reason.
    """
    reason = _of_layer(plan.layer, axis)
    for procedure in (plan.forward, plan.backward):
        for statement in () if reason else procedure.statements:
            found = next(_obstacles(statement, axis), None)
            if found:
                reason = f"{found} in\n    {statement.formula}"
                break
    if reason:
        raise UnsupportedError(f"layer {plan.layer.name} cannot be sharded over {axis}: {reason}")


def _of_layer(layer: Layer, axis: str) -> str:
    """What in the layer's declarations stands in the way."""
    if layer.axis(axis).length is not None:
        return "its length is declared, and a part of it has another."
    if not any(index.axis == axis for tensor in layer.tensors for index in tensor.indices):
        return "no tensor has it; its length follows from how many positions fit."
    label = next((name for name, into in layer.labels.items() if into == axis), None)
    if label is not None:
        return f"the label {label} picks entries along it, which another process may hold."
    if any(fit.axis == axis for fit in layer.fits):
        return "there are shifted entries along it, which another process may hold."
    return ""


def _obstacles(statement: Statement, axis: str) -> Iterator[str]:
    """What in a statement stands in the way."""
    nodes = list(walk(statement.term))
    if any(_is_placed(node, axis) for node in nodes):
        yield f"it depends on places along {axis}, counted over all processes,"
    if len(letters(statement, axis)) > 1:
        yield f"it combines each entry along {axis} with all others, which other processes hold,"
    if any(isinstance(node, Reduce) and node.operation == "prod" and _binds(node, axis) for node in nodes):
        yield f"there is a product along {axis}, whose derivative needs the products of all other entries,"
    top = _top(statement)
    if any(_binds(node, axis) and node is not top for node in nodes):
        yield f"there is a sum over {axis} inside of another expression"


def letters(statement: Statement, axis: str) -> set[Index]:
    """The letters that run over an axis in a statement, free or bound."""
    found = set(statement.indices)
    for node in walk(statement.term):
        found |= set(node.indices) if isinstance(node, Binder) else set()
        found |= node.free if isinstance(node, (Entry, Delta)) else set()
    return {index for index in found if index.axis == axis and not isinstance(index, Place)}


def is_sum_over(statement: Statement, axis: str) -> bool:
    """Whether a statement is a reduction over an axis."""
    top = _top(statement)
    return top is not None and _binds(top, axis)


def _top(statement: Statement) -> Binder | None:
    """The reduction that a statement is, up to a coefficient."""
    found = reduction(statement.term) if statement.kind in (REDUCTION, SCATTER) else None
    return None if found is None else found[0]


def _binds(node: Term, axis: str) -> bool:
    return isinstance(node, Binder) and any(index.axis == axis for index in node.indices)


def _is_placed(node: Term, axis: str) -> bool:
    """Whether a node depends on where along the axis its entries lie."""
    if isinstance(node, Position):
        return node.index.axis == axis
    indices = node.indices if isinstance(node, Entry) else (node.left, node.right) if isinstance(node, Delta) else ()
    places = [index for index in indices if isinstance(index, Place)]
    counted = any(_is_placed(inner, axis) or inner == Size(axis) for at in places for inner in walk(at.value))
    along = any(place.axis == axis for place in places)
    return counted or along or (isinstance(node, Delta) and axis in (node.left.axis, node.right.axis))
