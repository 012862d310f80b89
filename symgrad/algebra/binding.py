"""Bound indices: fresh letters, renaming and substitution that cannot capture."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from itertools import count

from symgrad.algebra.terms import (
    Binder,
    Delta,
    Diff,
    Entry,
    Index,
    Place,
    Position,
    Sum,
    Term,
    delta,
    place_at,
    position,
)

LETTERS = "ikjlmnpqrabdefghoutv"
"""Fresh letters, in the order in which a textbook would take them."""


def fresh_letter(index: Index, taken: Collection[str]) -> Index:
    """An index over the same axis whose letter is not in `taken`; the own one where it is free.

    A letter that is an axis' own name is a good choice only for that axis, so callers put the
    names of the other axes into `taken`.
    """
    if index.name not in taken:
        return index
    for letter in LETTERS:
        if letter not in taken:
            return Index(letter, index.axis)
    for number in count(1):
        if (letter := f"{index.axis[0]}{number}") not in taken:
            return Index(letter, index.axis)
    raise AssertionError("count() does not end")


def fresh_letters(indices: Iterable[Index], taken: Collection[str]) -> dict[Index, Index]:
    """Distinct fresh indices for all of `indices`."""
    used = set(taken)
    mapping = {}
    for index in indices:
        mapping[index] = fresh_letter(index, used)
        used.add(mapping[index].name)
    return mapping


def rename(term: Term, mapping: Mapping[Index, Index]) -> Term:
    """Replace free indices, also by places; a bound letter that would capture a new one is renamed first."""
    mapping = {old: new for old, new in mapping.items() if old != new and old in term.free}
    if not mapping:
        return term
    if isinstance(term, Entry):
        return Entry(term.name, tuple(moved(index, mapping) for index in term.indices))
    if isinstance(term, Delta):
        return delta(moved(term.left, mapping), moved(term.right, mapping))
    if isinstance(term, Position):
        return position(mapping[term.index])
    if isinstance(term, Binder):
        indices, body = _avoid(term, {letter.name for new in mapping.values() for letter in new.free})
        return term.rebind(indices, rename(body, mapping))
    return term.rebuild(tuple(rename(child, mapping) for child in term.children))


def moved(index: Index, mapping: Mapping[Index, Index]) -> Index:
    """One index of an entry or a delta, with letters replaced."""
    return (
        in_place(index, lambda value: rename(value, mapping)) if isinstance(index, Place) else mapping.get(index, index)
    )


def in_place(index: Index, change: Callable[[Term], Term]) -> Index:
    """The index with `change` applied to the value of a place; a letter stays."""
    return place_at(index.axis, change(index.value), index.inside) if isinstance(index, Place) else index


def in_places(term: Term, change: Callable[[Term], Term]) -> Term:
    """An entry or a delta with `change` applied to the values of its places; another term stays."""
    match term:
        case Entry(name, indices) if not term.is_plain:
            return Entry(name, tuple(in_place(index, change) for index in indices))
        case Delta(left, Place() as right):
            return delta(left, in_place(right, change))
    return term


def _avoid(term: Binder, letters: Collection[str]) -> tuple[tuple[Index, ...], Term]:
    """A reduction's indices and body with no bound letter in `letters`."""
    clashing = [index for index in term.indices if index.name in letters]
    if not clashing:
        return term.indices, term.body
    mapping = fresh_letters(clashing, term.body.letters.union(letters))
    return tuple(mapping.get(i, i) for i in term.indices), rename(term.body, mapping)


def rename_bound_apart(term: Term, letters: Collection[str]) -> Term:
    """The same term with no bound letter in `letters`, nor bound twice in one another."""
    if isinstance(term, Binder):
        indices, body = _avoid(term, letters)
        inner = set(letters).union(index.name for index in indices)
        return term.rebind(indices, rename_bound_apart(body, inner))
    return transform_children(term, lambda child: rename_bound_apart(child, letters))


def transform_children(term: Term, change: Callable[[Term], Term]) -> Term:
    """The term with `change` applied to each child; the same object where nothing changes."""
    children = term.children
    changed = tuple(change(child) for child in children)
    return term if changed == children else term.rebuild(changed)


def substitute(term: Term, replace: Callable[[Entry], Term | None]) -> Term:
    """Replace entries by terms; bound letters make way, so that nothing is captured.

    `replace` returns None for an entry that stays. What it returns may mention only free letters
    of the entry itself and letters that are bound inside it.
    """
    term = in_places(term, lambda value: substitute(value, replace))
    if isinstance(term, Entry):
        found = replace(term)
        return term if found is None else found
    if isinstance(term, Diff):
        return Diff(substitute(term.body, replace), term.wrt, term.total)
    return transform_children(term, lambda child: substitute(child, replace))


def instantiate(body: Term, formal: tuple[Index, ...], actual: tuple[Index, ...]) -> Term:
    """A definition's body with its own indices `formal` replaced by those of a use."""
    return rename(body, dict(zip(formal, actual, strict=True)))


def alpha_equal(left: Term, right: Term) -> bool:
    """Equal as written, up to the letters of bound indices."""
    if left == right:
        return True
    if not (left.binds and right.binds) or left.free != right.free or left.names != right.names:
        return False
    return _alpha_key(left, {}, 0) == _alpha_key(right, {}, 0)


def _alpha_key(term: Term, bound: Mapping[Index, str], depth: int) -> Term:
    """The term with each bound letter replaced by its binding depth."""
    if isinstance(term, Binder):
        inner = dict(bound)
        for offset, index in enumerate(term.indices):
            inner[index] = f"%{depth + offset}"
        indices = tuple(Index(inner[i], i.axis) for i in term.indices)
        body = _alpha_key(term.body, inner, depth + len(indices))
        return Sum(indices, body) if isinstance(term, Sum) else term.rebind(indices, body)

    def letter(index: Index) -> Index:
        if isinstance(index, Place):
            return in_place(index, lambda value: _alpha_key(value, bound, depth))
        return Index(bound.get(index, index.name), index.axis)

    if isinstance(term, Entry):
        return Entry(term.name, tuple(map(letter, term.indices)))
    if isinstance(term, Delta):
        left, right = letter(term.left), letter(term.right)
        return Delta(left, right) if isinstance(right, Place) else Delta(min(left, right), max(left, right))
    if isinstance(term, Position):
        return Position(Index(bound.get(term.index, term.index.name), term.index.axis))
    return transform_children(term, lambda child: _alpha_key(child, bound, depth))
