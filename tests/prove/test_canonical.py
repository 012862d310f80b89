"""Each rule of the canonical form: what it proves, and what it must not prove."""

from __future__ import annotations

import time

import pytest

from symgrad import pipeline
from symgrad.algebra.terms import Entry, Index, Term, add, mul, number, power, sum_over
from symgrad.errors import DerivationError, TooLargeError
from symgrad.notation.claim import parse_claim
from symgrad.notation.library import from_text
from symgrad.prove.canonical import MAX_WORK, Canonical
from symgrad.prove.clear import vanishes
from symgrad.prove.verdict import Prover

LAYER = from_text("""
input x[i], m[i, j], u[j], a, b, v
parameter w[i]
constant e = 1e-5
y[i] = a*b*v*e*x[i]*w[i]*sum[j](m[i, j]*u[j])
output y
""")


def judged(claim: str):
    return pipeline.judge(Prover(LAYER), parse_claim(claim, LAYER))


TRUE = {
    "products are multiplied out": (
        "(a + b)*(a - b) = a**2 - b**2",
        "(a + b)**3 - (a - b)**3 = 6*a**2*b + 2*b**3",
    ),
    "sums are linear": (
        "sum[i](2*x[i] + w[i]) = 2*sum[i](x[i]) + sum[i](w[i])",
        "sum[i](a*x[i]) = a*sum[p](x[p])",
        "sum[i](1) = size[i]",
        "sum[i](x[i] - mean[i](x[i])) = 0",
        "mean[i]((x[i] - mean[p](x[p]))**2) = mean[i](x[i]**2) - mean[i](x[i])**2",
        "sum[i, p](x[i]*w[p]) = sum[i](x[i])*sum[i](w[i])",
    ),
    "letters of sums do not matter": (
        "sum[i, p](x[i]*w[p]*x[p]) = sum[p, i](x[p]*w[i]*x[i])",
        "sum[i](x[i]*sum[i](w[i])) = sum[i](x[i])*sum[p](w[p])",
        "sum[i](sum[j](m[i, j]*u[j])**2) = sum[p](sum[r](m[p, r]*u[r])*sum[j](m[p, j]*u[j]))",
        "sum[i, p, q](x[i]*x[p]*x[q]) = sum[i](x[i])**3",
        "sum[i](sum[j](m[i, j])**9) = sum[p](sum[r](m[p, r])**8*sum[j](m[p, j]))",
    ),
    "deltas pick one term": (
        "sum[p](where(p == i, x[p], 0)) = x[i]",
        "sum[p](where(p != i, x[p], 0)) = sum[p](x[p]) - x[i]",
        "where(p == i, x[p], 0)*w[i] = where(p == i, x[i], 0)*w[p]",
        "where(p == i, x[p], 0)*where(p == q, w[q], 0) = where(i == p, w[i], 0)*where(i == q, x[q], 0)",
        "sqrt(where(p == i, x[p]**2 + 1, 0)) = where(p == i, sqrt(x[i]**2 + 1), 0)",
        "x[p]*sum[p](where(p == i, x[p], 0)) = x[p]*x[i], p != i",
    ),
    "exp of a sum is a product": (
        "exp(a + b) = exp(a)*exp(b)",
        "exp(a/2)**2*exp(-a) = 1",
        "exp(a)**(1/3) = exp(a/3)",
        "exp(x[i] - a)/sum[p](exp(x[p] - a)) = exp(x[i])/sum[p](exp(x[p]))",
    ),
    "elementary functions are written through exp": (
        "sigmoid(-a) = 1 - sigmoid(a)",
        "tanh(a) = 2*sigmoid(2*a) - 1",
        "cosh(a)**2 - sinh(a)**2 = 1",
        "expm1(a) + 1 = exp(a)",
        "log1p(a) = log(1 + a)",
    ),
    "logarithms and sines": (
        "log(exp(a)) = a",
        "log(sigmoid(a)) = a - log1p(exp(a))",
        "log(6*size[i]) = log(2) + log(3) + log(size[i])",
        "log(1/a) = -log(a)",
        "log(exp(x[i])/sum[p](exp(x[p]))) = x[i] - a - log(sum[p](exp(x[p] - a)))",
        "exp(2*log(a) + b) = a**2*exp(b)",
        "sin(a)**4 - cos(a)**4 = 1 - 2*cos(a)**2",
        "sin(a - b) + sin(b - a) = 0*a",
        "cos(a - b) = cos(b - a)",
        "sum[i, p](sin(x[i] - x[p])) = 0",
        "sum[i, p](w[i]*sin(x[i] - x[p])) = sum[i, p](w[p]*sin(x[p] - x[i]))",
        "sum[i, p]((x[i] - x[p])*cos(x[p] - x[i])) = 0",
    ),
    "roots take out what is positive, and even powers as absolute values": (
        "sqrt(a**2)**2 = a**2",
        "sqrt(a**4) = a**2",
        "sqrt(a**3) = a*sqrt(a)",
        "sqrt(a**2*b**2) = sqrt(a**2)*sqrt(b**2)",
        "sqrt(b/a) = sqrt(a*b)/sqrt(a**2)",
        "sqrt((a - b)**2) = sqrt((b - a)**2)",
        "sqrt(2*sqrt(2)) = 2**(3/4)",
        "sqrt(8*size[i]**2*exp(a)) = 2*sqrt(2)*size[i]*exp(a/2)",
        "sqrt(sigmoid(a)**2) = sigmoid(a)",
        "(a*b)**(-3/2) = 1/(a*b)/sqrt(a*b)",
        "1/(sqrt(2)*a + sqrt(2)*b) = 1/sqrt(2)/(a + b)",
    ),
    "powers of sums are reduced": (
        "sqrt(a + b)*sqrt(a + b) = a + b",
        "a/(a + b) + b/(a + b) = 1",
        "(v + e)**(-1/2) - v*(v + e)**(-3/2) = e*(v + e)**(-3/2)",
        "1/(1 - a**2) = (1/(1 - a) + 1/(1 + a))/2",
        "(1 - a**2)**(-1/2)*(1 - a**2)**(-1/2) = 1/(1 - a**2)",
        "1/(a + 1/sqrt(v + e)) = sqrt(v + e)/(a*sqrt(v + e) + 1)",
        "sum[i](x[i]/(x[i] + 1/w[i])) = size[i] - sum[i](1/(x[i]*w[i] + 1))",
        "(1/b + a)**(-3/2)*(1/b + a) = (a + 1/b)**(-1/2)",
        "sum[i](x[i])/(exp(a)*sum[i](x[i]) + sum[i](x[i])*sum[i](w[i]) + v)"
        " = sum[i](x[i])/((sum[i](w[i]) + exp(a))*sum[i](x[i]) + v)",
    ),
    "the mean over all names of letters that divisors mix": (
        "sum[i, p](x[i]/(x[i] + x[p])) = size[i]**2/2",
        "sum[i, p](sigmoid(x[i] - x[p])*w[i]) = size[i]*sum[i](w[i]) - sum[i, p](sigmoid(x[i] - x[p])*w[p])",
        "sum[i, p](tanh(x[i] - x[p])) = 0",
        "sum[i, p, q](x[q]/(x[i] + x[p] + x[q])**2) = sum[i, p, q](1/(x[i] + x[p] + x[q]))/3",
    ),
    "sizes are numbers": (
        "(size[i]**2 - 1)/(size[i] - 1) = size[i] + 1",
        "sqrt(size[i]**2) = size[i]",
    ),
}  # fmt: skip

