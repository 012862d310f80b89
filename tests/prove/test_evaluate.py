"""Evaluation: hand-known values, and gradients against formulas that a person wrote."""

from __future__ import annotations

import itertools
import random
from fractions import Fraction

import pytest
from reading import merged, term

from symgrad.algebra.terms import Call, Delta, Diff, Entry, Index, Size, number, power
from symgrad.errors import DerivationError
from symgrad.notation.library import from_text, load
from symgrad.primitives import PRIMITIVES
from symgrad.prove.evaluate import Evaluator, Point, evaluate, exact_point, random_point
from symgrad.prove.numbers import EvaluationError, Exact, NotExact, Real, Undefined

F = Fraction
C, I, K = Index("c", "c"), Index("i", "i"), Index("k", "i")  # noqa: E741 - the letters of the formulas
CHAIN = "input x[i]\nm = mean[i](x[i])\nv = mean[i]((x[i] - m)**2)\ny[i] = x[i]*m + v\noutput y"


def chain_point() -> Point:
    return Point({"i": 2}, {"x": {(0,): F(1), (1,): F(4)}, "d_y": {(0,): F(3), (1,): F(5)}})


def chain(text: str, i: int = 0, k: int = 1) -> Fraction:
    layer = from_text(CHAIN)
    return evaluate(term(text, layer, {"k": "i"}), layer, chain_point(), {I: i, K: k}, Exact())


def test_sums_sizes_deltas_and_definitions_are_what_they_say():
    assert chain("sum[i](x[i]**2)") == 17
    assert chain("mean[i](x[i])") == F(5, 2)
    assert chain("size[i]**2") == 4
    assert chain("v") == F(9, 4)
    assert chain("y[i]", i=1) == 4 * F(5, 2) + F(9, 4)
    assert chain("sqrt(v)") == F(3, 2)
    assert chain("sum[k](where(k != i, x[k], 0))") == 4
    assert chain("where(k == i, x[k], 7)", i=1, k=1) == 4
    assert chain("where(k == i, x[k], 7)", i=0, k=1) == 7


def test_a_bound_letter_hides_the_free_one():
    assert chain("x[i] * sum[i](x[i])", i=1) == 4 * 5


def test_the_branch_that_where_does_not_take_need_not_exist():
    assert chain("where(k != i, 1/(x[k] - x[i]), 0)", i=1, k=1) == 0


def test_gradients_by_hand():
    # S = Σ d_i (x_i m + v): dS/dm = Σ d x = 23, dS/dv = 8 and dv/dm = 0.
    assert chain("d_m") == 3 * 1 + 5 * 4
    assert chain("d_v") == 8
    # dS/dx_0 = d_0 m + (1/2)·23 + 8·(2/2)(x_0 - m)
    assert chain("d_x[i]") == 3 * F(5, 2) + F(23, 2) + 8 * F(-3, 2)
    assert chain("d_y[i]", i=1) == 5, "an output's gradient is what comes in"


def test_total_lets_definitions_follow_and_partial_holds_them():
    assert chain("total(v, x[i])") == F(-3, 2)
    assert chain("total(m, x[i])") == F(1, 2)
    assert chain("total(y[i], x[i])") == F(5, 2) + F(1, 2) - F(3, 2)
    assert chain("total(y[k], x[i])") == 4 * F(1, 2) - F(3, 2)
    assert chain("partial(x[i]*m + v, x[i])") == F(5, 2)
    assert chain("partial(x[i]*m + v, x[k])") == 0
    assert chain("partial(x[i]*m + v, m)") == 1
    assert chain("partial(x[i]*m + v, v)") == 1
    assert chain("partial(2*v*m, x[i])") == 0, "both definitions are held"
    assert chain("total(2*v*m, x[i])") == 2 * (F(-3, 2) * F(5, 2) + F(9, 4) * F(1, 2))


def test_partial_of_a_definition_opens_its_equation_once():
    assert chain("partial(y[i], x[i])") == F(5, 2)
    assert chain("partial(y[i], m)") == 1
    assert chain("partial(y[i], y[i])") == 1
    assert chain("partial(y[i], y[k])") == 0
    assert chain("partial(v, m)") == 0


