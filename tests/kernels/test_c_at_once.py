"""A loss and its gradients from one C function: the numbers, what is handed out, and what has to wait."""

from __future__ import annotations

import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from symgrad import pipeline
from symgrad.check.kernels import argument_of, load_kernel, relative_error, sizes_of
from symgrad.check.samples import sensible_point
from symgrad.errors import InputError
from symgrad.notation.library import from_text, gallery, load
from symgrad.plan.saving import Saving
from symgrad.prove.study import Study

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler: apt-get install gcc")
TWO_OUTPUTS = "input x[i]\ny = sum[i](x[i])\nz = sum[i](x[i]**2)\noutput y, z"
COPIED = "input x, w[i]\nL = x\nz = sum[i](w[i])*0\noutput L"
LOSSES = tuple(sorted(name for name in gallery() if load(name).scalar_output and not load(name).fits))


@pytest.fixture(autouse=True, scope="module")
def private_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@cache
def derived(text: str) -> Study:
    return pipeline.derive(from_text(text) if "\n" in text else load(text))


@cache
def kernel(text: str, backend: str = "c") -> ModuleType:
    return load_kernel(pipeline.emit(derived(text), [backend])[0])


def given(name: str, dtype: type = np.float64) -> list[np.ndarray]:
    layer = load(name)
    point = sensible_point(layer, sizes_of(layer, 3), 0)
    found = [np.array(argument_of(point, tensor)) for tensor in layer.tensors]
    labels = [tensor.role == "label" for tensor in layer.tensors]
    return [a if label else a.astype(dtype) for a, label in zip(found, labels, strict=True)]


def worst(found, wanted) -> float:
    return max(relative_error(np.asarray(one), np.asarray(other)) for one, other in zip(found, wanted, strict=True))


def supported() -> list[str]:
    from test_c import SUPPORTED

    return [name for name in LOSSES if name in SUPPORTED]


@pytest.mark.parametrize("name", supported())
def test_the_same_as_one_after_the_other(name):
    for dtype, limit in ((np.float64, 1e-13), (np.float32, 1e-5)):
        arguments = given(name, dtype)
        loss, saved = kernel(name).forward(*arguments)
        one, gradients = kernel(name).forward_backward(*arguments, d_L=-0.7)
        assert worst([one, *gradients], [loss, *kernel(name).backward(saved, -0.7)]) <= limit


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("shape", [(3, 9, 300), (2, 8, 17, 16), (5, 3, 300), (3, 9, 255), (40, 9)], ids=str)
def test_in_cache_or_in_the_order_of_memory(shape, dtype):
    """Eight places of c and 256 of k: from there on, all that lies at a c is swept while it is in cache."""
    random = np.random.default_rng(0)
    x = (random.normal(size=shape) * 3 + 1000).astype(dtype)
    w, beta, t = (random.normal(size=s).astype(dtype) for s in ((shape[1],), (shape[1],), shape))
    limit = 1e-12 if dtype is np.float64 else 2e-6
    for name, more in (("batch_norm_sigmoid_mse", (t,)), ("batch_norm", ())):
        exact = [a.astype(np.float64) for a in (x, w, beta, *more)]
        wanted, kept = kernel(name, "numpy").forward(*exact)
        seeds = () if more else (t.astype(np.float64),)
        theirs = [wanted, *kernel(name, "numpy").backward(kept, *seeds)]
        found, saved = kernel(name).forward(x, w, beta, *more)
        assert worst([found, *kernel(name).backward(saved, *(s.astype(dtype) for s in seeds))], theirs) <= limit
        if more:
            loss, gradients = kernel(name).forward_backward(x, w, beta, t)
            assert worst([loss, *gradients], theirs) <= limit


BITS = """
import sys
import numpy as np
sys.path.insert(0, {folder!r})
import batch_norm_sigmoid_mse as kernel
random = np.random.default_rng(0)
x, t = (random.normal(size=(3, 17, 300)).astype(np.float32) for _ in range(2))
L, found = kernel.forward_backward(x, x[0, :, 0].copy(), x[1, :, 0].copy(), t)
print(L.tobytes().hex(), [hash(each.tobytes()) for each in found])
"""


