"""The JAX backend: the same numbers as NumPy's in both modes and at second order, under jit and vmap."""

from __future__ import annotations

import re
from functools import cache
from types import ModuleType
from typing import NamedTuple

import numpy as np
import pytest
from nodes import BY_NAME, adjoints, plan_of
from nodes import module_of as module_of_node

from symgrad import pipeline
from symgrad.check.kernels import argument_of, array_of, load_kernel, relative_error, sizes_of
from symgrad.check.samples import sensible_point
from symgrad.derive.tangents import derive_tangents
from symgrad.notation.library import from_text, gallery, load
from symgrad.plan.forward_mode import with_tangents
from symgrad.plan.guess import Guess
from symgrad.render.kernels import render
from symgrad.render.kernels.records import Rendered

jax = pytest.importorskip("jax", reason="needs JAX: pip install 'symgrad[jax]'")
jnp = jax.numpy
FAST = {"xla_backend_optimization_level": 0}
"""These programs run once: compiling them is what takes the time."""
STEP = 1e-5
"""Of central differences."""


@pytest.fixture(autouse=True)
def x64():
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", False)


class Case(NamedTuple):
    """A layer's function of what gets gradients, the place where it is taken, and NumPy's results there.

    `changes` is how fast the gradients move along the directions, by central differences.
    """

    function: object
    inputs: tuple
    upstream: tuple
    directions: tuple
    outputs: tuple
    gradients: tuple
    changes: tuple


def as_tuple(value):
    return value if isinstance(value, tuple) else (value,)


def case(layer, module, numpy, seed=0) -> Case:
    point = sensible_point(layer, sizes_of(layer), seed)
    arguments = [argument_of(point, tensor) for tensor in layer.tensors]
    upstream = tuple(array_of(point, layer.entry(name).indices, f"d_{name}") for name in layer.outputs)
    places = [n for n, tensor in enumerate(layer.tensors) if tensor in layer.differentiable]
    inputs = tuple(arguments[n] for n in places)

    def function(*values):
        given = dict(enumerate(arguments)) | dict(zip(places, values, strict=True))
        return as_tuple(getattr(module, layer.name)(*given.values()))

    random = np.random.default_rng(seed)
    directions = tuple(random.normal(size=np.shape(value)) for value in inputs)

    def results(step):
        moved = {n: x + step * d for n, x, d in zip(places, inputs, directions, strict=True)}
        with np.errstate(all="ignore"):
            outputs, saved = numpy.forward(*(dict(enumerate(arguments)) | moved).values())
            return as_tuple(outputs), tuple(numpy.backward(saved, *upstream))

    outputs, gradients = results(0)
    changes = tuple((a - b) / (2 * STEP) for a, b in zip(results(STEP)[1], results(-STEP)[1], strict=True))
    return Case(function, inputs, upstream, directions, outputs, gradients, changes)


def derivatives(function, inputs, upstream, directions):
    """Outputs, gradients, tangents, and how fast the gradients move."""
    outputs, tangents = jax.jvp(function, inputs, directions)
    gradients, changes = jax.jvp(lambda *values: jax.vjp(function, *values)[1](upstream), inputs, directions)
    return outputs, gradients, tangents, changes


def inner(left, right) -> float:
    return sum(float(np.vdot(a, b)) for a, b in zip(left, right, strict=True))


def errors(found: Case) -> dict[str, float]:
    """How far off everything is, relative to the largest value; second derivatives may be 0 but for rounding."""
    compiled = jax.jit(derivatives, static_argnums=0, compiler_options=FAST)
    outputs, gradients, tangents, changes = compiled(found.function, found.inputs, found.upstream, found.directions)
    left, right = inner(found.upstream, tangents), inner(gradients, found.directions)
    size = inner(map(np.abs, found.gradients), map(np.abs, found.directions))
    return {
        "outputs": max(map(relative_error, outputs, found.outputs)),
        "gradients": max(map(relative_error, gradients, found.gradients)),
        "tangents": abs(left - right) / max(size, 1e-3),
        "second": max(
            np.abs(a - b).max() / max(1, np.abs(b).max()) for a, b in zip(changes, found.changes, strict=True)
        ),
    }


@cache
def module_of(name: str, backend: str, root) -> ModuleType:
    """A checked-in kernel; that it is what would be emitted, tests/test_generated.py says."""
    path = f"{backend}/{name}.py"
    return load_kernel(Rendered(path, (root / "generated" / path).read_text(encoding="utf-8"), ""))


