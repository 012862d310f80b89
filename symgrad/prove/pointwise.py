"""Sums put together: the sum over j of f_j - g_j for that of f_j less that of g_j, to be compared place by place."""

from __future__ import annotations

from collections.abc import Iterator

from symgrad.algebra.binding import rename, transform_children
from symgrad.algebra.simplify import picks
from symgrad.algebra.terms import (
    ONE,
    ZERO,
    Add,
    Compare,
    Delta,
    Index,
    Mul,
    Sum,
    Term,
    Where,
    add,
    delta,
    mul,
    sum_over,
    walk,
    where,
)

MOST_ADDENDS = 60


def collapsed(term: Term) -> Term:
    """The rule sum_j delta_ij f_j = f_i, also where the delta stands in every branch of a choice."""
    term = transform_children(term, collapsed)
    if not isinstance(term, Sum):
        return term
    for found in dict.fromkeys(node for node in walk(term.body) if isinstance(node, Delta)):
        for index, other in picks(found):
            rest = _without(term.body, found) if index in term.indices else None
            if rest is not None:
                kept = tuple(each for each in term.indices if each != index)
                return collapsed(sum_over(kept, rename(rest, {index: other})))
    return term


def _without(term: Term, factor: Delta) -> Term | None:
    """What the delta multiplies, where a term is a multiple of it; None where it is not."""
    if term == factor:
        return ONE
    if isinstance(term, Mul) and factor in term.factors:
        return mul(*(each for each in term.factors if each != factor))
    if isinstance(term, Mul):
        for place, each in enumerate(term.factors):
            rest = _without(each, factor) if isinstance(each, (Where, Add)) else None
            if rest is not None:
                return mul(*term.factors[:place], rest, *term.factors[place + 1 :])
    if isinstance(term, Where):
        branches = [each if each == ZERO else _without(each, factor) for each in (term.then, term.otherwise)]
        then, otherwise = branches
        return where(term.condition, then, otherwise) if then is not None and otherwise is not None else None
    if isinstance(term, Add):
        parts = [_without(each, factor) for each in term.terms]
        found = [each for each in parts if each is not None]
        return add(*found) if len(found) == len(parts) else None
    return None


def pointwise(term: Term, letters: Iterator[str]) -> Iterator[Term]:
    """Terms that are all 0 only if the term is: one for each set of axes that sums run over.

    Sums without comparisons in them stay as they are where no other sum runs over their axes. What
    stands beside a single sum over j, and has a letter i of the same axis, goes into it times delta_ij.
    """
    groups: dict[tuple[str, ...], tuple[tuple[Index, ...], list[Term]]] = {}
    rest: list[Term] = []
    addends = list(_addends(term))
    if len(addends) > MOST_ADDENDS or not any(_compares(total) for total, _ in addends if total is not None):
        yield term
        return
    axes = {_axes(total) for total, _ in addends if total is not None and _compares(total)}
    for total, factor in addends:
        if total is None or _axes(total) not in axes:
            rest.append(factor if total is None else mul(factor, total))
            continue
        key = _axes(total)
        own, bodies = groups.setdefault(key, (tuple(Index(next(letters), axis) for axis in key), []))
        ordered = sorted(total.indices, key=lambda index: index.axis)
        bodies.append(mul(factor, rename(total.body, dict(zip(ordered, own, strict=True)))))
    left = add(*rest)
    if len(groups) == 1 and left != ZERO:
        ((key, (own, bodies)),) = groups.items()
        inside = _with_delta(left, own)
        if inside is not None:
            bodies.append(inside)
            left = ZERO
    if left != ZERO:
        yield left
    for _, bodies in groups.values():
        yield from pointwise(add(*bodies), letters)


def _with_delta(term: Term, own: tuple[Index, ...]) -> Term | None:
    """A term times delta_ij, where j is the only letter of a sum and i the term's only one over its axis."""
    if len(own) != 1:
        return None
    same = [index for index in term.free if index.axis == own[0].axis]
    return mul(delta(same[0], own[0]), term) if len(same) == 1 else None


def _axes(total: Sum) -> tuple[str, ...]:
    return tuple(sorted(index.axis for index in total.indices))


def _compares(total: Sum) -> bool:
    return any(isinstance(node, Compare) for node in walk(total.body))


def _addends(term: Term) -> Iterator[tuple[Sum | None, Term]]:
    """The addends of a term, each as a sum, or None, and what it is multiplied by."""
    if isinstance(term, Add):
        for part in term.terms:
            yield from _addends(part)
    elif isinstance(term, Sum):
        yield term, ONE
    elif isinstance(term, Mul):
        place = next((n for n, f in enumerate(term.factors) if isinstance(f, (Add, Sum)) and _holds_sum(f)), None)
        if place is None:
            yield None, term
            return
        others = mul(*term.factors[:place], *term.factors[place + 1 :])
        for total, factor in _addends(term.factors[place]):
            yield total, mul(others, factor)
    else:
        yield None, term


def _holds_sum(term: Term) -> bool:
    return isinstance(term, Sum) or any(isinstance(part, Sum) or _nested(part) for part in term.children)


def _nested(term: Term) -> bool:
    return isinstance(term, (Mul, Add)) and _holds_sum(term)
