"""The command line: what each command prints, its exit status, and what it leaves on disk."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from symgrad import pipeline
from symgrad.cli import main
from symgrad.errors import DerivationError, InputError
from symgrad.render.lines import width
from symgrad.render.tables import table

UNDECIDABLE = "input x[i]\na[i] = sin(2 * x[i])\noutput a\n"
RIGHT, OPEN, WRONG = "d_x[i] = 2 * d_a[i] * cos(2 * x[i])", "a[i] = 2 * sin(x[i]) * cos(x[i])", "a[i] = 2 * sin(x[i])"
"""OPEN is true, and nothing in the table of functions says so."""


@pytest.fixture(autouse=True)
def _eighty_columns(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")


@pytest.fixture
def undecidable(tmp_path) -> str:
    path = tmp_path / "circle.sg"
    path.write_text(UNDECIDABLE)
    return str(path)


def run(capsys, *arguments: str) -> tuple[int, str]:
    """The exit status and standard output; nothing may stand on standard error."""
    status = main(arguments)
    out, err = capsys.readouterr()
    assert err == ""
    return status, out


def refused(capsys, *arguments: str) -> str:
    """The message of an input error; nothing may stand on standard output."""
    status = main(arguments)
    out, err = capsys.readouterr()
    assert (status, out) == (2, "")
    assert "Traceback" not in err
    return err


# --- derive


def test_derive_shows_both_solutions_the_proof_and_a_table(capsys):
    status, out = run(capsys, "derive")
    assert status == 0
    assert out.startswith("batch_norm_sigmoid_mse\n")
    for heading in (
        "Forward",
        "The gradient of w",
        "The gradient of x, Solution 1: ",
        "The gradient of x, Solution 2: ",
        "Proof: Solution 1 = Solution 2, for every size and value",
    ):
        assert f"\n{heading}" in out
    *_, closing, last = out.rstrip().split("\n\n")
    assert last == "`symgrad generate batch_norm_sigmoid_mse` writes the files."
    head, rule, *rows = closing.split("\n")
    assert head.split("  ")[0] == "gradient"
    assert set(rule) == {"─", " "}
    for row, name in zip(rows, ("∂L/∂x[s,c,k]", "∂L/∂w[c]", "∂L/∂β[c]"), strict=True):
        found, verdict, error, file = row.split()
        assert (found, verdict, file) == (name, "proved", "generated/numpy/batch_norm_sigmoid_mse.py")
        assert float(error) < 1e-12


def test_derive_carries_every_equation_number_of_the_article(capsys):
    _, out = run(capsys, "derive")
    assert [n for n in range(5, 30) if f"({n})\n" not in out] == [10, 11]
    assert "(E2)\n" in out


@pytest.mark.parametrize(("solution", "shown", "hidden"), [("1", "(22)", "(23)"), ("2", "(29)", "(22)")])
def test_derive_shows_one_solution(solution, shown, hidden, capsys):
    status, out = run(capsys, "derive", "--solution", solution)
    assert status == 0
    assert f"Solution {solution}: " in out
    assert f"Solution {3 - int(solution)}: " not in out
    assert shown in out
    assert hidden not in out


def test_derive_shows_every_step_with_its_rules(capsys):
    status, out = run(capsys, "derive", "--steps")
    assert status == 0
    assert out.count("[") > 100
    assert "quotient rule" in out
    assert "[derived before: the gradients of the intermediates" in out.replace("\n", " ")


@pytest.mark.parametrize("columns", [60, 80, 200])
@pytest.mark.parametrize("arguments", [("derive",), ("derive", "--steps"), ("list",)])
def test_no_line_is_wider_than_the_terminal(arguments, columns, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(columns))
    _, out = run(capsys, *arguments)
    wide = [line for line in out.split("\n") if width(line) > columns]
    if columns == 60:  # headings, and the table's names of files, have no place to break
        wide = [line for line in wide if "generated/" not in line and not set(line) <= {"─", " "}]
        wide = [line for line in wide if not line.startswith(("The gradient of x, Solution", "gradient "))]
    assert wide == []


def test_derive_takes_any_layer_by_path(capsys, tmp_path):
    path = tmp_path / "mine.sg"
    path.write_text("input x[i]\nparameter g\ny[i] = tanh(g * x[i])\noutput y\n")
    status, out = run(capsys, "derive", str(path))
    assert status == 0
    assert "∂ℒ/∂g" in out
    assert "generated/numpy/mine.py" in out


def test_derive_writes_json(capsys, tmp_path):
    status, out = run(capsys, "derive", "--json", "-")
    data = json.loads(out)
    assert status == 0
    assert data["format"] == 1
    assert set(data) == {"format", "layer", "text", "axes", "definitions", "domain", "gradients", "proved"}
    assert data["proved"] is True
    gradients = {gradient["name"]: gradient for gradient in data["gradients"]}
    assert {"x", "w", "beta"} <= set(gradients)
    x = gradients["x"]
    assert set(x) == {"name", "verdict", "assumptions", "solutions", "forms"}
    assert x["verdict"] == "proved"
    assert set(x["solutions"]) == {"1", "2"}
    derivation = x["solutions"]["2"]
    assert set(derivation) == {"title", "route", "target", "lemmas", "steps", "result"}
    assert set(derivation["steps"][0]) == {"rules", "reason", "after", "number", "conditions", "distinct"}
    assert set(derivation["result"]) == {"notation", "latex"}
    assert derivation["steps"][-1]["after"] == derivation["result"]
    path = tmp_path / "derivation.json"
    status, out = run(capsys, "derive", "--solution", "2", "--json", str(path))
    assert out.endswith(f"wrote {path}\n")
    assert set(json.loads(path.read_text())["gradients"][-1]["solutions"]) == {"2"}


def test_derive_writes_a_latex_document(capsys, tmp_path):
    path = tmp_path / "derivation.tex"
    status, out = run(capsys, "derive", "--latex", str(path))
    assert status == 0
    assert out.endswith(f"wrote {path}\n")
    text = path.read_text()
    assert r"\begin{document}" in text
    assert text.rstrip().endswith(r"\end{document}")
    status, out = run(capsys, "derive", "--latex", "-")
    assert (status, out) == (0, text)


def test_derive_says_when_a_check_fails(capsys, monkeypatch):
    from symgrad import pipeline
    from symgrad.check.records import Check

    monkeypatch.setattr(pipeline, "check_emitted", lambda _: [Check("d_y", "numpy", "complex step", "", 0.5, 1e-10)])
    status, out = run(capsys, "derive", "sigmoid")
    assert status == 1
    assert "5.0e-01 ✗" in out


# --- prove


def test_a_right_claim_is_proved(capsys):
    status, out = run(capsys, "prove", "batch_norm", "d_beta[c] = sum[s, k](d_y[s, c, k])")
    assert status == 0
    assert out == "✓ proved  d_beta[c] = sum[s, k](d_y[s, c, k])\n    for every size and value\n"


def test_assumptions_are_stated(capsys):
    claim = "d_w[c] = sum[s, k](d_y[s, c, k] * (y[s, c, k] - beta[c]) / w[c])"
    status, out = run(capsys, "prove", "batch_norm", claim)
    assert status == 0
    assert "\n    assuming w[c] ≠ 0\n" in out


def test_a_wrong_claim_is_refuted_with_numbers_and_the_nearest_right_form(capsys):
    status, out = run(capsys, "prove", "batch_norm", "d_beta[c] = mean[s, k](d_y[s, c, k])")
    assert status == 1
    assert out.startswith("✗ refuted  d_beta[c] = mean[s, k](d_y[s, c, k])\n    counterexample: N_s = ")
    left, right = (line.split("= ")[1] for line in out.split("\n") if "side =" in line)
    assert left != right
    assert "\n        d_y   " in out
    nearest = "    nearest right form: d_beta[c] = sum[s, k](d_y[s, c, k])\n    (changed: a factor dropped)\n"
    assert out.endswith(nearest)


@pytest.mark.parametrize(
    ("layer", "claim", "nearest"),
    [
        ("sigmoid", "d_y[i] = d_z[i] * z[i] * (1 + z[i])", "d_y[i] = d_z[i]*z[i]*(1 - z[i])"),
        ("mse", "d_z[i] = (z[i] - t[i]) / size[i]", "d_z[i] = (z[i] - t[i])/size[i]*2"),
        ("batch_norm_sigmoid_mse", "mu[c] = sum[s, k](x[s, c, k])", "mu[c] = mean[s, k](x[s, c, k])"),
        ("batch_norm", "d_w[c] = sum[s, k](d_y[s, c, k])", None),
    ],
)
def test_the_nearest_right_form_is_a_claim_that_is_proved(layer, claim, nearest, capsys):
    status, out = run(capsys, "prove", layer, claim)
    assert status == 1
    found = out.partition("nearest right form: ")[2].partition("\n    (changed")[0]
    if nearest is None:
        assert found == ""
        return
    if layer != "mse":  # there several factors come out in different orders
        assert found == nearest
    status, out = run(capsys, "prove", layer, found)
    assert status == 0
    assert "nearest right form" not in out


def test_no_nearest_form_is_looked_for_in_a_large_layer(capsys, monkeypatch):
    monkeypatch.setattr(pipeline, "LARGEST", 10)
    status, out = run(capsys, "prove", "batch_norm", "d_beta[c] = mean[s, k](d_y[s, c, k])")
    assert status == 1
    assert "nearest" not in out


def test_what_cannot_be_decided_is_said_to_be_undecided(undecidable, capsys):
    status, out = run(capsys, "prove", undecidable, OPEN)
    assert status == 3
    assert out.startswith(f"? undecided  {OPEN}\n    neither proved nor refuted: ")


def test_the_worst_verdict_is_the_exit_status(undecidable, capsys):
    assert run(capsys, "prove", undecidable, RIGHT)[0] == 0
    assert run(capsys, "prove", undecidable, RIGHT, OPEN)[0] == 3
    status, out = run(capsys, "prove", undecidable, RIGHT, OPEN, WRONG)
    assert status == 1
    verdicts = [line.split()[1] for line in out.split("\n") if line[:1] in tuple("✓✗?")]
    assert verdicts == ["proved", "undecided", "refuted"]


def test_the_upstream_gradient_of_a_loss_is_stated(capsys):
    _, out = run(capsys, "prove", "mse", "d_z[i] = 2 * (z[i] - t[i]) / size[i]")
    assert "\n    where d_L = 1, the final scalar's own gradient\n" in out
    _, out = run(capsys, "prove", "mse", "d_z[i] = d_L * 2 * (z[i] - t[i]) / size[i]")
    assert "where d_L" not in out


# --- generate


def test_generate_writes_what_check_then_accepts(capsys, tmp_path):
    status, out = run(capsys, "generate", "sigmoid", "--out", str(tmp_path / "made"))
    assert status == 0
    paths = [Path(line) for line in out.split()]
    assert paths == [tmp_path / "made" / backend / "sigmoid.py" for backend in ("numpy", "torch", "jax")]
    assert all(path.is_file() for path in paths)
    before = {path: path.stat().st_mtime_ns for path in paths}
    status, out = run(capsys, "generate", "sigmoid", "--check", "--out", str(tmp_path / "made"))
    assert status == 0
    assert out == f"3 files in {tmp_path / 'made'} up to date.\n"
    assert {path: path.stat().st_mtime_ns for path in paths} == before


def test_generate_shards_an_axis(capsys, tmp_path):
    status, out = run(capsys, "generate", "sigmoid", "--shard", "i", "--out", str(tmp_path))
    path = tmp_path / "torch" / "sigmoid_sharded_i.py"
    assert (status, out) == (0, f"{path}\n")
    assert "python -m symgrad generate sigmoid --backend torch --shard i\n" in path.read_text()
    assert run(capsys, "generate", "sigmoid", "--shard", "i", "--out", str(tmp_path), "--check")[0] == 0
    assert "Its axes are i." in refused(capsys, "generate", "sigmoid", "--shard", "j", "--out", str(tmp_path))
    assert "only the backend torch" in refused(capsys, "generate", "sigmoid", "--shard", "i", "--backend", "numpy")
    assert "needs a LAYER" in refused(capsys, "generate", "--shard", "i")
    assert main(["generate", "cumsum", "--shard", "i", "--out", str(tmp_path)]) == 1
    assert "cannot be sharded over i" in capsys.readouterr().err
    assert len(list(tmp_path.rglob("*.py"))) == 1


def test_generate_takes_backends(capsys, tmp_path):
    status, _ = run(capsys, "generate", "sigmoid", "mse", "--backend", "numpy", "--out", str(tmp_path))
    assert status == 0
    written = sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*.py"))
    assert written == ["numpy/mse.py", "numpy/sigmoid.py"]


@pytest.fixture
def made(tmp_path, monkeypatch) -> Path:
    """A folder with the kernels of a gallery of two."""
    monkeypatch.setattr("symgrad.notation.library.gallery", lambda: ("mse", "sigmoid"))
    assert main(["generate", "--out", str(tmp_path / "made")]) == 0
    return tmp_path / "made"


def test_check_shows_a_changed_a_missing_and_a_stale_file(made, capsys):
    capsys.readouterr()
    changed, missing, stale = made / "numpy/mse.py", made / "torch/mse.py", made / "numpy/old.py"
    changed.write_text(changed.read_text() + "# a hand was here\n")
    missing.unlink()
    stale.write_text("x = 1\n")
    before = sorted(made.rglob("*.py"))
    status, out = run(capsys, "generate", "--check", "--out", str(made))
    assert status == 1
    assert "--- numpy/mse.py (found)\n+++ numpy/mse.py (generated)\n" in out
    assert "\n-# a hand was here\n" in out
    assert "--- torch/mse.py (missing)\n" in out
    assert "+++ numpy/old.py (stale: nothing generates it)\n" in out
    assert f"3 files of {made} out of date: `symgrad generate --out {made}` writes" in out
    assert sorted(made.rglob("*.py")) == before


def test_files_are_the_same_from_any_folder_and_hash_seed(tmp_path, root):
    made = []
    for seed, folder in (("1", tmp_path), ("4321", root / "tests")):
        out = tmp_path / f"made{seed}"
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(root)}
        command = [sys.executable, "-m", "symgrad", "generate", "batch_norm_sigmoid_mse", "sigmoid", "--out", str(out)]
        subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)
        made.append({p.relative_to(out).as_posix(): p.read_bytes() for p in out.rglob("*.py")})
    assert made[0] == made[1]
    assert len(made[0]) == 6


# --- check, article, list


def test_check_prints_the_worst_error_of_each_result(capsys):
    status, out = run(capsys, "check", "sigmoid")
    assert status == 0
    assert out.startswith("sigmoid: ")
    assert "all within their limits" in out
    for reference in ("complex step", "the equations, evaluated", "evaluation in dual numbers"):
        assert f"against {reference}; worst error" in out
    assert "d_y" in out


def test_check_fails_when_a_comparison_does(capsys, monkeypatch):
    from symgrad import pipeline
    from symgrad.check.records import Check, Report

    bad = Check("d_x", "numpy", "complex step", "N_i = 2, float64", 0.5, 1e-10)
    monkeypatch.setattr(pipeline, "check", lambda _: Report("sigmoid", (bad,), ("torch: not here",)))
    status, out = run(capsys, "check", "sigmoid")
    assert status == 1
    assert "NOT ALL WITHIN THEIR LIMITS" in out
    assert "5.0e-01 ✗ > 1e-10" in out
    assert "not run: torch: not here" in out


def test_check_fits_the_terminal(capsys):
    _, out = run(capsys, "check", "mse", "--all")
    assert [line for line in out.split("\n") if width(line) > 100] == []


@pytest.fixture
def _judged(monkeypatch, judgements):
    """The article's lines are judged once for all tests."""
    monkeypatch.setattr("symgrad.article.judge.judge_article", lambda _: iter(judgements))


