"""bfloat16 and float16 in the loops of the C backend: read and written where they lie, computed with in float32."""

from __future__ import annotations

import shutil
import threading
from functools import cache
from types import ModuleType

import numpy as np
import pytest

from symgrad import pipeline
from symgrad.check.kernels import argument_of, load_kernel, relative_error, sizes_of
from symgrad.check.samples import sensible_point
from symgrad.notation.library import from_text, load
from symgrad.render.kernels.c_half import elements

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler: apt-get install gcc")
LAYERS = {
    "shifted": "input x[b, i]\nparameter w[i]\ny[b, i] = x[b, i] + w[i]\noutput y",
    "scaled": "input x[b, i]\nparameter w[i]\ny[b, i] = x[b, i] * w[i]\noutput y",
    "outer": "input a[i], b[j]\ny[i, j] = a[i] * b[j]\noutput y",
    "alone": "input x, u\ny = x * u\noutput y",
}
UNITS = {torch.bfloat16: 2.0**-8, torch.float16: 2.0**-11}
HALVES = tuple(UNITS)


@pytest.fixture(autouse=True, scope="module")
def private_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


def layer_of(name: str):
    return from_text(LAYERS[name], name) if name in LAYERS else load(name)


@cache
def module(name: str, backend: str = "c") -> ModuleType:
    return load_kernel(pipeline.emit(pipeline.derive(layer_of(name)), [backend])[0])


def supported() -> tuple[str, ...]:
    from test_c import SUPPORTED

    return SUPPORTED


def given(name: str, dtype: torch.dtype) -> list[torch.Tensor]:
    """Arguments: the largest in a dtype, the others in float32; those that get gradients require them."""
    layer = layer_of(name)
    large = elements(pipeline.plan(pipeline.derive(layer)))
    point = sensible_point(layer, sizes_of(layer, 3), 0)
    tensors = []
    for tensor in layer.tensors:
        made = torch.from_numpy(np.array(argument_of(point, tensor)))
        if tensor.role != "label":
            made = made.to(dtype).to(dtype if tensor.name in large else torch.float32)
        tensors.append(made.requires_grad_(tensor in layer.differentiable))
    return tensors


def results(function, tensors: list[torch.Tensor], dtype: torch.dtype | None) -> list[torch.Tensor]:
    """Outputs and gradients; the upstream gradients are numbers of a half type, in a dtype or the outputs' own."""
    outputs = function(*tensors)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    random = torch.Generator().manual_seed(1)
    seeds = [torch.randn(o.shape, generator=random).to(torch.bfloat16).to(dtype or o.dtype) for o in outputs]
    wanted = [tensor for tensor in tensors if tensor.requires_grad]
    return [*(o.detach() for o in outputs), *torch.autograd.grad(outputs, wanted, seeds)]


def exact(name: str, tensors: list[torch.Tensor]) -> list[torch.Tensor]:
    """What plain torch finds for the same numbers in float64."""
    wide = [t.detach().double().requires_grad_(t.requires_grad) if t.is_floating_point() else t for t in tensors]
    return results(getattr(module(name, "torch"), name), wide, torch.float64)


def types_of_calls(kernel: ModuleType, monkeypatch) -> list[str]:
    """The names of the types that C is called with from now on."""
    seen: list[str] = []
    original = kernel._call
    monkeypatch.setattr(kernel, "_call", lambda *which: seen.append(which[0].name) or original(*which))
    return seen


