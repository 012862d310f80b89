"""PyTorch kernels against torch's own functions, in every way torch can differentiate."""

from __future__ import annotations

import shutil
from functools import cache

import pytest
from emitted import OTHERS, layer_of, module_of, shape_of, text_of

from symgrad import pipeline
from symgrad.notation.library import from_text

torch = pytest.importorskip("torch")
F = torch.nn.functional
GALLERY = ("batch_norm", "sigmoid", "mse", "batch_norm_sigmoid_mse")


def function_of(name):
    return getattr(module_of(name, "torch"), name)


def tensors_of(name, seed=0, dtype=torch.float64):
    random = torch.Generator().manual_seed(seed)
    layer = layer_of(name)
    found = [torch.randn(shape_of(t), generator=random, dtype=torch.float64).to(dtype) for t in layer.tensors]
    return [v.requires_grad_(t.role != "target") for t, v in zip(layer.tensors, found, strict=True)]


def network(shape, dtype=torch.float64, shift=0.0, seed=0):
    random = torch.Generator().manual_seed(seed)
    x, t = torch.randn(shape, generator=random), torch.rand(shape, generator=random)
    w, beta = torch.randn(2, shape[1], generator=random)
    w[0] = 0.0
    return [v.to(dtype) for v in ((x + shift).requires_grad_(), w, beta, t)]


def by_equations(x, w, beta, t):
    dimensions = [0, *range(2, x.ndim)]
    column = [1, -1] + [1] * (x.ndim - 2)
    mu = x.mean(dimensions, keepdim=True)
    var = ((x - mu) ** 2).mean(dimensions, keepdim=True)
    y = w.view(column) * (x - mu) / torch.sqrt(var + 1e-5) + beta.view(column)
    return ((torch.sigmoid(y) - t) ** 2).mean()


def built_in(x, w, beta, t):
    return F.mse_loss(torch.sigmoid(F.batch_norm(x, None, None, w, beta, True, 0.1, 1e-5)), t)


def gradients(function, tensors, upstream=1.7):
    leaves = [v.detach().clone().requires_grad_() for v in tensors[:3]]
    return torch.autograd.grad(function(*leaves, *tensors[3:]) * upstream, leaves)


@pytest.mark.parametrize("name", [*GALLERY, *OTHERS])
def test_gradcheck_and_gradgradcheck(name):
    function, tensors = function_of(name), tensors_of(name)
    assert torch.autograd.gradcheck(function, tensors)
    assert torch.autograd.gradgradcheck(function, tensors)


@pytest.mark.parametrize("samples", [1, 3, 4, 7])
@pytest.mark.parametrize("inner", [(), (2,), (2, 3)])
def test_network_against_torchs_own(samples, inner):
    if samples == 1 and not inner:
        pytest.skip("F.batch_norm refuses one value for each channel")
    tensors = network((samples, 2, *inner))
    ours = function_of("batch_norm_sigmoid_mse")
    for found, wanted in zip(gradients(ours, tensors), gradients(built_in, tensors), strict=True):
        assert torch.allclose(found, wanted, rtol=1e-12, atol=1e-14)


def test_far_from_zero_float32_is_better_than_torchs_own():
    tensors = network((32, 4, 14, 14), torch.float32, shift=1e4)
    exact = gradients(by_equations, [v.double() for v in tensors])
    errors = [
        [float((a.double() - b).abs().max() / b.abs().max()) for a, b in zip(gradients(f, tensors), exact, strict=True)]
        for f in (function_of("batch_norm_sigmoid_mse"), built_in)
    ]
    assert all(ours <= min(theirs, 1e-6) for ours, theirs in zip(*errors, strict=True)), errors


def test_transforms_of_every_order():
    from torch.func import grad, jacrev, vmap

    *inputs, target = [v.detach() for v in network((4, 2, 3))]
    ours = lambda *v: function_of("batch_norm_sigmoid_mse")(*v, target)  # noqa: E731
    wanted = lambda *v: by_equations(*v, target)  # noqa: E731
    many = torch.randn((5, *inputs[0].shape), dtype=torch.float64)
    transforms = (
        lambda f: grad(f, (0, 1, 2))(*inputs),
        lambda f: jacrev(jacrev(f, (0, 1, 2)), (0, 1, 2))(*inputs),
        lambda f: jacrev(jacrev(jacrev(f)))(*inputs),
        lambda f: vmap(grad(f, (0, 1, 2)), (0, None, None))(many, *inputs[1:]),
    )
    for transform in transforms:
        found, expected = (torch.utils._pytree.tree_leaves(transform(f)) for f in (ours, wanted))
        assert all(torch.allclose(a, b, rtol=1e-10, atol=1e-13) for a, b in zip(found, expected, strict=True))


