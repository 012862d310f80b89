"""The README is run: its commands, its Python, and every line of output that it shows.

`PYTHONPATH=. python tests/test_readme.py` writes the shown output again.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import subprocess
from pathlib import Path
from unittest import mock

import pytest

import symgrad
from symgrad.cli import COMMANDS, main, parser
from symgrad.notation.library import from_text, load

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
TEXT = README.read_text(encoding="utf-8")
NOTE, FENCE = r"(?:<!-- (?P<note>[^>]*) -->\n)?", r"```(?P<language>\w*)\n(?P<body>.*?)^```$"
BLOCK = re.compile("^" + NOTE + FENCE, re.MULTILINE | re.DOTALL)
BLOCKS = [match.groupdict() for match in BLOCK.finditer(TEXT)]
CONSOLE = [block for block in BLOCKS if block["language"] == "console"]


def printed(command: str) -> str:
    """What a `symgrad …` command prints at 80 columns."""
    program, *arguments = shlex.split(command)
    assert program == "symgrad"
    out = io.StringIO()
    before = Path.cwd()
    os.chdir(ROOT)
    try:
        with contextlib.redirect_stdout(out), mock.patch.dict(os.environ, {"COLUMNS": "80"}):
            main(arguments)
    finally:
        os.chdir(before)
    return out.getvalue()


def part_of(block: dict, output: str) -> str:
    """What a block should show: all, or the section that begins like the block."""
    if not block["note"].endswith(", part"):
        return output
    first = block["body"].split("\n")[1]
    return next(section for section in output.split("\n\n") if section.split("\n")[0] == first) + "\n"


@pytest.mark.parametrize("block", CONSOLE, ids=[block["body"].split("\n")[0] for block in CONSOLE])
def test_shown_output_is_what_is_printed(block):
    prompt, _, shown = block["body"].partition("\n")
    if prompt.startswith("$ symgrad audit"):
        pytest.importorskip("torchgen", reason="the torch wheel ships the formulas")
    assert prompt.startswith("$ symgrad ")
    assert shown == part_of(block, printed(prompt.removeprefix("$ ")))
    assert all(len(line) <= 80 for line in shown.split("\n"))


def test_a_derivation_a_proof_and_a_refutation_are_shown():
    shown = [block["body"] for block in CONSOLE]
    assert len(shown) >= 3
    for words in ("Solution 2", "✓ proved", "✗ refuted", "nearest right form"):
        assert any(words in body for body in shown)


@pytest.mark.parametrize("block", [b["body"] for b in BLOCKS if b["language"] == "python"])
def test_python_blocks_run(block, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    exec(compile(block, "README.md", "exec"), {})


def test_the_packages_own_example_runs():
    lines = [line.strip() for line in symgrad.__doc__.split("\n") if line.startswith("    ")]
    found: dict = {}
    exec(compile("\n".join(lines), "symgrad/__init__.py", "exec"), found)
    assert found["study"].proved
    for name in symgrad.__all__:
        assert getattr(symgrad, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        symgrad.nothing  # noqa: B018


def test_the_layer_shown_is_the_gallerys():
    shown = next(block["body"] for block in BLOCKS if block["body"].startswith('"""'))
    layer, known = from_text(shown, "batch_norm"), load("batch_norm")
    assert [(d.name, d.body) for d in layer.definitions] == [(d.name, d.body) for d in known.definitions]
    assert (layer.order, layer.outputs) == (known.order, known.outputs)


def commands() -> dict[str, str]:
    noted = {block["note"]: block["body"].strip() for block in BLOCKS if block["note"]}
    return {note.removeprefix("command: "): body for note, body in noted.items() if note.startswith("command: ")}


def test_two_commands_do_everything():
    assert commands() == {
        "derive": "python -m pip install . && python -m symgrad derive",
        "test": "python -m pip install -e '.[test,torch]' -c constraints.txt && python -m pytest",
    }


def test_ci_runs_the_readmes_test_command():
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    (line,) = (line for line in script.split("\n") if line.startswith("command="))
    shown = ["bash", "-c", line + '; echo "$command"']
    found = subprocess.run(shown, cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == commands()["test"]
    assert '\neval "$command"\n' in script
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def test_the_numbers_about_the_article_are_right(judgements):
    words = " ".join(TEXT.split())
    holding = [j for j in judgements if j.holds]
    assuming = [j for j in holding if j.proof.assumptions]
    assert f"{len(holding)} of the {len(judgements)} lines hold, {len(assuming)} of them only for w ≠ 0" in words
    assert len(judgements) - len(holding) == 8
    assert "These eight do not:" in words
    table = TEXT[TEXT.index("| line | printed |") :].split("\n\n")[0]
    for judgement in judgements:
        if not judgement.holds and not judgement.claim.number.startswith("(E"):
            assert f"| {judgement.claim.number}, line" in table
    assert "Extra" in table


def test_the_numbers_about_floats_are_right(network):
    pytest.importorskip("torch")
    from symgrad import pipeline

    assert "dx is off by 3e-7 where PyTorch's own modules under autograd are off by 2e-4" in " ".join(TEXT.split())
    far = [c for c in pipeline.check(network).checks if c.where.startswith("mean 1e4") and c.what == "d_x"]
    for check in far:
        stated = 2e-4 if check.subject == "PyTorch itself" else 3e-7
        assert stated / 4 < check.error < stated * 4


def test_every_command_and_no_other_is_listed():
    actions = next(a for a in parser()._actions if a.choices)
    listed = re.findall(r"^\| `symgrad (\w+)", TEXT, re.MULTILINE)
    assert sorted(listed) == sorted(actions.choices)
    assert len(listed) == len(COMMANDS)
    for name, command in actions.choices.items():
        row = next(line for line in TEXT.split("\n") if line.startswith(f"| `symgrad {name}"))
        for option in re.findall(r"`(--\w+)", row):
            assert option in command.format_help()


def test_what_the_readme_names_is_there():
    links = re.findall(r"\]\(([^)#:]+)\)", re.sub(r"`[^`]*`", "", BLOCK.sub("", TEXT)))
    paths = re.findall(r"`((?:symgrad|templates|generated|benchmarks)/[\w./]*)`", TEXT)
    assert links
    assert len(paths) >= 5
    assert [name for name in (*links, *paths) if not (ROOT / name).exists()] == []


def _write_again() -> None:
    """The README with the output of its commands as it is now."""
    text = TEXT
    for block in CONSOLE:
        prompt = block["body"].partition("\n")[0]
        body = f"{prompt}\n{part_of(block, printed(prompt.removeprefix('$ ')))}"
        text = text.replace(f"```console\n{block['body']}```", f"```console\n{body}```")
    README.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    _write_again()
