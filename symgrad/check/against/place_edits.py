"""The usual mistakes with computed places: a stride or a padding left out, a flipped window, labels that repeat."""

from __future__ import annotations

from collections.abc import Iterator

from symgrad.algebra.binding import fresh_letters, moved, rename
from symgrad.algebra.terms import (
    MINUS_ONE,
    ONE,
    ZERO,
    Add,
    Compare,
    Delta,
    Entry,
    Index,
    Mul,
    Place,
    Position,
    Reduce,
    Size,
    Sum,
    Term,
    add,
    compare,
    delta,
    mul,
    negative,
    place_at,
    place_text,
    position,
    sum_over,
)
from symgrad.notation.layer import Layer

Scope = tuple[Index, ...]
Edit = tuple[str, Term]


def moved_places(term: Entry | Delta, layer: Layer) -> Iterator[Edit]:
    """An entry, or a delta, at another place."""
    shifted = {letter.axis for fit in layer.fits for letter in fit.value.free}
    indices = term.indices if isinstance(term, Entry) else (term.right,)
    for number, index in enumerate(indices):
        for what, other in _other_places(index, shifted):
            if isinstance(term, Entry):
                yield what, Entry(term.name, (*indices[:number], other, *indices[number + 1 :]))
            else:
                yield what, delta(term.left, other)


def _other_places(index: Index, shifted: set[str]) -> Iterator[tuple[str, Index]]:
    """What stands in the place of a place, or of a letter that shifts one."""
    if not isinstance(index, Place):
        if index.axis in shifted:
            yield _flip(index)[0], _at(index, _flip(index)[1])
        return
    if isinstance(index.value, Entry):
        return
    for letter in sorted(index.free):
        what, value = _flip(letter)
        yield what, moved(index, {letter: place_at(letter.axis, value)})
    for what, value in _other_values(index.value):
        yield what, _at(index, value)


def _at(index: Index, value: Term) -> Index:
    return place_at(index.axis, value, not isinstance(index, Place) or index.inside)


def _flip(letter: Index) -> Edit:
    return f"{letter.name} runs backwards", add(Size(letter.axis), MINUS_ONE, negative(position(letter)))


def _other_values(value: Term) -> Iterator[Edit]:
    """A term of a place left out or with the other sign, a factor left out, all of it one off."""
    was = place_text(value)
    for changed in (*_less(value), add(value, ONE), add(value, MINUS_ONE)):
        yield f"the place {place_text(changed)} instead of {was}", changed


def _less(value: Term) -> Iterator[Term]:
    """The place without one of its terms, with the other sign before it, or without one factor of it."""
    parts = value.terms if isinstance(value, Add) else (value,)
    for number, part in enumerate(parts):
        factors = part.factors if isinstance(part, Mul) else ()
        others = [mul(*(f for f in factors if f is not factor)) for factor in factors if _may_go(factor)]
        if len(parts) > 1:
            others += [ZERO, negative(part)]
        for other in others:
            yield add(*parts[:number], other, *parts[number + 1 :])


def _may_go(factor: Term) -> bool:
    """Whether a factor of a place may be forgotten: a number or a constant, not the letter or the sign."""
    return factor != MINUS_ONE and not isinstance(factor, Position)


def overwritten(term: Sum, layer: Layer) -> Iterator[Edit]:
    """Where a label repeats, the last of its gradients instead of their sum: `d[t] = g` for `np.add.at(d, t, g)`."""
    factors = term.body.factors if isinstance(term.body, Mul) else (term.body,)
    for factor in factors:
        if not isinstance(factor, Delta) or not isinstance(factor.right, Place):
            continue
        label = factor.right.value
        if not isinstance(label, Entry) or label.name not in layer.labels or not label.indices:
            continue
        own = tuple(index for index in label.indices if index in term.indices)
        if own:
            letters = fresh_letters(own, term.letters)
            same = compare("==", rename(label, letters), label)
            later = Reduce("max", tuple(letters.values()), mul(_after(own, letters), same))
            body = mul(*factors, add(ONE, negative(later)))
            words = f"where {label.name} repeats, its gradients overwrite each other instead of being added"
            yield words, sum_over(term.indices, body)


def _after(indices: Scope, letters: dict[Index, Index]) -> Term:
    """1 where the second letters name a later element than the first ones, in the order of memory."""
    first, *rest = indices
    later = Compare("<", Position(first), Position(letters[first]))
    if not rest:
        return later
    return add(later, mul(delta(first, letters[first]), _after(tuple(rest), letters)))
