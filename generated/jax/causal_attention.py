"""Scaled dot-product attention in which each place sees itself and what is before it.

Forward pass and its tangents for JAX of

    s[b, n, m] = sum[d](q[b, n, d] * k[b, m, d]) / sqrt(size[d])
    p[b, n, m] = where(m <= n, exp(s[b, n, m]), 0) / sum[m](where(m <= n, exp(s[b, n, m]), 0))
    y[b, n, e] = sum[m](p[b, n, m] * v[b, m, e])

The tangents were derived by symgrad from these equations. Every one below was proved equal, for
every size, to the derivative of the forward pass, and all together to be the adjoint of its
gradients; the formula that each line computes stands above it (dot_x is the tangent of x: the
direction in which x moves).

Generated from the layer causal_attention and the template jax/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate causal_attention --backend jax
"""

import math

import jax
import jax.numpy as jnp


def causal_attention(q, k, v):
    """Compute y[b..., n, e]; differentiable in forward and reverse mode, to any order.

    Args:
        q[b..., n, d]: input.
        k[b..., m, d]: input.
        v[b..., m, e]: input.
    """
    q, k, v = _arrays(q=q, k=k, v=v)
    _check_dimensions("q[b..., n, d]", q, 2, more=True)
    *shape_b, n_n, n_d = q.shape
    _check_shape("k[b..., m, d]", k, (*shape_b, n_n, n_d))
    _check_dimensions("v[b..., m, e]", v, 2, more=True)
    n_e = v.shape[-1]
    _check_shape("v[b..., m, e]", v, (*shape_b, n_n, n_e))
    y, *_ = _forward(q, k, v)
    return y


@jax.custom_jvp
def _forward(q, k, v):
    """Compute y[b..., n, e], and the statistics p."""
    result = q.dtype
    dtype, wide = _dtypes(q, k, v)
    *shape_b, n_n, n_d = q.shape
    n_b = math.prod(shape_b)
    n_e = v.shape[-1]
    q = q.astype(dtype).reshape(n_b, n_n, n_d)
    k = k.astype(dtype).reshape(n_b, n_n, n_d)
    v = v.astype(dtype).reshape(n_b, n_n, n_e)

    # s[b, n, m] = sum[d](q[b, n, d] * k[b, m, d]) / sqrt(size[d])
    s = q @ k.mT / math.sqrt(n_d)
    # s_masked[b, m, n] = where(m <= n, s[b, n, m], log(0))
    s_masked = jnp.where(jnp.arange(n_n)[:, None] <= jnp.arange(n_n), s.transpose(0, 2, 1), (-math.inf))
    # max_s_masked[b, n] = max[m](where(m <= n, s[b, n, m], log(0)))
    max_s_masked = s_masked.max(1)
    # exp_s_masked[b, m, n] = exp(where(m <= n, s[b, n, m], log(0)) - max_s_masked[b, n])
    exp_s_masked = jnp.exp(s_masked - max_s_masked[:, None, :])
    # sum_exp_s_masked[b, n] = sum[m](exp(where(m <= n, s[b, n, m], log(0)) - max_s_masked[b, n]))
    sum_exp_s_masked = exp_s_masked.sum(1, dtype=wide)
    # p[b, n, m] = where(m <= n, exp(s[b, n, m]), 0) / sum[m](where(m <= n, exp(s[b, n, m]), 0))
    p = exp_s_masked.transpose(0, 2, 1) * (1 / sum_exp_s_masked).astype(dtype)[:, :, None]
    # y[b, n, e] = sum[m](p[b, n, m] * v[b, m, e])
    y = p @ v

    return y.reshape(*shape_b, n_n, n_e).astype(result), p


@_forward.defjvp
def _forward_jvp(primals, tangents):
    """The results of `_forward`, and their tangents."""
    q, k, v = primals
    dot_q, dot_k, dot_v = tangents
    y, p = _forward(q, k, v)
    dot_y, dot_p = _tangents(q, k, v, p, dot_q, dot_k, dot_v)
    return (y, p), (dot_y.astype(y.dtype), dot_p.astype(p.dtype))


@jax.checkpoint
def _tangents(q, k, v, p, dot_q, dot_k, dot_v):
    """Compute the tangents of y, p: linear in those of the inputs."""
    dtype, wide = _dtypes(q, k, v, dot_q, dot_k, dot_v)
    *shape_b, n_n, n_d = q.shape
    n_b = math.prod(shape_b)
    n_e = v.shape[-1]
    q = q.astype(dtype).reshape(n_b, n_n, n_d)
    k = k.astype(dtype).reshape(n_b, n_n, n_d)
    v = v.astype(dtype).reshape(n_b, n_n, n_e)
    dot_q = dot_q.astype(dtype).reshape(n_b, n_n, n_d)
    dot_k = dot_k.astype(dtype).reshape(n_b, n_n, n_d)
    dot_v = dot_v.astype(dtype).reshape(n_b, n_n, n_e)
    p = p.astype(dtype).reshape(n_b, n_n, n_n)

    # sum_p_dot_v[b, n, e] = sum[m](p[b, n, m] * dot_v[b, m, e])
    sum_p_dot_v = p @ dot_v
    # sum_k_dot_q[b, m, n] = sum[d](k[b, m, d] * dot_q[b, n, d])
    sum_k_dot_q = k @ dot_q.mT
    # sum_q_dot_k[b, m, n] = sum[d](q[b, n, d] * dot_k[b, m, d])
    sum_q_dot_k = dot_k @ q.mT
    # dot_s[b, n, m] = sum[d](k[b, m, d] * dot_q[b, n, d]) / sqrt(size[d])
    #     + sum[d](q[b, n, d] * dot_k[b, m, d]) / sqrt(size[d])
    dot_s = (
        sum_k_dot_q.transpose(0, 2, 1) * (1 / math.sqrt(n_d))
        + sum_q_dot_k.transpose(0, 2, 1) * (1 / math.sqrt(n_d))
    )
    # sum_dot_s_p[b, n] = sum[i](dot_s[b, n, i] * p[b, n, i])
    sum_dot_s_p = (dot_s * p).sum(2, dtype=wide)
    # dot_p[b, n, m] = p[b, n, m] * (dot_s[b, n, m] - sum[i](dot_s[b, n, i] * p[b, n, i]))
    dot_p = p * _centre(dot_s, sum_dot_s_p[:, :, None])
    # sum_v_dot_p[b, n, e] = sum[m](v[b, m, e] * dot_p[b, n, m])
    sum_v_dot_p = dot_p @ v
    # dot_y[b, n, e] = sum[m](p[b, n, m] * dot_v[b, m, e]) + sum[m](v[b, m, e] * dot_p[b, n, m])
    dot_y = sum_p_dot_v + sum_v_dot_p

    return dot_y.reshape(*shape_b, n_n, n_e), dot_p


def _arrays(**arrays):
    """The arguments as arrays of real floating-point numbers."""
    found = {name: jnp.asarray(array) for name, array in arrays.items()}
    for name, array in found.items():
        if not jnp.issubdtype(array.dtype, jnp.floating):
            raise TypeError(f"{name} must be a floating-point array, not {array.dtype}.")
    return found.values()


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
