"""Computed places in the canonical form: x[b, i + j], x[b, t[b]], [h = i + j].

A place is a polynomial in positions, whole constants, lengths and labels. Its canonical form is that
polynomial, written in one way. [h = p], for a letter h and a place p, is an atom of its own kind:

* sum_h [h = p] f_h = f_p where p lies on the axis by declaration; where it may lie outside the sum stays,
  which is 0 there;
* [h = p] f_p = [h = p] f_h: next to it a place p is written h, so that it can leave a sum over p's letters;
* [h = p] [k = p] = [h = p] [h = k], and [h = p]^2 = [h = p].

[p = q] for two places is the indicator of p - q = 0 (indicators.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import TYPE_CHECKING

from symgrad.algebra.binding import moved
from symgrad.algebra.terms import Entry, Index, Num, Place, Position, Size, Term, add, mul, place_at, position, power
from symgrad.errors import DerivationError
from symgrad.prove.monomials import Atom, Monomial, Poly, add_into, equation_atom, monomial_of, position_atom

if TYPE_CHECKING:
    from symgrad.prove.canonical import Canonical


def settled(canon: Canonical, index: Index) -> Index:
    """The index with a computed place written in the one way."""
    if not isinstance(index, Place):
        return index
    if index not in canon.places:
        canon.places[index] = place_at(index.axis, _term(canon.poly(index.value)), index.inside)
    return canon.places[index]


def renamed(canon: Canonical, index: Index, mapping: Mapping[Index, Index]) -> Index:
    """An index of an atom with letters, or whole places, replaced."""
    return mapping[index] if index in mapping else settled(canon, moved(index, mapping))


def _term(poly: Poly) -> Term:
    """A polynomial in whole numbers as a term, sorted."""
    return add(*(mul(Num(number), *map(_factor, monomial)) for monomial, number in sorted(poly.items())))


def _factor(item: tuple[Atom, Fraction]) -> Term:
    atom, exponent = item
    if exponent.denominator != 1 or exponent < 1:
        raise DerivationError("a place in a dimension is no whole number")
    match atom.kind:
        case "position":
            return power(Position(atom.data[0]), exponent)
        case "size":
            return power(Size(atom.data[0]), exponent)
        case "entry" | "symbol":
            return power(Entry(*atom.data), exponent)
        case _:
            raise DerivationError(f"a {atom.kind} stands in a place of a dimension")


def equal(canon: Canonical, left: Index, right: Index) -> Poly:
    """[left = right], where at least one is a computed place."""
    if isinstance(left, Place) and not isinstance(right, Place):
        left, right = right, left
    if not isinstance(left, Place) and isinstance(right, Place) and right.inside:
        return {((equation_atom(left, right), Fraction(1)),): Fraction(1)}
    gap = _gap(canon, left, right)
    solved = _solved(gap)
    if solved is None:
        return canon.compare("==", position(left), position(right))
    if isinstance(solved[1], Place):
        return {((equation_atom(*solved), Fraction(1)),): Fraction(1)}
    return canon.delta(*solved)


def _solved(gap: Poly) -> tuple[Index, Index] | None:
    """[h = i + j - 1] as [i = h - j + 1], for the first of the letters: one form of what may lie outside.

    None where no letter stands in it by itself.
    """
    letters = [m[0][0].data[0] for m, c in gap.items() if abs(c) == 1 and _is_position(m)]
    if not letters:
        return None
    first = min(letters)
    own = monomial_of({position_atom(first): Fraction(1)})
    rest = {monomial: -c / gap[own] for monomial, c in gap.items() if monomial != own}
    return first, place_at(first.axis, _term(rest), inside=False)


def _gap(canon: Canonical, letter: Index, place: Index) -> Poly:
    """What is 0 where a letter is a place."""
    return add_into(dict(canon.poly(position(letter))), canon.poly(position(place)), Fraction(-1))


def _is_position(monomial: Monomial) -> bool:
    return len(monomial) == 1 and monomial[0][1] == 1 and monomial[0][0].kind == "position"


def _twins(canon: Canonical, one: Atom, other: Atom) -> tuple[Index, Index] | None:
    """Two letters over one axis that must be the same where both equations hold."""
    first, second = (_gap(canon, *atom.data) for atom in (one, other))
    for sign in (1, -1):
        apart = add_into(dict(first), second, Fraction(-sign))
        if len(apart) == 2 and sum(apart.values()) == 0 and all(_is_position(m) for m in apart):
            left, right = (m[0][0].data[0] for m in sorted(apart))
            if abs(next(iter(apart.values()))) == 1 and left.axis == right.axis:
                return left, right
    return None


def apply_equation(canon: Canonical, atom: Atom, exponents: dict[Atom, Fraction]) -> Poly | None:
    """What a factor [h = p] does to a product; None where it has nothing to do."""
    if exponents[atom] < 0:
        raise ZeroDivisionError("a division by a delta")
    if exponents[atom] != 1:
        return canon.normal({**exponents, atom: Fraction(1)})
    letter, place = atom.data
    others = {other: e for other, e in exponents.items() if other != atom}
    for twin in sorted(other for other in others if other.kind == "equation"):
        pair = _twins(canon, atom, twin)
        if pair is not None:
            del others[twin]
            return canon.product(canon.delta(*pair), canon.normal({**others, atom: Fraction(1)}))
    if not any(place in other.free for other in others):
        return None
    changed = canon.rename({monomial_of(others): Fraction(1)}, {place: letter})
    total: Poly = {}
    for monomial, coefficient in changed.items():
        add_into(total, canon.normal({**dict(monomial), atom: Fraction(1)}), coefficient)
    return total


def picked(bound: set[Index], monomial: Monomial) -> tuple[Atom, Index, Index] | None:
    """A factor that leaves one term of a sum: what stands for which bound letter."""
    for atom, _ in monomial:
        if atom.kind == "delta" and not bound.isdisjoint(atom.data):
            left, right = atom.data
            return (atom, left, right) if left in bound else (atom, right, left)
        if atom.kind == "equation" and atom.data[0] in bound:
            letter, place = atom.data
            if place.inside and letter not in place.free:
                return atom, letter, place
    return None


def rename_equation(canon: Canonical, atom: Atom, _: Fraction, mapping: Mapping[Index, Index]) -> Poly:
    """[h = p] with other letters."""
    left, right = (renamed(canon, index, mapping) for index in atom.data)
    return canon.delta(left, right)
