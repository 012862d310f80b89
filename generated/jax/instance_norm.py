"""Instance normalization: each channel of each sample over its positions.

Forward pass and its tangents for JAX of

    mu[s, c] = mean[k](x[s, c, k])
    var[s, c] = mean[k]((x[s, c, k] - mu[s, c])**2)
    y[s, c, k] = w[c] * (x[s, c, k] - mu[s, c]) / sqrt(var[s, c] + eps) + beta[c]

The tangents were derived by symgrad from these equations. Every one below was proved equal, for
every size, to the derivative of the forward pass, and all together to be the adjoint of its
gradients; the formula that each line computes stands above it (dot_x is the tangent of x: the
direction in which x moves).

Generated from the layer instance_norm and the template jax/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate instance_norm --backend jax
"""

import math
from functools import partial

import jax
import jax.numpy as jnp


def instance_norm(x, w, beta, *, eps=1e-5):
    """Compute y[s, c, k...]; differentiable in forward and reverse mode, to any order.

    Args:
        x[s, c, k...]: input.
        w[c]: parameter.
        beta[c]: parameter.
        eps: a constant.
    """
    x, w, beta = _arrays(x=x, w=w, beta=beta)
    _check_dimensions("x[s, c, k...]", x, 2, more=True)
    n_s, n_c, *shape_k = x.shape
    _check_shape("w[c]", w, (n_c,))
    _check_shape("beta[c]", beta, (n_c,))
    (eps,) = _numbers(eps=eps)
    y, *_ = _forward(x, w, beta, eps)
    return y


@partial(jax.custom_jvp, nondiff_argnums=(3,))
def _forward(x, w, beta, eps):
    """Compute y[s, c, k...], and the statistics mu, var."""
    result = x.dtype
    dtype, wide = _dtypes(x, w, beta)
    n_s, n_c, *shape_k = x.shape
    n_k = math.prod(shape_k)
    x = x.astype(dtype).reshape(n_s, n_c, n_k)
    w = w.astype(dtype)
    beta = beta.astype(dtype)

    # mu[s, c] = mean[k](x[s, c, k])
    mu = x.mean(2, dtype=wide)
    # x_minus_mu[s, c, k] = x[s, c, k] - mu[s, c]
    x_minus_mu = _deviations(x, mu[:, :, None], 2)
    # var[s, c] = mean[k]((x[s, c, k] - mu[s, c])**2)
    var = jnp.square(x_minus_mu).mean(2, dtype=wide)
    # y[s, c, k] = w[c] * (x[s, c, k] - mu[s, c]) / sqrt(var[s, c] + eps) + beta[c]
    y = x_minus_mu * (w / jnp.sqrt(var + eps)).astype(dtype)[:, :, None] + beta[:, None]

    return y.reshape(n_s, n_c, *shape_k).astype(result), mu, var


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
    n_s, n_c, *shape_k = x.shape
    n_k = math.prod(shape_k)
    x = x.astype(dtype).reshape(n_s, n_c, n_k)
    w = w.astype(dtype)
    dot_x = dot_x.astype(dtype).reshape(n_s, n_c, n_k)
    dot_w = dot_w.astype(dtype)
    dot_beta = dot_beta.astype(dtype)

    # dot_mu[s, c] = mean[k](dot_x[s, c, k])
    dot_mu = dot_x.mean(2, dtype=wide)
    # x_minus_mu[s, c, k] = x[s, c, k] - mu[s, c]
    x_minus_mu = _deviations(x, mu[:, :, None], 2)
    # dot_var[s, c] = 2 * mean[k](dot_x[s, c, k] * (x[s, c, k] - mu[s, c]))
    dot_var = 2 * (dot_x * x_minus_mu).mean(2, dtype=wide)
    # rsqrt_var[s, c] = 1 / sqrt(var[s, c] + eps)
    rsqrt_var = 1 / jnp.sqrt(var + eps)
    # dot_y[s, c, k] = w[c] * dot_x[s, c, k] / sqrt(var[s, c] + eps)
    #     + dot_w[c] * (x[s, c, k] - mu[s, c]) / sqrt(var[s, c] + eps) + dot_beta[c]
    #     - w[c] * dot_mu[s, c] / sqrt(var[s, c] + eps)
    #     - w[c] * dot_var[s, c] * (x[s, c, k] - mu[s, c]) / (2 * (var[s, c] + eps)**(3/2))
    dot_y = (
        dot_x * (w * rsqrt_var).astype(dtype)[:, :, None]
        + x_minus_mu * (dot_w * rsqrt_var - w * dot_var * rsqrt_var**3 / 2).astype(dtype)[:, :, None]
        + dot_beta[:, None]
        - (w * dot_mu * rsqrt_var).astype(dtype)[:, :, None]
    )

    return dot_y.reshape(n_s, n_c, *shape_k), dot_mu, dot_var


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
