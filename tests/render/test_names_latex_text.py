"""Formulas look the way a textbook prints them, in LaTeX and in a terminal."""

from __future__ import annotations

import pytest

from symgrad.algebra.terms import (
    Entry,
    Index,
    Mul,
    Num,
    Size,
    Sum,
    Term,
    add,
    delta,
    mul,
    negative,
    number,
)
from symgrad.errors import SymgradError
from symgrad.notation.expression import Reader, Scope
from symgrad.notation.letters import Letters
from symgrad.notation.library import from_text
from symgrad.notation.lines import Statement
from symgrad.render.fractions import split
from symgrad.render.latex import latex, latex_terms
from symgrad.render.names import Names, gradient_of
from symgrad.render.text import text

NETWORK = from_text(
    """
    input     x[c, i]
    parameter w[c], beta[c]
    target    t[c, i]
    constant  eps = 1e-5
    mu[c]   = mean[k](x[c, k])
    var[c]  = mean[k]((x[c, k] - mu[c])**2)
    y[c, i] = w[c] * (x[c, i] - mu[c]) / sqrt(var[c] + eps) + beta[c]
    z[c, i] = 1 / (1 + exp(-y[c, i]))
    L       = mean[c, i]((z[c, i] - t[c, i])**2)
    output L
    """.replace("\n    ", "\n")
)
NAMES = Names.of(NETWORK)
ROOT = r"\sqrt{\sigma_{c}^{2} + \epsilon}"
CUBE = rf"\left({ROOT}\right)^{{3}}"
D_Y_I = r"\frac{\partial L}{\partial y_{c,i}}"
D_Y_K = r"\frac{\partial L}{\partial y_{c,k}}"


def read(formula: str) -> Term:
    """A term over the network, with gradients and derivatives."""
    letters = Letters({"c": "c", "i": "i", "k": "i"}, {"c": "x", "i": "x"})
    scope = Scope(lambda name: NETWORK.indices(gradient_of(name) or name), list, letters, derivatives=True)
    return letters.resolve(Reader(Statement("<test>", 1, formula), 0, scope).read())


# Gradients, by the article's equation numbers (with eps, as in its section 3).

ARTICLE = {
    "12": ("2/(size[c]*size[i])*(z[c,i] - t[c,i])", r"\frac{2 \left(z_{c,i} - t_{c,i}\right)}{N_{c} N_{i}}"),
    "13": ("exp(-y[c,i])/(1 + exp(-y[c,i]))**2", r"\frac{e^{-y_{c,i}}}{\left(1 + e^{-y_{c,i}}\right)^{2}}"),
    "14": (
        "d_z[c,i]*z[c,i]*(1 - z[c,i])",
        r"\frac{\partial L}{\partial z_{c,i}} \, z_{c,i} \left(1 - z_{c,i}\right)",
    ),
    "16": (
        "sum[i](d_y[c,i]*(y[c,i] - beta[c])/w[c])",
        rf"\sum_{{i=1}}^{{N_{{i}}}} {D_Y_I} \, \frac{{y_{{c,i}} - \beta_{{c}}}}{{w_{{c}}}}",
    ),
    "19": (
        "d_y[c,i]*total(y[c,i], x[c,i]) + sum[k](d_y[c,k]*total(y[c,k], x[c,i])*where(k != i, 1, 0))",
        rf"{D_Y_I} \, \frac{{\partial y_{{c,i}}}}{{\partial x_{{c,i}}}} + "
        rf"\sum_{{k \ne i}} {D_Y_K} \, \frac{{\partial y_{{c,k}}}}{{\partial x_{{c,i}}}}",
    ),
    "20": (
        "w[c]*((size[i] - 1)*(var[c] + eps) - (x[c,i] - mu[c])**2)/(size[i]*(var[c] + eps)**(3/2))",
        r"\frac{w_{c} \left(\left(N_{i} - 1\right) \left(\sigma_{c}^{2} + \epsilon\right) - "
        rf"\left(x_{{c,i}} - \mu_{{c}}\right)^{{2}}\right)}}{{N_{{i}} {CUBE}}}",
    ),
    "22": (
        "w[c]/sqrt(var[c] + eps)*d_y[c,i] - w[c]/(size[i]*sqrt(var[c] + eps))*sum[k](d_y[c,k])"
        " - (y[c,i] - beta[c])/(size[i]*sqrt(var[c] + eps)*w[c])*sum[k]((y[c,k] - beta[c])*d_y[c,k])",
        rf"\frac{{w_{{c}}}}{{{ROOT}}} \, {D_Y_I}"
        rf" - \frac{{w_{{c}}}}{{N_{{i}} {ROOT}}} \sum_{{k=1}}^{{N_{{i}}}} {D_Y_K}"
        rf" - \frac{{y_{{c,i}} - \beta_{{c}}}}{{N_{{i}} {ROOT} \, w_{{c}}}}"
        rf" \sum_{{k=1}}^{{N_{{i}}}} \left(y_{{c,k}} - \beta_{{c}}\right) {D_Y_K}",
    ),
    "25": (
        "-w[c]/sqrt(var[c] + eps)*sum[k](d_y[c,k]) + d_var[c]*partial(mean[k]((x[c,k] - mu[c])**2), mu[c])",
        rf"-\frac{{w_{{c}}}}{{{ROOT}}} \sum_{{k=1}}^{{N_{{i}}}} {D_Y_K} + "
        r"\frac{\partial L}{\partial \sigma_{c}^{2}} \, \frac{\partial}{\partial \mu_{c}}"
        r"\left(\frac{1}{N_{i}} \sum_{k=1}^{N_{i}} \left(x_{c,k} - \mu_{c}\right)^{2}\right)",
    ),
    "27": (
        "-1/2*sum[k](d_y[c,k]*w[c]*(x[c,k] - mu[c])/(var[c] + eps)**(3/2))",
        rf"-\frac{{1}}{{2}} \sum_{{k=1}}^{{N_{{i}}}} {D_Y_K} \, "
        rf"\frac{{w_{{c}} \left(x_{{c,k}} - \mu_{{c}}\right)}}{{{CUBE}}}",
    ),
    "28": ("2*(x[c,i] - mu[c])/size[i]", r"\frac{2 \left(x_{c,i} - \mu_{c}\right)}{N_{i}}"),
}


