"""Claims about shifted entries and labels: what holds is proved, what does not is never."""

from __future__ import annotations

import pytest

from symgrad import pipeline
from symgrad.notation.library import from_text, load

CORRELATION = """input x[b, h]
parameter w[j]
y[b, i] = sum[j](w[j]*x[b, i + j])
output y"""
LABELS = """input x[b, v]
label t[b] in v
L = mean[b](log(sum[v](exp(x[b, v]))) - x[b, t[b]])
output L"""
SHIFTED = "(x[b, h] - x[b, i + j])"
PICKED = "(x[b, v] - x[b, t[b]])"

POOL = "d_x[b, c, h, w] = sum[i, j, k, l](where(h == stride*i + k and w == stride*j + l, d_y[b, c, i, j], 0))"
CAUSAL = """input x[b, c, l]
parameter w[c, j]
u[b, c, l] = sum[j](w[c, j]*pad(x[b, c, l - j]))
output u"""
STRIDED = """input x[b, h]
parameter w[k]
constant stride = 2, padding = 1
y[b, i] = sum[k](w[k]*pad(x[b, stride*i + k], padding))
output y"""
TRUE = {
    CAUSAL: (
        "d_x[b, c, l] = sum[j](w[c, j]*pad(d_u[b, c, l + j]))",
        "d_w[c, j] = sum[b, l](d_u[b, c, l]*pad(x[b, c, l - j]))",
    ),
    STRIDED: (
        "d_x[b, h] = sum[i](d_y[b, i]*pad(w[h - stride*i + padding]))",
        "d_w[k] = sum[b, i](d_y[b, i]*pad(x[b, stride*i + k], padding))",
    ),
    CORRELATION: (
        "d_x[b, h] = sum[j](w[j]*pad(d_y[b, h - j]))",
        "d_x[b, h] = sum[i](pad(w[h - i])*d_y[b, i])",
        "d_x[b, h] = sum[i, j](where(h == i + j, w[j]*d_y[b, i], 0))",
        "d_x[b, h] = sum[i, j](where(i == h - j, w[j]*d_y[b, i], 0))",
        "d_x[b, h] = sum[i, j](where(j == h - i, w[j]*d_y[b, i], 0))",
        "d_x[b, h] = sum[i, j](where(j + i - h == 0*h, w[j]*d_y[b, i], 0))",
        "d_w[j] = sum[b, i](x[b, j + i]*d_y[b, i])",
        "d_w[j] = sum[b, i, h](where(h == i + j, x[b, h]*d_y[b, i], 0))",
        "total(y[b, i], x[b, h]) = pad(w[h - i])",
        "partial(y[b, i], x[b, h]) = sum[j](where(h == i + j, w[j], 0))",
        "total(y[b, i], w[j]) = x[b, i + j]",
        "where(h == i + j, x[b, h], 0) = where(h == i + j, x[b, i + j], 0)",
        "sum[h](where(h == i + j, x[b, h], 0))**2 = x[b, i + j]**2",
        "exp(sum[h](where(h == i + j, x[b, h], 0))) = exp(x[b, i + j])",
        "sum[i, j](where(h == i + j, x[b, i + j], 0)) = x[b, h]*sum[i, j](where(h == i + j, 1, 0))",
        f"where(h != i + j, {SHIFTED}/{SHIFTED}, 0) = 1 - where(h == i + j, 1, 0)",
    ),
    LABELS: (
        "d_x[b, v] = (exp(x[b, v])/sum[v](exp(x[b, v])) - where(v == t[b], 1, 0))/size[b]",
        "d_x[b, v] = (exp(x[b, v])/sum[v](exp(x[b, v])) - where(t[b] == v, 1, 0))/size[b]",
        "size[b]*d_x[b, v] = where(v == t[b], -1, 0) + exp(x[b, v])/sum[v](exp(x[b, v]))",
        "sum[v](d_x[b, v]) = 0",
        "L = -mean[b](log(exp(x[b, t[b]])/sum[v](exp(x[b, v]))))",
        "L = -mean[b](sum[v](where(v == t[b], log(exp(x[b, v])/sum[v](exp(x[b, v]))), 0)))",
        "L = mean[b](log(sum[v](exp(x[b, v] - x[b, t[b]]))))",
        "exp(x[b, t[b]]) = sum[v](where(v == t[b], 1, 0)*exp(x[b, v]))",
        "sum[v](where(v == t[b], 1, 0)*where(v == t[c], 1, 0)) = where(t[b] == t[c], 1, 0)",
        f"where(v != t[b], {PICKED}/{PICKED}, 0) = where(v != t[b], 1, 0)",
    ),
}
FALSE = {
    CAUSAL: (
        "d_x[b, c, l] = sum[j](w[c, j]*pad(d_u[b, c, l - j]))",
        "d_x[b, c, l] = sum[j](w[c, j]*pad(d_u[b, c, l + j], 1))",
    ),
    STRIDED: (
        "d_x[b, h] = sum[i](d_y[b, i]*pad(w[h - stride*i - padding]))",
        "d_x[b, h] = sum[i](d_y[b, i]*pad(w[h - i + padding]))",
        "d_w[k] = sum[b, i](d_y[b, i]*pad(x[b, stride*i + k]))",
    ),
    CORRELATION: (
        "d_x[b, h] = sum[j](w[j]*pad(d_y[b, h + j]))",
        "d_x[b, h] = sum[j](w[j]*pad(d_y[b, h - j - 1]))",
        "d_x[b, h] = sum[j](w[j]*pad(d_y[b, h - j], 1))",
        "d_x[b, h] = sum[i, j](where(h == i - j, w[j]*d_y[b, i], 0))",
        "d_x[b, h] = sum[i, j](where(h != i + j, w[j]*d_y[b, i], 0))",
        "d_x[b, h] = sum[i, j](w[j]*d_y[b, i])",
        "d_w[j] = sum[b, i](x[b, i + j])",
        "total(y[b, i], x[b, h]) = pad(w[i - h])",
        "sum[i](where(h == i + j, 1, 0)) = 1",
        "sum[j](where(h == i + j, 1, 0)) = 1",
        f"where(h != i + j, {SHIFTED}/{SHIFTED}, 0) = 1",
        f"where(h == i + j, {SHIFTED}, 1) = 1",
    ),
    LABELS: (
        "d_x[b, v] = exp(x[b, v])/sum[v](exp(x[b, v])) - where(v == t[b], 1, 0)",
        "d_x[b, v] = (exp(x[b, v])/sum[v](exp(x[b, v])) + where(v == t[b], 1, 0))/size[b]",
        "d_x[b, v] = (exp(x[b, v])/sum[v](exp(x[b, v])) - where(v != t[b], 1, 0))/size[b]",
        "d_x[b, v] = exp(x[b, v])/sum[v](exp(x[b, v]))/size[b]",
        "d_x[b, t[b]] = 0",
        "sum[b](where(v == t[b], 1, 0)) = 1",
        "where(t[b] == t[c], x[b, v], 0) = x[b, v]",
        "L = mean[b](log(sum[v](exp(x[b, v]))))",
        f"where(v != t[b], {PICKED}/{PICKED}, 0) = 1",
    ),
}


