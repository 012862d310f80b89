"""Files are written all or none, inside the folder only; what cannot be written is found out first."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from symgrad import pipeline
from symgrad.cli import main
from symgrad.errors import InputError
from symgrad.render.files import check_writable, write_all, write_set
from symgrad.render.kernels.records import Rendered

LAYER = "input x[i]\ny[i] = 2*x[i]\noutput y\n"


def everything(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(list(arguments)) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("error: ")
    return shown.err


def test_a_link_in_the_place_of_a_backends_folder_is_not_followed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outside, out = tmp_path / "outside", tmp_path / "out"
    outside.mkdir()
    out.mkdir()
    (out / "torch").symlink_to(outside, target_is_directory=True)
    error = refused(capsys, "generate", "sigmoid", "--out", str(out))
    assert "torch" in error
    assert "is a link, which is not followed" in error
    assert everything(outside) == []
    assert everything(out) == ["torch"], "no file of the other backend stays"


def test_a_link_that_leads_nowhere_is_not_followed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "numpy").symlink_to(tmp_path / "later")
    assert "is a link" in refused(capsys, "generate", "sigmoid", "--backend", "numpy", "--out", str(tmp_path))
    assert everything(tmp_path) == ["numpy"]


def test_the_folder_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real", target_is_directory=True)
    assert main(["generate", "sigmoid", "--backend", "numpy", "--out", str(tmp_path / "link")]) == 0
    assert everything(tmp_path / "real") == ["numpy", "numpy/sigmoid.py"]


def test_where_the_second_file_cannot_be_written_the_first_does_not_stay(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "numpy" / "tanh.py").mkdir(parents=True)
    error = refused(capsys, "generate", "sigmoid", "tanh", "--out", str(tmp_path))
    assert "tanh.py" in error
    assert everything(tmp_path) == ["numpy", "numpy/tanh.py"]


def test_a_file_in_the_place_of_the_second_folder(tmp_path: Path) -> None:
    (tmp_path / "b").write_text("kept")
    files = [Rendered(f"{folder}/x.py", "text", "") for folder in "ab"]
    with pytest.raises(InputError, match="cannot be written"):
        write_all(files, tmp_path)
    assert everything(tmp_path) == ["b"]


def test_a_failure_between_two_moves_puts_everything_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new, last = tmp_path / "old.py", tmp_path / "deep" / "new.py", tmp_path / "last.py"
    old.write_text("before")
    moves = []
    replace = os.replace

    def fails_at_last(source: str, target: str) -> None:
        if Path(target) == last:
            raise OSError(28, "No space left on device")
        moves.append(Path(target).name)
        replace(source, target)

    monkeypatch.setattr(os, "replace", fails_at_last)
    with pytest.raises(InputError, match="No space left"):
        write_set([(old, "after"), (new, "after"), (last, "after")])
    assert moves[:2] == ["old.py", "new.py"]
    assert everything(tmp_path) == ["old.py"]
    assert old.read_text() == "before"


def test_a_set_that_is_written_leaves_nothing_else(tmp_path: Path) -> None:
    old, new = tmp_path / "old.py", tmp_path / "deep" / "new.py"
    old.write_text("before")
    old.chmod(0o640)
    write_set([(old, "after"), (new, "after")])
    assert everything(tmp_path) == ["deep", "deep/new.py", "old.py"]
    assert old.read_text() == new.read_text() == "after"
    assert old.stat().st_mode & 0o777 == 0o640


def test_two_layers_of_one_name_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "twice.sg").write_text(LAYER)
    layers = [str(tmp_path / folder / "twice.sg") for folder in ("a", "b")]
    error = refused(capsys, "generate", *layers, "--out", str(tmp_path / "out"))
    assert "both named twice" in error
    assert "a/twice.sg" in error
    assert "b/twice.sg" in error
    assert not (tmp_path / "out").exists()
    assert "both named sigmoid" in refused(capsys, "generate", "sigmoid", "sigmoid", "--out", str(tmp_path / "out"))


@pytest.mark.parametrize("option", ["--latex", "--json"])
@pytest.mark.parametrize("target", ["file/a.tex", "folder", "x" * 300])
def test_a_document_that_cannot_be_written_is_found_out_before_the_work(
    option: str, target: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("kept")
    (tmp_path / "folder").mkdir()
    monkeypatch.setattr(pipeline, "derive", lambda _: pytest.fail("derived before the path was looked at"))
    assert "cannot be written" in refused(capsys, "derive", "sigmoid", option, str(tmp_path / target))
    assert everything(tmp_path) == ["file", "folder"]


def test_a_path_that_can_be_written_is_left_as_it_is(tmp_path: Path) -> None:
    check_writable(tmp_path / "a" / "b.tex")
    assert everything(tmp_path) == []
    with pytest.raises(InputError, match="cannot be written"):
        check_writable(tmp_path / "a\0b")


CLAIMS = {
    "nul": (b"d_y[i] = 0\nd_\0y[i] = 0\n", "2:3: the character \\x00 is not text"),
    "escape": (b"d_y[i] = \x1b[2J0\n", "1:10: the character \\x1b is not text"),
    "not utf-8": (b"# one\n# \xff\xfe\nd_y[i] = 0\n", "is not a text file in UTF-8 (byte 8, line 2)"),
    "utf-16": ("d_y[i] = 0\n".encode("utf-16"), "is not a text file in UTF-8"),
    "right to left": ("d_y[i] = 0 # \u202e\n".encode(), "1:14: the character \\u202e is not text"),
    "look-alike letter": ("d_y[i] = 0\nd_у[i] = 0\n".encode(), "2:3: 'у' (CYRILLIC SMALL LETTER U) is not an ASCII"),
    "look-alike definition": ("ｘ := 1\nd_y[i] = 0\n".encode(), "1:1: 'ｘ' (FULLWIDTH LATIN SMALL LETTER X)"),
    "many lines": (b"d_y[i] = 0\n" * 18_000, ":2001:1: there are more than 2000 claims"),
    "too long": (b"d_y[i] = 0 # " + b"x" * 300_000, "300013 characters; the limit is 200000"),
    "huge": (b"#" * 1_000_001, "is larger than 1000000 bytes"),
    "deep brackets": (b"d_y[i] = " + b"(" * 60 + b"1" + b")" * 60, "1:60: brackets are nested more than 50 deep"),
    "deep without brackets": (b"d_y[i] = " + b"-" * 3_000 + b"1", "1:10: this formula has more than 2000 operations"),
    "open bracket": (b"d_y[i] = (1\n" * 3, "3:10: this '(' is never closed"),
    "huge exponent": (b"d_y[i] = z[i]**1000000000", "1:16: an exponent, and its denominator, must not go beyond"),
    "tower": (b"d_y[i] = 9**9**9**9", "1:16: an exponent, and its denominator, must not go beyond 64"),
    "tower by names": (b"a := 9**64\nb := a**64\nd_y[i] = b", ":2:1: with your own names written out: the power"),
    "20,000 terms": (b"d_y[i] = " + b"+".join([b"z[i]"] * 20_000), "1:10: this formula has more than 10000 parts"),
    "cycle of two": (b"a := b\nb := a\nd_y[i] = a", "1:6: b is not defined"),
    "cycle of one": (b"a := 1 + a\nd_y[i] = a", "1:10: a stands in its own definition"),
    "twice": (b"a := 1\n\na := 2\nd_y[i] = a", "3:1: a is defined twice (first in line 1)"),
    "shadowed": (b"z[i] := 1\nd_y[i] = 0", "1:1: z is a name of sigmoid itself"),
    "a gradient defined": (b"d_y[i] := 1\nd_y[i] = 0", "1:1: 'd_y' cannot be a name: names that begin with d_"),
    "a keyword defined": (b"lambda := 1\nd_y[i] = 0", "1:1: 'lambda' cannot be a name: it is a Python keyword"),
    "doubling names": (
        b"a0[i] := y[i] + 1\n" + b"".join(b"a%d[i] := a%d[i]*a%d[i]\n" % (n, n - 1, n - 1) for n in range(1, 60)),
        ":12:1: with your own names written out this has more than 5000 parts",
    ),
    "code": (b"d_y[i] = __import__('os').system('true')", "1:10: "),
    "code defined": (b"a := open('x', 'w')\nd_y[i] = a", "1:6: open is not a function"),
    "attribute": (b"a.b := 1\nd_y[i] = 0", "1:1: 'a.b' cannot be a name"),
    "definitions only": (b"a := 1\n", "there is no claim to judge"),
    "nothing": (b"# nothing\n", "holds no claim"),
}


@pytest.mark.parametrize("name", CLAIMS)
def test_hostile_files_of_claims(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, message = CLAIMS[name]
    file = tmp_path / "hostile.claims"
    file.write_bytes(data)
    start = time.process_time()
    error = refused(capsys, "prove", "sigmoid", "--claims", str(file))
    assert time.process_time() - start < 30
    assert message in error
    assert all(character.isprintable() or character == "\n" for character in error)
    assert everything(tmp_path) == ["hostile.claims"]


@pytest.mark.parametrize("kind", ["folder", "missing", "loop"])
def test_what_is_no_file_of_claims(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "it.claims"
    if kind == "folder":
        path.mkdir()
    if kind == "loop":
        path.symlink_to(path)
    assert "it.claims" in refused(capsys, "prove", "sigmoid", "--claims", str(path))
