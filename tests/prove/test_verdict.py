"""Verdicts: what is proved, refuted and left undecided, with assumptions and counterexamples."""

from __future__ import annotations

from fractions import Fraction
from importlib.resources import files

import pytest

from symgrad import pipeline
from symgrad.algebra.terms import Entry, Index, Term, add, negative, number
from symgrad.derive.jacobian import derive_by_jacobian
from symgrad.derive.paths import derive_by_paths
from symgrad.derive.records import Condition
from symgrad.errors import SymgradError
from symgrad.notation.claim import parse_claim
from symgrad.notation.layer import Layer
from symgrad.notation.library import from_text, load
from symgrad.prove.canonical import Canonical
from symgrad.prove.clear import vanishes
from symgrad.prove.conditions import always_positive, conditions_of, domain_of, never_negative
from symgrad.prove.counterexample import Counterexample
from symgrad.prove.evaluate import Evaluator, Point
from symgrad.prove.numbers import Real
from symgrad.prove.verdict import Proof, Prover

LAYERS = ("batch_norm", "sigmoid", "mse", "batch_norm_sigmoid_mse")
C = Index("c", "c")


def judged(found, *claims: str) -> list[Proof]:
    return [proof for _, proof in pipeline.prove(found, claims)]


def unfolded(prover: Prover, term: Term) -> Term:
    """A term with every name but those of the inputs replaced by what it stands for."""
    while (name := prover._latest(term)) is not None:
        term = prover._unfold(term, name)
    return term


@pytest.mark.parametrize("name", LAYERS)
def test_both_solutions_are_equal(name):
    found = pipeline.derive(load(name))
    assert found.proved
    assert all(f.jacobian is not None and f.proof is not None for f in found.found if f.name in found.layer.order)


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("merged", [True, False])
def test_both_solutions_are_equal_down_to_the_inputs(name, merged):
    found = pipeline.derive(load(name))
    layer = found.merge.layer if merged else found.layer
    paths = derive_by_paths(layer)
    by_paths = {gradient.entry.name: gradient.body for gradient in paths}
    prover = Prover(layer, paths)
    for gradient in derive_by_jacobian(layer):
        difference = unfolded(prover, add(gradient.body, negative(by_paths[gradient.entry.name])))
        given = {*(t.name for t in layer.tensors), *(c.name for c in layer.constants)}
        assert difference.names <= given | {f"d_{output}" for output in layer.outputs}
        form = Canonical()
        assert vanishes(form, form.poly(difference)), gradient.entry.name


def test_solutions_that_differ_are_refuted(batch_norm):
    layer = batch_norm.merge.layer
    paths = derive_by_paths(layer)
    prover = Prover(layer, paths)
    for gradient in derive_by_jacobian(layer):
        proof = prover.decide(gradient.body, add(gradient.body, Entry("w", (C,))))
        assert proof.verdict == "refuted"


RIGHT = (
    "d_beta[c] = sum[s, k](d_y[s, c, k])",
    "d_w[c] = sum[s, k](d_y[s, c, k]*(x[s, c, k] - mu[c]))/sqrt(var[c] + eps)",
    "d_w[c] = sum[s, k](d_y[s, c, k]*x[s, c, k])*(var[c] + eps)**(-1/2) - mu[c]*d_beta[c]/sqrt(var[c] + eps)",
    "d_x[s, c, k] = w[c]/sqrt(var[c] + eps)*(d_y[s, c, k] - mean[s, k](d_y[s, c, k])"
    " - (x[s, c, k] - mu[c])/(var[c] + eps)*mean[s, k](d_y[s, c, k]*(x[s, c, k] - mu[c])))",
    "d_x[s, c, k] = w[c]/sqrt(var[c] + eps)*(d_y[s, c, k] - d_beta[c]/size[s, k]"
    " - (x[s, c, k] - mu[c])/sqrt(var[c] + eps)*d_w[c]/size[s, k])",
    "total(var[c], x[s, c, k]) = 2*(x[s, c, k] - mu[c])/size[s, k]",
    "partial(var[c], mu[c]) = 0",
)
WRONG = (
    "d_beta[c] = mean[s, k](d_y[s, c, k])",
    "d_w[c] = sum[s, k](d_y[s, c, k]*x[s, c, k])*(var[c] + eps)**(-1/2)",
    "d_x[s, c, k] = w[c]/sqrt(var[c] + eps)*(d_y[s, c, k] - mean[s, k](d_y[s, c, k])"
    " - (x[s, c, k] - mu[c])/sqrt(var[c] + eps)*mean[s, k](d_y[s, c, k]*(x[s, c, k] - mu[c])))",
    "total(var[c], x[s, c, k]) = 2*(x[s, c, k] - mu[c])/size[c]",
    "partial(var[c], mu[c]) = mu[c]",
)


@pytest.mark.parametrize("claim", RIGHT)
def test_formulas_that_people_write_are_proved(batch_norm, claim):
    (proof,) = judged(batch_norm, claim)
    assert proof.proved
    assert proof.assumptions == ()


@pytest.mark.parametrize("claim", WRONG)
def test_a_refutation_has_numbers_that_differ(batch_norm, claim):
    (proof,) = judged(batch_norm, claim)
    assert proof.verdict == "refuted"
    found = proof.counterexample
    assert found is not None
    point = Point(found.sizes, found.values)
    evaluator = Evaluator(batch_norm.layer, point, Real(60))
    left, right = (evaluator.value(side, found.assignment) for side in (proof.left, proof.right))
    assert abs(left - right) > 1e-20
    for shown, value in ((found.left, left), (found.right, right)):
        assert abs(float(Fraction(shown)) - float(value)) < 1e-9 * max(1, abs(value))


