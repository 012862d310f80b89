"""Hand-written kernels with labels, shifted entries and padding: wrong ones named, right ones pass."""

from __future__ import annotations

from fractions import Fraction
from functools import cache

import numpy as np
import pytest
from wrong_kernels import HAND, Wrong

from symgrad import pipeline
from symgrad.algebra.terms import MINUS_ONE, Entry, Index, Place, Position, add
from symgrad.check.against.arrays import TermArrays
from symgrad.check.against.cases import Sampler, all_cases, other_constants
from symgrad.check.against.forms import definitions, derived_bodies
from symgrad.check.kernels import array_of
from symgrad.check.samples import sensible_point
from symgrad.cli.against import show
from symgrad.notation.lengths import sizes_from
from symgrad.notation.library import from_text, load
from symgrad.prove.evaluate import Evaluator
from symgrad.prove.floats import Floats
from symgrad.prove.sizes import fitted

torch = pytest.importorskip("torch")
NP, TK = "placed_numpy.py", "placed_torch.py"
WINDOW = "window = slice(i * stride, i * stride + length)\n            d_wide"


@cache
def studied(name: str):
    return pipeline.derive(load(name))


def checked(kernel: str, layer: str):
    return pipeline.check_against(studied(layer), kernel)


WRONG = (
    Wrong(NP, "Conv1d", "conv1d", WINDOW, WINDOW.replace("i * stride", "i"), "d_x", ("stride is always 1",)),
    Wrong(NP, "Conv1d", "conv1d", WINDOW, WINDOW.replace("i * stride", "i"), "d_weight", ("stride is always 1",)),
    Wrong(NP, "Conv1d", "conv1d", "d_wide[:, :, padding : wide.shape[2] - padding]",
          "d_wide[:, :, : wide.shape[2] - 2 * padding]", "d_x", ("padding is left out", "padding is always 0")),
    Wrong(NP, "Conv1d", "conv1d", 'd_y[:, :, i], weight)', 'd_y[:, :, i], weight[:, :, ::-1])', "d_x",
          ("k runs backwards",)),
    Wrong(NP, "Conv1d", "conv1d", "wide[:, :, window])", "wide[:, :, window][:, :, ::-1])", "d_weight",
          ("k runs backwards",)),
    Wrong(NP, "Conv1d", "conv1d", "d_y.sum(axis=(0, 2))", "d_y.mean(axis=(0, 2))", "d_bias", ("mean",)),
    Wrong(NP, "AvgPool", "avg_pool", "/ window**2", "", "d_x", ("a sum for a mean", "division")),
    Wrong(NP, "AvgPool", "avg_pool", "d_x[:, :, i * stride :, j * stride :]", "d_x[:, :, i * window :, j * window :]",
          "d_x", ("window instead of stride",)),
    Wrong(NP, "Embedding", "embedding", "np.add.at(d_weight, t, d_y)", "d_weight[t] = d_y", "d_weight",
          ("overwrite each other",)),
    Wrong(TK, "Embedding", "embedding", "d_weight.index_add(0,", "d_weight.index_copy(0,", "d_weight",
          ("overwrite each other",)),
    Wrong(NP, "CrossEntropy", "cross_entropy_labels", "g[rows, t.reshape(-1)] -= 1", "", "d_x", ("missing",)),
    Wrong(NP, "CrossEntropy", "cross_entropy_labels", "-= 1", "+= 1", "d_x", ("sign",)),
    Wrong(NP, "CrossEntropy", "cross_entropy_labels", "d_loss / len(rows)", "d_loss", "d_x",
          ("sum for a mean", "division")),
    Wrong(NP, "CrossEntropy", "cross_entropy_labels", "d_loss / len(rows)", "d_loss / shape[0]", "d_x", ("N_k",)),
    Wrong(NP, "Nll", "nll", "-d_loss / t.size", "-1 / t.size", "d_x", ("d_L is left out",)),
)  # fmt: skip


@pytest.mark.parametrize("row", WRONG, ids=lambda row: f"{row.layer}: {row.new[:40]} {row.what}")
def test_a_wrong_kernel_is_caught_and_its_mistake_named(row, tmp_path):
    verdict = checked(row.written(tmp_path), row.layer)
    assert not verdict.passed
    (finding,) = (finding for finding in verdict.findings if finding.what == row.what)
    found = finding.explanation
    assert found is not None, show(verdict, load(row.layer))
    assert any(words in found.mistake for words in row.words), found.mistake
    assert found.refuted
    assert found.sizes >= 3
    assert found.agreement < 1e-8
    assert found.mistake.split()[-1] in " ".join(show(verdict, load(row.layer)).split())


def test_what_no_usual_mistake_explains_is_not_explained(tmp_path):
    row = Wrong(NP, "Embedding", "embedding", "np.add.at(d_weight, t, d_y)", "np.maximum.at(d_weight, t, d_y)", "")
    verdict = checked(row.written(tmp_path), row.layer)
    (finding,) = verdict.findings
    assert not verdict.passed and finding.explanation is None and finding.tried > 20


