"""Blocks in place: what is written where, when a label's part is added alone, and products of matrix and vector."""

from __future__ import annotations

import re
from collections import Counter

import numpy as np
import pytest
from emitted import layer_of, text_of
from random_layers import random_layer

from symgrad import pipeline
from symgrad.check.kernels import argument_of, array_of
from symgrad.check.samples import sensible_point
from symgrad.notation.library import from_text, load
from symgrad.plan.blocks import blocks_of
from symgrad.plan.weights import weighted_sum
from symgrad.prove.sizes import fitted
from symgrad.render.kernels.buffers import reads_of
from symgrad.render.kernels.torch_fused import fused

HEAD = "input x[b, v]\nlabel t[b] in v\nparameter w[v]\n"


def emitted(text, backend, name="mine"):
    found = pipeline.derive(from_text(text, name))
    (rendered,) = pipeline.emit(found, [backend])
    namespace: dict = {"__name__": name}
    exec(compile(rendered.text, name, "exec"), namespace)
    return rendered.text, namespace


def block_of(text, function):
    """The code of a function, without its comments."""
    lines = text.split(f"def {function}(")[1].split("\ndef ")[0].splitlines()
    return "\n".join(line for line in lines if not line.strip().startswith("#"))


def numpy_gradient(namespace, *tensors):
    _, saved = namespace["forward"](*tensors)
    return namespace["backward"](saved).x


LABELS = HEAD + "z[b] = log(sum[v](exp(x[b, v])))\nL = sum[b](w[t[b]] * (z[b] - x[b, t[b]]))\noutput L\n"
"""A label's part of d_x has w[v], a number for each label: it is an array of its own, and no number for each row."""


ROWS = LABELS.replace("parameter w[v]", "parameter w[b]").replace("w[t[b]]", "w[b]")
"""The same with a number for each row."""


@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_what_a_label_picks_is_added_there(backend):
    text = text_of("cross_entropy_labels", backend)
    function = "_backward_block" if backend == "numpy" else "_gradients_in_place"
    assert block_of(text, function).count("_add_at(d_x, 1, t, ") == 1
    assert "==" not in block_of(text, function)


def test_places_that_are_no_labels_are_compared():
    """v + 1 is a place as well, but not one for each row; without another summand there is no array to add to."""
    assert "_add_at(" in emitted(ROWS, "numpy")[0]
    alone = HEAD + "L = sum[b](x[b, t[b]] * x[b, t[b]])\noutput L\n"
    shifted = "input x[b, v]\ny[b, v] = exp(x[b, v]) * tanh(x[b, v]) + x[b, v]\noutput y\n"
    for text in (alone, shifted):
        for backend in ("numpy", "torch"):
            assert "_add_at(" not in emitted(text, backend)[0]
    assert "_add_at(" not in emitted(LABELS, "numpy")[0]


@pytest.mark.parametrize("rows", [False, True])
def test_a_gradient_with_labels_is_right_for_any_block(rows):
    _, namespace = emitted(ROWS if rows else LABELS, "numpy")
    random = np.random.default_rng(0)
    x, t, w = random.normal(size=(7, 5)), random.integers(0, 5, 7), random.normal(size=7 if rows else 5)
    p = np.exp(x) / np.exp(x).sum(1, keepdims=True)
    right = (w if rows else w[t])[:, None] * (p - np.eye(5)[t])
    for block in (1, 11, 10**9):
        namespace["BLOCK"] = block
        np.testing.assert_allclose(numpy_gradient(namespace, x, t, w), right, rtol=1e-12, atol=1e-14)


def test_the_first_array_of_a_result_is_its_own():
    for backend, function in (("numpy", "_forward_block"), ("torch", "_forward_in_place")):
        lines = block_of(text_of("softmax", backend), function)
        assert "out=y)" in lines
        assert "buffer_1" not in lines


def test_an_array_that_is_read_after_the_result_keeps_a_buffer_of_its_own():
    """y is overwritten by nothing that z still needs: both results are right, block by block."""
    text = "input x[b, v]\nu[b, v] = exp(x[b, v]) * tanh(x[b, v])\ny[b, v] = u[b, v] + x[b, v]\n"
    text += "z[b, v] = u[b, v] * y[b, v] + sum[v](u[b, v])\noutputs y, z\n"
    _, namespace = emitted(text.replace("outputs y, z", "output y, z"), "numpy")
    x = np.random.default_rng(0).normal(size=(6, 4))
    u = np.exp(x) * np.tanh(x)
    for block in (1, 10**9):
        namespace["BLOCK"] = block
        (y, z), _ = namespace["forward"](x)
        np.testing.assert_allclose(y, u + x, rtol=1e-12)
        np.testing.assert_allclose(z, u * (u + x) + u.sum(1, keepdims=True), rtol=1e-12)


