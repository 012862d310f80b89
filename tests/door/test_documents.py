"""docs/python.md is run as it stands; the tutorial's cells give the outputs that it shows.

`PYTHONPATH=. python tests/door/test_documents.py` writes the tutorial's outputs again.
"""

from __future__ import annotations

import ast
import doctest
import json
import os
import re
from pathlib import Path
from unittest import mock

import pytest

pytest.importorskip("sympy")
DOCS = Path(__file__).resolve().parent.parent.parent / "docs"
TUTORIAL = DOCS / "tutorial.ipynb"
SHOWN = ("text/plain", "text/html", "text/latex")


def test_the_examples_give_what_they_show(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    text = (DOCS / "python.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 8
    test = doctest.DocTestParser().get_doctest("\n".join(blocks), {}, "docs/python.md", "docs/python.md", 0)
    out: list[str] = []
    runner = doctest.DocTestRunner()
    runner.run(test, out=out.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(out)


def run_cells(notebook: dict) -> list[dict | None]:
    """The value of each code cell in the three forms that a notebook shows; None where there is none."""
    names: dict = {}
    with mock.patch.dict(os.environ, {"COLUMNS": "80"}):
        return [run_cell("".join(c["source"]), names) for c in notebook["cells"] if c["cell_type"] == "code"]


def run_cell(source: str, names: dict) -> dict | None:
    tree = ast.parse(source)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "cell", "exec"), names)
    if last is None:
        return None
    return shown(eval(compile(ast.Expression(last.value), "cell", "eval"), names))


def shown(value) -> dict[str, str]:
    """What Jupyter asks of an object."""
    plain = str(value) if hasattr(value, "_repr_pretty_") else repr(value)
    found = {"text/plain": plain}
    for kind in ("html", "latex"):
        method = getattr(value, f"_repr_{kind}_", None)
        if method is not None:
            found[f"text/{kind}"] = method()
    return found


def saved(cell: dict) -> dict | None:
    """What a cell shows in the file."""
    if not cell["outputs"]:
        return None
    (output,) = cell["outputs"]
    return {kind: "".join(text) for kind, text in output["data"].items()}


def test_the_tutorial_shows_what_its_cells_give():
    notebook = json.loads(TUTORIAL.read_text(encoding="utf-8"))
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    computed = run_cells(notebook)
    for cell, found in zip(cells, computed, strict=True):
        assert saved(cell) == found, "".join(cell["source"])
    assert sum(1 for each in computed if each and "text/html" in each) >= 5


def _write_again() -> None:
    notebook = json.loads(TUTORIAL.read_text(encoding="utf-8"))
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    for cell, found in zip(cells, run_cells(notebook), strict=True):
        if found is not None:
            cell["outputs"][0]["data"] = {kind: text.splitlines(keepends=True) for kind, text in sorted(found.items())}
    TUTORIAL.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    _write_again()
