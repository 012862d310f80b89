"""Whatever the text: a layer or an input error, soon, and never another exception."""

from __future__ import annotations

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from symgrad.errors import InputError
from symgrad.notation.claim import Claim, parse_claim
from symgrad.notation.layer import Layer
from symgrad.notation.library import GALLERY, from_text, gallery, load

QUICK = settings(max_examples=200, derandomize=True, deadline=2_000, suppress_health_check=list(HealthCheck))
WORDS = (
    *("input ", "parameter ", "target ", "constant ", "output ", "label ", '"""', "'''", "#", "\n", "\n", "\n  "),
    *("x", "y", "w", "eps", "mu", "y.mu", "d_x", "s", "c", "k", "k...", "i", "[s]", "[s, c]", "[s, c, k...]", "[c]"),
    *("sum[k]", "mean[s, c]", "size[c]", "exp", "sqrt", "sigmoid", "tanh", "where", "total", "partial", "max[k]"),
    *("batch_norm", "mse", "lambda", "if", "else", "for", "in", "not", "import os", "__class__", "None", "True"),
    *("(", ")", "[", "]", "{", "}", ",", ", ", ":", ":=", ";", "=", " = ", "==", "!=", "<=", ">", ".", "..", "..."),
    *("+", " + ", "-", " - ", "*", "**", "/", "//", "%", "@", "^", "~", "|", "!", "?", "$", "`", "\\", "'", '"'),
    *("0", "1", "2", "0.5", "1e-5", "1e999", "9**9**9", "007", "1_0", "2j", "0x1", "-1", " ", "\t", "\r", "\0"),
    *("é", "х", "ﬁ", "²", "−", "\u202e", "\ufeff", "\x1b", "🙂"),
)
LINES = (
    *("input x[s, c]", "input x[s, c, k...]", "parameter w[c], b[c]", "constant eps = 1e-5", "target t[s, c]"),
    *("m[c] = mean[s](x[s, c])", "y[s, c] = w[c]*(x[s, c] - m[c])", "y = batch_norm(x, w, b, eps)", "L = mse(y, t)"),
    *("z = sigmoid(y)", "y[s, c] = x[s, c]", "output y", "output L", "output y, z", "z[s] = sum[c](y[s, c])"),
)
soup = st.lists(st.sampled_from(WORDS), max_size=40).map("".join)
slips = st.lists(st.sampled_from(WORDS), max_size=6).map("".join)
texts = soup | st.lists(st.sampled_from(LINES) | slips, max_size=8).map("\n".join) | st.text(max_size=60)
LEAVES = ("x[s, c]", "w[c]", "eps", "2", "0", "x", "w[s]", "x[c, s]", "q", "1e-3", "s", "size[c]", "pi")
BETWEEN = ("+", "-", "*", "/", "**", "==", " < ", ", ")
BEFORE = ("", "-", "exp", "sqrt", "log", "sum[s]", "mean[c]", "max[s]", "maximum", "where", "total")
formulas = st.recursive(
    st.sampled_from(LEAVES),
    lambda inner: (
        st.tuples(inner, st.sampled_from(BETWEEN), inner).map("".join)
        | st.tuples(st.sampled_from(BEFORE), inner).map(lambda parts: f"{parts[0]}({parts[1]})")
    ),
    max_leaves=12,
)


def read(text: str) -> Layer | None:
    """The layer, or None where it is refused with a message that a terminal can show."""
    try:
        layer = from_text(text)
    except InputError as error:
        assert all(character.isprintable() or character == "\n" for character in str(error))
        assert error.message
        return None
    assert isinstance(layer, Layer)
    assert from_text(layer.text).definitions == layer.definitions
    return layer


@QUICK
@given(texts)
def test_any_text(text: str) -> None:
    read(text)


@QUICK
@given(formulas)
def test_any_formula(formula: str) -> None:
    for left in ("y[s, c]", "y[c]", "y"):
        layer = read(f"input x[s, c]\nparameter w[c]\nconstant eps = 1e-3\n{left} = {formula}\noutput y\n")
        if layer is not None:
            assert layer.definitions[0].body.free == set(layer.definitions[0].indices)


@QUICK
@given(formulas, formulas)
def test_any_claim(left: str, right: str) -> None:
    layer = from_text("input x[s, c]\nparameter w[c]\nconstant eps = 1e-3\ny[s, c] = w[c]*x[s, c] + eps\noutput y\n")
    try:
        claim = parse_claim(f"{left} = {right}", layer)
    except InputError:
        return
    assert isinstance(claim, Claim)


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A layer of the gallery with a few characters deleted, inserted, swapped or doubled, or lines moved."""
    text = (GALLERY / f"{draw(st.sampled_from(gallery()))}.sg").read_text(encoding="utf-8")
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, max(0, len(text) - 1)))
        other = draw(st.integers(0, max(0, len(text) - 1)))
        first, last = sorted((place, other))
        change = draw(st.sampled_from(("delete", "insert", "swap", "double", "cut", "lines")))
        if change == "delete":
            text = text[:place] + text[place + 1 :]
        elif change == "insert":
            text = text[:place] + draw(st.sampled_from(WORDS)) + text[place:]
        elif change == "swap":
            text = text[:place] + text[place : place + 2][::-1] + text[place + 2 :]
        elif change == "double":
            text = text[:last] + text[first : first + 20] + text[last:]
        elif change == "cut":
            text = text[:first] + text[min(last, first + 30) :]
        else:
            rows = text.split("\n")
            rows.insert(place % len(rows), rows.pop(other % len(rows)))
            text = "\n".join(rows)
    return text


@QUICK
@given(mutated())
def test_a_gallery_layer_with_slips_of_the_pen(text: str) -> None:
    read(text)


@pytest.mark.parametrize("name", ["batch_norm", "batch_norm_sigmoid_mse", "mse", "sigmoid"])
def test_each_single_deletion_in_a_gallery_layer(name: str) -> None:
    """Deleting one character of a statement, every one of them."""
    text = (GALLERY / f"{name}.sg").read_text(encoding="utf-8")
    body = re.sub(r'(?s)\A""".*?"""\n', "", text)
    for place in range(len(body)):
        read(body[:place] + body[place + 1 :])


@pytest.mark.parametrize("name", ["batch_norm", "batch_norm_sigmoid_mse", "mse", "sigmoid"])
def test_each_truncation_of_a_gallery_layer(name: str) -> None:
    body = load(name).text
    for place in range(0, len(body), 3):
        read(body[:place])
