"""Tensors whose names emitted files use themselves: they get an underscore there, and their gradients as well."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from symgrad import pipeline
from symgrad.check.kernels import load_kernel
from symgrad.notation.library import from_text

NAMES = ("result", "dtype", "math", "shape_k", "wanted", "kept", "found", "last", "at_once", "constants", "again",
         "real", "inputs", "group", "given", "partial1", "buffers", "wide")  # fmt: skip


needs_compiler = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler: apt-get install gcc")


@pytest.fixture(autouse=True, scope="module")
def private_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("backend", "alone"),
    [
        ("numpy", True),
        ("numpy", False),
        ("torch", True),
        ("torch", False),
        pytest.param("c", True, marks=needs_compiler),
    ],
)
def test_a_tensor_of_any_name_has_its_gradient(backend, alone, name):
    more, factor = ("", "") if alone else ("parameter w[i]\n", "w[i] * ")
    text = f"input {name}[b, i]\n{more}y = sum[b, i]({factor}{name}[b, i]**2)\noutput y"
    module = load_kernel(pipeline.emit(pipeline.derive(from_text(text, "mine")), [backend])[0])
    x = np.random.default_rng(0).normal(size=(2, 3))
    arguments = (x,) if alone else (x, np.ones(3))
    if backend != "torch":
        _, saved = module.forward(*arguments)
        assert np.allclose(module.backward(saved)[0], 2 * x)
    if backend != "numpy":
        torch = pytest.importorskip("torch")
        tensors = [torch.from_numpy(argument.copy()).requires_grad_() for argument in arguments]
        module.mine(*tensors).backward()
        assert np.allclose(tensors[0].grad.numpy(), 2 * x)
