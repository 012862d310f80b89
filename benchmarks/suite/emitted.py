"""symgrad's own contestants: whatever the backends emit, found by name, run as standalone files.

A file is taken for what it offers: `forward` and `backward` on arrays, a differentiable function named
like the layer, or both. A backend that is not there, refuses a layer or cannot run here is skipped, and
says why.
"""

from __future__ import annotations

import importlib.util
import inspect
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from suite.problem import Problem
from suite.runners import CannotRunError, Contestant, Runner

KNOWN = ("numpy", "torch", "c", "numba", "triton", "jax")
"""Backends that are there or planned; any other that symgrad has takes part too."""
COMPILED_TOO = ("torch",)
"""Backends whose function is also measured under torch.compile."""
MANIFEST = "manifest.json"


def emit_all(layers: Iterable[str], folder: Path) -> None:
    """Derive, prove and emit each layer for each backend into a folder, with a manifest.

    The manifest has for each layer and backend the Python file, or the reason why there is none.
    """
    from symgrad import pipeline
    from symgrad.errors import SymgradError
    from symgrad.notation.library import load
    from symgrad.render.kernels import BACKENDS, PARTIAL

    manifest: dict[str, dict[str, dict[str, str]]] = {}
    for layer in layers:
        rows = manifest.setdefault(layer, {})
        found = pipeline.derive(load(layer))
        for backend in dict.fromkeys((*KNOWN, *BACKENDS, *PARTIAL)):
            if backend not in BACKENDS | PARTIAL:
                rows[backend] = {"skipped": "symgrad has no such backend yet"}
                continue
            try:
                files = pipeline.emit(found, [backend])
            except SymgradError as refusal:
                rows[backend] = {"skipped": str(refusal)}
                continue
            rows[backend] = {"file": write_files(files, folder)}
    (folder / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")


def write_files(files: Sequence[Any], folder: Path) -> str:
    """Write emitted files; the path of the Python one within the folder."""
    for file in files:
        path = folder / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file.text, encoding="utf-8")
    return next(str(file.path) for file in files if file.path.endswith(".py"))


def load_file(path: Path) -> ModuleType:
    """An emitted file as a module, the way a user has it."""
    spec = importlib.util.spec_from_file_location(f"emitted_{path.parent.name}_{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def array_runner(module: Any, problem: Problem) -> Runner:
    """A forward and a backward on NumPy arrays; `out=` of the backward too, where it takes one.

    A step is the function that does both at once, where there is one.
    """
    if problem.work.dtype == "bfloat16":
        raise CannotRunError("NumPy has no bfloat16")
    given = tuple(problem.arrays.values())
    upstream = () if problem.upstream is None else (problem.upstream,)

    def forward() -> Any:
        return module.forward(*given)[1]

    def backward(saved: Any) -> Any:
        return module.backward(saved, *upstream)

    def step() -> tuple[Any, Any]:
        if hasattr(module, "forward_backward"):
            return module.forward_backward(*given)
        out, saved = module.forward(*given)
        return out, module.backward(saved, *upstream)

    into = None
    if "out" in inspect.signature(module.backward).parameters:
        rooms: list[Any] = []

        def into(saved: Any) -> Any:
            if not rooms:
                first = backward(saved)
                rooms.append(type(first)(*(np.empty_like(g) for g in first)))
            return module.backward(saved, *upstream, out=rooms[0])

    return Runner(forward, backward, step, np.asarray, into)


def doors(module: Any, layer: str, backend: str) -> list[tuple[str, str, Callable[[Problem], Runner]]]:
    """What a file offers: a suffix for the name, what it is called with, and its runner."""
    function = getattr(module, layer, None)
    arrays = hasattr(module, "forward") and hasattr(module, "backward")
    found: list[tuple[str, str, Callable[[Problem], Runner]]] = []
    if arrays:
        found.append(("", "arrays", lambda problem: array_runner(module, problem)))
    if function is not None and backend == "jax":
        from suite.jax_rival import jax_runner

        found.append(("", "jax", lambda problem: jax_runner(function, problem)))
    elif function is not None:
        from suite.torch_rivals import compiled, torch_runner

        suffix, at_once = " through torch" if arrays else "", hasattr(module, "forward_backward")
        found.append((suffix, "torch", lambda problem: torch_runner(function, problem, at_once)))
        if backend in COMPILED_TOO:
            found.append((f"{suffix}, compiled", "torch", lambda problem: compiled(function, problem)))
    return found


def contestants(layer: str, folder: Path) -> tuple[list[Contestant], dict[str, str]]:
    """The emitted kernels of a layer, and the reasons of those that are not there."""
    manifest: Mapping[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    found, skipped = [], {}
    for backend, row in manifest[layer].items():
        name = f"symgrad {backend}"
        if "file" not in row:
            skipped[name] = row["skipped"]
            continue
        try:
            module = load_file(folder / row["file"])
            offered = doors(module, layer, backend)
        except Exception as failure:  # whatever stops a backend here is its reason
            skipped[name] = f"{type(failure).__name__}: {failure}"
            continue
        found += [Contestant(name + suffix, "symgrad", through, make) for suffix, through, make in offered]
    return found, skipped
