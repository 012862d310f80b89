"""How long an index is that no tensor has: one that runs over every position that fits.

In x[b, stride*i + j - padding], with h the dimension of x, the places 0 to (N_h - 1) + 2 padding are there.
So N_i = (N_h + 2 padding - 1 - (N_j - 1)) // stride + 1. Where several entries are shifted by i, the
smallest of these counts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from fractions import Fraction

from symgrad.algebra.simplify import expand, tidy
from symgrad.algebra.terms import (
    MINUS_ONE,
    ONE,
    TWO,
    ZERO,
    Add,
    Entry,
    Mul,
    Num,
    Position,
    Size,
    Term,
    add,
    mul,
    negative,
)
from symgrad.notation.layer import Fit, Layer

Length = tuple[Term, Term]
"""(a, b) for a // b + 1."""


def derived_axes(fits: Sequence[Fit], known: Collection[str]) -> Iterator[tuple[str, tuple[Length, ...]]]:
    """The axes whose lengths follow from shifted entries, each after those that it follows from.

    Args:
        fits: the shifted entries.
        known: the axes whose lengths are given.
    """
    found = set(known)
    waiting = True
    while waiting:
        waiting = False
        for axis in sorted({index.axis for fit in fits for index in fit.value.free} - found):
            lengths = [length for fit in fits if (length := _length(fit, axis, found)) is not None]
            if lengths:
                yield axis, tuple(dict.fromkeys(lengths))
                found.add(axis)
                waiting = True


def _length(fit: Fit, axis: str, known: Collection[str]) -> Length | None:
    """The length of an axis by one entry; None where that does not tell it."""
    if fit.axis not in known or not {index.axis for index in fit.value.free} <= {*known, axis}:
        return None
    own = [part for part in parts_of(fit.value) if any(index.axis == axis for index in part.free)]
    if len(own) != 1 or not own[0].free:
        return None
    step = at_positions(own[0], ONE)
    if isinstance(step, Num) and step.value <= 0:
        return None
    rest = [last(part) for part in parts_of(fit.value) if part != own[0]]
    room = add(Size(fit.axis), mul(TWO, fit.padding or ZERO), MINUS_ONE)
    return tidy(add(room, *(expand(negative(part)) for part in rest))), step


def parts_of(value: Term) -> tuple[Term, ...]:
    """The terms of a place."""
    return value.terms if isinstance(value, Add) else (value,)


def last(part: Term) -> Term:
    """The largest value of one term of a place; a negative coefficient is largest at position 0."""
    factors = part.factors if isinstance(part, Mul) else (part,)
    if part.free and isinstance(factors[0], Num) and factors[0].value < 0:
        return ZERO
    return mul(*(add(Size(f.index.axis), MINUS_ONE) if isinstance(f, Position) else f for f in factors))


def first(part: Term) -> Term:
    """The smallest value of one term of a place."""
    factors = part.factors if isinstance(part, Mul) else (part,)
    if part.free and not (isinstance(factors[0], Num) and factors[0].value < 0):
        return ZERO
    return mul(*(add(Size(f.index.axis), MINUS_ONE) if isinstance(f, Position) else f for f in factors))


def at_positions(part: Term, value: Term) -> Term:
    """One term of a place with `value` for its letter."""
    factors = part.factors if isinstance(part, Mul) else (part,)
    return mul(*(value if isinstance(factor, Position) else factor for factor in factors))


def sizes_from(layer: Layer, given: Mapping[str, int], constants: Mapping[str, Fraction]) -> dict[str, int] | None:
    """The lengths of all axes from those that tensors have; None where some entry does not fit.

    Args:
        layer: whose axes they are.
        given: the lengths of the axes that the declared tensors have.
        constants: the values of whole constants.
    """
    sizes = dict(given)
    for axis in layer.axes:
        if axis.length is not None:
            sizes[axis.name] = whole_value(axis.length, sizes, constants)
    for axis_name, lengths in derived_axes(layer.fits, sizes):
        if any(whole_value(step, sizes, constants) < 1 for _, step in lengths):
            return None
        sizes[axis_name] = min(whole_value(top, sizes, constants) // whole_value(step, sizes, constants) + 1
                               for top, step in lengths)  # fmt: skip
    if any(size < 1 for size in sizes.values()) or not all(_fits(fit, sizes, constants) for fit in layer.fits):
        return None
    return sizes


def given_axes(layer: Layer) -> tuple[str, ...]:
    """The axes whose lengths the declared tensors tell."""
    return tuple(dict.fromkeys(index.axis for tensor in layer.tensors for index in tensor.indices))


def _fits(fit: Fit, sizes: Mapping[str, int], constants: Mapping[str, Fraction]) -> bool:
    if fit.padding is not None:
        return True
    low = sum(whole_value(first(part), sizes, constants) for part in parts_of(fit.value))
    high = sum(whole_value(last(part), sizes, constants) for part in parts_of(fit.value))
    return low >= 0 and high < sizes[fit.axis]


def whole_value(term: Term, sizes: Mapping[str, int], constants: Mapping[str, Fraction]) -> int:
    """The value of a term of whole numbers, lengths and whole constants."""
    match term:
        case Num(value):
            return int(value)
        case Size(axis):
            return sizes[axis]
        case Entry(name):
            return int(constants[name])
        case Add(terms):
            return sum(whole_value(part, sizes, constants) for part in terms)
        case Mul(factors):
            product = 1
            for factor in factors:
                product *= whole_value(factor, sizes, constants)
            return product
        case _:
            raise ValueError(f"a {type(term).__name__} is no whole number")
