"""Files: whole or not at all, compared byte for byte, and the same from everywhere."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from emitted import text_of

from symgrad.errors import InputError, SymgradError
from symgrad.render.files import compare, write_atomic
from symgrad.render.kernels import Rendered, render
from symgrad.render.kernels.records import Field
from symgrad.render.kernels.templates import fill


def test_written_files_compare_equal(tmp_path):
    file = Rendered("numpy/a.py", "x = 1\n", "")
    write_atomic(tmp_path / file.path, file.text)
    assert compare([file], tmp_path) == []
    assert [path.name for path in (tmp_path / "numpy").iterdir()] == ["a.py"]


def test_differences_missing_and_stale_files_are_seen(tmp_path):
    file = Rendered("numpy/a.py", "x = 1\n", "")
    assert "a.py (missing)" in compare([file], tmp_path)[0]
    write_atomic(tmp_path / "numpy/a.py", "x = 2\n")
    write_atomic(tmp_path / "numpy/old.py", "x = 3\n")
    changed, stale = compare([file], tmp_path)
    assert "-x = 2\n+x = 1\n" in changed
    assert "old.py (stale: nothing generates it)" in stale
    assert len(compare([file], tmp_path, stale=False)) == 1


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "a.py"
    write_atomic(path, "old\n")
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError("killed")))
    with pytest.raises(InputError, match="cannot be written: killed"):
        write_atomic(path, "new\n")
    assert path.read_text() == "old\n"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_be_made_is_an_input_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        write_atomic(tmp_path / "file" / "a.py", "x\n")


def test_templates_and_records_must_agree():
    with pytest.raises(SymgradError, match=r"numpy/kernel.py.jinja and Field differ in"):
        fill("numpy/kernel.py.jinja", Field("a", "b", "c"))


def test_an_unknown_backend_is_an_input_error():
    with pytest.raises(InputError, match="there is no backend 'cobol'"):
        render(None, "cobol")  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", ["0", "1"])
def test_bytes_depend_on_neither_hash_seed_nor_folder(seed, tmp_path):
    code = (
        "import sys; from symgrad import pipeline; from symgrad.notation.library import load\n"
        "found = pipeline.derive(load('batch_norm_sigmoid_mse'))\n"
        "sys.stdout.buffer.write(''.join(f.text for f in pipeline.emit(found, ['numpy', 'torch'])).encode())"
    )
    environment = {**os.environ, "PYTHONHASHSEED": seed}
    command = [sys.executable, "-c", code]
    output = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, check=True)
    expected = text_of("batch_norm_sigmoid_mse", "numpy") + text_of("batch_norm_sigmoid_mse", "torch")
    assert output.stdout.decode() == expected
