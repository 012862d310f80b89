"""The scaled exponential linear unit, whose two constants keep mean 0 and variance 1.

Forward and backward pass for NumPy of

    y[i] = scale * where(0 < x[i], x[i], alpha * expm1(x[i]))

The backward pass was derived by symgrad from these equations. Every gradient below was proved
equal, for every size, to the derivative of the forward pass; the formula that each line
computes stands above it (d_x is the gradient of the final scalar with respect to x).

Generated from the layer selu and the template numpy/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate selu --backend numpy
"""

from typing import NamedTuple

import numpy as np


class Saved(NamedTuple):
    """What `forward` hands to `backward`."""

    x: np.ndarray  # x[i...]
    alpha: float  # alpha
    scale: float  # scale


class Gradients(NamedTuple):
    """The gradients of the inputs, each with its input's shape and dtype."""

    x: np.ndarray  # d_x[i...]


def forward(x, *, alpha=1.6732632423543772848170429916717, scale=1.0507009873554804934193349852946, out=None):
    """Compute y[i...], and what `backward` needs.

    Args:
        x[i...]: input.
        alpha: a constant.
        scale: a constant.
        out: the array to write y into; it may share no memory with the arguments.
    """
    (x,) = _arrays(x=x)

    # y[i] = scale * where(0 < x[i], x[i], alpha * expm1(x[i]))
    x_masked = np.where(0 < x, 1, x)
    alpha_expm1_x_masked = np.expm1(x_masked, out=x_masked)
    alpha_expm1_x_masked *= alpha
    y = np.where(0 < x, x, alpha_expm1_x_masked)
    y *= scale

    saved = Saved(x, alpha, scale)
    return _into(out, y), saved


def backward(saved, d_y, out=None):
    """Compute the gradients of the inputs from d_y[i...], the gradient of what `forward` returned.

    They are written into the arrays of `out`, where it has some; these may share no memory with what is read.
    """
    out = Gradients(None) if out is None else out
    x, alpha, scale = saved
    (d_y,) = _arrays(x.dtype, d_y=d_y)
    _check_shape("d_y[i...]", d_y, x.shape)

    # d_x[i] = scale * where(0 < x[i], 1, alpha * exp(x[i])) * d_y[i]
    x_masked = np.where(0 < x, 1, x)
    alpha_exp_x_masked = np.exp(x_masked, out=x_masked)
    alpha_exp_x_masked *= alpha
    d_x = np.where(0 < x, 1, alpha_exp_x_masked)
    d_x *= scale
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
