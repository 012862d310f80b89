"""Negative log-likelihood of labels, from log-probabilities; the mean over samples and positions.

Forward and backward pass for NumPy of

    L = -mean[b, k](x[b, t[b, k], k])

The backward pass was derived by symgrad from these equations. Every gradient below was proved
equal, for every size, to the derivative of the forward pass; the formula that each line
computes stands above it (d_x is the gradient of the final scalar with respect to x).

Generated from the layer nll and the template numpy/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate nll --backend numpy
"""

import math
from typing import NamedTuple

import numpy as np


class Saved(NamedTuple):
    """What `forward` hands to `backward`."""

    x: np.ndarray  # x[b, v, k...]
    t: np.ndarray  # t[b, k...]


class Gradients(NamedTuple):
    """The gradients of the inputs, each with its input's shape and dtype."""

    x: np.ndarray  # d_x[b, v, k...]


def forward(x, t):
    """Compute L, and what `backward` needs.

    Args:
        x[b, v, k...]: input.
        t[b, k...]: labels, whole numbers from 0 to n_v - 1.
    """
    (x,) = _arrays(x=x)
    t = np.asarray(t)
    _check_dimensions("x[b, v, k...]", x, 2, more=True)
    n_b, n_v, *shape_k = x.shape
    n_k = math.prod(shape_k)
    _check_shape("t[b, k...]", t, (n_b, *shape_k))
    _check_labels("t[b, k...]", t, n_v)
    x = x.reshape(n_b, n_v, n_k)
    t = t.reshape(n_b, n_k)
    dtype = x.dtype

    # x_at[b, k] = x[b, t[b, k], k]
    x_at = _entries_at(x, np.arange(n_b)[:, None], t, np.arange(n_k))
    # L = -mean[b, k](x[b, t[b, k], k])
    L = -_sum(x_at, None) / (n_b * n_k)

    saved = Saved(x.reshape(n_b, n_v, *shape_k), t.reshape(n_b, *shape_k))
    return L.astype(dtype), saved


def backward(saved, d_L=1.0, out=None):
    """Compute the gradients of the inputs from d_L, the gradient of what `forward` returned.

    They are written into the arrays of `out`, where it has some; these may share no memory with what is read.
    """
    out = Gradients(None) if out is None else out
    x, t = saved
    n_b, n_v, *shape_k = x.shape
    n_k = math.prod(shape_k)
    d_L = float(d_L)
    x = x.reshape(n_b, n_v, n_k)
    t = t.reshape(n_b, n_k)
    dtype = x.dtype

    # d_x[b, v, k] = -where(v == t[b, k], 1, 0) * d_L / (size[b] * size[k])
    d_x = np.asarray(np.arange(n_v)[:, None] == t[:, None, :], dtype)
    d_x *= -d_L / (n_b * n_k)

    return Gradients(x=_into(out.x, d_x.reshape(n_b, n_v, *shape_k)))


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


def _check_labels(what, labels, length):
    """Raise unless labels are whole numbers from 0 to length - 1."""
    if not np.issubdtype(labels.dtype, np.integer):
        raise TypeError(f"{what} must hold whole numbers, not {labels.dtype}.")
    if labels.size and not (0 <= labels.min() and labels.max() < length):
        raise ValueError(f"{what} must lie from 0 to {length - 1}, and holds {labels.min()} to {labels.max()}.")


def _inside(shape, places):
    """Where all places lie inside of their dimensions."""
    return np.logical_and.reduce([(place >= 0) & (place < length) for place, length in zip(places, shape)])


def _entries_at(array, *places, outside=False):
    """The entries at computed places of all dimensions; 0 where one lies outside, where they may."""
    if not outside:
        return array[places]
    inside = _inside(array.shape, np.broadcast_arrays(*places))
    return np.where(inside, array[tuple(np.where(inside, place, 0) for place in places)], 0)


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
