"""Average pooling in two dimensions: the mean of each window.

Forward and backward pass for NumPy of

    y[b, c, i, j] = mean[k, l](x[b, c, stride*i + k, stride*j + l])

The backward pass was derived by symgrad from these equations. Every gradient below was proved
equal, for every size, to the derivative of the forward pass; the formula that each line
computes stands above it (d_x is the gradient of the final scalar with respect to x).

Generated from the layer avg_pool and the template numpy/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate avg_pool --backend numpy
"""

from typing import NamedTuple

import numpy as np


class Saved(NamedTuple):
    """What `forward` hands to `backward`."""

    x: np.ndarray  # x[b, c, h, w]
    window: int  # window
    stride: int  # stride


class Gradients(NamedTuple):
    """The gradients of the inputs, each with its input's shape and dtype."""

    x: np.ndarray  # d_x[b, c, h, w]


def forward(x, *, window=2, stride=2, out=None):
    """Compute y[b, c, i, j], and what `backward` needs.

    Args:
        x[b, c, h, w]: input.
        window: a whole number.
        stride: a whole number.
        out: the array to write y into; it may share no memory with the arguments.
    """
    (x,) = _arrays(x=x)
    _check_dimensions("x[b, c, h, w]", x, 4)
    n_b, n_c, n_h, n_w = x.shape
    _check_whole(window=window, stride=stride)
    n_k = window
    n_l = window
    n_i = _positions(n_h - n_k, stride)
    n_j = _positions(n_w - n_l, stride)

    # x_at[b, c, i, k, j, l] = x[b, c, stride*i + k, stride*j + l]
    at_w = stride * np.arange(n_j)[:, None] + np.arange(n_l)
    at_h = stride * np.arange(n_i)[:, None] + np.arange(n_k)
    x_at = _entries(_entries(x, 3, at_w), 2, at_h)
    # y[b, c, i, j] = mean[k, l](x[b, c, stride*i + k, stride*j + l])
    y = x_at.mean(axis=(3, 5))

    saved = Saved(x, window, stride)
    return _into(out, y), saved


def backward(saved, d_y, out=None):
    """Compute the gradients of the inputs from d_y[b, c, i, j], the gradient of what `forward` returned.

    They are written into the arrays of `out`, where it has some; these may share no memory with what is read.
    """
    out = Gradients(None) if out is None else out
    x, window, stride = saved
    n_b, n_c, n_h, n_w = x.shape
    (d_y,) = _arrays(x.dtype, d_y=d_y)
    _check_dimensions("d_y[b, c, i, j]", d_y, 4)
    n_i = d_y.shape[2]
    n_j = d_y.shape[3]
    _check_shape("d_y[b, c, i, j]", d_y, (n_b, n_c, n_i, n_j))
    n_k = window
    n_l = window
    dtype = x.dtype

    # values_at[b, c, i, k, j, l] = d_y[b, c, i, j]
    values_at = np.empty((n_b, n_c, n_i, n_k, n_j, n_l), dtype)
    values_at[...] = d_y[:, :, :, None, :, None]
    # added[b, c, h, w] = sum[i, k, j, l](where(h == stride*i + k, 1, 0) * where(w == stride*j + l,
    #     1, 0) * d_y[b, c, i, j])
    at_h = stride * np.arange(n_i)[:, None] + np.arange(n_k)
    at_w = stride * np.arange(n_j)[:, None] + np.arange(n_l)
    added = _added(_added(values_at, 2, at_h, n_h), 3, at_w, n_w)
    # d_x[b, c, h, w] = sum[i, k, j, l](where(h == stride*i + k, 1, 0) * where(w == stride*j + l, 1,
    #     0) * d_y[b, c, i, j]) / (size[k] * size[l])
    d_x = np.multiply(added, 1 / (n_k * n_l), out=added)

    return Gradients(x=_into(out.x, d_x))


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
