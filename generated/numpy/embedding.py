"""Embedding: the row of a table that a label names.

Forward and backward pass for NumPy of

    y[b, d] = weight[t[b], d]

The backward pass was derived by symgrad from these equations. Every gradient below was proved
equal, for every size, to the derivative of the forward pass; the formula that each line
computes stands above it (d_x is the gradient of the final scalar with respect to x).

Generated from the layer embedding and the template numpy/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate embedding --backend numpy
"""

import math
from typing import NamedTuple

import numpy as np


class Saved(NamedTuple):
    """What `forward` hands to `backward`."""

    weight: np.ndarray  # weight[v, d]
    t: np.ndarray  # t[b...]


class Gradients(NamedTuple):
    """The gradients of the inputs, each with its input's shape and dtype."""

    weight: np.ndarray  # d_weight[v, d]


def forward(weight, t, *, out=None):
    """Compute y[b..., d], and what `backward` needs.

    Args:
        weight[v, d]: parameter.
        t[b...]: labels, whole numbers from 0 to n_v - 1.
        out: the array to write y into; it may share no memory with the arguments.
    """
    (weight,) = _arrays(weight=weight)
    t = np.asarray(t)
    _check_dimensions("weight[v, d]", weight, 2)
    n_v, n_d = weight.shape
    _check_dimensions("t[b...]", t, 0, more=True)
    (*shape_b,) = t.shape
    n_b = math.prod(shape_b)
    _check_labels("t[b...]", t, n_v)
    t = t.reshape(n_b)

    # y[b, d] = weight[t[b], d]
    y = _entries(weight, 0, t)

    saved = Saved(weight, t.reshape(shape_b))
    return _into(out, y.reshape(*shape_b, n_d)), saved


def backward(saved, d_y, out=None):
    """Compute the gradients of the inputs from d_y[b..., d], the gradient of what `forward` returned.

    They are written into the arrays of `out`, where it has some; these may share no memory with what is read.
    """
    out = Gradients(None) if out is None else out
    weight, t = saved
    n_v, n_d = weight.shape
    (*shape_b,) = t.shape
    n_b = math.prod(shape_b)
    (d_y,) = _arrays(weight.dtype, d_y=d_y)
    _check_shape("d_y[b..., d]", d_y, (*shape_b, n_d))
    t = t.reshape(n_b)
    d_y = d_y.reshape(n_b, n_d)

    # d_weight[v, d] = sum[b](where(v == t[b], 1, 0) * d_y[b, d])
    d_weight = _added(d_y, 0, t, n_v)

    return Gradients(weight=_into(out.weight, d_weight))


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
