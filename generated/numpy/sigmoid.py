"""The logistic sigmoid of each element.

Forward and backward pass for NumPy of

    z[i] = 1 / (1 + exp(-y[i]))

The backward pass was derived by symgrad from these equations. Every gradient below was proved
equal, for every size, to the derivative of the forward pass; the formula that each line
computes stands above it (d_x is the gradient of the final scalar with respect to x).

Generated from the layer sigmoid and the template numpy/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate sigmoid --backend numpy
"""

from typing import NamedTuple

import numpy as np


class Saved(NamedTuple):
    """What `forward` hands to `backward`."""

    z: np.ndarray  # z[i...]


class Gradients(NamedTuple):
    """The gradients of the inputs, each with its input's shape and dtype."""

    y: np.ndarray  # d_y[i...]


def forward(y, *, out=None):
    """Compute z[i...], and what `backward` needs.

    Args:
        y[i...]: input.
        out: the array to write z into; it may share no memory with the arguments.
    """
    (y,) = _arrays(y=y)

    # z[i] = 1 / (1 + exp(-y[i]))
    z = _sigmoid(y, out=np.empty_like(y))

    saved = Saved(z)
    return _into(out, z), saved


def backward(saved, d_z, out=None):
    """Compute the gradients of the inputs from d_z[i...], the gradient of what `forward` returned.

    They are written into the arrays of `out`, where it has some; these may share no memory with what is read.
    """
    out = Gradients(None) if out is None else out
    (z,) = saved
    (d_z,) = _arrays(z.dtype, d_z=d_z)
    _check_shape("d_z[i...]", d_z, z.shape)

    # d_y[i] = z[i] * (1 - z[i]) * d_z[i]
    d_y = np.subtract(1, z, out=np.empty_like(z))
    d_y *= z
    d_y *= d_z

    return Gradients(y=_into(out.y, d_y))


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
