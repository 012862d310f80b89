"""C kernels on arrays with the second dimension innermost: the same numbers, read and written where they lie."""

from __future__ import annotations

import shutil
from functools import cache
from types import ModuleType

import numpy as np
import pytest

from symgrad import pipeline
from symgrad.check.kernels import argument_of, array_of, load_kernel, relative_error
from symgrad.check.samples import sensible_point
from symgrad.notation.layer import Layer
from symgrad.notation.library import from_text, load
from symgrad.render.kernels.c_turn import turned_axes

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler: apt-get install gcc")
NAMES = ("batch_norm", "batch_norm_sigmoid_mse", "prelu", "cross_entropy")


@pytest.fixture(autouse=True, scope="module")
def private_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@cache
def module(name: str) -> ModuleType:
    return load_kernel(pipeline.emit(pipeline.derive(load(name)), ["c"])[0])


def arguments(layer: Layer) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Random arrays with several positions, and upstream gradients."""
    sizes = {axis.name: length for axis, length in zip(layer.axes, (3, 5, 4), strict=True)}
    point = sensible_point(layer, sizes, 0)
    seeds = [array_of(point, layer.entry(o).indices, f"d_{o}") for o in layer.outputs]
    return [argument_of(point, tensor) for tensor in layer.tensors], seeds


def turned(array: np.ndarray) -> np.ndarray:
    """The same numbers with the second dimension innermost."""
    if array.ndim < 3:
        return array
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(array, 1, -1)), -1, 1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", NAMES)
def test_the_same_numbers_in_the_same_layout(name, dtype, monkeypatch):
    kernel, layer = module(name), load(name)
    assert turned_axes(pipeline.plan(pipeline.derive(layer))) is not None
    given, seeds = arguments(layer)
    exact, kept = kernel.forward(*given)
    wanted = kernel.backward(kept, *seeds)
    called = []
    original = kernel._call
    monkeypatch.setattr(kernel, "_call", lambda *which: called.append(which[1][0]) or original(*which))
    found, saved = kernel.forward(*(turned(a).astype(dtype) for a in given))
    gradients = kernel.backward(saved, *(turned(a).astype(dtype) for a in seeds))
    assert called == [True, True]
    limit = 1e-12 if dtype is np.float64 else 2e-5
    for one, other in zip((found, *gradients), (exact, *wanted), strict=True):
        assert relative_error(one, other) <= limit
        assert one.dtype == dtype
        assert one.ndim < 3 or np.moveaxis(one, 1, -1).flags.c_contiguous


def test_results_go_into_arrays_of_that_layout_only():
    kernel, layer = module("batch_norm"), load("batch_norm")
    given, (d_y,) = arguments(layer)
    given, wanted = [turned(a) for a in given], kernel.forward(*given)[0]
    room = turned(np.empty_like(given[0]))
    y, saved = kernel.forward(*given, out=room)
    assert y.ctypes.data == room.ctypes.data
    assert relative_error(room, wanted) <= 1e-12
    with pytest.raises(ValueError, match="lie in one piece"):
        kernel.backward(saved, d_y, out=kernel.Gradients(np.empty(d_y.shape), None, None))
    with pytest.raises(ValueError, match=r"d_y\[s, c, k...\] must have the shape"):
        kernel.backward(saved, d_y[:, :, :-1])
    with pytest.raises(ValueError, match=r"d_y\[s, c, k...\] must have the shape"):
        kernel.backward(saved, np.ones(3))


def test_mixed_layouts_are_copied_into_one():
    kernel, layer = module("batch_norm_sigmoid_mse"), load("batch_norm_sigmoid_mse")
    given, _ = arguments(layer)
    wanted = kernel.backward(kernel.forward(*given)[1])
    x, w, beta, t = given
    for mixed in ((turned(x), w, beta, t), (x, w, beta, turned(t)), (x[::-1, ::-1][::-1, ::-1], w, beta, turned(t))):
        found = kernel.backward(kernel.forward(*mixed)[1])
        assert all(relative_error(one, other) <= 1e-12 for one, other in zip(found, wanted, strict=True))


def test_layers_of_other_frames_have_one_layout():
    for text in (
        "input x[s, c]\ny[s, c] = x[s, c]**2\noutput y",
        "input x[s, c, k]\ny[s, c, k] = x[s, c, k]**2\noutput y",
    ):
        assert turned_axes(pipeline.plan(pipeline.derive(from_text(text)))) is None


def test_tensors_in_channels_last():
    torch = pytest.importorskip("torch")
    kernel = module("batch_norm")
    x = torch.randn(2, 3, 4, 5, dtype=torch.float64)
    w, beta = torch.rand(3, dtype=torch.float64), torch.rand(3, dtype=torch.float64)
    for dtype, limit in ((torch.float64, 1e-12), (torch.bfloat16, 4e-2)):
        results = []
        for form in (torch.channels_last, torch.contiguous_format):
            given = x.to(dtype).contiguous(memory_format=form).requires_grad_()
            y = kernel.batch_norm(given, w.to(dtype), beta.to(dtype))
            assert y.is_contiguous(memory_format=form)
            (d_x,) = torch.autograd.grad(y, given, torch.cos(x).to(dtype))
            assert d_x.is_contiguous(memory_format=form)
            results.append((y.detach().double(), d_x.double()))
        assert all(relative_error(a.numpy(), b.numpy()) <= limit for a, b in zip(*results, strict=True))
    with pytest.raises(TypeError, match="dense"):
        kernel.batch_norm(x.to_sparse(), w, beta)
