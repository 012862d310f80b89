"""The document: what it says, in which order, that nothing of a layer is a command, that it compiles."""

from __future__ import annotations

import re
import shutil
import subprocess
from functools import lru_cache
from pathlib import Path

import pytest

from symgrad.article.book import article_book
from symgrad.notation.layer import Layer
from symgrad.notation.library import from_text, gallery, load
from symgrad.prove.study import study
from symgrad.render.document import latex_document
from symgrad.render.document.layout import lay_out
from symgrad.render.document.markup import prose
from symgrad.render.names import Names
from symgrad.render.pieces import latex_pieces, letters_in

NETWORK = "batch_norm_sigmoid_mse"
HOSTILE = r'''"""Costs 100% of $x$ & #1 ~ {a}_b^c \input{/etc/passwd} \end{document} “q” `t` "u" é č 中 λ ≤.

Averylongwordwithoutanyspaceswhatsoeverthatgoesonandonandonandonandonandonandonandonandonandonandon/and_on
"""
input     some_extremely_long_input_name[batch_position, channel_number]
parameter scaling_factor_of_channels[channel_number], additive_offset_of_channels[channel_number]
constant  end = 1e-3

centre[channel_number] = mean[batch_position](some_extremely_long_input_name[batch_position, channel_number])
shifted_and_scaled_output[batch_position, channel_number] = (
    scaling_factor_of_channels[channel_number]
    * (some_extremely_long_input_name[batch_position, channel_number] - centre[channel_number])
    + additive_offset_of_channels[channel_number] + end)
penalty_term = sum[channel_number](scaling_factor_of_channels[channel_number]**2)

output shifted_and_scaled_output, penalty_term
'''
MANY = """
input a[i, j], b[j, i]
parameter w, v[j]

y[i] = sum[j](w*a[i,j]**3*v[j] + a[i,j]**2*b[j,i] - 3*w**2*exp(-a[i,j])*v[j]
              + log(1 + exp(a[i,j]*w)) - tanh(v[j]*a[i,j] + w) / (1 + a[i,j]**2))
q[j] = sum[i](a[i,j]*b[j,i]*y[i]) / (1 + w**2)
p = sum[i](y[i]**2) + sum[j](q[j])

output y, q, p
"""
CHAIN = "input x[n]\nparameter c0\n\nc1[n] = tanh(x[n])\n" + "".join(
    f"c{k}[n] = c0*c{k - 1}[n] + x[n]\n" if k % 2 else f"c{k}[n] = exp(-c{k - 1}[n])\n" for k in range(2, 11)
) + "\noutput c10, c3\n"  # fmt: skip
SCALARS = "input a\nparameter b\n\nthe = a*b + 2\nto = exp(the)*a\n\noutput to\n"
ODD = {"hostile": HOSTILE, "many_terms": MANY, "chain": CHAIN, "scalars": SCALARS}


def layer_of(name: str) -> Layer:
    return from_text(ODD[name], name) if name in ODD else load(name)


@lru_cache
def document(name: str, solutions: tuple[int, ...] = (1, 2)) -> str:
    layer = layer_of(name)
    return latex_document(study(layer), article_book(layer), solutions)


def numbers(text: str) -> list[str]:
    """The equation numbers beside formulas, in order."""
    return re.findall(r"\\eqnumber\{(\w+)\}", text.split(r"\begin{document}")[1])


@pytest.mark.parametrize("name", [*gallery(), *ODD])
def test_every_layer_has_a_document_in_ascii_without_anything_left_to_fill_in(name: str) -> None:
    text = document(name)
    assert text.isascii()
    assert not re.search(r"\\VAR|\\BLOCK|\\NOTE|None|Undefined", text)
    assert text.count(r"\begin{document}") == text.count(r"\end{document}") == 1
    assert text.rstrip().endswith(r"\end{document}")


@pytest.mark.parametrize("name", [*gallery(), *ODD])
def test_whatever_is_referred_to_stands_in_the_document(name: str) -> None:
    text = document(name).split(r"\begin{document}")[1]
    assert set(re.findall(r"\\eqgoto\{(\w*)\}", text)) <= set(numbers(document(name)))
    assert set(re.findall(r"\\ref\{([^}]*)\}", text)) <= set(re.findall(r"\\label\{([^}]*)\}", text))


def test_the_articles_numbers_stand_in_the_articles_order() -> None:
    order = [int(n) for n in numbers(document(NETWORK)) if n.isdigit()]
    first = list(dict.fromkeys(order))
    assert set(first) == {*range(2, 10), *range(12, 30)}
    main = [n for n in first if n not in (26, 28)]  # solution 1 needs these two before (20)
    assert main[:3] == [2, 3, 4]
    assert main == sorted(main)


def test_the_final_form_is_22_in_solution_1_and_29_in_solution_2() -> None:
    text = document(NETWORK)
    one, two = text.split("Solution 2: contribution paths}")
    final = r"\piece{{}- \frac{y_{c,i} - \beta_{c}}{N_{i} \sqrt{\sigma_{c}^{2} + \epsilon} \, w_{c}}"
    for part, number in ((one.split("Solution 1: the Jacobian}")[1], "22"), (two, "29")):
        row = part[part.index(final) :]
        assert re.search(r"\\eqnumber\{(\w+)\}", row)[1] == number
        assert rf"The form \eqgoto{{{number}}} assumes \inline{{w_{{c}} \ne 0}}" in part


