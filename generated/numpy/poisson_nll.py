"""The negative log-likelihood of counts under a Poisson distribution with the logarithm of its rate.

Forward and backward pass for NumPy of

    L = mean[i](exp(x[i]) - t[i] * x[i])

The backward pass was derived by symgrad from these equations. Every gradient below was proved
equal, for every size, to the derivative of the forward pass; the formula that each line
computes stands above it (d_x is the gradient of the final scalar with respect to x).

Generated from the layer poisson_nll and the template numpy/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate poisson_nll --backend numpy
"""

from typing import NamedTuple

import numpy as np


class Saved(NamedTuple):
    """What `forward` hands to `backward`."""

    x: np.ndarray  # x[i...]
    t: np.ndarray  # t[i...]


class Gradients(NamedTuple):
    """The gradients of the inputs, each with its input's shape and dtype."""

    x: np.ndarray  # d_x[i...]


def forward(x, t):
    """Compute L, and what `backward` needs.

    Args:
        x[i...]: input.
        t[i...]: target, gets no gradient.
    """
    x, t = _arrays(x=x, t=t)
    _check_dimensions("x[i...]", x, 0, more=True)
    _check_shape("t[i...]", t, x.shape)
    dtype = x.dtype

    # L = mean[i](exp(x[i]) - t[i] * x[i])
    exp_x_minus_t_x = np.exp(x, out=np.empty_like(x))
    t_x = np.multiply(t, x, out=np.empty_like(x))
    exp_x_minus_t_x -= t_x
    L = exp_x_minus_t_x.mean(dtype=np.float64)

    saved = Saved(x, t)
    return L.astype(dtype), saved


def backward(saved, d_L=1.0, out=None):
    """Compute the gradients of the inputs from d_L, the gradient of what `forward` returned.

    They are written into the arrays of `out`, where it has some; these may share no memory with what is read.
    """
    out = Gradients(None) if out is None else out
    x, t = saved
    n_i = x.size
    d_L = float(d_L)

    # d_x[i] = (exp(x[i]) - t[i]) * d_L / size[i]
    d_x = np.exp(x, out=np.empty_like(x))
    d_x -= t
    d_x *= d_L / n_i

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