def sums_of(name):
    plan = pipeline.plan(pipeline.derive(load(name)))
    inside = blocks_of(plan, plan.backward).inside.statements
    return {s.name: weighted_sum(s) for s in inside if s.kind == "reduction"}


def test_sums_of_rows_and_columns_share_a_matrix():
    found = sums_of("layer_norm")
    assert {name for name, parts in found.items() if parts} == {"d_w", "sum_w_d_y", "sum_w_x_minus_mu_d_y"}
    assert found["d_w"].matrix == found["sum_w_x_minus_mu_d_y"].matrix
    lines = block_of(text_of("layer_norm", "torch"), "_gradients_in_place")
    assert lines.count("torch.mv(") == 3


def test_sums_with_numbers_along_more_than_the_sum_are_none():
    """In group_norm a weight stands for a group and a row; batch_norm's has the letter that is left."""
    for name in ("batch_norm", "group_norm", "softmax"):
        assert not any(sums_of(name).values())
        assert "torch.mv(" not in text_of(name, "torch")


def test_autocast_changes_no_digit():
    """Products of matrix and vector would be computed in bfloat16 otherwise."""
    torch = pytest.importorskip("torch")
    namespace: dict = {"__name__": "layer_norm"}
    exec(compile(text_of("layer_norm", "torch"), "layer_norm", "exec"), namespace)
    namespace["BLOCK"] = 64
    random = torch.Generator().manual_seed(0)
    x, d_y = torch.randn(2, 24, 32, generator=random)
    found = []
    for enabled in (False, True):
        leaves = [v.clone().requires_grad_() for v in (x, x[0], x[1])]
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            found.append(torch.autograd.grad(namespace["layer_norm"](*leaves), leaves, d_y))
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


def inside_of(name):
    plan = pipeline.plan(pipeline.derive(load(name)))
    return blocks_of(plan, plan.backward).inside.statements


def test_sums_that_begin_alike_are_made_from_the_sums_they_begin_with():
    statements = {s.name: s for s in inside_of("group_norm")}
    assert [i.name for i in statements["sum_d_y"].indices] == ["s", "g", "c"]
    for name in ("d_w", "d_beta", "sum_w_d_y", "sum_w_x_minus_mu_d_y"):
        assert statements[name].term.names & {"sum_d_y", "sum_d_y_x_minus_mu"}
    lines = block_of(text_of("group_norm", "torch"), "_gradients_in_place")
    assert lines.count(".sum(3)") == 2  # each array is read once for all four


def test_sums_without_a_common_beginning_stay_as_they_are():
    """layer_norm's run over rows and over columns; batch_norm's have nothing to be multiplied with later."""
    for name in ("layer_norm", "batch_norm", "rms_norm"):
        assert not any(s.name.startswith("sum_d_y") for s in inside_of(name))


def test_coefficients_are_one_only_where_they_are_smaller_than_the_array():
    assert "(w / torch.sqrt(var[:, :, None] + eps))[:, :, :, None]" in text_of("group_norm", "torch")
    assert re.search(r"= torch.mul\(x_minus_m, g, out=", text_of("layer_norm", "torch"))


def test_a_block_in_place_gives_the_bits_of_no_other_memory():
    """The inputs are not written to, nor what was returned before."""
    torch = pytest.importorskip("torch")
    for name in ("layer_norm", "batch_norm_sigmoid_mse", "softmax"):
        namespace: dict = {"__name__": name}
        exec(compile(text_of(name, "torch"), name, "exec"), namespace)
        namespace["BLOCK"] = 8
        layer = layer_of(name)
        random = torch.Generator().manual_seed(0)
        sizes = {axis.name: n for axis, n in zip(layer.axes, (5, 4, 3), strict=False)}
        given = [torch.randn([sizes[i.axis] for i in t.indices], generator=random) for t in layer.tensors]
        before = [v.clone() for v in given]
        first = namespace[name](*given)
        kept = first.clone()
        namespace[name](*[v + 1 for v in given])
        assert torch.equal(first, kept)
        assert all(torch.equal(a, b) for a, b in zip(given, before, strict=True))


def results(namespace, backend, layer, arrays, upstream):
    torch = pytest.importorskip("torch")
    if backend == "numpy":
        outputs, saved = namespace["forward"](*arrays)
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        return [*outputs, *namespace["backward"](saved, *upstream)]
    pairs = zip(arrays, layer.tensors, strict=True)
    given = [torch.from_numpy(np.array(a)).requires_grad_(t in layer.differentiable) for a, t in pairs]
    outputs = namespace[layer.name](*given)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    wanted = [tensor for tensor in given if tensor.requires_grad]
    seeds = [torch.from_numpy(np.asarray(u)) for u in upstream]
    found = torch.autograd.grad(outputs, wanted, seeds, materialize_grads=True, allow_unused=True)
    return [value.detach().numpy() for value in (*outputs, *found)]


