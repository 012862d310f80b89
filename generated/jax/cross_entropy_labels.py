"""Cross entropy of a softmax against labels: log-softmax and negative log-likelihood in one.

Forward pass and its tangents for JAX of

    z[b, k] = log(sum[v](exp(x[b, v, k])))
    L = mean[b, k](z[b, k] - x[b, t[b, k], k])

The tangents were derived by symgrad from these equations. Every one below was proved equal, for
every size, to the derivative of the forward pass, and all together to be the adjoint of its
gradients; the formula that each line computes stands above it (dot_x is the tangent of x: the
direction in which x moves).

Generated from the layer cross_entropy_labels and the template jax/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate cross_entropy_labels --backend jax
"""

import math

import jax
import jax.numpy as jnp


def cross_entropy_labels(x, t):
    """Compute L; differentiable in forward and reverse mode, to any order.

    Args:
        x[b, v, k...]: input.
        t[b, k...]: labels, whole numbers from 0 to n_v - 1.
    """
    (x,) = _arrays(x=x)
    t = _labels("t[b, k...]", t)
    _check_dimensions("x[b, v, k...]", x, 2, more=True)
    n_b, n_v, *shape_k = x.shape
    _check_shape("t[b, k...]", t, (n_b, *shape_k))
    _check_labels("t[b, k...]", t, n_v)
    L, *_ = _forward(x, t)
    return L


@jax.custom_jvp
def _forward(x, t):
    """Compute L, and the statistics z."""
    result = x.dtype
    dtype, wide = _dtypes(x)
    n_b, n_v, *shape_k = x.shape
    n_k = math.prod(shape_k)
    x = x.astype(dtype).reshape(n_b, n_v, n_k)
    t = t.reshape(n_b, n_k)

    # max_x[b, k] = max[v](x[b, v, k])
    max_x = x.max(1)
    # sum_exp_x[b, k] = sum[v](exp(x[b, v, k] - max_x[b, k]))
    sum_exp_x = jnp.exp(x - max_x[:, None, :]).sum(1, dtype=wide)
    # z[b, k] = log(sum[v](exp(x[b, v, k])))
    z = max_x + jnp.log(sum_exp_x)
    # x_at[b, k] = x[b, t[b, k], k]
    x_at = _entries_at(x, jnp.arange(n_b)[:, None], t, jnp.arange(n_k))
    # L = mean[b, k](z[b, k] - x[b, t[b, k], k])
    L = (z - x_at).mean(dtype=wide)

    return L.astype(result), z


@_forward.defjvp
def _forward_jvp(primals, tangents):
    """The results of `_forward`, and their tangents."""
    x, t = primals
    dot_x, _ = tangents
    L, z = _forward(x, t)
    dot_L, dot_z = _tangents(x, t, z, dot_x)
    return (L, z), (dot_L.astype(L.dtype), dot_z.astype(z.dtype))


@jax.checkpoint
def _tangents(x, t, z, dot_x):
    """Compute the tangents of L, z: linear in those of the inputs."""
    dtype, wide = _dtypes(x, dot_x)
    n_b, n_v, *shape_k = x.shape
    n_k = math.prod(shape_k)
    x = x.astype(dtype).reshape(n_b, n_v, n_k)
    t = t.reshape(n_b, n_k)
    dot_x = dot_x.astype(dtype).reshape(n_b, n_v, n_k)

    # dot_x_at[b, k] = dot_x[b, t[b, k], k]
    dot_x_at = _entries_at(dot_x, jnp.arange(n_b)[:, None], t, jnp.arange(n_k))
    # sum_dot_x_at = sum[b, k](dot_x[b, t[b, k], k])
    sum_dot_x_at = dot_x_at.sum(dtype=wide)
    # dot_z[b, k] = sum[v](dot_x[b, v, k] * exp(x[b, v, k] - z[b, k]))
    dot_z = (dot_x * jnp.exp(_centre(x, z[:, None, :]))).sum(1, dtype=wide)
    # sum_dot_z = sum[b, k](dot_z[b, k])
    sum_dot_z = dot_z.sum(dtype=wide)
    # dot_L = -sum[b, k](dot_x[b, t[b, k], k]) / (size[b] * size[k])
    #     + sum[b, k](dot_z[b, k]) / (size[b] * size[k])
    dot_L = -sum_dot_x_at / (n_b * n_k) + sum_dot_z / (n_b * n_k)

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