NOT_PROVED = {
    "products are multiplied out": ("(a + b)**2 = a**2 + b**2",),
    "sums are linear": (
        "x[i] - mean[i](x[i]) = 0",
        "sum[i](1) = 1",
        "sum[i](x[i])**2 = sum[i](x[i]**2)",
        "sum[i](x[i]*w[i]) = sum[i](x[i])*sum[i](w[i])",
        "sum[i](x[i] + 1) = sum[i](x[i]) + 1",
    ),
    "letters of sums do not matter": (
        "sum[i, p](x[i]*w[p]*x[p]) = sum[i, p](x[i]*w[p]*x[i])",
        "sum[i](sum[j](m[i, j]*u[j])**2) = sum[i](sum[j](m[i, j]*u[j]**2))",
    ),
    "deltas pick one term": (
        "sum[p](where(p == i, x[p], 0)) = sum[p](x[p])",
        "sum[p](where(p != i, x[p], 0)) = sum[p](x[p])",
        "x[p]*sum[p](where(p == i, x[p], 0)) = 0, p != i",
        "sum[p](where(p == i, x[p], 0))*x[p] = 0, p != i",
    ),
    "exp of a sum is a product": ("exp(a + b) = exp(a) + exp(b)", "exp(a*b) = exp(a)*exp(b)"),
    "elementary functions are written through exp": ("tanh(a) = 2*sigmoid(a) - 1", "cosh(a)**2 + sinh(a)**2 = 1"),
    "logarithms and sines": (
        "log(a + b) = log(a) + log(b)",
        "log(a**2) = 2*a",
        "exp(log(a)*log(b)) = a*b",
        "sin(a)**2 - cos(a)**2 = 1",
        "sin(a - b) = sin(b - a)",
        "sum[i, p](w[i]*sin(x[i] - x[p])) = sum[i, p](w[i]*sin(x[p] - x[i]))",
        "sum[i, p](x[i]*cos(x[i] - x[p])) = 0",
    ),
    "roots take out what is positive, and even powers as absolute values": (
        "sqrt(a**2) = a",
        "sqrt(a**6) = a**3",
        "sqrt(a**2*b) = a*sqrt(b)",
        "a*sqrt(b/a) = sqrt(a*b)",
        "sqrt((a - b)**2) = a - b",
        "sqrt(a**2 + 2*a*b + b**2) = a + b",
        "sqrt(2*sqrt(2)) = sqrt(2)",
        "(a**2)**(3/2) = a**3",
        "sqrt(a + b) = sqrt(a) + sqrt(b)",
    ),
    "powers of sums are reduced": ("1/(a + b) = 1/a + 1/b", "a/(a + b) = b/(a + b)"),
    "the mean over all names of letters that divisors mix": (
        "sum[i, p](x[i]/(x[i] + x[p])) = size[i]**2",
        "sum[i, p](sigmoid(x[i] - x[p])*w[i]) = sum[i, p](sigmoid(x[i] - x[p])*w[p])",
        "sum[i, p](x[i]/(x[i] + 2*x[p])) = size[i]**2/3",
    ),
    "sizes are numbers": (
        "sum[i]((x[i] - mean[i](x[i]))**2)/(size[i] - 1) = mean[i]((x[i] - mean[p](x[p]))**2)",
        "size[i]**2 = size[i]",
        "size[i] = size[j]",
    ),
}  # fmt: skip


