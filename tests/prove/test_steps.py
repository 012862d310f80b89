"""Every recorded step, before and after, on random numbers; every closed result by brute force.

The evaluation shares nothing with the calculus: explicit loops over entries, and dual numbers for
derivatives. In exact rationals functions have made-up values, so that only what is right for any
function agrees.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from functools import cache

import pytest

from symgrad import pipeline
from symgrad.algebra.terms import add, mul, negative, number
from symgrad.derive.recorder import has_derivative
from symgrad.derive.records import Derivation, Gradient, Step
from symgrad.notation.layer import Layer
from symgrad.notation.library import from_text, load
from symgrad.prove.evaluate import Evaluator, exact_point, random_point
from symgrad.prove.floats import Floats
from symgrad.prove.mutations import mutations
from symgrad.prove.numbers import Exact, Undefined

LAYERS = ("batch_norm", "sigmoid", "mse", "batch_norm_sigmoid_mse")
NUMBERS = (1, 2, 3, 7)
TOLERANCE = 1e-8


@cache
def studied(name: str):
    return pipeline.derive(load(name))


def chains(derivation: Derivation) -> Iterator[Derivation]:
    """A derivation and those of its lemmas."""
    yield derivation
    for lemma in derivation.lemmas:
        yield from chains(lemma)


@cache
def steps(name: str) -> tuple[Step, ...]:
    """The different steps of all derivations of a layer: both routes, other forms, lemmas."""
    found: dict[tuple, Step] = {}
    for each in studied(name).found:
        routes = [each.paths.derivation, *each.forms]
        if each.jacobian is not None:
            routes.append(each.jacobian.derivation)
        for route in routes:
            for chain in chains(route):
                for step in chain.steps:
                    found.setdefault((step.before, step.after, step.distinct), step)
    return tuple(found.values())


def places(step: Step, sizes: dict[str, int], rng: random.Random, count: int = 3) -> Iterator[dict]:
    """Random values of the free indices, different where the step is about different ones."""
    free = sorted(step.before.free | step.after.free)
    for _ in range(count):
        at = {index: rng.randrange(sizes[index.axis]) for index in free}
        if all(len({at[index] for index in pair}) == 2 for pair in step.distinct):
            yield at


def holds(step: Step, evaluator: Evaluator, rng: random.Random) -> bool:
    for at in places(step, dict(evaluator.point.sizes), rng):
        before, after = evaluator.value(step.before, at), evaluator.value(step.after, at)
        if abs(before - after) > TOLERANCE * max(1.0, abs(before), abs(after)):
            return False
    return True


def evaluator_at(layer: Layer, n: int) -> Evaluator:
    """N samples or positions, and a number of channels that is another one."""
    sizes = {axis.name: (3 if n == 2 else 2) if axis.name == "c" else n for axis in layer.axes}
    return Evaluator(layer, random_point(layer, sizes, random.Random(n)), Floats())


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("n", NUMBERS)
def test_every_step_holds_in_numbers(name, n):
    evaluator = evaluator_at(studied(name).merge.layer, n)
    rng = random.Random(n)
    wrong = [step for step in steps(name) if not holds(step, evaluator, rng)]
    assert not wrong, wrong[0]


@pytest.mark.parametrize("name", LAYERS)
def test_steps_come_from_both_routes_and_from_cases(name):
    assert len(steps(name)) >= 9
    if "batch_norm" in name:
        assert any(step.distinct for step in steps(name)), "the case k != i"
        assert any(step.conditions for step in steps(name)), "w != 0"


def survives(step: Step, evaluator: Evaluator, rng: random.Random) -> bool:
    """Whether a step holds; one whose right side has no value does not."""
    try:
        return holds(step, evaluator, rng)
    except Undefined:
        return False


@pytest.mark.parametrize("name", ["batch_norm", "batch_norm_sigmoid_mse"])
def test_a_wrong_step_is_seen(name):
    """Edits of the right sides of steps without derivatives, in which every part counts."""
    layer = studied(name).merge.layer
    evaluators = [(evaluator_at(layer, n), random.Random(n)) for n in (2, 3, 7)]
    tried, passed = 0, []
    for step in [step for step in steps(name) if not has_derivative(step.after)][::3]:
        edits = [edit for edit in mutations(step.after, layer) if edit.term.free <= step.before.free]
        for edit in edits[:: max(1, len(edits) // 2)]:
            wrong = replace(step, after=edit.term)
            tried += 1
            if all(survives(wrong, evaluator, rng) for evaluator, rng in evaluators):
                passed.append((edit.what, step.after, edit.term))
    assert tried >= 25
    assert len(passed) <= 0.1 * tried, passed


SMALL = {"batch_norm": (1, 2, 4), "sigmoid": (1, 2, 3, 4), "mse": (1, 2, 3, 4), "batch_norm_sigmoid_mse": (1, 2)}
"""N at which rational points are found soon; a standard deviation of three is never rational."""


def exact(layer: Layer, n: int) -> Evaluator:
    sizes = {axis.name: 2 if axis.name == "c" and n != 2 else 3 if axis.name == "c" else n for axis in layer.axes}
    points = (exact_point(layer, sizes, random.Random(seed), steps=1000) for seed in range(n, n + 20))
    return Evaluator(layer, next(point for point in points if point is not None), Exact(surrogate=True))


def agrees(gradient: Gradient, evaluator: Evaluator) -> bool:
    """Whether the closed result is the gradient by dual numbers, at every place, exactly."""
    for key in evaluator.point.keys(gradient.entry.indices):
        at = dict(zip(gradient.entry.indices, key, strict=True))
        wanted, found = evaluator.value(gradient.entry, at), evaluator.value(gradient.body, at)
        assert isinstance(found, Fraction)
        if wanted != found:
            return False
    return True


CASES = [(name, n) for name in LAYERS for n in SMALL[name]]
MADE_UP = from_text("""
input     x[c, i]
parameter w[c], beta[c]
target    t[c, i]
mu[c]   = mean[i](x[c, i])
var[c]  = mean[i]((x[c, i] - mu[c])**2)
y[c, i] = w[c] * (x[c, i] - mu[c]) / sqrt(var[c]) + beta[c]
z[c, i] = sigmoid(y[c, i])
L       = mean[c, i]((z[c, i] - t[c, i])**2)
output    L
""")
"""The network with its sigmoid as a function, and without eps, so that roots can be rational."""


@pytest.mark.parametrize(("name", "n"), CASES, ids=str)
def test_closed_gradients_are_those_of_dual_numbers(name, n):
    found = studied(name)
    evaluator = exact(found.merge.layer, n)
    for each in found.found:
        assert agrees(each.paths, evaluator), each.name
        assert each.jacobian is None or agrees(each.jacobian, evaluator), each.name


def test_closed_gradients_hold_for_any_function_in_the_place_of_sigmoid():
    found = pipeline.derive(MADE_UP)
    point = exact_point(found.merge.layer, {"c": 2, "i": 4}, random.Random(5))
    assert point is not None
    evaluator = Evaluator(found.merge.layer, point, Exact(surrogate=True))
    for each in found.found:
        assert agrees(each.paths, evaluator), each.name


@pytest.mark.parametrize(("name", "n"), [("batch_norm", 2), ("mse", 3)], ids=str)
def test_a_wrong_closed_gradient_is_seen_by_brute_force(name, n):
    found = studied(name)
    evaluator = exact(found.merge.layer, n)
    for each in found.found:
        indices = each.paths.entry.indices
        places = [dict(zip(indices, key, strict=True)) for key in evaluator.point.keys(indices)]
        wrong = [add(each.paths.body, number("1/1000"))]
        if any(evaluator.value(each.paths.body, at) for at in places):
            wrong += [mul(each.paths.body, number(2)), negative(each.paths.body)]
        for body in wrong:
            assert not agrees(replace(each.paths, body=body), evaluator), each.name


def test_n_is_one_needs_eps_only():
    """With one value the variance is 0: right with eps, without a value where eps is 0."""
    layer = studied("batch_norm").merge.layer
    for eps, defined in ((Fraction(1, 4), True), (Fraction(0), False)):
        point = random_point(layer, {"c": 2, "i": 1}, random.Random(3), {"eps": eps})
        evaluator = Evaluator(layer, point, Floats())
        gradient = studied("batch_norm").gradient("x").paths
        at = dict(zip(gradient.entry.indices, (1, 0), strict=True))
        if defined:
            assert evaluator.value(gradient.body, at) == pytest.approx(0.0, abs=1e-12)
        else:
            with pytest.raises(Undefined):
                evaluator.value(gradient.body, at)
