"""One form for comparisons changes no value; away from corners it changes none where compared values differ."""

from __future__ import annotations

import random
from fractions import Fraction

import pytest

from symgrad.algebra.terms import Call, Compare, Entry, Index, Term, Where, add, mul, negative, number
from symgrad.audit.comparisons import away, compared, settled
from symgrad.notation.library import from_text
from symgrad.prove.evaluate import Evaluator, Point
from symgrad.prove.numbers import Exact

LAYER = from_text("input x[i], z[i]\nconstant b = 1\ny[i] = relu(x[i])\noutput y\n")
I = Index("i", "i")  # noqa: E741 - the letter of the axis
LEAVES = (Entry("x", (I,)), Entry("z", (I,)), Entry("b"), Entry("y", (I,)), number(0), number(2))
SMALL = (-2, -1, 0, 1, 2)


def random_term(rng: random.Random, depth: int) -> Term:
    """A term with comparisons inside of comparisons."""
    if depth == 0:
        return rng.choice(LEAVES)
    one, other = random_term(rng, depth - 1), random_term(rng, depth - 1)
    kind = rng.randrange(5)
    if kind == 0:
        return add(one, negative(other))
    if kind == 1:
        return mul(one, other)
    if kind == 2:
        return Call("abs", (one,))
    relation = rng.choice(("<", "<=", "==", "!="))
    return Where(Compare(relation, one, other), other, random_term(rng, depth - 1))


def values(rng: random.Random, *terms: Term) -> list:
    given = {name: {(0,): Fraction(rng.choice(SMALL))} for name in ("x", "z", "d_y")}
    point = Point({"i": 1}, {**given, "b": {(): Fraction(rng.choice(SMALL))}})
    evaluator = Evaluator(LAYER, point, Exact())
    return [evaluator.value(term, {I: 0}) for term in terms]


@pytest.mark.parametrize("seed", range(60))
def test_the_settled_term_has_the_same_values(seed):
    rng = random.Random(seed)
    term = random_term(rng, 3)
    for _ in range(30):
        before, after = values(rng, term, settled(term, LAYER))
        assert before == after


@pytest.mark.parametrize("seed", range(60))
def test_away_from_corners_the_values_are_the_same(seed):
    rng = random.Random(seed)
    term = random_term(rng, 2)
    pairs = compared(term, *(definition.body for definition in LAYER.definitions), Compare("<", LEAVES[0], number(0)))
    for _ in range(60):
        before, after, *sides = values(rng, term, away(term, LAYER), *(side for pair in pairs for side in pair))
        if all(left != right for left, right in zip(sides[::2], sides[1::2], strict=True)):
            assert before == after


def test_at_a_corner_they_may_differ():
    term = Where(Compare("<=", LEAVES[0], number(0)), number(2), number(0))
    strict = away(term, LAYER)
    found = {tuple(values(random.Random(seed), term, strict)) for seed in range(40)}
    assert any(before != after for before, after in found)