@pytest.mark.parametrize("name", gallery())
def test_the_gallery_in_both_modes_and_at_second_order(name, root):
    found = errors(case(load(name), module_of(name, "jax", root), module_of(name, "numpy", root)))
    assert all(error < (1e-7 if what == "second" else 1e-12) for what, error in found.items()), found


@cache
def node_module(name: str) -> ModuleType:
    layer, guess = BY_NAME[name], Guess()
    tangents = adjoints(derive_tangents(layer, [tensor.name for tensor in layer.differentiable]))
    plan = with_tangents(plan_of(name), tangents, lambda left, right, layer: not guess.differ(layer, left, right))
    return load_kernel(render(plan, "jax"))


@pytest.mark.parametrize("name", sorted(BY_NAME))
def test_every_node(name):
    found = errors(case(BY_NAME[name], node_module(name), module_of_node(name, "numpy")))
    assert all(error < (1e-7 if what == "second" else 1e-11) for what, error in found.items()), found


def test_a_wrong_rule_is_seen(root):
    text = (root / "generated/jax/batch_norm.py").read_text(encoding="utf-8")
    for right, wrong, seen in (
        ("dot_var = 2 *", "dot_var = 1 *", "gradients"),
        ("dot_mu = dot_x.sum", "dot_mu = 2 * dot_x.sum", "gradients"),
        (".astype(var.dtype)", ".astype(var.dtype) * 2", "second"),
    ):
        assert text.count(right) == 1
        module = load_kernel(Rendered("jax/batch_norm.py", text.replace(right, wrong), ""))
        found = errors(case(load("batch_norm"), module, module_of("batch_norm", "numpy", root)))
        assert found[seen] > 1e-3, (right, found)


@pytest.mark.parametrize("name", ["batch_norm", "cross_entropy_labels", "conv1d", "max_pool", "lstm_cell"])
def test_vmap_is_one_after_the_other(name, root):
    layer, module = load(name), module_of(name, "jax", root)
    points = [sensible_point(layer, sizes_of(layer), seed) for seed in range(3)]
    batch = [[argument_of(point, tensor) for tensor in layer.tensors] for point in points]
    wanted = layer.tensors.index(layer.differentiable[0])

    def total(*arguments):
        return sum(jnp.sum(output**2) for output in as_tuple(getattr(module, name)(*arguments)))

    gradient = jax.jit(jax.grad(total, wanted), compiler_options=FAST)
    mapped = jax.jit(jax.vmap(jax.grad(total, wanted)), compiler_options=FAST)(*map(np.stack, zip(*batch, strict=True)))
    assert relative_error(mapped, np.stack([gradient(*arguments) for arguments in batch])) < 1e-13