@pytest.mark.parametrize("claim", [claim for claims in TRUE.values() for claim in claims])
def test_equal_terms_are_proved(claim):
    assert judged(claim).proved


@pytest.mark.parametrize("claim", [claim for claims in NOT_PROVED.values() for claim in claims])
def test_wrong_claims_about_the_same_rules_are_refuted(claim):
    assert judged(claim).verdict == "refuted"


def test_every_rule_has_both():
    assert TRUE.keys() == NOT_PROVED.keys()


@pytest.mark.parametrize(
    "claim",
    [
        "sum[i, p]((x[p] - x[i])/(x[p] - x[i])) = size[i]**2",
        "sum[i]((x[i] - x[p])/(x[i] - x[p])) = size[i] + 0*x[p]",
        "1/(sum[i](x[i]) - sum[p](x[p])) = 2/(sum[i](x[i]) - sum[p](x[p]))",
        "sum[p](1/where(p == i, x[p], 0)) = 1/x[i]",
        "log(-exp(a)) = log(-exp(a)) + b",
    ],
)
def test_a_claim_without_a_value_anywhere_is_not_proved(claim):
    """Both sides divide by zero, or take a logarithm of a negative number, at every point."""
    proof = judged(claim)
    assert (proof.verdict, proof.counterexample) == ("undecided", None)
    assert proof.left_over


