"""A polynomial where others are known to be 0."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from symgrad.prove.canonical import Canonical
from symgrad.prove.monomials import UNIT, Monomial, Poly, add_into, monomial_of
from symgrad.prove.powers import order_key

MOST_STEPS = 200


def reduced(canonical: Canonical, poly: Poly, equations: Iterable[Poly]) -> Poly:
    """The polynomial with q m replaced by -q r/c for each equation c m + r = 0, as far as that goes.

    It has the same value where the equations hold. It need not become 0 where it is: m is one
    monomial of the equation, and the steps are counted.
    """
    for equation in equations:
        lead = _lead(equation)
        for _ in range(MOST_STEPS):
            found = next((m for m in poly if lead is not None and _quotient(m, lead) is not None), None)
            if found is None or lead is None:
                break
            quotient = _quotient(found, lead)
            assert quotient is not None
            rest = {m: -c / equation[lead] for m, c in equation.items() if m != lead}
            instead = canonical.product({quotient: poly[found]}, rest)
            poly = add_into({m: c for m, c in poly.items() if m != found}, instead)
    return poly


def _lead(equation: Poly) -> Monomial | None:
    """The monomial to replace: an atom that stands nowhere else in the equation, else the largest one."""
    candidates = [m for m in equation if m != UNIT and all(e > 0 and e.denominator == 1 for _, e in m)]
    alone = [m for m in candidates if len(m) == 1 and m[0][1] == 1]
    single = [m for m in alone if all(atom != m[0][0] for other in equation if other != m for atom, _ in other)]
    return max(single or candidates, key=order_key, default=None)


def _quotient(monomial: Monomial, lead: Monomial) -> Monomial | None:
    """The monomial divided by the leading one, or None where it is no multiple."""
    exponents = dict(monomial)
    for atom, exponent in lead:
        have = exponents.get(atom, Fraction(0))
        if have < exponent:
            return None
        exponents[atom] = have - exponent
    return monomial_of(exponents)
