"""Mean squared error: the mean over all elements of the squared difference.

Forward and backward pass for NumPy of

    L = mean[i]((z[i] - t[i])**2)

The backward pass was derived by symgrad from these equations. Every gradient below was proved
equal, for every size, to the derivative of the forward pass; the formula that each line
computes stands above it (d_x is the gradient of the final scalar with respect to x).

Generated from the layer mse and the template numpy/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate mse --backend numpy
"""

from typing import NamedTuple

import numpy as np


class Saved(NamedTuple):
    """What `forward` hands to `backward`."""

    z: np.ndarray  # z[i...]
    t: np.ndarray  # t[i...]


class Gradients(NamedTuple):
    """The gradients of the inputs, each with its input's shape and dtype."""

    z: np.ndarray  # d_z[i...]


def forward(z, t):
    """Compute L, and what `backward` needs.

    Args:
        z[i...]: input.
        t[i...]: target, gets no gradient.
    """
    z, t = _arrays(z=z, t=t)
    _check_dimensions("z[i...]", z, 0, more=True)
    _check_shape("t[i...]", t, z.shape)
    dtype = z.dtype

    # L = mean[i]((z[i] - t[i])**2)
    z_minus_t = np.subtract(z, t, out=np.empty_like(z))
    z_minus_t_squared = np.square(z_minus_t, out=z_minus_t)
    L = z_minus_t_squared.mean(dtype=np.float64)

    saved = Saved(z, t)
    return L.astype(dtype), saved


def backward(saved, d_L=1.0, out=None):
    """Compute the gradients of the inputs from d_L, the gradient of what `forward` returned.

    They are written into the arrays of `out`, where it has some; these may share no memory with what is read.
    """
    out = Gradients(None) if out is None else out
    z, t = saved
    n_i = z.size
    d_L = float(d_L)

    # d_z[i] = 2 * (z[i] - t[i]) * d_L / size[i]
    d_z = np.subtract(z, t, out=np.empty_like(z))
    d_z *= 2 * d_L / n_i

    return Gradients(z=_into(out.z, d_z))


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
