"""Cross entropy against labels with a weight for each class and label smoothing.

Forward pass and its tangents for JAX of

    z[b, k] = log(sum[v](exp(x[b, v, k])))
    y[b, v, k] = x[b, v, k] - z[b, k]
    n[b, k] = -w[t[b, k]] * y[b, t[b, k], k]
    s[b, k] = -mean[v](w[v] * y[b, v, k])
    L = sum[b, k]((1 - smoothing) * n[b, k] + smoothing * s[b, k]) / sum[b, k](w[t[b, k]])

The tangents were derived by symgrad from these equations. Every one below was proved equal, for
every size, to the derivative of the forward pass, and all together to be the adjoint of its
gradients; the formula that each line computes stands above it (dot_x is the tangent of x: the
direction in which x moves).

Generated from the layer cross_entropy_labels_weighted and the template jax/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate cross_entropy_labels_weighted --backend jax
"""

import math
from functools import partial

import jax
import jax.numpy as jnp


def cross_entropy_labels_weighted(x, t, w, *, smoothing=0.1):
    """Compute L; differentiable in forward and reverse mode, to any order.

    Args:
        x[b, v, k...]: input.
        t[b, k...]: labels, whole numbers from 0 to n_v - 1.
        w[v]: target, gets no gradient.
        smoothing: a constant.
    """
    x, w = _arrays(x=x, w=w)
    t = _labels("t[b, k...]", t)
    _check_dimensions("x[b, v, k...]", x, 2, more=True)
    n_b, n_v, *shape_k = x.shape
    _check_shape("t[b, k...]", t, (n_b, *shape_k))
    _check_shape("w[v]", w, (n_v,))
    (smoothing,) = _numbers(smoothing=smoothing)
    _check_labels("t[b, k...]", t, n_v)
    L, *_ = _forward(x, t, w, smoothing)
    return L


@partial(jax.custom_jvp, nondiff_argnums=(3,))
def _forward(x, t, w, smoothing):
    """Compute L, and the statistics z."""
    result = x.dtype
    dtype, wide = _dtypes(x, w)
    n_b, n_v, *shape_k = x.shape
    n_k = math.prod(shape_k)
    x = x.astype(dtype).reshape(n_b, n_v, n_k)
    t = t.reshape(n_b, n_k)
    w = w.astype(dtype)

    # max_x[b, k] = max[v](x[b, v, k])
    max_x = x.max(1)
    # sum_exp_x[b, k] = sum[v](exp(x[b, v, k] - max_x[b, k]))
    sum_exp_x = jnp.exp(x - max_x[:, None, :]).sum(1, dtype=wide)
    # z[b, k] = log(sum[v](exp(x[b, v, k])))
    z = max_x + jnp.log(sum_exp_x)
    # w_at[b, k] = w[t[b, k]]
    w_at = _entries(w, 0, t)
    # y[b, v, k] = x[b, v, k] - z[b, k]
    y = _centre(x, z[:, None, :])
    # y_at[b, k] = y[b, t[b, k], k]
    y_at = _entries_at(y, jnp.arange(n_b)[:, None], t, jnp.arange(n_k))
    # n[b, k] = -w[t[b, k]] * y[b, t[b, k], k]
    n = -w_at * y_at
    # s[b, k] = -mean[v](w[v] * y[b, v, k])
    s = -(y * w[:, None]).mean(1, dtype=wide)
    # total = sum[b, k]((1 - smoothing) * n[b, k] + smoothing * s[b, k])
    total = (n * (1 - smoothing) + s * smoothing).sum(dtype=wide)
    # sum_w_at = sum[b, k](w[t[b, k]])
    sum_w_at = w_at.sum(dtype=wide)
    # L = sum[b, k]((1 - smoothing) * n[b, k] + smoothing * s[b, k]) / sum[b, k](w[t[b, k]])
    L = total / sum_w_at

    return L.astype(result), z


@_forward.defjvp
def _forward_jvp(smoothing, primals, tangents):
    """The results of `_forward`, and their tangents."""
    x, t, w = primals
    dot_x, _, _ = tangents
    L, z = _forward(x, t, w, smoothing)
    dot_L, dot_z = _tangents(x, t, w, z, dot_x, smoothing)
    return (L, z), (dot_L.astype(L.dtype), dot_z.astype(z.dtype))