@pytest.mark.parametrize("formula, expected", ARTICLE.values(), ids=ARTICLE)
def test_the_articles_formulas_in_latex(formula: str, expected: str) -> None:
    assert latex(read(formula), NAMES) == expected


def test_the_articles_formulas_in_text() -> None:
    assert text(read(ARTICLE["22"][0]), NAMES) == (
        "w[c]/√(σ²[c] + ε)·∂L/∂y[c,i] − w[c]/(N_i·√(σ²[c] + ε))·Σ_k ∂L/∂y[c,k]"
        " − (y[c,i] − β[c])/(N_i·√(σ²[c] + ε)·w[c])·Σ_k (y[c,k] − β[c])·∂L/∂y[c,k]"
    )
    assert text(read(ARTICLE["27"][0]), NAMES) == ("−1/2·Σ_k ∂L/∂y[c,k]·w[c]·(x[c,k] − μ[c])/(σ²[c] + ε)^(3/2)")
    assert text(read(ARTICLE["19"][0]), NAMES, unicode=False) == (
        "dL/dy[c,i]*dy[c,i]/dx[c,i] + sum_{k!=i} dL/dy[c,k]*dy[c,k]/dx[c,i]"
    )


# One rule of typesetting at a time: the formula, its LaTeX, its text.

# fmt: off
RULES = {
    "order is kept": ("x[c,i] - mu[c]", r"x_{c,i} - \mu_{c}", "x[c,i] − μ[c]"),
    "leading minus": ("-mu[c] + x[c,i]", r"-\mu_{c} + x_{c,i}", "−μ[c] + x[c,i]"),
    "minus before a sum of terms": ("-(x[c,i] - mu[c])", r"-\left(x_{c,i} - \mu_{c}\right)", "−(x[c,i] − μ[c])"),
    "half": ("1/2*x[c,i]", r"\frac{1}{2} \, x_{c,i}", "1/2·x[c,i]"),
    "a number alone": ("-3/2", r"-\frac{3}{2}", "−3/2"),
    "square of a square": ("var[c]**2", r"\left(\sigma_{c}^{2}\right)^{2}", "σ²[c]²"),
    "square of a gradient": ("d_y[c,i]**2", r"\left(\frac{\partial L}{\partial y_{c,i}}\right)^{2}", "(∂L/∂y[c,i])²"),
    "gradient below": ("x[c,i]/d_y[c,i]", rf"\frac{{x_{{c,i}}}}{{{D_Y_I}}}", "x[c,i]/(∂L/∂y[c,i])"),
    "sum below": ("x[c,i]/sum[i](x[c,i])", r"\frac{x_{c,i}}{\sum_{i=1}^{N_{i}} x_{c,i}}", "x[c,i]/(Σ_i x[c,i])"),
    "negative base": ("(-x[c,i])**3", r"\left(-x_{c,i}\right)^{3}", "(−x[c,i])³"),
    "roots": ("sqrt(2)*x[c,i]**(1/3)", r"\sqrt{2} \, \sqrt[3]{x_{c,i}}", "√(2)·x[c,i]^(1/3)"),
    "sum of a negative": ("sum[k](-x[c,k])", r"\sum_{k=1}^{N_{i}} \left(-x_{c,k}\right)", "Σ_k (−x[c,k])"),
    "sums stand last": (
        "sum[k](x[c,k])*sum[k](t[c,k])*w[c]",
        r"w_{c} \left(\sum_{k=1}^{N_{i}} x_{c,k}\right) \sum_{k=1}^{N_{i}} t_{c,k}",
        "w[c]·(Σ_k x[c,k])·Σ_k t[c,k]",
    ),
    "delta beside": (
        "w[c]*(where(k == i, 1, 0) - 1/size[i])/sqrt(var[c] + eps)",
        rf"\frac{{w_{{c}}}}{{{ROOT}}} \left(\delta_{{ki}} - \frac{{1}}{{N_{{i}}}}\right)",
        "w[c]/√(σ²[c] + ε)·(δ[k,i] − 1/N_i)",
    ),
    "free condition": ("x[c,i]*where(k != i, 1, 0)", r"x_{c,i} \left(1 - \delta_{ki}\right)", "x[c,i]·(1 − δ[k,i])"),
    "power of a function": ("tanh(w[c])**2", r"\tanh^{2}\left(w_{c}\right)", "tanh(w[c])²"),
    "power of e": ("exp(w[c])**2", r"\left(e^{w_{c}}\right)^{2}", "exp(w[c])²"),
    "fraction below a fraction": ("1/(x[c,i]/mu[c])", r"\frac{1}{\frac{x_{c,i}}{\mu_{c}}}", "1/(x[c,i]/μ[c])"),
    "numbers below never touch": ("1/3/(2*w[c])", r"\frac{1}{3 \left(2 w_{c}\right)}", "1/(3·(2·w[c]))"),
    "derivative of a formula": (
        "partial(w[c]*mu[c], mu[c])*w[c]",
        r"\left(\frac{\partial}{\partial \mu_{c}}\left(w_{c} \mu_{c}\right)\right) w_{c}",
        "(∂/∂μ[c](w[c]·μ[c]))·w[c]",
    ),
    "the loss by itself": ("d_L*w[c]", r"\frac{\partial L}{\partial L} \, w_{c}", "∂L/∂L·w[c]"),
}
# fmt: on


