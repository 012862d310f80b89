"""What is printed in the notation reads back as the same."""

from __future__ import annotations

from dataclasses import replace

import pytest

from symgrad.algebra.binding import alpha_equal, rename
from symgrad.algebra.terms import Diff, Entry, Index, Sum, Term, mul, walk
from symgrad.errors import SymgradError
from symgrad.notation.expression import Reader, Scope
from symgrad.notation.layer import Layer
from symgrad.notation.letters import Letters
from symgrad.notation.library import from_text, gallery, load
from symgrad.notation.lines import Statement
from symgrad.notation.unparse import unparse
from symgrad.notation.unparse_layer import unparse_layer

LAYER = from_text(
    """
input     x[c, i]
parameter w[c], beta[c]
constant  eps = 1e-5
mu[c]   = mean[k](x[c, k])
var[c]  = mean[k]((x[c, k] - mu[c])**2)
y[c, i] = w[c] * (x[c, i] - mu[c]) / sqrt(var[c] + eps) + beta[c]
output y
"""
)


def read(formula: str) -> Term:
    letters = Letters({"c": "c", "i": "i", "k": "i"}, {"c": "x", "i": "x"})
    scope = Scope(lambda name: LAYER.indices(name.removeprefix("d_")), list, letters, derivatives=True)
    return letters.resolve(Reader(Statement("<test>", 1, formula), 0, scope).read())


FORMULAS = (
    "d_y[c, i]",
    "x[c, i] - mu[c]",
    "-(x[c, i] - mu[c])",
    "-2*x[c, i]**2 - 1/2*x[c, i] + 3/7",
    "w[c]/(size[i]*sqrt(var[c] + eps))*(size[i]*d_y[c, i] - sum[k](d_y[c, k]))",
    "1/x[c, i]/w[c]**3*(-w[c])**2",
    "(x[c, i]**2)**(1/2)",
    "sqrt(2)*sqrt(x[c, i]**2) + (1/2)**(1/3)",
    "w[c]*(var[c] + eps)**(-3/2) + (var[c] + eps)**(3/2)",
    "exp(-x[c, i])/(1 + exp(-x[c, i]))**2 + tanh(x[c, i])**2",
    "mean[k](x[c, k])*w[c]",
    "1/size[c]*sum[k](x[c, k])",
    "sum[c, k](x[c, k])**2",
    "sum[k](x[c, k] + sum[k](sum[k](x[c, k])))",
    "where(k == i, 1, 0) - 1/size[i]",
    "where(k != i, 1, 0)",
    "-where(k != i, 1, 0) + 1",
    "sum[k](where(k != i, d_y[c, k]*x[c, k], 0))",
    "sum[k](d_y[c, k]*where(k != i, x[c, k] - 1, 0))",
    "(where(k != i, 1/w[c], 0))**2 + where(k != i, 1, 0)**2",
    "sum[k](d_y[c, k]*total(y[c, k], x[c, i]))",
    "d_var[c]*partial(mean[k]((x[c, k] - mu[c])**2), mu[c])",
    "1/(x[c, i]/mu[c])",
)


@pytest.mark.parametrize("formula", FORMULAS)
def test_a_term_reads_back_as_itself(formula: str) -> None:
    term = read(formula)
    assert read(unparse(term, LAYER)) == term


@pytest.mark.parametrize("formula", [f for f in FORMULAS if "**(-3/2)" not in f and "(1/2)" not in f])
def test_a_term_in_the_usual_spelling_is_printed_as_it_was_written(formula: str) -> None:
    assert unparse(read(formula), LAYER).replace(" ", "") == formula.replace(" ", "")


@pytest.mark.parametrize("name", gallery())
def test_every_layer_of_the_gallery_reads_back(name: str) -> None:
    layer = load(name)
    again = from_text(unparse_layer(layer), name)
    assert_same(layer, again)
    assert unparse_layer(again) == unparse_layer(layer)


def assert_same(layer: Layer, again: Layer) -> None:
    """Equal but for the source text and, where layers were used, for y.mu being y_mu."""
    names = {definition.name: definition.name.replace(".", "_") for definition in layer.definitions}
    assert (again.name, again.doc, again.axes) == (layer.name, layer.doc, layer.axes)
    assert [replace(t, origin=None) for t in again.tensors] == [replace(t, origin=None) for t in layer.tensors]
    assert [replace(c, origin=None) for c in again.constants] == [replace(c, origin=None) for c in layer.constants]
    assert again.order == layer.order
    assert again.outputs == tuple(names[name] for name in layer.outputs)
    assert len(again.definitions) == len(layer.definitions)
    for old, new in zip(layer.definitions, again.definitions, strict=True):
        assert (new.name, new.indices) == (names[old.name], old.indices)
        used = {node.name for node in walk(old.body) if isinstance(node, Entry)}
        assert {node.name for node in walk(new.body) if isinstance(node, Entry)} == {names.get(n, n) for n in used}
        if not any("." in name for name in used):
            assert alpha_equal(new.body, old.body)


def test_a_used_layer_is_written_out() -> None:
    text = unparse_layer(load("batch_norm_sigmoid_mse"))
    assert "y_mu[c] = mean[s, k](x[s, c, k])\n" in text
    assert "y_var[c] = mean[s, k]((x[s, c, k] - y_mu[c])**2)\n" in text
    assert "z[s, c, k] = 1/(1 + exp(-y[s, c, k]))\n" in text
    assert text.endswith("\noutput L\n")


def test_a_name_without_its_dot_stays_distinct() -> None:
    layer = from_text(
        "input x[s, c]\nparameter w[c], b[c], y_mu[c]\ny = batch_norm(x, w, b)\nz[s, c] = y[s, c]*y_mu[c]\noutput z"
    )
    text = unparse_layer(layer)
    assert "y_mu2[c] = mean[s](x[s, c])" in text
    assert from_text(text).definitions[-1].body == layer.definitions[-1].body


def test_the_order_of_arguments_is_kept() -> None:
    layer = from_text("constant a = -2.5e-1\ninput x[i]\nconstant b = 3\ntarget t[i]\ny[i] = a*b*x[i]*t[i]\noutput y")
    assert from_text(unparse_layer(layer)).order == ("a", "x", "b", "t")


def test_a_bound_letter_that_belongs_to_another_dimension_is_renamed() -> None:
    c, i = Index("c", "i"), Index("i", "i")
    term = Sum((c,), Entry("x", (Index("k", "c"), c)))
    free = rename(term, {Index("k", "c"): Index("c", "c")})
    printed = unparse(free, LAYER)
    assert alpha_equal(read(printed), Sum((i,), Entry("x", (Index("c", "c"), i))))


def test_dots_of_used_layers_stay_in_terms() -> None:
    layer = load("batch_norm_sigmoid_mse")
    term = mul(Entry("d_y.mu", (Index("c", "c"),)), Diff(Entry("L"), Entry("y.mu", (Index("c", "c"),)), total=True))
    assert unparse(term, layer) == "d_y.mu[c]*total(L, y.mu[c])"


def test_an_unknown_node_is_an_error_that_says_where_to_add_it() -> None:
    class Odd(Term):
        pass

    with pytest.raises(SymgradError, match=r"a Odd has no form in the notation; add one to symgrad\.notation\.unparse"):
        unparse(Odd(), LAYER)
