"""NumPy kernels against finite differences, at their edges, and in what they must not touch."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from emitted import OTHERS, layer_of, module_of, shape_of, text_of

GALLERY = ("batch_norm", "sigmoid", "mse", "batch_norm_sigmoid_mse")


def as_tuple(value):
    return value if isinstance(value, tuple) else (value,)


def arrays_of(layer, seed, **sizes):
    from emitted import SIZES

    random = np.random.default_rng(seed)
    found = [random.normal(size=shape_of(t, {**SIZES, **sizes})) for t in layer.tensors]
    for tensor, array in zip(layer.tensors, found, strict=True):
        if tensor.role == "parameter" and array.size > 1:
            array.flat[0] = 0.0  # 0 is a valid parameter
    return found


def worst_difference(module, layer, arrays, seed=1, step=1e-5):
    """The worst error of the gradients against central differences, for a random upstream gradient."""
    random = np.random.default_rng(seed)
    outputs, saved = module.forward(*arrays)
    upstream = [random.normal(size=np.shape(o)) for o in as_tuple(outputs)]
    gradients = module.backward(saved, *upstream)

    def loss():
        return sum(np.sum(o * g) for o, g in zip(as_tuple(module.forward(*arrays)[0]), upstream, strict=True))

    worst = 0.0
    for tensor, array in zip(layer.tensors, arrays, strict=True):
        if tensor.role == "target":
            assert tensor.name not in gradients._fields
            continue
        gradient = np.asarray(getattr(gradients, tensor.name))
        assert gradient.shape == array.shape
        for place in np.ndindex(*array.shape):
            kept = array[place]
            array[place] = kept + step
            above = loss()
            array[place] = kept - step
            below = loss()
            array[place] = kept
            worst = max(worst, abs((above - below) / (2 * step) - gradient[place]))
    return worst


@pytest.mark.parametrize("name", [*GALLERY, *OTHERS])
def test_gradients_agree_with_finite_differences(name):
    layer = layer_of(name)
    assert worst_difference(module_of(name, "numpy"), layer, arrays_of(layer, 0)) < 1e-8


@pytest.mark.parametrize("samples", [1, 3, 4, 7])
@pytest.mark.parametrize("inner", [(), (1,), (2, 3)])
def test_network_at_other_sizes(samples, inner):
    layer = layer_of("batch_norm_sigmoid_mse")
    arrays = arrays_of(layer, 2, s=(samples,), c=(2,), k=inner)
    assert worst_difference(module_of(layer.name, "numpy"), layer, arrays, step=1e-4) < 1e-6


def test_finite_differences_see_a_wrong_gradient():
    text = text_of("batch_norm", "numpy")
    wrong = text.replace("d_x += x_minus_mu", "d_x -= x_minus_mu")
    assert wrong != text
    module = type("Module", (), {})
    namespace: dict = {"__name__": "wrong"}
    exec(compile(wrong, "wrong", "exec"), namespace)
    module.forward, module.backward = staticmethod(namespace["forward"]), staticmethod(namespace["backward"])
    layer = layer_of("batch_norm")
    assert worst_difference(module, layer, arrays_of(layer, 0)) > 1e-3


@pytest.mark.parametrize("name", [*GALLERY, *OTHERS])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_is_kept_and_no_argument_is_written_to(name, dtype):
    layer, module = layer_of(name), module_of(name, "numpy")
    arrays = [array.astype(dtype) for array in arrays_of(layer, 3)]
    before = [array.copy() for array in arrays]
    for array in arrays:
        array.setflags(write=False)
    outputs, saved = module.forward(*arrays)
    upstream = [np.ones(np.shape(o), dtype) for o in as_tuple(outputs)]
    for array in (*upstream, *(s for s in saved if isinstance(s, np.ndarray))):
        array.setflags(write=False)
    first, second = module.backward(saved, *upstream), module.backward(saved, *upstream)
    assert all(np.asarray(o).dtype == dtype for o in as_tuple(outputs))
    assert all(np.asarray(g).dtype == dtype for g in first)
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert all(np.array_equal(a, b) for a, b in zip(arrays, before, strict=True))


def test_arrays_in_any_memory_order_give_the_same():
    layer, module = layer_of("batch_norm"), module_of("batch_norm", "numpy")
    x, w, beta = arrays_of(layer, 4, s=(6,))
    expected, saved = module.forward(x, w, beta)
    d_y = np.random.default_rng(5).normal(size=x.shape)
    gradients = module.backward(saved, d_y)
    for other in (np.asfortranarray(x), np.repeat(x, 2, axis=3)[..., ::2], x[::-1].copy()[::-1]):
        y, kept = module.forward(other, w, beta)
        assert np.allclose(y, expected, rtol=0, atol=1e-14)
        found = module.backward(kept, np.asfortranarray(d_y))
        assert all(np.allclose(a, b, rtol=0, atol=1e-13) for a, b in zip(found, gradients, strict=True))


def test_far_from_zero_float32_is_as_good_as_the_data():
    module = module_of("batch_norm_sigmoid_mse", "numpy")
    random = np.random.default_rng(6)
    shape = (32, 4, 14, 14)
    x = (random.normal(size=shape) + 1e4).astype(np.float32)
    w, beta = random.normal(size=(2, 4)).astype(np.float32)
    t = random.uniform(size=shape).astype(np.float32)
    exact = module.backward(module.forward(*(a.astype(np.float64) for a in (x, w, beta, t)))[1])
    found = module.backward(module.forward(x, w, beta, t)[1])
    for name, a, b in zip(exact._fields, exact, found, strict=True):
        assert np.abs(a - b).max() <= 1e-6 * np.abs(a).max(), name


def test_no_buffer_is_allocated_that_a_free_one_can_stand_for():
    module, shape = module_of("batch_norm_sigmoid_mse", "numpy"), (16, 8, 64, 64)
    x, t = np.random.default_rng(7).normal(size=(2, *shape))
    saved = module.forward(x, np.ones(8), np.ones(8), t)[1]
    tracemalloc.start()
    try:
        module.forward(x, np.ones(8), np.ones(8), t)
        forward = tracemalloc.get_traced_memory()[1] / x.nbytes
        tracemalloc.reset_peak()
        module.backward(saved)
        backward = tracemalloc.get_traced_memory()[1] / x.nbytes
    finally:
        tracemalloc.stop()
    assert forward < 1.1  # x - mu, y, z and z - t, one after the other
    assert backward < 3.1  # x - mu; y, z and 1 - z; d_z, d_y and d_x


def test_sigmoid_at_the_ends_and_without_dimensions():
    module = module_of("sigmoid", "numpy")
    z, saved = module.forward(np.array([-1e4, 0.0, 1e4], np.float32))
    assert z.tolist() == [0.0, 0.5, 1.0]
    assert module.backward(saved, np.ones(3, np.float32)).y.tolist() == [0.0, 0.25, 0.0]
    z, saved = module.forward(np.array(0.0))
    assert z == 0.5
    assert module.backward(saved, np.array(2.0)).y == 0.5


def test_one_element_and_zero_variance_give_finite_gradients():
    module = module_of("batch_norm_sigmoid_mse", "numpy")
    for shape in ((1, 2), (3, 2, 4)):
        x = np.full(shape, 7.0, np.float32)
        _, saved = module.forward(x, np.zeros(2, np.float32), np.ones(2, np.float32), np.zeros(shape, np.float32))
        assert all(np.isfinite(g).all() for g in module.backward(saved))


@pytest.mark.parametrize("dtype", [np.int64, np.float16, bool])
def test_other_dtypes_are_refused(dtype):
    with pytest.raises(TypeError, match="all arrays must be float32 or float64, one dtype for all: x is"):
        module_of("batch_norm", "numpy").forward(np.ones((3, 2), dtype), np.ones(2), np.ones(2))


def test_mixed_dtypes_and_wrong_shapes_are_refused():
    module = module_of("batch_norm", "numpy")
    x, w = np.ones((3, 2), np.float32), np.ones(2, np.float32)
    with pytest.raises(TypeError, match="beta is float64"):
        module.forward(x, w, np.ones(2))
    with pytest.raises(ValueError, match=r"beta\[c\] must have the shape \(2,\), not \(3,\)"):
        module.forward(x, w, np.ones(3, np.float32))
    with pytest.raises(ValueError, match=r"x\[s, c, k...\] must have at least 2 dimensions, not 1"):
        module.forward(w, w, w)
    with pytest.raises(ValueError, match=r"x\[s, c, k...\] is empty"):
        module.forward(x[:0], w, w)
    _, saved = module.forward(x, w, w)
    with pytest.raises(ValueError, match=r"d_y\[s, c, k...\] must have the shape \(3, 2\)"):
        module.backward(saved, np.ones((2, 3), np.float32))
    with pytest.raises(TypeError, match="all arrays must be float32, one dtype for all: d_y is float64"):
        module.backward(saved, np.ones((3, 2)))


def test_the_files_stand_alone():
    for name in GALLERY:
        text = text_of(name, "numpy")
        imports = {line for line in text.splitlines() if line.startswith(("import ", "from "))}
        assert imports <= {"import math", "import numpy as np", "from typing import NamedTuple"}
        assert max(map(len, text.splitlines())) <= 120