def test_the_sections_come_in_the_articles_order() -> None:
    text = document(NETWORK)
    marks = ["The network}", r"\label{figure:network}", "combined into a single index", "The chain rule}",
             "Dimensions of the gradients}", "Upstream gradients}", "The gradient of w}", "The gradient of beta}",
             "The gradient of x}", r"\label{figure:paths", "Solution 1}", r"For \inline{k = i}",
             r"For \inline{k \ne i}", "Solution 2}", "Factor 1.", "Factor 6.", "The proof}",
             r"\label{table:equations}", "Extra}"]  # fmt: skip
    places = [text.index(mark) for mark in marks]
    assert places == sorted(places)


def test_table_1_names_the_articles_equations() -> None:
    table = document(NETWORK).split(r"\label{table:equations}")[1].split(r"\end{longtable}")[0]
    rows = dict(re.findall(r"\\texttt\{(\w+(?:\\_\w+)*)\}, (?:gradients) & (.*?) ?\\\\", table))
    found = {name.replace("\\", ""): re.findall(r"eqgoto\{(\d+)\}", cell) for name, cell in rows.items()}
    assert found == {"mse": ["12"], "sigmoid": ["14"], "batch_norm": ["16", "18", "22", "29"]}


def test_terms_stand_in_the_order_in_which_a_person_writes_them() -> None:
    text = document(NETWORK)
    assert r"x_{c,i} - \mu_{c}" in text
    assert not re.search(r"-\\mu_\{c\} \+|\+ -|- -", text)


def test_every_step_has_a_reason() -> None:
    derivation = document(NETWORK).split("Upstream gradients}")[1].split("The proof}")[0]
    reasons = re.findall(r"%\n  \{[^\n]*\}%\n  \{([^\n]*)\}\n", derivation)
    assert len(reasons) > 50
    assert sum(not reason for reason in reasons) == derivation.count("as before,")


@pytest.mark.parametrize("solution", [1, 2])
def test_a_single_solution_can_be_shown(solution: int) -> None:
    text = document(NETWORK, (solution,))
    assert (r"Solution 1: the Jacobian}" in text) == (solution == 1)
    assert (r"Solution 2: contribution paths}" in text) == (solution == 2)
    assert set(re.findall(r"\\eqgoto\{(\w*)\}", text.split(r"\begin{document}")[1])) <= set(numbers(text))


def test_without_a_book_equations_are_counted_from_1() -> None:
    own = list(dict.fromkeys(numbers(document("batch_norm"))))
    assert own[0] == "1"
    assert own == [str(n) for n in range(1, len(own) + 1)]


def test_text_of_a_layer_is_no_command() -> None:
    assert prose(r"\input{a} 5% $b$ #1 x_y") == r"\textbackslash{}input\{a\} 5\% \$b\$ \#1 x\_y"
    assert prose('say "yes" é č 中') == r"say ``{}yes''{} \'{e} \v{c} {\footnotesize U+4E2D}\hspace{0pt}"
    assert r"\input{" not in document("hostile")


def test_long_formulas_are_cut_between_terms_and_inside_brackets() -> None:
    layer = layer_of("many_terms")
    body = layer.definitions[0].body
    pieces = latex_pieces(body, Names.of(layer), 40)
    assert len(pieces) == 5
    assert pieces[0].startswith(r"\sum_{j=1}^{N_{j}} \biggl(")
    assert pieces[-1].endswith(r"\biggr)")
    assert all(piece.startswith("{}") for piece in pieces[1:])
    assert len(latex_pieces(body, Names.of(layer), 1000)) == 1
    assert letters_in(r"\mathrm{ab}_{c} + \left(d\right)") == 7


def test_nodes_of_a_row_keep_their_distance_and_long_edges_have_lanes() -> None:
    widths = {"a": 1.0, "b": 3.0, "c": 1.0, "d": 1.0}
    edges = [("a", "b"), ("a", "c"), ("b", "d"), ("c", "d"), ("a", "d")]
    layout = lay_out({"a": 0, "b": 1, "c": 1, "d": 2}, widths, edges)
    assert abs(layout.places["b"][0] - layout.places["c"][0]) > 2
    assert [row for _, row in layout.routes["a", "d"]] == [1]


def complaints(text: str, folder: Path) -> list[str]:
    """What two runs of pdflatex say of errors, undefined things and lines that are too wide."""
    (folder / "d.tex").write_text(text, encoding="ascii")
    command = ["pdflatex", "-interaction=nonstopmode", "-no-shell-escape", "d.tex"]
    for _ in range(2):
        subprocess.run(command, cwd=folder, capture_output=True, check=False, timeout=120)
    log = (folder / "d.log").read_text(encoding="latin-1").splitlines()
    return [line for line in log if re.search(r"^!|Overfull|undefined|Warning|does not exist", line)]


needs_pdflatex = pytest.mark.skipif(
    shutil.which("pdflatex") is None,
    reason="pdflatex is not installed: apt-get install texlive-latex-extra texlive-pictures lmodern, or TeX Live",
)


@needs_pdflatex
@pytest.mark.parametrize("name", [NETWORK, "batch_norm", "sigmoid", "mse", *ODD])
def test_pdflatex_has_nothing_to_complain_about(name: str, tmp_path: Path) -> None:
    assert complaints(document(name), tmp_path) == []
    assert (tmp_path / "d.pdf").stat().st_size > 10_000


@needs_pdflatex
@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        (r"\nosuchcommand", "! Undefined control sequence"),
        (r"\ref{nowhere}", "undefined references"),
        (r"\eqgoto{77}", "does not exist"),
        (r"\mbox{\hspace{\linewidth}too wide}", "Overfull"),
    ],
)
def test_a_wrong_document_is_noticed(wrong: str, complaint: str, tmp_path: Path) -> None:
    text = document("sigmoid").replace(r"\end{document}", f"{wrong}\n\\end{{document}}")
    assert any(complaint in line for line in complaints(text, tmp_path))
