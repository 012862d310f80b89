"""What may be taken out of the base of a power, and the leading term of what stays in it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import gcd, lcm

from symgrad.algebra.terms import Index
from symgrad.prove.monomials import UNIT, Atom, Monomial, Poly, monomial_of

MAX_PRIME = 10_000


def content(base: Poly, integral: bool) -> tuple[tuple[Fraction, Monomial], Poly]:
    """`base` as number * monomial * rest, where a power may be taken of each alone.

    For an integral exponent every common factor may leave; for a fractional one only what is
    positive for all values: (ab)^(1/2) is not a^(1/2) b^(1/2) where both are negative.
    """
    monomial = _common(base, integral)
    inverse = {atom: -e for atom, e in monomial}
    rest = {_shift(m, inverse): c for m, c in base.items()}
    value = _common_number(rest)
    lead = max(rest, key=order_key)
    if integral and rest[lead] < 0:
        value = -value
    if not integral and len(rest) == 1:
        monomial, rest = _odd_atom(monomial, rest)
    return (value, monomial), {m: c / value for m, c in rest.items()}


def _common(base: Poly, integral: bool) -> Monomial:
    """The largest monomial that divides every term; only positive atoms unless `integral`."""
    monomials = list(base)
    exponents: dict[Atom, Fraction] = {}
    for atom in {atom for monomial in monomials for atom, _ in monomial}:
        if not integral and not atom.positive:
            continue
        if atom.kind in ("delta", "prime"):
            continue
        found = [dict(monomial).get(atom, Fraction(0)) for monomial in monomials]
        exponents[atom] = min(found)
    return monomial_of(exponents)


def _shift(monomial: Monomial, exponents: dict[Atom, Fraction]) -> Monomial:
    """The monomial times a product of powers."""
    if not exponents:
        return monomial
    result = dict(monomial)
    for atom, exponent in exponents.items():
        result[atom] = result.get(atom, Fraction(0)) + exponent
    return monomial_of(result)


def _common_number(base: Poly) -> Fraction:
    """The positive number by which the coefficients become coprime integers."""
    top = gcd(*(c.numerator for c in base.values()))
    bottom = lcm(*(c.denominator for c in base.values()))
    return Fraction(abs(top), bottom)


def _odd_atom(monomial: Monomial, rest: Poly) -> tuple[Monomial, Poly]:
    """(c a^k)^e = c^e a^(ke) for c > 0 and odd or fractional k: a >= 0 where it is defined."""
    ((inner, coefficient),) = rest.items()
    if coefficient < 0 or len(inner) != 1:
        return monomial, rest
    ((atom, exponent),) = inner
    if exponent.denominator == 1 and exponent % 2 == 0:
        return monomial, rest
    return monomial_of({**dict(monomial), atom: exponent}), {UNIT: coefficient}


def factor_integer(value: Fraction) -> list[tuple[int, Fraction]]:
    """The prime factors of a positive rational; large ones stay whole, which is only less complete."""
    found: dict[int, int] = {}
    for number, sign in ((value.numerator, 1), (value.denominator, -1)):
        prime = 2
        while prime * prime <= number and prime < MAX_PRIME:
            while number % prime == 0:
                found[prime] = found.get(prime, 0) + sign
                number //= prime
            prime += 1
        if number > 1:
            found[number] = found.get(number, 0) + sign
    return [(prime, Fraction(e)) for prime, e in sorted(found.items()) if e]


def order_key(monomial: Monomial) -> tuple[tuple[Atom, Fraction], ...]:
    """The lexicographic monomial order: the largest atom first."""
    return tuple(sorted(monomial, reverse=True))


@dataclass(frozen=True)
class Lead:
    """The leading term of a base B: B = coefficient * monomial + rest."""

    monomial: Monomial
    coefficient: Fraction
    rest: Poly
    units_divide: bool

    def divide(self, exponents: dict[Atom, Fraction]) -> dict[Atom, Fraction] | None:
        """The product of powers divided by the leading monomial, or None where it does not divide."""
        result = dict(exponents)
        for atom, exponent in self.monomial:
            have = result.get(atom, Fraction(0))
            if have < exponent and not (atom.positive and self.units_divide):
                return None
            result[atom] = have - exponent
        return result if self._shrinks() else None

    def _shrinks(self) -> bool:
        """Whether the leading monomial holds more than units, so that dividing ends."""
        return not self.units_divide or any(not atom.positive for atom, _ in self.monomial)


@lru_cache(maxsize=4096)
def lead_of(atom: Atom) -> Lead:
    """The leading term of the base of a "pow" atom.

    Sizes and values of exp are units: they divide everything, provided that no other term of the
    base differs from the leading one by units alone.
    """
    base = dict(atom.data[0])
    lead = max(base, key=order_key)
    parts = [_without_units(monomial) for monomial in base]
    unique = bool(_without_units(lead)) and parts.count(_without_units(lead)) == 1
    rest = {monomial: c for monomial, c in base.items() if monomial != lead}
    return Lead(lead, base[lead], rest, unique)


def _without_units(monomial: Monomial) -> Monomial:
    return tuple((atom, e) for atom, e in monomial if not atom.positive)


def split_leading(
    bound: Collection[Index], factors: Sequence[tuple[Atom, Fraction]]
) -> list[tuple[tuple[Index, ...], Monomial]]:
    """Connected components: bound indices that share no factor are summed separately."""
    groups: list[tuple[set[Index], list[tuple[Atom, Fraction]]]] = [({index}, []) for index in sorted(bound)]
    for atom, exponent in factors:
        touched = [group for group in groups if not group[0].isdisjoint(atom.free)]
        merged = touched[0]
        for group in touched[1:]:
            merged[0].update(group[0])
            merged[1].extend(group[1])
            groups.remove(group)
        merged[1].append((atom, exponent))
    return [(tuple(sorted(indices)), _product(parts)) for indices, parts in groups]


def _product(factors: Sequence[tuple[Atom, Fraction]]) -> Monomial:
    exponents: dict[Atom, Fraction] = {}
    for atom, exponent in factors:
        exponents[atom] = exponents.get(atom, Fraction(0)) + exponent
    return monomial_of(exponents)