@pytest.mark.usefixtures("_judged")
def test_article_finds_the_eight_misprints(capsys):
    status, out = run(capsys, "article")
    assert status == 1
    body, summary = out.split("\n\n")
    lines = [line for line in body.split("\n") if line.startswith("(")]
    assert len(lines) == 63
    wrong = [line.split()[0] for line in lines if "✗" in line]
    assert wrong == ["(21).2", "(22).2", "(25).2", "(25).3", "(25).4", "(25).5", "(28).1", "(E1).1"]
    assert "63 lines: 48 hold, 7 hold under a stated assumption, 8 do not: " in summary
    assert ", ".join(wrong) in " ".join(summary.split())
    assert body.count("nearest right form:") == 8
    assert body.count("counterexample: ") == 4
    assert body.count("as printed: x has 2 indices, and 1 stand here.") == 4
    assert [line for line in out.split("\n") if width(line) > 80] == []


@pytest.mark.usefixtures("_judged")
def test_article_shows_only_the_misprints(capsys):
    status, out = run(capsys, "article", "--misprints")
    assert status == 1
    assert sum(line.startswith("(") for line in out.split("\n\n")[0].split("\n")) == 8


def test_list_names_layers_backends_and_functions(capsys):
    status, out = run(capsys, "list")
    assert status == 0
    assert "\ny = batch_norm(x, w, beta, eps)\n    Batch normalization" in out
    assert "\nBackends: numpy, torch, jax\n" in out
    assert "sigmoid" in out.partition("Scalar functions: ")[2]


