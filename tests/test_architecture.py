"""The shape of the package: imports go down only, everything public is documented, files stay short."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "symgrad"
FILES = sorted(PACKAGE.rglob("*.py"))

FLOORS = (
    ("__main__",),
    ("cli",),
    ("__init__",),
    ("torch",),
    ("door",),
    ("pipeline",),
    ("check",),
    ("render",),
    ("plan", "article", "audit"),
    ("prove",),
    ("derive",),
    ("notation",),
    ("primitives",),
    ("algebra",),
    ("errors",),
)
"""The rooms from top to bottom; those of one floor do not know each other."""
HEIGHT = {room: -place for place, floor in enumerate(FLOORS) for room in floor}
LONGEST_FILE, LONGEST_FUNCTION = 300, 60
LONGER = {
    "algebra/terms.py": "the closed set of nodes, each with its checks",
    "algebra/simplify.py": "one normal form, whose rules call each other",
    "derive/rules.py": "the table of rules",
    "notation/expression.py": "one reader, a method a node",
    "notation/parser.py": "one reader, a method a statement",
    "prove/canonical.py": "one normal form, whose rules call each other",
    "prove/evaluate.py": "one walk, a method a node",
    "plan/build.py": "one builder, a method a stage of a procedure",
    "render/kernels/numpy_full.py": "one writer, a method a node",
    "render/kernels/torch_lines.py": "one writer, a method a node",
    "prove/numbers.py": "three arithmetics with the same methods, to be read side by side",
}
"""Files that may have up to 600 lines, and why they are not cut."""


def room_of(path: Path, package: Path = PACKAGE) -> str:
    return path.relative_to(package).parts[0].removesuffix(".py")


def imported_rooms(tree: ast.AST) -> Iterator[str]:
    """The rooms that a module imports, in a function or for type checking too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide the room"
            whole = node.module == "symgrad"
            modules = [f"symgrad.{alias.name}" for alias in node.names] if whole else [str(node.module)]
        else:
            continue
        for module in modules:
            if module.split(".")[0] == "symgrad":
                yield module.split(".")[1] if "." in module else "__init__"


def upward(room: str, tree: ast.AST) -> list[str]:
    """Imports that do not go down."""
    return [other for other in imported_rooms(tree) if other != room and HEIGHT[other] >= HEIGHT[room]]


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def named(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def test_every_room_has_its_floor():
    assert {room_of(path) for path in FILES} == set(HEIGHT)


@pytest.mark.parametrize("path", FILES, ids=named)
def test_imports_go_down(path):
    assert upward(room_of(path), parsed(path)) == []


@pytest.mark.parametrize(
    ("room", "line"),
    [
        ("errors", "from symgrad.algebra.terms import Term"),
        ("algebra", "def f():\n    from symgrad.primitives import PRIMITIVES"),
        ("plan", "import symgrad.article.book"),
        ("derive", "from symgrad import pipeline"),
        ("prove", "import symgrad"),
    ],
)
def test_an_upward_import_is_seen(room, line):
    assert len(upward(room, ast.parse(line))) == 1


def test_the_two_routes_do_not_know_each_other():
    modules = {}
    for name in ("jacobian", "paths"):
        tree = parsed(PACKAGE / "derive" / f"{name}.py")
        modules[name] = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert "symgrad.derive.paths" not in modules["jacobian"]
    assert "symgrad.derive.jacobian" not in modules["paths"]


def test_what_evaluates_knows_nothing_of_the_prover_and_the_calculus():
    closed = {"symgrad.prove.canonical", "symgrad.prove.verdict", "symgrad.derive.rules", "symgrad.derive.paths"}
    for name in ("evaluate", "counterexample", "numbers", "floats"):
        tree = parsed(PACKAGE / "prove" / f"{name}.py")
        assert not closed & {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}


@pytest.mark.parametrize("path", FILES, ids=named)
def test_everything_public_is_documented(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    if parts[-1] == "__main__":
        assert ast.get_docstring(parsed(path))
        return
    module = importlib.import_module(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    assert module.__doc__
    own = [value for value in public(module).values() if getattr(value, "__module__", "") == module.__name__]
    without = [value.__qualname__ for value in own if not inspect.getdoc(value)]
    for value in own:
        if inspect.isclass(value):
            members = {name: member for name, member in public(value).items() if is_code(member)}
            without += [f"{value.__qualname__}.{name}" for name in members if not inspect.getdoc(getattr(value, name))]
    assert without == []


def public(place) -> dict:
    """Names without an underscore that are code."""
    return {name: value for name, value in vars(place).items() if not name.startswith("_") and is_code(value)}


def is_code(value) -> bool:
    kinds = (property, classmethod, staticmethod)
    return inspect.isfunction(value) or inspect.isclass(value) or isinstance(value, kinds)


@pytest.mark.parametrize("path", FILES, ids=named)
def test_files_and_functions_are_short_and_annotated(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) < (600 if named(path) in LONGER else LONGEST_FILE)
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno - node.lineno < LONGEST_FUNCTION, node.name
            arguments = [a for a in (*node.args.args, *node.args.kwonlyargs) if a.arg not in ("self", "cls")]
            assert node.returns is not None, node.name
            assert all(a.annotation for a in arguments), node.name


WRITTEN = [
    path
    for folder in ("symgrad", "templates", "generated", "tests", "benchmarks", ".ci", ".")
    for path in sorted((ROOT / folder).glob("*" if folder in (".", ".ci") else "**/*"))
    if path.suffix in (".py", ".jinja", ".md", ".toml", ".txt", ".sg", ".claims") or path.name == "run"
]


def test_no_file_names_a_machines_folders():
    pattern = re.compile(r"(?<![\w.$}])/(?:home|root|Users|work|private)/\w")
    found = [path for path in WRITTEN if pattern.search(path.read_text(encoding="utf-8"))]
    assert found == []
    assert pattern.search("see /ho" + "me/somebody") and len(WRITTEN) > 100


def test_nothing_evaluates_the_text_of_a_layer():
    """Only emitted kernels are run, in one place; `eval`, `sympify` and the like are nowhere."""
    wrong = {"eval", "exec", "sympify", "parse_expr", "lambdify", "__import__", "loads"}
    found = set()
    for path in FILES:
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Call):
                name = getattr(node.func, "id", getattr(node.func, "attr", ""))
                if name in wrong:
                    found.add((named(path), name))
    assert found == {("check/kernels.py", "exec")}
