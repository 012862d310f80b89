"""Negative log-likelihood of labels, from log-probabilities; the mean over samples and positions.

Forward pass and its tangents for JAX of

    L = -mean[b, k](x[b, t[b, k], k])

The tangents were derived by symgrad from these equations. Every one below was proved equal, for
every size, to the derivative of the forward pass, and all together to be the adjoint of its
gradients; the formula that each line computes stands above it (dot_x is the tangent of x: the
direction in which x moves).

Generated from the layer nll and the template jax/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate nll --backend jax
"""

import math

import jax
import jax.numpy as jnp


def nll(x, t):
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
    return _forward(x, t)


@jax.custom_jvp
def _forward(x, t):
    """Compute L."""
    result = x.dtype
    dtype, wide = _dtypes(x)
    n_b, n_v, *shape_k = x.shape
    n_k = math.prod(shape_k)
    x = x.astype(dtype).reshape(n_b, n_v, n_k)
    t = t.reshape(n_b, n_k)

    # x_at[b, k] = x[b, t[b, k], k]
    x_at = _entries_at(x, jnp.arange(n_b)[:, None], t, jnp.arange(n_k))
    # L = -mean[b, k](x[b, t[b, k], k])
    L = -x_at.mean(dtype=wide)

    return L.astype(result)


@_forward.defjvp
def _forward_jvp(primals, tangents):
    """The results of `_forward`, and their tangents."""
    x, t = primals
    dot_x, _ = tangents
    L = _forward(x, t)
    dot_L = _tangents(t, dot_x)
    return L, dot_L.astype(L.dtype)


@jax.checkpoint
def _tangents(t, dot_x):
    """Compute the tangents of L: linear in those of the inputs."""
    dtype, wide = _dtypes(dot_x)
    n_b, *shape_k = t.shape
    n_k = math.prod(shape_k)
    n_v = dot_x.shape[1]
    t = t.reshape(n_b, n_k)
    dot_x = dot_x.astype(dtype).reshape(n_b, n_v, n_k)

    # dot_x_at[b, k] = dot_x[b, t[b, k], k]
    dot_x_at = _entries_at(dot_x, jnp.arange(n_b)[:, None], t, jnp.arange(n_k))
    # dot_L = -sum[b, k](dot_x[b, t[b, k], k]) / (size[b] * size[k])
    dot_L = -dot_x_at.sum(dtype=wide) / (n_b * n_k)

    return dot_L


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
