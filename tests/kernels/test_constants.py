"""Functions of constants: computed in Python, without a library, the same by every backend."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from symgrad import pipeline
from symgrad.check.kernels import load_kernel
from symgrad.errors import UnsupportedError
from symgrad.notation.library import from_text

LAYER = """
input x[i]
constant eps = 0.5
y[i] = x[i]*sigmoid(eps) + abs(eps)*x[i]**2 + softplus(eps)*sin(x[i]) + sign(eps) + relu(eps)*x[i]**3 + tanh(eps)
output y
"""


def wanted(x: np.ndarray, eps: float) -> np.ndarray:
    sigmoid, softplus = 1 / (1 + np.exp(-eps)), np.logaddexp(0, eps)
    return x * sigmoid + abs(eps) * x**2 + softplus * np.sin(x) + np.sign(eps) + max(eps, 0) * x**3 + np.tanh(eps)


@pytest.mark.parametrize("eps", [0.5, -0.7, 0.0, 30.0])
@pytest.mark.parametrize("backend", ["numpy", "torch", "jax", "c"])
def test_a_function_of_a_constant(backend, eps):
    if backend == "c" and shutil.which("gcc") is None:
        pytest.skip("no gcc: apt-get install gcc")
    if backend in ("torch", "jax"):
        pytest.importorskip(backend, reason=f"needs the extra symgrad[{backend}]")
    (file,) = pipeline.emit(pipeline.derive(from_text(LAYER, "of_constants")), [backend])
    kernel, x = load_kernel(file), np.linspace(-2, 2, 9)
    if backend in ("numpy", "c"):
        y = kernel.forward(x, eps=eps)[0]
    elif backend == "torch":
        import torch

        y = kernel.of_constants(torch.tensor(x), eps=eps).numpy()
    else:
        y = np.asarray(kernel.of_constants(x.astype(np.float32), eps=eps))
    tolerance = 1e-12 if y.dtype == np.float64 else 1e-5
    np.testing.assert_allclose(y, wanted(x, eps), rtol=tolerance, atol=tolerance)


def test_what_python_does_not_have_is_refused():
    layer = from_text("input x[i]\nconstant eps = 0.5\ny[i] = x[i]*digamma(eps)\noutput y\n", "digamma_of_constant")
    with pytest.raises(UnsupportedError, match="digamma of a constant"):
        pipeline.emit(pipeline.derive(layer), ["torch"])


@pytest.mark.parametrize("backend", ["torch", "jax", "triton"])
def test_a_layer_whose_outputs_depend_on_no_input_is_refused_with_the_reason(backend):
    layer = from_text("input x[s]\ntarget t[s]\ny[s] = t[s] - 1\noutput y\n", "nothing")
    with pytest.raises(UnsupportedError, match="no output of layer nothing depends on an input"):
        pipeline.emit(pipeline.derive(layer), [backend])
