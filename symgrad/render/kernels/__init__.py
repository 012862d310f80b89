"""Kernels: a plan, laid out as a standalone file of a backend."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from symgrad.errors import InputError, UnsupportedError
from symgrad.plan.records import KernelPlan
from symgrad.plan.shard import shard
from symgrad.render.kernels.c_kernel import c_files
from symgrad.render.kernels.jax_kernel import jax_kernel
from symgrad.render.kernels.numba_kernel import numba_kernel
from symgrad.render.kernels.numpy_kernel import numpy_kernel
from symgrad.render.kernels.records import Rendered
from symgrad.render.kernels.shard_kernel import shard_kernel
from symgrad.render.kernels.templates import fill
from symgrad.render.kernels.torch_compiled import torch_file
from symgrad.render.kernels.triton_kernel import triton_kernel

BACKENDS: dict[str, Callable[[KernelPlan], Any]] = {
    "numpy": numpy_kernel, "torch": torch_file, "jax": jax_kernel,
}  # fmt: skip
"""For each backend what makes the record that its template lays out."""
PARTIAL: dict[str, Callable[[KernelPlan], Any]] = {
    "c": c_files, "numba": numba_kernel, "triton": triton_kernel,
}  # fmt: skip
"""Backends that cannot do every layer; they are used where they are named.

Each makes the record of its template, or the whole file where there are others beside it."""

FORWARD_MODE = frozenset(("jax",))
"""Backends whose files hold tangents instead of gradients; they render a plan that has them."""
AHEAD = frozenset(("torch", *PARTIAL))
"""Backends that render a plan with sums of the backward pass in its forward pass, where there are such."""

AT_ONCE = frozenset(("c", "numba"))
"""Backends that compute a loss and its gradients together."""


def check_backend(name: str) -> None:
    """Raise an InputError unless there is a backend of this name."""
    if name not in BACKENDS | PARTIAL:
        raise InputError(f"there is no backend {name!r}.", hint=f"The backends are {', '.join(BACKENDS | PARTIAL)}.")


def render(plan: KernelPlan, backend: str) -> Rendered:
    """The file of a plan for a backend.

    Raises:
        InputError: there is no such backend.
    """
    check_backend(backend)
    template = f"{backend}/kernel.py.jinja"
    made = (BACKENDS | PARTIAL)[backend](plan)
    if isinstance(made, Rendered):
        return made
    text = fill(template, made)
    return Rendered(f"{backend}/{plan.layer.name}.py", text, f"layer {plan.layer.name}, template {template}")


def render_sharded(plan: KernelPlan, axis: str) -> Rendered:
    """The file of a plan for PyTorch with one axis sharded over the processes of torch.distributed.

    Raises:
        InputError: the layer has no such axis.
        UnsupportedError: what it computes needs entries of other processes.
    """
    axes = [each.name for each in plan.layer.axes]
    if axis not in axes:
        raise InputError(f"layer {plan.layer.name} has no axis {axis!r}.", hint=f"Its axes are {', '.join(axes)}.")
    template = "torch/sharded.py.jinja"
    text = fill(template, shard_kernel(shard(plan, axis)))
    path = f"torch/{plan.layer.name}_sharded_{axis}.py"
    return Rendered(path, text, f"layer {plan.layer.name}, sharded over {axis}, template {template}")


__all__ = ["AHEAD", "BACKENDS", "FORWARD_MODE", "PARTIAL", "Rendered", "UnsupportedError", "render", "render_sharded"]
