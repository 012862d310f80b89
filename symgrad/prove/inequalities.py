"""Whether linear inequalities over the rationals contradict each other: elimination by Fourier and Motzkin.

A polynomial counts as a linear form in its monomials: x*y and x are two unknowns. What contradicts
itself for any values of the monomials does so for those that they have; the reverse does not hold,
and is not claimed. What is always true of a monomial is added: sizes are at least 1, places of
indices lie between 0 and the size, even powers are not negative, values of exp are positive, and a
product has the sign that those of its factors give.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import prod

from symgrad.prove.monomials import UNIT, Atom, Monomial, Poly, add_into, positive_product, size_atom
from symgrad.prove.powers import positive_rest

MOST = 120
"""More inequalities than this at once are left alone."""


@dataclass(frozen=True)
class Fact:
    """`poly` > 0 where strict, else `poly` >= 0."""

    poly: tuple[tuple[Monomial, Fraction], ...]
    strict: bool


def fact(poly: Poly, strict: bool) -> Fact:
    """That a polynomial is positive, or at least not negative; over whole numbers > 0 is >= 1."""
    poly = positive_rest(poly)
    if strict and poly and all(_whole(monomial) for monomial in poly):
        poly, strict = add_into(dict(poly), {UNIT: Fraction(-1)}), False
    return Fact(tuple(sorted(poly.items())), strict)


def zero(poly: Poly) -> tuple[Fact, Fact]:
    """That a polynomial is 0."""
    return fact(poly, False), fact({monomial: -c for monomial, c in poly.items()}, False)


def contradictory(facts: Iterable[Fact]) -> bool:
    """Whether no values of the atoms fulfil all facts; False where that is not found out."""
    given = list(dict.fromkeys(facts))
    monomials = {monomial for each in given for monomial, _ in each.poly}
    known = [*given, *_always(monomials)]
    return _absurd_together(known) or _absurd_together([*known, *_products(monomials, known)])


def _absurd_together(facts: Iterable[Fact]) -> bool:
    """Whether the facts contradict each other with each monomial as an unknown of its own."""
    lines = [(dict(each.poly), each.strict) for each in dict.fromkeys(facts)]
    for unknown in _unknowns(lines):
        if any(_absurd(*line) for line in lines):
            return True
        lines = _eliminated(lines, unknown)
        if len(lines) > MOST:
            return False
    return any(_absurd(*line) for line in lines)


def _products(monomials: Iterable[Monomial], known: list[Fact]) -> Iterator[Fact]:
    """The sign of each product whose factors have known signs."""
    for monomial in sorted(monomials):
        if len(monomial) < 2 and all(atom.kind != "pow" for atom, _ in monomial):
            continue
        signs = [sign_of(atom, known) if exponent % 2 else 1 for atom, exponent in monomial]
        if 0 in signs:
            yield from zero({monomial: Fraction(1)})
        elif None not in signs and all(exponent % 2 or sign_of(atom, known) for atom, exponent in monomial):
            sign = prod(each for each in signs if each is not None)
            yield Fact(((monomial, Fraction(sign)),), True)


def sign_of(atom: Atom, known: Sequence[Fact]) -> int | None:
    """1, -1 or 0 where the facts say that an atom is positive, negative or 0; else None."""
    if atom.positive:
        return 1
    base = dict(atom.data[0]) if atom.kind == "pow" else {((atom, Fraction(1)),): Fraction(1)}
    opposite = {monomial: -c for monomial, c in base.items()}
    always = [*known, *_always(set(base))]
    if _absurd_together([*always, Fact(tuple(sorted(opposite.items())), False)]):
        return 1
    if _absurd_together([*always, Fact(tuple(sorted(base.items())), False)]):
        return -1
    above, below = (Fact(tuple(sorted(each.items())), True) for each in (base, opposite))
    return 0 if _absurd_together([*always, above]) and _absurd_together([*always, below]) else None


Line = tuple[Poly, bool]


def _unknowns(lines: list[Line]) -> list[Monomial]:
    return sorted({monomial for poly, _ in lines for monomial in poly if monomial})


def _absurd(poly: Poly, strict: bool) -> bool:
    """Whether a line says of a number what it is not."""
    if any(monomial for monomial in poly):
        return False
    value = poly.get(UNIT, Fraction(0))
    return value < 0 or (strict and value == 0)


def _eliminated(lines: list[Line], unknown: Monomial) -> list[Line]:
    """What follows for the other unknowns: each lower bound is below each upper one."""
    lower = [line for line in lines if line[0].get(unknown, 0) > 0]
    upper = [line for line in lines if line[0].get(unknown, 0) < 0]
    rest = [line for line in lines if unknown not in line[0]]
    for low, strict in lower:
        for high, too in upper:
            total: Poly = add_into({}, low, -high[unknown])
            add_into(total, high, low[unknown])
            rest.append((positive_rest(total), strict or too))
    found: dict[tuple[tuple[Monomial, Fraction], ...], bool] = {}
    for poly, strict in rest:
        key = tuple(sorted(poly.items()))
        found[key] = found.get(key, False) or strict
    return [(dict(key), strict) for key, strict in found.items()]


def _whole(monomial: Monomial) -> bool:
    """Whether a monomial is a size, the place of an index, or 1."""
    return not monomial or (len(monomial) == 1 and monomial[0][1] == 1 and monomial[0][0].kind in ("size", "position"))


def _always(monomials: set[Monomial]) -> Iterator[Fact]:
    """What holds of these monomials whatever the values are."""
    for monomial in sorted(monomials):
        atoms: list[Atom] = [atom for atom, _ in monomial]
        if len(atoms) == 1 and monomial[0][1] == 1 and atoms[0].kind == "position":
            size = ((size_atom(next(iter(atoms[0].free)).axis), Fraction(1)),)
            yield Fact(((monomial, Fraction(1)),), False)
            yield Fact(tuple(sorted({size: Fraction(1), monomial: Fraction(-1), UNIT: Fraction(-1)}.items())), False)
        elif len(atoms) == 1 and monomial[0][1] == 1 and atoms[0].kind == "size":
            yield Fact(tuple(sorted({monomial: Fraction(1), UNIT: Fraction(-1)}.items())), False)
        elif monomial and positive_product(monomial):
            yield Fact(((monomial, Fraction(1)),), True)
        elif monomial and all(_never_negative(atom, exponent) for atom, exponent in monomial):
            yield Fact(((monomial, Fraction(1)),), False)


def _never_negative(atom: Atom, exponent: Fraction) -> bool:
    """Whether a power of an atom is at least 0 wherever it has a value."""
    even = exponent.denominator != 1 or exponent % 2 == 0
    return even or atom.positive or atom.kind in ("abs", "delta", "sign") or _even_sum(atom)


def _even_sum(atom: Atom) -> bool:
    """Whether an atom is a sum of what is never negative."""
    return atom.kind == "sum" and all(_never_negative(inner, exponent) for inner, exponent in atom.data[1])
