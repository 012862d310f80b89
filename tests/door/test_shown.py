"""What a notebook shows: formulas for MathJax, and names and texts in which nothing is a command."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

import symgrad
from symgrad.notation.library import gallery
from symgrad.render.aligned import words
from symgrad.render.parts import Code, Formula, Heading, Judged, Words, as_html, as_latex

HOSTILE = '<script>alert("1")</script> $\\href{javascript:alert(1)}{x}$ \\(x\\) & <b>'
LAYER = f'"""{HOSTILE}"""\ninput x[i]\nparameter my_gain\ny[i] = my_gain * x[i]\noutput y\n'


class Reader(HTMLParser):
    """The tags of a page, whether they are closed, and the text that MathJax reads."""

    def __init__(self) -> None:
        super().__init__()
        self.open, self.tags, self.read = [], set(), []

    def handle_starttag(self, tag, attrs) -> None:
        self.open.append((tag, "mathjax_ignore" in (dict(attrs).get("class") or "")))
        self.tags.add(tag)

    def handle_endtag(self, tag) -> None:
        assert self.open.pop()[0] == tag

    def handle_data(self, data) -> None:
        if not any(ignored for _, ignored in self.open):
            self.read.append(data)


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    return reader


def formulas(reader: Reader) -> list[str]:
    """What stands between $$; the whole text that MathJax sees, apart from spaces."""
    texts = [text for text in reader.read if text.strip()]
    assert all(text.startswith("$$") and text.endswith("$$") for text in texts)
    return [text[2:-2] for text in texts]


def balanced(formula: str) -> bool:
    """Whether braces, \\left and \\right, and environments are closed."""
    bare = formula.replace(r"\{", "").replace(r"\}", "")
    environments = [(rf"\\begin{{{name}}}", rf"\\end{{{name}}}") for name in ("aligned", "array", "cases")]
    pairs = [(r"\{", r"\}"), (r"\\left(?![a-z])", r"\\right(?![a-z])"), *environments]
    counts = [(len(re.findall(first, bare)), len(re.findall(last, bare))) for first, last in pairs]
    return all(one == other for one, other in counts) and "$" not in formula


@pytest.fixture(scope="module")
def hostile() -> symgrad.Layer:
    return symgrad.Layer(LAYER, name="hostile")


def test_text_of_a_layers_author_is_text(hostile):
    page = hostile._repr_html_()
    reader = read(page)
    assert reader.tags == {"div", "h4", "p", "span"}
    assert "<script" not in page and "<b>" not in page
    assert "javascript" not in "".join(reader.read)
    assert len(formulas(reader)) == 1
    kept = [text for text in re.split(r"<[^>]*>", page) if "$" in text and "aligned" not in text]
    assert set(kept) == {"$"}  # alone between tags, so that no formula begins there


def test_latex_of_a_layers_author_is_text(hostile):
    source = hostile._repr_latex_()
    assert r"\href" not in source and r"\textbackslash{}href" in source
    assert source.count("$$") == 2
    assert re.findall(r"(?<![\\$])\$(?!\$)", source) == []


def test_kernels_are_shown_as_code(hostile):
    page = hostile.generate("numpy").html()
    assert read(page).tags == {"div", "p", "span", "pre", "code"}
    assert "javascript" not in "".join(read(page).read)
    assert formulas(read(page)) == []


@pytest.mark.parametrize("name", [*gallery()])
def test_every_gallery_derivation_is_set(name):
    study = symgrad.layer(name).derive()
    found = formulas(read(study.html()))
    assert len(found) > len(study.gradients) and all(balanced(formula) for formula in found)
    assert all(r"\text{?}" not in formula for formula in found)


def test_a_formula_that_is_not_closed_is_seen():
    assert balanced(r"\frac{a}{b}") and balanced(r"\left(a\right)")
    assert not balanced(r"\frac{a}{b") and not balanced(r"\left(a)") and not balanced("a $ b")


def test_every_step_stands_with_its_reason():
    gradient = symgrad.layer("batch_norm").gradient("x")
    latex = gradient.latex()
    for derivation in gradient.derivations:
        for step in derivation.steps:
            first = (step.reason or step.rules[0]).split()[0]
            assert rf"\text{{{first}" in latex
    assert r"\sum_{k=1}^{N_{i}}" in latex and "Solution 2" in latex
    assert latex.index(r"\frac{\partial \sigma_{c}^{2}}{\partial \mu_{c}}") > 0  # the intermediates' own derivations
    assert "proved" in gradient.html().rpartition("$$")[2]


def test_verdicts_are_shown_with_what_belongs_to_them():
    layer = symgrad.layer("batch_norm")
    right = layer.prove("d_w[c] = sum[s, k](d_y[s, c, k] * (y[s, c, k] - beta[c]) / w[c])").html()
    assert r"w_{c} \ne 0" in right and "#1a7f37" in right
    wrong = layer.prove("d_beta[c] = mean[s, k](d_y[s, c, k])").html()
    assert "counterexample" in wrong and "nearest right form" in wrong and "#1a7f37" not in wrong
    assert all(balanced(f) for f in formulas(read(wrong)) + formulas(read(right)))


def test_tangents_are_shown():
    motion = symgrad.layer("softmax").derive("jvp")
    assert r"\mathrm{dot\_y}" in motion.latex() and "proved" in motion.html()
    assert "every tangent is 0" in symgrad.layer("batch_norm").derive("hvp", "w").html()


def test_long_formulas_are_broken():
    layer = symgrad.Layer("input x[i]\ny[i] = " + " + ".join(f"sin({n} * x[i])" for n in range(2, 30)) + "\noutput y\n")
    assert layer.latex().count(r"\\") >= 3


def test_ipython_prints_the_text_of_the_terminal():
    class Printer:
        def text(self, text) -> None:
            self.found = text

    layer, printer = symgrad.layer("relu"), Printer()
    layer._repr_pretty_(printer, cycle=False)
    assert printer.found == str(layer)
    layer._repr_pretty_(printer, cycle=True)
    assert printer.found == repr(layer)


def test_each_part_has_both_forms():
    parts = [Heading("a_b"), Words("one\n\ntwo"), Formula("a < b"), Judged("refuted", "x"), Code("a\n<b>\n")]
    page = as_html(parts)
    assert "<p>" in page and "$$a &lt; b$$" in page and "&lt;b&gt;" in page
    source = as_latex(parts)
    assert r"\textbf{a\_b}" in source and "$$a < b$$" in source and r"\texttt{\textless{}b\textgreater{}}" in source
    assert words("x_1 ≠ y; \\alpha") == r"\text{x}\_\text{1 }\ne \text{ y; }\text{?}\text{alpha}"
