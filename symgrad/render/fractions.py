"""A product the way a textbook sets it: what goes into the fraction, and what stands beside it.

`latex` and `text` decide only how the parts are spelled; which part goes where is decided here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from symgrad.algebra.reading import inequality
from symgrad.algebra.terms import Add, Delta, Diff, Entry, Index, Mul, Num, Pow, Sum, Term, mul, power, walk
from symgrad.render.names import gradient_of

MAX_SHORT = 3
"""A sum of at most so many simple terms goes into a numerator; a longer one stands beside."""


@dataclass(frozen=True)
class Product:
    """before · (numerator top) / (denominator bottom) · after, without its sign.

    Attributes:
        before: factors that stand before the fraction.
        numerator: of the numeric coefficient.
        top: factors in the numerator; all that is not in `before` and `after` where there is no fraction.
        denominator: of the numeric coefficient.
        bottom: factors in the denominator.
        after: factors that stand after the fraction; sums last, because a sum reaches to the end.
    """

    before: tuple[Term, ...]
    numerator: int
    top: tuple[Term, ...]
    denominator: int
    bottom: tuple[Term, ...]
    after: tuple[Term, ...]

    @property
    def is_fraction(self) -> bool:
        """Whether there is anything to write below a line."""
        return self.denominator != 1 or bool(self.bottom)


@dataclass(frozen=True)
class Range:
    """One summation sign: its letter, and the letters that it leaves out (empty: none)."""

    index: Index
    excluded: tuple[Index, ...] = ()


def split(term: Term) -> Product:
    """The parts of a term that is not an `Add` and has no sign (see `signed_terms`)."""
    factors = term.factors if isinstance(term, Mul) else (term,)
    coefficient, others = Fraction(1), []
    for factor in factors:
        if isinstance(factor, Num):
            coefficient *= factor.value
        else:
            others.append(factor)
    bottom = _bottom([factor for factor in others if _is_inverse(factor)], coefficient.denominator)
    numbers = coefficient.numerator, coefficient.denominator
    above = [factor for factor in others if not _is_inverse(factor)]
    if not bottom:
        plain = _sums_last(above)
        top, after = ((), plain) if coefficient.denominator != 1 else (plain, ())
        return Product((), numbers[0], top, numbers[1], (), after)
    before = _leading(others)
    rest = above[len(before) :]
    top = tuple(factor for factor in rest if not stands_beside(factor))
    after = _sums_last(factor for factor in rest if stands_beside(factor))
    return Product(before, numbers[0], top, numbers[1], bottom, after)


def stands_beside(factor: Term) -> bool:
    """Whether a factor is set beside a fraction, not in its numerator."""
    match factor:
        case Sum() | Diff() | Delta():
            return True
        case Entry(name):
            return gradient_of(name) is not None
        case Pow(base):
            return stands_beside(base)
        case Add(terms):
            return len(terms) > MAX_SHORT or any(_is_tall(node) for node in walk(factor))
    return False


def reaches_on(factor: Term) -> bool:
    """Whether a factor takes in what stands after it: a sum, a derivative of a formula."""
    return isinstance(factor, Sum) or (isinstance(factor, Diff) and not is_quotient(factor))


def is_quotient(derivative: Diff) -> bool:
    """Whether a derivative is written ∂y/∂x; else it is ∂/∂x (…)."""
    return isinstance(derivative.body, Entry) and gradient_of(derivative.body.name) is None


def ranges(term: Sum) -> tuple[tuple[Range, ...], Term]:
    """The summation signs of a sum and what stands under them.

    A factor 1 - δ_ki with k bound here becomes the condition k ≠ i of k's sign.
    """
    factors = term.body.factors if isinstance(term.body, Mul) else (term.body,)
    conditions = [(factor, _exclusion(factor, term.indices)) for factor in factors]
    excluded = [found for _, found in conditions if found]
    signs = tuple(Range(own, tuple(other for index, other in excluded if index == own)) for own in term.indices)
    return signs, mul(*(factor for factor, found in conditions if not found))


def _exclusion(factor: Term, bound: tuple[Index, ...]) -> tuple[Index, Index] | None:
    """The bound index that a factor 1 - δ restricts, and the one that it must differ from."""
    same = inequality(factor)
    pair = sorted((i for i in (same.left, same.right) if i in bound), key=bound.index) if same else []
    if same is None or not pair:
        return None
    own = pair[-1]
    return own, same.right if own == same.left else same.left


def _is_inverse(factor: Term) -> bool:
    return isinstance(factor, Pow) and factor.exponent < 0


def _is_tall(node: Term) -> bool:
    """Whether a node makes its line high: a fraction, a derivative, a sum; or is a δ."""
    fraction = isinstance(node, Num) and node.value.denominator != 1
    return fraction or _is_inverse(node) or (not isinstance(node, (Add, Pow)) and stands_beside(node))


def _bottom(inverses: list[Term], denominator: int) -> tuple[Term, ...]:
    """The factors of the denominator; a product such as N_s N_k gives its factors."""
    bottom: list[Term] = []
    for factor in inverses:
        assert isinstance(factor, Pow)
        base = power(factor.base, -factor.exponent)
        whole = isinstance(base, Mul) and all(_may_stand_below(part, denominator) for part in base.factors)
        bottom.extend(base.factors if isinstance(base, Mul) and whole else (base,))
    return tuple(bottom)


def _may_stand_below(part: Term, denominator: int) -> bool:
    """Whether a factor of a product can be written below a line that has `denominator` already."""
    if isinstance(part, Num):
        return part.value > 0 and part.value.denominator == 1 and denominator == 1
    return not _is_inverse(part)


def _leading(factors: list[Term]) -> tuple[Term, ...]:
    """The factors before the first one of the fraction, or before one that reaches into it."""
    leading: list[Term] = []
    for factor in factors:
        if _is_inverse(factor) or reaches_on(factor) or not stands_beside(factor):
            break
        leading.append(factor)
    return tuple(leading)


def _sums_last(factors: Iterable[Term]) -> tuple[Term, ...]:
    """The factors with sums moved to the end."""
    return tuple(sorted(factors, key=lambda factor: isinstance(factor, Sum)))
