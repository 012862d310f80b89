"""Powers whose exponent is no number: at 0 as well, by base and by exponent, against torch."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from symgrad import pipeline
from symgrad.check.kernels import load_kernel
from symgrad.notation.library import from_text

torch = pytest.importorskip("torch")
TEXTS = {
    "constant": ("input x[i]\nconstant c = 2.5\ny[i] = pow(x[i], c)\noutput y", lambda x: x**2.5),
    "parameter": ("input x[i]\nparameter p\ny[i] = (x[i] + 0.5)**p\noutput y", lambda x, p: (x + 0.5) ** p),
    "entries": ("input x[i], q[i]\ny[i] = pow(x[i] + 1, q[i])*3\noutput y", lambda x, q: 3 * (x + 1) ** q),
    "below": ("input x[i]\nconstant c = 1.5\ny[i] = 1/pow(1 + x[i], c)\noutput y", lambda x: (1 + x) ** -1.5),
}


@pytest.mark.parametrize("name", TEXTS)
def test_values_and_gradients(name):
    text, compute = TEXTS[name]
    study = pipeline.derive(from_text(text, "powers"))
    assert study.proved
    numpy, emitted = (load_kernel(file) for file in pipeline.emit(study, ["numpy", "torch"]))
    given = [[0.0, 0.25, 1.0, 3.0], {"parameter": 1.75, "entries": [2.0, 0.5, 0.0, -1.5]}.get(name)]
    leaves = [torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in given if v is not None]
    weights = torch.tensor([1.0, -2.0, 0.5, 3.0], dtype=torch.float64)
    y = compute(*leaves)
    wanted = torch.autograd.grad(y, leaves, weights)
    found = emitted.powers(*leaves)
    assert torch.allclose(found, y, rtol=1e-14)
    for one, other in zip(torch.autograd.grad(found, leaves, weights), wanted, strict=True):
        assert torch.allclose(one, other, rtol=1e-13, atol=1e-14)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        value, saved = numpy.forward(*(leaf.detach().numpy() for leaf in leaves))
        gradients = numpy.backward(saved, weights.numpy())
    assert np.allclose(value, y.detach().numpy(), rtol=1e-14)
    for one, other in zip(gradients, wanted, strict=True):
        assert np.allclose(one, other.numpy(), rtol=1e-13, atol=1e-14)