# --- wrong input


def test_an_unknown_layer_is_named(capsys):
    assert "there is no layer 'batchnorm'" in refused(capsys, "derive", "batchnorm")


def test_a_wrong_claim_has_a_caret(capsys):
    claim = "d_beta[c] = sum[s, k](d_y[s, c, k)"
    lines = refused(capsys, "prove", "batch_norm", claim).split("\n")
    assert lines[0].startswith("error: <claim>:1:")
    assert claim in lines[1]
    assert set(lines[2].strip()) == {"^"}


def test_a_wrong_layer_has_file_line_and_caret(capsys, tmp_path):
    path = tmp_path / "wrong.sg"
    path.write_text("input x[i]\ny[i] = x[i] + q[i]\noutput y\n")
    error = refused(capsys, "derive", str(path))
    assert error.startswith(f"error: {path}:2:15: ")
    assert "\n    y[i] = x[i] + q[i]\n" + " " * 18 + "^\n" in error


@pytest.mark.parametrize("command", [["derive"], ["prove"], ["generate"], ["check"]])
def test_a_file_that_is_not_there(command, capsys, tmp_path):
    claims = ["y = 1"] if command == ["prove"] else []
    assert "there is no file" in refused(capsys, *command, str(tmp_path / "none.sg"), *claims)


