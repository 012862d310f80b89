"""Every node of the terms, on both backends, against the complex step and torch's own checks."""

from __future__ import annotations

import numpy as np
import pytest
from nodes import BY_NAME, LAYERS, module_of, text_of

from symgrad.algebra import terms
from symgrad.algebra.terms import walk
from symgrad.check.kernels import array_of, complex_step, relative_error, sizes_of
from symgrad.primitives import PRIMITIVES
from symgrad.prove.evaluate import Evaluator, random_point
from symgrad.prove.floats import Floats

NAMES = sorted(BY_NAME)
LONG = ("functions", "small_functions", "whole_product")
"""A dozen functions in one equation, and a product over two axes, make lines that nothing breaks well."""


def as_tuple(value):
    return value if isinstance(value, tuple) else (value,)


def test_the_layers_hold_every_node_and_every_function():
    nodes = [node for made in LAYERS for d in made.definitions for node in walk(d.body)]
    written = {type(node).__name__ for node in nodes}
    every = {name for name, cls in vars(terms).items() if isinstance(cls, type) and issubclass(cls, terms.Term)}
    assert written == every - {"Term", "Binder", "Diff", "Size"}
    called = {node.function for node in nodes if isinstance(node, terms.Call)}
    assert called == PRIMITIVES.keys() - {"log1p", "expm1", "digamma"}  # which the plan puts in by itself


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("lengths", ["different", "one"])
def test_numpy_agrees_with_the_complex_step(name, lengths):
    import random

    made, module = BY_NAME[name], module_of(name, "numpy")
    sizes = {axis: 1 if lengths == "one" else length for axis, length in sizes_of(made).items()}
    point = random_point(made, sizes, random.Random(3))
    arguments = [array_of(point, tensor.indices, tensor.name) for tensor in made.tensors]
    constants = {c.name: float(point.value(c.name, ())) for c in made.constants}
    outputs, saved = module.forward(*arguments, **constants)
    upstream = [array_of(point, made.indices(o), f"d_{o}") for o in made.outputs]
    gradients = module.backward(saved, *upstream)
    plain = Evaluator(made, point, Floats())
    for output, value in zip(made.outputs, as_tuple(outputs), strict=True):
        expected = [plain.entry(output, key) for key in point.keys(made.indices(output))]
        assert np.allclose(np.ravel(value), expected, rtol=1e-13, atol=1e-13)
    for tensor in made.differentiable:
        expected = complex_step(made, point, tensor.name, tensor.indices)
        assert relative_error(getattr(gradients, tensor.name), expected) < 1e-12, tensor.name


@pytest.mark.parametrize("name", NAMES)
def test_float32_stays_float32(name):
    made, module = BY_NAME[name], module_of(name, "numpy")
    random = np.random.default_rng(0)
    arrays = [random.uniform(0.1, 1, [sizes_of(made)[i.axis] for i in x.indices]) for x in made.tensors]
    outputs, saved = module.forward(*(array.astype(np.float32) for array in arrays))
    gradients = module.backward(saved, *(np.ones_like(output) for output in as_tuple(outputs)))
    assert all(np.asarray(value).dtype == np.float32 for value in (*as_tuple(outputs), *gradients))
    exact = module.backward(module.forward(*arrays)[1], *(np.ones(np.shape(o)) for o in as_tuple(outputs)))
    for found, wanted in zip(gradients, exact, strict=True):
        assert np.abs(found - wanted).max() <= 1e-5 * max(1.0, np.abs(wanted).max())


@pytest.mark.parametrize("name", NAMES)
def test_torch_passes_gradcheck_and_gradgradcheck(name):
    torch = pytest.importorskip("torch")
    made, function = BY_NAME[name], getattr(module_of(name, "torch"), name)
    generator = torch.Generator().manual_seed(1)
    tensors = []
    for tensor in made.tensors:
        shape = [sizes_of(made)[index.axis] for index in tensor.indices]
        value = 2 * torch.rand(shape, generator=generator, dtype=torch.float64) - 0.9
        tensors.append(value.requires_grad_(tensor.role != "target"))
    assert torch.autograd.gradcheck(function, tensors)
    assert torch.autograd.gradgradcheck(function, tensors)
    numpy = as_tuple(module_of(name, "numpy").forward(*(x.detach().numpy() for x in tensors))[0])
    for found, wanted in zip(as_tuple(function(*tensors)), numpy, strict=True):
        assert np.allclose(found.detach().numpy(), wanted, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("name", ["causal", "row_max", "product", "bilinear", "probabilities"])
def test_torch_transforms(name):
    torch = pytest.importorskip("torch")
    made, function = BY_NAME[name], getattr(module_of(name, "torch"), name)
    shapes = [[sizes_of(made)[index.axis] for index in tensor.indices] for tensor in made.tensors]
    batch = [torch.rand([3, *shape], dtype=torch.float64) for shape in shapes]
    scalar = lambda *v: function(*v).sum()  # noqa: E731
    mapped = torch.func.vmap(torch.func.grad(scalar))(*batch)
    one_by_one = [torch.func.grad(scalar)(*(v[n] for v in batch)) for n in range(3)]
    assert torch.allclose(mapped, torch.stack(one_by_one))


def test_ties_are_shared_evenly_as_in_torch():
    module = module_of("row_max", "numpy")
    x = np.array([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]])
    _, saved = module.forward(x, np.array([1.0, 6.0]))
    assert module.backward(saved, np.ones(2)).x.tolist() == [[0, 0.5, 0.5], [2, 2, 2]]


def test_a_product_with_zeros_has_its_true_gradient():
    module = module_of("product", "numpy")
    x = np.array([[0.0, 2.0, 3.0], [0.0, 0.0, 3.0], [1.0, 2.0, 3.0]])
    _, saved = module.forward(x)
    assert module.backward(saved, np.ones(3)).x.tolist() == [[6, 0, 0], [0, 0, 0], [6, 3, 2]]


def test_a_mask_is_multiplied_as_a_matrix():
    assert "y = x @ at_most.T" in text_of("running_sum", "numpy")
    mask = "(torch.arange(n_i, device=x.device) <= torch.arange(n_i, device=x.device)[:, None]).to(dtype)"
    assert f"y = x @ {mask}.T" in text_of("running_sum", "torch")


def test_a_branch_that_is_not_taken_neither_warns_nor_spoils_a_gradient():
    torch = pytest.importorskip("torch")
    x = torch.tensor([[-1.0, 0.0, 2.0]], dtype=torch.float64, requires_grad=True)
    function = module_of("x_log_x", "torch").x_log_x
    (first,) = torch.autograd.grad(function(x).sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), x)
    assert first.tolist()[0][:2] == [0, 0]
    assert second.tolist() == [[0.0, 0.0, 0.5]]
    _, saved = module_of("x_log_x", "numpy").forward(x.detach().numpy())  # warnings are errors here
    assert module_of("x_log_x", "numpy").backward(saved, np.ones((1, 3))).x[0, 0] == 0


def test_no_derivative_goes_through_the_largest_exponent():
    backward = text_of("recomputed", "torch").partition("def _gradients")[2]
    assert ".amax(1).detach()" in backward
    assert ".detach()" not in text_of("recomputed", "torch").split("def _gradients")[0]


@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_lines_are_short_and_files_stand_alone(backend):
    for name in NAMES:
        lines = text_of(name, backend).splitlines()
        if name not in LONG:
            assert max(map(len, lines)) <= 120, name
        imports = {line for line in lines if line.startswith(("import ", "from "))}
        assert imports <= {"import math", "import numpy as np", "import torch", "from typing import NamedTuple"}