def test_total_by_a_definition_varies_what_comes_after_it_only():
    assert chain("total(v, m)") == 0
    assert chain("total(y[i], m)", i=1) == 4
    assert chain("total(m, v)") == 0
    assert chain("total(x[i], m)") == 0
    assert chain("total(m, m)") == 1


def test_the_upstream_gradient_of_a_scalar_output_is_one_where_it_is_not_given():
    layer = from_text("input x\ny = x**3\nL = 2*y\noutput L")
    point = Point({}, {"x": {(): F(5)}})
    assert evaluate(term("d_L", layer), layer, point, {}, Exact()) == 1
    assert evaluate(term("d_x", layer), layer, point, {}, Exact()) == 150
    given = Point({}, {"x": {(): F(5)}, "d_L": {(): F(1, 3)}})
    assert evaluate(term("d_y", layer), layer, given, {}, Exact()) == F(2, 3)


def test_gradients_add_up_over_outputs():
    layer = from_text("input x\na = x**2\nb = a*x\noutput a, b")
    point = Point({}, {"x": {(): F(3)}, "d_a": {(): F(5)}, "d_b": {(): F(7)}})
    assert evaluate(term("d_x", layer), layer, point, {}, Exact()) == 5 * 6 + 7 * 27
    assert evaluate(term("d_a", layer), layer, point, {}, Exact()) == 5


HAND = {
    "d_beta[c]": "sum[s, k](d_y[s, c, k])",
    "d_w[c]": "sum[s, k](d_y[s, c, k]*(x[s, c, k] - mu[c]))/sqrt(var[c] + eps)",
    "d_x[s, c, k]": "w[c]/sqrt(var[c] + eps)*(d_y[s, c, k] - mean[s, k](d_y[s, c, k])"
    " - (x[s, c, k] - mu[c])/(var[c] + eps)*mean[s, k](d_y[s, c, k]*(x[s, c, k] - mu[c])))",
    "d_mu[c]": "-w[c]/sqrt(var[c] + eps)*sum[s, k](d_y[s, c, k])",
    "d_var[c]": "-1/2*w[c]*(var[c] + eps)**(-3/2)*sum[s, k](d_y[s, c, k]*(x[s, c, k] - mu[c]))",
}


@pytest.mark.parametrize("left", HAND)
@pytest.mark.parametrize("sizes", [(1, 2, 1), (2, 3, 1), (3, 1, 1), (1, 2, 4), (2, 2, 2)], ids=str)
def test_batch_norm_gradients_equal_the_hand_formulas_exactly(left, sizes):
    layer = load("batch_norm")
    point = exact_point(layer, dict(zip("sck", sizes, strict=True)), random.Random(1))
    assert point is not None
    evaluator = Evaluator(layer, point, Exact())
    one, other = term(left, layer), term(HAND[left], layer)
    indices = sorted(one.free)
    for key in itertools.product(*(range(point.sizes[index.axis]) for index in indices)):
        at = dict(zip(indices, key, strict=True))
        assert evaluator.value(one, at) == evaluator.value(other, at)


def test_the_network_agrees_with_finite_differences():
    layer, sizes = load("batch_norm_sigmoid_mse"), {"s": 2, "c": 2, "k": 2}
    point = random_point(layer, sizes, random.Random(3), {"d_L": F(1)})
    at = dict.fromkeys(layer.entry("x").indices, 1)
    gradient = evaluate(term("d_x[s, c, k]", layer), layer, point, at, Real())
    step = F(1, 10**12)
    values = []
    for sign in (1, -1):
        moved = {**point.values["x"], (1, 1, 1): point.values["x"][1, 1, 1] + sign * step}
        there = Point(sizes, {**point.values, "x": moved})
        values.append(evaluate(Entry("L"), layer, there, {}, Real()))
    assert abs((values[0] - values[1]) / 2 * 10**12 - gradient) < 1e-20


def test_surrogates_check_the_index_calculus_of_the_network_in_exact_rationals():
    layer = merged()
    point = exact_point(layer, {"c": 2, "i": 4}, random.Random(5))
    assert point is not None
    evaluator = Evaluator(layer, point, Exact(surrogate=True))
    right = term("2*d_L/(size[c]*size[i])*(z[c, i] - t[c, i])*z[c, i]*(1 - z[c, i])", layer)
    wrong = term("2*d_L/(size[c]*size[i])*(z[c, i] - t[c, i])*z[c, i]", layer)
    for c, i in point.keys((C, I)):
        found = evaluator.value(term("d_y[c, i]", layer), {C: c, I: i})
        assert isinstance(found, Fraction)
        assert found == evaluator.value(right, {C: c, I: i})
        assert found != evaluator.value(wrong, {C: c, I: i})