@pytest.mark.parametrize("formula, in_latex, in_text", RULES.values(), ids=RULES)
def test_one_rule_of_typesetting(formula: str, in_latex: str, in_text: str) -> None:
    assert latex(read(formula), NAMES) == in_latex
    assert text(read(formula), NAMES) == in_text


def test_a_long_line_breaks_at_its_terms() -> None:
    chunks = latex_terms(read("-w[c] + x[c,i] - 2*mu[c]"), NAMES)
    assert chunks == ["-w_{c}", "+ x_{c,i}", r"- 2 \mu_{c}"]
    assert " ".join(chunks) == latex(read("-w[c] + x[c,i] - 2*mu[c]"), NAMES)


def test_a_sum_without_two_indices() -> None:
    i, j, k = (Index(name, "i") for name in "ijk")
    differ = [add(number(1), negative(delta(k, other))) for other in (i, j)]
    term = Sum((k,), mul(*differ, Entry("x", (Index("c", "c"), k))))
    assert latex(term, NAMES) == r"\sum_{k \ne i,\, k \ne j} x_{c,k}"
    assert text(term, NAMES) == "Σ_{k≠i,k≠j} x[c,k]"


def test_a_condition_between_two_bound_indices_belongs_to_the_inner_sum() -> None:
    i, k = Index("i", "i"), Index("k", "i")
    term = Sum((i, k), add(number(1), negative(delta(k, i))))
    assert latex(term, NAMES) == r"\sum_{i=1}^{N_{i}} \sum_{k \ne i} 1"


def test_a_letter_bound_twice_gives_two_signs() -> None:
    k = Index("k", "i")
    assert text(Sum((k, k), Size("i")), NAMES) == "Σ_k Σ_k N_i"


def test_an_unknown_node_is_an_error_that_says_where_to_add_it() -> None:
    class Odd(Term):
        pass

    with pytest.raises(SymgradError, match=r"a Odd has no LaTeX form; add one to symgrad\.render\.latex"):
        latex(Odd(), NAMES)
    with pytest.raises(SymgradError, match="a Odd has no text form"):
        text(Odd(), NAMES)


# What goes into the fraction.


def test_the_parts_of_a_product() -> None:
    product = split(read("3/2*d_y[c,i]*w[c]*sum[k](x[c,k])*(x[c,i] - mu[c])/size[i]"))
    assert product.before == (read("d_y[c,i]"),)
    assert (product.numerator, product.denominator) == (3, 2)
    assert product.top == (read("w[c]"), read("x[c,i] - mu[c]"))
    assert product.bottom == (Size("i"),)
    assert product.after == (read("sum[k](x[c,k])"),)


def test_numbers_inside_a_product_are_gathered() -> None:
    x = Entry("x")
    assert latex(Mul((x, Num(number(2).value), Num(number(3).value))), NAMES) == "6 x"