@pytest.mark.parametrize("name", ["softmax", "batch_norm_sigmoid_mse"])
def test_finite_differences_agree_without_jit(name, root):
    from jax.test_util import check_grads

    found = case(load(name), module_of(name, "jax", root), module_of(name, "numpy", root))
    check_grads(found.function, found.inputs, order=2, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", ["batch_norm_sigmoid_mse", "layer_norm", "gelu", "softmax", "cross_entropy_labels"])
def test_reverse_mode_keeps_no_more_than_the_torch_kernel(name, root):
    found = case(load(name), module_of(name, "jax", root), module_of(name, "numpy", root))
    layer, plan = load(name), pipeline.plan(pipeline.derive(load(name)))
    sizes = sizes_of(layer)
    torch = sum(np.prod([sizes[index.axis] for index in plan.indices(saved)], dtype=int) for saved in plan.saved)
    kept = jax.tree.leaves(jax.vjp(found.function, *found.inputs)[1])
    assert 0 < sum(array.size for array in kept) <= torch


@pytest.mark.parametrize("name", ["batch_norm", "cross_entropy_labels", "conv1d"])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_results_have_the_dtype_of_the_inputs(name, dtype, root):
    jax.config.update("jax_enable_x64", False)
    layer, module = load(name), module_of(name, "jax", root)
    point = sensible_point(layer, sizes_of(layer))
    exact = [argument_of(point, tensor) for tensor in layer.tensors]
    given = [x if t.role == "label" else jnp.asarray(x, dtype) for x, t in zip(exact, layer.tensors, strict=True)]
    places = [n for n, tensor in enumerate(layer.tensors) if tensor in layer.differentiable]

    def both(*arguments):
        outputs, pull = jax.vjp(lambda *values: as_tuple(getattr(module, name)(*values)), *arguments)
        return outputs, [pull(tuple(map(jnp.ones_like, outputs)))[n] for n in places]

    outputs, gradients = jax.jit(both, compiler_options=FAST)(*given)
    assert {str(value.dtype) for value in (*outputs, *gradients)} == {dtype}
    rounded = [
        np.asarray(x, np.float64 if t.role != "label" else None) for x, t in zip(given, layer.tensors, strict=True)
    ]
    numpy = module_of(name, "numpy", root)
    outputs, saved = numpy.forward(*rounded)
    wanted = numpy.backward(saved, *(np.ones(np.shape(output)) for output in as_tuple(outputs)))
    for found, right in zip(gradients, wanted, strict=True):
        assert np.abs(np.asarray(found, np.float64) - right).max() < 5 * jnp.finfo(dtype).eps * max(
            1, np.abs(right).max()
        )


@pytest.mark.parametrize("name", ["batch_norm", "layer_norm"])
def test_a_large_mean_costs_no_digits_without_float64(name, root):
    jax.config.update("jax_enable_x64", False)
    random, module, numpy = np.random.default_rng(0), module_of(name, "jax", root), module_of(name, "numpy", root)
    x = random.normal(1e4, 1, size=(64, 48)).astype(np.float32)
    w, beta, upstream = (random.normal(size=n).astype(np.float32) for n in (48, 48, (64, 48)))
    wanted = numpy.backward(numpy.forward(*map(np.float64, (x, w, beta)))[1], np.float64(upstream))
    pull = jax.jit(lambda *given: jax.vjp(getattr(module, name), *given)[1](upstream), compiler_options=FAST)
    assert all(relative_error(g, exact) < 2e-6 for g, exact in zip(pull(x, w, beta), wanted, strict=True))


def test_what_is_no_mean_of_the_array_is_not_centred_again(root):
    means = ("batch_norm", "batch_norm_sigmoid_mse", "group_norm", "instance_norm", "layer_norm", "mlp_classifier")
    found = [name for name in gallery() if hasattr(module_of(name, "jax", root), "_deviations")]
    assert found == list(means)
    layer = from_text("""input x[b, i], z[b, i]
mu[b] = mean[i](z[b, i])
nu[i] = mean[b](x[b, i])
half[b] = mean[i](x[b, i]) / 2
y[b, i] = (x[b, i] - mu[b])**2 + (x[b, i] - nu[i])**3 + (x[b, i] - half[b])**4
output y""", "means")  # fmt: skip
    text = pipeline.emit(pipeline.derive(layer), ["jax"])[0].text
    used = set(re.findall(r"(?:_centre|_deviations)\(x, .*?\)", text))
    assert used == {"_deviations(x, nu, 0)", "_centre(x, mu[:, None])", "_centre(x, half[:, None])"}


def test_parameters_may_be_wider_than_the_input(root):
    x, w = jnp.ones((3, 4), "bfloat16"), jnp.ones(4, "float32")
    function = module_of("layer_norm", "jax", root).layer_norm
    assert function(x, w, w).dtype == "bfloat16"
    total = jax.grad(lambda *arguments: function(*arguments).astype("float32").sum(), (0, 1, 2))
    gradients = jax.jit(total, compiler_options=FAST)(x, w, w)
    assert [str(g.dtype) for g in gradients] == ["bfloat16", "float32", "float32"]


@pytest.mark.parametrize("name", ["softmax", "logsumexp", "cross_entropy_labels", "bce_with_logits", "silu", "elu"])
def test_extremes_stay_finite(name, root):
    layer, module = load(name), module_of(name, "jax", root)
    lengths = sizes_of(layer)
    random = np.random.default_rng(0)
    given = []
    for tensor in layer.tensors:
        shape = [lengths[index.axis] for index in tensor.indices]
        extreme = random.choice([-1e4, -1.0, 0.0, 1.0, 1e4], size=shape).astype(np.float32)
        others = (
            random.integers(0, lengths[tensor.into], shape) if tensor.role == "label" else random.uniform(size=shape)
        )
        given.append(extreme if tensor.role == "input" else others)

    def total(*arguments):
        return jnp.sum(getattr(module, name)(*arguments) ** 2)

    second = jax.grad(lambda *arguments: jax.grad(total)(*arguments).sum())
    for derivative in (total, jax.grad(total), second):
        assert jnp.isfinite(jax.jit(derivative, compiler_options=FAST)(*given)).all()


def test_ties_are_shared_evenly_in_both_modes():
    function = node_module("row_max").row_max
    x, w = jnp.array([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]]), jnp.array([1.0, 6.0])
    assert jax.grad(lambda x: function(x, w).sum())(x).tolist() == [[0, 0.5, 0.5], [2, 2, 2]]
    direction = jnp.array([[1.0, 2.0, 4.0], [3.0, 0.0, 0.0]])
    assert jax.jvp(lambda x: function(x, w), (x,), (direction,))[1].tolist() == [3, 6]