def test_the_same_bits_for_any_number_of_threads(tmp_path: Path):
    (file,) = pipeline.emit(derived("batch_norm_sigmoid_mse"), ["c"])
    (tmp_path / "batch_norm_sigmoid_mse.py").write_text(file.text, encoding="utf-8")
    command = [sys.executable, "-c", BITS.format(folder=str(tmp_path))]
    found = set()
    for threads in ("1", "2", "3"):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("OMP_NUM_THREADS", threads)
            patch.setenv("PYTHONHASHSEED", "0")
            found.add(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert len(found) == 1


def test_gradients_go_into_given_arrays():
    made = kernel("batch_norm_sigmoid_mse")
    x, w, beta, t = given("batch_norm_sigmoid_mse")
    out = made.Gradients(np.empty_like(x), None, np.empty_like(beta))
    _, found = made.forward_backward(x, w, beta, t, out=out)
    assert found.x is out.x
    assert found.beta is out.beta
    assert np.array_equal(found.w, made.forward_backward(x, w, beta, t)[1].w)
    with pytest.raises(ValueError, match="shares memory"):
        made.forward_backward(x, w, beta, t, out=made.Gradients(x, None, None))


def test_softmax_is_taken_from_the_sum_of_exponentials():
    """One exponential for each element, where the gradient alone would have exp(x - z)."""
    found = pipeline.plan(derived("cross_entropy_labels"))
    (file,) = pipeline.emit(derived("cross_entropy_labels"), ["c"])
    text = next(each.text for each in file.beside if each.path.endswith(".c"))
    together = text[text.index("forward_backward_loops") : text.index("if (failed)")] if "if (failed)" in text else text
    first = together[together.index("if (NO_k)") : together.index("return 0;")]
    assert first.count("sg_exp(") <= 2  # the second: the place of the label once more
    assert any("exp(x[b, v, k] - z[b, k])" in s.formula for s in found.backward.statements)


def test_other_layers_have_no_such_function():
    assert not hasattr(kernel("softmax"), "forward_backward")
    assert not hasattr(kernel(TWO_OUTPUTS), "forward_backward")
    assert float(kernel(COPIED).forward(np.float64(3.0), np.ones(2))[0]) == 3.0


def test_gradients_can_be_left_to_the_backward_pass():
    for name in ("d_x", "d_beta"):
        (file,) = pipeline.emit(derived("batch_norm_sigmoid_mse"), ["c"], Saving(recompute=frozenset((name,))))
        assert "forward_backward" not in file.text
    (file,) = pipeline.emit(derived("batch_norm_sigmoid_mse"), ["c"], Saving(save=frozenset(("d_x",))))
    assert "forward_backward" in file.text
    with pytest.raises(InputError, match="d_t"):
        pipeline.emit(derived("batch_norm_sigmoid_mse"), ["c"], Saving(recompute=frozenset(("d_t",))))


class TestTensors:
    """The differentiable function."""

    torch = None

    @pytest.fixture(autouse=True)
    def _torch(self):
        self.torch = pytest.importorskip("torch")

    def tensors(self, dtype: str = "float64", name: str = "batch_norm_sigmoid_mse") -> list:
        wanted = {tensor.name for tensor in load(name).differentiable}
        made = [self.torch.from_numpy(array) for array in given(name)]
        made = [a if a.dtype == self.torch.int64 else a.to(getattr(self.torch, dtype)) for a in made]
        return [a.requires_grad_(t.name in wanted) for a, t in zip(made, load(name).tensors, strict=True)]

    def calls(self, monkeypatch) -> list[str]:
        made, seen = kernel("batch_norm_sigmoid_mse"), []
        original = made._call
        monkeypatch.setattr(made, "_call", lambda *which: seen.append(which[2]) or original(*which))
        return seen

    def test_the_backward_pass_only_hands_out(self, monkeypatch):
        seen, (x, *others) = self.calls(monkeypatch), self.tensors()
        loss = kernel("batch_norm_sigmoid_mse").batch_norm_sigmoid_mse(x, *others)
        assert seen == ["forward_backward"]
        loss.backward()
        assert seen == ["forward_backward"]
        assert x.grad is not None

    def test_nothing_is_computed_that_nobody_can_ask_for(self, monkeypatch):
        seen, tensors = self.calls(monkeypatch), self.tensors()
        function = kernel("batch_norm_sigmoid_mse").batch_norm_sigmoid_mse
        with self.torch.no_grad():
            function(*tensors)
        function(*(tensor.detach() for tensor in tensors))
        assert seen == ["forward", "forward"]

    def test_in_float16_gradients_wait_for_the_scale(self, monkeypatch):
        """2^-30 is no number of float16, and 2^-30 * 2^16 is one."""
        seen, (x, w, beta, t) = self.calls(monkeypatch), self.tensors("float16")
        w, beta = (p.detach().float().requires_grad_() for p in (w, beta))
        small = (x.detach() * 0.0).requires_grad_()
        loss = kernel("batch_norm_sigmoid_mse").batch_norm_sigmoid_mse(small, w, beta, t)
        assert seen == ["forward"]
        loss.backward(self.torch.tensor(2.0**16, dtype=loss.dtype).clamp(max=60000.0))
        assert seen == ["forward", "forward_backward"]

    def test_a_mixture_is_scaled_before_it_is_rounded(self):
        """With t of float32, float32 is computed with; a gradient becomes float16 when it has its scale."""
        x, w, beta, t = (tensor.detach() for tensor in self.tensors("float32"))
        wide, half = (x.half().to(kind).requires_grad_() for kind in (self.torch.float32, self.torch.float16))
        function, tiny = kernel("batch_norm_sigmoid_mse").batch_norm_sigmoid_mse, w * 2.0**-14
        for each in (wide, half):
            loss = function(each, tiny, beta, t)
            loss.backward(self.torch.tensor(2.0**14, dtype=loss.dtype))
        assert 0 < float(wide.grad.abs().max()) * 2.0**-14 < 2.0**-16  # as float16: few bits, or none
        assert worst([half.grad.float()], [wide.grad]) <= 2.0**-10

    def test_again_through_the_same_graph(self):
        """What the first backward pass has handed out may be changed, and the second is right all the same."""
        x, w, beta, t = self.tensors()
        loss = kernel("batch_norm_sigmoid_mse").batch_norm_sigmoid_mse(x, w, beta, t)
        first = self.torch.autograd.grad(2 * loss, (x, w, beta), retain_graph=True)
        kept = [each.clone() for each in first]
        for each in first:
            each.zero_()
        second = self.torch.autograd.grad(2 * loss, (x, w, beta), retain_graph=True)
        third = self.torch.autograd.grad(-loss, (x, w, beta))
        assert worst(kept, second) <= 1e-13
        assert worst([-2 * each for each in third], kept) <= 1e-13
        with pytest.raises(RuntimeError, match="second time"):
            self.torch.autograd.grad(loss, (x, w, beta))

    def test_what_is_changed_in_place_afterwards_changes_nothing(self):
        x, w, beta, t = self.tensors()
        function = kernel("batch_norm_sigmoid_mse").batch_norm_sigmoid_mse
        wanted = self.torch.autograd.grad(function(x, w, beta, t), (x, w, beta))
        loss = function(x, w, beta, t)
        with self.torch.no_grad():
            t.zero_()
        assert worst(self.torch.autograd.grad(loss, (x, w, beta), retain_graph=True), wanted) <= 1e-13
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            self.torch.autograd.grad(loss, (x, w, beta))

    def test_twice_is_refused_aloud(self):
        x, *others = self.tensors()
        loss = kernel("batch_norm_sigmoid_mse").batch_norm_sigmoid_mse(x, *others)
        (found,) = self.torch.autograd.grad(loss, x, create_graph=True)
        with pytest.raises(NotImplementedError, match="--backend torch"):
            found.sum().backward()

    @pytest.mark.parametrize("name", ["cross_entropy_labels", "mse", "bce_with_logits"])
    def test_gradcheck(self, name):
        assert self.torch.autograd.gradcheck(getattr(kernel(name), name), self.tensors(name=name))

    def test_only_what_is_asked_for_comes_back(self):
        x, w, beta, t = self.tensors()
        loss = kernel("batch_norm_sigmoid_mse").batch_norm_sigmoid_mse(x.detach(), w, beta.detach(), t)
        loss.backward()
        assert x.grad is None
        assert beta.grad is None
        assert w.grad is not None
