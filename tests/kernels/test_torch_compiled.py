"""What `torch.compile` gets: sums of the backward pass in the forward pass, and nothing for statistics' cotangents."""

from __future__ import annotations

import re
import shutil

import pytest
from emitted import module_of, text_of

torch = pytest.importorskip("torch")
pytestmark = [
    pytest.mark.skipif(shutil.which("gcc") is None, reason="torch.compile needs a compiler"),
    pytest.mark.filterwarnings("ignore"),
]


def network(seed=0, shift=0.0, dtype=torch.float32):
    random = torch.Generator().manual_seed(seed)
    x, t = torch.randn(6, 3, 4, generator=random) + shift, torch.rand(6, 3, 4, generator=random)
    w, beta = torch.randn(2, 3, generator=random)
    return [v.to(dtype) for v in (x, w, beta, t)]


def graphs_of(function, tensors):
    """The code of the forward and of the backward graph that a compiler gets."""
    from functorch.compile import make_boxed_func
    from torch._dynamo.backends.common import aot_autograd
    from torch._functorch.partitioners import min_cut_rematerialization_partition

    found = []

    def keep(graph, _):
        found.append(graph.code)
        return make_boxed_func(graph.forward)

    torch._dynamo.reset()
    backend = aot_autograd(fw_compiler=keep, bw_compiler=keep, partition_fn=min_cut_rematerialization_partition)
    leaves = [v.clone().requires_grad_() for v in tensors[:3]]
    torch.compile(function, backend=backend, fullgraph=True)(*leaves, *tensors[3:]).sum().backward()
    return found


def sums(code):
    return len(re.findall(r"aten\.(?:sum|mean)\.", code))


def test_the_backward_graph_of_a_loss_has_no_sums():
    forward, backward = graphs_of(module_of("batch_norm_sigmoid_mse", "torch").batch_norm_sigmoid_mse, network())
    assert sums(backward) == 0
    assert sums(forward) >= 4


def test_without_the_helper_the_compiler_leaves_them_there():
    """The witness that the test above can fail."""
    wrong = text_of("batch_norm_sigmoid_mse", "torch").replace("L = _not_later(L, ", "_ = (L, ")
    namespace: dict = {"__name__": "wrong"}
    exec(compile(wrong, "wrong", "exec"), namespace)
    _, backward = graphs_of(namespace["batch_norm_sigmoid_mse"], network())
    assert sums(backward) == 2


def test_no_zeros_stand_for_cotangents_of_statistics():
    x, w, beta, _ = network()
    _, backward = graphs_of(module_of("batch_norm", "torch").batch_norm, [x, w, beta])
    assert "zeros" not in backward
    assert sums(backward) == 2


def test_sums_that_depend_on_more_than_a_scalar_stay_in_the_backward_pass():
    assert "_not_later" in text_of("batch_norm_sigmoid_mse", "torch")
    for name in ("batch_norm", "mse", "sigmoid"):
        assert "_not_later" not in text_of(name, "torch")
    assert "Compiled(" not in text_of("sigmoid", "torch")


@pytest.mark.parametrize("upstream", [1.0, -1.7])
@pytest.mark.parametrize("shift", [0.0, 1e4])
def test_compiled_and_plain_agree(upstream, shift):
    function = module_of("batch_norm_sigmoid_mse", "torch").batch_norm_sigmoid_mse
    tensors = network(shift=shift)
    exact = [v.double() for v in tensors]
    torch._dynamo.reset()
    found = []
    for f, given in ((torch.compile(function, fullgraph=True), tensors), (function, exact)):
        leaves = [v.clone().requires_grad_() for v in given[:3]]
        loss = f(*leaves, given[3])
        found.append([loss, *torch.autograd.grad(loss, leaves, torch.full_like(loss, upstream))])
    for mine, right in zip(*found, strict=True):
        assert float((mine - right).abs().max() / right.abs().max()) < 2e-6


def test_a_transform_that_differentiates_twice_gets_the_function_that_can():
    function = module_of("batch_norm_sigmoid_mse", "torch").batch_norm_sigmoid_mse
    x, *rest = network(dtype=torch.float64)
    twice = torch.func.grad(lambda v: torch.func.grad(function)(v, *rest).square().sum())
    torch._dynamo.reset()
    assert torch.allclose(torch.compile(twice)(x), twice(x), rtol=1e-9, atol=1e-16)
