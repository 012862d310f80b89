"""The canonical form against numbers: random equal terms are proved, random unequal ones never."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from random_terms import LAYER, random_term, rewritten

from symgrad.algebra.terms import Add, Term, add, negative
from symgrad.errors import DerivationError, TooLargeError
from symgrad.prove import canonical
from symgrad.prove.canonical import Canonical
from symgrad.prove.clear import vanishes
from symgrad.prove.evaluate import Evaluator, random_point
from symgrad.prove.mutations import mutations
from symgrad.prove.numbers import EvaluationError, Real

SEEDS = range(150)


def proved(left: Term, right: Term) -> bool | None:
    """Whether the canonical form proves it; None where it is beyond the limits."""
    form = Canonical()
    try:
        return vanishes(form, form.poly(add(left, negative(right))))
    except (DerivationError, TooLargeError, ZeroDivisionError):
        return None


def differ(left: Term, right: Term, rng: random.Random, points: int = 4) -> bool:
    """Whether two terms differ at one of a few random points, to 50 digits."""
    for _ in range(points):
        point = random_point(LAYER, {"i": rng.choice((2, 3)), "j": rng.choice((2, 4))}, rng)
        at = {index: rng.randrange(point.sizes[index.axis]) for index in sorted(left.free | right.free)}
        evaluator = Evaluator(LAYER, point, Real(50))
        try:
            one, other = evaluator.value(left, at), evaluator.value(right, at)
        except EvaluationError:
            continue
        if abs(one) < 1e15 and abs(one - other) > 1e-25 * max(1, abs(one)):
            return True
    return False


def equal_pair(seed: int) -> tuple[Term, Term]:
    rng = random.Random(seed)
    left = random_term(rng, 3)
    right = left
    for _ in range(rng.randint(1, 4)):
        right = rewritten(rng, right)
    return left, right


def test_equal_terms_are_proved():
    verdicts = Counter(proved(*equal_pair(seed)) for seed in SEEDS)
    assert verdicts[True] >= 0.98 * len(SEEDS), verdicts


def test_the_rewritings_of_this_test_are_right():
    assert not any(differ(*equal_pair(seed), random.Random(seed), points=1) for seed in SEEDS[:60])


@pytest.mark.parametrize("block", range(5))
def test_a_mutant_that_differs_is_never_proved(block):
    tried = 0
    for seed in SEEDS[block::5]:
        left, right = equal_pair(seed)
        rng = random.Random(seed)
        mutants = [m for m in mutations(left, LAYER) if m.term.free <= left.free]
        for mutant in rng.sample(mutants, min(3, len(mutants))):
            tried += 1
            if proved(right, mutant.term):
                assert not differ(right, mutant.term, rng), (seed, mutant.what)
    assert tried > 50


def test_the_check_sees_a_canonical_form_that_is_wrong(monkeypatch):
    """With sums that lose every second term, mutants are proved that differ in numbers."""
    monkeypatch.setattr(canonical.Canonical, "sum", lambda self, indices, body: dict(body))
    caught = 0
    for seed in SEEDS:
        left, _ = equal_pair(seed)
        rng = random.Random(seed)
        for mutant in mutations(left, LAYER):
            if mutant.what == "a sum forgotten" and proved(left, mutant.term) and differ(left, mutant.term, rng):
                caught += 1
    assert caught


def test_both_kinds_of_terms_are_there():
    """The terms are not all trivial."""
    lefts = [equal_pair(seed)[0] for seed in SEEDS]
    assert sum(1 for left in lefts if isinstance(left, Add)) > 10
    assert sum(1 for left in lefts if left.binds) > 50
