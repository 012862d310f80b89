"""Results expressed through what is already computed: z(1 - z), (y - beta)/w, mu, var."""

from __future__ import annotations

from fractions import Fraction

from symgrad.algebra.binding import alpha_equal, instantiate, transform_children
from symgrad.algebra.simplify import factors_of, product_of, tidy
from symgrad.algebra.terms import (
    ONE,
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
            coefficient, factors = factors_of(argument)
            if coefficient.denominator == 1 and abs(coefficient) <= 8 and _lone_entry(factors):
                return sample**coefficient.numerator
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
    changed = tidy(_replace_core(term, core, form, definition))
    if alpha_equal(changed, term):
        return None
    return changed, Condition("nonzero", scale)


def _replace_core(term: Term, core: Term, form: Term, definition: Definition) -> Term:
    """Replace s by its form in every product that holds the varying part of s.

    The varying part is the factor that depends on all of y's indices (x - mu); the other factors
    of s (1/sqrt(var + eps)) are divided out of the product.
    """
    if isinstance(term, Sum):
        body = _replace_core(term.body, core, form, definition)
        return Sum(term.indices, body)
    if isinstance(term, Add) and not _whole(term, core):
        return transform_children(term, lambda part: _replace_core(part, core, form, definition))
    if not isinstance(term, (Mul, Add, Pow)):
        return term
    coefficient, factors = factors_of(term)
    wide, rest = _wide_factor(core, definition)
    result: list[Term] = [Num(coefficient)]
    for base, exponent in factors:
        letters = _matching_letters(wide, base, definition)
        if letters is None or exponent.denominator != 1 or exponent < 0:
            result.append(power(_replace_core(base, core, form, definition), exponent))
            continue
        mapping = dict(zip(definition.indices, letters, strict=True))
        result.append(power(_renamed(form, mapping), exponent))
        result.append(power(_renamed(rest, mapping), -exponent))
    return mul(*result)


def _whole(term: Add, core: Term) -> bool:
    _, factors = factors_of(core)
    return any(type(base) is Add and len(base.terms) == len(term.terms) and base.free and
               {type(p) for p in base.terms} == {type(p) for p in term.terms} and base.names == term.names
               for base, _ in factors)


def _wide_factor(core: Term, definition: Definition) -> tuple[Term, Term]:
    """The factor of s with all of y's indices, and the product of the others."""
    _, factors = factors_of(core)
    wide = max(factors, key=lambda item: len(item[0].free))
    rest = [item for item in factors if item is not wide]
    return power(*wide), product_of(Fraction(1), rest)


def _matching_letters(pattern: Term, term: Term, definition: Definition):  # type: ignore[no-untyped-def]
    """The letters for y's indices under which `pattern` is `term`, or None."""
    from itertools import permutations

    if len(term.free) != len(definition.indices):
        return None
    for order in permutations(sorted(term.free)):
        if all(a.axis == b.axis for a, b in zip(order, definition.indices, strict=True)):
            mapping = dict(zip(definition.indices, order, strict=True))
            if alpha_equal(_renamed(pattern, mapping), term):
                return order
    return None


def _renamed(term: Term, mapping) -> Term:  # type: ignore[no-untyped-def]
    from symgrad.algebra.binding import rename

    return rename(term, mapping)


__all__ = ["ONE", "through_output", "through_value"]
