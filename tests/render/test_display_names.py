"""How the names of a layer are displayed: Greek, upright, told apart, never markup."""

from __future__ import annotations

from symgrad.algebra.terms import Call, Entry, Index, Size, delta, mul, power
from symgrad.notation.layer import Definition, Layer, Tensor
from symgrad.notation.library import from_text, load
from symgrad.render.latex import latex
from symgrad.render.names import Names, letter
from symgrad.render.text import text


def names_of(declarations: str) -> Names:
    return Names.of(from_text(declarations))


def test_gradients_of_a_layer_with_an_array_output() -> None:
    names = Names.of(load("batch_norm"))
    d_y = Entry("d_y", (Index("s", "s"), Index("c", "c"), Index("k", "k")))
    assert latex(d_y, names) == r"\frac{\partial \mathcal{L}}{\partial y_{s,c,k}}"
    assert text(d_y, names) == "∂ℒ/∂y[s,c,k]"


def test_a_loss_with_another_name() -> None:
    names = names_of("input a\nloss = a**2\noutput loss")
    assert latex(Entry("d_a"), names) == r"\frac{\partial \mathrm{loss}}{\partial a}"


def test_words_are_upright_and_underscores_escaped() -> None:
    names = names_of("input x_hat[i], w1[i]\ny[i] = x_hat[i]*w1[i]\noutput y")
    assert latex(Entry("x_hat", (Index("i", "i"),)), names) == r"\mathrm{x\_hat}_{i}"
    assert latex(Entry("w1", (Index("i", "i"),)), names) == r"\mathrm{w1}_{i}"
    assert text(Entry("x_hat", (Index("i", "i"),)), names) == "x_hat[i]"


def test_namesakes_are_told_apart() -> None:
    names = names_of("input x[s, c]\nparameter w[c], b[c]\ny = batch_norm(x, w, b)\nz = batch_norm(y, w, b)\noutput z")
    c = (Index("c", "c"),)
    assert latex(Entry("y.mu", c), names) == r"\mu_{c}^{(y)}"
    assert latex(Entry("z.var", c), names) == r"\sigma_{c}^{2\,(z)}"
    assert latex(power(Entry("y.mu", c), 2), names) == r"\left(\mu_{c}^{(y)}\right)^{2}"
    assert text(Entry("z.var", c), names) == "z.σ²[c]"
    assert text(Entry("z.var", c), names, unicode=False) == "z.var[c]"


def test_no_two_names_share_a_symbol() -> None:
    names = names_of("input sigma[i], var[i], eps[i], epsilon[i], N[i]\ny[i] = sigma[i]\noutput y")
    shown = [names.symbol(name).latex for name in ("sigma", "var", "eps", "epsilon", "N")]
    assert shown == [r"\sigma", r"\mathrm{var}", r"\epsilon", r"\mathrm{epsilon}", r"\mathrm{N}"]


def test_letters() -> None:
    assert [letter(name).latex for name in ("i", "alpha", "row", "s1", "var")] == [
        "i", r"\alpha", r"\mathrm{row}", "s_{1}", r"\mathrm{var}"
    ]  # fmt: skip
    assert (
        latex(delta(Index("row", "r"), Index("i", "r")), names_of("input a\nb = a\noutput b"))
        == r"\delta_{\mathrm{row},i}"
    )


def test_markup_in_a_name_comes_out_as_text() -> None:
    wicked = "x}\\input{secret}$%&#^<script>\x1b[31m"
    index = Index(wicked, wicked)
    layer = Layer(
        "wicked", "", (), (Tensor(wicked, (index,), "input"),), (),
        (Definition("y", (index,), Entry(wicked, (index,))),), ("y",),
    )  # fmt: skip
    names = Names.of(layer)
    term = mul(Entry(wicked, (index,)), Size(wicked), Call(wicked, (Entry(f"{wicked}.mu"),)))
    shown = latex(term, names)
    assert shown.count("{") == shown.count("}")
    assert not set(shown) & set("$%&#<>\x1b") and r"\input" not in shown
    assert not set(text(term, names)) & set("\\$%&#<>\x1b{}")
