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
from functools import lru_cache
from math import gcd, lcm, prod

from symgrad.prove.monomials import UNIT, Atom, Monomial, Poly, add_into, positive_product, size_atom
from symgrad.prove.powers import positive_rest

MOST = 60
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
    return _absurd_lines(frozenset(facts))


@lru_cache(maxsize=20_000)
def _absurd_lines(facts: frozenset[Fact]) -> bool:
    unknowns = dict.fromkeys(monomial for each in facts for monomial, _ in each.poly if monomial)
    places = {UNIT: 0, **{monomial: place for place, monomial in enumerate(unknowns, start=1)}}
    lines: Lines = {}
    for each in facts:
        row = [Fraction(0)] * len(places)
        for monomial, coefficient in each.poly:
            row[places[monomial]] = coefficient
        _note(lines, _integers(row), each.strict)
    waiting = set(range(1, len(places)))
    while not any(_absurd(row, strict) for row, strict in lines.items()):
        growth, place = min(((_growth(lines, each), each) for each in waiting), default=(0, 0))
        if not place or len(lines) + growth > MOST:
            return False
        waiting.remove(place)
        lines = _eliminated(lines, place)
    return True


Row = tuple[int, ...]
"""A linear form: its constant, and a coefficient for each unknown."""
Lines = dict[Row, bool]
"""Forms that are at least 0, or greater where strict."""


def _note(lines: Lines, row: Row, strict: bool) -> None:
    lines[row] = lines.get(row, False) or strict


def _integers(row: Iterable[Fraction | int]) -> Row:
    """The form with coprime integers."""
    values = [Fraction(value) for value in row]
    bottom = lcm(*(value.denominator for value in values))
    whole = [int(value * bottom) for value in values]
    top = gcd(*whole) or 1
    return tuple(value // top for value in whole)


def _absurd(row: Row, strict: bool) -> bool:
    """Whether a line says of a number what it is not."""
    return not any(row[1:]) and (row[0] < 0 or (strict and row[0] == 0))


def _growth(lines: Lines, place: int) -> int:
    """By how many lines there are more without an unknown."""
    lower = sum(row[place] > 0 for row in lines)
    upper = sum(row[place] < 0 for row in lines)
    return lower * upper - lower - upper


def _eliminated(lines: Lines, place: int) -> Lines:
    """What follows for the other unknowns: each lower bound is below each upper one."""
    rest: Lines = {row: strict for row, strict in lines.items() if not row[place]}
    for low, strict in lines.items():
        for high, too in lines.items() if low[place] > 0 else ():
            if high[place] < 0:
                row = [a * -high[place] + b * low[place] for a, b in zip(low, high, strict=True)]
                top = gcd(*row) or 1
                _note(rest, tuple(value // top for value in row), strict or too)
    return rest


def _products(monomials: Iterable[Monomial], known: list[Fact]) -> Iterator[Fact]:
    """The sign of each product whose factors have known signs."""
    products = [m for m in sorted(monomials) if len(m) > 1 or any(a.kind == "pow" or e != 1 for a, e in m)]
    signs = {atom: sign_of(atom, known) for atom in dict.fromkeys(atom for m in products for atom, _ in m)}
    for monomial in products:
        if any(signs[atom] == 0 for atom, _ in monomial):
            yield from zero({monomial: Fraction(1)})
        elif all(signs[atom] == 1 if e.denominator != 1 else signs[atom] for atom, e in monomial):
            sign = prod(signs[atom] or 1 for atom, exponent in monomial if exponent % 2)
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
    return even or atom.positive or atom.kind in ("abs", "delta", "equation", "sign") or _even_sum(atom)


def _even_sum(atom: Atom) -> bool:
    """Whether an atom is a sum of what is never negative."""
    return atom.kind == "sum" and all(_never_negative(inner, exponent) for inner, exponent in atom.data[1])
