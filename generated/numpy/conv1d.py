"""Convolution in one dimension (cross-correlation, as in deep learning), with stride, zero padding and bias.

Forward and backward pass for NumPy of

    y[b, o, i] = sum[c, k](weight[o, c, k] * pad(x[b, c, stride*i + k - padding])) + bias[o]

The backward pass was derived by symgrad from these equations. Every gradient below was proved
equal, for every size, to the derivative of the forward pass; the formula that each line
computes stands above it (d_x is the gradient of the final scalar with respect to x).

Generated from the layer conv1d and the template numpy/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate conv1d --backend numpy
"""

import math
from typing import NamedTuple

import numpy as np


class Saved(NamedTuple):
    """What `forward` hands to `backward`."""

    x: np.ndarray  # x[b, c, h]
    weight: np.ndarray  # weight[o, c, k]
    stride: int  # stride
    padding: int  # padding


class Gradients(NamedTuple):
    """The gradients of the inputs, each with its input's shape and dtype."""

    x: np.ndarray  # d_x[b, c, h]
    weight: np.ndarray  # d_weight[o, c, k]
    bias: np.ndarray  # d_bias[o]


def forward(x, weight, bias, *, stride=1, padding=0, out=None):
    """Compute y[b, o, i], and what `backward` needs.

    Args:
        x[b, c, h]: input.
        weight[o, c, k]: parameter.
        bias[o]: parameter.
        stride: a whole number.
        padding: a whole number.
        out: the array to write y into; it may share no memory with the arguments.
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

    # x_at[b, c, i, k] = pad(x[b, c, stride*i + k - padding])
    at_h = stride * np.arange(n_i)[:, None] + np.arange(n_k) - padding
    x_at = _entries(x, 2, at_h, outside=True)
    # sum_weight_x_at[b, o, i] = sum[c, k](weight[o, c, k] * pad(x[b, c, stride*i + k - padding]))
    sum_weight_x_at = np.einsum("ock,bcik->boi", weight, x_at, optimize=True)
    # y[b, o, i] = sum[c, k](weight[o, c, k] * pad(x[b, c, stride*i + k - padding])) + bias[o]
    y = np.add(sum_weight_x_at, bias[:, None], out=sum_weight_x_at)

    saved = Saved(x, weight, stride, padding)
    return _into(out, y), saved


def backward(saved, d_y, out=None):
    """Compute the gradients of the inputs from d_y[b, o, i], the gradient of what `forward` returned.

    They are written into the arrays of `out`, where it has some; these may share no memory with what is read.
    """
    out = Gradients(None, None, None) if out is None else out
    x, weight, stride, padding = saved
    n_b, n_c, n_h = x.shape
    n_o = weight.shape[0]
    n_k = weight.shape[2]
    (d_y,) = _arrays(x.dtype, d_y=d_y)
    _check_dimensions("d_y[b, o, i]", d_y, 3)
    n_i = d_y.shape[2]
    _check_shape("d_y[b, o, i]", d_y, (n_b, n_o, n_i))
    dtype = x.dtype

    # d_bias[o] = sum[b, i](d_y[b, o, i])
    d_bias = _sum(d_y, (0, 2))
    # d_x_at[b, c, i, k] = sum[o](d_y[b, o, i] * weight[o, c, k])
    d_x_at = np.einsum("boi,ock->bcik", d_y, weight, optimize=True)
    # d_x[b, c, h] = sum[o, i](d_y[b, o, i] * sum[k](weight[o, c, k] * where(h == stride*i + k -
    #     padding, 1, 0)))
    at_h = stride * np.arange(n_i)[:, None] + np.arange(n_k) - padding
    d_x = _added(d_x_at, 2, at_h, n_h, outside=True)
    # x_at[b, c, i, k] = pad(x[b, c, stride*i + k - padding])
    at_h = stride * np.arange(n_i)[:, None] + np.arange(n_k) - padding
    x_at = _entries(x, 2, at_h, outside=True)
    # d_weight[o, c, k] = sum[b, i](d_y[b, o, i] * pad(x[b, c, stride*i + k - padding]))
    d_weight = np.einsum("boi,bcik->ock", d_y, x_at, optimize=True)

    return Gradients(
        x=_into(out.x, d_x),
        weight=_into(out.weight, d_weight),
        bias=_into(out.bias, d_bias.astype(dtype)),
    )


def _arrays(dtype=None, /, **arrays):
    """The arguments as arrays, all of one dtype: float32 or float64."""
    found = [np.asarray(array) for array in arrays.values()]
    dtype = found[0].dtype if dtype is None else dtype
    if dtype not in (np.float32, np.float64) or any(array.dtype != dtype for array in found):
        given = ", ".join(f"{name} is {array.dtype}" for name, array in zip(arrays, found))
        wanted = dtype if dtype in (np.float32, np.float64) else "float32 or float64"
        raise TypeError(f"all arrays must be {wanted}, one dtype for all: {given}.")
    return found


def _check_dimensions(what, array, least, more=False):
    """Raise unless an array has as many dimensions as declared, and no empty one."""
    if array.ndim < least or (array.ndim > least and not more):
        raise ValueError(f"{what} must have {'at least ' if more else ''}{least} dimensions, not {array.ndim}.")
    if array.size == 0:
        raise ValueError(f"{what} is empty: its shape is {array.shape}.")


def _check_shape(what, array, shape):
    """Raise unless an array has the shape that follows from the others."""
    if array.shape != shape:
        raise ValueError(f"{what} must have the shape {shape}, not {array.shape}.")


def _into(out, result):
    """The result, in `out` where that is given."""
    if out is None:
        return result
    if out.shape != result.shape or out.dtype != result.dtype:
        raise ValueError(f"an array of out has {out.shape} of {out.dtype}, not {result.shape} of {result.dtype}.")
    if not np.may_share_memory(out, result):  # it was computed elsewhere
        out[...] = result
    return out


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


def _entries(array, axis, places, outside=False):
    """The entries at computed places of one dimension; 0 for places that lie outside, where they may."""
    if not outside:
        return np.take(array, places, axis)
    inside = (places >= 0) & (places < array.shape[axis])
    found = np.take(array, np.where(inside, places, 0), axis)
    found[(slice(None),) * axis + (~inside,)] = 0
    return found


def _added(values, axis, places, length, outside=False):
    """Values added up at computed places of one dimension; those outside are left out."""
    shape = values.shape
    values = values.reshape(*shape[:axis], places.size, *shape[axis + places.ndim :])
    order = np.argsort(places, axis=None, kind="stable")
    places = places.ravel()[order]
    if outside:
        inside = (places >= 0) & (places < length)
        order, places = order[inside], places[inside]
    added = np.zeros((*shape[:axis], length, *values.shape[axis + 1 :]), values.dtype)
    if places.size:
        starts = np.flatnonzero(np.diff(places, prepend=-1))
        at = (slice(None),) * axis + (places[starts],)
        added[at] = np.add.reduceat(np.take(values, order, axis), starts, axis)
    return added


def _sum(array, axes):
    """The sum over axes in double precision, but for rows and short columns, which BLAS adds up in their own type."""
    axes = tuple(range(array.ndim)) if axes is None else axes if isinstance(axes, tuple) else (axes,)
    if axes[-1] == array.ndim - 1 and 32 <= array.shape[-1] <= 16384 and array.strides[-1] == array.itemsize:
        ones = np.ones(array.shape[-1], array.dtype)
        array, axes = np.matmul(array[..., None, :], ones[:, None])[..., 0, 0], axes[:-1]
    elif axes == (0,) and array.ndim == 2 and array.shape[0] <= 1024:
        return (np.ones(array.shape[0], array.dtype) @ array).astype(np.float64)
    elif math.prod(array.shape[axis] for axis in axes) <= 128:
        return array.sum(axis=axes).astype(np.float64)
    return array.sum(axis=axes, dtype=np.float64)