def test_what_a_delta_keeps_from_dividing_by_zero_is_not_cancelled():
    """where(p != i, …, 0) is 0 at p = i; cancelling before the delta counts would make it 1."""
    guarded = "where(p != i, (x[p] - x[i])/(x[p] - x[i]), 0)"
    assert judged(f"sum[p]({guarded}) = size[i] + 0*x[i]").verdict == "refuted"
    assert judged(f"{guarded}*x[p]*x[i] = x[p]*x[i]").verdict == "refuted"
    through_log = "where(p != i, exp(-log((x[p] - x[i])**2))*(x[p] - x[i])**2, 0)"
    assert judged(f"{through_log}*x[p]*x[i] = x[p]*x[i]").verdict == "refuted"
    assert judged(f"sum[p]({guarded}) = size[i] - 1 + 0*x[i]").verdict == "undecided"
    assert judged("(x[p] - x[i])/(x[p] - x[i]) = 1, p != i").proved
    assert judged("1/(x[p] - x[i]) = -1/(x[i] - x[p]), p != i").proved
    assert judged("1/(x[p] - x[i]) = 1/(x[i] - x[p]), p != i").verdict == "refuted"


LARGE = (
    "(a + b + v + e + x[i] + w[i])**60 = (w[i] + a + b + v + e + x[i])**60",
    "sum[i](sum[j](m[i, j])**60) = sum[i](sum[r](m[i, r])**60)",
    "((a + b)**32)**2 = ((b + a)**2)**32",
    "(a + a + b)**(-64) = 1/(2*a + b)**64",
    "sum[i, p, q](m[i, j]*m[p, j]*m[q, j]*(x[i] + x[p] + x[q])**(-20)*x[i]**20) = 0*u[j]",
    "(1 + exp(a) + exp(b) + exp(v))**40*(1 + exp(-a))**(-40) = 1",
    "(a + b)*(a + 2*b)*(a + 3*b)*(a + v)*(b + v)*(a + e)*(b + e)*(v + e)*(a + x[i])*(b + x[i])*(v + x[i])*(e + x[i])"
    "*(a + w[i])*(b + w[i])*(v + w[i])*(e + w[i])*(x[i] + w[i])*(x[i] - w[i])*(a - b)*(a - v) = 0",
)


@pytest.mark.parametrize("claim", LARGE)
def test_large_terms_end_soon(claim):
    """The limit is on steps; the time, this process' own, only tells an end from a search that does not end."""
    found = parse_claim(claim, LAYER)
    start = time.process_time()
    Prover(LAYER).equal(found.left, found.right)
    assert time.process_time() - start < 60


def test_beyond_the_limits_the_answer_is_undecided_and_says_why():
    found = parse_claim(LARGE[0], LAYER)
    form = Canonical()
    with pytest.raises(TooLargeError, match=f"more than {MAX_WORK} steps"):
        form.poly(found.left)


def cycle(length: int) -> Term:
    """The sum of g[a, b] g[b, c] ... g[z, a]: all its indices look alike."""
    letters = [Index(f"i{place}", "i") for place in range(length)]
    factors = (Entry("g", (one, other)) for one, other in zip(letters, letters[1:] + letters[:1], strict=True))
    return sum_over(letters, mul(*factors))


def test_many_indices_that_look_alike_are_refused():
    with pytest.raises(TooLargeError, match="look alike"):
        Canonical().poly(cycle(9))
    assert Canonical().poly(cycle(5)) == Canonical().poly(cycle(5))


@pytest.mark.parametrize("make", [lambda t: power(add(t, number(1)), "1/2"), lambda t: power(add(t, number(1)), -1)])
def test_deep_nesting_is_refused_without_a_traceback(make):
    term: Term = Entry("a")
    for _ in range(400):
        term = make(term)
    form = Canonical()
    with pytest.raises((TooLargeError, DerivationError)):
        vanishes(form, form.poly(term))
