"""The gate of SwiGLU: silu(g) * x.

Forward and backward pass for NumPy of

    y[i] = g[i] * sigmoid(g[i]) * x[i]

The backward pass was derived by symgrad from these equations. Every gradient below was proved
equal, for every size, to the derivative of the forward pass; the formula that each line
computes stands above it (d_x is the gradient of the final scalar with respect to x).

Generated from the layer swiglu and the template numpy/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate swiglu --backend numpy
"""

from typing import NamedTuple

import numpy as np


class Saved(NamedTuple):
    """What `forward` hands to `backward`."""

    g: np.ndarray  # g[i...]
    x: np.ndarray  # x[i...]


class Gradients(NamedTuple):
    """The gradients of the inputs, each with its input's shape and dtype."""

    g: np.ndarray  # d_g[i...]
    x: np.ndarray  # d_x[i...]


def forward(g, x, *, out=None):
    """Compute y[i...], and what `backward` needs.

    Args:
        g[i...]: input.
        x[i...]: input.
        out: the array to write y into; it may share no memory with the arguments.
    """
    g, x = _arrays(g=g, x=x)
    _check_shape("x[i...]", x, g.shape)

    # y[i] = g[i] * sigmoid(g[i]) * x[i]
    y = _sigmoid(g, out=np.empty_like(g))
    y *= g
    y *= x

    saved = Saved(g, x)
    return _into(out, y), saved


def backward(saved, d_y, out=None):
    """Compute the gradients of the inputs from d_y[i...], the gradient of what `forward` returned.

    They are written into the arrays of `out`, where it has some; these may share no memory with what is read.
    """
    out = Gradients(None, None) if out is None else out
    g, x = saved
    (d_y,) = _arrays(g.dtype, d_y=d_y)
    _check_shape("d_y[i...]", d_y, g.shape)

    # sigmoid_g[i] = sigmoid(g[i])
    sigmoid_g = _sigmoid(g, out=np.empty_like(g))
    # d_g[i] = x[i] * (sigmoid(g[i]) + g[i] * sigmoid(g[i]) * (1 - sigmoid(g[i]))) * d_y[i]
    work = np.subtract(1, sigmoid_g, out=np.empty_like(g))
    work *= g
    work *= sigmoid_g
    d_g = np.add(sigmoid_g, work, out=work)
    d_g *= x
    d_g *= d_y
    # d_x[i] = g[i] * sigmoid(g[i]) * d_y[i]
    d_x = np.multiply(sigmoid_g, g, out=sigmoid_g)
    d_x *= d_y

    return Gradients(g=_into(out.g, d_g), x=_into(out.x, d_x))


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


def _sigmoid(array, out=None):
    """1 / (1 + exp(-array)); where exp overflows to infinity the result is its limit, 0."""
    out = np.negative(array, out=np.empty_like(array) if out is None else out)
    with np.errstate(over="ignore", under="ignore"):
        np.exp(out, out=out)
    out += 1
    return np.reciprocal(out, out=out)
