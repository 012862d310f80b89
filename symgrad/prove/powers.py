"""What may be taken out of the base of a power, and the leading term of what stays in it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import gcd, lcm

from symgrad.algebra.terms import Index
from symgrad.errors import DerivationError
from symgrad.prove.monomials import UNIT, Atom, Monomial, Poly, abs_atom, monomial_of

MAX_PRIME = 10_000


def content(base: Poly) -> tuple[tuple[Fraction, Monomial], Poly]:
    """`base` as number * monomial * rest, for a whole power: every common factor may leave.

    A power of a base with several terms leaves only by a whole exponent, so that what stays can be
    multiplied out again.
    """
    exponents = {}
    for atom, found in _exponents(base).items():
        lowest = min(found)
        exponents[atom] = ceiling(lowest) if atom.kind == "pow" else lowest
    rest = _divided(base, exponents)
    value = _common_number(rest)
    if rest[max(rest, key=order_key)] < 0:
        value = -value
    return (value, monomial_of(exponents)), {m: c / value for m, c in rest.items()}


def root_content(base: Poly) -> tuple[tuple[Fraction, Monomial], Poly]:
    """`base` > 0 as number * monomial * rest with all three positive, for a fractional power.

    (ab)^(1/2) is not a^(1/2) b^(1/2) where both are negative. What may leave: positive atoms, what
    stands under a root already, and even powers, as powers of absolute values.
    """
    if len(base) == 1:
        return _root_content_of_product(base)
    leaving, exponents = {}, {}
    for atom, found in _exponents(base).items():
        lowest = min(found)
        if atom.kind == "pow":
            if atom.positive:
                leaving[atom] = exponents[atom] = ceiling(lowest)
        elif _never_negative(atom) or any(e.denominator != 1 for e in found):
            leaving[atom] = exponents[atom] = lowest
        elif even := 2 * (lowest / 2).__floor__():
            leaving[abs_atom(atom)] = exponents[atom] = Fraction(even)
    rest = _divided(base, exponents)
    value = _common_number(rest)
    return (value, monomial_of(leaving)), {m: c / value for m, c in rest.items()}


def _root_content_of_product(base: Poly) -> tuple[tuple[Fraction, Monomial], Poly]:
    """The content of one term c * a^k * ... > 0: a single odd factor of c > 0 is positive itself."""
    ((monomial, coefficient),) = base.items()
    leaving: dict[Atom, Fraction] = {}
    odd: dict[Atom, Fraction] = {}
    for atom, exponent in monomial:
        if _never_negative(atom) or exponent.denominator != 1:
            leaving[atom] = exponent
        elif exponent % 2 == 0:
            leaving[abs_atom(atom)] = exponent
        else:
            odd[atom] = exponent
    value, sign = abs(coefficient), Fraction(1 if coefficient > 0 else -1)
    if not odd and sign < 0:
        raise DerivationError("a root of a negative number has no value.")
    if len(odd) == 1 and sign > 0:
        return (value, monomial_of({**leaving, **odd})), {UNIT: sign}
    for atom, exponent in odd.items():
        odd[atom] = Fraction(-1 if atom.kind == "pow" else 1)
        leaving[abs_atom(atom)] = exponent - odd[atom]
    return (value, monomial_of(leaving)), {monomial_of(odd): sign}


def positive_rest(base: Poly) -> Poly:
    """The polynomial over its positive number and the positive atoms that all terms share."""
    if not base:
        return base
    exponents = {atom: min(found) for atom, found in _exponents(base).items() if atom.positive}
    rest = _divided(base, exponents)
    value = _common_number(rest)
    return {monomial: c / value for monomial, c in rest.items()}


def ceiling(value: Fraction) -> Fraction:
    """The smallest whole number that is not below."""
    return Fraction(-((-value).__floor__()))


def _never_negative(atom: Atom) -> bool:
    return atom.positive or atom.kind in ("abs", "delta")


def _exponents(base: Poly) -> dict[Atom, list[Fraction]]:
    """The exponents that each atom has in the terms; 0 where it is missing."""
    monomials = [dict(monomial) for monomial in base]
    atoms = dict.fromkeys(atom for monomial in base for atom, _ in monomial)
    return {atom: [monomial.get(atom, Fraction(0)) for monomial in monomials] for atom in atoms}


def _divided(base: Poly, exponents: dict[Atom, Fraction]) -> Poly:
    """The polynomial divided by a product of powers."""
    exponents = {atom: e for atom, e in exponents.items() if e}
    if not exponents:
        return base
    return {_shift(monomial, exponents): c for monomial, c in base.items()}


def _shift(monomial: Monomial, exponents: dict[Atom, Fraction]) -> Monomial:
    """The monomial divided by a product of powers."""
    result = dict(monomial)
    for atom, exponent in exponents.items():
        result[atom] = result.get(atom, Fraction(0)) - exponent
    return monomial_of(result)


def _common_number(base: Poly) -> Fraction:
    """The positive number by which the coefficients become coprime integers."""
    top = gcd(*(c.numerator for c in base.values()))
    bottom = lcm(*(c.denominator for c in base.values()))
    return Fraction(abs(top), bottom)


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


def order_key(monomial: Monomial) -> tuple[tuple[int, Atom, Fraction], ...]:
    """The lexicographic monomial order: the largest atom first.

    Atoms with more free indices are larger: what depends on a bound index never leaves its sum, so
    a quotient inside of a sum is reduced in the same way whatever stands before the sum.
    """
    return tuple(sorted(((len(atom.free), atom, exponent) for atom, exponent in monomial), reverse=True))


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
            if have < exponent and not (atom.unit and self.units_divide):
                return None
            result[atom] = have - exponent
        return result if self._shrinks() else None

    def _shrinks(self) -> bool:
        """Whether the leading monomial holds more than units, so that dividing ends."""
        return not self.units_divide or any(not atom.unit for atom, _ in self.monomial)


@lru_cache(maxsize=4096)
def lead_of(atom: Atom) -> Lead | None:
    """The leading term of the base of a "pow" atom.

    Sizes and values of exp are units: they divide everything, provided that no other term of the
    base differs from the leading one by units alone. They count last in the order, so that what is
    left over is smaller whatever power of a unit it has. Where negative powers stand in the base,
    dividing need not end, and there is no leading term; but those of other bases are harmless
    where the leading term is largest without them.
    """
    base = dict(atom.data[0])
    lead = max(base, key=lambda m: (order_key(_solid(m)), order_key(_without_units(m)), order_key(m)))
    solid = [_solid(monomial) for monomial in base]
    if any(e < 0 for monomial in solid for _, e in monomial):
        return None
    if any(e < 0 for _, e in lead) and (not _solid(lead) or solid.count(_solid(lead)) > 1):
        return None
    parts = [_without_units(monomial) for monomial in base]
    unique = bool(_without_units(lead)) and parts.count(_without_units(lead)) == 1
    rest = {monomial: c for monomial, c in base.items() if monomial != lead}
    return Lead(lead, base[lead], rest, unique)


@lru_cache(maxsize=4096)
def is_whole(atom: Atom) -> bool:
    """Whether nothing may leave the base of a "pow" atom by a whole power."""
    base = dict(atom.data[0])
    return len(base) > 1 and content(base)[0] == (Fraction(1), UNIT)


@dataclass(frozen=True)
class Tail:
    """The lowest term of a base B in its largest atom v: B = coefficient * monomial + rest.

    It is there to take negative powers of v apart: v^-1 B^-1 = (v^-1 - (rest/v) B^-1) / tail. Each use
    raises the exponent of v or that of B, so it ends. It needs a v that cannot vanish, and a tail
    made of such atoms alone.
    """

    variable: Atom
    monomial: Monomial
    coefficient: Fraction
    rest: Poly

    def divide(self, exponents: dict[Atom, Fraction]) -> dict[Atom, Fraction] | None:
        """The product of powers divided by the tail, or None where v has no negative power."""
        if exponents.get(self.variable, Fraction(0)) >= 0:
            return None
        result = dict(exponents)
        for atom, exponent in self.monomial:
            result[atom] = result.get(atom, Fraction(0)) - exponent
        return result


@lru_cache(maxsize=4096)
def tail_of(atom: Atom) -> Tail | None:
    """The lowest term of the base of a "pow" atom, where it has the form that `Tail` needs."""
    base = dict(atom.data[0])
    variable = max((a for monomial in base for a, _ in monomial), default=None)
    if variable is None or not variable.unit:
        return None
    low = [monomial for monomial in base if variable not in dict(monomial)]
    if len(low) != 1 or _without_units(low[0]):
        return None
    rest = {monomial: c for monomial, c in base.items() if monomial != low[0]}
    return Tail(variable, low[0], base[low[0]], rest)


def _solid(monomial: Monomial) -> Monomial:
    """The monomial without units and powers of other bases."""
    return tuple((atom, e) for atom, e in monomial if not atom.unit and atom.kind != "pow")


def _without_units(monomial: Monomial) -> Monomial:
    return tuple((atom, e) for atom, e in monomial if not atom.unit)


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
