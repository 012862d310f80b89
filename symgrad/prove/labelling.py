"""Canonical letters for the bound indices of a sum."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import groupby, permutations, product
from math import factorial, prod
from typing import Any

from symgrad.algebra.binding import rename
from symgrad.algebra.terms import Index, Mul, Num, Place, add, negative, place_text, position
from symgrad.errors import TooLargeError
from symgrad.notation.lengths import parts_of
from symgrad.prove.monomials import Monomial, Poly, PolyLike, level_of, sum_atom

MAX_ORDERS = 720
MAX_AVERAGED = 24
Rename = Callable[[PolyLike, Mapping[Index, Index]], Poly]
Names = dict[Index, Index]


def canonical_sum(indices: tuple[Index, ...], body: Monomial, rename: Rename) -> Poly | None:
    """The sum over `indices`, as a number times the same atom for every choice of their letters.

    The letters are numbered in the order that gives the smallest body; only indices that look
    alike are permuted. Letters carry the nesting level, so that an inner sum never binds an outer
    one's letter. A body that changes its sign when letters are exchanged sums to 0. None where a
    renamed body is no longer a single monomial.
    """
    found: dict[tuple[Monomial, tuple[Index, ...]], set[Fraction]] = {}
    for order in _orders(indices, body, rename):
        names = _names(order, body)
        renamed = rename({body: Fraction(1)}, names)
        if len(renamed) != 1:
            return None
        ((monomial, coefficient),) = renamed.items()
        found.setdefault((monomial, tuple(names[index] for index in order)), set()).add(coefficient)
    best = min(found)
    if len(found[best]) > 1:
        return {}
    return {((sum_atom(best[1], best[0]), Fraction(1)),): found[best].pop()}


def alike_names(indices: tuple[Index, ...], body: Monomial) -> list[Names]:
    """Every way to name the indices that differ only outside of the divisors of `body`."""
    groups = _alike(indices, divisors(body))
    if prod(factorial(len(group)) for group in groups) > MAX_AVERAGED:
        raise TooLargeError(f"a sum of quotients over {len(indices)} indices that look alike is too large")
    choices = product(*(permutations(group) for group in groups))
    return [_names([index for group in choice for index in group], body) for choice in choices]


def divisors(body: Monomial) -> Monomial:
    """The powers of bases with several terms: what decides how a quotient is divided out."""
    return tuple((atom, e) for atom, e in body if atom.kind == "pow")


def same_divisors(left: Monomial, right: Monomial) -> bool:
    """Whether two monomials, in different letters, have divisors to the same powers."""
    return sorted(e for _, e in divisors(left)) == sorted(e for _, e in divisors(right))


def mixes_letters(indices: tuple[Index, ...], body: Monomial) -> bool:
    """Whether a divisor holds two letters of one axis, so that its leading term depends on them."""
    for atom, exponent in body:
        if atom.kind == "pow" and exponent <= -1:
            bound = [index.axis for index in atom.free.intersection(indices)]
            axes = [index.axis for index in atom.free]
            if any(axes.count(axis) > 1 for axis in bound):
                return True
    return False


def _names(order: Sequence[Index], body: Monomial) -> Names:
    """Canonical letters in this order; like fresh ones they come after those that are written."""
    level = level_of(body)
    return {index: Index(f"~{level}.{place}", index.axis) for place, index in enumerate(order)}


def _orders(indices: tuple[Index, ...], body: Monomial, rename: Rename) -> Iterator[tuple[Index, ...]]:
    """The orders worth trying: of those that look alike, all that are not the same for symmetry."""
    groups = [_twins(group, body, rename) for group in _alike(indices, body)]
    total = 1
    for twins in groups:
        total *= factorial(sum(map(len, twins))) // prod(factorial(len(each)) for each in twins)
    if total > MAX_ORDERS:
        raise TooLargeError(f"a sum over {len(indices)} indices that look alike is too large to put in order")
    for choice in product(*(list(_arrangements(twins)) for twins in groups)):
        yield tuple(index for group in choice for index in group)


def _twins(group: list[Index], body: Monomial, rename: Rename) -> list[list[Index]]:
    """The group in parts whose members may be exchanged without any change of the body."""
    if len(group) < 3:
        return [[index] for index in group]
    found: list[list[Index]] = []
    for index in group:
        for twins in found:
            if rename({body: Fraction(1)}, {index: twins[0], twins[0]: index}) == {body: 1}:
                twins.append(index)
                break
        else:
            found.append([index])
    return found


def _arrangements(twins: list[list[Index]]) -> Iterator[tuple[Index, ...]]:
    """The orders of all members in which those of one part keep their order."""
    if not any(twins):
        yield ()
    for place, part in enumerate(twins):
        if part:
            rest = [*twins[:place], part[1:], *twins[place + 1 :]]
            for order in _arrangements(rest):
                yield (part[0], *order)


def _alike(indices: tuple[Index, ...], body: Monomial) -> list[list[Index]]:
    """The indices in groups that look alike, in an order that does not depend on their letters.

    Colours are refined by the colours of neighbours (Weisfeiler and Leman) until they are stable.
    """
    colours = dict.fromkeys(indices, 0)
    while True:
        looks = {index: _looks(index, body, colours) for index in indices}
        ranks = {look: rank for rank, look in enumerate(sorted(set(looks.values())))}
        refined = {index: ranks[looks[index]] for index in indices}
        if len(ranks) == len(set(colours.values())):
            break
        colours = refined
    ordered = sorted(indices, key=refined.__getitem__)
    return [list(group) for _, group in groupby(ordered, key=refined.__getitem__)]


def _looks(index: Index, body: Monomial, colours: Mapping[Index, int]) -> tuple[Any, ...]:
    """What does not depend on letters: axis and colour, and the factors and places where it stands."""
    factors: list[tuple[Any, ...]] = []
    for atom, exponent in body:
        if index in atom.free and atom.kind == "equation":
            look = _look_of_equation(atom.data[0], atom.data[1], index, colours)
            factors.append((atom.rank, atom.kind, exponent, ((4, 0, look),)))
        elif index in atom.free:
            entry = atom.kind == "entry"
            around = [_colour(other, index, colours) for other in (atom.data[1] if entry else atom.free)]
            name = str(atom.data[0]) if entry else atom.kind
            factors.append((atom.rank, name, exponent, tuple(around if entry else sorted(around))))
    return index.axis, colours[index], tuple(sorted(factors))


def _colour(other: Index, index: Index, colours: Mapping[Index, int]) -> tuple[int, int, str]:
    """How one index sees another: as itself, as a bound one of some colour, or as a free letter.

    A computed place looks as its letters do, each with what it is multiplied with.
    """
    if isinstance(other, Place):
        return (3, 0, _look_of_place(other, index, colours))
    if other == index:
        return (0, 0, "")
    return (1, colours[other], "") if other in colours else (2, 0, other.name)


def _look_of_equation(letter: Index, place: Place, index: Index, colours: Mapping[Index, int]) -> str:
    """What [h = i + j] looks like from one of its letters, whichever of them it is solved for."""
    gap = add(position(letter), *map(negative, parts_of(place.value)))
    own = next((part for part in parts_of(gap) if index in part.free), gap)
    factors = own.factors if isinstance(own, Mul) else (own,)
    turned = isinstance(factors[0], Num) and factors[0].value < 0
    return _look_of_place(Place("", add(*map(negative, parts_of(gap))) if turned else gap), index, colours)


def _look_of_place(place: Place, index: Index, colours: Mapping[Index, int]) -> str:
    """What a computed place looks like, whatever its bound letters are called."""
    looks = {letter: _colour(letter, index, colours) for letter in place.free}
    names = {letter: Index("%" + "_".join(map(str, look)), letter.axis) for letter, look in looks.items()}
    value = rename(place.value, names)
    return " + ".join(sorted(map(place_text, parts_of(value))))
