"""Kernels that go block by block: the same numbers as in one piece, and results in arrays that are given."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from symgrad import pipeline
from symgrad.check.kernels import argument_of, array_of
from symgrad.check.samples import sensible_point
from symgrad.notation.library import from_text, load
from symgrad.prove.sizes import fitted

GENERATED = Path(__file__).resolve().parents[2] / "generated"
CUT = {
    backend: sorted(path.stem for path in (GENERATED / backend).glob("*.py") if "_in_blocks(" in path.read_text())
    for backend in ("numpy", "torch")
}
"""Layers of which the forward or the backward pass goes block by block."""
CASES = [(backend, name) for backend, names in CUT.items() for name in names]


def emitted(backend, name, block=None):
    path = GENERATED / backend / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"blocks_{backend}_{name}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if block:
        module.BLOCK = block
    return module


def data(name, lengths=(5, 9, 3, 3, 2, 2, 2, 2, 2)):
    layer = load(name)
    sizes = fitted(layer, {axis.name: n for axis, n in zip(layer.axes, lengths, strict=False)})
    at = sensible_point(layer, sizes, seed=1)
    arrays = [argument_of(at, tensor) for tensor in layer.tensors]
    return arrays, [array_of(at, layer.entry(o).indices, f"d_{o}") for o in layer.outputs], layer


def numpy_results(module, arrays, upstream, **more):
    outputs, saved = module.forward(*arrays)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    return [*outputs, *module.backward(saved, *upstream, **more)]


def torch_results(module, arrays, upstream, layer):
    torch = pytest.importorskip("torch")
    given = [torch.from_numpy(a.copy()).requires_grad_(t in layer.differentiable)
             for a, t in zip(arrays, layer.tensors, strict=True)]  # fmt: skip
    outputs = getattr(module, layer.name)(*given)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    seeds = [torch.from_numpy(np.asarray(u)) for u in upstream]
    wanted = [tensor for tensor in given if tensor.requires_grad]
    found = torch.autograd.grad(outputs, wanted, seeds, materialize_grads=True)
    return [value.detach().numpy() for value in (*outputs, *found)]


def results(backend, module, arrays, upstream, layer):
    if backend == "numpy":
        return numpy_results(module, arrays, upstream)
    return torch_results(module, arrays, upstream, layer)


def test_the_layers_that_matter_are_cut():
    wanted = {"batch_norm", "batch_norm_sigmoid_mse", "group_norm", "layer_norm", "rms_norm", "softmax", "log_softmax"}
    for names in CUT.values():
        assert wanted <= set(names)


@pytest.mark.parametrize("block", [1, 40])
@pytest.mark.parametrize(("backend", "name"), CASES)
def test_blocks_give_what_one_piece_gives(backend, name, block):
    arrays, upstream, layer = data(name)
    in_blocks = results(backend, emitted(backend, name, block), arrays, upstream, layer)
    whole = results(backend, emitted(backend, name, 10**9), arrays, upstream, layer)
    for mine, right in zip(in_blocks, whole, strict=True):
        assert np.shape(mine) == np.shape(right)
        np.testing.assert_allclose(mine, right, rtol=1e-12, atol=1e-13)


def test_the_last_block_may_be_smaller(monkeypatch):
    """Seven channels, two or three at a time: as many calls as blocks, and a buffer for each size."""
    module = emitted("numpy", "batch_norm_sigmoid_mse", 6 * 3)
    random = np.random.default_rng(0)
    x, t = random.normal(size=(2, 2, 7, 3))
    calls, inner = [], module._forward_block
    monkeypatch.setattr(module, "_forward_block", lambda x, *rest: calls.append(x.shape[1]) or inner(x, *rest))
    loss, _ = module.forward(x, np.ones(7), np.zeros(7), t)
    assert calls == [3, 3, 1]
    assert loss == pytest.approx(float(emitted("numpy", "batch_norm_sigmoid_mse").forward(
        x, np.ones(7), np.zeros(7), t)[0]), rel=1e-14)  # fmt: skip


def test_a_wrong_block_is_seen():
    text = (GENERATED / "numpy" / "layer_norm.py").read_text()
    wrong = text.replace("whole[place] + part", "part")
    assert wrong != text
    namespace: dict = {"__name__": "wrong"}
    exec(compile(wrong, "wrong", "exec"), namespace)
    namespace["BLOCK"] = 1
    arrays, upstream, _ = data("layer_norm")
    _, saved = namespace["forward"](*arrays)
    right = numpy_results(emitted("numpy", "layer_norm"), arrays, upstream)[2]
    assert not np.allclose(namespace["backward"](saved, *upstream).w, right)


@pytest.mark.parametrize("block", [1, 10**9])
@pytest.mark.parametrize("name", [*CUT["numpy"], "linear", "relu", "mse", "conv2d"])
def test_gradients_are_written_into_given_arrays(name, block):
    arrays, upstream, _ = data(name)
    module = emitted("numpy", name)
    module.BLOCK = block
    _, saved = module.forward(*arrays)
    expected = module.backward(saved, *upstream)
    room = module.Gradients(*(np.full_like(gradient, np.nan) for gradient in expected))
    found = module.backward(saved, *upstream, out=room)
    for into, mine, right in zip(room, found, expected, strict=True):
        assert mine is into
        np.testing.assert_array_equal(into, right)
    one = module.Gradients(*(room[0], *(None for _ in room[1:])))
    room[0][...] = np.nan
    again = module.backward(saved, *upstream, out=one)
    assert again[0] is room[0]
    np.testing.assert_array_equal(again[0], expected[0])


def test_given_arrays_may_lie_in_memory_in_any_way():
    """One whose dimensions cannot be merged without a copy is filled from the copy."""
    module = emitted("numpy", "batch_norm", 1)
    random = np.random.default_rng(0)
    x = random.normal(size=(3, 4, 5, 6))
    room = np.full((3, 4, 6, 5), np.nan).transpose(0, 1, 3, 2)
    y, saved = module.forward(x, np.ones(4), np.zeros(4), out=room)
    assert y is room
    np.testing.assert_array_equal(y, module.forward(x, np.ones(4), np.zeros(4))[0])
    into = module.Gradients(np.full((3, 4, 6, 5), np.nan).transpose(0, 1, 3, 2), None, None)
    found = module.backward(saved, x, out=into)
    np.testing.assert_array_equal(found.x, module.backward(saved, x).x)
    assert found.x is into.x


def test_given_arrays_of_another_shape_or_dtype_are_refused():
    module = emitted("numpy", "batch_norm")
    x = np.ones((3, 4, 5))
    _, saved = module.forward(x, np.ones(4), np.zeros(4))
    for room in (np.empty((4, 3, 5)), np.empty((3, 4, 5), np.float32), np.empty((3, 4))):
        with pytest.raises(ValueError, match="an array of out has"):
            module.backward(saved, x, out=module.Gradients(room, None, None))
        with pytest.raises(ValueError, match="an array of out has"):
            module.forward(x, np.ones(4), np.zeros(4), out=room)


CHOSEN = """
input x[i]
parameter a

y[i] = where(x[i] < a, x[i], 2*x[i]) + maximum(x[i], a) + pow(x[i], a) + sqrt(x[i])
output y
"""
"""Its gradient starts with choices, which are new arrays; powers come into arrays that are there."""


def test_a_results_array_is_not_taken_for_what_bears_its_name_already():
    found = pipeline.check_emitted(pipeline.derive(from_text(CHOSEN)))
    assert found
    assert all(check.passed for check in found), found
