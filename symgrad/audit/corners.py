"""Corners: where two compared values are equal, a function may have no derivative, and conventions differ.

Away from corners every comparison of a with b is one question, whichever of < and <= was written. A term
in which it is asked in one way only has the same values there, so that equality for all values of such
terms is equality of the original ones wherever no two compared values are equal.
"""

from __future__ import annotations

from dataclasses import replace

from symgrad.algebra.binding import transform_children
from symgrad.algebra.terms import ONE, ZERO, Compare, Position, Term, add, compare, negative, walk
from symgrad.notation.layer import Layer


def away(term: Term) -> Term:
    """The term with each comparison of values asked in one way: equal values do not occur."""
    if isinstance(term, Compare) and not isinstance(term.left, Position):
        left, right = away(term.left), away(term.right)
        if term.relation in ("==", "!="):
            return ZERO if term.relation == "==" else ONE
        if repr(left) <= repr(right):
            return compare("<", left, right)
        return add(ONE, negative(compare("<", right, left)))
    return transform_children(term, away)


def layer_away(layer: Layer) -> Layer:
    """The layer with such comparisons."""
    definitions = tuple(replace(each, body=away(each.body)) for each in layer.definitions)
    return replace(layer, definitions=definitions)


def compared(*terms: Term) -> list[tuple[Term, Term]]:
    """The pairs of values that are compared, each once."""
    pairs = {}
    for node in (node for term in terms for node in walk(term)):
        if isinstance(node, Compare) and not isinstance(node.left, Position):
            left, right = sorted((node.left, node.right), key=repr)
            pairs[left, right] = None
    return list(pairs)
