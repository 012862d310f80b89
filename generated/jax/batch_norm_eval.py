"""Batch normalization in evaluation: by the running mean and variance, which get no gradient.

Forward pass and its tangents for JAX of

    y[s, c, k] = w[c] * (x[s, c, k] - mu[c]) / sqrt(var[c] + eps) + beta[c]

The tangents were derived by symgrad from these equations. Every one below was proved equal, for
every size, to the derivative of the forward pass, and all together to be the adjoint of its
gradients; the formula that each line computes stands above it (dot_x is the tangent of x: the
direction in which x moves).

Generated from the layer batch_norm_eval and the template jax/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate batch_norm_eval --backend jax
"""

import math
from functools import partial

import jax
import jax.numpy as jnp


def batch_norm_eval(x, w, beta, mu, var, *, eps=1e-5):
    """Compute y[s, c, k...]; differentiable in forward and reverse mode, to any order.

    Args:
        x[s, c, k...]: input.
        w[c]: parameter.
        beta[c]: parameter.
        mu[c]: target, gets no gradient.
        var[c]: target, gets no gradient.
        eps: a constant.
    """
    x, w, beta, mu, var = _arrays(x=x, w=w, beta=beta, mu=mu, var=var)
    _check_dimensions("x[s, c, k...]", x, 2, more=True)
    n_s, n_c, *shape_k = x.shape
    _check_shape("w[c]", w, (n_c,))
    _check_shape("beta[c]", beta, (n_c,))
    _check_shape("mu[c]", mu, (n_c,))
    _check_shape("var[c]", var, (n_c,))
    (eps,) = _numbers(eps=eps)
    return _forward(x, w, beta, mu, var, eps)


@partial(jax.custom_jvp, nondiff_argnums=(5,))
def _forward(x, w, beta, mu, var, eps):
    """Compute y[s, c, k...]."""
    result = x.dtype
    dtype, _ = _dtypes(x, w, beta, mu, var)
    n_s, n_c, *shape_k = x.shape
    n_k = math.prod(shape_k)
    x = x.astype(dtype).reshape(n_s, n_c, n_k)
    w = w.astype(dtype)
    beta = beta.astype(dtype)
    mu = mu.astype(dtype)
    var = var.astype(dtype)

    # y[s, c, k] = w[c] * (x[s, c, k] - mu[c]) / sqrt(var[c] + eps) + beta[c]
    y = (x - mu[:, None]) * (w / jnp.sqrt(var + eps))[:, None] + beta[:, None]

    return y.reshape(n_s, n_c, *shape_k).astype(result)


@_forward.defjvp
def _forward_jvp(eps, primals, tangents):
    """The results of `_forward`, and their tangents."""
    x, w, beta, mu, var = primals
    dot_x, dot_w, dot_beta, _, _ = tangents
    y = _forward(x, w, beta, mu, var, eps)
    dot_y = _tangents(x, w, mu, var, dot_x, dot_w, dot_beta, eps)
    return y, dot_y.astype(y.dtype)


@partial(jax.checkpoint, static_argnums=(7,))
def _tangents(x, w, mu, var, dot_x, dot_w, dot_beta, eps):
    """Compute the tangents of y: linear in those of the inputs."""
    dtype, _ = _dtypes(x, w, mu, var, dot_x, dot_w, dot_beta)
    n_s, n_c, *shape_k = x.shape
    n_k = math.prod(shape_k)
    x = x.astype(dtype).reshape(n_s, n_c, n_k)
    w = w.astype(dtype)
    mu = mu.astype(dtype)
    var = var.astype(dtype)
    dot_x = dot_x.astype(dtype).reshape(n_s, n_c, n_k)
    dot_w = dot_w.astype(dtype)
    dot_beta = dot_beta.astype(dtype)

    # rsqrt_var[c] = 1 / sqrt(var[c] + eps)
    rsqrt_var = 1 / jnp.sqrt(var + eps)
    # dot_y[s, c, k] = w[c] * dot_x[s, c, k] / sqrt(var[c] + eps)
    #     + dot_w[c] * (x[s, c, k] - mu[c]) / sqrt(var[c] + eps) + dot_beta[c]
    dot_y = (
        dot_x * (w * rsqrt_var)[:, None]
        + (x - mu[:, None]) * (dot_w * rsqrt_var)[:, None]
        + dot_beta[:, None]
    )

    return dot_y.reshape(n_s, n_c, *shape_k)


def _arrays(**arrays):
    """The arguments as arrays of real floating-point numbers."""
    found = {name: jnp.asarray(array) for name, array in arrays.items()}
    for name, array in found.items():
        if not jnp.issubdtype(array.dtype, jnp.floating):
            raise TypeError(f"{name} must be a floating-point array, not {array.dtype}.")
    return found.values()


def _numbers(**constants):
    """Constants as Python's own numbers: they are part of what is compiled."""
    for name, constant in constants.items():
        if isinstance(constant, jax.core.Tracer):
            raise TypeError(f"{name} must be a number that is known when the function is traced; see static_argnames.")
    return [float(constant) for constant in constants.values()]


def _check_dimensions(what, array, least, more=False):
    """Raise unless an array has as many dimensions as declared, and is not empty."""
    if array.ndim < least or (array.ndim > least and not more):
        raise ValueError(f"{what} must have {'at least ' if more else ''}{least} dimensions, not {array.ndim}.")
    if array.size == 0:
        raise ValueError(f"{what} is empty: its shape is {array.shape}.")


def _check_shape(what, array, shape):
    """Raise unless an array has the shape that follows from the others."""
    if array.shape != shape:
        raise ValueError(f"{what} must have the shape {shape}, not {array.shape}.")


def _dtypes(*arrays):
    """At least float32 to compute in; float64 for sums, where JAX has it (jax_enable_x64) and nothing is half."""
    given = [array.dtype for array in arrays]
    dtype = jnp.result_type(jnp.float32, *given)
    half = jnp.float16 in given or jnp.bfloat16 in given
    return dtype, dtype if half else jnp.promote_types(dtype, jnp.result_type(float))
