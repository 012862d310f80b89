"""Convolution in one dimension (cross-correlation, as in deep learning), with stride, zero padding and bias.

Forward pass and its tangents for JAX of

    y[b, o, i] = sum[c, k](weight[o, c, k] * pad(x[b, c, stride*i + k - padding])) + bias[o]

The tangents were derived by symgrad from these equations. Every one below was proved equal, for
every size, to the derivative of the forward pass, and all together to be the adjoint of its
gradients; the formula that each line computes stands above it (dot_x is the tangent of x: the
direction in which x moves).

Generated from the layer conv1d and the template jax/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate conv1d --backend jax
"""

from functools import partial

import jax
import jax.numpy as jnp


def conv1d(x, weight, bias, *, stride=1, padding=0):
    """Compute y[b, o, i]; differentiable in forward and reverse mode, to any order.

    Args:
        x[b, c, h]: input.
        weight[o, c, k]: parameter.
        bias[o]: parameter.
        stride: a whole number.
        padding: a whole number.
    """
    x, weight, bias = _arrays(x=x, weight=weight, bias=bias)
    _check_dimensions("x[b, c, h]", x, 3)
    n_b, n_c, n_h = x.shape
    _check_dimensions("weight[o, c, k]", weight, 3)
    n_o = weight.shape[0]
    n_k = weight.shape[2]
    _check_shape("weight[o, c, k]", weight, (n_o, n_c, n_k))
    _check_shape("bias[o]", bias, (n_o,))
    _check_whole(stride=stride, padding=padding)
    n_i = _positions(n_h + 2 * padding - n_k, stride)
    return _forward(x, weight, bias, stride, padding)


@partial(jax.custom_jvp, nondiff_argnums=(3, 4))
def _forward(x, weight, bias, stride, padding):
    """Compute y[b, o, i]."""
    result = x.dtype
    dtype, _ = _dtypes(x, weight, bias)
    n_b, n_c, n_h = x.shape
    n_o = weight.shape[0]
    n_k = weight.shape[2]
    n_i = _positions(n_h + 2 * padding - n_k, stride)
    x = x.astype(dtype)
    weight = weight.astype(dtype)
    bias = bias.astype(dtype)

    # x_at[b, c, i, k] = pad(x[b, c, stride*i + k - padding])
    at_h = stride * jnp.arange(n_i)[:, None] + jnp.arange(n_k) - padding
    x_at = _entries(x, 2, at_h, outside=True)
    # sum_weight_x_at[b, o, i] = sum[c, k](weight[o, c, k] * pad(x[b, c, stride*i + k - padding]))
    sum_weight_x_at = jnp.einsum("ock,bcik->boi", weight, x_at)
    # y[b, o, i] = sum[c, k](weight[o, c, k] * pad(x[b, c, stride*i + k - padding])) + bias[o]
    y = sum_weight_x_at + bias[:, None]

    return y.astype(result)


@_forward.defjvp
def _forward_jvp(stride, padding, primals, tangents):
    """The results of `_forward`, and their tangents."""
    x, weight, bias = primals
    dot_x, dot_weight, dot_bias = tangents
    y = _forward(x, weight, bias, stride, padding)
    dot_y = _tangents(x, weight, dot_x, dot_weight, dot_bias, stride, padding)
    return y, dot_y.astype(y.dtype)


@partial(jax.checkpoint, static_argnums=(5, 6))
def _tangents(x, weight, dot_x, dot_weight, dot_bias, stride, padding):
    """Compute the tangents of y: linear in those of the inputs."""
    dtype, _ = _dtypes(x, weight, dot_x, dot_weight, dot_bias)
    n_b, n_c, n_h = x.shape
    n_o = weight.shape[0]
    n_k = weight.shape[2]
    n_i = _positions(n_h + 2 * padding - n_k, stride)
    x = x.astype(dtype)
    weight = weight.astype(dtype)
    dot_x = dot_x.astype(dtype)
    dot_weight = dot_weight.astype(dtype)
    dot_bias = dot_bias.astype(dtype)

    # dot_x_at[b, c, i, k] = pad(dot_x[b, c, stride*i + k - padding])
    at_h = stride * jnp.arange(n_i)[:, None] + jnp.arange(n_k) - padding
    dot_x_at = _entries(dot_x, 2, at_h, outside=True)
    # sum_weight_dot_x_at[b, o, i] = sum[c, k](weight[o, c, k] * pad(dot_x[b, c, stride*i + k - padding]))
    sum_weight_dot_x_at = jnp.einsum("ock,bcik->boi", weight, dot_x_at)
    # x_at[b, c, i, k] = pad(x[b, c, stride*i + k - padding])
    x_at = _entries(x, 2, at_h, outside=True)
    # sum_dot_weight_x_at[b, o, i] = sum[c, k](dot_weight[o, c, k] * pad(x[b, c, stride*i + k - padding]))
    sum_dot_weight_x_at = jnp.einsum("ock,bcik->boi", dot_weight, x_at)
    # dot_y[b, o, i] = sum[c, k](weight[o, c, k] * pad(dot_x[b, c, stride*i + k - padding]))
    #     + sum[c, k](dot_weight[o, c, k] * pad(x[b, c, stride*i + k - padding])) + dot_bias[o]
    dot_y = sum_weight_dot_x_at + sum_dot_weight_x_at + dot_bias[:, None]

    return dot_y


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


def _check_whole(**constants):
    """Raise unless constants are whole numbers."""
    for name, constant in constants.items():
        if not isinstance(constant, int):
            raise TypeError(f"{name} must be a whole number, not {constant!r}.")


def _positions(room, step):
    """How many positions fit: from 0 to `room` in steps."""
    if room < 0 or step < 1:
        raise ValueError(f"no position fits: there is room for {room} steps of {step}.")
    return room // step + 1


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
