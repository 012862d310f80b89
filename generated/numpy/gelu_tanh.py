"""The Gaussian error linear unit, approximated through the hyperbolic tangent.

Forward and backward pass for NumPy of

    y[i] = x[i] * (1 + tanh(sqrt(2 / pi) * (x[i] + 8943 * x[i]**3 / 200000))) / 2

The backward pass was derived by symgrad from these equations. Every gradient below was proved
equal, for every size, to the derivative of the forward pass; the formula that each line
computes stands above it (d_x is the gradient of the final scalar with respect to x).

Generated from the layer gelu_tanh and the template numpy/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate gelu_tanh --backend numpy
"""

import math
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

    # y[i] = x[i] * (1 + tanh(sqrt(2 / pi) * (x[i] + 8943 * x[i]**3 / 200000))) / 2
    part_power_x = np.power(x, 3.0, out=np.empty_like(x))
    part_power_x *= 8943/200000
    work = np.add(x, part_power_x, out=part_power_x)
    work *= math.sqrt(2 / math.pi)
    y = np.tanh(work, out=work)
    y += 1
    y *= 0.5
    y *= x

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

    # shared[i] = tanh(sqrt(2 / pi) * (x[i] + 8943 * x[i]**3 / 200000))
    part_power_x = np.power(x, 3.0, out=np.empty_like(x))
    part_power_x *= 8943/200000
    work = np.add(x, part_power_x, out=part_power_x)
    work *= math.sqrt(2 / math.pi)
    shared = np.tanh(work, out=work)
    # d_x[i] = (1 + tanh(sqrt(2 / pi) * (x[i] + 8943 * x[i]**3 / 200000)) + x[i] * (1 - tanh(sqrt(2
    #     / pi) * (x[i] + 8943 * x[i]**3 / 200000))**2) * sqrt(2 / pi) * (1 + 26829 * x[i]**2 /
    #     200000)) * d_y[i] / 2
    shared_squared = np.square(shared, out=np.empty_like(x))
    work_2 = np.subtract(1, shared_squared, out=shared_squared)
    work_2 *= math.sqrt(2 / math.pi)
    work_2 *= x
    one_plus_part_x_squared = np.square(x, out=np.empty_like(x))
    one_plus_part_x_squared *= 26829/200000
    one_plus_part_x_squared += 1
    work_2 *= one_plus_part_x_squared
    d_x = np.add(shared, work_2, out=shared)
    d_x += 1
    d_x *= 0.5
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
