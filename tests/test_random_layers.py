"""Random layers go through the whole pipeline: both routes agree, and the kernel computes what was proved."""

from __future__ import annotations

import pytest
from random_layers import random_layer
from random_places import random_placed_layer

from symgrad import pipeline
from symgrad.check.kernels import check_kernel, load_kernel, sizes_of
from symgrad.notation.layer import Layer
from symgrad.notation.library import from_text
from symgrad.notation.unparse_layer import unparse_layer

SEEDS = range(20)
PLACED = (0, 1, 3, 4, 5, 6, 7, 9, 10, 11, 14, 16)
"""Seeds of layers with shifted entries and labels whose proofs take no more than a second or two."""
SEVERAL = range(100, 106)
"""Seeds of layers that may have several outputs."""


def passes(layer: Layer) -> None:
    study = pipeline.derive(layer)
    assert [f.name for f in study.found if f.jacobian is not None and not f.proved] == []
    numpy, torch = pipeline.emit(study, ["numpy", "torch"])
    checks = check_kernel(layer, load_kernel(numpy), sizes_of(layer))
    assert [(check.what, check.error) for check in checks if not check.passed] == []
    compile(torch.text, torch.path, "exec", dont_inherit=True)


HEAD = "input x[s], v[s]\nparameter w\nconstant eps = 0.5\n"
FOUND = (
    "y[s] = x[s]\noutput y",
    "y[s] = 3*x[s]\noutput y",
    "y = w*w\noutput y",
    "y[s] = x[s]*x[s]\noutput y",
    "y[s] = exp(x[s])*exp(x[s])\noutput y",
    "y[s] = (x[s] + v[s])*(x[s] + v[s]) + tanh(x[s])\noutput y",
    "y[s] = tanh(2)*sigmoid(x[s])*pi\noutput y",
    "y = size[s]*w\noutput y",
    "y[s] = sum[k](where(k != s, x[k], 0))\noutput y",
    "y[s] = mean[s](v[s] + x[s])*sigmoid(x[s])\noutput y",
    "u[s] = mean[a](x[a]) - tanh(x[s])\ny[s] = u[s]*u[s] + 2\noutput y",
    "y = sum[a](eps/(x[a]**2 + eps)) + mean[s](x[s])\noutput y",
    "y = w + mean[s](x[s])\nz = w + mean[s](x[s])\noutput y",
    "y[s] = x[s]**2\nz[s] = sin(x[s])\noutput y, z",
    "y[s] = x[s]**2\nz = sum[s](x[s]**2)\noutput z, y",
    "y[s] = exp(x[s])\nz[s] = y[s]*x[s]\noutput y, z",
    "y = sum[s](x[s])\nz[s] = y - x[s]\noutput y, z",
    "u = eps**3*3 - mean[s](x[s])\ny[s] = sigmoid(u)/sqrt(9 + eps) - tanh(x[s])\noutput y",
    "p[s, c] = x[s]*v[c]\nm[s] = mean[c](p[s, c])\ny[s, c] = (p[s, c] - m[s])*v[c]*sin(v[c])\noutput y",
)
"""Layers that went wrong once."""


@pytest.mark.parametrize("text", FOUND)
def test_a_layer_that_went_wrong_once(text: str) -> None:
    passes(from_text(f"{HEAD}{text}\n"))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_random_layer_is_derived_proved_emitted_and_right_in_numbers(seed: int) -> None:
    passes(from_text(random_layer(seed)))


@pytest.mark.parametrize("seed", SEVERAL)
def test_a_random_layer_with_several_outputs(seed: int) -> None:
    passes(from_text(random_layer(seed, outputs=3)))


@pytest.mark.parametrize("seed", PLACED)
def test_a_random_layer_with_computed_places(seed: int) -> None:
    passes(from_text(random_placed_layer(seed)))


@pytest.mark.parametrize("seed", range(100))
def test_a_random_layer_with_computed_places_reads_back(seed: int) -> None:
    layer = from_text(random_placed_layer(seed))
    again = from_text(unparse_layer(layer))
    assert (unparse_layer(again), again.fits, again.labels) == (unparse_layer(layer), layer.fits, layer.labels)


@pytest.mark.parametrize("seed", range(200))
def test_a_random_layer_reads_back_from_its_own_notation(seed: int) -> None:
    layer = from_text(random_layer(seed, outputs=2))
    again = from_text(unparse_layer(layer))
    assert [d.name for d in again.definitions] == [d.name for d in layer.definitions]
    assert unparse_layer(again) == unparse_layer(layer)


def test_the_layers_differ() -> None:
    texts = [random_layer(seed, outputs=2) for seed in range(200)]
    assert len(set(texts)) == len(texts)
    everything = "".join(texts)
    for construct in ("sum[", "mean[", "tanh(", "**2", "rsqrt(", "k...", "target", "output u0, u", "[a", "))/(("):
        assert construct in everything
