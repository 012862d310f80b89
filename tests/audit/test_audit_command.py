"""`symgrad audit`: what it prints, its exit status, and errors in its input."""

from __future__ import annotations

import json

import pytest

from symgrad.cli import main

RIGHT = "- name: sin(Tensor self) -> Tensor\n  self: grad * self.cos()\n  result: auto_element_wise\n"
WRONG = "- name: cos(Tensor self) -> Tensor\n  self: grad * self.sin()\n"
OPEN = "- name: prod(Tensor self, *, ScalarType? dtype=None) -> Tensor\n  self: prod_backward(grad, self, result)\n"
OUT = "- name: gather(Tensor self, int dim, Tensor index) -> Tensor\n  self: gather_backward(grad, self, dim, index)\n"


@pytest.fixture
def run(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")

    def command(text: str, *arguments: str) -> tuple[int, str, str]:
        (tmp_path / "derivatives.yaml").write_text(text)
        status = main(["audit", "--file", str(tmp_path / "derivatives.yaml"), *arguments])
        return (status, *capsys.readouterr())

    return command


def test_a_right_formula(run):
    status, out, err = run(RIGHT, "sin")
    assert (status, err) == (0, "")
    assert out == (
        "sin\n"
        "  self: grad * self.cos()\n"
        "    ✓ proved  d_x[i] = d_y[i]*cos(x[i])\n"
        "  result: auto_element_wise\n"
        "    ✓ proved  dot_y[i] = dot_x[i]*cos(x[i])\n"
    )


def test_a_wrong_formula_is_shown_with_its_counterexample(run):
    status, out, _ = run(RIGHT + WRONG)
    assert status == 1
    assert "✗ refuted  d_x[i] = d_y[i]*sin(x[i])" in out and "counterexample: N_i" in out
    assert "2 entries, 2 in scope" in out


@pytest.mark.parametrize(("text", "status"), [(RIGHT, 0), (OPEN, 3), (RIGHT + OUT, 0), (OPEN + WRONG, 1)])
def test_the_exit_status_is_that_of_the_worst_formula(run, text, status):
    assert run(text)[0] == status


def test_what_is_out_of_scope_says_why(run):
    status, out, _ = run(OUT, "gather")
    assert (status, out) == (0, "gather: out of scope, indexing, gathering, scattering\n")


def test_json_holds_everything(run, tmp_path):
    status, out, _ = run(RIGHT + WRONG + OUT, "--json", "-")
    data = json.loads(out)
    assert status == 1
    assert (data["entries"], data["in_scope"]) == (3, 2)
    assert data["verdicts"]["gradient"]["proved"] == 1
    (claim,) = data["operators"][1]["formulas"][0]["claims"]
    assert claim["counterexample"]["left"] != claim["counterexample"]["right"]
    assert data["operators"][2]["out_of_scope"] == "indexing, gathering, scattering"
    status, out, _ = run(RIGHT, "--json", str(tmp_path / "audit.json"))
    assert json.loads((tmp_path / "audit.json").read_text())["entries"] == 1


def test_an_unknown_operator_is_an_error(run):
    status, out, err = run(RIGHT, "sinn")
    assert (status, out) == (2, "")
    assert "no operator 'sinn'" in err and "Did you mean sin?" in err


def test_a_missing_file_is_an_error(capsys):
    assert main(["audit", "--file", "none.yaml"]) == 2
    assert "cannot be read" in capsys.readouterr().err


def test_the_installed_file(entries, capsys):
    assert main(["audit", "acosh"]) == 0
    assert "✓ proved  d_x[i] = d_y[i]/sqrt(x[i]*x[i] - 1)" in capsys.readouterr().out
