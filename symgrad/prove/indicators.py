"""Comparisons and other reductions in the canonical form.

A comparison is 0 or 1. All of them are written through [P > 0] with P divided by its positive common
factors: [a < b] = [b - a > 0], [a <= b] = 1 - [a - b > 0], [a == b] = 1 - [P > 0] - [-P > 0]. Products
follow from [P > 0]^2 = [P > 0], [P > 0] [-P > 0] = 0 and x [-x > 0] = x - x [x > 0]. Signs of
different polynomials are not compared with each other here: [x > 0] [x > 1] = [x > 1] is for cases.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from itertools import permutations
from typing import TYPE_CHECKING

from symgrad.algebra.terms import Index, position
from symgrad.errors import TooLargeError
from symgrad.prove.monomials import (
    UNIT,
    Atom,
    Poly,
    add_into,
    freeze,
    level_of_poly,
    reduce_atom,
    sign_atom,
)
from symgrad.prove.powers import positive_rest

if TYPE_CHECKING:
    from symgrad.prove.canonical import Canonical

MAX_BOUND = 4
ONE: Poly = {UNIT: Fraction(1)}


def compare(relation: str, difference: Poly) -> Poly:
    """The indicator of `difference` < 0, <= 0, == 0 or != 0."""
    above, below = positive(difference), positive(scaled(difference, Fraction(-1)))
    if relation == "<":
        return below
    if relation == "<=":
        return add_into(dict(ONE), above, Fraction(-1))
    differ = add_into(dict(above), below)
    return differ if relation == "!=" else add_into(dict(ONE), differ, Fraction(-1))


def positive(poly: Poly) -> Poly:
    """[poly > 0]."""
    rest = positive_rest(poly)
    if all(c > 0 and all(atom.positive for atom, _ in monomial) for monomial, c in rest.items()):
        return dict(ONE) if rest else {}
    if all(c < 0 and all(atom.positive for atom, _ in monomial) for monomial, c in rest.items()):
        return {}
    return {((sign_atom(rest), Fraction(1)),): Fraction(1)}


def scaled(poly: Poly, factor: Fraction) -> Poly:
    """The polynomial times a number."""
    return {monomial: coefficient * factor for monomial, coefficient in poly.items()}


def apply_sign(canon: Canonical, atom: Atom, exponents: dict[Atom, Fraction]) -> Poly | None:
    """What a factor [P > 0] does to a product; None where it has nothing to do."""
    if exponents[atom] < 0:
        raise ZeroDivisionError("a division by an indicator")
    if exponents[atom] != 1:
        exponents[atom] = Fraction(1)
        return canon.normal(exponents)
    base = dict(atom.data[0])
    opposite = scaled(base, Fraction(-1))
    if sign_atom(opposite) in exponents:
        return {}
    variable = _lone_atom(opposite)
    if variable is None or exponents.get(variable, Fraction(0)) < 1:
        return None
    rest = {other: e for other, e in exponents.items() if other != atom}
    with_other = {**rest, sign_atom(opposite): Fraction(1)}
    return add_into(dict(canon.normal(rest)), canon.normal(with_other), Fraction(-1))


def _lone_atom(poly: Poly) -> Atom | None:
    """X where the polynomial is x itself."""
    if len(poly) != 1:
        return None
    ((monomial, coefficient),) = poly.items()
    return monomial[0][0] if coefficient == 1 and len(monomial) == 1 and monomial[0][1] == 1 else None


def reduce(canon: Canonical, operation: str, indices: tuple[Index, ...], body: Poly) -> Poly:
    """A largest or smallest value or a product, as an atom with canonical letters."""
    if len(indices) > MAX_BOUND:
        raise TooLargeError(f"a {operation} over {len(indices)} indices is too large to put in order")
    level = level_of_poly(body.items())
    candidates = []
    for order in permutations(indices):
        names = {index: Index(f"%{level}.{place}", index.axis) for place, index in enumerate(order)}
        candidates.append((freeze(canon.rename(body, names)), tuple(names[index] for index in order)))
    frozen, letters = min(candidates)
    return {((reduce_atom(operation, letters, dict(frozen)), Fraction(1)),): Fraction(1)}


def rename_sign(canon: Canonical, atom: Atom, _: Fraction, mapping: Mapping[Index, Index]) -> Poly:
    """[P > 0] with other letters."""
    return positive(canon.rename(dict(atom.data[0]), mapping))


def rename_position(canon: Canonical, atom: Atom, exponent: Fraction, mapping: Mapping[Index, Index]) -> Poly:
    """The place of another index."""
    (index,) = atom.data
    return canon.power(canon.poly(position(mapping.get(index, index))), exponent)


def rename_reduce(canon: Canonical, atom: Atom, exponent: Fraction, mapping: Mapping[Index, Index]) -> Poly:
    """A reduction with other free letters."""
    operation, indices, body = atom.data
    return canon.power(reduce(canon, operation, indices, canon.rename(dict(body), mapping)), exponent)