def verdicts(text: str, claims: tuple[str, ...]) -> dict[str, str]:
    found = pipeline.derive(from_text(text))
    return {claim.text: proof.verdict for claim, proof in pipeline.prove(found, claims)}


@pytest.mark.parametrize("text", TRUE, ids=["causal", "strided", "correlation", "labels"])
def test_what_holds_is_proved(text):
    assert {claim for claim, verdict in verdicts(text, TRUE[text]).items() if verdict != "proved"} == set()


@pytest.mark.parametrize("text", FALSE, ids=["causal", "strided", "correlation", "labels"])
def test_what_does_not_hold_is_not(text):
    found = verdicts(text, FALSE[text])
    assert {claim for claim, verdict in found.items() if verdict == "proved"} == set()
    undecided = [claim for claim, verdict in found.items() if verdict == "undecided"]
    assert all("/(" in claim for claim in undecided)  # a divisor that may be 0 is not looked at


@pytest.mark.parametrize("name", ["conv1d", "conv2d", "avg_pool", "max_pool", "embedding", "local_response_norm"])
def test_places_outside_are_not_taken_for_places_inside(name):
    """A wrong sign in every place of the gradient is refuted."""
    found = pipeline.derive(load(name))
    wrong = {
        "conv1d": "d_x[b, c, h] = sum[o, i, k](where(h == stride*i - k - padding, weight[o, c, k]*d_y[b, o, i], 0))",
        "conv2d": "d_weight[o, c, k, l] = sum[b, i, j](d_y[b, o, i, j]*pad(x[b, c, i + k - padding, j + l - padding]))",
        "avg_pool": POOL,
        "max_pool": POOL,
        "embedding": "d_weight[v, d] = sum[b](d_y[b, d])",
        "local_response_norm": "d_x[b, c, p] = d_y[b, c, p]*pow(s[b, c, p], -beta)",
    }
    ((_, proof),) = pipeline.prove(found, [wrong[name]])
    assert proof.verdict == "refuted"
    assert proof.counterexample is not None
