"""The usual mistakes with computed places: a stride or a padding left out, a flipped window, labels that repeat."""

from __future__ import annotations

from collections.abc import Iterator

from symgrad.algebra.binding import fresh_letters, moved, rename
from symgrad.algebra.terms import (
    MINUS_ONE,
    ONE,
    Add,
    Compare,
    Delta,
    Entry,
    Index,
    Mul,
    Num,
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
    parts = value.terms if isinstance(value, Add) else (value,)
    for number, part in enumerate(parts):
        before, after = parts[:number], parts[number + 1 :]
        others = [negative(part)] if len(parts) > 1 else []
        others += [ONE] if len(parts) > 1 else []
        for factor in part.factors if isinstance(part, Mul) else ():
            if factor != MINUS_ONE and not isinstance(factor, Position):
                others.append(mul(*(f for f in part.factors if f is not factor)))  # type: ignore[attr-defined]
        for other in others:
            kept = () if other == ONE else (other,)
            changed = add(*before, *kept, *after)
            yield f"the place {place_text(changed)} instead of {was}", changed
    for step in (ONE, MINUS_ONE):
        changed = add(value, step)
        yield f"the place {place_text(changed)} instead of {was}", changed


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
            words = f"the gradients of a {label.name} that repeats overwrite each other instead of being added"
            yield words, sum_over(term.indices, body)


def _after(indices: Scope, letters: dict[Index, Index]) -> Term:
    """1 where the second letters name a later element than the first ones, in the order of memory."""
    first, *rest = indices
    later = Compare("<", Position(first), Position(letters[first]))
    if not rest:
        return later
    return add(later, mul(delta(first, letters[first]), _after(tuple(rest), letters)))
