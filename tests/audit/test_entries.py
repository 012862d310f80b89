"""derivatives.yaml as records: found without torch, read as data, refused with a way out."""

from __future__ import annotations

import subprocess
import sys

import pytest

from symgrad.audit import entries as room
from symgrad.audit.entries import installed_file, read_entries
from symgrad.errors import InputError

TWO = """
- name: f(Tensor self, Tensor other) -> Tensor
  self, other: f_backward(grad)
  result: self_t +
          other_t
- name: g(Tensor self, Tensor mask) -> (Tensor y, Tensor z)
  dispatch:
    Default:
      self: grad
      y: self_t
    AutogradNestedTensor:
      self: nested(grad)
  mask: non_differentiable
  output_differentiability: [True, False]
"""


def written(tmp_path, text: str):
    path = tmp_path / "derivatives.yaml"
    path.write_text(text)
    return path


def test_entries_have_their_formulas_by_argument(tmp_path):
    first, second = read_entries(written(tmp_path, TWO))
    assert first.gradients == {"self": ("f_backward(grad)", 0), "other": ("f_backward(grad)", 1)}
    assert first.forwards == {"result": ("self_t + other_t", -1)}
    assert second.gradients == {"self": ("grad", -1)}
    assert second.forwards == {"y": ("self_t", -1)}
    assert second.other == ("AutogradNestedTensor",)


def test_the_installed_file_is_found_without_importing_torch(entries, root):
    assert len(entries) > 600
    assert installed_file().name == "derivatives.yaml"
    code = "import sys; from symgrad.cli import main; main(['audit', 'sin']); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.endswith("False\n")


def test_without_torch_the_error_says_what_to_do(monkeypatch):
    monkeypatch.setattr(room, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"derivatives.yaml is not here.*\n.*--file"):
        installed_file()


def test_without_pyyaml_the_error_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(InputError, match=r"pip install 'symgrad\[audit\]'"):
        read_entries(written(tmp_path, TWO))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1", "no list"),
        ("- 1", "without a name"),
        ("- name: [", "no YAML"),
        ("- name: !!python/object/apply:os.system ['touch ran']", "no YAML"),
        ("\x00", "no YAML"),
    ],
)
def test_what_is_no_list_of_derivatives_is_refused(text, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=message):
        read_entries(written(tmp_path, text))
    assert not (tmp_path / "ran").exists()


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        read_entries(tmp_path / "none.yaml")
