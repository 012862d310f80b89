"""Layer normalization over the last dimension, with a gain and a bias for each feature.

Forward pass and its tangents for JAX of

    mu[b] = mean[d](x[b, d])
    var[b] = mean[d]((x[b, d] - mu[b])**2)
    y[b, d] = w[d] * (x[b, d] - mu[b]) / sqrt(var[b] + eps) + beta[d]

The tangents were derived by symgrad from these equations. Every one below was proved equal, for
every size, to the derivative of the forward pass, and all together to be the adjoint of its
gradients; the formula that each line computes stands above it (dot_x is the tangent of x: the
direction in which x moves).

Generated from the layer layer_norm and the template jax/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate layer_norm --backend jax
"""

import math
from functools import partial

import jax
import jax.numpy as jnp


def layer_norm(x, w, beta, *, eps=1e-5):
    """Compute y[b..., d]; differentiable in forward and reverse mode, to any order.

    Args:
        x[b..., d]: input.
        w[d]: parameter.
        beta[d]: parameter.
        eps: a constant.
    """
    x, w, beta = _arrays(x=x, w=w, beta=beta)
    _check_dimensions("x[b..., d]", x, 1, more=True)
    *shape_b, n_d = x.shape
    _check_shape("w[d]", w, (n_d,))
    _check_shape("beta[d]", beta, (n_d,))
    (eps,) = _numbers(eps=eps)
    y, *_ = _forward(x, w, beta, eps)
    return y


@partial(jax.custom_jvp, nondiff_argnums=(3,))
def _forward(x, w, beta, eps):
    """Compute y[b..., d], and the statistics mu, var."""
    result = x.dtype
    dtype, wide = _dtypes(x, w, beta)
    *shape_b, n_d = x.shape
    n_b = math.prod(shape_b)
    x = x.astype(dtype).reshape(n_b, n_d)
    w = w.astype(dtype)
    beta = beta.astype(dtype)

    # mu[b] = mean[d](x[b, d])
    mu = x.mean(1, dtype=wide)
    # x_minus_mu[b, d] = x[b, d] - mu[b]
    x_minus_mu = _deviations(x, mu[:, None], 1)
    # var[b] = mean[d]((x[b, d] - mu[b])**2)
    var = jnp.square(x_minus_mu).mean(1, dtype=wide)
    # y[b, d] = w[d] * (x[b, d] - mu[b]) / sqrt(var[b] + eps) + beta[d]
    y = x_minus_mu * w * (1 / jnp.sqrt(var + eps)).astype(dtype)[:, None] + beta

    return y.reshape(*shape_b, n_d).astype(result), mu, var


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
    *shape_b, n_d = x.shape
    n_b = math.prod(shape_b)
    x = x.astype(dtype).reshape(n_b, n_d)
    w = w.astype(dtype)
    dot_x = dot_x.astype(dtype).reshape(n_b, n_d)
    dot_w = dot_w.astype(dtype)
    dot_beta = dot_beta.astype(dtype)

    # dot_mu[b] = mean[d](dot_x[b, d])
    dot_mu = dot_x.mean(1, dtype=wide)
    # x_minus_mu[b, d] = x[b, d] - mu[b]
    x_minus_mu = _deviations(x, mu[:, None], 1)
    # dot_var[b] = 2 * mean[d](dot_x[b, d] * (x[b, d] - mu[b]))
    dot_var = 2 * (dot_x * x_minus_mu).mean(1, dtype=wide)
    # rsqrt_var[b] = 1 / sqrt(var[b] + eps)
    rsqrt_var = 1 / jnp.sqrt(var + eps)
    # dot_y[b, d] = w[d] * dot_x[b, d] / sqrt(var[b] + eps)
    #     + dot_w[d] * (x[b, d] - mu[b]) / sqrt(var[b] + eps) + dot_beta[d]
    #     - w[d] * dot_mu[b] / sqrt(var[b] + eps)
    #     - w[d] * dot_var[b] * (x[b, d] - mu[b]) / (2 * (var[b] + eps)**(3/2))
    dot_y = (
        dot_x * w * rsqrt_var.astype(dtype)[:, None]
        + (dot_w * rsqrt_var.astype(dtype)[:, None] - (w / 2) * (dot_var * rsqrt_var**3).astype(dtype)[:, None])
        * x_minus_mu
        + dot_beta
        - w * (dot_mu * rsqrt_var).astype(dtype)[:, None]
    )

    return dot_y.reshape(*shape_b, n_d), dot_mu, dot_var


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
