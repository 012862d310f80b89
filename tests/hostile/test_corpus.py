"""Every malformed or hostile text is refused, at its place, in time, and nothing of it is run."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from corpus import ALL_CLAIMS, LAYERS, NOT_YET_FORMULAS, Case

from symgrad import pipeline
from symgrad.cli import main
from symgrad.errors import InputError
from symgrad.notation.claim import parse_claim
from symgrad.notation.library import from_text, load
from symgrad.prove.study import Study

LIMIT = 30.0
"""Seconds of this process: far above what a slow machine takes, far below a search that does not end."""
SYNTAX = ("does not fit here", "breaks off here", "operator is missing", "nested too deeply", "has no meaning here")
"""Where Python's own parser gives up depends on its version."""


def named(cases: tuple[Case, ...]) -> object:
    return pytest.mark.parametrize("case", cases, ids=lambda case: case.name)


def check(case: Case, error: InputError) -> None:
    text = str(error)
    assert all(character.isprintable() or character == "\n" for character in text)
    assert len(text) < 2_000
    syntax = any(words in case.message for words in SYNTAX)
    if syntax:
        assert any(words in error.message for words in SYNTAX)
    else:
        assert case.message in error.message
    if not case.line:
        assert error.origin is None
        return
    assert error.origin is not None
    assert error.origin.line == case.line
    assert syntax or error.origin.column == case.column
    first, shown, caret = text.split("\n")[:3]
    assert first.startswith(f"{error.origin.source}:{case.line}:")
    assert caret.strip() == "^"
    assert len(shown) <= 4 + 100
    assert len(caret) <= len(shown) + 1
    assert error.hint


def test_there_are_enough() -> None:
    assert len(LAYERS) + len(ALL_CLAIMS) >= 450
    names = [case.name for case in (*LAYERS, *ALL_CLAIMS)]
    assert len(set(names)) == len(names)


@named(LAYERS)
def test_a_layer_is_refused(case: Case) -> None:
    start = time.process_time()
    with pytest.raises(InputError) as found:
        from_text(case.text)
    assert time.process_time() - start < LIMIT
    check(case, found.value)


@named(ALL_CLAIMS)
def test_a_claim_is_refused(case: Case) -> None:
    layer = load("batch_norm")
    start = time.process_time()
    with pytest.raises(InputError) as found:
        parse_claim(case.text, layer)
    assert time.process_time() - start < LIMIT
    check(case, found.value)


@named(NOT_YET_FORMULAS)
def test_what_is_still_to_come_is_called_so(case: Case) -> None:
    assert "not supported" in case.message


@named(LAYERS)
def test_the_command_line_refuses_the_same_as_a_file(
    case: Case, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = tmp_path / "layer.sg", tmp_path / "out"
    path.write_bytes(case.text.encode("utf-8", "surrogatepass"))
    assert main(["generate", str(path), "--out", str(out)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert "Traceback" not in captured.err
    assert all(character.isprintable() or character == "\n" for character in captured.err)
    assert [entry.name for entry in tmp_path.iterdir()] == ["layer.sg"]


@named(ALL_CLAIMS)
def test_the_command_line_refuses_the_claim(
    case: Case, batch_norm: Study, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "derive", lambda _: batch_norm)  # once is enough
    assert main(["prove", "batch_norm", case.text]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert all(character.isprintable() or character == "\n" for character in captured.err)
