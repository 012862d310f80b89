"""Group normalization: each group of channels of each sample, over its channels and positions.

Forward pass and its tangents for JAX of

    mu[s, g] = mean[c, k](x[s, g, c, k])
    var[s, g] = mean[c, k]((x[s, g, c, k] - mu[s, g])**2)
    y[s, g, c, k] = w[g, c] * (x[s, g, c, k] - mu[s, g]) / sqrt(var[s, g] + eps) + beta[g, c]

The tangents were derived by symgrad from these equations. Every one below was proved equal, for
every size, to the derivative of the forward pass, and all together to be the adjoint of its
gradients; the formula that each line computes stands above it (dot_x is the tangent of x: the
direction in which x moves).

Generated from the layer group_norm and the template jax/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate group_norm --backend jax
"""

import math
from functools import partial

import jax
import jax.numpy as jnp


def group_norm(x, w, beta, *, eps=1e-5):
    """Compute y[s, g, c, k...]; differentiable in forward and reverse mode, to any order.

    Args:
        x[s, g, c, k...]: input.
        w[g, c]: parameter.
        beta[g, c]: parameter.
        eps: a constant.
    """
    x, w, beta = _arrays(x=x, w=w, beta=beta)
    _check_dimensions("x[s, g, c, k...]", x, 3, more=True)
    n_s, n_g, n_c, *shape_k = x.shape
    _check_shape("w[g, c]", w, (n_g, n_c))
    _check_shape("beta[g, c]", beta, (n_g, n_c))
    (eps,) = _numbers(eps=eps)
    y, *_ = _forward(x, w, beta, eps)
    return y


@partial(jax.custom_jvp, nondiff_argnums=(3,))
def _forward(x, w, beta, eps):
    """Compute y[s, g, c, k...], and the statistics mu, var."""
    result = x.dtype
    dtype, wide = _dtypes(x, w, beta)
    n_s, n_g, n_c, *shape_k = x.shape
    n_k = math.prod(shape_k)
    x = x.astype(dtype).reshape(n_s, n_g, n_c, n_k)
    w = w.astype(dtype)
    beta = beta.astype(dtype)

    # mu[s, g] = mean[c, k](x[s, g, c, k])
    mu = x.mean((2, 3), dtype=wide)
    # x_minus_mu[s, g, c, k] = x[s, g, c, k] - mu[s, g]
    x_minus_mu = _deviations(x, mu[:, :, None, None], (2, 3))
    # var[s, g] = mean[c, k]((x[s, g, c, k] - mu[s, g])**2)
    var = jnp.square(x_minus_mu).mean((2, 3), dtype=wide)
    # y[s, g, c, k] = w[g, c] * (x[s, g, c, k] - mu[s, g]) / sqrt(var[s, g] + eps) + beta[g, c]
    y = (
        x_minus_mu * (w / jnp.sqrt(var[:, :, None] + eps)).astype(dtype)[:, :, :, None]
        + beta[:, :, None]
    )

    return y.reshape(n_s, n_g, n_c, *shape_k).astype(result), mu, var


@_forward.defjvp
def _forward_jvp(eps, primals, tangents):
    """The results of `_forward`, and their tangents."""
    x, w, beta = primals
    dot_x, dot_w, dot_beta = tangents
    y, mu, var = _forward(x, w, beta, eps)
    dot_y, dot_mu, dot_var = _tangents(x, w, mu, var, dot_x, dot_w, dot_beta, eps)
    return (y, mu, var), (dot_y.astype(y.dtype), dot_mu.astype(mu.dtype), dot_var.astype(var.dtype))


@partial(jax.checkpoint, static_argnums=(7,))
def _tangents(x, w, mu, var, dot_x, dot_w, dot_beta, eps):
    """Compute the tangents of y, mu, var: linear in those of the inputs."""
    dtype, wide = _dtypes(x, w, dot_x, dot_w, dot_beta)
    n_s, n_g, n_c, *shape_k = x.shape
    n_k = math.prod(shape_k)
    x = x.astype(dtype).reshape(n_s, n_g, n_c, n_k)
    w = w.astype(dtype)
    dot_x = dot_x.astype(dtype).reshape(n_s, n_g, n_c, n_k)
    dot_w = dot_w.astype(dtype)
    dot_beta = dot_beta.astype(dtype)

    # dot_mu[s, g] = sum[c, k](dot_x[s, g, c, k]) / (size[c] * size[k])
    dot_mu = dot_x.sum((2, 3), dtype=wide) / (n_c * n_k)
    # x_minus_mu[s, g, c, k] = x[s, g, c, k] - mu[s, g]
    x_minus_mu = _deviations(x, mu[:, :, None, None], (2, 3))
    # dot_var[s, g] = 2 * sum[c, k](dot_x[s, g, c, k] * (x[s, g, c, k] - mu[s, g])) / (size[c] * size[k])
    dot_var = 2 * (dot_x * x_minus_mu).sum((2, 3), dtype=wide) / (n_c * n_k)
    # rsqrt_var[s, g] = 1 / sqrt(var[s, g] + eps)
    rsqrt_var = 1 / jnp.sqrt(var + eps)
    # dot_y[s, g, c, k] = w[g, c] * dot_x[s, g, c, k] / sqrt(var[s, g] + eps)
    #     + dot_w[g, c] * (x[s, g, c, k] - mu[s, g]) / sqrt(var[s, g] + eps) + dot_beta[g, c]
    #     - w[g, c] * dot_mu[s, g] / sqrt(var[s, g] + eps)
    #     - w[g, c] * dot_var[s, g] * (x[s, g, c, k] - mu[s, g]) / (2 * (var[s, g] + eps)**(3/2))
    dot_y = (
        dot_x * (w * rsqrt_var[:, :, None]).astype(dtype)[:, :, :, None]
        + x_minus_mu
        * (
            dot_w * rsqrt_var[:, :, None]
            - w * dot_var[:, :, None] * rsqrt_var[:, :, None]**3 / 2
        ).astype(dtype)[:, :, :, None]
        + dot_beta[:, :, None]
        - (w * dot_mu[:, :, None] * rsqrt_var[:, :, None]).astype(dtype)[:, :, :, None]
    )

    return dot_y.reshape(n_s, n_g, n_c, *shape_k), dot_mu, dot_var


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


def _centre(array, mean):
    """array - mean; a wider mean is split in two, so that nothing of it is lost."""
    if mean.dtype == array.dtype:
        return array - mean
    high = mean.astype(array.dtype)
    return (array - high) - (mean - high).astype(array.dtype)


def _deviations(array, mean, axes):
    """array - mean, its mean along these axes; without float64 what the mean's rounding left is taken out as well."""
    centred = _centre(array, mean)
    return centred - centred.mean(axes, keepdims=True) if mean.dtype == jnp.float32 else centred
