"""Counterexamples: wrong formulas of each usual kind get one, right ones never do."""

from __future__ import annotations

import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest
from reading import merged, term

from symgrad.algebra.terms import Index
from symgrad.notation.library import from_text, load
from symgrad.prove.counterexample import Counterexample, find_counterexample
from symgrad.prove.evaluate import Point, evaluate
from symgrad.prove.numbers import EvaluationError, Exact, Real

F = Fraction
LAYER = load("batch_norm")
DX = (
    "w[c]/sqrt(var[c] + eps)*(d_y[s, c, k] - mean[s, k](d_y[s, c, k])"
    " - (x[s, c, k] - mu[c])/(var[c] + eps)*mean[s, k](d_y[s, c, k]*(x[s, c, k] - mu[c])))"
)
DW = "sum[s, k](d_y[s, c, k]*(x[s, c, k] - mu[c]))/sqrt(var[c] + eps)"
RIGHT = {
    "d_x[s, c, k]": DX,
    "d_w[c]": DW,
    "d_beta[c]": "sum[s, k](d_y[s, c, k])",
    "var[c]": "mean[s, k](x[s, c, k]**2) - mu[c]**2",
    "d_mu[c]": "-w[c]*d_beta[c]/sqrt(var[c] + eps)",
    "d_var[c]": "-w[c]*d_w[c]/(2*(var[c] + eps))",
    "sqrt(var[c] + eps)**3": "(var[c] + eps)*sqrt(var[c] + eps)",
}
WRONG = {
    "a sign": ("d_x[s, c, k]", DX.replace("- (x", "+ (x")),
    "a factor": ("d_x[s, c, k]", DX.replace("(x[s, c, k] - mu[c])/(var", "2*(x[s, c, k] - mu[c])/(var")),
    "w forgotten": ("d_x[s, c, k]", DX.replace("w[c]/", "1/")),
    "eps forgotten": ("d_x[s, c, k]", DX.replace("var[c] + eps)*mean", "var[c])*mean")),
    "a sum averaged": ("d_w[c]", DW.replace("sum[s, k](", "mean[s](sum[k](").replace(")/sqrt", "))/sqrt")),
    "a sum for a mean": ("d_x[s, c, k]", DX.replace("- mean[s, k](d_y[s, c, k])", "- sum[s, k](d_y[s, c, k])")),
    "a sum over one dimension": ("d_beta[c]", "size[s]*sum[k](d_y[s, c, k])"),
    "N and C swapped": ("d_x[s, c, k]", DX.replace("mean[s, k](d_y[s, c, k])", "sum[s, k](d_y[s, c, k])/size[c]", 1)),
    "N - 1": ("var[c]", "sum[s, k]((x[s, c, k] - mu[c])**2)/(size[s]*size[k] - 1)"),
    "not centred": ("d_w[c]", DW.replace(" - mu[c]", "")),
    "the mean held": ("d_x[s, c, k]", "w[c]*d_y[s, c, k]/sqrt(var[c] + eps)"),
    "a power": ("d_var[c]", "-w[c]*d_w[c]/(2*sqrt(var[c] + eps))"),
    "upstream forgotten": ("d_beta[c]", "size[s]*size[k]"),
}


@pytest.mark.parametrize("left", RIGHT)
def test_no_counterexample_for_a_right_formula(left):
    assert find_counterexample(term(left, LAYER), term(RIGHT[left], LAYER), LAYER) is None


@pytest.mark.parametrize("kind", WRONG)
def test_every_usual_fault_gets_a_counterexample_that_holds_when_it_is_evaluated_again(kind):
    left, right = (term(side, LAYER) for side in WRONG[kind])
    assert left != right
    found = find_counterexample(left, right, LAYER)
    assert found is not None
    point = Point(found.sizes, found.values)
    if found.exact:
        values = [evaluate(side, LAYER, point, found.assignment, Exact()) for side in (left, right)]
        assert [str(value) for value in values] == [found.left, found.right]
    else:
        values = [evaluate(side, LAYER, point, found.assignment, Real(80)) for side in (left, right)]
        assert [float(value) for value in values] == pytest.approx([float(found.left), float(found.right)])
    assert values[0] != values[1]


def test_rational_claims_get_exact_fractions_and_only_what_matters():
    found = find_counterexample(term("var[c]", LAYER), term("mu[c]**2", LAYER), LAYER)
    assert found is not None
    assert found.exact
    assert list(found.values) == ["x"]
    assert F(found.left) != F(found.right)


def test_the_network_is_refuted_in_decimals():
    layer = load("batch_norm_sigmoid_mse")
    wrong = term("2*d_L/size[s]*(z[s, c, k] - t[s, c, k])", layer)
    found = find_counterexample(term("d_z[s, c, k]", layer), wrong, layer)
    assert found is not None
    assert not found.exact
    assert found.left != found.right
    right = term("2*d_L/(size[s]*size[c]*size[k])*(z[s, c, k] - t[s, c, k])", layer)
    assert find_counterexample(term("d_z[s, c, k]", layer), right, layer, tries=8) is None


def test_fixed_scalars_decide():
    left, right = term("d_w[c]", LAYER), term(DW.replace(" + eps", ""), LAYER)
    assert find_counterexample(left, right, LAYER) is not None
    assert find_counterexample(left, right, LAYER, fixed={"eps": F(0)}) is None