def test_surrogates_are_blind_to_a_wrong_derivative_row_and_to_identities(monkeypatch):
    # What the docstring admits: both sides use the same row, so both are wrong together.
    row = PRIMITIVES["tanh"]
    monkeypatch.setitem(PRIMITIVES, "tanh", type(row)(**{**vars(row), "derivative": lambda u: u}))
    layer = from_text("input x\ny = 1*tanh(x)\noutput y")
    point = Point({}, {"x": {(): F(2)}})
    assert evaluate(term("d_x", layer), layer, point, {}, Exact(surrogate=True)) == 2
    sides = [term(side, layer) for side in ("sigmoid(x)", "1/(1 + exp(-x))")]
    values = [evaluate(side, layer, point, {}, Exact(surrogate=True)) for side in sides]
    assert values[0] != values[1]


def test_a_surrogate_depends_on_the_name_and_the_argument_alone():
    exact = Exact(surrogate=True)
    assert exact.call("exp", F(1, 2)) == exact.call("exp", F(2, 4))
    assert exact.call("exp", F(1, 2)) != exact.call("tanh", F(1, 2))
    assert exact.call("exp", F(1, 2)) != exact.call("exp", F(1, 3))
    assert exact.call("exp", F(1, 2)) == F(163, 3), "the same in every process, whatever PYTHONHASHSEED is"


@pytest.mark.parametrize(
    ("base", "exponent", "value"),
    [
        (F(4, 9), F(1, 2), F(2, 3)),
        (F(4, 9), F(-3, 2), F(27, 8)),
        (F(8, 27), F(2, 3), F(4, 9)),
        (F(-2), F(3), F(-8)),
        (F(-2), F(-2), F(1, 4)),
        (F(0), F(1, 2), F(0)),
        (F(10**40), F(1, 4), F(10**10)),
    ],
)
def test_exact_powers(base, exponent, value):
    assert Exact().power(base, exponent) == value


@pytest.mark.parametrize(("base", "exponent"), [(F(2), F(1, 2)), (F(4), F(1, 3)), (F(1, 3), F(-1, 2))])
def test_an_irrational_root_is_refused_in_exact_arithmetic(base, exponent):
    with pytest.raises(NotExact, match="not rational"):
        Exact().power(base, exponent)


@pytest.mark.parametrize("arithmetic", [Exact(), Real()], ids=["exact", "real"])
@pytest.mark.parametrize(("base", "exponent"), [(F(0), F(-1)), (F(0), F(-1, 2)), (F(-4), F(1, 2))])
def test_what_has_no_real_value_is_undefined(arithmetic, base, exponent):
    with pytest.raises(Undefined):
        arithmetic.power(arithmetic.number(base), exponent)


def test_the_derivative_of_a_root_at_zero_is_undefined():
    layer = from_text("input x[i]\nv = mean[i]((x[i] - mean[i](x[i]))**2)\ny = 1*sqrt(v)\noutput y")
    point = Point({"i": 2}, {"x": {(0,): F(1), (1,): F(1)}, "d_y": {(): F(1)}})
    with pytest.raises(Undefined):
        evaluate(term("d_x[i]", layer), layer, point, {I: 0}, Exact())


@pytest.mark.parametrize(
    ("function", "argument", "value"),
    [("exp", 0, 1), ("log", 1, 0), ("sigmoid", 0, F(1, 2)), ("tanh", 0, 0), ("cosh", 0, 1), ("log1p", 0, 0)],
)
def test_functions_are_exact_where_their_value_is_rational(function, argument, value):
    assert Exact().call(function, F(argument)) == value


def test_functions_are_refused_where_their_value_is_not_rational():
    with pytest.raises(NotExact):
        Exact().call("exp", F(1))
    with pytest.raises(NotExact):
        Exact().call("sin", F(1))


def test_real_arithmetic_has_fifty_digits_and_leaves_mpmath_alone():
    import mpmath

    before = mpmath.mp.dps
    real = Real()
    root = real.power(real.number(F(2)), F(1, 2))
    assert abs(root * root - 2) < 1e-48
    assert mpmath.mp.dps == before


