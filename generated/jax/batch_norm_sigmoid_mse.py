"""Batch normalization, sigmoid and mean squared error: a small network with a scalar loss.

Forward pass and its tangents for JAX of

    y.mu[c] = mean[s, k](x[s, c, k])
    y.var[c] = mean[s, k]((x[s, c, k] - y.mu[c])**2)
    y[s, c, k] = w[c] * (x[s, c, k] - y.mu[c]) / sqrt(y.var[c] + eps) + beta[c]
    z[s, c, k] = 1 / (1 + exp(-y[s, c, k]))
    L = mean[s, c, k]((z[s, c, k] - t[s, c, k])**2)

The tangents were derived by symgrad from these equations. Every one below was proved equal, for
every size, to the derivative of the forward pass, and all together to be the adjoint of its
gradients; the formula that each line computes stands above it (dot_x is the tangent of x: the
direction in which x moves).

Generated from the layer batch_norm_sigmoid_mse and the template jax/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate batch_norm_sigmoid_mse --backend jax
"""

import math
from functools import partial

import jax
import jax.numpy as jnp


def batch_norm_sigmoid_mse(x, w, beta, t, *, eps=1e-5):
    """Compute L; differentiable in forward and reverse mode, to any order.

    Args:
        x[s, c, k...]: input.
        w[c]: parameter.
        beta[c]: parameter.
        t[s, c, k...]: target, gets no gradient.
        eps: a constant.
    """
    x, w, beta, t = _arrays(x=x, w=w, beta=beta, t=t)
    _check_dimensions("x[s, c, k...]", x, 2, more=True)
    n_s, n_c, *shape_k = x.shape
    _check_shape("w[c]", w, (n_c,))
    _check_shape("beta[c]", beta, (n_c,))
    _check_shape("t[s, c, k...]", t, (n_s, n_c, *shape_k))
    (eps,) = _numbers(eps=eps)
    L, *_ = _forward(x, w, beta, t, eps)
    return L


@partial(jax.custom_jvp, nondiff_argnums=(4,))
def _forward(x, w, beta, t, eps):
    """Compute L, and the statistics mu, var."""
    result = x.dtype
    dtype, wide = _dtypes(x, w, beta, t)
    n_s, n_c, *shape_k = x.shape
    n_k = math.prod(shape_k)
    x = x.astype(dtype).reshape(n_s, n_c, n_k)
    w = w.astype(dtype)
    beta = beta.astype(dtype)
    t = t.astype(dtype).reshape(n_s, n_c, n_k)

    # mu[c] = mean[s, k](x[s, c, k])
    mu = x.mean((0, 2), dtype=wide)
    # x_minus_mu[s, c, k] = x[s, c, k] - mu[c]
    x_minus_mu = _deviations(x, mu[:, None], (0, 2))
    # var[c] = mean[s, k]((x[s, c, k] - mu[c])**2)
    var = jnp.square(x_minus_mu).mean((0, 2), dtype=wide)
    # y[s, c, k] = w[c] * (x[s, c, k] - mu[c]) / sqrt(var[c] + eps) + beta[c]
    y = x_minus_mu * (w / jnp.sqrt(var + eps)).astype(dtype)[:, None] + beta[:, None]
    # z[s, c, k] = 1 / (1 + exp(-y[s, c, k]))
    z = jax.nn.sigmoid(y)
    # L = mean[s, c, k]((z[s, c, k] - t[s, c, k])**2)
    L = jnp.square(z - t).mean(dtype=wide)

    return L.astype(result), mu, var


@_forward.defjvp
def _forward_jvp(eps, primals, tangents):
    """The results of `_forward`, and their tangents."""
    x, w, beta, t = primals
    dot_x, dot_w, dot_beta, _ = tangents
    L, mu, var = _forward(x, w, beta, t, eps)
    dot_L, dot_mu, dot_var = _tangents(x, w, beta, t, mu, var, dot_x, dot_w, dot_beta, eps)
    return (L, mu, var), (dot_L.astype(L.dtype), dot_mu.astype(mu.dtype), dot_var.astype(var.dtype))


@partial(jax.checkpoint, static_argnums=(9,))
def _tangents(x, w, beta, t, mu, var, dot_x, dot_w, dot_beta, eps):
    """Compute the tangents of L, mu, var: linear in those of the inputs."""
    dtype, wide = _dtypes(x, w, beta, t, dot_x, dot_w, dot_beta)
    n_s, n_c, *shape_k = x.shape
    n_k = math.prod(shape_k)
    x = x.astype(dtype).reshape(n_s, n_c, n_k)
    w = w.astype(dtype)
    beta = beta.astype(dtype)
    t = t.astype(dtype).reshape(n_s, n_c, n_k)
    dot_x = dot_x.astype(dtype).reshape(n_s, n_c, n_k)
    dot_w = dot_w.astype(dtype)
    dot_beta = dot_beta.astype(dtype)

    # x_minus_mu[s, c, k] = x[s, c, k] - mu[c]
    x_minus_mu = _deviations(x, mu[:, None], (0, 2))
    # rsqrt_var[c] = 1 / sqrt(var[c] + eps)
    rsqrt_var = 1 / jnp.sqrt(var + eps)
    # y[s, c, k] = w[c] * (x[s, c, k] - mu[c]) / sqrt(var[c] + eps) + beta[c]
    y = x_minus_mu * (w * rsqrt_var).astype(dtype)[:, None] + beta[:, None]
    # z[s, c, k] = 1 / (1 + exp(-y[s, c, k]))
    z = jax.nn.sigmoid(y)
    # dot_var[c] = 2 * sum[s, k](dot_x[s, c, k] * (x[s, c, k] - mu[c])) / (size[s] * size[k])
    dot_var = 2 * (dot_x * x_minus_mu).sum((0, 2), dtype=wide) / (n_s * n_k)
    # dot_mu[c] = sum[s, k](dot_x[s, c, k]) / (size[s] * size[k])
    dot_mu = dot_x.sum((0, 2), dtype=wide) / (n_s * n_k)
    # dot_y[s, c, k] = w[c] * dot_x[s, c, k] / sqrt(var[c] + eps)
    #     + dot_w[c] * (x[s, c, k] - mu[c]) / sqrt(var[c] + eps) + dot_beta[c]
    #     - w[c] * dot_mu[c] / sqrt(var[c] + eps)
    #     - w[c] * dot_var[c] * (x[s, c, k] - mu[c]) / (2 * (var[c] + eps)**(3/2))
    dot_y = (
        dot_x * (w * rsqrt_var).astype(dtype)[:, None]
        + x_minus_mu * (dot_w * rsqrt_var - w * dot_var * rsqrt_var**3 / 2).astype(dtype)[:, None]
        + dot_beta[:, None]
        - (w * dot_mu * rsqrt_var).astype(dtype)[:, None]
    )
    # dot_z[s, c, k] = z[s, c, k] * dot_y[s, c, k] * (1 - z[s, c, k])
    dot_z = z * dot_y * (1 - z)
    # dot_L = 2 * sum[s, c, k](dot_z[s, c, k] * (z[s, c, k] - t[s, c, k])) / (size[s] * size[c] * size[k])
    dot_L = 2 * (dot_z * (z - t)).sum(dtype=wide) / (n_s * n_c * n_k)

    return dot_L, dot_mu, dot_var


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
