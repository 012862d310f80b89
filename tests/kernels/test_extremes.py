"""Inputs up to 1e4 in size: no overflow, no warning, no NaN where the true result is finite."""

from __future__ import annotations

import numpy as np
import pytest
from emitted import layer_of, module_of, shape_of
from nodes import BY_NAME
from nodes import module_of as module_of_node

STABLE = ("soft", "log_soft", "log_sum", "cross_entropy", "bce", "logistic", "attention", "swish")
CHOICES = ("causal", "elu", "x_log_x", "nested", "probabilities", "bernoulli")


def as_tuple(value):
    return value if isinstance(value, tuple) else (value,)


def extreme(shape, role, random, dtype):
    """0, ±1 and ±1e4; targets are probabilities, parameters near 1."""
    if role != "input":
        return random.uniform(size=shape).astype(dtype)
    return random.choice([-1e4, -1.0, 0.0, 1.0, 1e4], size=shape).astype(dtype)


def given(layer, dtype, seed):
    random = np.random.default_rng(seed)
    sizes = {axis.name: (5,) for axis in layer.axes}
    return [extreme(shape_of(tensor, sizes), tensor.role, random, dtype) for tensor in layer.tensors]


CASES = [(n, layer_of(n), module_of) for n in STABLE] + [(n, BY_NAME[n], module_of_node) for n in CHOICES]


@pytest.mark.parametrize("name, layer, modules", CASES, ids=[case[0] for case in CASES])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_everything_stays_finite(name, layer, modules, dtype):
    torch = pytest.importorskip("torch")
    module, function = modules(name, "numpy"), getattr(modules(name, "torch"), name)
    for seed in range(4):
        arrays = given(layer, dtype, seed)
        if name == "nested":
            arrays = [array / 100 for array in arrays]  # a sum of products of such inputs
        outputs, saved = module.forward(*arrays)  # a warning is an error
        random = np.random.default_rng(seed)
        upstream = [random.normal(size=np.shape(output)).astype(dtype) for output in as_tuple(outputs)]
        gradients = module.backward(saved, *upstream)
        roles = [tensor.role for tensor in layer.tensors]
        tensors = [torch.tensor(a, requires_grad=r != "target") for a, r in zip(arrays, roles, strict=True)]
        wanted = [tensor for tensor in tensors if tensor.requires_grad]
        found = as_tuple(function(*tensors))
        theirs = torch.autograd.grad(found, wanted, [torch.tensor(u) for u in upstream], create_graph=True)
        second = torch.autograd.grad(sum(g.sum() for g in theirs), wanted, allow_unused=True)
        assert all(np.isfinite(value).all() for value in (*as_tuple(outputs), *gradients))
        assert all(value.isfinite().all() for value in (*found, *theirs, *(s for s in second if s is not None)))
        for ours, other in zip(gradients, theirs, strict=True) if dtype == np.float64 else ():
            assert np.allclose(ours, other.detach().numpy(), rtol=1e-4, atol=1e-4 * max(1, np.abs(ours).max()))


def test_float32_is_as_good_as_torchs_own():
    torch = pytest.importorskip("torch")
    x = torch.randn(64, 100) * 30 + 1000
    t = torch.softmax(torch.randn(64, 100), 1)
    for name, built_in in (
        ("soft", lambda x: torch.softmax(x, 1)),
        ("log_soft", lambda x: torch.log_softmax(x, 1)),
        ("log_sum", lambda x: torch.logsumexp(x, 1)),
        ("cross_entropy", lambda x: torch.nn.functional.cross_entropy(x, t.to(x.dtype))),
    ):
        function = getattr(module_of(name, "torch"), name)
        ours = (lambda x, f=function: f(x, t.to(x.dtype))) if name == "cross_entropy" else function
        exact = results(torch, built_in, x.double())
        for mine, theirs, right in zip(results(torch, ours, x), results(torch, built_in, x), exact, strict=True):
            limit = max(2 * float((theirs - right).abs().max()), 4e-7 * float(right.abs().max()))  # a few roundings
            assert float((mine - right).abs().max()) <= limit, name


def results(torch, function, x):
    x = x.detach().requires_grad_()
    y = function(x)
    generator = torch.Generator().manual_seed(0)
    upstream = torch.randn(y.shape, generator=generator).to(y.dtype)
    return y.detach().double(), torch.autograd.grad(y, x, upstream)[0].double()
