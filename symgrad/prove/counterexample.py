"""Numbers at which two terms differ: what a refutation shows.

The search is by evaluation only (`prove/evaluate.py`) and knows nothing of the prover. It finds no
counterexample for equal terms, because a difference is claimed only between exact rationals, or
between values whose difference stays the same when it is computed again with more digits. That it
finds none proves nothing.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from symgrad.algebra.terms import Call, Index, Num, Term, walk
from symgrad.notation.layer import Layer
from symgrad.prove.evaluate import Evaluator, Key, Point, exact_point, random_point, reachable
from symgrad.prove.numbers import Bounds, EvaluationError, Exact, NotExact, Number, Real, Undefined
from symgrad.prove.sizes import sizes_of

MOST_ASSIGNMENTS = 12
"""How many places of the free indices are tried at one point."""
DIGITS, MORE_DIGITS = 50, 120
THRESHOLD = Fraction(1, 10**30)
"""A smaller relative difference between values of 50 digits is taken for rounding."""

ANY, POSITIVE, TIES, UNIT = "any", "positive", "ties", "unit"
"""Kinds of points: any values; positive ones; those at which comparisons may be even; those between 0 and 1."""
BETWEEN = tuple(Fraction(text) for text in ("1/2", "1/3", "1/4", "2/3", "3/5"))
MOST_TIES, LARGEST_TIE = 9, 100

Pairs = tuple[tuple[Index, Index], ...]


@dataclass(frozen=True)
class Counterexample:
    """Sizes and values at which the two sides of a claim differ.

    Attributes:
        sizes: the length of each axis, by its name.
        values: exact values, by name and key, of the tensors, constants and upstream gradients on
            which either side depends.
        assignment: the place of each free index, counted from 0.
        left: the left side's value: an exact rational ("3/4") or a decimal number.
        right: the right side's value.
        exact: whether both values are exact.
    """

    sizes: Mapping[str, int]
    values: Mapping[str, Mapping[Key, Fraction]]
    assignment: Mapping[Index, int]
    left: str
    right: str
    exact: bool

    def __post_init__(self) -> None:
        if self.left == self.right:
            raise ValueError(f"both sides are {self.left}: this is no counterexample")


def find_counterexample(
    left: Term,
    right: Term,
    layer: Layer,
    distinct: Pairs = (),
    tries: int = 24,
    seed: int = 0,
    fixed: Mapping[str, Fraction] | None = None,
) -> Counterexample | None:
    """Sizes and values at which `left` and `right` differ, or None where none was found.

    Small sizes come first, no two axes of the same length (an N in the place of a C shows), exact
    rational arithmetic where the values are rational, else 50 digits.

    Args:
        left: one side.
        right: the other side; both may hold gradients and derivatives (see `evaluate`).
        layer: the layer that they are about.
        distinct: pairs of free indices that have different values, as in a claim for k ≠ i.
        tries: how many points are tried; points without a value on both sides do not count.
        seed: the same seed gives the same counterexample.
        fixed: scalars with a given value, such as {"eps": 0, "d_L": 1}.

    Raises:
        EvaluationError: a side can be evaluated nowhere: it has an unknown name, or a derivative
            of a derivative.
    """
    search = _Search(left, right, layer, distinct, random.Random(seed), dict(fixed or {}))
    return search.run(tries)


@dataclass
class _Search:
    """The two sides, and what every try needs."""

    left: Term
    right: Term
    layer: Layer
    distinct: Pairs
    rng: random.Random
    fixed: dict[str, Fraction]

    def run(self, tries: int) -> Counterexample | None:
        """Try points until one shows a difference."""
        sizes = [(each, whole) for each, whole in sizes_of(self.layer, self.fixed) if self.assignments(each)]
        given = dict(self.fixed)
        for number, (each, whole) in enumerate(itertools.islice(itertools.cycle(sizes), tries)):
            self.fixed = {**given, **whole}
            for kind in (*((TIES,) if number % 3 == 2 else ()), ANY, ANY, POSITIVE, UNIT):
                try:
                    found = self.at(each, kind)
                except Undefined:
                    continue
                if found is not None:
                    return found
                break
        return None

    def at(self, sizes: Mapping[str, int], kind: str) -> Counterexample | None:
        """Try one size; exact arithmetic where that can succeed."""
        if kind == ANY and not self.transcendental:
            for find in (random_point, _rooted_point):
                point = find(self.layer, sizes, self.rng, self.fixed)
                if point is not None:
                    with suppress(NotExact):
                        return self.compare(point, exact=True)
        among = self.ties if kind == TIES else BETWEEN if kind == UNIT else ()
        point = random_point(self.layer, sizes, self.rng, self.fixed, kind == POSITIVE, among=among)
        return self.compare(point, exact=False)

    @cached_property
    def needed(self) -> frozenset[str]:
        """The names on which either side depends."""
        return reachable(self.layer, self.left.names | self.right.names)

    @cached_property
    def transcendental(self) -> bool:
        """Whether a function with irrational values stands in a side or in what it depends on."""
        bodies = [definition.body for definition in self.layer.definitions if definition.name in self.needed]
        nodes = (node for term in (self.left, self.right, *bodies) for node in walk(term))
        return any(isinstance(node, Call) and node.function not in _RATIONAL for node in nodes)

    @cached_property
    def ties(self) -> tuple[Fraction, ...]:
        """0, 1, -1, and the numbers that stand in a side or in what it depends on, with both signs."""
        bodies = [definition.body for definition in self.layer.definitions if definition.name in self.needed]
        nodes = [node for term in (self.left, self.right, *bodies) for node in walk(term)]
        numbers = [node.value for node in nodes if isinstance(node, Num) and abs(node.value) <= LARGEST_TIE]
        both = (sign * value for value in (Fraction(1), *numbers) for sign in (1, -1))
        return tuple(dict.fromkeys((Fraction(0), *both)))[:MOST_TIES]

    @cached_property
    def unbounded(self) -> bool:
        """Whether a function without interval bounds stands in a side or in what it depends on."""
        bodies = [definition.body for definition in self.layer.definitions if definition.name in self.needed]
        nodes = [node for term in (self.left, self.right, *bodies) for node in walk(term)]
        return any(isinstance(node, Call) and node.function in _UNBOUNDED for node in nodes)

    def compare(self, point: Point, exact: bool) -> Counterexample | None:
        """Compare both sides at every place of the free indices.

        Raises:
            Undefined: there is no place where both have a value.
            NotExact: `exact`, and a value is not rational.
        """
        evaluator = Evaluator(self.layer, point, Exact() if exact else Real(DIGITS))
        defined = False
        for assignment in self.assignments(point.sizes):
            try:
                sides = evaluator.value(self.left, assignment), evaluator.value(self.right, assignment)
            except Undefined:
                continue
            defined = True
            if sides[0] != sides[1] and (exact or self.differ(point, assignment, sides)):
                return self.show(point, assignment, sides, exact)
        if not defined:
            raise Undefined("no side has a value anywhere at this point")
        return None

    def differ(self, point: Point, assignment: Mapping[Index, int], sides: tuple[Number, Number]) -> bool:
        """Whether a difference is more than rounding: large enough, and certain by interval bounds.

        Where a function has no bounds (erf, lgamma), it has to be there with more digits too.
        """
        first = sides[0] - sides[1]
        scale = max(1, abs(sides[0]), abs(sides[1]))
        if abs(first) * THRESHOLD.denominator <= scale:
            return False
        bounds = Evaluator(self.layer, point, Bounds(MORE_DIGITS))
        with suppress(EvaluationError, TypeError):
            gap = bounds.value(self.left, assignment) - bounds.value(self.right, assignment)
            return bool(gap.a > 0 or gap.b < 0)
        if not self.unbounded:
            return False
        precise = Evaluator(self.layer, point, Real(MORE_DIGITS))
        try:
            again = precise.value(self.left, assignment) - precise.value(self.right, assignment)
        except Undefined:
            return False
        return bool(abs(again - first) * 1000 <= abs(again))

    def show(
        self, point: Point, assignment: Mapping[Index, int], sides: tuple[Number, Number], exact: bool
    ) -> Counterexample:
        """The record of a difference."""
        values = {name: dict(point.values[name]) for name in sorted(self.needed & point.values.keys())}
        left, right = _texts(sides, exact)
        return Counterexample(dict(point.sizes), values, dict(assignment), left, right, exact)

    def assignments(self, sizes: Mapping[str, int]) -> list[dict[Index, int]]:
        """Places of the free indices, with different ones where the claim asks for it."""
        free = sorted(self.left.free | self.right.free | {index for pair in self.distinct for index in pair})
        found = []
        for key in itertools.product(*(range(sizes[index.axis]) for index in free)):
            assignment = dict(zip(free, key, strict=True))
            if all(assignment[one] != assignment[other] for one, other in self.distinct):
                found.append(assignment)
        step = -(-len(found) // MOST_ASSIGNMENTS) or 1
        return found[::step]


_RATIONAL = frozenset(("relu", "abs", "sign"))
_UNBOUNDED = frozenset(("erf", "erfc", "asin", "acos", "atan", "asinh", "acosh", "atanh", "lgamma", "digamma"))


def _rooted_point(
    layer: Layer, sizes: Mapping[str, int], rng: random.Random, fixed: Mapping[str, Fraction]
) -> Point | None:
    """An exact point that is found soon, or None."""
    return exact_point(layer, sizes, rng, fixed, steps=200)


def _texts(sides: tuple[Number, Number], exact: bool) -> tuple[str, str]:
    """Both values as text, with as many digits as it takes to see the difference."""
    if exact:
        return str(sides[0]), str(sides[1])
    noise = max(abs(side) for side in sides) / 10**40
    left, right = "", ""
    for digits in (12, 20, 30, DIGITS):
        left, right = ("0" if abs(side) < noise else _decimal(side, digits) for side in sides)
        if left != right:
            break
    return left, right


def _decimal(value: Number, digits: int) -> str:
    """A decimal number, without trailing zeros."""
    return str(value.context.nstr(value, digits))
