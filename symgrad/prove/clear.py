"""Clearing denominators: the last step of the decision procedure, complete outside of sums."""

from __future__ import annotations

from fractions import Fraction

from symgrad.errors import TooLargeError
from symgrad.prove.canonical import Canonical
from symgrad.prove.monomials import Atom, Monomial, Poly, add_into

MAX_EXPONENT = 12


def vanishes(canonical: Canonical, difference: Poly) -> bool:
    """Whether a canonical polynomial is zero, denominators outside of sums cleared.

    A power B^-r of a base with several terms is split by the fractional part of r (B^(1/2) is not
    a rational function of the atoms, so the parts vanish separately); within a part everything is
    multiplied by B^n, which is not zero on the domain.
    """
    if not difference:
        return True
    base = _denominator(difference)
    if base is None:
        return False
    parts: dict[Fraction, Poly] = {}
    for monomial, coefficient in difference.items():
        exponent = -dict(monomial).get(base, Fraction(0))
        parts.setdefault(exponent % 1, {})[monomial] = coefficient
    try:
        return all(vanishes(canonical, _cleared(canonical, part, base)) for part in parts.values())
    except RecursionError:
        raise TooLargeError("an expression is nested too deeply") from None


def _denominator(poly: Poly) -> Atom | None:
    """The largest base of a power with exponent -1 or less."""
    bases = {atom for monomial in poly for atom, e in monomial if atom.kind == "pow" and e <= -1}
    return max(bases, default=None)


def _cleared(canonical: Canonical, part: Poly, base: Atom) -> Poly:
    """The polynomial times base^n, with n such that no exponent of the base is below 0."""
    lowest = max(-dict(monomial).get(base, Fraction(0)) for monomial in part)
    whole = lowest.__floor__()
    if whole > MAX_EXPONENT:
        raise TooLargeError(f"a denominator has the exponent {whole}")
    total: Poly = {}
    for monomial, coefficient in part.items():
        exponents = dict(monomial)
        left = whole + exponents.pop(base, Fraction(0))
        rest: Monomial = tuple(sorted(exponents.items()))
        fraction = left % 1
        raised = canonical.power(dict(base.data[0]), left - fraction)
        product = canonical.product({rest: Fraction(1)}, raised)
        add_into(total, product, coefficient)
    return total
