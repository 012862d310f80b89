"""The article's numbers found again in what the engine derives."""

from __future__ import annotations

import pytest

from symgrad.algebra.terms import TWO, mul
from symgrad.article.book import article_book
from symgrad.check.steps import all_derivations
from symgrad.notation.claim import parse_claim
from symgrad.notation.library import load
from symgrad.render.presentation import presented


@pytest.fixture(scope="module")
def book(network):
    found = article_book(network.layer)
    assert found is not None
    return found


def numbers_of(derivation, book) -> set[str]:
    return {book.number(derivation.target, step.after) for step in derivation.steps}


def test_the_steps_carry_every_number_from_12_to_29(network, book):
    numbers = set()
    for derivation in all_derivations(presented(network)):
        numbers |= numbers_of(derivation, book)
        if derivation.route == "form":
            numbers.add(book.number(derivation.target, derivation.result, "(23)"))
    assert {f"({number})" for number in range(12, 30)} | {"(E2)"} <= numbers


def test_the_forward_equations_are_5_to_9(network, book):
    layer = network.merge.layer
    numbers = {d.name: book.number(d.entry, d.body) for d in layer.definitions}
    assert numbers == {"y.mu": "(6)", "y.var": "(7)", "y": "(5)", "z": "(8)", "L": "(9)"}


def test_the_final_form_stands_in_the_article_twice(network, book):
    """(22) ends Solution 1 and (29) Solution 2: what was numbered before tells which place is meant."""
    form = next(form for form in presented(network).gradient("x").forms if form.title == "through y")
    assert book.number(form.target, form.result, "(19)") == "(22)"
    assert book.number(form.target, form.result, "(23)") == "(29)"


def test_a_term_that_is_not_the_articles_has_no_number(network, book):
    derivation = network.gradient("beta").paths.derivation
    assert book.number(derivation.target, derivation.result) == "(18)"
    assert book.number(derivation.target, mul(TWO, derivation.result)) == ""
    assert book.number(network.gradient("w").paths.entry, derivation.result) == ""


def test_letters_do_not_matter(network, book):
    layer = network.merge.layer
    claim = parse_claim("d_w[c] = sum[j](d_y[c, j] * total(y[c, j], w[c]))", layer)
    assert book.number(claim.left, claim.right) == "(16)"


@pytest.mark.parametrize("name", ["batch_norm", "sigmoid", "mse"])
def test_another_layer_has_no_book(name):
    assert article_book(load(name)) is None
