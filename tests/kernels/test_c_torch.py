"""C kernels on torch tensors: the numbers, memory, layouts and dtypes, and the rules of autograd."""

from __future__ import annotations

import os
import shutil
from functools import cache
from types import ModuleType

import numpy as np
import pytest

from symgrad import pipeline
from symgrad.check.kernels import argument_of, load_kernel, relative_error, sizes_of
from symgrad.check.samples import sensible_point
from symgrad.notation.library import from_text, load

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler: apt-get install gcc")
NAMES = ("batch_norm_sigmoid_mse", "layer_norm", "softmax", "rms_norm", "gelu", "prelu", "logsumexp", "swiglu", "bce",
         "nll", "cross_entropy_labels")  # fmt: skip
TWO = """input x[b, i]
parameter g[i]
a[b, i] = x[b, i] * g[i]
c[b, i] = x[b, i] + g[i]
output a, c"""


@pytest.fixture(autouse=True, scope="module")
def private_cache(tmp_path_factory):
    before = os.environ.get("XDG_CACHE_HOME")
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))
    yield
    os.environ.pop("XDG_CACHE_HOME")
    if before is not None:
        os.environ["XDG_CACHE_HOME"] = before


@cache
def module(name: str, backend: str = "c") -> ModuleType:
    layer = from_text(TWO, "two") if name == "two" else load(name)
    (file,) = pipeline.emit(pipeline.derive(layer), [backend])
    return load_kernel(file)


def given(name: str, dtype=torch.float64, seed: int = 0) -> list[torch.Tensor]:
    """Random arguments; those that get gradients require them."""
    layer = from_text(TWO, "two") if name == "two" else load(name)
    point = sensible_point(layer, sizes_of(layer, 3), seed)
    wanted = {tensor.name for tensor in layer.differentiable}
    tensors = []
    for tensor in layer.tensors:
        made = torch.from_numpy(np.array(argument_of(point, tensor)))
        made = made if tensor.role == "label" else made.to(dtype)
        tensors.append(made.requires_grad_(tensor.name in wanted))
    return tensors


def gradients(function, tensors, **more):
    """Outputs and gradients for random upstream gradients."""
    outputs = function(*tensors, **more)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    random = torch.Generator().manual_seed(1)
    seeds = [torch.randn(o.shape, generator=random, dtype=torch.float64).to(o.dtype) for o in outputs]
    wanted = [tensor for tensor in tensors if tensor.requires_grad]
    return [o.detach() for o in outputs], torch.autograd.grad(outputs, wanted, seeds)


def error(found, wanted) -> float:
    return max(relative_error(a.double().numpy(), b.double().numpy()) for a, b in zip(found, wanted, strict=True))


def function_of(name: str, backend: str = "c"):
    return getattr(module(name, backend), name)


@pytest.mark.parametrize("name", [*NAMES, "two"])
def test_the_same_numbers_as_the_torch_backends(name):
    exact = gradients(function_of(name, "torch"), given(name))
    for dtype, limit in ((torch.float64, 1e-12), (torch.float32, 2e-5), (torch.bfloat16, 4e-2), (torch.float16, 6e-3)):
        tensors = given(name, dtype)
        outputs, found = gradients(function_of(name), tensors)
        assert error(outputs, exact[0]) <= limit, dtype
        assert error(found, exact[1]) <= limit, dtype
        assert [g.dtype for g in found] == [t.dtype for t in tensors if t.requires_grad]
        assert all(output.dtype == dtype for output in outputs)


@pytest.mark.parametrize("name", ["layer_norm", "softmax", "batch_norm_sigmoid_mse", "two"])
def test_gradcheck(name):
    assert torch.autograd.gradcheck(function_of(name), given(name))


