"""The cumulative sum along the last dimension.

Forward and backward pass for NumPy of

    y[b, i] = sum[j](where(j <= i, x[b, j], 0))

The backward pass was derived by symgrad from these equations. Every gradient below was proved
equal, for every size, to the derivative of the forward pass; the formula that each line
computes stands above it (d_x is the gradient of the final scalar with respect to x).

Generated from the layer cumsum and the template numpy/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate cumsum --backend numpy
"""

import math
from typing import NamedTuple

import numpy as np


class Saved(NamedTuple):
    """What `forward` hands to `backward`."""



class Gradients(NamedTuple):
    """The gradients of the inputs, each with its input's shape and dtype."""

    x: np.ndarray  # d_x[b..., i]


def forward(x, *, out=None):
    """Compute y[b..., i], and what `backward` needs.

    Args:
        x[b..., i]: input.
        out: the array to write y into; it may share no memory with the arguments.
    """
    (x,) = _arrays(x=x)
    _check_dimensions("x[b..., i]", x, 1, more=True)
    *shape_b, n_i = x.shape
    n_b = math.prod(shape_b)
    x = x.reshape(n_b, n_i)
    dtype = x.dtype

    # y[b, i] = sum[j](where(j <= i, x[b, j], 0))
    at_most = np.asarray(np.arange(n_i) <= np.arange(n_i)[:, None], dtype)
    y = x @ at_most.T

    saved = Saved()
    return _into(out, y.reshape(*shape_b, n_i)), saved


def backward(saved, d_y, out=None):
    """Compute the gradients of the inputs from d_y[b..., i], the gradient of what `forward` returned.

    They are written into the arrays of `out`, where it has some; these may share no memory with what is read.
    """
    out = Gradients(None) if out is None else out
    (d_y,) = _arrays(d_y=d_y)
    _check_dimensions("d_y[b..., i]", d_y, 1, more=True)
    *shape_b, n_i = d_y.shape
    n_b = math.prod(shape_b)
    d_y = d_y.reshape(n_b, n_i)
    dtype = d_y.dtype

    # d_x[b, i] = sum[k](d_y[b, k] * where(i <= k, 1, 0))
    at_most = np.asarray(np.arange(n_i)[:, None] <= np.arange(n_i), dtype)
    d_x = d_y @ at_most.T

    return Gradients(x=_into(out.x, d_x.reshape(*shape_b, n_i)))


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


def _into(out, result):
    """The result, in `out` where that is given."""
    if out is None:
        return result
    if out.shape != result.shape or out.dtype != result.dtype:
        raise ValueError(f"an array of out has {out.shape} of {out.dtype}, not {result.shape} of {result.dtype}.")
    if not np.may_share_memory(out, result):  # it was computed elsewhere
        out[...] = result
    return out
