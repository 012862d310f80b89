"""How NumPy writes small expressions."""

from __future__ import annotations

from symgrad.plan.records import KernelPlan
from symgrad.primitives import POWER, PRIMITIVES
from symgrad.render.kernels.small import Smalls


def smalls_for(plan: KernelPlan) -> Smalls:
    """Small expressions as NumPy writes them."""
    return Smalls(
        plan, "np", _call, lambda name, order: f"{name}.transpose({', '.join(map(str, order))})",
        lambda text: f"{text}.astype(dtype)", lambda size: f"np.eye({size}, dtype=dtype)",
        lambda size: f"np.arange({size})", "np.where({0}, {1}, {2})",
        "np.where({0}, {1}, {2}).astype(dtype)", "{0}", "np.asarray({0}, dtype)",
    )  # fmt: skip


def _call(function: str, arguments: str) -> str:
    if function == "sqrt":
        return f"np.sqrt({arguments})"
    return f"np.power({arguments})" if function == POWER else PRIMITIVES[function].numpy.format(arguments)
