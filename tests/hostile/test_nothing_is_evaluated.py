"""Nothing of a layer's text is ever run: the sources hold one exec, of symgrad's own output."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from symgrad.cli import main
from symgrad.errors import InputError
from symgrad.notation.claim import parse_claim
from symgrad.notation.library import from_text, load

PACKAGE = Path(__file__).resolve().parent.parent.parent / "symgrad"
RUNNERS = frozenset(
    ("eval", "exec", "compile", "__import__", "sympify", "parse_expr", "lambdify", "literal_eval", "import_module",
     "system", "popen", "Popen", "run_path", "run_module", "spec_from_file_location")
)  # fmt: skip
MODULES = frozenset(("subprocess", "pickle", "marshal", "shelve", "runpy", "code", "codeop"))
ALLOWED = {
    ("check/kernels.py", "exec"),
    ("check/kernels.py", "compile"),
    ("__init__.py", "import_module"),
    ("check/against/loading.py", "spec_from_file_location"),
}
"""`load_kernel` runs an emitted kernel, whose names are all checked; the package imports its own rooms late;
`check --against FILE.py` imports the file that the person names on the command line to have it run."""


def runners(source: str) -> list[str]:
    """What in a source could run a text: names of calls, and imports of modules that do."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Name) and node.id in RUNNERS:
            found.append(node.id)
        elif isinstance(node, ast.Attribute) and node.attr in RUNNERS and not _is_regex(node):
            found.append(node.attr)
        elif isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name in MODULES]
        elif isinstance(node, ast.ImportFrom):
            found += [alias.name for alias in node.names if alias.name in RUNNERS or node.module in MODULES]
    return found


def _is_regex(node: ast.Attribute) -> bool:
    return isinstance(node.value, ast.Name) and node.value.id in ("re", "torch") and node.attr == "compile"


def test_the_sources_run_no_text() -> None:
    files = sorted(PACKAGE.rglob("*.py"))
    assert len(files) > 50
    found = {
        (path.relative_to(PACKAGE).as_posix(), name) for path in files for name in runners(path.read_text("utf-8"))
    }
    assert found <= ALLOWED


def test_only_check_against_imports_a_file_and_only_the_command_line_names_it() -> None:
    texts = {path.relative_to(PACKAGE).as_posix(): path.read_text("utf-8") for path in PACKAGE.rglob("*.py")}
    assert {name for name, text in texts.items() if "load_kernel_file" in text} == {
        "check/against/loading.py",
        "pipeline.py",
    }
    assert {name for name, text in texts.items() if "check_against(" in text} == {"pipeline.py", "cli/check.py"}


@pytest.mark.parametrize(
    "source",
    ["eval('x')", "import os\nos.system('x')", "from sympy import sympify", "import sympy\nsympy.parse_expr('x')",
     "import builtins\nbuiltins.exec('x')", "f = eval", "import subprocess", "compile('x', '', 'eval')"],
)  # fmt: skip
def test_the_search_finds_what_it_looks_for(source: str) -> None:
    assert runners(source)


def test_the_search_lets_regular_expressions_pass() -> None:
    assert not runners("import re\nre.compile('x')")


CALLS = (
    "__import__('pathlib').Path('{0}').touch()",
    "open('{0}', 'w')",
    "exec('open({0!r}, 1)')",
    "(lambda: open('{0}', 'w'))()",
    "[open('{0}', 'w') for i in 'x']",
    "().__class__.__base__.__subclasses__()[0]('{0}')",
    "f\"{{open('{0}', 'w')}}\"",
    "x[open('{0}', 'w')]",
    "sum[open('{0}', 'w')](x[s])",
    "exp(open('{0}', 'w'))",
    "where(open('{0}', 'w'), 1, 2)",
    "(y := open('{0}', 'w'))",
    "x[s] if open('{0}', 'w') else 0",
    "print(open('{0}', 'w'), file=open('{0}', 'w'))",
)


@pytest.mark.parametrize("call", CALLS)
def test_code_in_a_formula_is_not_run(call: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    proof = tmp_path / "run"
    code = call.format(proof)
    for text in (f"input x[s]\ny[s] = {code}\noutput y\n", f"input {code}\n", f"constant a = {code}\n", code):
        with pytest.raises(InputError):
            from_text(text)
    with pytest.raises(InputError):
        parse_claim(f"d_x[s] = {code}", load("sigmoid"))
    assert main(["prove", "sigmoid", f"{code} = 0"]) == 2
    capsys.readouterr()
    assert not proof.exists()
