"""Convolutions, pooling, embeddings and losses of labels as a SymPy user writes them."""

from __future__ import annotations

from fractions import Fraction

import pytest

import symgrad
from symgrad.errors import InputError, SymgradError
from symgrad.notation.lengths import given_axes, sizes_from
from symgrad.notation.library import load

sympy = pytest.importorskip("sympy")
from sympy import Eq, IndexedBase, KroneckerDelta, Sum, Symbol, exp, log, symbols  # noqa: E402

b, c, h, i, k, o, v, d = symbols("b c h i k o v d", integer=True, nonnegative=True)
B, C, H, K, V, D, M = symbols("B C H K V D M", integer=True, positive=True)
stride, padding = symbols("stride padding", integer=True, nonnegative=True)
x, y, w, t, weight = (IndexedBase(name) for name in ("x", "y", "w", "t", "weight"))
L = Symbol("L")


def padded(zeros):
    return Sum(KroneckerDelta(h, stride * i + k - zeros) * x[b, c, h], (h, 0, H - 1))


def convolution(right):
    return symgrad.Layer.from_sympy(
        Eq(y[b, o, i], right), inputs=x[b, c, h], parameters=w[o, c, k], outputs=y, constants={stride: 1, padding: 0}
    )


def test_a_convolution():
    layer = convolution(Sum(w[o, c, k] * x[b, c, stride * i + k], (c, 0, C - 1), (k, 0, K - 1)))
    assert "y[b, o, i] = sum[c, k](w[o, c, k]*x[b, c, i*stride + k])" in layer.text
    assert [constant.is_whole for constant in layer.record.constants] == [True, False]
    assert layer.derive().proved


@pytest.mark.parametrize("merged", [False, True])
def test_a_padded_convolution(merged):
    entry = padded(padding)
    inside = Sum(w[o, c, k] * entry, (c, 0, C - 1), (k, 0, K - 1))
    flat = Sum(w[o, c, k] * entry.function, (c, 0, C - 1), (k, 0, K - 1), *entry.limits)
    layer = convolution(flat if merged else inside)
    assert "pad(x[b, c, i*stride + k], padding)" in layer.text
    assert layer.derive().proved
    (fit,) = layer.record.fits
    assert str(fit.padding) == str(load("conv1d").fits[0].padding)


def test_zeros_by_number():
    layer = convolution(Sum(w[o, c, k] * padded(2), (c, 0, C - 1), (k, 0, K - 1)))
    assert "pad(x[b, c, i*stride + k], 2)" in layer.text and layer.derive().proved


def test_an_embedding_and_its_claim():
    layer = symgrad.Layer.from_sympy(Eq(y[b, d], weight[t[b], d]), parameters=weight[v, d], labels={t[b]: v}, outputs=y)
    assert layer.text == "parameter weight[v, d]\nlabel t[b] in v\ny[b, d] = weight[t[b], d]\noutput y\n"
    there = layer.to_sympy()
    own = there.equations[0].rhs.base
    size = there.sizes["b"]
    label = next(iter(there.labels)).base
    d_weight, d_y = (IndexedBase(name) for name in ("d_weight", "d_y"))
    right = Sum(KroneckerDelta(v, label[b]) * d_y[b, d], (b, 0, size - 1))
    assert layer.prove(Eq(d_weight[v, d], right)).proved
    assert layer.prove(Eq(d_weight[v, d], 2 * right)).refuted
    assert str(own) == "weight"


def test_a_loss_of_labels():
    total = Sum(log(Sum(exp(x[b, v]), (v, 0, V - 1))) - x[b, t[b]], (b, 0, B - 1)) / B
    layer = symgrad.Layer.from_sympy(Eq(L, total), inputs=x[b, v], labels={t[b]: v}, outputs=L)
    assert layer.prove("d_x[b, v] = (exp(x[b, v])/sum[v](exp(x[b, v])) - where(v == t[b], 1, 0))/size[b]*d_L").proved