@pytest.mark.parametrize("seed", [*range(12), 21, 52, 114])
def test_random_layers_give_the_same_in_place_and_in_one_piece(seed):
    """The last ones had a sign wrong once."""
    layer = from_text(random_layer(seed, outputs=1 + 2 * (seed in (3, 5, 7, 21))))
    files = pipeline.emit(pipeline.derive(layer), ["numpy", "torch"])
    sizes = fitted(layer, {axis.name: n for axis, n in zip(layer.axes, (5, 4, 3, 3), strict=False)})
    at = sensible_point(layer, sizes, seed=1)
    arrays = [argument_of(at, tensor) for tensor in layer.tensors]
    upstream = [array_of(at, layer.entry(o).indices, f"d_{o}") for o in layer.outputs]
    found = []
    for backend, file in zip(("numpy", "torch"), files, strict=True):
        for block in (1, 10**9):
            namespace: dict = {"__name__": "random"}
            text = file.text.replace("spread < 64", "spread < 1")
            exec(compile(text, "random", "exec"), namespace)
            namespace["BLOCK"] = block
            found.append(results(namespace, backend, layer, arrays, upstream))
    for others in found[1:]:
        for mine, right in zip(others, found[0], strict=True):
            np.testing.assert_allclose(mine, right, rtol=1e-9, atol=1e-10)


PRODUCT = """input x[b, c]
parameter v[c], w[c]
m[b] = mean[c](x[b, c])
y[b, c] = (x[b, c] - m[b]) * v[c] * w[c]
output y
"""


def test_a_vector_that_is_a_product_is_in_brackets():
    """A @ v * w is (A @ v) * w."""
    text, _ = emitted(PRODUCT, "numpy")
    assert "d_y @ (v * w)" in text
    assert "torch.mv(d_y, v * w)" in emitted(PRODUCT, "torch")[0]


SOFTMAX = "p[b, v] = exp(x[b, v]) / sum[v](exp(x[b, v]))\n"
FUSED = {
    "output p": ("torch.softmax(x, 1", "torch._softmax_backward_data(d_p, p, 1"),
    "y[b, v] = u[b, v] * (x[b, v] - sum[v](u[b, v] * x[b, v]))\noutput y": ("_backward_data(x, u, 1", ""),
    "y[b, v] = exp(x[b, v]) / sum[b, v](exp(x[b, v]))\noutput y": ("", ""),
    "y[b, v] = u[b, v] * (x[b, v] - sum[v](u[b, v]**2))\noutput y": ("", ""),
}
"""What PyTorch has one function for, and what only looks like it."""


@pytest.mark.parametrize("rest", FUSED)
def test_what_torch_has_one_function_for_is_that_function(rest):
    torch = pytest.importorskip("torch")
    head = "input x[b, v], u[b, v]\n" if "u[b, v]" in rest else "input x[b, v]\n"
    text, namespace = emitted(head + (SOFTMAX if " p" in rest else "") + rest, "torch")
    for call, function in zip(FUSED[rest], ("_forward_in_place", "_gradients_in_place"), strict=True):
        block = block_of(text, function) if f"def {function}(" in text else ""
        assert call in block and ("softmax" in block) == bool(call)
    random = torch.Generator().manual_seed(0)
    given = [torch.randn((5, 4), generator=random, dtype=torch.float64) for _ in range(head.count("["))]
    inside, whole = ([each.clone().requires_grad_() for each in given] for _ in range(2))
    results = [namespace["mine"](*each) for each in (inside, whole)]
    d_y = torch.randn((5, 4), generator=random, dtype=torch.float64)
    in_place = torch.autograd.grad(results[0], inside, d_y)
    again = torch.autograd.grad(results[1], whole, d_y, create_graph=True)  # each statement is an expression here
    for found, wanted in zip(in_place, again, strict=True):
        assert torch.allclose(found, wanted, rtol=1e-12, atol=1e-14)
    assert torch.autograd.gradcheck(namespace["mine"], whole)


def test_what_is_read_by_others_as_well_is_written_out():
    found = pipeline.derive(from_text("input x[b, v]\n" + SOFTMAX + "output p", "mine"))
    for procedure in (pipeline.plan(found).forward, pipeline.plan(found).backward):
        statements = procedure.statements
        uses = Counter(name for statement in statements for name in reads_of(statement.term))
        assert fused(statements, uses).result == statements[-1]
        for name in {statement.name for statement in statements[:-1]}:
            assert fused(statements, uses + Counter([name])) is None
        assert fused(statements[:-1], uses) is None