def test_a_derivative_that_is_not_supported_says_so():
    with pytest.raises(DerivationError, match="no rule for the derivative of digamma"):
        PRIMITIVES["digamma"].derivative(Entry("u"))


@pytest.mark.parametrize("name", sorted(PRIMITIVES.keys() - {"pi", "digamma"}))
def test_every_function_has_a_real_value_and_slope(name):
    layer = from_text(f"input x\ny = 1*{name}(x)\noutput y")
    step, values = F(1, 10**12), []
    middle = F(4, 3) if name == "acosh" else F(1, 3)
    for place in (middle - step, middle + step):
        values.append(evaluate(Entry("y"), layer, Point({}, {"x": {(): place}}), {}, Real()))
    slope = evaluate(Entry("d_x"), layer, Point({}, {"x": {(): middle}}), {}, Real())
    assert abs((values[1] - values[0]) * 10**12 / 2 - slope) < 1e-20


def test_a_logarithm_of_a_negative_number_is_undefined():
    with pytest.raises(Undefined):
        Real().call("log", Real().number(F(-1)))


def test_errors_name_what_is_missing():
    layer = from_text(CHAIN)
    with pytest.raises(EvaluationError, match="no value for q"):
        evaluate(Entry("q"), layer, chain_point(), {}, Exact())
    with pytest.raises(EvaluationError, match="a derivative by q"):
        evaluate(Entry("d_q"), layer, chain_point(), {}, Exact())
    with pytest.raises(EvaluationError, match="index i has no value"):
        evaluate(Entry("x", (I,)), layer, chain_point(), {}, Exact())
    with pytest.raises(EvaluationError, match="derivative of a derivative"):
        inner = Diff(Entry("v"), Entry("x", (I,)), True)
        evaluate(Diff(inner, Entry("x", (K,)), True), layer, chain_point(), {I: 0, K: 1}, Exact())
    with pytest.raises(EvaluationError, match="itself a gradient"):
        evaluate(Diff(Entry("d_m"), Entry("x", (I,)), True), layer, chain_point(), {I: 0}, Exact())


def test_nodes_one_by_one():
    layer = from_text(CHAIN)
    for node, value in [
        (number("3/7"), F(3, 7)),
        (Size("i"), 2),
        (Delta(I, K), 0),
        (power(Entry("x", (K,)), F(1, 2)), 2),
        (Call("exp", (number(0),)), 1),
    ]:
        assert evaluate(node, layer, chain_point(), {I: 0, K: 1}, Exact()) == value


def test_random_points_are_deterministic_complete_and_have_nonzero_parameters():
    layer, sizes = load("batch_norm"), {"s": 2, "c": 3, "k": 4}
    point = random_point(layer, sizes, random.Random(7), {"eps": F(0)})
    assert point == random_point(layer, sizes, random.Random(7), {"eps": F(0)})
    assert list(point.values) == ["x", "w", "beta", "eps", "d_y"]
    assert point.values["eps"] == {(): 0}
    assert len(point.values["x"]) == 24
    assert all(point.values["w"].values())
    assert len(set(point.values["d_y"].values())) > 1, "the upstream gradient is not all ones"
    assert random_point(layer, sizes, random.Random(7)).values["eps"][()] > 0
    positive = random_point(layer, sizes, random.Random(7), positive=True)
    assert all(value > 0 for tensor in positive.values.values() for value in tensor.values())


@pytest.mark.parametrize("fixed", [{}, {"eps": F(0)}], ids=["eps", "eps = 0"])
@pytest.mark.parametrize("sizes", list(itertools.permutations((2, 3, 4))), ids=str)
def test_exact_points_are_found_up_to_four(sizes, fixed):
    layer = load("batch_norm")
    sizes = dict(zip("sck", sizes, strict=True))
    point = exact_point(layer, sizes, random.Random(2), fixed)
    assert point is not None
    evaluator = Evaluator(layer, point, Exact())
    assert all(isinstance(evaluator.entry("y", key), Fraction) for key in point.keys(layer.entry("y").indices))


def test_no_exact_point_where_there_is_none():
    layer = from_text("input x\ny = x*sqrt(2)\noutput y")
    assert exact_point(layer, {}, random.Random(0), steps=20) is None
