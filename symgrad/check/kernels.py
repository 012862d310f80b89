"""Emitted kernels against the complex-step derivative of the forward equations."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction
from itertools import count
from types import ModuleType
from typing import Any

import numpy as np

from symgrad.algebra.terms import Index
from symgrad.check.records import Check
from symgrad.check.samples import sensible_point
from symgrad.notation.layer import Layer, Tensor
from symgrad.prove.evaluate import Evaluator, Point, random_point
from symgrad.prove.floats import Complexes, Floats
from symgrad.prove.sizes import fitted
from symgrad.render.kernels.records import Rendered

STEP = 1e-30
LIMIT = 1e-10
FLOOR = 1e-6
"""Data and upstream gradients are of order 1, so what is smaller than this is rounding."""
Array = Any


def load_kernel(rendered: Rendered, kept: bool = False) -> ModuleType:
    """The emitted file as a module.

    It is symgrad's own output, made of checked names, that is run here; no text of a layer is.

    Args:
        rendered: the file.
        kept: put it into `sys.modules`, under a name of its own, where `torch.compile` looks for a function's module.
    """
    name = f"generated_{rendered.path.rpartition('/')[2].removesuffix('.py')}"
    module = ModuleType(f"{name}_{next(_NUMBERS)}" if kept else name)
    exec(compile(rendered.text, rendered.path, "exec"), module.__dict__)
    if kept:
        sys.modules[module.__name__] = module
    return module


_NUMBERS = count(1)


def sizes_of(layer: Layer, start: int = 2) -> dict[str, int]:
    """A different small length for each axis, so that no N can stand in the place of another.

    With more than four axes lengths repeat: brute force over all of them would take minutes.
    """
    few = len(layer.axes) <= 4
    return fitted(layer, {axis.name: start + (place if few else place % 2) for place, axis in enumerate(layer.axes)})


def check_kernel(layer: Layer, module: ModuleType, sizes: Mapping[str, int], seed: int = 0) -> list[Check]:
    """Outputs and gradients of a NumPy kernel in float64; see `check_kernels`."""
    return check_kernels(layer, {"numpy": module}, sizes, seed)


def check_kernels(
    layer: Layer, modules: Mapping[str, ModuleType], sizes: Mapping[str, int], seed: int = 0
) -> list[Check]:
    """Outputs and gradients of kernels in float64, by backend, against the equations themselves.

    The upstream gradients are random. What this cannot see: a forward pass that is typed wrong,
    because both sides read the same equations.
    """
    point = sensible_point(layer, sizes, seed)
    arguments = [argument_of(point, tensor) for tensor in layer.tensors]
    constants = {c.name: (int if c.is_whole else float)(point.value(c.name, ())) for c in layer.constants}
    seeds = [array_of(point, layer.entry(name).indices, f"d_{name}") for name in layer.outputs]
    found = {b: _RUN[b](layer, module, arguments, seeds, constants) for b, module in modules.items()}
    where = ", ".join(f"N_{name} = {length}" for name, length in sizes.items()) + ", float64"
    plain = Evaluator(layer, point, Floats())
    checks = []
    for name in layer.outputs:
        expected = _every(point, layer.entry(name).indices, lambda key, name=name: plain.entry(name, key))
        checks += [_check(name, b, values, expected, "the equations, evaluated", where) for b, values in found.items()]
    for tensor in layer.differentiable:
        expected = complex_step(layer, point, tensor.name, tensor.indices)
        name = f"d_{tensor.name}"
        checks += [_check(name, b, values, expected, "complex step", where) for b, values in found.items()]
    return checks


Results = dict[str, Array]


def _run_numpy(layer: Layer, module: ModuleType, arguments: list[Array], seeds: list[Array], constants: Any) -> Results:
    """Outputs and gradients by name, of the emitted forward and backward."""
    outputs, saved = module.forward(*arguments, **constants)
    outputs = outputs if len(layer.outputs) > 1 else (outputs,)
    gradients = module.backward(saved, *seeds)
    values = dict(zip(layer.outputs, outputs, strict=True))
    return values | {f"d_{t.name}": getattr(gradients, t.name) for t in layer.differentiable}


def _run_torch(layer: Layer, module: ModuleType, arguments: list[Array], seeds: list[Array], constants: Any) -> Results:
    """Outputs and gradients by name, of the emitted differentiable function under autograd."""
    import torch

    given = {t.name: torch.from_numpy(np.array(a)) for t, a in zip(layer.tensors, arguments, strict=True)}
    wanted = [given[tensor.name].requires_grad_() for tensor in layer.differentiable]
    outputs = getattr(module, layer.name)(*given.values(), **constants)
    outputs = outputs if len(layer.outputs) > 1 else (outputs,)
    gradients = torch.autograd.grad(outputs, wanted, [torch.from_numpy(np.array(s)) for s in seeds])
    values = {name: output.detach().numpy() for name, output in zip(layer.outputs, outputs, strict=True)}
    return values | {f"d_{t.name}": g.numpy() for t, g in zip(layer.differentiable, gradients, strict=True)}


_RUN: dict[str, Callable[..., Results]] = {"numpy": _run_numpy, "torch": _run_torch}
CHECKED = tuple(_RUN)
"""The backends whose kernels are run here; the tests run those of the others."""


def telling_point(layer: Layer, sizes: Mapping[str, int], seed: int, positive: bool = False) -> Point:
    """Random values at which no upstream gradient is 0 or ±1, so that one that is left out shows."""
    point = random_point(layer, sizes, random.Random(seed), positive=positive)
    values = dict(point.values)
    for name in (f"d_{output}" for output in layer.outputs):
        values[name] = {k: v + Fraction(5, 2) if abs(v) in (0, 1) else v for k, v in values[name].items()}
    return replace(point, values=values)


def array_of(point: Point, indices: tuple[Index, ...], name: str) -> Array:
    """A given tensor as an array of float64."""
    return _every(point, indices, lambda key: float(point.value(name, key)))


def argument_of(point: Point, tensor: Tensor) -> Array:
    """A given tensor as a kernel takes it: float64, or whole numbers for labels."""
    array = array_of(point, tensor.indices, tensor.name)
    return array.astype(np.int64) if tensor.role == "label" else array


def _every(point: Point, indices: tuple[Index, ...], value: Any) -> Array:
    shape = tuple(point.sizes[index.axis] for index in indices)
    array = np.empty(shape)
    for key in point.keys(indices):
        array[key] = value(key)
    return array


def complex_step(layer: Layer, point: Point, name: str, indices: tuple[Index, ...]) -> Array:
    """The gradient of sum of d_o * o by every entry of a tensor, by one forward pass for each."""
    return _every(point, indices, lambda key: _one_step(layer, point, name, key))


def _one_step(layer: Layer, point: Point, name: str, key: tuple[int, ...]) -> float:
    moved: dict[str, Any] = dict(point.values)
    moved[name] = {**point.values[name], key: complex(float(point.values[name][key]), STEP)}
    evaluator = Evaluator(layer, replace(point, values=moved), Complexes())
    total = 0.0
    for output in layer.outputs:
        for place in point.keys(layer.entry(output).indices):
            total += float(point.value(f"d_{output}", place)) * evaluator.entry(output, place).imag
    return total / STEP


def _check(what: str, backend: str, found: Results, expected: Array, reference: str, where: str) -> Check:
    return Check(what, backend, reference, where, relative_error(found[what], expected), LIMIT)


def relative_error(found: Array, expected: Array) -> float:
    """The worst difference relative to the largest value expected; infinite for another shape.

    Where all values expected are tiny (a gradient that is 0), rounding is measured against FLOOR.
    """
    found, expected = np.asarray(found, dtype=np.float64), np.asarray(expected, dtype=np.float64)
    if found.shape != expected.shape:
        return float("inf")
    scale = float(np.max(np.abs(expected), initial=0.0))
    return float(np.max(np.abs(found - expected), initial=0.0)) / max(scale, FLOOR)
