"""Results expressed through what is already computed: z(1 - z), (y - beta)/w, mu, var."""

from __future__ import annotations

from fractions import Fraction
from itertools import permutations

from symgrad.algebra.binding import alpha_equal, instantiate, rename, transform_children
from symgrad.algebra.simplify import everywhere, factors_of, product_of, pull_out, settle, tidy
from symgrad.algebra.terms import (
    Add,
    Call,
    Entry,
    Mul,
    Num,
    Pow,
    Sum,
    Term,
    add,
    mul,
    negative,
    number,
    power,
    walk,
)
from symgrad.derive.records import Condition
from symgrad.notation.layer import Definition

SAMPLES = (2, 3, 5, 7, 11)


def through_value(derivative: Term, definition: Definition, entry: Entry) -> Term | None:
    """dz/dy as a polynomial in z, where z is a Möbius function of one exponential.

    Such a z satisfies a Riccati equation z' = a z^2 + b z + c with rational a, b, c; they are found
    from three values of the exponential and checked at two more. (The recorded step is proved like
    every other, so a chance agreement could not pass.)
    """
    value = instantiate(definition.body, definition.indices, entry.indices)
    samples = []
    for sample in SAMPLES:
        pair = (_at(value, Fraction(sample)), _at(derivative, Fraction(sample)))
        if pair[0] is None or pair[1] is None:
            return None
        samples.append((pair[0], pair[1]))
    solution = _quadratic(samples[:3])
    if solution is None or any(_horner(solution, z) != slope for z, slope in samples):
        return None
    square, linear, constant = solution
    if not constant:
        return mul(entry, add(number(linear), mul(number(square), entry)))
    return add(number(constant), mul(number(linear), entry), mul(number(square), power(entry, 2)))


def _horner(coefficients: tuple[Fraction, Fraction, Fraction], z: Fraction) -> Fraction:
    a, b, c = coefficients
    return (a * z + b) * z + c


def _quadratic(points: list[tuple[Fraction, Fraction]]) -> tuple[Fraction, Fraction, Fraction] | None:
    """The parabola through three points (Newton's divided differences), or None where two coincide."""
    (x0, y0), (x1, y1), (x2, y2) = points
    if len({x0, x1, x2}) < 3:
        return None
    first, second = (y1 - y0) / (x1 - x0), (y2 - y1) / (x2 - x1)
    a = (second - first) / (x2 - x0)
    b = first - a * (x0 + x1)
    return a, b, y0 - a * x0 * x0 - b * x0


def _at(term: Term, sample: Fraction) -> Fraction | None:
    """The value of a term in which exp(n u) stands for sample^n and nothing else varies."""
    match term:
        case Num(value):
            return value
        case Add(terms):
            parts = [_at(part, sample) for part in terms]
            return None if None in parts else sum((p for p in parts if p is not None), Fraction(0))
        case Mul(factors):
            product = Fraction(1)
            for factor in factors:
                if (value_or_none := _at(factor, sample)) is None:
                    return None
                product *= value_or_none
            return product
        case Pow(base, exponent) if exponent.denominator == 1:
            inner = _at(base, sample)
            return None if inner is None or (inner == 0 and exponent < 0) else inner**exponent.numerator
        case Call("exp", (argument,)):
            number, powers = factors_of(argument)
            if number.denominator == 1 and abs(number) <= 8 and _lone_entry(powers):
                return sample**number.numerator
    return None


def _lone_entry(factors: list[tuple[Term, Fraction]]) -> bool:
    return len(factors) == 1 and isinstance(factors[0][0], Entry) and factors[0][1] == 1


def solved_for_core(definition: Definition, parameters: frozenset[str]) -> tuple[Term, Term, Term] | None:
    """For y = a s + b: the core s, its form (y - b)/a, and a, where a and b are parameters.

    For batch normalization s = (x - mu)/sqrt(var + eps), and the form is (y - beta)/w.
    """
    parts = definition.body.terms if isinstance(definition.body, Add) else (definition.body,)
    moving = [part for part in parts if not part.names <= parameters]
    fixed = [part for part in parts if part.names <= parameters]
    if len(moving) != 1:
        return None
    coefficient, factors = factors_of(moving[0])
    scale = [(base, e) for base, e in factors if isinstance(base, Entry) and base.name in parameters]
    core = [(base, e) for base, e in factors if (base, e) not in scale]
    if not scale or not core or any(isinstance(node, Sum) for node in walk(moving[0])):
        return None
    shifted = add(definition.entry, *(negative(part) for part in fixed))
    a = product_of(coefficient, scale)
    return product_of(Fraction(1), core), mul(shifted, power(a, -1)), a


def through_output(term: Term, definition: Definition, parameters: frozenset[str]) -> tuple[Term, Condition] | None:
    """The term with the core of y written as (y - b)/a; the condition says that a != 0."""
    solved = solved_for_core(definition, parameters)
    if solved is None:
        return None
    core, form, scale = solved
    changed = settle(everywhere(tidy(_Core(core, form, definition).replaced(term)), pull_out))
    return None if alpha_equal(changed, term) else (changed, Condition("nonzero", scale))


class _Core:
    """Replaces the core s of y = a s + b by (y - b)/a.

    What is looked for is the widest factor of s, with all of y's indices (x - mu); the other
    factors of s (1/sqrt(var + eps)) are divided out of the product in which it stands.
    """

    def __init__(self, core: Term, form: Term, definition: Definition) -> None:
        _, factors = factors_of(core)
        self.indices = definition.indices
        self.wide = max(factors, key=lambda item: len(item[0].free))
        rest = product_of(Fraction(1), [item for item in factors if item is not self.wide])
        self.form = mul(form, power(rest, -1))

    def replaced(self, term: Term) -> Term:
        """The term with every core replaced."""
        if not isinstance(term, (Mul, Pow, Add)):
            return transform_children(term, self.replaced)
        coefficient, factors = factors_of(term)
        result: list[Term] = [Num(coefficient)]
        for base, exponent in factors:
            found = self.found(base, exponent)
            result.append(found if found is not None else power(transform_children(base, self.replaced), exponent))
        return mul(*result)

    def found(self, base: Term, exponent: Fraction) -> Term | None:
        """The form to put for base^exponent, where that is a whole power of the wide factor."""
        count = exponent / self.wide[1]
        if count.denominator != 1 or count < 1 or len(base.free) != len(self.indices):
            return None
        for order in permutations(sorted(base.free)):
            mapping = dict(zip(self.indices, order, strict=True))
            same_axes = all(old.axis == new.axis for old, new in mapping.items())
            if same_axes and alpha_equal(rename(self.wide[0], mapping), base):
                return power(rename(self.form, mapping), count)
        return None
