"""The forward equations of the gallery look the way a paper prints them."""

from __future__ import annotations

import pytest

from symgrad.notation.layer import Layer
from symgrad.notation.library import gallery, load
from symgrad.render.latex import equation
from symgrad.render.names import Names
from symgrad.render.text import text


def equations(layer: Layer) -> list[str]:
    names = Names.of(layer)
    return [equation(definition.entry, definition.body, names) for definition in layer.definitions]


def lines(layer: Layer, unicode: bool = True) -> list[str]:
    names = Names.of(layer)
    return [f"{text(d.entry, names, unicode)} = {text(d.body, names, unicode)}" for d in layer.definitions]


def test_batch_norm_in_latex() -> None:
    assert equations(load("batch_norm")) == [
        r"\mu_{c} = \frac{1}{N_{s} N_{k}} \sum_{s=1}^{N_{s}} \sum_{k=1}^{N_{k}} x_{s,c,k}",
        r"\sigma_{c}^{2} = \frac{1}{N_{s} N_{k}} \sum_{s=1}^{N_{s}} \sum_{k=1}^{N_{k}} "
        r"\left(x_{s,c,k} - \mu_{c}\right)^{2}",
        r"y_{s,c,k} = \frac{w_{c} \left(x_{s,c,k} - \mu_{c}\right)}{\sqrt{\sigma_{c}^{2} + \epsilon}} + \beta_{c}",
    ]


def test_batch_norm_in_unicode_and_ascii() -> None:
    layer = load("batch_norm")
    assert lines(layer) == [
        "μ[c] = 1/(N_s·N_k)·Σ_s Σ_k x[s,c,k]",
        "σ²[c] = 1/(N_s·N_k)·Σ_s Σ_k (x[s,c,k] − μ[c])²",
        "y[s,c,k] = w[c]·(x[s,c,k] − μ[c])/√(σ²[c] + ε) + β[c]",
    ]
    assert lines(layer, unicode=False) == [
        "mu[c] = 1/(N_s*N_k)*sum_s sum_k x[s,c,k]",
        "var[c] = 1/(N_s*N_k)*sum_s sum_k (x[s,c,k] - mu[c])^2",
        "y[s,c,k] = w[c]*(x[s,c,k] - mu[c])/sqrt(var[c] + eps) + beta[c]",
    ]


def test_sigmoid_and_mse() -> None:
    assert equations(load("sigmoid")) == [r"z_{i} = \frac{1}{1 + e^{-y_{i}}}"]
    assert equations(load("mse")) == [r"L = \frac{1}{N_{i}} \sum_{i=1}^{N_{i}} \left(z_{i} - t_{i}\right)^{2}"]
    assert lines(load("sigmoid")) == ["z[i] = 1/(1 + exp(−y[i]))"]


def test_a_used_layers_names_are_shown_without_their_owner() -> None:
    shown = equations(load("batch_norm_sigmoid_mse"))
    assert shown[0].startswith(r"\mu_{c} = ")
    assert shown[1].startswith(r"\sigma_{c}^{2} = ")


@pytest.mark.parametrize("name", gallery())
def test_ascii_text_is_ascii(name: str) -> None:
    assert all(line.isascii() for line in [*lines(load(name), unicode=False), *equations(load(name))])