@pytest.mark.parametrize("name", supported())
def test_every_result_is_the_exact_one_rounded(name, monkeypatch):
    """Of a half type, each number by itself; where the backward pass reads a rounded output, the largest error.

    Gradients that wait for an upstream gradient are rounded once more when they are multiplied by it.
    """
    dtype = torch.float16 if len(name) % 4 == 1 and name != "gaussian_nll" else torch.bfloat16
    kernel, tensors = module(name), given(name, dtype)
    seen = types_of_calls(kernel, monkeypatch)
    found, wanted = results(getattr(kernel, name), tensors, None), exact(name, tensors)
    assert set(seen) == {{torch.bfloat16: "int16", torch.float16: "float16"}[dtype]}
    waits = hasattr(kernel, "forward_backward") and dtype is torch.bfloat16
    reads_output = bool(set(kernel.Saved._fields) & set(layer_of(name).outputs))
    for one, other in zip(found, wanted, strict=True):
        if reads_output:
            assert relative_error(one.double().numpy(), other.numpy()) <= 2 * UNITS[dtype]
        else:
            unit = UNITS[dtype] * (2 if waits else 1) if one.dtype == dtype else 2e-6
            tiny = 2e-6 * float(other.abs().max()) + (2.0**-25 if dtype is torch.float16 else 0.0)
            assert bool(((one.double() - other).abs() <= unit * other.abs() + tiny).all())


def test_every_number_is_read_exactly():
    """The sum over one row is that row, in float32; NaN and infinities too."""
    every = torch.arange(65536, dtype=torch.int32).to(torch.int16)
    w = torch.zeros(65536, requires_grad=True)
    for dtype in HALVES:
        x = every.view(dtype)[None]
        y = module("shifted").shifted(x, w)
        (found,) = torch.autograd.grad(y, w, x)
        assert np.array_equal(found.numpy(), x[0].float().numpy(), equal_nan=True)


def test_every_number_is_rounded_as_torch_rounds_it():
    """0 + w in float32, for w near every number of the half type, and others; what is too large is infinite."""
    bits = np.random.default_rng(0).integers(0, 1 << 32, 1 << 20, dtype=np.uint64).astype(np.uint32)
    halves = np.arange(65536, dtype=np.uint32)
    for dtype in HALVES:
        exact = torch.from_numpy(halves.astype(np.uint16).view(np.int16)).view(dtype).float().numpy().view(np.uint32)
        numbers = exact.view(np.float32)
        with np.errstate(invalid="ignore"):
            middle = (numbers / 2 + np.roll(numbers, -1) / 2).view(np.uint32)  # half way to the next
        near = [exact, middle, middle + 1, middle - 1]
        w = torch.from_numpy(np.concatenate([bits, *near]).view(np.float32))
        y = module("shifted").shifted(torch.full((1, len(w)), -0.0, dtype=dtype), w)[0]
        assert y.dtype == dtype
        wanted, is_number = w.to(dtype), ~w.isnan()
        assert torch.equal(y.view(torch.int16)[is_number], wanted.view(torch.int16)[is_number])
        assert bool(y[~is_number].isnan().all())


@pytest.mark.parametrize("dtype", HALVES)
def test_tensors_are_read_and_written_where_they_lie(dtype, monkeypatch):
    kernel, arguments = module("layer_norm"), []
    original = kernel._call
    monkeypatch.setattr(kernel, "_call", lambda *which: arguments.append(which[3]) or original(*which))
    x, w, beta = given("layer_norm", dtype)
    y = kernel.layer_norm(x, w, beta)
    for tensor in (x, w, beta, y):
        assert tensor.data_ptr().to_bytes(8, "little") in arguments[0]
    d_y = torch.ones_like(y)
    d_x, d_w, _ = torch.autograd.grad(y, [x, w, beta], d_y)
    for tensor in (x, w, d_y, d_x, d_w):
        assert tensor.data_ptr().to_bytes(8, "little") in arguments[1]
    assert d_x.dtype == dtype
    assert d_w.dtype == torch.float32


def test_other_mixtures_are_computed_in_float32_or_float64(monkeypatch):
    kernel = module("batch_norm_sigmoid_mse")
    seen = types_of_calls(kernel, monkeypatch)
    x, w, beta, t = given("batch_norm_sigmoid_mse", torch.bfloat16)
    exactly = exact("batch_norm_sigmoid_mse", [x, w, beta, t])
    mixtures = {
        "int16": (torch.bfloat16,) * 4,
        "float32": (torch.bfloat16, torch.float32, torch.bfloat16, torch.float16),
        "float64": (torch.bfloat16, torch.float64, torch.float32, torch.bfloat16),
    }
    for name, dtypes in mixtures.items():
        tensors = [a.detach().to(d).requires_grad_(a is not t) for a, d in zip((x, w, beta, t), dtypes, strict=True)]
        found = results(kernel.batch_norm_sigmoid_mse, tensors, None)
        assert set(seen) == {name}
        seen.clear()
        assert [each.dtype for each in found] == [torch.bfloat16, *dtypes[:3]]
        for one, other in zip(found, exactly, strict=True):
            assert relative_error(one.double().numpy(), other.numpy()) <= 2**-8