@pytest.mark.skipif(shutil.which("gcc") is None, reason="torch.compile needs a compiler")
@pytest.mark.filterwarnings("ignore")
def test_compiles_as_one_graph_with_dynamic_shapes():
    torch._dynamo.reset()
    function = function_of("batch_norm_sigmoid_mse")
    compiled = torch.compile(function, fullgraph=True, dynamic=True)
    for shape in ((4, 3, 2, 2), (5, 2, 3, 3)):
        tensors = network(shape, torch.float32)
        for a, b in zip(gradients(compiled, tensors), gradients(function, tensors), strict=True):
            assert torch.allclose(a, b, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_half_precision_computes_and_sums_in_float32(dtype):
    x, w, beta, _ = network((64, 2, 40), torch.float32)
    x = (x * 0 + 1).to(dtype).requires_grad_()
    function = function_of("batch_norm")
    w, beta = w.to(dtype).requires_grad_(), beta.to(dtype).requires_grad_()
    y = function(x, w, beta)
    found = torch.autograd.grad(y, (x, w, beta), torch.ones_like(y))
    assert y.dtype == dtype
    assert [g.dtype for g in found] == [dtype] * 3
    assert found[2].tolist() == [2560.0, 2560.0]  # a float16 loop of ones stops at 2048


def test_each_gradient_has_its_inputs_dtype_and_is_computed_only_on_request(monkeypatch):
    module = module_of("batch_norm", "torch")
    x, w, beta, _ = network((4, 2, 3), torch.float32)
    x, w, beta = x.detach().bfloat16().requires_grad_(), w.requires_grad_(), beta.requires_grad_()
    found = torch.autograd.grad(module.batch_norm(x, w, beta).sum(), (x, w, beta))
    assert [g.dtype for g in found] == [torch.bfloat16, torch.float32, torch.float32]
    seen = []
    original = module._gradients
    monkeypatch.setattr(module, "_gradients", lambda *a: seen.append(original(*a)) or seen[-1])
    module.batch_norm(x.detach(), w.detach(), beta).sum().backward()
    assert [g is None for g in seen[0]] == [True, True, False]


def test_memory_formats_slices_and_expanded_tensors():
    function = function_of("batch_norm")
    x = torch.randn(4, 3, 6, 5, dtype=torch.float64)
    w, beta = torch.randn(2, 3, dtype=torch.float64)
    last = x.to(memory_format=torch.channels_last)
    assert function(last, w, beta).is_contiguous(memory_format=torch.channels_last)
    for other in (last, x[:, :, ::2], x[:1].expand(4, 3, 6, 5), x.transpose(2, 3)):
        given = other.detach().requires_grad_()
        d_y = torch.randn(1, dtype=torch.float64).expand(other.shape)
        copy = other.detach().clone(memory_format=torch.contiguous_format).requires_grad_()
        found = torch.autograd.grad(function(given, w, beta), given, d_y)[0]
        wanted = torch.autograd.grad(function(copy, w, beta), copy, d_y.contiguous())[0]
        assert torch.allclose(found, wanted, atol=1e-12)


def test_integers_and_wrong_shapes_are_refused():
    function = function_of("batch_norm")
    with pytest.raises(TypeError, match=r"x must be a floating-point tensor, not torch.int64"):
        function(torch.ones(3, 2, dtype=torch.int64), torch.ones(2), torch.ones(2))
    with pytest.raises(ValueError, match=r"w\[c\] must have the shape \(2,\), not \(3,\)"):
        function(torch.ones(3, 2), torch.ones(3), torch.ones(2))


def test_a_statistic_without_its_cotangent_is_seen_by_gradgradcheck():
    """The wrapper that drops the statistics' cotangents is the silently wrong one; the check says no."""
    text = text_of("batch_norm", "torch")
    wrong = text.replace("if (d_mu is not None or d_var is not None) and", "if False and")
    assert wrong != text
    namespace: dict = {"__name__": "wrong"}
    exec(compile(wrong, "wrong", "exec"), namespace)
    tensors = tensors_of("batch_norm")
    assert torch.autograd.gradcheck(namespace["batch_norm"], tensors)
    assert not torch.autograd.gradgradcheck(namespace["batch_norm"], tensors, raise_exception=False)


@cache
def chain(length):
    """The file of a layer of statistics, each of which depends on all before it."""
    lines = ["input x[b, i]", "parameter w[i, j]", "y0[b, i] = x[b, i]"]
    for n in range(length):
        lines.append(f"m{n}[b, j] = sum[i](w[i, j] * y{n}[b, i])")
        lines.append(f"y{n + 1}[b, i] = tanh(sum[j](w[i, j] * m{n}[b, j]))")
    layer = from_text("\n".join([*lines, f"output y{length}"]), f"chain{length}")
    return pipeline.emit(pipeline.derive(layer), ["torch"])[0].text


def test_statistics_that_reach_the_inputs_through_others_are_differentiated_again():
    name, text = "chain2", chain(2)
    assert "d_m0_total = d_m0 + " in text
    dropped = text.replace("d_m0_total = d_m0 + ", "d_m0_total = 0 * d_m0 + ")
    tensors = [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in ((2, 3), (3, 2))]
    for each, is_right in ((text, True), (dropped, False)):
        namespace: dict = {"__name__": name}
        exec(compile(each, name, "exec"), namespace)
        assert torch.autograd.gradcheck(namespace[name], tensors)
        assert torch.autograd.gradgradcheck(namespace[name], tensors, raise_exception=False) == is_right


def test_a_file_grows_with_its_statistics_and_not_with_their_square():
    lines = [len(chain(length).splitlines()) for length in (1, 2, 3)]
    assert lines[2] - lines[1] <= lines[1] - lines[0]


def test_the_files_stand_alone_and_need_two_reductions_backward():
    for name in GALLERY:
        text = text_of(name, "torch")
        imports = {line for line in text.splitlines() if line.startswith(("import ", "from "))}
        assert imports <= {"import math", "import torch"}
        assert max(map(len, text.splitlines())) <= 120
    text = text_of("batch_norm_sigmoid_mse", "torch")
    for function in ("_gradients_block", "_gradients_in_place"):
        backward = text.split(f"def {function}(")[1].split("\ndef ")[0]
        assert backward.count(".sum(") + backward.count(".mean(") == 2
