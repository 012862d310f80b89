"""Names of a person's own in claims: read, written out without capture, refused where they make no sense."""

from __future__ import annotations

import pytest

from symgrad.algebra.binding import alpha_equal
from symgrad.errors import InputError
from symgrad.notation.claim import Claim, read_claims
from symgrad.notation.library import from_text, load
from symgrad.notation.lines import Statement

BATCH_NORM, NETWORK = load("batch_norm"), load("batch_norm_sigmoid_mse")


def claims(*texts: str, layer=BATCH_NORM) -> list[Claim]:
    return read_claims([Statement("<claim>", line, text) for line, text in enumerate(texts, start=1)], layer)


def test_a_name_stands_for_its_formula():
    short, plain = claims(
        "xhat[s, c, k] := (x[s, c, k] - mu[c])/sqrt(var[c] + eps)",
        "d_w[c] = sum[s, k](d_y[s, c, k]*xhat[s, c, k])",
        "d_w[c] = sum[s, k](d_y[s, c, k]*((x[s, c, k] - mu[c])/sqrt(var[c] + eps)))",
    )
    assert short.text == "d_w[c] = sum[s, k](d_y[s, c, k]*xhat[s, c, k])"
    assert short.right == plain.right
    assert [each.name for each in short.own] == ["xhat"]
    assert plain.own == ()


def test_names_may_use_names_before_them_gradients_and_short_names():
    texts = ("g := sum[s, c, k](d_y[s, c, k])", "h[c] := 2*g + mu[c]", "unused[c] := mu[c]", "d_w[c] = h[c]")
    (claim,) = claims(*texts, layer=NETWORK)
    assert claim.right.names == {"d_y", "y.mu"}
    assert [each.name for each in claim.own] == ["g", "h"]


def test_a_name_holds_for_what_follows_only():
    with pytest.raises(InputError, match="xhat is not defined"):
        claims("d_w[c] = xhat[c]", "xhat[c] := w[c]")


def test_letters_of_the_use_are_not_captured():
    """A letter that is bound in the formula makes way for the one of the use, and the other way round."""
    layer = from_text("input x[i, j=i]\nparameter g[i]\ny[i, j] = g[i]*x[i, j]\noutput y\n")
    short, plain = claims(
        "row[i] := sum[j](x[i, j]*g[i])",
        "d_g[j] = sum[i](row[i]*row[j])",
        "d_g[j] = sum[i](sum[q](x[i, q]*g[i])*sum[p](x[j, p]*g[j]))",
        layer=layer,
    )
    assert alpha_equal(short.right, plain.right)
    assert short.right.free == plain.right.free


def test_letters_change_places():
    layer = from_text("input x[i, j=i]\ny[i, j] = x[i, j]\noutput y\n")
    short, plain = claims("t[i, j] := x[i, j]*2", "d_x[i, j] = t[j, i]", "d_x[i, j] = x[j, i]*2", layer=layer)
    assert short.right == plain.right


def test_a_scalar_and_an_index_that_the_formula_does_not_have():
    one, two = claims("half := 1/2", "d_w[c] = half*w[c]", "flat[c] := 1", "d_w[c] = flat[c]")
    assert one.right.names == {"w"}
    assert two.right.free == frozenset()


def test_a_derivative_of_a_name_is_that_of_its_formula():
    short, plain = claims(
        "half[s, c, k] := y[s, c, k]/2", "total(half[s, c, k], w[c]) = 0", "total(y[s, c, k]/2, w[c]) = 0"
    )
    assert short.left == plain.left


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("x := 3", 1, "x is a name of batch_norm itself"),
        ("mu[c] := w[c]", 1, "mu is a name of batch_norm itself"),
        ("k := 3", 1, "k is a name of batch_norm itself"),
        ("a[c] := a[c] + w[c]", 9, "a stands in its own definition"),
        ("a[q] := 3", 3, "index q of a does not stand on the right side"),
        ("a[c] := x[s, c, k]", 17, "index k stands only on the right side of a"),
        ("d_a := 3", 1, "names that begin with d_ are gradients"),
        ("a[c, c] := w[c]", 6, "index c stands twice"),
        ("a :=", 5, "a formula is missing here"),
        ("sum := 3", 1, "the notation uses it itself"),
        ("os.system := 3", 1, "cannot be a name"),
        ("class := 3", 1, "it is a Python keyword"),
        ("a[c] := nope[c]", 9, "nope is not defined"),
        ("a[c] := w[c], k != s", 9, "breaks off here|does not fit|has no meaning here"),
        ("b0 := 3", 1, "b0 is defined twice (first in line 1)"),
        ("a := b", 6, "b is not defined"),
        ("d_w[c] = b := 3", 12, "does not fit here"),
    ],
)
def test_what_is_refused(text, column, message):
    with pytest.raises(InputError) as found:
        claims("b0 := 3", text, "d_w[c] = w[c]")
    assert any(each in found.value.message for each in message.split("|"))
    assert found.value.origin is not None
    assert (found.value.origin.line, found.value.origin.column) == (2, column)


def test_a_derivative_by_a_name_of_ones_own_is_refused():
    with pytest.raises(InputError, match="a derivative by a name of your own has no meaning"):
        claims("a[c] := w[c]", "total(y[s, c, k], a[c]) = 0")


def test_names_that_double_each_time_are_refused_before_they_are_written_out():
    texts = ["a0 := eps + 1", *(f"a{n} := a{n - 1}*a{n - 1} + a{n - 1}" for n in range(1, 40)), "d_w[c] = a39"]
    with pytest.raises(InputError, match="with your own names written out this has more than 5000 parts"):
        claims(*texts)


def test_names_nested_too_deeply_are_refused():
    texts = ["a0 := eps + 1", *(f"a{n} := sqrt(a{n - 1} + 1)" for n in range(1, 90)), "d_w[c] = a80"]
    with pytest.raises(InputError, match="with your own names written out this is nested 10"):
        claims(*texts)
