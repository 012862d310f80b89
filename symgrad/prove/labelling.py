"""Canonical letters for the bound indices of a sum."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from itertools import groupby, permutations, product

from symgrad.algebra.terms import Index
from symgrad.errors import TooLargeError
from symgrad.prove.monomials import Atom, Monomial, Poly, PolyLike, level_of, sum_atom

MAX_ORDERS = 5_040
Rename = Callable[[PolyLike, Mapping[Index, Index]], Poly]


def canonical_sum(indices: tuple[Index, ...], body: Monomial, rename: Rename) -> Atom:
    """The sum over `indices`, the same atom for every choice of their letters.

    The letters are numbered in the order that gives the smallest body; only indices that look
    alike (same axis, same places) are permuted. Letters carry the nesting level, so that an inner
    sum never binds an outer one's letter.
    """
    level = level_of(body)
    best: tuple[Monomial, tuple[Index, ...]] | None = None
    for order in _orders(indices, body):
        names = {index: Index(f"%{level}.{place}", index.axis) for place, index in enumerate(order)}
        ((renamed, coefficient),) = rename({body: Fraction(1)}, names).items()
        assert coefficient == 1
        candidate = (renamed, tuple(names[index] for index in order))
        if best is None or candidate < best:
            best = candidate
    assert best is not None
    return sum_atom(best[1], best[0])


def _orders(indices: tuple[Index, ...], body: Monomial) -> Iterator[tuple[Index, ...]]:
    """The orders worth trying: sorted by looks, permuted among those that look alike."""
    looks = {index: _looks(index, body) for index in indices}
    groups = [list(group) for _, group in groupby(sorted(indices, key=looks.__getitem__), key=looks.__getitem__)]
    total = 1
    for group in groups:
        for factor in range(2, len(group) + 1):
            total *= factor
    if total > MAX_ORDERS:
        raise TooLargeError(f"a sum over {len(indices)} indices that look alike is too large to put in order")
    for choice in product(*(permutations(group) for group in groups)):
        yield tuple(index for group in choice for index in group)


def _looks(index: Index, body: Monomial) -> tuple[str, list[tuple[int, str, Fraction, tuple[int, ...]]]]:
    """What does not depend on letters: the axis, and in which factors and places the index stands."""
    places = []
    for atom, exponent in body:
        if index in atom.free:
            name = str(atom.data[0]) if atom.kind == "entry" else atom.kind
            where = tuple(p for p, i in enumerate(atom.data[1]) if i == index) if atom.kind == "entry" else ()
            places.append((atom.rank, name, exponent, where))
    return index.axis, sorted(places)