def test_what_is_undecided_says_what_is_left():
    layer = from_text("input a, b\ny = a*b\noutput y")
    (open_one, limit) = judged(
        pipeline.derive(layer), "sin(2*a) = 2*sin(a)*cos(a)", "1/(log(a*b) - log(b*a)) = 1/(log(a*b) - log(b*a)) + 1"
    )
    assert (open_one.verdict, open_one.left_over) == ("undecided", "2 terms are left over")
    assert (limit.verdict, limit.left_over) == ("undecided", "a side divides by zero for every value")
    assert open_one.counterexample is None


def test_the_upstream_gradient_of_a_loss_is_one_unless_the_claim_names_it(network):
    plain, named, both = judged(
        network,
        "d_z[s, c, k] = 2*(z[s, c, k] - t[s, c, k])/size[s, c, k]",
        "d_z[s, c, k] = 2*d_L*(z[s, c, k] - t[s, c, k])/size[s, c, k]",
        "d_z[s, c, k] = 2*(z[s, c, k] - t[s, c, k])/size[s, c, k] + 0*d_L",
    )
    assert plain.proved
    assert named.proved
    assert both.proved, "0 d_L is nothing"
    (other,) = judged(network, "d_z[s, c, k] = 2*(z[s, c, k] - t[s, c, k])/size[s, c, k]*d_L*d_L")
    assert other.verdict == "refuted"


def test_names_are_unfolded_only_as_far_as_needed(network):
    (near, far) = judged(
        network,
        "d_y[s, c, k] = d_z[s, c, k]*z[s, c, k]*(1 - z[s, c, k])",
        "z[s, c, k] = sigmoid(y[s, c, k])",
    )
    assert near.proved
    assert far.proved
    assert far.unfolded == ("z",)


def test_dividing_by_w_is_an_assumption_and_nothing_else_is(batch_norm):
    w = Condition("nonzero", Entry("w", (C,)))
    through, plain = judged(
        batch_norm,
        "d_w[c] = sum[s, k](d_y[s, c, k]*(y[s, c, k] - beta[c])/w[c])",
        "d_w[c] = sum[s, k](d_y[s, c, k]*(x[s, c, k] - mu[c]))/sqrt(var[c] + eps)",
    )
    assert through.proved
    assert through.assumptions == (w,)
    assert plain.assumptions == ()


def scalar(text: str) -> tuple[Layer, Term]:
    layer = from_text("input a, b, x[i]\ny = a*b*sum[i](x[i])\noutput y")
    return layer, parse_claim(f"{text} = 0*a", layer).left


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("1/a", ["nonzero"]),
        ("1/a**2 + 3/a", ["nonzero"]),
        ("1/(a*b)", ["nonzero", "nonzero"]),
        ("sqrt(a)", ["positive"]),
        ("1/a + log(a)", ["positive"]),
        ("log(a) + 1/a", ["positive"]),
        ("log1p(a)", ["positive"]),
        ("tan(a)", ["nonzero"]),
        ("1/(size[i] - 1)", ["nonzero"]),
        ("sqrt(a + b)/(a + b)", ["positive"]),
        ("1/size[i]", []),
        ("log(1 + exp(a))", []),
        ("1/(1 + a**2)", []),
        ("sqrt(1 + sum[i](x[i]**2))", []),
        ("1/cosh(a) + log(sigmoid(b))", []),
        ("exp(a)**(-1/2)", []),
        ("a**3", []),
    ],
)
def test_the_needed_assumptions_are_stated_and_no_others(text, kinds):
    layer, term = scalar(text)
    assert [condition.kind for condition in conditions_of((term,), layer)] == kinds


def test_the_domain_of_the_layer_is_no_assumption(batch_norm):
    layer = batch_norm.layer
    assert [condition.kind for condition in domain_of(layer)] == ["positive"]
    term = parse_claim("d_w[c] = 1/(var[c] + eps) + (eps + var[c])**2", layer).right
    assert conditions_of((term,), layer) == ()


def test_positive_by_form_is_not_guessed():
    term = scalar("a**2")[1]
    assert never_negative(term)
    assert not always_positive(term)
    assert not always_positive(scalar("a")[1])
    assert not never_negative(scalar("a*b")[1])
    assert not always_positive(add(scalar("exp(a)")[1], number(-1)))


def test_a_proof_and_its_counterexample_belong_together():
    one = Entry("a")
    found = Counterexample({}, {}, {}, "1", "2", True)
    with pytest.raises(SymgradError, match="counterexample"):
        Proof("proved", one, one, counterexample=found)
    with pytest.raises(SymgradError, match="counterexample"):
        Proof("refuted", one, one)


def test_a_shared_fault_is_not_seen_by_the_proof():
    """What verdict.py says that it is blind to: a wrong forward pass proves as well."""
    text = files("symgrad").joinpath("layers", "batch_norm.sg").read_text(encoding="utf-8")
    wrong = text.replace("= mean[s, k]((x", "= 2*mean[s, k]((x")
    assert wrong != text
    assert pipeline.derive(from_text(wrong)).proved


def test_values_that_are_fixed_count_in_the_proof_and_in_the_counterexample(batch_norm):
    prover = Prover(batch_norm.layer, batch_norm.gradients)
    claim = parse_claim("d_w[c] = sum[s, k](d_y[s, c, k]*(x[s, c, k] - mu[c]))/sqrt(var[c])", batch_norm.layer)
    assert prover.decide(claim.left, claim.right).verdict == "refuted"
    assert prover.decide(claim.left, claim.right, fixed={"eps": Fraction(0)}).proved
