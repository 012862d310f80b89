"""Computed places as sums: a place is a sum of numbers times positions, lengths and constants."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction

from symgrad.algebra.terms import (
    ONE,
    Add,
    Entry,
    Index,
    Mul,
    Num,
    Place,
    Position,
    Size,
    Term,
    add,
    mul,
    position,
    sum_over,
)

Part = tuple[tuple[Term, ...], Fraction]
"""A term of a place: its factors but the number, and the number."""


def lies_outside(axis: str, value: Term) -> bool:
    """Whether some of these places lie outside whatever the lengths are, or at least unless they are 1.

    The largest place minus the last one of the dimension, and minus the smallest place, are sums over the
    axes of numbers times N - 1 >= 0. Where no number is negative, and one is positive, that is above 0.
    """
    above: dict[tuple[Term, ...], Fraction] = {(Size(axis),): Fraction(-1)}
    below: dict[tuple[Term, ...], Fraction] = {}
    for factors, number in affine(value):
        moving = any(isinstance(factor, Position) for factor in factors)
        key = tuple(Size(f.index.axis) if isinstance(f, Position) else f for f in factors)
        sized = [()] if len(key) == 1 and isinstance(factors[0], Size) else []  # N is (N - 1) + 1
        for each in (key, *sized):
            if not moving or number > 0:
                above[each] = above.get(each, Fraction(0)) + number
            if not moving or number < 0:
                below[each] = below.get(each, Fraction(0)) - number
    return any(any(bound.values()) and all(number >= 0 for number in bound.values()) for bound in (above, below))


def affine(value: Term) -> Iterator[Part]:
    """The terms of a place: the factors of each, sorted, and its number."""
    for part in value.terms if isinstance(value, Add) else (value,):
        factors = part.factors if isinstance(part, Mul) else (part,)
        numbers = [factor.value for factor in factors if isinstance(factor, Num)]
        rest = sorted((factor for factor in factors if not isinstance(factor, Num)), key=repr)
        yield tuple(rest), numbers[0] if numbers else Fraction(1)


def opened(entry: Entry, same: Callable[[Term, Term], Term]) -> Term:
    """X at places that may lie outside: sum_h [h = i + j - 1] x[b, h], which is 0 where no h is that."""
    taken = {letter.name for letter in entry.free}
    indices: list[Index] = []
    bound: list[Index] = []
    deltas: list[Term] = []
    for index in entry.indices:
        if isinstance(index, Place) and not index.inside:
            names = (f"{index.axis}{number}" if number else index.axis for number in range(len(taken) + 1))
            letter = Index(next(name for name in names if name not in taken), index.axis)
            taken.add(letter.name)
            bound.append(letter)
            deltas.append(same(position(letter), index.value))
            indices.append(letter)
        else:
            indices.append(index)
    return sum_over(bound, mul(*deltas, Entry(entry.name, tuple(indices))))


def letters_of(value: Term) -> Iterator[tuple[Position, Fraction]]:
    """The letters that stand alone in a term of a place, each with its number."""
    for factors, number in affine(value):
        if len(factors) == 1 and isinstance(factors[0], Position):
            yield factors[0], number


def without(difference: Term, letter: Index, number: Fraction) -> Term:
    """What the letter is, where the difference is 0."""
    parts = [(factors, n) for factors, n in affine(difference) if factors != (position(letter),)]
    return add(*(mul(Num(-n / number), *factors) if -n / number != 1 else mul(ONE, *factors) for factors, n in parts))
