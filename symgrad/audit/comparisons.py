"""Comparisons in one form, so that two ways to ask one question are seen to be one.

`settled` changes no value: t - x <= -b and b <= x - t become the same comparison with 0. `away` goes
further: away from corners, where no two compared values are equal, it does not matter which of < and <=
was written. A term in which no = is left has the same values there, so that an equality proved for such
terms holds for the original ones wherever no two compared values are equal.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from symgrad.algebra.binding import instantiate, substitute, transform_children
from symgrad.algebra.simplify import expand, factors_of, separate_letters, terms_of, tidy
from symgrad.algebra.terms import (
    ONE,
    ZERO,
    Call,
    Compare,
    Entry,
    Position,
    Term,
    Where,
    add,
    compare,
    mul,
    negative,
    where,
)
from symgrad.algebra.terms import walk as nodes
from symgrad.notation.layer import Definition, Layer


def settled(term: Term, layer: Layer) -> Term:
    """The term with each comparison of values in one form; its values are the same."""
    return _rewritten(term, layer, strict=False)


def away(term: Term, layer: Layer) -> Term:
    """The term with each comparison in one form, where compared values differ."""
    return _rewritten(term, layer, strict=True)


def with_bodies(layer: Layer, strict: bool) -> Layer:
    """The layer whose equations have such comparisons."""
    bodies = [_rewritten(definition.body, layer, strict) for definition in layer.definitions]
    pairs = zip(layer.definitions, bodies, strict=True)
    return replace(layer, definitions=tuple(replace(definition, body=body) for definition, body in pairs))


def compared(*terms: Term) -> list[tuple[Term, Term]]:
    """The pairs of values that are compared, each once."""
    pairs: dict[tuple[Term, Term], None] = {}
    for node in (node for term in terms for node in nodes(term)):
        if _of_values(node):
            assert isinstance(node, Compare)
            left, right = sorted((node.left, node.right), key=repr)
            pairs[left, right] = None
    return list(pairs)


def _of_values(node: Term) -> bool:
    return isinstance(node, Compare) and not any(isinstance(side, Position) for side in (node.left, node.right))


def _rewritten(term: Term, layer: Layer, strict: bool) -> Term:
    if _of_values(term):
        assert isinstance(term, Compare)
        left, right = (_by_cases(unfolded(side, layer)) for side in (term.left, term.right))
        return _compared_by_cases(term.relation, left, right, strict)
    return transform_children(term, lambda child: _rewritten(child, layer, strict))


def unfolded(term: Term, layer: Layer) -> Term:
    """The term with the layer's definitions written out."""
    for definition in reversed(layer.definitions):
        if definition.name in term.names:
            term = separate_letters(substitute(term, _Opening(definition)))
    return term


@dataclass(frozen=True)
class _Opening:
    """Replaces the entries of a definition by its body."""

    definition: Definition

    def __call__(self, entry: Entry) -> Term | None:
        if entry.name != self.definition.name:
            return None
        return instantiate(self.definition.body, self.definition.indices, entry.indices)


def _by_cases(term: Term) -> Term:
    """relu(u) as its two cases; |u| with the sign of u chosen by its form."""
    term = transform_children(term, _by_cases)
    match term:
        case Call("relu", (u,)):
            return where(compare("<", ZERO, u), u, ZERO)
        case Call("abs", (u,)):
            return Call("abs", (_upright(u)[0],))
        case _:
            return term


def _upright(term: Term) -> tuple[Term, bool]:
    """The term, or its opposite where its first part has a negative sign; and whether that was so."""
    parts = sorted(terms_of(tidy(expand(term))), key=lambda part: repr(factors_of(part)[1]))
    flip = bool(parts) and factors_of(parts[0])[0] < 0
    return add(*(negative(part) for part in parts)) if flip else add(*parts), flip


def _compared_by_cases(relation: str, left: Term, right: Term, strict: bool) -> Term:
    """A comparison of cases is made of the cases' comparisons."""
    for side, other, swapped in ((left, right, False), (right, left, True)):
        if isinstance(side, Where):
            condition = side.condition
            if _of_values(condition):
                assert isinstance(condition, Compare)
                condition = _compared_by_cases(condition.relation, condition.left, condition.right, strict)
            parts = [
                _compared_by_cases(relation, *((other, case) if swapped else (case, other)), strict)
                for case in (side.then, side.otherwise)
            ]
            return add(mul(condition, parts[0]), mul(add(ONE, negative(condition)), parts[1]))
    return _oriented(relation, left, right, strict)


def _oriented(relation: str, left: Term, right: Term, strict: bool) -> Term:
    """`difference < 0` or its opposite, with the sign of the difference chosen by its form."""
    difference, flip = _upright(add(left, negative(right)))
    if relation in ("==", "!="):
        return compare(relation, difference, ZERO) if not strict else compare(relation, ZERO, ONE)
    if difference == ZERO:
        return ONE if relation == "<=" else ZERO
    below, above = compare("<", difference, ZERO), compare("<", ZERO, difference)
    if strict:
        return add(ONE, negative(below)) if flip else below
    if relation == "<":
        return above if flip else below
    return add(ONE, negative(below)) if flip else add(ONE, negative(above))
