"""An installed symgrad does the same as the checkout: from a wheel, and editable.

Each is installed into a virtual environment of its own that sees this one's packages, and is run in
an empty folder.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

GENERATE = ("generate", "sigmoid", "batch_norm_sigmoid_mse", "--out", "made")
LATEX = ("derive", "sigmoid", "--latex", "derivation.tex")


def run(command: list[str], cwd: Path, **environment: str) -> bytes:
    """Standard output; PYTHONPATH is empty, so that nothing is found in the checkout by chance."""
    inherited = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    inherited |= {"COLUMNS": "80", "PIP_DISABLE_PIP_VERSION_CHECK": "1", **environment}
    return subprocess.run(command, cwd=cwd, env=inherited, check=True, capture_output=True).stdout


def outcome(python: list[str], cwd: Path, **environment: str) -> dict[str, bytes]:
    """What `derive` prints, and the bytes of the files that the commands write."""
    cwd.mkdir()
    found = {"derive": run([*python, "derive"], cwd, **environment)}
    for arguments in (GENERATE, LATEX):
        run([*python, *arguments], cwd, **environment)
    return found | {p.relative_to(cwd).as_posix(): p.read_bytes() for p in cwd.rglob("*") if p.is_file()}


def pip(*arguments: str, cwd: Path) -> None:
    """Run pip; skip where it cannot get the build backend."""
    try:
        run([sys.executable, "-m", "pip", "-q", *arguments], cwd)
    except subprocess.CalledProcessError as error:
        words = error.stderr.decode(errors="replace")
        if any(reason in words for reason in ("Could not find a version", "Connection", "No module named pip")):
            pytest.skip("pip cannot get the build backend: connect to a package index, or set PIP_FIND_LINKS to a "
                        "folder with hatchling's wheel, and run pytest tests/test_packaging.py")  # fmt: skip
        raise AssertionError(words) from error


@pytest.fixture(scope="module")
def source(root, tmp_path_factory) -> Path:
    """A copy of what a package is built from: an editable install must leave the checkout alone."""
    folder = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "constraints.txt", "symgrad", "templates"):
        if (root / name).is_dir():
            copy(root / name, folder / name)
        else:
            (folder / name).write_bytes((root / name).read_bytes())
    return folder


def copy(old: Path, new: Path) -> None:
    import shutil

    shutil.copytree(old, new, ignore=shutil.ignore_patterns("__pycache__"))


@pytest.fixture(scope="module")
def checkout(root, tmp_path_factory) -> dict[str, bytes]:
    python = [sys.executable, "-m", "symgrad"]
    return outcome(python, tmp_path_factory.mktemp("checkout") / "empty", PYTHONPATH=str(root))


@pytest.fixture(scope="module")
def wheel(source, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip("wheel", str(source), "--no-deps", "--wheel-dir", str(folder), cwd=folder)
    (path,) = folder.glob("symgrad-*.whl")
    return path


def installed(folder: Path, *what: str) -> list[str]:
    """The `symgrad` of a fresh environment with `what` installed, which sees this one's packages."""
    environment = folder / "environment"
    run([sys.executable, "-m", "venv", "--without-pip", str(environment)], folder)
    scripts = environment / ("Scripts" if os.name == "nt" else "bin")
    python = str(scripts / "python")
    site = run([python, "-c", "import sysconfig; print(sysconfig.get_paths()['purelib'])"], folder).decode().strip()
    pip("--python", python, "install", "--no-deps", *what, cwd=folder)
    (Path(site) / "zz_others.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    file = Path(run([python, "-c", "import symgrad; print(symgrad.__file__)"], folder).decode().strip())
    assert file.is_relative_to(site) or not what[-1].endswith(".whl")
    return [str(scripts / "symgrad")]


def same(found: dict[str, bytes], expected: dict[str, bytes]) -> None:
    assert list(found) == list(expected)
    assert [name for name in expected if found[name] != expected[name]] == []


def test_the_wheel_holds_layers_and_templates_and_no_tests(wheel, root):
    names = set(zipfile.ZipFile(wheel).namelist())
    for path in (root / "templates").rglob("*.jinja"):
        assert f"symgrad/_templates/{path.relative_to(root / 'templates').as_posix()}" in names
    for path in (root / "symgrad").rglob("*"):
        if path.suffix in (".py", ".sg", ".claims"):
            assert path.relative_to(root).as_posix() in names
    assert "symgrad/py.typed" in names
    assert {name.split("/")[0].split("-")[0] for name in names} == {"symgrad"}
    assert not any("__pycache__" in name for name in names)


def test_a_wheel_does_the_same_as_the_checkout(wheel, checkout, tmp_path):
    command = installed(tmp_path, str(wheel))
    same(outcome(command, tmp_path / "empty"), checkout)
    assert b"numpy, torch" in run([*command, "list"], tmp_path)


def test_an_editable_install_does_the_same_as_the_checkout(source, checkout, tmp_path):
    same(outcome(installed(tmp_path, "--editable", str(source)), tmp_path / "empty"), checkout)


def test_generated_bytes_are_the_checked_in_ones(checkout, root):
    for name, text in checkout.items():
        if name.startswith("made/"):
            assert (root / "generated" / name.removeprefix("made/")).read_bytes() == text
