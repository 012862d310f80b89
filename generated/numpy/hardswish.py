"""A piecewise form of swish: x * min(max(x + 3, 0), 6) / 6.

Forward and backward pass for NumPy of

    y[i] = where(x[i] <= -3, 0, where(3 <= x[i], x[i], x[i] * (x[i] + 3) / 6))

The backward pass was derived by symgrad from these equations. Every gradient below was proved
equal, for every size, to the derivative of the forward pass; the formula that each line
computes stands above it (d_x is the gradient of the final scalar with respect to x).

Generated from the layer hardswish and the template numpy/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate hardswish --backend numpy
"""

from typing import NamedTuple

import numpy as np


class Saved(NamedTuple):
    """What `forward` hands to `backward`."""

    x: np.ndarray  # x[i...]


class Gradients(NamedTuple):
    """The gradients of the inputs, each with its input's shape and dtype."""

    x: np.ndarray  # d_x[i...]


def forward(x, *, out=None):
    """Compute y[i...], and what `backward` needs.

    Args:
        x[i...]: input.
        out: the array to write y into; it may share no memory with the arguments.
    """
    (x,) = _arrays(x=x)

    # y[i] = where(x[i] <= -3, 0, where(3 <= x[i], x[i], x[i] * (x[i] + 3) / 6))
    part_x_x_plus_3 = np.add(x, 3, out=np.empty_like(x))
    part_x_x_plus_3 *= 1/6
    part_x_x_plus_3 *= x
    work = np.where(3 <= x, x, part_x_x_plus_3)
    y = np.where(x <= -3, 0, work)

    saved = Saved(x)
    return _into(out, y), saved


def backward(saved, d_y, out=None):
    """Compute the gradients of the inputs from d_y[i...], the gradient of what `forward` returned.

    They are written into the arrays of `out`, where it has some; these may share no memory with what is read.
    """
    out = Gradients(None) if out is None else out
    (x,) = saved
    (d_y,) = _arrays(x.dtype, d_y=d_y)
    _check_shape("d_y[i...]", d_y, x.shape)

    # d_x[i] = where(x[i] <= -3, 0, where(3 <= x[i], 1, (2 * x[i] + 3) / 6)) * d_y[i]
    part_two_x_plus_3 = np.multiply(x, 2, out=np.empty_like(x))
    part_two_x_plus_3 += 3
    part_two_x_plus_3 *= 1/6
    part_two_x_plus_3_masked = np.where(3 <= x, 1, part_two_x_plus_3)
    d_x = np.where(x <= -3, 0, part_two_x_plus_3_masked)
    d_x *= d_y

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
