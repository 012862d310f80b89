"""Stable forms: chosen by rule, proved for any shift, and left alone where they are not right."""

from __future__ import annotations

import pytest

from symgrad import pipeline
from symgrad.algebra.terms import Call, Reduce, Sum, walk
from symgrad.notation.library import from_text
from symgrad.plan import make_plan
from symgrad.plan.formula import formula
from symgrad.plan.names import LONGEST
from symgrad.plan.records import REDUCTION, Adjoint
from symgrad.prove.verdict import Prover

SOFTMAX = "input x[b, v]\np[b, v] = exp(x[b, v]) / sum[v](exp(x[b, v]))\noutput p"
LOG_SOFTMAX = "input x[b, v]\ny[b, v] = x[b, v] - log(sum[v](exp(x[b, v])))\noutput y"
LOG_SUM_EXP = "input x[b, v]\ny[b] = log(sum[v](exp(x[b, v])))\noutput y"
CROSS_ENTROPY = """input x[b, v]
target t[b, v]
p[b, v] = exp(x[b, v]) / sum[v](exp(x[b, v]))
L = -mean[b](sum[v](t[b, v] * log(p[b, v])))
output L"""


def plan_of(text):
    return pipeline.plan(pipeline.derive(from_text(text, "tested")))


def terms(procedure):
    return {statement.name: formula(statement.term) for statement in procedure.statements}


def reductions(procedure):
    return [s.name for s in procedure.statements if s.kind == REDUCTION]


def test_softmax_takes_the_maximum_out_and_its_backward_needs_only_p():
    plan = plan_of(SOFTMAX)
    assert terms(plan.forward) == {
        "max_x": "max[v](x[b, v])",
        "exp_x": "exp(x[b, v] - max_x[b])",
        "sum_exp_x": "sum[v](exp_x[b, v])",
        "p": "exp_x[b, v] / sum_exp_x[b]",
    }
    assert terms(plan.backward) == {
        "sum_p_d_p": "sum[v](p[b, v] * d_p[b, v])",
        "d_x": "p[b, v] * (d_p[b, v] - sum_p_d_p[b])",
    }
    assert plan.saved == ("p",)


def test_log_softmax_subtracts_one_number_a_row_and_keeps_only_y():
    plan = plan_of(LOG_SOFTMAX)
    assert terms(plan.forward)["y"] == "x[b, v] - log_sum_exp_x[b]"
    assert terms(plan.forward)["log_sum_exp_x"] == "max_x[b] + log(sum_exp_x[b])"
    assert terms(plan.backward)["d_x"] == "d_y[b, v] - exp(y[b, v]) * sum_d_y[b]"
    assert plan.saved == ("y",)


def test_log_sum_exp_has_a_backward_without_reductions():
    plan = plan_of(LOG_SUM_EXP)
    assert terms(plan.forward)["y"] == "max_x[b] + log(sum_exp_x[b])"
    assert reductions(plan.backward) == []
    assert terms(plan.backward)["d_x"] == "exp(x[b, v] - y[b]) * d_y[b]"


def test_cross_entropy_of_probabilities_divides_by_none_of_them():
    plan = plan_of(CROSS_ENTROPY)
    assert "log(" not in terms(plan.forward)["L"]
    assert reductions(plan.backward) == ["sum_t"]
    assert "/ p" not in "".join(terms(plan.backward).values())


@pytest.mark.parametrize("written, computed", [
    ("log(1 + exp(x[i]))", "softplus(x[i])"),
    ("log(1 / (1 + exp(-x[i])))", "-softplus(-x[i])"),
    ("log(1 - 1 / (1 + exp(-x[i])))", "-softplus(x[i])"),
    ("log(1 + x[i]**2)", "log1p(x[i]**2)"),
    ("exp(x[i]) - 1", "expm1(x[i])"),
    ("2 - 2 * exp(-x[i])", "-2 * expm1(-x[i])"),
    ("log(exp(x[i]) * c[i])", "x[i] + log(c[i])"),
    ("exp(x[i]) - 2", "exp(x[i]) - 2"),
    ("log(2 + exp(x[i]))", "log(2 + exp(x[i]))"),
])  # fmt: skip
def test_logarithms_and_differences_keep_their_digits(written, computed):
    plan = plan_of(f"input x[i], c[i]\ny[i] = {written} + 0 * c[i]\noutput y".replace(" + 0 * c[i]", ""))
    assert terms(plan.forward)["y"] == computed


