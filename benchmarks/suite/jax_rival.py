"""JAX: the same equations, differentiated and compiled by it."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np

from suite.problem import Problem
from suite.runners import CannotRunError, Contestant, Runner
from suite.works import NETWORK


def functions() -> dict[str, Callable[..., Any]]:
    """The forward passes, as JAX's users write them."""
    import jax
    import jax.numpy as jnp

    def network(x: Any, w: Any, beta: Any, t: Any) -> Any:
        others = (0, *range(2, x.ndim))
        shape = (-1, *(1,) * (x.ndim - 2))
        mean, var = x.mean(others, keepdims=True), x.var(others, keepdims=True)
        y = w.reshape(shape) * (x - mean) * jax.lax.rsqrt(var + 1e-5) + beta.reshape(shape)
        return jnp.mean((jax.nn.sigmoid(y) - t) ** 2)

    def rms_norm(x: Any, w: Any) -> Any:
        return w * x * jax.lax.rsqrt(jnp.mean(x**2, -1, keepdims=True) + 1e-6)

    def layer_norm(x: Any, w: Any, beta: Any) -> Any:
        mean, var = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
        return w * (x - mean) * jax.lax.rsqrt(var + 1e-5) + beta

    def cross_entropy(x: Any, t: Any) -> Any:
        return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(x), t[:, None], 1))

    return {
        NETWORK: network,
        "rms_norm": rms_norm,
        "layer_norm": layer_norm,
        "cross_entropy_labels": cross_entropy,
    }


def jax_runner(function: Callable[..., Any], problem: Problem) -> Runner:
    """A function of JAX arrays, compiled; each call waits until its results are there."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    if problem.work.channels_last:
        raise CannotRunError("a JAX array has no strides")

    def array(values: Any) -> Any:
        return jnp.asarray(values, problem.work.dtype if values.dtype.kind == "f" else None)

    arrays = {name: array(values) for name, values in problem.arrays.items()}
    names = problem.work.signature.differentiable
    rest = {name: values for name, values in arrays.items() if name not in names}
    wanted = [arrays[name] for name in names]
    dtype = jnp.dtype(problem.work.dtype)
    upstream = jnp.ones((), dtype) if problem.upstream is None else array(problem.upstream)

    def both(wanted: Any, rest: Any) -> Any:
        return jax.vjp(lambda *moving: function(*moving, *rest.values()), *wanted)

    ahead = jax.jit(both)
    back = jax.jit(lambda pull, upstream: pull(upstream))

    @jax.jit
    def whole(wanted: Any, rest: Any, upstream: Any) -> Any:
        out, pull = both(wanted, rest)
        return out, pull(upstream)

    return Runner(
        lambda: jax.block_until_ready(ahead(wanted, rest))[1],
        lambda pull: jax.block_until_ready(back(pull, upstream)),
        lambda: jax.block_until_ready(whole(wanted, rest, upstream)),
        lambda value: np.asarray(value, dtype=np.float64),
    )


def _runner(problem: Problem) -> Runner:
    if importlib.util.find_spec("jax") is None:
        raise CannotRunError("jax is not installed")
    return jax_runner(widened(functions()[problem.work.layer]), problem)


def widened(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function in float32 where it is given bfloat16, as JAX's layers do: its sums keep the dtype otherwise."""
    import jax.numpy as jnp

    def wide(*arrays: Any) -> Any:
        narrow = arrays[0].dtype == jnp.bfloat16
        out = function(*(a.astype(jnp.float32) if a.dtype == jnp.bfloat16 else a for a in arrays))
        return out.astype(jnp.bfloat16) if narrow else out

    return wide


def contestants() -> list[Contestant]:
    """JAX."""
    return [Contestant("JAX jit", "rival", "jax", _runner)]