def test_distinct_indices_have_different_values():
    layer = merged()
    jacobian = term("total(y[c, k], x[c, i])", layer, {"k": "i"})
    formula = term("-w[c]*(var[c] + (x[c, i] - mu[c])*(x[c, k] - mu[c]))/(size[i]*sqrt(var[c])**3)", layer, {"k": "i"})
    k, i = Index("k", "i"), Index("i", "i")
    assert find_counterexample(jacobian, formula, layer, distinct=((k, i),)) is None
    found = find_counterexample(jacobian, formula, layer)
    assert found is not None
    assert found.assignment[k] == found.assignment[i], "only the diagonal is different"
    misprint = term("-w[c]*(var[c] + (x[c, i] - mu[c])**2)/(size[i]*sqrt(var[c])**3)", layer)
    found = find_counterexample(jacobian, misprint, layer, distinct=((k, i),))
    assert found is not None
    assert found.assignment[k] != found.assignment[i]
    assert found.sizes["i"] >= 2


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("log(exp(x[i]))", "x[i]"),
        ("exp(x[i])*exp(-x[i])", "1"),
        ("cosh(x[i])**2 - sinh(x[i])**2", "1"),
        ("tanh(x[i])", "1 - 2/(exp(2*x[i]) + 1)"),
        ("sigmoid(x[i]) + sigmoid(-x[i])", "1"),
        ("sqrt(x[i]**2)**2", "x[i]**2"),
        ("sin(x[i])**2 + cos(x[i])**2 - 1", "0"),
        ("exp(x[i]*40)/(1 + exp(x[i]*40)) + 1/(1 + exp(x[i]*40)) - 1", "0"),
        ("(exp(60*x[i]) + 1)*(1 - exp(60*x[i])) + exp(120*x[i])", "1"),
    ],
)
def test_identities_between_functions_are_never_refuted(left, right):
    layer = from_text("input x[i]\ny[i] = 2*x[i]\noutput y")
    assert find_counterexample(term(left, layer), term(right, layer), layer, tries=40) is None


@pytest.mark.parametrize("right", ["x[i] + 1", "abs_of", "exp(x[i])"])
def test_functions_that_differ_are_refuted(right):
    layer = from_text("input x[i]\nabs_of[i] = sqrt(x[i]**2)\noutput abs_of")
    right = "abs_of[i]" if right == "abs_of" else right
    assert find_counterexample(term("x[i]", layer), term(right, layer), layer) is not None


def test_positive_points_are_tried_where_the_layer_needs_them():
    layer = from_text("input x[i]\ny[i] = sqrt(x[i]) * log(x[i])\noutput y")
    assert find_counterexample(term("y[i]", layer), term("sqrt(x[i])", layer), layer) is not None


def test_scalar_layers_have_no_sizes():
    layer = from_text("input x\ny = x**2\noutput y")
    found = find_counterexample(term("d_x", layer), term("x*d_y", layer), layer)
    assert found is not None
    assert found.sizes == {}
    assert found.assignment == {}
    assert find_counterexample(term("d_x", layer), term("2*x*d_y", layer), layer) is None


def test_more_than_four_axes():
    layer = from_text("input x[a, b, c, d, e]\ny = sum[a, b, c, d, e](x[a, b, c, d, e])\noutput y")
    found = find_counterexample(
        term("y", layer), term("size[e]*sum[a, b, c, d](x[a, b, c, d, e])", layer), layer, tries=4
    )
    assert found is not None


def test_a_side_that_can_be_evaluated_nowhere_is_an_error():
    layer = from_text("input x\ny = x**2\noutput y")
    second = term("total(total(y, x), x)", layer)
    with pytest.raises(EvaluationError, match="derivative of a derivative"):
        find_counterexample(second, term("2", layer), layer)


def test_a_claim_without_a_value_anywhere_is_not_refuted():
    layer = from_text("input x\ny = x**2\noutput y")
    assert find_counterexample(term("1/(x - x)", layer), term("y", layer), layer) is None


def test_equal_sides_are_no_counterexample():
    with pytest.raises(ValueError, match="no counterexample"):
        Counterexample({}, {}, {}, "1", "1", True)


SCRIPT = """
from reading import term
from symgrad.notation.library import load
from symgrad.prove.counterexample import find_counterexample
layer = load("batch_norm")
print(find_counterexample(term("d_x[s, c, k]", layer), term("d_y[s, c, k]*w[c]", layer), layer))
"""


def test_the_same_counterexample_for_every_hash_seed():
    folder = str(Path(__file__).parent)
    shown = set()
    for seed in ("0", "1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join([folder, *sys.path])}
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=True
        )
        shown.add(done.stdout)
    assert len(shown) == 1
    assert "Counterexample" in shown.pop()


def test_a_rational_claim_is_refuted_exactly_where_the_layer_has_irrational_roots():
    # No rational variance of three numbers is a square, and this claim needs none.
    layer = merged()
    wrong = term("2*(x[c, i] - mu[c])/(size[c]*size[i])", layer)
    found = find_counterexample(term("total(var[c], x[c, i])", layer), wrong, layer)
    assert found is not None
    assert found.exact
    assert F(found.left) == found.sizes["c"] * F(found.right)


def test_rounding_is_not_shown():
    layer = from_text("input x\ny = 2*sqrt(2 + x**2)\noutput y")
    sides = term("y**2/4 - 2 - x**2", layer), term("x + 9 + y - y", layer)
    found = find_counterexample(*sides, layer)
    assert found is not None
    assert found.left == "0"
