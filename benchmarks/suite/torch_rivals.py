"""PyTorch's built-ins under autograd, eager and compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional

from suite.problem import Problem
from suite.runners import Contestant, Runner
from suite.works import NETWORK


def network(x: Any, w: Any, beta: Any, t: Any) -> Any:
    """The article's network by the built-ins that the article compares itself with."""
    y = functional.batch_norm(x, None, None, w, beta, training=True, eps=1e-5)
    return functional.mse_loss(torch.sigmoid(y), t)


def rms_norm(x: Any, w: Any) -> Any:
    """Root mean square normalization."""
    return functional.rms_norm(x, x.shape[-1:], w, 1e-6)


def layer_norm(x: Any, w: Any, beta: Any) -> Any:
    """Layer normalization."""
    return functional.layer_norm(x, x.shape[-1:], w, beta, 1e-5)


def cross_entropy(x: Any, t: Any) -> Any:
    """Softmax and cross entropy against labels."""
    return functional.cross_entropy(x, t)


BUILT_INS: dict[str, Callable[..., Any]] = {
    NETWORK: network,
    "rms_norm": rms_norm,
    "layer_norm": layer_norm,
    "cross_entropy_labels": cross_entropy,
}


def torch_runner(function: Callable[..., Any], problem: Problem) -> Runner:
    """A differentiable torch function, with fresh gradients at every step."""
    dtype = getattr(torch, problem.work.dtype)

    def tensor(array: Any) -> Any:
        made = torch.from_numpy(array)
        return made.to(dtype) if made.is_floating_point() else made

    tensors = {name: tensor(array) for name, array in problem.arrays.items()}
    wanted = [tensors[name].requires_grad_() for name in problem.work.signature.differentiable]
    given = tuple(tensors.values())
    upstream = None if problem.upstream is None else tensor(problem.upstream)

    def forward() -> Any:
        return function(*given)

    def backward(out: Any) -> Any:
        return torch.autograd.grad(out, wanted, upstream)

    def step() -> tuple[Any, Any]:
        out = function(*given)
        return out, torch.autograd.grad(out, wanted, upstream)

    return Runner(forward, backward, step, lambda value: value.detach().to(torch.float64).numpy())


def compiled(function: Callable[..., Any], problem: Problem) -> Runner:
    """The same, compiled for this problem's shapes."""
    return torch_runner(torch.compile(function, fullgraph=True, dynamic=False), problem)


def forget() -> None:
    """Drop what was compiled for other shapes: with many of them `torch.compile` gives up, and runs eagerly."""
    torch._dynamo.reset()


def contestants(layer: str) -> list[Contestant]:
    """The built-ins of a layer."""
    function = BUILT_INS[layer]
    return [
        Contestant("torch eager", "rival", "torch", lambda problem: torch_runner(function, problem)),
        Contestant("torch.compile", "rival", "torch", lambda problem: compiled(function, problem)),
    ]
