"""Embedding: the row of a table that a label names.

Forward pass and its tangents for JAX of

    y[b, d] = weight[t[b], d]

The tangents were derived by symgrad from these equations. Every one below was proved equal, for
every size, to the derivative of the forward pass, and all together to be the adjoint of its
gradients; the formula that each line computes stands above it (dot_x is the tangent of x: the
direction in which x moves).

Generated from the layer embedding and the template jax/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate embedding --backend jax
"""

import math

import jax
import jax.numpy as jnp


def embedding(weight, t):
    """Compute y[b..., d]; differentiable in forward and reverse mode, to any order.

    Args:
        weight[v, d]: parameter.
        t[b...]: labels, whole numbers from 0 to n_v - 1.
    """
    (weight,) = _arrays(weight=weight)
    t = _labels("t[b...]", t)
    _check_dimensions("weight[v, d]", weight, 2)
    n_v, n_d = weight.shape
    _check_dimensions("t[b...]", t, 0, more=True)
    (*shape_b,) = t.shape
    _check_labels("t[b...]", t, n_v)
    return _forward(weight, t)


@jax.custom_jvp
def _forward(weight, t):
    """Compute y[b..., d]."""
    result = weight.dtype
    dtype, _ = _dtypes(weight)
    n_v, n_d = weight.shape
    (*shape_b,) = t.shape
    n_b = math.prod(shape_b)
    weight = weight.astype(dtype)
    t = t.reshape(n_b)

    # y[b, d] = weight[t[b], d]
    y = _entries(weight, 0, t)

    return y.reshape(*shape_b, n_d).astype(result)


@_forward.defjvp
def _forward_jvp(primals, tangents):
    """The results of `_forward`, and their tangents."""
    weight, t = primals
    dot_weight, _ = tangents
    y = _forward(weight, t)
    dot_y = _tangents(t, dot_weight)
    return y, dot_y.astype(y.dtype)


@jax.checkpoint
def _tangents(t, dot_weight):
    """Compute the tangents of y: linear in those of the inputs."""
    dtype, _ = _dtypes(dot_weight)
    (*shape_b,) = t.shape
    n_b = math.prod(shape_b)
    n_v, n_d = dot_weight.shape
    t = t.reshape(n_b)
    dot_weight = dot_weight.astype(dtype)

    # dot_y[b, d] = dot_weight[t[b], d]
    dot_y = _entries(dot_weight, 0, t)

    return dot_y.reshape(*shape_b, n_d)


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


def _not_negative(places, length):
    """Places, a negative one as one behind the end: it would count from there."""
    return jnp.where(places < 0, length, places)


def _entries(array, axis, places, outside=False):
    """The entries at computed places of one dimension; those outside are 0 where they may be there, else NaN."""
    places = _not_negative(places, array.shape[axis])
    return jnp.take(array, places, axis, mode="fill", fill_value=0 if outside else jnp.nan)


def _dtypes(*arrays):
    """At least float32 to compute in; float64 for sums, where JAX has it (jax_enable_x64) and nothing is half."""
    given = [array.dtype for array in arrays]
    dtype = jnp.result_type(jnp.float32, *given)
    half = jnp.float16 in given or jnp.bfloat16 in given
    return dtype, dtype if half else jnp.promote_types(dtype, jnp.result_type(float))