def test_dtypes_may_differ_and_each_gradient_has_its_own():
    x, w, beta = given("layer_norm", torch.bfloat16)
    w, beta = (p.detach().to(torch.float32).requires_grad_() for p in (w, beta))
    outputs, found = gradients(function_of("layer_norm"), [x, w, beta])
    assert outputs[0].dtype == torch.bfloat16
    assert [g.dtype for g in found] == [torch.bfloat16, torch.float32, torch.float32]


@pytest.mark.parametrize("layout", ["channels_last", "transposed", "strided", "negative"])
def test_any_layout_is_right(layout):
    x, w, beta, t = given("batch_norm_sigmoid_mse")
    exact = gradients(function_of("batch_norm_sigmoid_mse", "torch"), [x, w, beta, t])
    plain = x.detach()
    other = {
        "channels_last": lambda: plain.unsqueeze(-1).contiguous(memory_format=torch.channels_last).squeeze(-1),
        "transposed": lambda: plain.transpose(0, 2).contiguous().transpose(0, 2),
        "strided": lambda: torch.stack([plain, plain], -1)[..., 0],
        "negative": lambda: torch._neg_view(-plain),
    }[layout]()
    assert layout == "negative" or not other.is_contiguous()
    found = gradients(function_of("batch_norm_sigmoid_mse"), [other.requires_grad_(), w, beta, t])
    assert error(found[0], exact[0]) <= 1e-12
    assert error(found[1], exact[1]) <= 1e-12


def test_tensors_are_read_where_they_lie(monkeypatch):
    kernel, seen = module("softmax"), []
    original = kernel._call
    monkeypatch.setattr(kernel, "_call", lambda *arguments: seen.append(arguments[3]) or original(*arguments))
    (x,) = given("softmax", torch.float32)
    y = kernel.softmax(x)
    assert x.data_ptr().to_bytes(8, "little") in seen[0]
    assert y.data_ptr().to_bytes(8, "little") in seen[0]


def test_only_what_is_asked_for_comes_back():
    x, w, beta = given("layer_norm")
    y = function_of("layer_norm")(x, w.detach(), beta)
    y.sum().backward()
    assert x.grad is not None
    assert beta.grad is not None
    assert w.grad is None
    free = function_of("layer_norm")(x.detach(), w.detach(), beta.detach())
    assert not free.requires_grad
    with torch.no_grad():
        assert not function_of("layer_norm")(x, w, beta).requires_grad


def test_an_output_that_nobody_uses_counts_as_zero():
    x, g = given("two")
    _, c = function_of("two")(x, g)
    found = torch.autograd.grad(c.sum(), [x, g])
    assert torch.equal(found[0], torch.ones_like(x))
    assert torch.equal(found[1], torch.full_like(g, len(x)))


@pytest.mark.parametrize("name", ["layer_norm", "batch_norm_sigmoid_mse", "softmax"])
def test_differentiating_twice_is_refused_aloud(name):
    """Wrong second derivatives would be silent without it, also where the upstream gradient needs none."""
    tensors = given(name)
    loss = function_of(name)(*tensors).square().sum()
    for seed in (None, torch.tensor(2.0, dtype=torch.float64, requires_grad=True)):
        (first, *_) = torch.autograd.grad(loss, tensors[0], seed, create_graph=True, retain_graph=True)
        exact = torch.autograd.grad(function_of(name, "torch")(*tensors).square().sum(), tensors[0], seed)[0]
        assert error([first.detach()], [exact.detach()]) <= 1e-12
        with pytest.raises(NotImplementedError, match=f"{name} is differentiable once.*--backend torch"):
            torch.autograd.grad(first.square().sum(), tensors[0])