@pytest.mark.parametrize("dtype", HALVES)
def test_channels_last_is_read_as_it_lies(dtype, monkeypatch):
    kernel, called = module("batch_norm"), []
    original = kernel._call
    monkeypatch.setattr(kernel, "_call", lambda *which: called.append(which[:2]) or original(*which))
    random = torch.Generator().manual_seed(0)
    x = torch.randn(3, 5, 4, 6, generator=random).to(dtype)
    w, beta = torch.rand(2, 5, generator=random)
    found = []
    for form in (torch.channels_last, torch.contiguous_format):
        tensors = [x.contiguous(memory_format=form).requires_grad_(), w, beta]
        found.append(results(kernel.batch_norm, tensors, None))
        assert all(each.is_contiguous(memory_format=form) for each in found[-1])
    assert [last for _, (last, *_) in called] == [True, True, False, False]
    assert len({kind for kind, _ in called}) == 1
    for one, other in zip(*found, strict=True):
        assert relative_error(one.double().numpy(), other.double().numpy()) <= UNITS[dtype]


def test_arrays_of_float16_beside_parameters_of_float32():
    kernel = module("layer_norm")
    random = np.random.default_rng(0)
    x, d_y = (random.normal(size=(4, 6)).astype(np.float16) for _ in range(2))
    w, beta = (random.normal(size=6).astype(np.float32) for _ in range(2))
    wide = kernel.forward(*(a.astype(np.float64) for a in (x, w, beta)))
    wanted = (wide[0], *kernel.backward(wide[1], d_y.astype(np.float64)))
    room = np.empty_like(x)
    y, saved = kernel.forward(x, w, beta, out=room)
    assert y is room
    out = kernel.Gradients(np.empty_like(x), None, np.empty_like(w))
    found = kernel.backward(saved, d_y, out=out)
    assert found.x is out.x
    assert found.beta is out.beta
    assert [a.dtype for a in found] == [np.float16, np.float32, np.float32]
    for one, other in zip((y, *found), wanted, strict=True):
        assert relative_error(one, other) <= (2**-11 if one.dtype == np.float16 else 1e-6)
    with pytest.raises(TypeError, match=r"beside large arrays of float16, small ones are float32: .*w must be float32"):
        kernel.forward(x, w.astype(np.float16), beta.astype(np.float16))
    with pytest.raises(TypeError, match="d_y must be float16, not float32"):
        kernel.backward(saved, d_y.astype(np.float32))
    with pytest.raises(ValueError, match=r"out\.w must be an array float32"):
        kernel.backward(saved, d_y, out=kernel.Gradients(None, np.empty(6, np.float16), None))
    with pytest.raises(TypeError, match="x is int16"):
        kernel.forward(x.view(np.int16), w, beta)


def test_what_is_saved_may_be_small_only():
    """Of rope's arguments the backward pass needs the angles; the gradients given to it say which type it is."""
    kernel = module("rope")
    layer = layer_of("rope")
    point = sensible_point(layer, sizes_of(layer, 3), 0)
    x, y, angle = (argument_of(point, tensor) for tensor in layer.tensors)
    (u, v), wide = kernel.forward(x, y, angle)
    wanted = kernel.backward(wide, u, v)
    half, other = (a.astype(np.float16) for a in (x, y))
    _, saved = kernel.forward(half, other, angle.astype(np.float32))
    found = kernel.backward(saved, u.astype(np.float16), v.astype(np.float16))
    for one, exactly in zip(found, wanted, strict=True):
        assert one.dtype == np.float16
        assert relative_error(one, exactly) <= 2**-9
    with pytest.raises(TypeError, match="all arrays must be float64, one dtype for all: d_u is float16"):
        kernel.backward(wide, u.astype(np.float16), v.astype(np.float16))


