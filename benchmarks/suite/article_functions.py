"""The article's PyTorch implementation: three autograd Functions, by its equations.

Song 2020, section 3 and table 1: each Function computes what the equations say, keeps the same
tensors as the article's, and does the same operations in the same order of sizes.
"""

from __future__ import annotations

from typing import Any

import torch

from suite.problem import Problem
from suite.runners import CannotRunError, Contestant, Runner
from suite.torch_rivals import torch_runner
from suite.works import NETWORK


class BatchNorm(torch.autograd.Function):
    """Equations (2) to (5); backward (16), (18) and (22), which is written with y - beta."""

    @staticmethod
    def forward(ctx: Any, x: Any, w: Any, beta: Any) -> Any:
        """y; keeps x, w, beta, the mean, the standard deviation and y."""
        others = [0, *range(2, x.dim())]
        mean = x.mean(dim=others, keepdim=True)
        deviation = torch.sqrt(x.var(dim=others, unbiased=False, keepdim=True) + 1e-5)
        y = (x - mean) / deviation
        y *= w.reshape(mean.shape)
        y += beta.reshape(mean.shape)
        ctx.save_for_backward(x, w, beta, mean, deviation, y)
        return y

    @staticmethod
    def backward(ctx: Any, d_y: Any) -> Any:
        """The gradients of x, w and beta."""
        x, w, beta, mean, deviation, y = ctx.saved_tensors
        others = [0, *range(2, x.dim())]
        count = x.numel() // x.shape[1]
        gain, bias = w.reshape(mean.shape), beta.reshape(mean.shape)
        first = gain * d_y / deviation
        second = gain * d_y.sum(dim=others, keepdim=True) / (count * deviation)
        inner = (d_y * (y - bias)).sum(dim=others, keepdim=True)
        third = (y - bias) * inner / (count * deviation * gain)
        d_w = ((y - bias) / gain * d_y).sum(dim=others)
        return first - second - third, d_w, d_y.sum(dim=others)


class Sigmoid(torch.autograd.Function):
    """Equation (8); backward (14)."""

    @staticmethod
    def forward(ctx: Any, y: Any) -> Any:
        """z; keeps it."""
        z = 1.0 / (1.0 + torch.exp(-y))
        ctx.save_for_backward(z)
        return z

    @staticmethod
    def backward(ctx: Any, d_z: Any) -> Any:
        """The gradient of y."""
        (z,) = ctx.saved_tensors
        return z * (1.0 - z) * d_z


class MeanSquaredError(torch.autograd.Function):
    """Equation (9); backward (12), for an upstream gradient of 1 as in the article."""

    @staticmethod
    def forward(ctx: Any, z: Any, t: Any) -> Any:
        """The loss; keeps the difference."""
        difference = z - t
        ctx.save_for_backward(difference)
        return (difference**2).mean()

    @staticmethod
    def backward(ctx: Any, _: Any) -> Any:
        """The gradient of z."""
        (difference,) = ctx.saved_tensors
        return difference * 2.0 / difference.numel(), None


def network(x: Any, w: Any, beta: Any, t: Any) -> Any:
    """The three, one after the other."""
    return MeanSquaredError.apply(Sigmoid.apply(BatchNorm.apply(x, w, beta)), t)


def _runner(problem: Problem) -> Runner:
    if problem.work.layer != NETWORK:
        raise CannotRunError("the article has its own network only")
    return torch_runner(network, problem)


def contestants() -> list[Contestant]:
    """The article's Functions."""
    return [Contestant("article's Functions", "rival", "torch", _runner)]
