"""Whether an emitted differentiable function gives on a device what plain PyTorch gives: asked once, before it is used.

Kernels for GPUs are tested under an interpreter; compilers, drivers and cards differ. A small random problem shows a
kernel that cannot be compiled or run there, or computes something else. What it cannot see: errors that need large
arrays or special values.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from symgrad.check.kernels import argument_of, relative_error, sizes_of
from symgrad.check.samples import sensible_point
from symgrad.notation.layer import Layer

LENGTH, LIMIT = 5, 1e-4
"""The length of an axis, and the largest error of a float32 result, relative to the largest exact one."""


def require_agreement(layer: Layer, function: Callable[..., Any], reference: Callable[..., Any], device: str) -> None:
    """Raise a RuntimeError unless outputs and gradients are those of the reference.

    Args:
        layer: whose function it is.
        function: takes tensors on the device, float32.
        reference: is run in float64 on the CPU.
        device: PyTorch's name of it.
    """
    import torch

    try:
        found = _results(layer, function, torch.float32, device)
    except Exception as failure:  # whatever a compiler or driver says is the reason
        raise RuntimeError(f"{layer.name} does not run on {device}: {type(failure).__name__}: {failure}") from failure
    for name, values in _results(layer, reference, torch.float64, "cpu").items():
        error = relative_error(found[name], values)
        if not error <= LIMIT:
            raise RuntimeError(f"{name} of {layer.name} is off by {error:.1e} on {device}: it is not used there.")


def _results(layer: Layer, function: Callable[..., Any], dtype: Any, device: str) -> dict[str, np.ndarray]:
    """Outputs and gradients on one random point, with random upstream gradients."""
    import torch

    point = sensible_point(layer, sizes_of(layer, LENGTH), 0)
    tensors, wanted = [], {}
    for tensor in layer.tensors:
        made = torch.from_numpy(np.array(argument_of(point, tensor)))
        made = (made if tensor.role == "label" else made.to(dtype)).to(device)
        tensors.append(made)
        if tensor in layer.differentiable:
            wanted[f"d_{tensor.name}"] = made.requires_grad_()
    outputs = function(*tensors)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    random = torch.Generator().manual_seed(0)
    seeds = [torch.randn(each.shape, generator=random, dtype=torch.float64).to(each) for each in outputs]
    gradients = torch.autograd.grad(outputs, list(wanted.values()), seeds)
    named = dict(zip([*layer.outputs, *wanted], [*outputs, *gradients], strict=True))
    return {name: value.detach().to("cpu", torch.float64).numpy() for name, value in named.items()}
