"""Sums of products over indices: matrix products in the kernel's own dtype, never a broadcast product."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from emitted import module_of, text_of
from nodes import text_of as text_of_node

from symgrad.algebra.terms import Index
from symgrad.render.kernels.products import matrix_product


def frames(*words):
    return [tuple(Index(letter, letter) for letter in word) for word in words]


PRODUCTS = (
    "bi,oi->bo", "bi,io->bo", "oi,bo->bi", "bi,bo->io", "spi,oi->spo", "bid,bjd->bij", "bij,bje->bie",
    "bij,bie->bje", "bihd,bjhd->bhij", "oi,i->o", "bhij,bjhd->bihd",
)  # fmt: skip


@pytest.mark.parametrize("subscripts", PRODUCTS)
def test_a_matrix_product_is_the_contraction(subscripts):
    left, rest = subscripts.split(",")
    right, result = rest.split("->")
    found = matrix_product(frames(left, right), *frames(result))
    assert found is not None
    sizes = {letter: 2 + n for n, letter in enumerate(sorted(set(left + right)))}
    arrays = [np.random.default_rng(0).normal(size=[sizes[c] for c in word]) for word in (left, right)]
    sides = zip((found.left, 1 - found.left), found.orders, strict=True)
    first, second = (arrays[n].transpose(order) for n, order in sides)
    assert np.allclose((first @ second).transpose(found.result), np.einsum(subscripts, *arrays))


@pytest.mark.parametrize("subscripts", ["bi,bi->b", "bij,oij->bo", "b,i->bi", "bki,bi->k"])
def test_what_is_no_matrix_product_is_left_to_einsum(subscripts):
    left, rest = subscripts.split(",")
    right, result = rest.split("->")
    assert matrix_product(frames(left, right), *frames(result)) is None


@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_linear_reads_as_a_person_writes_it(backend):
    text = text_of("linear", backend)
    assert "x @ w.T" in text
    assert "d_x = d_y @ w\n" in text
    assert "d_w = d_y.T @ x\n" in text
    assert "einsum" not in text


def test_three_operands_and_several_summed_indices_go_to_einsum():
    assert 'np.einsum("bi,oij,bj->bo", x, a, z, optimize=True)' in text_of_node("bilinear", "numpy")
    assert 'torch.einsum("bi,oij,bj->bo", x, a, z)' in text_of_node("bilinear", "torch")


def test_attention_backward_is_four_matrix_products_and_one_sum():
    for backend in ("numpy", "torch"):
        start = "\ndef _gradients(" if backend == "torch" else "\ndef backward("
        backward = text_of("attention", backend).split(start)[1].split("\ndef ")[0]
        assert backward.count(" @ ") == 4
        assert sum(map(backward.count, ("einsum", ".sum(", "_sum(", "_dot("))) == 1
        assert "exp" not in backward.replace("expand", "")


def test_no_array_is_larger_than_what_goes_in_and_comes_out():
    module, random = module_of("linear", "numpy"), np.random.default_rng(0)
    x, w, h = random.normal(size=(256, 300)), random.normal(size=(200, 300)), np.zeros(200)
    y, saved = module.forward(x, w, h)
    tracemalloc.start()
    try:
        module.forward(x, w, h)
        forward = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        module.backward(saved, y)
        backward = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert forward < 1.2 * y.nbytes
    assert backward < 1.2 * (x.nbytes + w.nbytes)


def test_float32_is_not_widened():
    module = module_of("attention", "numpy")
    q, k, v = np.random.default_rng(0).normal(size=(3, 4, 64, 32)).astype(np.float32)
    tracemalloc.start()
    try:
        y, saved = module.forward(q, k, v)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    scores = 4 * 64 * 64 * 4
    assert y.dtype == np.float32 and all(array.dtype == np.float32 for array in saved)
    assert peak < 2.5 * scores + y.nbytes


def test_attention_against_torchs_own():
    torch = pytest.importorskip("torch")
    q, k, v = (torch.randn(2, 3, n, 8, dtype=torch.float64, requires_grad=True) for n in (5, 7, 7))
    d_y = torch.randn(2, 3, 5, 8, dtype=torch.float64)
    wanted = torch.nn.functional.scaled_dot_product_attention(q, k, v)
    gradients = torch.autograd.grad(wanted, (q, k, v), d_y)
    found = module_of("attention", "torch").attention(q, k, v)
    ours = torch.autograd.grad(found, (q, k, v), d_y)
    assert torch.allclose(found, wanted, rtol=1e-12, atol=1e-14)
    assert all(torch.allclose(a, c, rtol=1e-11, atol=1e-13) for a, c in zip(ours, gradients, strict=True))
    half = module_of("attention", "torch").attention(*(x.detach().half() for x in (q, k, v)))
    assert half.dtype == torch.float16
