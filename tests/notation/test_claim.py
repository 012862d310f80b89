"""Claims: one equation about a layer, with its names, gradients, derivatives and conditions."""

from __future__ import annotations

import pytest

from symgrad.algebra.terms import ONE, Diff, Entry, Index, Num, Sum, add, delta, mul, negative
from symgrad.errors import InputError
from symgrad.notation.claim import parse_claim
from symgrad.notation.claim_names import resolve_name
from symgrad.notation.library import from_text, load

BATCH_NORM, NETWORK = load("batch_norm"), load("batch_norm_sigmoid_mse")
SQUARE = from_text("input x[i]\nparameter g\ny[i] = g*x[i]**2\noutput y\n")
S, C, K, I = (Index(letter, letter) for letter in "scki")  # noqa: E741 - the letters of the formulas


def test_a_claim_has_two_sides_in_the_layer_s_own_indices() -> None:
    claim = parse_claim("d_beta[c] = sum[s, k](d_y[s, c, k])", BATCH_NORM)
    assert claim.text == "d_beta[c] = sum[s, k](d_y[s, c, k])"
    assert claim.left == Entry("d_beta", (C,))
    assert claim.right == Sum((S, K), Entry("d_y", (S, C, K)))
    assert claim.distinct == ()


def test_the_letters_are_the_claim_s_own() -> None:
    claim = parse_claim("d_beta[q] = sum[a, b](d_y[a, q, b])", BATCH_NORM)
    a, q, b = Index("a", "s"), Index("q", "c"), Index("b", "k")
    assert claim.left == Entry("d_beta", (q,))
    assert claim.right == Sum((a, b), Entry("d_y", (a, q, b)))


def test_both_sides_may_be_any_formula() -> None:
    claim = parse_claim("d_x[s, c, k]*w[c] - 1 = 0", BATCH_NORM)
    assert claim.left == add(mul(Entry("d_x", (S, C, K)), Entry("w", (C,))), negative(ONE))
    assert parse_claim("sum[c](d_w[c]) = 2*eps", BATCH_NORM).left == Sum((C,), Entry("d_w", (C,)))


def test_names_inside_a_call_may_be_short() -> None:
    claim = parse_claim("d_mu[c] = mu[c] + y.var[c]", NETWORK)
    assert claim.left == Entry("d_y.mu", (C,))
    assert claim.right == add(Entry("y.mu", (C,)), Entry("y.var", (C,)))
    assert parse_claim("d_y.mu[c] = mu[c]", NETWORK).left == claim.left
    assert resolve_name("mu", NETWORK) == "y.mu"
    assert resolve_name("y", NETWORK) == "y"
    assert resolve_name("nope", NETWORK) is None


def test_a_short_name_that_two_calls_have_is_not_guessed() -> None:
    layer = from_text(
        "input x[s, c]\nparameter w[c], b[c]\ny = batch_norm(x, w, b)\nz = batch_norm(y, w, b)\noutput z\n"
    )
    assert resolve_name("mu", layer) is None
    assert parse_claim("y.mu[c] = z.mu[c]", layer).left == Entry("y.mu", (C,))
    with pytest.raises(InputError, match="mu is not defined"):
        parse_claim("mu[c] = 0", layer)


def test_derivatives() -> None:
    k = Index("k", "i")
    y, x = Entry("y", (k,)), Entry("x", (I,))
    assert parse_claim("total(y[k], x[i]) = 0", SQUARE).left == Diff(y, x, True)
    assert parse_claim("partial(y[k], x[i]) = 0", SQUARE).left == Diff(y, x, False)
    claim = parse_claim("d_x[i] = sum[k](d_y[k]*total(y[k], x[i]))", SQUARE)
    assert claim.right == Sum((k,), mul(Entry("d_y", (k,)), Diff(y, x, True)))
    formula = parse_claim("partial(g*x[i], g) = x[i]", SQUARE).left
    assert formula == Diff(mul(Entry("g"), x), Entry("g"), False)


def test_conditions_after_the_equation() -> None:
    claim = parse_claim("total(y[k], x[i]) = 0, k != i", SQUARE)
    k = Index("k", "i")
    assert claim.distinct == (frozenset((k, I)),)
    assert claim.right == Num(0)  # type: ignore[arg-type]
    three = parse_claim("total(y[k], x[i])*x[j] = 0, k != i, i != j", SQUARE)
    assert three.distinct == (frozenset((k, I)), frozenset((I, Index("j", "i"))))


def test_conditions_on_different_dimensions_are_refused() -> None:
    with pytest.raises(InputError, match="different dimensions"):
        parse_claim("d_x[s, c, k] = 0, s != c", BATCH_NORM)


def test_conditions_inside() -> None:
    claim = parse_claim("total(y[k], x[i]) = where(k == i, 2*g*x[i], 0)", SQUARE)
    k = Index("k", "i")
    assert claim.right == mul(delta(k, I), Num(2), Entry("g"), Entry("x", (I,)))  # type: ignore[arg-type]


def test_commas_and_comparisons_in_brackets_do_not_cut_the_claim() -> None:
    claim = parse_claim("total(y[k], x[i]) = where(k != i, 0, 2*g*x[i])", SQUARE)
    assert claim.distinct == ()


def test_spaces_comments_and_lines_do_not_matter() -> None:
    claim = parse_claim("\n  d_x[i] = (2*g*x[i]\n  *d_y[i])  # by hand\n", SQUARE)
    assert claim.right == parse_claim("d_x[i]=2*g*x[i]*d_y[i]", SQUARE).right


def test_an_index_may_stand_on_the_left_only() -> None:
    assert parse_claim("d_x[i] = 0", SQUARE).right.free == frozenset()


def test_the_place_counts_from_the_line_given() -> None:
    with pytest.raises(InputError) as found:
        parse_claim("d_x[i] = nope", SQUARE, "claims.txt", 7)
    assert str(found.value).startswith("claims.txt:7:10: nope is not defined.\n    d_x[i] = nope\n")
