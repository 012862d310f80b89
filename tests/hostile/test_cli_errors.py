"""Wrong input on the command line: status 2, one message on standard error, nothing written."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from symgrad.cli import main

BAD = "input x[s, c]\ny[s] = sum[c](x[s, c]) + nope\noutput y\n"
GOOD = "input x[s]\nparameter w\ny[s] = w*x[s]\noutput y\n"
COMMANDS = (
    ["generate", "{layer}", "--out", "{out}"],
    ["generate", "{layer}", "--out", "{out}", "--check"],
    ["generate", "sigmoid", "{layer}", "--out", "{out}"],
    ["prove", "{layer}", "d_x[s, c] = 0"],
    ["derive", "{layer}"],
    ["derive", "{layer}", "--steps", "--latex", "{out}/a.tex", "--json", "{out}/a.json"],
    ["derive", "{layer}", "--json", "-"],
    ["check", "{layer}"],
)


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The message; nothing else may have been printed."""
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert "Traceback" not in captured.err
    return captured.err


def everything(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_an_error_in_a_layer_stops_every_command(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad.sg"
    path.write_text(BAD)
    error = refused(capsys, *(part.format(layer=path, out=tmp_path / "out") for part in command))
    assert error == (
        f"error: {path}:2:26: nope is not defined.\n"
        "    y[s] = sum[c](x[s, c]) + nope\n"
        "                             ^\n"
        "Known here: x.\n"
    )
    assert everything(tmp_path) == ["bad.sg"]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("layer", ["nope", "nope.sg", "", ".", "/", "a\0b.sg"], ids=repr)
def test_a_layer_that_is_not_there_stops_every_command(
    command: list[str], layer: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refused(capsys, *(part.format(layer=layer, out=tmp_path / "out") for part in command))
    assert everything(tmp_path) == []


@pytest.mark.parametrize(
    "arguments",
    [["nope"], ["prove"], ["derive", "--solution", "3"], ["generate", "--nope"],
     ["generate", "--out"], ["prove", "--out", "x", "sigmoid", "1 = 1"], ["--nope"], ["list", "x"], ["article", "x"]],
    ids=repr,
)  # fmt: skip
def test_wrong_arguments(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as found:
        main(arguments)
    assert found.value.code == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "usage: symgrad" in captured.err


def test_an_unknown_backend(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    error = refused(capsys, "generate", "sigmoid", "--backend", "fortran", "--out", str(tmp_path / "out"))
    assert "fortran" in error
    assert "numpy" in error
    assert everything(tmp_path) == []


@pytest.mark.parametrize("inside", ["", "deeper", "deeper/still"])
def test_a_folder_that_cannot_be_made(inside: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("kept")
    error = refused(capsys, "generate", "sigmoid", "--out", str(tmp_path / "file" / inside))
    assert "cannot be written" in error
    assert everything(tmp_path) == ["file"]
    assert (tmp_path / "file").read_text() == "kept"


def test_a_folder_in_the_place_of_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "numpy" / "sigmoid.py").mkdir(parents=True)
    arguments = ["generate", "sigmoid", "--backend", "numpy", "--out", str(tmp_path)]
    assert "cannot be written" in refused(capsys, *arguments)
    assert everything(tmp_path) == ["numpy", "numpy/sigmoid.py"]


def test_a_link_in_the_place_of_a_file_is_replaced_not_followed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outside, out = tmp_path / "outside.py", tmp_path / "out"
    outside.write_text("kept")
    (out / "numpy").mkdir(parents=True)
    (out / "numpy" / "sigmoid.py").symlink_to(outside)
    assert main(["generate", "sigmoid", "--backend", "numpy", "--out", str(out)]) == 0
    assert outside.read_text() == "kept"
    assert not (out / "numpy" / "sigmoid.py").is_symlink()
    assert everything(out) == ["numpy", "numpy/sigmoid.py"]


@pytest.mark.parametrize("target", ["file/a.tex", "folder"])
@pytest.mark.parametrize("option", ["--latex", "--json"])
def test_a_document_that_cannot_be_written(
    option: str, target: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("kept")
    (tmp_path / "folder").mkdir()
    assert main(["derive", "sigmoid", option, str(tmp_path / target)]) == 2
    assert "cannot be written" in capsys.readouterr().err
    assert everything(tmp_path) == ["file", "folder"]


def test_a_path_cannot_speak_to_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "\x1b]0;owned\x07\x1b[2J\n"
    folder.mkdir()
    for text in (BAD, GOOD):
        path = folder / "layer.sg"
        path.write_text(text)
        status = main(["prove", str(path), "d_w = nope"])
        captured = capsys.readouterr()
        assert status == 2
        assert all(c.isprintable() or c == "\n" for c in captured.out + captured.err)


def test_a_real_process_says_the_same(tmp_path: Path) -> None:
    path = tmp_path / "bad.sg"
    path.write_text(BAD)
    for name in (str(path), os.fsdecode(b"\xff\xfe.sg"), "é.sg"):
        run = subprocess.run(
            [sys.executable, "-m", "symgrad", "generate", name, "--out", str(tmp_path / "out")],
            capture_output=True,
            env={**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0"},
            timeout=60,
            check=False,
        )
        assert run.returncode == 2
        assert run.stdout == b""
        assert run.stderr.startswith(b"error: ")
        assert b"Traceback" not in run.stderr
    assert everything(tmp_path) == ["bad.sg"]


DOCS = (
    "quotes \" and ''' and \"\" in it",
    "ends with a quote \"'",
    "ends with a backslash \\",
    r"backslashes \n \x41 \N{BULLET} \u0041 \' \" \\",
    "braces {} {{ x }} {% raw %} {# note #} {0} {x!r:>{width}}",
    r"LaTeX \alpha $x_i^2$ % & # ~ \begin{document} \VAR{x} \BLOCK{x}",
    "percent %s %(x)s %",
    "code: import os; os.system('true')",
    "any language: Größe, слой, 层, 🙂, ∂L/∂x, é",
    "no-break\xa0space and soft\xadhyphen and zero\u200bwidth",
    "-*- coding: utf-7 -*-",
    "<script>alert(1)</script>",
    "a title " + "that is long " * 40,
    "",
)


@pytest.mark.parametrize("doc", DOCS)
@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_a_docstring_stays_text(doc: str, backend: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import ast

    path = tmp_path / "layer.sg"
    path.write_text(f'"""{doc}\n\nA second line: {doc}\n"""\n{GOOD}', encoding="utf-8")
    assert main(["generate", str(path), "--backend", backend, "--out", str(tmp_path)]) == 0
    capsys.readouterr()
    text = (tmp_path / backend / "layer.py").read_text(encoding="utf-8")
    tree = ast.parse(text)
    shown = ast.get_docstring(tree) or ""
    assert letters(shown.split("\n")[0]).startswith(letters(doc)[:60])
    assert all(isinstance(node, (ast.Expr, ast.Import, ast.ImportFrom, ast.ClassDef, ast.FunctionDef, ast.Assign))
               for node in tree.body)  # fmt: skip
    assert [node for node in tree.body if isinstance(node, ast.Expr)] == tree.body[:1]


def letters(text: str) -> str:
    return "".join(character for character in text if character.isalnum())
