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

BLOCK = 65536
"""How many numbers of the largest array are computed at a time, so that they stay in the processor's cache."""


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

    # a block of s after the other
    (y,) = _in_blocks(_forward_block, (x, w), cut=(0, None), join=(0,))

    saved = Saved(x.reshape(n_s, n_c, *shape_k), w)
    return y.reshape(n_s, n_c, *shape_k), saved


def _forward_block(x, w):
    """Compute y of a block of s."""
    # y[s, c, k] = where(0 < x[s, c, k], x[s, c, k], w[c] * x[s, c, k])
    w_x = x * w[:, None]
    y = np.where(0 < x, x, w_x)

    return y,


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

    # a block of s after the other
    d_w, d_x = _in_blocks(_backward_block, (x, w, d_y), cut=(0, None, 0), join=(None, 0))

    return Gradients(x=d_x.reshape(n_s, n_c, *shape_k), w=d_w.astype(dtype))


def _backward_block(x, w, d_y):
    """Compute d_w, d_x of a block of s."""
    # d_w[c] = sum[s, k](where(0 < x[s, c, k], 0, x[s, c, k]) * d_y[s, c, k]), of this block
    x_masked = np.where(0 < x, 0, x)
    d_w = _dot(x_masked, d_y, (0, 2))
    # d_x[s, c, k] = where(0 < x[s, c, k], 1, w[c]) * d_y[s, c, k]
    d_x = np.where(0 < x, 1, w[:, None])
    d_x *= d_y

    return d_w, d_x


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


def _in_blocks(compute, arguments, cut, join):
    """What `compute` returns for arguments of which some are cut along a dimension: one block after the other.

    The results are joined along a dimension each, or added up (None).
    """
    lengths = [argument.shape[axis] for argument, axis in zip(arguments, cut) if axis is not None]
    size = max(argument.size for argument, axis in zip(arguments, cut) if axis is not None)
    length, step = lengths[0], max(1, lengths[0] * BLOCK // size)
    if step >= length:
        return compute(*arguments)
    whole = None
    for start in range(0, length, step):
        block = [
            argument if axis is None else argument[(slice(None),) * axis + (slice(start, start + step),)]
            for argument, axis in zip(arguments, cut)
        ]
        parts = compute(*block)
        if whole is None:
            whole = [
                0.0 if axis is None else np.empty((*part.shape[:axis], length, *part.shape[axis + 1 :]), part.dtype)
                for part, axis in zip(parts, join)
            ]
        for place, (part, axis) in enumerate(zip(parts, join)):
            if axis is None:
                whole[place] += part
            else:
                whole[place][(slice(None),) * axis + (slice(start, start + step),)] = part
    return whole


def _dot(left, right, axes):
    """The sum of left * right over axes in double precision, but for rows, which BLAS adds up in their own type."""
    axes = tuple(range(left.ndim)) if axes is None else axes if isinstance(axes, tuple) else (axes,)
    if axes[-1] == left.ndim - 1 and 32 <= left.shape[-1] == right.shape[-1] <= 16384:
        rows = np.matmul(left[..., None, :], right[..., None])[..., 0, 0]
        return rows.sum(axis=axes[:-1], dtype=np.float64)
    return _sum(left * right, axes)


def _sum(array, axes):
    """The sum over axes in double precision, but for rows, which NumPy adds up in pairs in their own type."""
    axes = tuple(range(array.ndim)) if axes is None else axes if isinstance(axes, tuple) else (axes,)
    if axes[-1] == array.ndim - 1 and array.shape[-1] >= 32 and array.strides[-1] == array.itemsize:
        array, axes = array.sum(axis=-1), axes[:-1]
    elif math.prod(array.shape[axis] for axis in axes) <= 128:
        return array.sum(axis=axes).astype(np.float64)
    return array.sum(axis=axes, dtype=np.float64)
