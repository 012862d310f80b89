"""Which divisors the canonical form refuses: those that are 0 where two indices meet."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from symgrad.algebra.binding import rename
from symgrad.algebra.terms import Place, Term
from symgrad.errors import DerivationError
from symgrad.prove.monomials import Poly, free_of_poly

if TYPE_CHECKING:
    from symgrad.prove.canonical import Canonical


def check_divisor(canon: Canonical, base: Term) -> None:
    """Refuse 1/(x_k - x_i): it has no value at k = i, where a delta may make a product 0.

    `where(k != i, (x_k - x_i)/(x_k - x_i), 0)` is 1 - delta_ki, and cancelling would make it 1.

    Raises:
        DerivationError: it is such a divisor.
    """
    _check_places(canon, canon.poly(base))
    for one, other in combinations(sorted(base.free), 2):
        if one.axis == other.axis and frozenset((one, other)) not in canon.distinct:
            equal = rename(base, {one: other})
            if not canon.poly(equal):
                raise DerivationError(f"a divisor is 0 where {one.name} = {other.name}")
            check_divisor(canon, equal)


def _check_places(canon: Canonical, base: Poly) -> None:
    """Refuse 1/(x_h - x_p) for a computed place p as well."""
    everywhere = sorted(free_of_poly(base.items()))
    for place in everywhere:
        for other in everywhere if isinstance(place, Place) else ():
            if other != place and other.axis == place.axis and not canon.rename(base, {place: other}):
                raise DerivationError(f"a divisor is 0 where {place.name} = {other.name}")