RIGHT = (
    (f"{NP}:Conv1d", "conv1d"), (f"{NP}:AvgPool", "avg_pool"), (f"{NP}:Embedding", "embedding"),
    (f"{NP}:CrossEntropy", "cross_entropy_labels"), (f"{NP}:Nll", "nll"), (f"{TK}:conv1d", "conv1d"),
    (f"{TK}:conv2d", "conv2d"), (f"{TK}:avg_pool", "avg_pool"), (f"{TK}:max_pool", "max_pool"),
    (f"{TK}:local_response_norm", "local_response_norm"), (f"{TK}:nll", "nll"), (f"{TK}:embedding", "embedding"),
    (f"{TK}:Embedding", "embedding"), (f"{TK}:cross_entropy", "cross_entropy_labels"),
    (f"{TK}:weighted_cross_entropy", "cross_entropy_labels_weighted"),
)  # fmt: skip


@pytest.mark.parametrize(("kernel", "layer"), RIGHT)
def test_a_right_kernel_passes(kernel, layer):
    verdict = checked(str(HAND / kernel), layer)
    assert verdict.passed, show(verdict, load(layer))
    assert verdict.cases > 30
    assert [order.verdict for order in verdict.orders] == (["holds"] * 2 if TK in kernel else [])


PLACED = sorted({layer for _, layer in RIGHT})


@pytest.mark.parametrize("backend", ["numpy", "torch"])
@pytest.mark.parametrize("name", PLACED)
def test_symgrads_own_kernels_pass(name, backend, root):
    path = root / "generated" / backend / f"{name}.py"
    verdict = checked(f"{path}:{name}" if backend == "torch" else str(path), name)
    assert verdict.passed, show(verdict, load(name))


@pytest.mark.parametrize("name", PLACED)
def test_lengths_fit_and_constants_differ(name):
    layer = load(name)
    other = other_constants(layer)
    whole = [c for c in layer.constants if c.is_whole]
    assert all(isinstance(other[c.name], int) and other[c.name] != c.default for c in whole)
    assert len({other[c.name] for c in whole}) == len(whole)
    sampler = Sampler(layer)
    for case in all_cases(layer, [(4,), (2, 3)], ["float64", "float32"], ()):
        data = sampler.data(case)
        sizes = {axis: int(np.prod(inner)) for axis, inner in case.lengths.items()}
        constants = {c.name: Fraction(data.constants[c.name]) for c in whole}
        given = {index.axis: sizes[index.axis] for tensor in layer.tensors for index in tensor.indices}
        assert sizes_from(layer, given, constants) == sizes
        for label, axis in layer.labels.items():
            values = data.tensors[label]
            assert values.dtype.kind == "i" and values.min(initial=0) >= 0 and values.max(initial=0) < sizes[axis]
    if whole:
        assert {case.constants for case in all_cases(layer, [()], ["float64"], ())} == {"default", "other"}


def test_labels_repeat():
    layer = load("embedding")
    for case in all_cases(layer, [(4,), (2, 3)], ["float64"], ())[:4]:
        labels = Sampler(layer).data(case).tensors["t"]
        assert len(np.unique(labels)) < labels.size


@pytest.mark.parametrize("name", PLACED)
def test_arrays_have_the_evaluators_values(name):
    """Outputs and derived gradients as arrays, against explicit sums over explicit entries."""
    layer = load(name)
    sizes = fitted(layer, {axis.name: 2 + place % 2 for place, axis in enumerate(layer.axes)})
    point = sensible_point(layer, sizes, 1)
    given = {t.name: t.indices for t in layer.tensors} | {f"d_{n}": layer.entry(n).indices for n in layer.outputs}
    values = {name: array_of(point, indices, name) for name, indices in given.items()}
    values |= {c.name: np.asarray(float(c.default)) for c in layer.constants}
    arrays, evaluator = TermArrays(layer, sizes, values), Evaluator(layer, point, Floats())
    for form in (definitions(layer), derived_bodies(studied(name))):
        for what, indices, body in form:
            arrays.define(what, indices, body)
            keys = list(point.keys(indices))
            for key in (*keys[:: max(1, len(keys) // 8)], keys[-1]):
                assert arrays.values[what][key] == pytest.approx(evaluator.entry(what, key), rel=1e-12, abs=1e-12)


def test_a_place_that_lies_outside_has_no_entry():
    """A mistaken place may lie outside; what stands there is no number, not the last entry."""
    layer = from_text("input x[h]\nparameter w[k]\ny[i] = sum[k](w[k]*x[i + k])\noutput y")
    x, w = np.arange(4.0), np.ones(2)
    arrays = TermArrays(layer, {"h": 4, "k": 2, "i": 3}, {"x": x, "w": w})
    before = Entry("x", (Place("h", add(Position(Index("i", "i")), MINUS_ONE)),))
    assert list(arrays.values["y"]) == [1, 3, 5]
    with pytest.raises(IndexError):
        arrays.whole(before, (Index("i", "i"),))
