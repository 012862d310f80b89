"""What a plan promises: few reductions, nothing computed twice, safe forms, and only what is proved."""

from __future__ import annotations

import pytest
from hand import ADJOINTS, STATISTICS, adjoints, equal_in_numbers, plan_of

from symgrad.algebra.terms import Call, Pow, walk
from symgrad.notation.library import from_text, load
from symgrad.plan import Adjoint, PlanError, make_plan
from symgrad.plan.formula import NOTATION, formula
from symgrad.plan.from_statistics import with_statistics
from symgrad.plan.infix import infix
from symgrad.plan.names import python_names
from symgrad.plan.records import REDUCTION, Procedure, Statement

NETWORK = "batch_norm_sigmoid_mse"


def reductions(procedure: Procedure) -> list[str]:
    return [statement.name for statement in procedure.statements if statement.kind == REDUCTION]


def test_the_network_needs_five_reductions_two_of_them_backward():
    plan = plan_of(NETWORK)
    assert reductions(plan.forward) == ["mu", "var", "L"]
    assert reductions(plan.backward) == ["sum_d_y_x_minus_mu", "d_beta"]


def test_batch_norm_alone_needs_the_same_two_backward():
    assert reductions(plan_of("batch_norm").backward) == ["sum_d_y_x_minus_mu", "d_beta"]


def test_a_centred_sum_vanishes_only_because_it_is_proved():
    plan = plan_of("batch_norm")
    d_mu = next(s for s in plan.backward.statements if s.name == "d_mu")
    assert formula(d_mu.term) == "-w[c] * rsqrt_var[c] * d_beta[c]"


def test_inputs_and_statistics_are_saved_and_an_output_that_suffices():
    assert plan_of(NETWORK).saved == ("x", "w", "beta", "t", "eps", "mu", "var")
    assert plan_of("batch_norm").saved == ("x", "w", "eps", "mu", "var")
    assert plan_of("sigmoid").saved == ("z",)


@pytest.mark.parametrize("name", sorted(ADJOINTS))
def test_no_exponential_and_no_division_by_an_input_is_emitted(name):
    plan = plan_of(name)
    inputs = {tensor.name for tensor in plan.layer.tensors}
    for statement in (*plan.forward.statements, *plan.backward.statements):
        for node in walk(statement.term):
            assert not (isinstance(node, Call) and node.function == "exp")
            assert not (isinstance(node, Pow) and node.exponent < 0 and node.base.names & inputs)


def test_each_statement_says_which_gradients_need_it():
    needed = {s.name: set(s.needed_by) for s in plan_of("batch_norm").backward.statements}
    assert needed["sum_d_y_x_minus_mu"] == {"x", "w"}
    assert needed["d_beta"] == {"x", "beta"}
    assert needed["d_w"] == {"w"}
    assert needed["d_x"] == {"x"}


@pytest.mark.parametrize("old, new", [("2 * g_var", "3 * g_var"), ("sqrt(var[c] + eps))", "sqrt(var[c] + 2 * eps))")])
def test_what_is_planned_is_the_adjoint_and_not_the_truth(old, new):
    """A wrong adjoint is planned as it is given: the plan is proved equal to it, nothing else."""
    layer = load("batch_norm")
    wrong = adjoints(layer, ADJOINTS["batch_norm"].replace(old, new), {"y": "g_y[s, c, k...]"})
    assert make_plan(layer, wrong, equal_in_numbers).backward != plan_of("batch_norm").backward


def test_nothing_is_planned_that_the_prover_does_not_prove():
    layer = load("batch_norm")
    given = adjoints(layer, ADJOINTS["batch_norm"], {"y": "g_y[s, c, k...]"})
    with pytest.raises(PlanError, match=r"layer batch_norm: the code form of d_\w+ is not proved equal"):
        make_plan(layer, given, lambda left, right, layer: False)


def test_gradients_from_statistics_are_planned_together_and_only_if_they_are_proved():
    plan = plan_of("batch_norm")
    assert plan.from_statistics.reads == ("x", "mu", "d_mu", "d_var")
    assert {s.name: formula(s.term) for s in plan.from_statistics.statements} == {
        "d_mu_total": "d_mu[c]",  # the deviations add up to 0
        "d_x": "2 * d_var[c] * (x[s, c, k] - mu[c]) / (size[s] * size[k]) + d_mu_total[c] / (size[s] * size[k])",
    }
    seeds = {name: f"g_{name}[c]" for name in plan.statistics}
    given = adjoints(plan.layer, STATISTICS["batch_norm"], seeds)
    with pytest.raises(PlanError, match=r"layer batch_norm: the code form of d_\w+ is not proved equal"):
        with_statistics(plan, given, lambda left, right, layer: False)


def test_a_prover_that_proves_too_much_is_held_back_by_numbers():
    """A prover that says yes to everything is asked only about what agrees in random numbers."""
    layer = load("mse")
    text = "input z[i...]\ntarget t[i...]\nL = mean[i](z[i] - t[i])\noutput L"
    layer = from_text(text, "wrong")
    seed = adjoints(layer, "g_z[i] = g_L / size[i] * (z[i] - t[i]) * sum[i](z[i] - t[i])", {"L": "g_L"})
    plan = make_plan(layer, seed, lambda left, right, layer: True)
    assert formula(plan.backward.statements[-1].term) == "d_L * (z[i] - t[i]) * L"
    honest = make_plan(layer, seed, equal_in_numbers)
    assert formula(honest.backward.statements[-1].term) == "d_L * (z[i] - t[i]) * L"  # the sum is size[i] * L


def test_an_adjoint_that_uses_an_unknown_name_is_refused():
    layer = load("sigmoid")
    other = Adjoint("d_y", layer.entry("y").indices, adjoints(load("mse"), ADJOINTS["mse"], {"L": "g_L"})[0].body)
    with pytest.raises(Exception, match=r"the plan needs .*, which has no equation"):
        make_plan(layer, [other], equal_in_numbers)


def test_names_are_short_where_they_can_be_and_never_pythons_own():
    assert python_names(["y", "y.mu", "d_y.mu"]) == {"y": "y", "y.mu": "mu", "d_y.mu": "d_mu"}
    assert python_names(["mu", "y.mu", "z.mu"]) == {"mu": "mu", "y.mu": "y_mu", "z.mu": "z_mu"}
    assert python_names(["dtype", "lambda", "n_k"]) == {"dtype": "dtype_", "lambda": "lambda_", "n_k": "n_k_"}


def test_a_statement_that_nothing_needs_is_refused():
    with pytest.raises(Exception, match="not well formed"):
        Statement("a", (), load("mse").definition("L").body, REDUCTION, "", ())


def test_formulas_read_as_they_are_written():
    text = "y[s, c, k] = w[c] * (x[s, c, k] - mu[c]) / sqrt(var[c] + eps) + beta[c]"
    definition = load("batch_norm").definition("y")
    assert infix(definition.body, NOTATION) == text.split(" = ")[1]
