"""The numba backend: the loops of the C backend, in Python; the same numbers, bits, NaN and refusals."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from symgrad import pipeline
from symgrad.check.kernels import argument_of, array_of, load_kernel, relative_error, sizes_of
from symgrad.check.samples import sensible_point
from symgrad.errors import UnsupportedError
from symgrad.notation.library import from_text, gallery, load
from symgrad.render.kernels.loop_terms import FUNCTIONS

UNSUPPORTED = {
    "attention", "avg_pool", "bilinear", "causal_attention", "conv1d", "conv2d",
    "cumsum", "embedding", "gru_cell", "linear", "local_response_norm", "lstm_cell",
    "max_pool", "mlp_classifier", "transformer_block",
}  # fmt: skip
SUPPORTED = tuple(name for name in gallery() if name not in UNSUPPORTED)
HAS_NUMBA = importlib.util.find_spec("numba") is not None
needs_numba = pytest.mark.skipif(not HAS_NUMBA, reason="no numba: pip install 'symgrad[numba]'")


@cache
def text_of(name: str) -> str:
    return pipeline.emit(pipeline.derive(load(name)), ["numba"])[0].text


@cache
def modules(name: str) -> tuple[ModuleType, ModuleType]:
    study = pipeline.derive(load(name))
    numba, numpy = (load_kernel(file) for file in pipeline.emit(study, ["numba", "numpy"]))
    return numba, numpy


def compared(name: str, dtype: type, seed: int, start: int = 2) -> float:
    """The worst error of all outputs and gradients against the NumPy kernel in float64."""
    layer, (ours, numpy) = load(name), modules(name)
    point = sensible_point(layer, sizes_of(layer, start), seed)
    given = [argument_of(point, tensor) for tensor in layer.tensors]
    seeds = [array_of(point, layer.entry(o).indices, f"d_{o}") for o in layer.outputs]
    with np.errstate(all="ignore"):
        wanted, kept = numpy.forward(*given)
        gradients = numpy.backward(kept, *seeds)
        found, saved = ours.forward(*(a if a.dtype == np.int64 else a.astype(dtype) for a in given))
        more = ours.backward(saved, *(a.astype(dtype) for a in seeds))
    pairs = list(zip(found, wanted, strict=True)) if len(layer.outputs) > 1 else [(found, wanted)]
    pairs += list(zip(more, gradients, strict=True))
    assert all(np.asarray(one).dtype == dtype for one, _ in pairs)
    return max(relative_error(one, other) for one, other in pairs)


def in_python(code: str, **environment: str) -> str:
    """What a program prints."""
    folder = str(Path(__file__).parent)
    command = [sys.executable, "-c", f"import sys\nsys.path.insert(0, {folder!r})\nfrom test_numba import *\n{code}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **environment})
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


EVERY = """
found = {}
for name in SUPPORTED:
    ours = compared(name, np.float64, 0), compared(name, np.float64, 1, 5), compared(name, np.float32, 2, 3)
    found[name] = [float(error) for error in ours]
print(json.dumps(found))
"""


@needs_numba
def test_the_same_numbers_as_numpys_for_every_layer():
    """As plain Python: compilation would take minutes, and what is compiled is the same text."""
    found = json.loads(in_python(EVERY, NUMBA_DISABLE_JIT="1"))
    assert set(found) == set(SUPPORTED)
    assert {name for name, (a, b, c) in found.items() if a > 1e-12 or b > 1e-12 or c > 2e-5} == set()


@needs_numba
@pytest.mark.parametrize("name", ["layer_norm", "softmax", "cosine_embedding"])
def test_the_same_numbers_compiled(name):
    assert compared(name, np.float32, 0) <= 2e-5
    assert compared(name, np.float32, 1, start=5) <= 2e-5


def every_function() -> str:
    """A layer with each function of elements, and of a number in double."""
    names = sorted(FUNCTIONS - {"pow", "pi", "lgamma"})  # no gradient of lgamma: digamma
    sums = {v: " + ".join(f"{f}(1 + {v})" if f == "acosh" else f"{f}({v})" for f in names) for v in ("a", "x[i]")}
    more = "where(x[i] < a, x[i], 2*x[i]) + maximum(x[i], a) + pow(x[i], a) + sqrt(x[i]) + pi*where(a < 1, a, 0)"
    return f"input x[i]\nparameter a\np = {sums['a']}\ny[i] = p*x[i] + {more} + {sums['x[i]']}\noutput y"


@needs_numba
def test_every_function_compiled():
    study = pipeline.derive(from_text(every_function(), "every"))
    ours, numpy = (load_kernel(file) for file in pipeline.emit(study, ["numba", "numpy"]))
    x, a = np.linspace(0.05, 0.9, 600), np.float64(0.3)
    d_y = np.cos(x)
    y, saved = numpy.forward(x, a)
    wanted = y, *numpy.backward(saved, d_y)
    y, saved = ours.forward(x.astype(np.float32), np.float32(a))
    found = y, *ours.backward(saved, d_y.astype(np.float32))
    assert max(relative_error(one, other) for one, other in zip(found, wanted, strict=True)) <= 2e-6


@needs_numba
def test_rows_longer_than_a_block_and_a_large_mean():
    ours, numpy = modules("layer_norm")
    random = np.random.default_rng(0)
    x = (random.normal(size=(20, 1300)) + 1e4).astype(np.float32)
    w, beta, d_y = (random.normal(size=s).astype(np.float32) for s in (1300, 1300, x.shape))
    found = ours.backward(ours.forward(x, w, beta)[1], d_y)
    wanted = numpy.backward(numpy.forward(*(a.astype(float) for a in (x, w, beta)))[1], d_y.astype(float))
    assert max(relative_error(one, other) for one, other in zip(found, wanted, strict=True)) <= 2e-6


@needs_numba
def test_nan_and_infinities_are_not_lost():
    ours, _ = modules("softmax")
    x = np.random.default_rng(0).normal(size=(6, 700)).astype(np.float32)
    x[1, 650], x[2, 3], x[3, 699], x[4] = np.nan, np.inf, -np.inf, -np.inf
    x[5, 650] = -np.array(np.nan, np.float32)
    with np.errstate(all="ignore"):
        y = ours.forward(x)[0]
        shifted = np.exp(x.astype(float) - x.max(-1, keepdims=True))
        wanted = shifted / shifted.sum(-1, keepdims=True)
    assert np.array_equal(np.isnan(y), np.isnan(wanted))
    assert np.isnan(wanted).any(-1).tolist() == [False, True, True, False, True, True]
    assert np.allclose(y[[0, 3]], wanted[[0, 3]], rtol=1e-5)
    gelu, _ = modules("gelu")
    assert np.array_equal(np.isnan(gelu.forward(np.float32([1, np.nan, -50, 50]))[0]), [False, True, False, False])


THREADS = """
import numba
ours, _ = modules("layer_norm")
random = np.random.default_rng(0)
x = random.normal(size=(150, 33)).astype(np.float32)
w, beta = random.normal(size=(2, 33)).astype(np.float32)
found = set()
for threads in (1, 2, 3):
    numba.set_num_threads(threads)
    y, saved = ours.forward(x, w, beta)
    found.add(b"".join(np.ascontiguousarray(a).tobytes() for a in (y, *ours.backward(saved, y))))
