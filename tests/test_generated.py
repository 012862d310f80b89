"""`generated/` is what would be emitted now: the same code as `symgrad generate --check`."""

from __future__ import annotations

from symgrad.cli import main
from symgrad.notation.library import gallery
from symgrad.render.kernels import BACKENDS


def test_the_checked_in_kernels_are_up_to_date_and_none_is_stale(root, capsys):
    status = main(["generate", "--check", "--out", str(root / "generated")])
    out = capsys.readouterr().out
    assert status == 0, out
    assert out == f"{len(gallery()) * len(BACKENDS)} files in {root / 'generated'} up to date.\n"


def test_there_is_nothing_else(root):
    files = {path.relative_to(root / "generated").as_posix() for path in (root / "generated").rglob("*.*")}
    expected = {f"{backend}/{name}.py" for backend in BACKENDS for name in gallery()}
    assert {file for file in files if "__pycache__" not in file} == expected