def test_a_folder_that_cannot_be_written(capsys, tmp_path):
    (tmp_path / "file").write_text("")
    assert "cannot be written" in refused(capsys, "generate", "sigmoid", "--out", str(tmp_path / "file"))


def test_an_unknown_backend(capsys, tmp_path):
    error = refused(capsys, "generate", "sigmoid", "--backend", "cobol", "--out", str(tmp_path))
    assert "there is no backend 'cobol'" in error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [["differentiate"], ["derive", "--solution", "3"], ["prove"]])
def test_a_wrong_command_line(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert "usage: symgrad" in capsys.readouterr().err


def test_no_command_at_all_shows_the_help(capsys):
    assert main([]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("usage: symgrad")
    assert "    derive " in err


def test_every_command_has_help(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    out = capsys.readouterr().out
    for command in ("derive", "generate", "prove", "check", "article", "list"):
        assert f"    {command} " in out
    assert "Exit status: 0 everything holds" in " ".join(out.split())


def test_only_wrong_input_has_status_two(capsys, monkeypatch):
    from symgrad import pipeline

    for error, expected in ((InputError("wrong"), 2), (DerivationError("no rule"), 1)):
        monkeypatch.setattr(pipeline, "derive", raising(error))
        assert main(["derive", "sigmoid"]) == expected
        assert capsys.readouterr().err == f"error: {error}\n"


def raising(error: Exception):
    def derive(_):
        raise error

    return derive


# --- streams


def test_progress_is_shown_on_a_terminal_and_nowhere_else(root):
    command = [sys.executable, "-m", "symgrad", "derive", "sigmoid"]
    plain = subprocess.run(command, cwd=root, capture_output=True, check=True)
    assert plain.stderr == b""
    master, slave = pty.openpty()
    with os.fdopen(slave, "wb") as terminal:
        shown = subprocess.run(command, cwd=root, stdout=subprocess.PIPE, stderr=terminal, check=True)
    progress = os.read(master, 10_000).decode()
    os.close(master)
    assert "deriving sigmoid by two routes" in progress
    assert progress.endswith("\r\x1b[K")
    assert shown.stdout == plain.stdout


@pytest.mark.parametrize("arguments", [["list"], ["derive"]])
def test_a_reader_that_stops_early_gets_no_traceback(arguments, root):
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as closed:
        command = [sys.executable, "-m", "symgrad", *arguments]
        found = subprocess.run(command, cwd=root, stdout=closed, stderr=subprocess.PIPE, check=False)
    assert found.stderr == b""
    assert found.returncode == 0


def test_formulas_are_utf8_under_any_locale(root):
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "LC_ALL": "C"}
    command = [sys.executable, "-m", "symgrad", "derive", "sigmoid"]
    found = subprocess.run(command, cwd=root, env=environment, capture_output=True, check=True)
    assert "∂ℒ/∂y" in found.stdout.decode("utf-8")


def test_a_table_is_aligned():
    lines = table(("a", "bc"), [("xyz", "1"), ("x\u0302", "22")]).split("\n")
    assert lines == ["a    bc", "───  ──", "xyz  1", "x\u0302    22"]


def test_claims_come_from_a_file(tmp_path, capsys):
    file = tmp_path / "mine.claims"
    file.write_text("# two claims\nd_beta[c] = sum[s, k](d_y[s, c, k])\n\nd_beta[c] = mean[s,\n    k](d_y[s, c, k])\n")
    assert main(["prove", "batch_norm", "--claims", str(file)]) == 1
    out = capsys.readouterr().out
    assert out.count("✓ proved") == 1
    assert out.count("✗ refuted") == 1


def test_a_wrong_claim_in_a_file_is_shown_with_its_place(tmp_path, capsys):
    file = tmp_path / "mine.claims"
    file.write_text("# nothing\n\nd_beta[c] = nope\n")
    assert main(["prove", "batch_norm", "--claims", str(file)]) == 2
    assert f"{file}:3:13: nope is not defined." in capsys.readouterr().err
    assert main(["prove", "batch_norm"]) == 2
    assert "there is no claim to judge." in capsys.readouterr().err
