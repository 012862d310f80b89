"""Every recorded step before = after, in numbers; and a wrong one is seen."""

from __future__ import annotations

from dataclasses import replace

import pytest

from symgrad import pipeline
from symgrad.algebra.terms import TWO, mul
from symgrad.check.kernels import telling_point
from symgrad.check.steps import all_derivations, check_steps, step_error
from symgrad.notation.library import load
from symgrad.prove.evaluate import Evaluator
from symgrad.prove.floats import Floats
from symgrad.prove.mutations import mutations

SIZES = {"c": 2, "i": 3}


def test_every_step_of_the_network_holds_at_every_size(network):
    checks = list(check_steps(network))
    assert [check.where for check in checks] == [f"N_c = 2, N_i = {n}" for n in (1, 2, 3, 7)] or len(checks) == 4
    assert all(check.error < 1e-12 for check in checks)


def test_lemmas_and_forms_and_both_routes_are_among_the_derivations(network):
    found = list(all_derivations(network))
    assert {derivation.route for derivation in found} >= {"paths", "jacobian", "form"}
    assert sum(len(derivation.steps) for derivation in found) > 60


def wrong_study(study, gradient: str):
    """The study with one step of one gradient's derivation wrong: its result is twice what it is."""
    found = study.gradient(gradient)
    derivation = found.paths.derivation
    *before, last = derivation.steps
    twice = mul(TWO, last.after)
    wrong = replace(derivation, steps=(*before, replace(last, after=twice)), result=twice)
    changed = replace(found, paths=replace(found.paths, derivation=wrong))
    return replace(study, found=tuple(changed if f is found else f for f in study.found))


@pytest.mark.parametrize("name", ["x", "w", "beta", "z"])
def test_a_wrong_step_is_seen(name, network):
    checks = list(check_steps(wrong_study(network, name)))
    assert any(not check.passed for check in checks)


def test_a_wrong_step_in_any_layer_is_seen():
    study = pipeline.derive(load("sigmoid"))
    assert all(check.passed for check in check_steps(study))
    assert not any(check.passed for check in check_steps(wrong_study(study, "y")))


def test_mutated_steps_are_seen_where_they_change_the_value(network):
    """Of all derivations' steps, one edit each: a step that is still right must be provably so."""
    from symgrad.prove.verdict import Prover

    layer = network.merge.layer
    prover = Prover(layer, tuple(found.paths for found in network.found))
    evaluator = Evaluator(layer, telling_point(layer, SIZES, 5, positive=True), Floats())
    seen = missed = 0
    for derivation in all_derivations(network):
        for number, step in enumerate(derivation.steps):
            edits = list(mutations(step.after, layer))
            if not edits:
                continue
            edit = edits[number % len(edits)]
            if not edit.term.free <= step.before.free:
                continue
            error = step_error(replace(step, after=edit.term), evaluator, SIZES)
            if error is not None and error > 1e-9:
                seen += 1
            elif error is not None:
                assert prover.equal(step.before, edit.term, step.distinct), edit.what
                missed += 1
    assert seen > 50
    assert missed < seen / 5


def test_a_step_that_has_no_value_at_a_size_does_not_count(network):
    """A step for k ≠ i says nothing where there is one index only."""
    layer = network.merge.layer
    sizes = {axis.name: 1 for axis in layer.axes}
    evaluator = Evaluator(layer, telling_point(layer, sizes, 1, positive=True), Floats())
    steps = [step for derivation in all_derivations(network) for step in derivation.steps if step.distinct]
    assert steps
    assert all(step_error(step, evaluator, sizes) is None for step in steps)


def test_a_side_that_is_no_number_is_seen(network):
    """max() of a number and NaN may be the number: a step must not pass that way."""

    class Broken(Evaluator):
        def value(self, term, at):
            return float("nan") if term is step.after else 1.0

    layer = network.merge.layer
    step = network.gradient("w").paths.derivation.steps[0]
    evaluator = Broken(layer, telling_point(layer, SIZES, 1), Floats())
    assert step_error(step, evaluator, SIZES) == float("inf")
