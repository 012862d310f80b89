"""The derivation on a terminal: lines broken where a person would break them, numbers at the end."""

from __future__ import annotations

import pytest

from symgrad import pipeline
from symgrad.article.book import article_book
from symgrad.notation.library import from_text
from symgrad.render.lines import TAGS_END, width, wrapped
from symgrad.render.terminal import Options, takes_two_solutions, terminal


def shown(study, book=None, **options) -> str:
    return "\n\n".join(terminal(study, book, Options(**options)))


# --- Lines


def test_what_fits_stays_on_one_line():
    assert wrapped("  y = ", "a + b", 20) == "  y = a + b"
    assert wrapped("  y = ", "a + b", 20, "(1)") == "  y = a + b" + " " * 6 + "(1)"


def test_combining_marks_take_no_column():
    assert width("x\u0302[i]") == 4
    assert wrapped("", "x\u0302", 10, "(1)") == "x\u0302" + " " * 6 + "(1)"


@pytest.mark.parametrize(
    ("formula", "limit", "lines"),
    [
        ("aaaa·(b − c) + dddd", 16, ["y = aaaa·(b − c)", "      + dddd"]),
        ("w·(x − μ)/N·Σ_k (y − β)·d", 20, ["y = w·(x − μ)/N", "      ·Σ_k (y − β)·d"]),
        ("w·(aaaa + b)/(cccc·N)", 19, ["y = w·(aaaa + b)", "      /(cccc·N)"]),
        ("(aaaa·bbbb − cccc·dddd)", 19, ["y = (aaaa·bbbb", "      − cccc·dddd)"]),
        ("sum[k](a*b) - mean[k](c*d)", 22, ["y = sum[k](a*b)", "      - mean[k](c*d)"]),
        ("x**2*yyyy*zzzz", 14, ["y = x**2*yyyy", "      *zzzz"]),
        ("unbreakable_name", 10, ["y = unbreakable_name"]),
    ],
)
def test_long_formulas_break_at_the_best_place(formula, limit, lines):
    assert wrapped("y = ", formula, limit).split("\n") == lines


def test_a_minus_sign_inside_a_number_or_exponent_is_no_place_to_break():
    assert wrapped("", "x**(-1)*y**(-1/2)", 8).split("\n")[0] == "x**(-1)"


def test_a_tag_that_does_not_fit_moves_the_break():
    assert wrapped("y = ", "aaaa·bbbb + cccc", 22, "(12)").split("\n") == ["y = aaaa·bbbb", "      + cccc      (12)"]


def test_a_tag_has_a_line_of_its_own_where_nothing_can_move():
    lines = wrapped("y = ", "a_very_long_name", 20, "(12)").split("\n")
    assert lines == ["y = a_very_long_name", " " * 16 + "(12)"]


def test_tags_stay_near_their_formulas_on_a_wide_terminal():
    assert width(wrapped("y = ", "a", 200, "(1)")) == TAGS_END
    assert wrapped("y = ", "a" * 120, 200, "(1)").endswith("a  (1)")


@pytest.mark.parametrize("limit", range(12, 90, 7))
def test_breaking_loses_nothing(limit):
    formula = "w[c]·((N_i − 1)·(σ²[c] + ε) − (x[c,i] − μ[c])²)/((σ²[c] + ε)^(3/2)·N_i)·Σ_k (y[c,k] − β[c])·d[c,k]"
    text = wrapped("  y = ", formula, limit, "(20)")
    assert "".join(text.replace("(20)", "").split()) == "".join(("y=" + formula).split())


# --- The page


def test_sections_stand_in_reading_order(network):
    text = shown(network, article_book(network.layer))
    order = ["Forward\n", "of z\n", "of y\n", "of w\n", "of beta\n", "Solution 1: ", "Solution 2: ", "\nProof: "]
    places = [text.index(words) for words in order]
    assert places == sorted(places)


def test_only_the_gradient_of_x_takes_two_solutions(network):
    two = [found.name for found in network.found if found.jacobian is not None and takes_two_solutions(found)]
    assert two == ["x"]


def test_a_layer_without_a_book_has_no_numbers(batch_norm):
    text = shown(batch_norm)
    assert "(22)" not in text
    assert "∂ℒ/∂x[c,i] = " in text


def test_the_cases_of_the_jacobian_are_shown_as_such(network):
    text = shown(network, article_book(network.layer), solutions=(1,))
    assert "∂y[c,i]/∂x[c,i] = w[c]" in text
    assert "∂y[c,k]/∂x[c,i] = w[c]" in text
    assert "Σ_{k≠i}" in text


def test_the_assumption_stands_before_the_form_that_needs_it(network):
    text = shown(network)
    before, form = text.split("and for w[c] ≠ 0, through y:\n")[1:][0], "(y[c,i] − β[c])"
    assert form in before


def test_every_step_names_its_rules(network):
    text = shown(network, steps=True)
    used = {rule for found in network.found for step in found.paths.derivation.steps for rule in step.rules}
    assert used
    words = " ".join(text.split())
    assert [rule for rule in sorted(used) if rule not in words] == []


def test_a_gradient_that_is_not_proved_is_marked(network):
    from dataclasses import replace

    found = network.gradient("w")
    open_ = replace(found, proof=replace(found.proof, verdict="undecided", left_over="2 terms are left over"))
    study = replace(network, found=tuple(open_ if f is found else f for f in network.found))
    assert "  ✗ ∂L/∂w[c]: undecided" in shown(study)


def test_a_layer_without_axes_or_domain():
    study = pipeline.derive(from_text("input x\ny = x**2\noutput y", "square_of"))
    text = shown(study)
    assert "∂y/∂x = 2·x" in text
    assert "✓" in text
    assert "\n  for \n" not in text + "\n"


# --- One equation, one meaning, once


SEVERAL_PATHS = """
input  x[i]
target t[i]
u[i] = x[i]**2
h[i] = sin(u[i])
L    = sum[i](u[i] * h[i] * t[i])
output L
"""


def test_the_direct_path_to_the_loss_is_told_from_the_gradient():
    text = shown(pipeline.derive(from_text(SEVERAL_PATHS, "several")))
    assert "∂L/∂u[i] = ∂L/∂u[i]|direct + ∂h[i]/∂u[i]·∂L/∂h[i]" in text
    assert "∂L/∂u[i]|direct = h[i]·t[i]" in text
    assert "∂L/∂h[i]|direct" not in text  # h has one path only
    lines = [line.strip() for line in text.split("\n") if " = " in line]
    assert not [line for line in lines if line.partition(" = ")[0] == line.partition(" = ")[2]]


def test_an_equation_is_shown_once_in_a_solution():
    text = shown(pipeline.derive(from_text(
        "input x[i]\na[i] = 2*x[i]\nb[i] = a[i]*x[i]\nc[i] = sin(a[i])\ny[i] = b[i]*c[i]\noutput y\n", "twice"
    )))  # fmt: skip
    for solution in text.split("The gradient of ")[1:]:
        lines = [line for line in solution.split("\n") if line.startswith("  ∂a[i]/∂x[i] = ")]
        assert len(lines) <= 1
    assert "∂a[i]/∂x[i] = 2" in text