@pytest.mark.parametrize("length", [3, Symbol("window", integer=True)])
def test_windows_whose_length_no_tensor_tells(length):
    mean = Sum(x[c, stride * i + k], (k, 0, K - 1)) / K
    window = {} if length == 3 else {length: 3}
    layer = symgrad.Layer.from_sympy(
        Eq(y[c, i], mean), inputs=x[c, h], constants={stride: 2, **window}, lengths={K: length}, outputs=y
    )
    assert f"index k = {length}" in layer.text.split("\n") and layer.derive().proved
    there = layer.to_sympy()
    assert list(map(str, there.lengths.values())) == [str(length)]


@pytest.mark.parametrize("name", ["conv1d", "conv2d", "avg_pool", "max_pool"])
def test_lengths_that_follow_are_told(name):
    layer = load(name)
    there = symgrad.Layer.of(layer).to_sympy()
    whole = {c.name: Fraction(n + 1) for n, c in enumerate(layer.constants) if c.is_whole}
    given = {axis: {"k": 2, "l": 3}.get(axis, 4 + n) for n, axis in enumerate(given_axes(layer))}
    sizes = sizes_from(layer, given, whole)
    values = {there.sizes[axis]: length for axis, length in given.items()}
    values |= {symbol: int(whole[symbol.name]) for symbol in there.constants}
    lengths = {symbol: length.subs(values) for symbol, length in there.lengths.items()}
    assert there.fitted
    for axis in layer.axes:
        symbol = there.sizes[axis.name]
        found = there.fitted.get(symbol, there.lengths.get(symbol, symbol)).subs(lengths).subs(values)
        assert found == sizes[axis.name]


def test_what_sympy_cannot_say_is_refused():
    layer = symgrad.Layer("input x[h]\nparameter w[k]\ny[i] = sum[k](w[k]*pad(x[i + k - 1], 2))\noutput y\n")
    with pytest.raises(SymgradError, match=r"pad\(…\[i \+ k - 1\], 2\) has no form in SymPy"):
        layer.to_sympy()


WRONG = {
    "no letter": ({"labels": {t[b]: 3}}, "is not a SymPy object"),
    "an expression as a letter": ({"labels": {t[b]: v + 1}}, "v + 1 is no index letter"),
    "no such dimension": ({"labels": {t[b]: Symbol("q")}}, "q"),
    "not declared": ({}, "t is no label, and only labels point into a dimension"),
    "a length of nothing": ({"labels": {t[b]: v}, "lengths": {M: 3}}, "no index runs over M"),
    "a length that is text": ({"labels": {t[b]: v}, "lengths": {B: "3"}}, "is not a SymPy object but a str"),
    "a length that a tensor tells": ({"labels": {t[b]: v}, "lengths": {B: 3}}, "b"),
    "a label that is code": ({"labels": {IndexedBase("__import__('os')")[b]: v}}, "cannot be a"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_said(name):
    given, message = WRONG[name]
    with pytest.raises(InputError) as error:
        symgrad.Layer.from_sympy(Eq(L, Sum(x[b, t[b]], (b, 0, B - 1))), inputs=x[b, v], outputs=L, **given)
    assert message in str(error.value)


def test_places_count_from_zero():
    shifted = Sum(w[o, c, k] * x[b, c, i + k], (c, 1, C), (k, 1, K))
    with pytest.raises(InputError, match="an index that counts from 1 stands in a place"):
        convolution(shifted)


def test_different_numbers_of_zeros_are_refused():
    j, m, g = symbols("j m g", integer=True)
    deltas = KroneckerDelta(h, i + k - 1) * KroneckerDelta(g, j + m - 2)
    body = Sum(w[k, m] * deltas * x[h, g], (k, 0, K - 1), (m, 0, M - 1), (h, 0, H - 1), (g, 0, D - 1))
    with pytest.raises(InputError, match="different numbers of zeros"):
        symgrad.Layer.from_sympy(Eq(y[i, j], body), inputs=x[h, g], parameters=w[k, m], outputs=y)
