"""Shifted entries, labels, lengths that no tensor tells."""

from __future__ import annotations

from fractions import Fraction

import pytest

from symgrad.algebra.binding import alpha_equal, rename, substitute
from symgrad.algebra.simplify import at_delta, collapse_delta
from symgrad.algebra.terms import Delta, Entry, Index, Place, Position, Sum, add, delta, number, place_at
from symgrad.errors import InputError
from symgrad.notation.bind import bind_constants
from symgrad.notation.lengths import given_axes, sizes_from
from symgrad.notation.library import from_text, load
from symgrad.notation.unparse_layer import unparse_layer

A, J, H = Index("a", "a"), Index("j", "j"), Index("h", "h")
SHIFT = Place("h", add(Position(A), Position(J)))


def lengths(name: str, given: dict[str, int], **constants: int) -> dict[str, int] | None:
    return sizes_from(load(name), given, {key: Fraction(value) for key, value in constants.items()})


def test_a_letter_takes_the_place_of_a_place_and_a_place_that_of_a_letter():
    entry = Entry("x", (SHIFT,))
    assert entry.free == {A, J}
    assert rename(entry, {A: Index("k", "a")}) == Entry("x", (Place("h", add(Position(Index("k", "a")), Position(J))),))
    assert rename(Entry("x", (H,)), {H: SHIFT}) == entry
    assert rename(Position(H), {H: SHIFT}) == add(Position(A), Position(J))
    assert place_at("h", Position(H)) == H
    assert rename(entry, {J: Place("j", number(0))}).indices[0].value == add(Position(A), number(0))


def test_bound_letters_make_way_for_those_of_a_place():
    total = Sum((A,), Entry("x", (A, H)))
    moved = rename(total, {H: SHIFT})
    assert isinstance(moved, Sum)
    assert A in moved.free
    assert alpha_equal(moved, Sum((Index("k", "a"),), Entry("x", (Index("k", "a"), SHIFT))))
    assert not alpha_equal(moved, Sum((A,), Entry("x", (A, SHIFT))))


def test_a_delta_picks_only_places_that_lie_inside():
    body = Delta(H, SHIFT)
    assert collapse_delta(Sum((H,), body)) == number(1)
    outside = Sum((H,), Delta(H, Place("h", SHIFT.value, inside=False)))
    assert collapse_delta(outside) == outside
    over_i = Sum((A,), Delta(H, SHIFT))
    assert collapse_delta(over_i) == over_i
    assert delta(SHIFT, H) == Delta(H, SHIFT)


def test_beside_a_delta_its_place_goes_by_the_letter():
    assert at_delta(Delta(H, SHIFT)) == Delta(H, SHIFT)
    product = at_delta(_product(Delta(H, SHIFT), Entry("x", (SHIFT,))))
    assert product == _product(Delta(H, SHIFT), Entry("x", (H,)))


def _product(*factors):
    from symgrad.algebra.terms import mul

    return mul(*factors)


def test_labels_are_renamed_inside_of_places():
    entry = Entry("x", (Place("v", Entry("t", (A,))),))
    assert entry.names == {"x", "t"}
    moved = substitute(entry, lambda e: Entry("u", e.indices) if e.name == "t" else None)
    assert moved == Entry("x", (Place("v", Entry("u", (A,))),))


def test_how_many_positions_fit():
    given = {"b": 2, "c": 1, "h": 7, "o": 3, "k": 3}
    assert lengths("conv1d", given, stride=1, padding=0)["i"] == 5
    assert lengths("conv1d", given, stride=2, padding=0)["i"] == 3
    assert lengths("conv1d", given, stride=2, padding=2)["i"] == 5
    assert lengths("conv1d", {**given, "h": 2}, stride=1, padding=0) is None
    assert lengths("conv1d", {**given, "h": 2}, stride=1, padding=1)["i"] == 2
    assert lengths("avg_pool", {"b": 1, "c": 1, "h": 5, "w": 4}, window=2, stride=2) == {
        "b": 1, "c": 1, "h": 5, "w": 4, "k": 2, "l": 2, "i": 2, "j": 2,
    }  # fmt: skip
    assert given_axes(load("avg_pool")) == ("b", "c", "h", "w")