def test_what_was_changed_in_place_is_noticed():
    x, w, beta = given("layer_norm")
    y = function_of("layer_norm")(x, w, beta)
    with torch.no_grad():
        x.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_transforms_are_right_or_refused():
    x, w, beta = (tensor.detach() for tensor in given("layer_norm"))
    function = function_of("layer_norm")
    exact = torch.func.grad(lambda x: function_of("layer_norm", "torch")(x, w, beta).square().sum())(x)
    assert error([torch.func.grad(lambda x: function(x, w, beta).square().sum())(x)], [exact]) <= 1e-12
    with pytest.raises(RuntimeError, match="vmap"):
        torch.func.vmap(lambda x: function(x, w, beta))(x[None])
    with pytest.raises(RuntimeError, match="jvp"):
        torch.func.jvp(lambda x: function(x, w, beta), (x,), (x,))
    with pytest.raises(NotImplementedError, match="differentiable once"):
        torch.func.grad(lambda x: torch.func.grad(lambda x: function(x, w, beta).square().sum())(x).square().sum())(x)


def test_wrong_tensors_are_named():
    x, w, beta = given("layer_norm")
    function = function_of("layer_norm")
    with pytest.raises(ValueError, match=r"w\[d\] must have the shape"):
        function(x, w[:-1], beta)
    with pytest.raises(ValueError, match=r"x\[b..., d\] is empty"):
        function(x[:0], w, beta)
    with pytest.raises(TypeError, match=r"x must be a dense floating-point tensor, not torch.int64"):
        function(x.detach().long(), w, beta)
    with pytest.raises(TypeError, match="w must be a dense floating-point tensor, not list"):
        function(x, [1.0, 2.0], beta)
    with pytest.raises(ValueError, match="beta is on meta: this kernel runs on the CPU"):
        function(x, w, beta.detach().to("meta"))


def test_labels_are_checked_before_c_reads_where_they_point():
    x, t = given("cross_entropy_labels")
    function = function_of("cross_entropy_labels")
    for wrong in (torch.full_like(t, x.shape[1]), torch.full_like(t, -1)):
        with pytest.raises(ValueError, match=r"t\[b, k...\] must lie from 0 to"):
            function(x, wrong)
        with pytest.raises(ValueError, match=r"t\[b, k...\] must lie from 0 to"):
            module("cross_entropy_labels").forward(x.detach().numpy(), wrong.numpy())
    with pytest.raises(TypeError, match=r"t must be a tensor of whole numbers, not torch\.float32"):
        function(x, t.float())
    with pytest.raises(TypeError, match="t must hold whole numbers, not float64"):
        module("cross_entropy_labels").forward(x.detach().numpy(), t.double().numpy())
    assert torch.equal(function(x, t.int()), function(x, t))
    _, saved = module("cross_entropy_labels").forward(x.detach().numpy(), t.numpy())
    saved.t[...] = x.shape[1]
    with pytest.raises(ValueError, match="must lie from 0 to"):
        module("cross_entropy_labels").backward(saved)


def test_an_emitted_file_does_not_import_torch_for_arrays(tmp_path):
    import subprocess
    import sys

    (file,) = pipeline.emit(pipeline.derive(load("relu")), ["c"])
    (tmp_path / "relu.py").write_text(file.text, encoding="utf-8")
    code = "import sys, numpy as np, relu\ny, saved = relu.forward(np.ones(3))\nrelu.backward(saved, y)\n"
    code += "assert 'torch' not in sys.modules\n"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)


@pytest.mark.filterwarnings("ignore:The .grad attribute:UserWarning")
def test_it_runs_beside_torch_compile(tmp_path, monkeypatch):
    """What is compiled is cut in two around the kernel; the file is a module like any other."""
    import importlib

    (file,) = pipeline.emit(pipeline.derive(load("layer_norm")), ["c"])
    (tmp_path / "layer_norm_of_a_user.py").write_text(file.text, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    function = importlib.import_module("layer_norm_of_a_user").layer_norm
    tensors = given("layer_norm")

    def network(x, w, beta):
        return function(x * 2, w, beta) + 1

    found = gradients(torch.compile(network, backend="eager"), tensors)
    exact = gradients(network, tensors)
    assert error(found[0], exact[0]) <= 1e-12
    assert error(found[1], exact[1]) <= 1e-12
