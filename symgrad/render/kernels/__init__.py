"""Kernels: a plan, laid out as a standalone file of a backend."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from symgrad.errors import InputError
from symgrad.plan.records import KernelPlan
from symgrad.render.kernels.c_kernel import c_kernel
from symgrad.render.kernels.c_terms import UnsupportedError
from symgrad.render.kernels.numpy_kernel import numpy_kernel
from symgrad.render.kernels.records import Rendered
from symgrad.render.kernels.templates import fill
from symgrad.render.kernels.torch_kernel import torch_kernel
from symgrad.render.kernels.triton_kernel import triton_kernel

BACKENDS: dict[str, Callable[[KernelPlan], Any]] = {"numpy": numpy_kernel, "torch": torch_kernel}
"""For each backend what makes the record that its template lays out."""
PARTIAL: dict[str, Callable[[KernelPlan], Any]] = {"c": c_kernel, "triton": triton_kernel}
"""Backends that cannot do every layer; they are used where they are named."""


def render(plan: KernelPlan, backend: str) -> Rendered:
    """The file of a plan for a backend.

    Raises:
        InputError: there is no such backend.
    """
    backends = BACKENDS | PARTIAL
    if backend not in backends:
        raise InputError(f"there is no backend {backend!r}.", hint=f"The backends are {', '.join(backends)}.")
    template = f"{backend}/kernel.py.jinja"
    text = fill(template, backends[backend](plan))
    return Rendered(f"{backend}/{plan.layer.name}.py", text, f"layer {plan.layer.name}, template {template}")


__all__ = ["BACKENDS", "PARTIAL", "Rendered", "UnsupportedError", "render"]