def test_the_shortest_of_several_fits_counts():
    layer = from_text(
        "input x[h], z[g]\nparameter w[k], u[l]\ny[i] = sum[k](w[k]*x[i + k]) + sum[l](u[l]*z[i + l])\noutput y"
    )
    assert sizes_from(layer, {"h": 6, "g": 9, "k": 2, "l": 2}, {})["i"] == 5
    assert sizes_from(layer, {"h": 9, "g": 6, "k": 2, "l": 2}, {})["i"] == 5


def test_an_entry_that_must_lie_inside_is_checked():
    layer = from_text("input x[h]\nparameter w[k]\ny[k] = w[k]*x[k + 1]\noutput y")
    assert sizes_from(layer, {"h": 3, "k": 2}, {}) is not None
    assert sizes_from(layer, {"h": 3, "k": 3}, {}) is None


def test_constants_in_places_are_whole():
    layer = load("conv1d")
    assert [constant.name for constant in layer.constants if constant.is_whole] == ["stride", "padding"]
    bound = bind_constants(layer, {"stride": Fraction(2), "padding": Fraction(1)})
    assert [fit.padding for fit in bound.fits] == [number(1)]
    assert "2*i + k - 1" in str(bound.definitions[0].body)
    pool = bind_constants(load("avg_pool"), {"window": Fraction(3), "stride": Fraction(1)})
    assert pool.axis("k").length == number(3)


def test_networks_take_layers_with_places_and_labels():
    text = (
        "input x[n, a, e]\nparameter w[m, a, d], bias[m], u[q, m]\nlabel t[n] in q\n"
        "f = conv1d(x, w, bias, 2, 1)\ng[n, m] = mean[s](f[n, m, s])\nz[n, q] = sum[m](u[q, m]*g[n, m])\n"
        "L = cross_entropy_labels(z, t)\noutput L\n"
    )
    layer = from_text(text, "net")
    assert layer.labels == {"t": "q"}
    assert sizes_from(layer, {"n": 1, "a": 2, "e": 6, "m": 2, "d": 3, "q": 4}, {}) is not None
    again = from_text(unparse_layer(layer), "net")
    assert unparse_layer(again) == unparse_layer(layer)
    assert again.fits == layer.fits


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ("L = cross_entropy_labels(x, x)", "t of cross_entropy_labels is a label."),
        ("L = cross_entropy_labels(t, t)", "x of cross_entropy_labels is no label."),
        ("y = conv1d(u, w, c, 0.5)", "stride of conv1d is a whole number, and something else stands here."),
        ("y = conv1d(u, w, c, a)", "stride of conv1d is a whole number, and something else stands here."),
        ("L = cross_entropy_labels(x, s)", "stand"),
    ],
)
def test_other_arguments_are_refused(call, message):
    text = (
        "input x[b, v], u[b, d, e]\nparameter w[o, d, k], c[o], a\nlabel t[b] in v, s[b] in d\n"
        f"{call}\nz[b, v] = x[b, v]*a\noutput z\n"
    )
    with pytest.raises(InputError, match=message.replace("(", r"\(")):
        from_text(text)


@pytest.mark.parametrize(
    "name", ["conv1d", "conv2d", "avg_pool", "max_pool", "local_response_norm", "nll", "embedding"]
)
def test_layers_are_read_back(name):
    layer = load(name)
    again = from_text(unparse_layer(layer), name)
    assert (again.fits, again.labels, again.axes) == (layer.fits, layer.labels, layer.axes)
    assert [d.body for d in again.definitions] == [d.body for d in layer.definitions]
