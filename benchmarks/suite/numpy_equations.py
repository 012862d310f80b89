"""NumPy as it is written from a paper: one line for each equation, a fresh array for each term."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from suite.problem import Problem
from suite.runners import CannotRunError, Contestant, Runner
from suite.works import NETWORK

Array = Any


def network(x: Array, w: Array, beta: Array, t: Array) -> tuple[Array, Array]:
    """The article's equations (2) to (9)."""
    others = (0, *range(2, x.ndim))
    w, beta = (p.reshape(-1, *(1,) * (x.ndim - 2)) for p in (w, beta))
    mean = x.mean(axis=others, keepdims=True)
    deviation = np.sqrt(x.var(axis=others, keepdims=True) + 1e-5)
    y = (x - mean) / deviation * w + beta
    z = 1 / (1 + np.exp(-y))
    return ((z - t) ** 2).mean(), (w, beta, t, deviation, y, z, others)


def network_backward(saved: Any, _: Array) -> tuple[Array, ...]:
    """The article's equations (12), (14), (16), (18) and (22)."""
    w, beta, t, deviation, y, z, others = saved
    count = z.size // z.shape[1]
    d_z = (z - t) * 2 / z.size
    d_y = z * (1 - z) * d_z
    d_x = (
        w * d_y / deviation
        - w * d_y.sum(axis=others, keepdims=True) / (count * deviation)
        - (y - beta) * (d_y * (y - beta)).sum(axis=others, keepdims=True) / (count * deviation * w)
    )
    return d_x, ((y - beta) / w * d_y).sum(axis=others), d_y.sum(axis=others)


def rms_norm(x: Array, w: Array) -> tuple[Array, Any]:
    """Zhang & Sennrich 2019, equation (4)."""
    root = np.sqrt((x**2).mean(axis=-1, keepdims=True) + 1e-6)
    return w * x / root, (x, w, root)


def rms_norm_backward(saved: Any, d_y: Array) -> tuple[Array, ...]:
    """By the chain rule."""
    x, w, root = saved
    normed = x / root
    d_normed = w * d_y
    d_x = (d_normed - normed * (d_normed * normed).mean(axis=-1, keepdims=True)) / root
    return d_x, (d_y * normed).sum(axis=0)


def layer_norm(x: Array, w: Array, beta: Array) -> tuple[Array, Any]:
    """Ba, Kiros & Hinton 2016, equations (3) and (4)."""
    mean = x.mean(axis=-1, keepdims=True)
    deviation = np.sqrt(((x - mean) ** 2).mean(axis=-1, keepdims=True) + 1e-5)
    return w * (x - mean) / deviation + beta, (x, w, mean, deviation)


def layer_norm_backward(saved: Any, d_y: Array) -> tuple[Array, ...]:
    """By the chain rule."""
    x, w, mean, deviation = saved
    normed = (x - mean) / deviation
    d_normed = w * d_y
    inner = (d_normed * normed).mean(axis=-1, keepdims=True)
    d_x = (d_normed - d_normed.mean(axis=-1, keepdims=True) - normed * inner) / deviation
    return d_x, (d_y * normed).sum(axis=0), d_y.sum(axis=0)


def cross_entropy(x: Array, t: Array) -> tuple[Array, Any]:
    """Bishop 2006, equations 4.104 and 4.108, the maximum taken out."""
    e = np.exp(x - x.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    rows = np.arange(len(t))
    return -np.log(p[rows, t]).mean(), (p, rows, t)


def cross_entropy_backward(saved: Any, _: Array) -> tuple[Array, ...]:
    """Probabilities less one at the labels."""
    p, rows, t = saved
    d_x = p.copy()
    d_x[rows, t] -= 1
    return (d_x / len(t),)


PAIRS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    NETWORK: (network, network_backward),
    "rms_norm": (rms_norm, rms_norm_backward),
    "layer_norm": (layer_norm, layer_norm_backward),
    "cross_entropy_labels": (cross_entropy, cross_entropy_backward),
}


def _runner(problem: Problem) -> Runner:
    if problem.work.dtype == "bfloat16":
        raise CannotRunError("NumPy has no bfloat16")
    ahead, back = PAIRS[problem.work.layer]
    given = tuple(problem.arrays.values())

    def forward() -> Any:
        return ahead(*given)[1]

    def backward(saved: Any) -> Any:
        return back(saved, problem.upstream)

    def step() -> tuple[Any, Any]:
        out, saved = ahead(*given)
        return out, back(saved, problem.upstream)

    return Runner(forward, backward, step, np.asarray)


def contestants() -> list[Contestant]:
    """NumPy by equations."""
    return [Contestant("NumPy by equations", "rival", "arrays", _runner)]
