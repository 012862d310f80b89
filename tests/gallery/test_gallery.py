"""Every layer of the gallery: read, cited, proved, emitted, and compared with PyTorch's own."""

from __future__ import annotations

import re
from functools import cache
from types import ModuleType

import numpy as np
import pytest

from symgrad import pipeline
from symgrad.check.kernels import argument_of, array_of, complex_step, load_kernel, relative_error
from symgrad.check.samples import KINDS, extreme, kinds_of, sample, sensible_point
from symgrad.notation.layer import Layer
from symgrad.notation.library import from_text, gallery, load
from symgrad.prove.evaluate import Evaluator, Point
from symgrad.prove.floats import Floats
from symgrad.prove.sizes import fitted
from symgrad.prove.study import Study

torch = pytest.importorskip("torch")

from symgrad.check import torch_kernels  # noqa: E402 - needs torch
from symgrad.check.torch_references import references  # noqa: E402

ALL = gallery()
LIMIT = 1e-10
LENGTHS = ((2, 3, 4), (3, 2, 2), (1, 3, 2))
"""Lengths of the first axes: never all alike, one sample, primes."""


@cache
def study(name: str) -> Study:
    return pipeline.derive(load(name))


@cache
def module(name: str, backend: str) -> ModuleType:
    (file,) = pipeline.emit(study(name), [backend])
    return load_kernel(file)


def point(layer: Layer, lengths: tuple[int, ...]) -> Point:
    """Random numbers of the right kinds for everything that a layer is given."""
    chosen = lengths if len(layer.axes) <= 5 else (2, 3, 2)  # the complex step takes a forward pass for each entry
    sizes = {axis.name: n for axis, n in zip(layer.axes, [*chosen, 2, 3, 2, 2, 2, 2], strict=False)}
    sizes = fitted(layer, sizes)
    row = references().get(layer.name)
    return sensible_point(layer, sizes, seed=1, known=row.kinds if row else {})


@pytest.mark.parametrize("name", ALL)
def test_it_says_what_it_is_and_cites_its_source(name):
    first, _, rest = load(name).doc.partition("\n")
    assert first.endswith(".") or "," in first
    assert re.search(r"\b(1[89]|20)\d\d\b|PyTorch|DLMF", rest)


@pytest.mark.parametrize("name", ALL)
def test_both_routes_are_proved_equal(name):
    found = [f for f in study(name).found if f.jacobian is not None]
    assert {f.name for f in found} >= {t.name for t in study(name).layer.differentiable}
    assert [f.name for f in found if not f.proved] == []


@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
@pytest.mark.parametrize("name", ALL)
def test_numpy_kernel_against_the_equations_and_the_complex_step(name, lengths):
    layer, kernel = study(name).layer, module(name, "numpy")
    at = point(layer, lengths)
    outputs, saved = kernel.forward(*(argument_of(at, t) for t in layer.tensors))
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    gradients = kernel.backward(saved, *(array_of(at, layer.entry(o).indices, f"d_{o}") for o in layer.outputs))
    plain = Evaluator(layer, at, Floats())
    for output, value in zip(layer.outputs, outputs, strict=True):
        keys = at.keys(layer.entry(output).indices)
        expected = np.reshape([plain.entry(output, key) for key in keys], np.shape(value))
        assert relative_error(value, expected) <= LIMIT, output
    for tensor in layer.differentiable:
        expected = complex_step(layer, at, tensor.name, tensor.indices)
        scale = max(1.0, float(np.abs(expected).max())) / (float(np.abs(expected).max()) or 1.0)
        assert relative_error(getattr(gradients, tensor.name), expected) <= LIMIT * scale, tensor.name


@pytest.mark.parametrize("backend", ["numpy", "torch"])
@pytest.mark.parametrize("name", ALL)
def test_kernels_against_pytorch_in_float64_and_float32_and_at_extremes(name, backend):
    checks = list(torch_kernels.torch_checks(study(name).layer, {backend: module(name, backend)}, {}))
    assert len({check.where for check in checks}) >= 8
    assert [check for check in checks if not check.passed] == []


def test_every_layer_has_a_reference():
    assert set(ALL) - set(references()) == set()


def test_a_kernel_of_another_formula_is_seen():
    """The exact and the approximate GELU are 5e-4 apart."""
    checks = list(torch_kernels.torch_checks(load("gelu"), {"numpy": module("gelu_tanh", "numpy")}, {}))
    assert any(not check.passed for check in checks)


def test_kinds_follow_from_where_a_layer_has_values():
    def kinds(text: str) -> dict[str, str]:
        return kinds_of(from_text(text), {})

    assert kinds("input x[i]\ny[i] = exp(x[i])\noutput y") == {"x": "any"}
    assert kinds("input x[i]\ny[i] = log(x[i])\noutput y") == {"x": "positive"}
    assert kinds("input p[i]\ny[i] = log(p[i]) + log(1 - p[i])\noutput y") == {"p": "unit"}
    assert kinds_of(load("mse"), {"t": "sign"}) == {"z": "any", "t": "sign"}


def test_extremes_hold_the_numbers_of_the_layer():
    layer = from_text("input x[i]\nconstant bound = 7\ny[i] = bound * x[i] + 3\noutput y")
    sizes = {"i": (400,)}
    values = set(sample(layer, sizes, {"x": "any"}, np.random.default_rng(0), extreme)["x"])
    assert values == {0, 1, -1, 1e4, -1e4, 7, -7, 3, -3}


def test_every_kind_draws_what_it_says():
    random = np.random.default_rng(0)
    drawn = {name: kind.draw(random, (500,)) for name, kind in KINDS.items()}
    assert (drawn["positive"] > 0).all()
    assert ((drawn["unit"] > 0) & (drawn["unit"] < 1)).all()
    assert ((drawn["share"] >= 0) & (drawn["share"] <= 1)).all() and (drawn["share"] == 0).any()
    assert set(drawn["sign"]) == {1, -1}
    assert (drawn["count"] == drawn["count"].round()).all() and (drawn["count"] >= 0).all()