def test_wrong_arguments_are_refused(root):
    norm, pool = module_of("batch_norm", "jax", root).batch_norm, module_of("max_pool", "jax", root).max_pool
    x, w = jnp.ones((2, 3, 4)), jnp.ones(3)
    for wrong, error, message in (
        (lambda: norm(x, jnp.ones(4), w), ValueError, r"w\[c\] must have the shape \(3,\), not \(4,\)"),
        (lambda: norm(w, w, w), ValueError, r"x\[s, c, k\.\.\.\] must have at least 2 dimensions, not 1"),
        (lambda: norm(x[:0], w, w), ValueError, r"is empty: its shape is \(0, 3, 4\)"),
        (lambda: norm(x.astype(int), w, w), TypeError, "x must be a floating-point array, not int64"),
        (lambda: jax.jit(norm)(x, w, w, eps=1e-5), TypeError, "eps must be a number that is known when"),
        (lambda: pool(jnp.ones((1, 1, 4, 4)), window=2.0), TypeError, "window must be a whole number, not 2.0"),
        (lambda: pool(jnp.ones((1, 1, 4, 4)), window=9), ValueError, "no position fits"),
    ):
        with pytest.raises(error, match=message):
            wrong()
    assert jax.jit(norm, static_argnames="eps")(x, w, w, eps=1e-3).shape == x.shape


def test_labels_are_whole_numbers_inside_their_axis(root):
    function = module_of("cross_entropy_labels", "jax", root).cross_entropy_labels
    x = jnp.array([[1.0, 2.0, 0.0], [0.0, 0.0, 1.0]])
    for labels in (np.array([0, 2], np.uint8), [0, 2], jnp.array([0, 2], "int32")):
        assert jnp.isfinite(function(x, labels))
        assert jnp.isfinite(jax.jit(lambda x, labels=labels: function(x, labels))(x))
    with pytest.raises(TypeError, match=r"t\[b, k\.\.\.\] must be an array of whole numbers, not float64"):
        function(x, jnp.array([0.0, 2.0]))
    for wrong in ([0, 3], [-1, 2]):
        with pytest.raises(ValueError, match=r"must lie between 0 and 2, not between"):
            function(x, wrong)
        assert jnp.isnan(jax.jit(function)(x, jnp.array(wrong)))  # no values to look at while it is traced


def test_the_examples_in_the_documents_run(root, monkeypatch):
    monkeypatch.syspath_prepend(str(root))
    blocks = re.findall(r"^```python\n(.*?)^```$", (root / "docs/jax.md").read_text(encoding="utf-8"), re.M | re.S)
    assert len(blocks) == 1
    for block in blocks:
        exec(compile(block, "docs/jax.md", "exec"), {})


def test_a_name_that_a_tangent_has_is_refused(tmp_path):
    from symgrad.cli import main

    path = tmp_path / "product.sg"
    path.write_text('"""A product."""\ninput x[i], dot_x[i]\ny[i] = x[i] * dot_x[i]\noutput y\n')
    assert main(["generate", str(path), "--backend", "jax", "--out", str(tmp_path / "out")]) == 1
    assert main(["generate", str(path), "--out", str(tmp_path / "out")]) == 0
    assert sorted(file.parent.name for file in tmp_path.glob("out/*/*.py")) == ["numpy", "torch"]


@pytest.mark.parametrize("name", gallery())
def test_files_stand_alone(name, root):
    lines = (root / "generated/jax" / f"{name}.py").read_text(encoding="utf-8").splitlines()
    imports = {line for line in lines if line.startswith(("import ", "from "))}
    assert imports <= {"import math", "from functools import partial", "import jax", "import jax.numpy as jnp"}
    assert max(map(len, lines)) <= 120