print(len(found))
"""


@needs_numba
def test_the_same_bits_for_any_number_of_threads():
    assert in_python(THREADS, NUMBA_NUM_THREADS="3").strip() == "1"


@needs_numba
def test_results_into_given_arrays_and_wrong_input():
    ours, _ = modules("softmax")
    x = np.ones((2, 3), np.float32)
    room = np.empty_like(x)
    y, saved = ours.forward(x, out=room)
    assert y is room
    assert np.allclose(room, 1 / 3)
    with pytest.raises(ValueError, match="out must be an array float32"):
        ours.forward(x, out=np.empty((2, 3)))
    with pytest.raises(ValueError, match="out shares memory"):
        ours.forward(x, out=x)
    with pytest.raises(TypeError, match="must be float32 or float64"):
        ours.forward(x.astype(int))
    with pytest.raises(ValueError, match="is empty"):
        ours.forward(x[:0])
    with pytest.raises(ValueError, match=r"must have the shape \(2, 3\)"):
        ours.backward(saved, np.ones((3, 2), np.float32))
    labelled, _ = modules("cross_entropy_labels")
    with pytest.raises(ValueError, match=r"t\[b, k...\] must lie from 0 to 2"):
        labelled.forward(x, np.array([0, 3]))


@needs_numba
def test_torch_tensors():
    torch = pytest.importorskip("torch")
    function = modules("softmax")[0].softmax
    x = torch.randn(3, 5, requires_grad=True)
    d_y = torch.randn(3, 5)
    (found,) = torch.autograd.grad(function(x), x, d_y, retain_graph=True)
    (wanted,) = torch.autograd.grad(torch.softmax(x, -1), x, d_y)
    assert torch.allclose(found, wanted, rtol=1e-5, atol=1e-7)
    (again,) = torch.autograd.grad(function(x), x, d_y, create_graph=True)
    with pytest.raises(NotImplementedError, match="numba kernel of softmax is differentiable once"):
        torch.autograd.grad(again.square().sum(), x)


@pytest.mark.parametrize("name", sorted(UNSUPPORTED))
def test_what_it_cannot_do_it_says(name):
    with pytest.raises(UnsupportedError, match=f"{name}.*numba|numba.*{name}"):
        text_of(name)


@needs_numba
@pytest.mark.parametrize("name", ["row", "real", "block", "total_y", "chunks", "numba", "i"])
def test_names_that_the_loops_use_get_a_number(name):
    text = f"input {name}[b, i]\ny[b, i] = {name}[b, i] - mean[i]({name}[b, i])\noutput y"
    made, numpy = (load_kernel(f) for f in pipeline.emit(pipeline.derive(from_text(text, "mine")), ["numba", "numpy"]))
    x = np.random.default_rng(0).normal(size=(4, 5))
    (found, saved), (wanted, kept) = made.forward(x), numpy.forward(x)
    assert np.allclose(found, wanted, rtol=1e-14, atol=1e-14)
    assert np.allclose(made.backward(saved, x)[0], numpy.backward(kept, x)[0], rtol=1e-14, atol=1e-14)


def test_no_flag_hides_nan_and_only_sums_are_reordered():
    for name in ("softmax", "layer_norm"):
        text = text_of(name)
        assert not {"nnan", "ninf", "fastmath=True", "arcp"} & set(text.replace('"', " ").split())
        assert "fastmath=True" not in text
        assert text.count("reassoc") == 1
