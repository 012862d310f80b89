"""Cross entropy with label smoothing: each target is mixed with the uniform distribution.

Forward pass and its tangents for JAX of

    z[b, k] = log(sum[v](exp(x[b, v, k])))
    p[b, v, k] = (1 - smoothing) * q[b, v, k] + smoothing / size[v]
    L = -sum[b, k, v](p[b, v, k] * (x[b, v, k] - z[b, k])) / (size[b] * size[k])

The tangents were derived by symgrad from these equations. Every one below was proved equal, for
every size, to the derivative of the forward pass, and all together to be the adjoint of its
gradients; the formula that each line computes stands above it (dot_x is the tangent of x: the
direction in which x moves).

Generated from the layer cross_entropy_smooth and the template jax/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate cross_entropy_smooth --backend jax
"""

import math
from functools import partial

import jax
import jax.numpy as jnp


def cross_entropy_smooth(x, q, *, smoothing=0.1):
    """Compute L; differentiable in forward and reverse mode, to any order.

    Args:
        x[b, v, k...]: input.
        q[b, v, k...]: target, gets no gradient.
        smoothing: a constant.
    """
    x, q = _arrays(x=x, q=q)
    _check_dimensions("x[b, v, k...]", x, 2, more=True)
    n_b, n_v, *shape_k = x.shape
    _check_shape("q[b, v, k...]", q, (n_b, n_v, *shape_k))
    (smoothing,) = _numbers(smoothing=smoothing)
    L, *_ = _forward(x, q, smoothing)
    return L


@partial(jax.custom_jvp, nondiff_argnums=(2,))
def _forward(x, q, smoothing):
    """Compute L, and the statistics z."""
    result = x.dtype
    dtype, wide = _dtypes(x, q)
    n_b, n_v, *shape_k = x.shape
    n_k = math.prod(shape_k)
    x = x.astype(dtype).reshape(n_b, n_v, n_k)
    q = q.astype(dtype).reshape(n_b, n_v, n_k)

    # max_x[b, k] = max[v](x[b, v, k])
    max_x = x.max(1)
    # sum_exp_x[b, k] = sum[v](exp(x[b, v, k] - max_x[b, k]))
    sum_exp_x = jnp.exp(x - max_x[:, None, :]).sum(1, dtype=wide)
    # z[b, k] = log(sum[v](exp(x[b, v, k])))
    z = max_x + jnp.log(sum_exp_x)
    # p[b, v, k] = (1 - smoothing) * q[b, v, k] + smoothing / size[v]
    p = q * (1 - smoothing) + (smoothing / n_v)
    # L = -sum[b, k, v](p[b, v, k] * (x[b, v, k] - z[b, k])) / (size[b] * size[k])
    L = -(p * _centre(x, z[:, None, :])).sum(dtype=wide) / (n_b * n_k)

    return L.astype(result), z


@_forward.defjvp
def _forward_jvp(smoothing, primals, tangents):
    """The results of `_forward`, and their tangents."""
    x, q = primals
    dot_x, _ = tangents
    L, z = _forward(x, q, smoothing)
    dot_L, dot_z = _tangents(x, q, z, dot_x, smoothing)
    return (L, z), (dot_L.astype(L.dtype), dot_z.astype(z.dtype))


@partial(jax.checkpoint, static_argnums=(4,))
def _tangents(x, q, z, dot_x, smoothing):
    """Compute the tangents of L, z: linear in those of the inputs."""
    dtype, wide = _dtypes(x, q, dot_x)
    n_b, n_v, *shape_k = x.shape
    n_k = math.prod(shape_k)
    x = x.astype(dtype).reshape(n_b, n_v, n_k)
    q = q.astype(dtype).reshape(n_b, n_v, n_k)
    dot_x = dot_x.astype(dtype).reshape(n_b, n_v, n_k)

    # p[b, v, k] = (1 - smoothing) * q[b, v, k] + smoothing / size[v]
    p = q * (1 - smoothing) + (smoothing / n_v)
    # sum_p_dot_x = sum[b, v, k](p[b, v, k] * dot_x[b, v, k])
    sum_p_dot_x = (p * dot_x).sum(dtype=wide)
    # dot_z[b, k] = sum[v](dot_x[b, v, k] * exp(x[b, v, k] - z[b, k]))
    dot_z = (dot_x * jnp.exp(_centre(x, z[:, None, :]))).sum(1, dtype=wide)
    # sum_p[b, k] = sum[v](p[b, v, k])
    sum_p = p.sum(1, dtype=wide)
    # sum_dot_z_sum_p = sum[b, k](dot_z[b, k] * sum[v](p[b, v, k]))
    sum_dot_z_sum_p = (dot_z * sum_p).sum(dtype=wide)
    # dot_L = -sum[b, v, k](p[b, v, k] * dot_x[b, v, k]) / (size[b] * size[k])
    #     + sum[b, k](dot_z[b, k] * sum[v](p[b, v, k])) / (size[b] * size[k])
    dot_L = -sum_p_dot_x / (n_b * n_k) + sum_dot_z_sum_p / (n_b * n_k)

    return dot_L, dot_z


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
