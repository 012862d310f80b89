"""The numbers of a work, the same for everybody, and the results in float64 that all are held against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from suite.works import Work

SEED = 20200912
LIMITS = {"float32": 1e-3, "float64": 1e-10, "bfloat16": 5e-2}
"""Whoever is farther from float64 than this (at mean 0) computes something else, and is not timed."""
Array = Any


@dataclass(frozen=True)
class Problem:
    """A work with its numbers.

    Attributes:
        work: what it is.
        arrays: NumPy arrays by name, in the layer's order; bfloat16 as float32 that is so rounded.
        upstream: the gradient of the output, for an output that is no scalar.
        exact: the output ("out") and the gradients, in float64.
    """

    work: Work
    arrays: Mapping[str, Array]
    upstream: Array | None
    exact: Mapping[str, Array]


def problem_of(work: Work) -> Problem:
    """Random numbers for a work, and its results by PyTorch's built-ins under autograd in float64."""
    random = np.random.default_rng(SEED)
    arrays = {name: _numbers(work, kind, random) for name, kind in work.signature.tensors}
    upstream = None if work.signature.scalar else _numbers(work, "target", random)
    return Problem(work, arrays, upstream, _exact(work, arrays, upstream))


def _numbers(work: Work, kind: str, random: np.random.Generator) -> Array:
    shape = work.shape_of(kind)
    if kind == "labels":
        return random.integers(0, work.shape[work.signature.axis], shape)
    array: Array = random.standard_normal(shape, dtype=np.float32)
    if kind == "parameter":
        array = 1 + array / 4
    if kind == "input":
        array = array + np.float32(work.mean)
    array = array.astype(np.float64 if work.dtype == "float64" else np.float32)
    if work.dtype == "bfloat16":
        import torch

        array = torch.from_numpy(array).to(torch.bfloat16).to(torch.float32).numpy()
    if work.channels_last and kind != "parameter":
        array = np.moveaxis(np.ascontiguousarray(np.moveaxis(array, 1, -1)), -1, 1)
    return array


def _exact(work: Work, arrays: Mapping[str, Array], upstream: Array | None) -> dict[str, Array]:
    import torch

    from suite.built_ins import BUILT_INS

    tensors = {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in arrays.items()}
    tensors = {n: t.double() if t.is_floating_point() else t for n, t in tensors.items()}
    wanted = [tensors[name].requires_grad_() for name in work.signature.differentiable]
    out = BUILT_INS[work.layer](*tensors.values())
    seed = None if upstream is None else torch.from_numpy(np.ascontiguousarray(upstream)).double()
    gradients = torch.autograd.grad(out, wanted, seed)
    names = ("out", *work.signature.differentiable)
    return {n: v.detach().numpy() for n, v in zip(names, (out, *gradients), strict=True)}


def error(found: Array, exact: Array) -> float:
    """The worst difference relative to the largest exact value; infinite for a wrong shape or no number."""
    found = np.asarray(found)
    if found.shape != exact.shape or not np.all(np.isfinite(found)):
        return float("inf")
    scale = float(np.max(np.abs(exact), initial=0.0))
    worst = float(np.max(np.abs(found - exact), initial=0.0))
    return worst / scale if scale else worst


def errors(problem: Problem, out: Array, gradients: Mapping[str, Array]) -> dict[str, float]:
    """The error of the output and of each gradient; a gradient that is missing is infinitely wrong."""
    found = {"out": out, **gradients}
    return {name: error(found[name], exact) if name in found else float("inf") for name, exact in problem.exact.items()}