def test_bfloat16_of_ml_dtypes():
    bfloat16 = pytest.importorskip("ml_dtypes", reason="no ml_dtypes: pip install ml_dtypes").bfloat16
    kernel = module("rms_norm")
    x = np.random.default_rng(0).normal(size=(4, 6)).astype(bfloat16)
    w = np.linspace(0.5, 2, 6, dtype=np.float32)
    y, saved = kernel.forward(x, w, out=np.empty_like(x))
    found = kernel.backward(saved, x)
    wide = kernel.forward(x.astype(np.float64), w.astype(np.float64))
    wanted = (wide[0], *kernel.backward(wide[1], x.astype(np.float64)))
    assert [a.dtype for a in (y, *found)] == [bfloat16, bfloat16, np.float32]
    for one, other in zip((y, *found), wanted, strict=True):
        assert relative_error(one.astype(np.float64), other) <= (1e-6 if one.dtype == np.float32 else 2**-8)


def test_gradients_that_are_the_upstream_one_are_the_same_numbers():
    x, w = torch.randn(3, 4).to(torch.bfloat16).requires_grad_(), torch.rand(4)
    y = module("shifted").shifted(x, w)
    d_y = torch.tensor([float("nan"), float("inf"), -0.0, 1e-40]).to(torch.bfloat16).expand(3, 4)
    (d_x,) = torch.autograd.grad(y, x, d_y)
    assert bool(d_x[:, 0].isnan().all())
    assert torch.equal(d_x.view(torch.int16)[:, 1:], d_y.contiguous().view(torch.int16)[:, 1:])
    assert d_x.data_ptr() != d_y.data_ptr()


@pytest.mark.parametrize("dtype", HALVES)
def test_a_large_mean_costs_nothing(dtype):
    """Gradients of parameters, which are float32, are as exact as for float32."""
    random = torch.Generator().manual_seed(0)
    x = (torch.randn(16, 8, 40, 41, generator=random) + 100).to(dtype).requires_grad_()
    w, beta = (torch.rand(8, generator=random).requires_grad_() for _ in range(2))
    tensors = [x, w, beta, torch.rand(16, 8, 40, 41, generator=random).to(dtype)]
    loss = module("batch_norm_sigmoid_mse").batch_norm_sigmoid_mse(*tensors)
    found = torch.autograd.grad(loss, tensors[1:3], torch.tensor(1024.0, dtype=dtype))
    wide = [t.detach().double().requires_grad_() for t in tensors]
    exactly = torch.autograd.grad(module("batch_norm_sigmoid_mse", "torch").batch_norm_sigmoid_mse(*wide), wide[1:3])
    for one, other in zip(found, exactly, strict=True):
        assert relative_error(one.double().numpy(), 1024 * other.numpy()) <= 1e-6


def test_layers_without_large_inputs_are_computed_in_float32(monkeypatch):
    for name, shapes in (("outer", [(3,), (4,)]), ("alone", [(), ()])):
        kernel = module(name)
        seen = types_of_calls(kernel, monkeypatch)
        tensors = [torch.full(shape, 1.5, dtype=torch.bfloat16, requires_grad=True) for shape in shapes]
        assert {each.dtype for each in results(getattr(kernel, name), tensors, None)} == {torch.bfloat16}
        assert set(seen) == {"float32"}


def test_types_are_compiled_when_they_first_come(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    kernel = load_kernel(pipeline.emit(pipeline.derive(layer_of("scaled")), ["c"])[0])
    libraries = tmp_path / "symgrad" / "kernels"
    for count, dtype in enumerate((torch.float32, torch.bfloat16, torch.bfloat16, torch.float16)):
        kernel.scaled(torch.ones(2, 3, dtype=dtype), torch.ones(3))
        for thread in set(threading.enumerate()) - {threading.current_thread()}:
            thread.join(60)  # the backward pass is compiled meanwhile
        assert len(list(libraries.iterdir())) == (2, 4, 4, 6)[count]
    kernel.prepare("float32", "bfloat16", "float16")
    assert len(list(libraries.iterdir())) == 6
