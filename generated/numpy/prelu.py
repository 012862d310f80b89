"""The rectifier with a learned slope for negative elements, one for each channel.

Forward and backward pass for NumPy of

    y[s, c, k] = where(0 < x[s, c, k], x[s, c, k], w[c] * x[s, c, k])

The backward pass was derived by symgrad from these equations. Every gradient below was proved
equal, for every size, to the derivative of the forward pass; the formula that each line
computes stands above it (d_x is the gradient of the final scalar with respect to x).

Generated from the layer prelu and the template numpy/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate prelu --backend numpy
"""

import math
from typing import NamedTuple

import numpy as np


class Saved(NamedTuple):
    """What `forward` hands to `backward`."""

    x: np.ndarray  # x[s, c, k...]
    w: np.ndarray  # w[c]


class Gradients(NamedTuple):
    """The gradients of the inputs, each with its input's shape and dtype."""

    x: np.ndarray  # d_x[s, c, k...]
    w: np.ndarray  # d_w[c]


def forward(x, w):
    """Compute y[s, c, k...], and what `backward` needs.

    Args:
        x[s, c, k...]: input.
        w[c]: parameter.
    """
    x, w = _arrays(x=x, w=w)
    _check_dimensions("x[s, c, k...]", x, 2, more=True)
    n_s, n_c, *shape_k = x.shape
    n_k = math.prod(shape_k)
    _check_shape("w[c]", w, (n_c,))
    x = x.reshape(n_s, n_c, n_k)

    # y[s, c, k] = where(0 < x[s, c, k], x[s, c, k], w[c] * x[s, c, k])
    w_x = x * w[:, None]
    y = np.where(0 < x, x, w_x)

    saved = Saved(x.reshape(n_s, n_c, *shape_k), w)
    return y.reshape(n_s, n_c, *shape_k), saved


def backward(saved, d_y):
    """Compute the gradients of the inputs from d_y[s, c, k...], the gradient of what `forward` returned."""
    x, w = saved
    n_s, n_c, *shape_k = x.shape
    n_k = math.prod(shape_k)
    (d_y,) = _arrays(x.dtype, d_y=d_y)
    _check_shape("d_y[s, c, k...]", d_y, (n_s, n_c, *shape_k))
    x = x.reshape(n_s, n_c, n_k)
    d_y = d_y.reshape(n_s, n_c, n_k)
    dtype = x.dtype

    # d_w[c] = sum[s, k](where(0 < x[s, c, k], 0, x[s, c, k]) * d_y[s, c, k])
    x_masked = np.where(0 < x, 0, x)
    d_w = np.einsum("sck,sck->c", x_masked, d_y, dtype=np.float64)
    # d_x[s, c, k] = where(0 < x[s, c, k], 1, w[c]) * d_y[s, c, k]
    d_x = np.where(0 < x, 1, w[:, None])
    d_x *= d_y

    return Gradients(x=d_x.reshape(n_s, n_c, *shape_k), w=d_w.astype(dtype))


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
