"""The lines of a procedure for JAX: those for PyTorch, spelled in jax.numpy."""

from __future__ import annotations

from fractions import Fraction

from symgrad.plan.records import KernelPlan
from symgrad.primitives import POWER, PRIMITIVES
from symgrad.render.kernels.small import Smalls
from symgrad.render.kernels.torch_lines import Dialect

OWN_NAMES = {
    "sigmoid": "jax.nn.sigmoid({0})",
    "softplus": "jax.nn.softplus({0})",
    "relu": "jax.nn.relu({0})",
    "erf": "jax.scipy.special.erf({0})",
    "erfc": "jax.scipy.special.erfc({0})",
    "lgamma": "jax.scipy.special.gammaln({0})",
    "digamma": "jax.scipy.special.digamma({0})",
}
"""Functions that jax.numpy does not have under NumPy's name."""


def smalls_for(plan: KernelPlan, _: str) -> Smalls:
    """Small expressions as JAX writes them."""
    return Smalls(
        plan, "jnp", _call, lambda name, order: f"{name}.transpose({', '.join(map(str, order))})",
        lambda text: f"{text}.astype(dtype)", lambda size: f"jnp.eye({size}, dtype=dtype)",
        lambda size: f"jnp.arange({size})", "jnp.where({0}, {1}, {2})",
        "jnp.where({0}, {1}, {2}).astype(dtype)", "{0}", "({0}).astype(dtype)",
    )  # fmt: skip


def _call(function: str, arguments: str) -> str:
    if function == "sqrt":
        return f"jnp.sqrt({arguments})"
    if function == POWER:
        return f"jnp.power({arguments})"
    spelling = OWN_NAMES.get(function, PRIMITIVES[function].numpy.replace("np.", "jnp."))
    return spelling.format(arguments)


JAX = Dialect(
    smalls_for,
    {Fraction(1, 2): "jnp.sqrt({0})", Fraction(-1, 2): "jax.lax.rsqrt({0})", Fraction(2): "jnp.square({0})"},
    "transpose", {"max": "max", "min": "min"}, "jnp.full({0}, {1}, dtype)", "jnp.broadcast_to({2}, {1})", "{0}",
    "jax.lax.stop_gradient({0})", recentres=True,
)  # fmt: skip