@partial(jax.checkpoint, static_argnums=(5,))
def _tangents(x, t, w, z, dot_x, smoothing):
    """Compute the tangents of L, z: linear in those of the inputs."""
    dtype, wide = _dtypes(x, w, dot_x)
    n_b, n_v, *shape_k = x.shape
    n_k = math.prod(shape_k)
    x = x.astype(dtype).reshape(n_b, n_v, n_k)
    t = t.reshape(n_b, n_k)
    w = w.astype(dtype)
    dot_x = dot_x.astype(dtype).reshape(n_b, n_v, n_k)

    # w_at[b, k] = w[t[b, k]]
    w_at = _entries(w, 0, t)
    # sum_w_at = sum[b, k](w[t[b, k]])
    sum_w_at = w_at.sum(dtype=wide)
    # dot_z[b, k] = sum[v](dot_x[b, v, k] * exp(x[b, v, k] - z[b, k]))
    dot_z = (dot_x * jnp.exp(_centre(x, z[:, None, :]))).sum(1, dtype=wide)
    # dot_y[b, v, k] = dot_x[b, v, k] - dot_z[b, k]
    dot_y = _centre(dot_x, dot_z[:, None, :])
    # dot_y_at[b, k] = dot_y[b, t[b, k], k]
    dot_y_at = _entries_at(dot_y, jnp.arange(n_b)[:, None], t, jnp.arange(n_k))
    # dot_n[b, k] = -w[t[b, k]] * dot_y[b, t[b, k], k]
    dot_n = -w_at * dot_y_at
    # sum_dot_n = sum[b, k](dot_n[b, k])
    sum_dot_n = dot_n.sum(dtype=wide)
    # dot_s[b, k] = -mean[v](w[v] * dot_y[b, v, k])
    dot_s = -(dot_y * w[:, None]).mean(1, dtype=wide)
    # sum_dot_s = sum[b, k](dot_s[b, k])
    sum_dot_s = dot_s.sum(dtype=wide)
    # dot_L = (1 - smoothing) * sum[b, k](dot_n[b, k]) / sum[i, j](w[t[i, j]])
    #     + smoothing * sum[b, k](dot_s[b, k]) / sum[i, j](w[t[i, j]])
    dot_L = (1 - smoothing) * sum_dot_n / sum_w_at + smoothing * sum_dot_s / sum_w_at

    return dot_L, dot_z


def _arrays(**arrays):
    """The arguments as arrays of real floating-point numbers."""
    found = {name: jnp.asarray(array) for name, array in arrays.items()}
    for name, array in found.items():
        if not jnp.issubdtype(array.dtype, jnp.floating):
            raise TypeError(f"{name} must be a floating-point array, not {array.dtype}.")
    return found.values()


def _labels(what, labels):
    """Labels as an array of whole numbers."""
    found = jnp.asarray(labels)
    if not jnp.issubdtype(found.dtype, jnp.integer):
        raise TypeError(f"{what} must be an array of whole numbers, not {found.dtype}.")
    return found.astype(jnp.int32)


def _check_labels(what, labels, length):
    """Raise unless labels are places of an axis; while they are traced their values are not known."""
    if labels.size and not isinstance(labels, jax.core.Tracer):
        known = jax.device_get(labels)  # a NumPy array, on which nothing is traced
        least, most = known.min(), known.max()
        if least < 0 or most >= length:
            raise ValueError(f"{what} must lie between 0 and {length - 1}, not between {least} and {most}.")


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


def _not_negative(places, length):
    """Places, a negative one as one behind the end: it would count from there."""
    return jnp.where(places < 0, length, places)


def _entries(array, axis, places, outside=False):
    """The entries at computed places of one dimension; those outside are 0 where they may be there, else NaN."""
    places = _not_negative(places, array.shape[axis])
    return jnp.take(array, places, axis, mode="fill", fill_value=0 if outside else jnp.nan)


def _entries_at(array, *places, outside=False):
    """The entries at computed places of all dimensions; those outside are 0 where they may be there, else NaN."""
    places = tuple(_not_negative(place, length) for place, length in zip(places, array.shape))
    return array.at[places].get(mode="fill", fill_value=0 if outside else jnp.nan)


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
