"""PyTorch's built-ins under autograd, eager and compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from suite.built_ins import BUILT_INS
from suite.problem import Problem
from suite.runners import Contestant, Runner


def torch_runner(function: Callable[..., Any], problem: Problem, at_once: bool = False) -> Runner:
    """A differentiable torch function, with fresh gradients at every step.

    `at_once`: it computes the gradients of this problem in its forward pass.
    """
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

    return Runner(forward, None if at_once else backward, step, lambda value: value.detach().to(torch.float64).numpy())


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