def test_a_sum_of_exponentials_that_depends_on_the_shift_stays_as_it_is():
    plan = plan_of("input x[b, v]\ny[b] = sum[v](exp(x[b, v]))\noutput y")
    assert terms(plan.forward)["y"] == "sum[v](exp(x[b, v]))"
    mixed = plan_of("input x[b, v]\ny[b, v] = exp(x[b, v]) + sum[v](exp(x[b, v]))\noutput y")
    assert not any(isinstance(node, Reduce) for s in mixed.forward.statements for node in walk(s.term))


def test_the_shift_is_a_free_variable_in_the_proof():
    """No question to the prover holds a maximum: what is proved holds for every shift."""
    asked = []
    study = pipeline.derive(from_text(SOFTMAX, "tested"))
    prover = Prover(study.layer)

    def equal(left, right, layer):
        asked.append((left, right))
        return prover.equal(left, right)

    make_plan(study.layer, [Adjoint(g.entry.name, g.entry.indices, g.body) for g in study.gradients], equal)
    assert any("%shift" in side.names for pair in asked for side in pair)
    assert not any(isinstance(node, Reduce) for pair in asked for side in pair for node in walk(side))


def test_without_a_proof_of_the_shift_nothing_is_shifted():
    study = pipeline.derive(from_text(SOFTMAX, "tested"))
    prover = Prover(study.layer)

    def equal(left, right, layer):
        return "%shift" not in left.names | right.names and prover.equal(left, right)

    given = [Adjoint(g.entry.name, g.entry.indices, g.body) for g in study.gradients]
    plan = make_plan(study.layer, given, equal)
    assert not any(isinstance(node, Reduce) for s in plan.forward.statements for node in walk(s.term))


def test_two_softmaxes_each_have_their_own_maximum():
    plan = plan_of("""input x[b, v], z[b, v]
y[b, v] = exp(x[b, v]) / sum[v](exp(x[b, v])) * exp(z[b, v]) / sum[b](exp(z[b, v]))
output y""")
    assert {"max_x", "max_z"} <= terms(plan.forward).keys()


def test_names_stay_short():
    for text in (SOFTMAX, LOG_SOFTMAX, CROSS_ENTROPY):
        plan = plan_of(text)
        assert all(len(s.name) <= LONGEST for s in (*plan.forward.statements, *plan.backward.statements))


def test_planning_a_chain_is_linear():
    """Twice the definitions ask the prover twice as often, not four times."""
    counts = []
    for length in (20, 40):
        lines = ["input x0[i]", *(f"x{n + 1}[i] = tanh(x{n}[i]) * x{n}[i]" for n in range(length)), f"output x{length}"]
        study = pipeline.derive(from_text("\n".join(lines), "chain"))
        asked = []
        prover = Prover(study.layer)

        def equal(left, right, layer, asked=asked, prover=prover):
            asked.append(left)
            return prover.equal(left, right)

        make_plan(study.layer, [Adjoint(g.entry.name, g.entry.indices, g.body) for g in study.gradients], equal)
        counts.append(len(asked))
    assert counts[1] <= 2.2 * counts[0]


def test_sums_in_exponents_are_computed_once():
    plan = plan_of("input x[b, i], w[i, v]\n"
                   "L = log(sum[b, v](exp(sum[i](x[b, i] * w[i, v]))))\noutput L")  # fmt: skip
    contractions = [s for s in plan.forward.statements if s.kind == REDUCTION and "w" in s.term.names]
    assert len(contractions) == 1
    assert any(isinstance(node, (Sum, Call)) for node in walk(contractions[0].term))
