"""The data of the canonical form: atoms, monomials and polynomials.

A polynomial maps monomials to rational coefficients. A monomial is a sorted tuple of
(atom, exponent); exponents are rational and may be negative (Laurent) where the atom cannot
vanish. Atoms are what the decision procedure does not look into: entries, sizes, values of
functions, whole sums, and powers of polynomials with several terms.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any, cast

from symgrad.algebra.terms import Index, Place

RANKS = (
    "size",
    "prime",
    "delta",
    "equation",
    "sign",
    "sum",
    "pow",
    "exp",
    "abs",
    "reduce",
    "call",
    "position",
    "entry",
    "symbol",
)
"""The kinds of atoms, from the smallest to the largest in the monomial order."""
UNITS = ("size", "prime", "exp")
"""The kinds that are positive for all values and have no parts."""


class Atom:
    """An indivisible factor; equal atoms are equal values.

    Attributes:
        rank: the place of its kind in `RANKS`.
        data: what identifies it, a tuple of names, indices, monomials or frozen polynomials.
        free: its free indices.
        level: how deep sums are nested in it.
        positive: whether it is positive for every value of everything below it.
    """

    __slots__ = ("_hash", "data", "free", "level", "positive", "rank")

    def __init__(
        self, kind: str, data: tuple[Any, ...], free: frozenset[Index], level: int, positive: bool = False
    ) -> None:
        self.rank = RANKS.index(kind)
        self.positive = positive or kind in UNITS
        self.data = data
        self.free = free
        self.level = level
        self._hash = hash((self.rank, data))

    @property
    def kind(self) -> str:
        """Its kind, one of `RANKS`."""
        return RANKS[self.rank]

    @property
    def unit(self) -> bool:
        """Whether every term may be divided by it: sizes, primes and values of exp."""
        return self.kind in UNITS

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return (
            isinstance(other, Atom)
            and self._hash == other._hash
            and self.rank == other.rank
            and self.data == other.data
        )

    def __lt__(self, other: Atom) -> bool:
        return (self.rank, self.data) < (other.rank, other.data)

    def __repr__(self) -> str:
        return f"{self.kind}{self.data}"


Monomial = tuple[tuple[Atom, Fraction], ...]
Poly = dict[Monomial, Fraction]
Frozen = tuple[tuple[Monomial, Fraction], ...]
PolyLike = Poly | Frozen

UNIT: Monomial = ()


def freeze(poly: Poly) -> Frozen:
    """The polynomial as a sorted tuple, to be part of an atom."""
    return tuple(sorted(poly.items()))


def free_of(monomial: Monomial) -> frozenset[Index]:
    """The free indices of a monomial."""
    return frozenset().union(*(atom.free for atom, _ in monomial))


def free_of_poly(poly: Iterable[tuple[Monomial, Fraction]]) -> frozenset[Index]:
    """The free indices of a polynomial's items."""
    return frozenset().union(*(free_of(monomial) for monomial, _ in poly))


def level_of(monomial: Monomial) -> int:
    """How deep sums are nested in a monomial."""
    return max((atom.level for atom, _ in monomial), default=0)


def level_of_poly(poly: Iterable[tuple[Monomial, Fraction]]) -> int:
    """How deep sums are nested in a polynomial's items."""
    return max((level_of(monomial) for monomial, _ in poly), default=0)


def monomial_of(exponents: Mapping[Atom, Fraction]) -> Monomial:
    """The monomial with these exponents; zeros are dropped."""
    return tuple(sorted((atom, e) for atom, e in exponents.items() if e))


def add_into(total: Poly, poly: Poly, factor: Fraction = Fraction(1)) -> Poly:
    """Add `factor * poly` to `total`, in place, and return it."""
    for monomial, coefficient in poly.items():
        value = total.get(monomial, Fraction(0)) + coefficient * factor
        if value:
            total[monomial] = value
        else:
            total.pop(monomial, None)
    return total


def entry_atom(name: str, indices: tuple[Index, ...]) -> Atom:
    """An entry x[c, i], or a scalar symbol; computed places count as free, beside their letters."""
    return Atom("entry" if indices else "symbol", (name, indices), _free_of_indices(indices), 0)


