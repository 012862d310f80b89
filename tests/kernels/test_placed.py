"""Kernels of layers with shifted entries and labels, at other constants than the default ones, against torch."""

from __future__ import annotations

import pytest
from emitted import module_of

torch = pytest.importorskip("torch")
F = torch.nn.functional


def drawn(*shape, seed=0):
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def gradients(function, *tensors):
    leaves = [t.detach().clone().requires_grad_() for t in tensors]
    y = function(*leaves)
    return y.detach(), torch.autograd.grad(y, leaves, drawn(*y.shape, seed=9))


def in_numpy(name, *tensors, labels=(), **constants):
    module = module_of(name, "numpy")
    y, saved = module.forward(*(t.numpy() for t in (*tensors, *labels)), **constants)
    found = module.backward(saved, drawn(*y.shape, seed=9).numpy())
    return torch.from_numpy(y), [torch.from_numpy(g) for g in found]


def same(found, wanted):
    y, gradient = found
    assert torch.allclose(y, wanted[0], rtol=1e-12, atol=1e-13)
    for one, other in zip(gradient, wanted[1], strict=True):
        assert torch.allclose(one, other, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(("stride", "padding"), [(1, 0), (2, 0), (1, 1), (2, 1), (3, 2), (1, 4)])
def test_convolutions(stride, padding):
    constants = {"stride": stride, "padding": padding}
    for name, torchs, inner, kernel in (("conv1d", F.conv1d, (7,), (3,)), ("conv2d", F.conv2d, (6, 5), (3, 2))):
        tensors = drawn(2, 3, *inner), drawn(4, 3, *kernel, seed=1), drawn(4, seed=2)
        wanted = gradients(lambda *t, torchs=torchs: torchs(*t, **constants), *tensors)
        emitted = getattr(module_of(name, "torch"), name)
        same(gradients(lambda *t, emitted=emitted: emitted(*t, **constants), *tensors), wanted)
        same(in_numpy(name, *tensors, **constants), wanted)


@pytest.mark.parametrize(("window", "stride"), [(2, 2), (3, 1), (3, 2), (1, 1), (2, 3)])
@pytest.mark.parametrize(("name", "torchs"), [("avg_pool", F.avg_pool2d), ("max_pool", F.max_pool2d)])
def test_pools(name, torchs, window, stride):
    x = drawn(2, 3, 7, 6)
    wanted = gradients(lambda x: torchs(x, window, stride), x)
    emitted = getattr(module_of(name, "torch"), name)
    same(gradients(lambda x: emitted(x, window=window, stride=stride), x), wanted)
    same(in_numpy(name, x, window=window, stride=stride), wanted)


@pytest.mark.parametrize("radius", [0, 1, 2, 5])
def test_local_response(radius):
    x, constants = drawn(2, 4, 3), {"alpha": 0.3, "beta": 0.6, "bias": 2.0}
    wanted = gradients(lambda x: F.local_response_norm(x, 2 * radius + 1, 0.3, 0.6, 2.0), x)
    emitted = module_of("local_response_norm", "torch").local_response_norm
    same(gradients(lambda x: emitted(x, radius=radius, **constants), x), wanted)
    same(in_numpy("local_response_norm", x, radius=radius, **constants), wanted)


@pytest.mark.parametrize("shape", [(), (1,), (5,), (2, 3)])
def test_an_embedding_of_repeated_labels(shape):
    weight, labels = drawn(4, 3), torch.randint(0, 3, shape, generator=torch.Generator().manual_seed(0))
    wanted = gradients(lambda w: F.embedding(labels, w), weight)
    emitted = module_of("embedding", "torch").embedding
    same(gradients(lambda w: emitted(w, labels), weight), wanted)
    same(gradients(lambda w: emitted(w, labels.to(torch.int32)), weight), wanted)
    same(in_numpy("embedding", weight, labels=(labels,)), wanted)


LAYERS = {
    "conv1d": (2, 3, 6), "conv2d": (1, 2, 4, 4), "avg_pool": (1, 2, 4, 4), "max_pool": (1, 2, 4, 4),
    "local_response_norm": (2, 3, 2),
}  # fmt: skip


@pytest.mark.parametrize("name", LAYERS)
def test_derivatives_of_every_order_and_batches(name):
    x, more = drawn(*LAYERS[name]), ()
    if name.startswith("conv"):
        more = drawn(2, x.shape[1], *(2 for _ in x.shape[2:]), seed=1), drawn(2, seed=2)
    constants = {"stride": 2, "padding": 1} if more else {}
    emitted = getattr(module_of(name, "torch"), name)
    leaves = [t.requires_grad_() for t in (x, *more)]
    assert torch.autograd.gradcheck(lambda *t: emitted(*t, **constants), leaves)
    assert torch.autograd.gradgradcheck(lambda *t: emitted(*t, **constants), leaves)
    many = drawn(3, *x.shape, seed=4)
    per_sample = torch.func.vmap(torch.func.grad(lambda x: emitted(x, *more, **constants).square().sum()))(many)
    for one, each in zip(per_sample, many, strict=True):
        wanted = torch.func.grad(lambda x: emitted(x, *more, **constants).square().sum())(each)
        assert torch.allclose(one, wanted, rtol=1e-12, atol=1e-13)


def test_second_derivatives_of_losses_of_labels():
    x, t = drawn(4, 3, 2).requires_grad_(), torch.tensor([[0, 1], [2, 2], [1, 0], [2, 1]])
    for name in ("nll", "cross_entropy_labels"):
        emitted = getattr(module_of(name, "torch"), name)
        assert torch.autograd.gradcheck(lambda x, emitted=emitted: emitted(x, t), x)
        assert torch.autograd.gradgradcheck(lambda x, emitted=emitted: emitted(x, t), x)


@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_what_does_not_fit_is_refused(backend):
    def call(name, *tensors, **constants):
        module = module_of(name, backend)
        if backend == "torch":
            return getattr(module, name)(*tensors, **constants)
        return module.forward(*(t.numpy() for t in tensors), **constants)

    x, weight, bias = drawn(2, 3, 4), drawn(2, 3, 3), drawn(2)
    with pytest.raises(ValueError, match="no position fits: there is room for -2 steps of 1"):
        call("conv1d", x[..., :1], weight, bias)
    with pytest.raises(ValueError, match="no position fits: there is room for 1 steps of 0"):
        call("conv1d", x, weight, bias, stride=0)
    with pytest.raises(TypeError, match="stride must be a whole number, not"):
        call("conv1d", x, weight, bias, stride=1.5)
    with pytest.raises(TypeError, match="whole numbers, not"):
        call("nll", x, torch.zeros(2, 4))
    for label in (3, -1):
        with pytest.raises((ValueError, IndexError), match=r"must lie from 0 to 2|out of (range|bounds)"):
            call("nll", x, torch.full((2, 4), label))
        with pytest.raises((ValueError, IndexError), match=r"must lie from 0 to 1|out of (range|bounds)"):
            call("embedding", drawn(2, 3), torch.tensor([label]))
    with pytest.raises(ValueError, match="must have the shape"):
        call("nll", x, torch.zeros(2, 3, dtype=torch.int64))


SHARED = """input x[i, j]
parameter w[k]
y[i] = sum[k](w[k] * pad(x[i, i + k - 1]))
output y"""


@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_a_letter_in_two_places(backend, tmp_path):
    """The diagonals beside the main one: i stands by itself and in a place."""
    from symgrad import pipeline
    from symgrad.check.kernels import load_kernel
    from symgrad.notation.library import from_text

    (file,) = pipeline.emit(pipeline.derive(from_text(SHARED, "shared")), [backend])
    module, x, w = load_kernel(file), drawn(5, 3), drawn(2, seed=1)

    def plain(x, w):
        rows = []
        for i in range(5):
            inside = [(k, i + k - 1) for k in range(2) if 0 <= i + k - 1 < 3]
            rows.append(sum((w[k] * x[i, j] for k, j in inside), torch.zeros((), dtype=torch.float64)))
        return torch.stack(rows)

    wanted = gradients(plain, x, w)
    if backend == "torch":
        same(gradients(module.shared, x, w), wanted)
        return
    y, saved = module.forward(x.numpy(), w.numpy())
    same((torch.from_numpy(y), [torch.from_numpy(g) for g in module.backward(saved, drawn(5, seed=9).numpy())]), wanted)