def _free_of_indices(indices: Iterable[Index]) -> frozenset[Index]:
    """The letters, those in computed places, and these places."""
    return frozenset(indices).union(*(index.free for index in indices))


def size_atom(axis: str) -> Atom:
    """The length of an axis."""
    return Atom("size", (axis,), frozenset(), 0)


def prime_atom(prime: int) -> Atom:
    """A prime number, for its fractional powers."""
    return Atom("prime", (prime,), frozenset(), 0)


def delta_atom(left: Index, right: Index) -> Atom:
    """Kronecker's delta of two different indices."""
    return Atom("delta", (min(left, right), max(left, right)), frozenset((left, right)), 0)


def equation_atom(letter: Index, place: Index) -> Atom:
    """1 where a letter is a computed place, else 0."""
    inside = (
        isinstance(place, Place) and place.inside
    )  # else it can be solved for any letter: none of its places counts
    return Atom(
        "equation", (letter, place), _free_of_indices((letter, place)) if inside else letter.free | place.free, 0
    )


def exp_atom(monomial: Monomial) -> Atom:
    """The exponential of a monomial with coefficient 1."""
    return Atom("exp", (monomial,), free_of(monomial), level_of(monomial))


def call_atom(name: str, arguments: tuple[Frozen, ...]) -> Atom:
    """A function's value at canonical arguments."""
    free = frozenset().union(*(free_of_poly(a) for a in arguments))
    return Atom("call", (name, arguments), free, max(map(level_of_poly, arguments), default=0))


def log_atom(argument: Poly) -> Atom:
    """A logarithm of what is not taken apart."""
    return call_atom("log", (freeze(argument),))


def logarithm_in(monomial: Monomial) -> Frozen | None:
    """The u of a monomial that is log(u), else None."""
    if len(monomial) != 1 or monomial[0][1] != 1 or monomial[0][0].kind != "call":
        return None
    name, arguments = monomial[0][0].data
    return cast(Frozen, arguments[0]) if name == "log" else None


def pow_atom(kind: str, base: Poly) -> Atom:
    """The base of a power that is not multiplied out ("pow"), or an absolute value ("abs")."""
    frozen = freeze(base)
    positive = kind == "pow" and all(c > 0 and positive_product(monomial) for monomial, c in frozen)
    return Atom(kind, (frozen,), free_of_poly(frozen), level_of_poly(frozen), positive)


def abs_atom(atom: Atom) -> Atom:
    """The absolute value of what an atom stands for."""
    return pow_atom("abs", dict(atom.data[0]) if atom.kind == "pow" else {((atom, Fraction(1)),): Fraction(1)})


def position_atom(index: Index) -> Atom:
    """The place of an index, as a number."""
    return Atom("position", (index,), frozenset((index,)), 0)


def sign_atom(base: Poly) -> Atom:
    """1 where a polynomial is positive, else 0."""
    frozen = freeze(base)
    return Atom("sign", (frozen,), free_of_poly(frozen), level_of_poly(frozen))


def reduce_atom(operation: str, indices: tuple[Index, ...], body: Poly) -> Atom:
    """A largest, smallest value or product over indices that are already canonically named."""
    frozen = freeze(body)
    free = _without(free_of_poly(frozen), indices)
    return Atom("reduce", (operation, indices, frozen), free, level_of_poly(frozen) + 1)


def sum_atom(indices: tuple[Index, ...], body: Monomial) -> Atom:
    """A sum of a monomial over indices that are already canonically named."""
    free = _without(free_of(body), indices)
    return Atom("sum", (indices, body), free, level_of(body) + 1, positive_product(body))


def _without(free: frozenset[Index], bound: tuple[Index, ...]) -> frozenset[Index]:
    """What is free outside of a reduction: neither a bound letter nor a place with one."""
    return frozenset(index for index in free if index.free.isdisjoint(bound))


def positive_product(monomial: Monomial) -> bool:
    """Whether every factor is positive for all values."""
    return all(atom.positive for atom, _ in monomial)
