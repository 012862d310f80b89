"""The Gaussian error linear unit: x times the normal distribution function of x.

Forward and backward pass for NumPy of

    y[i] = x[i] * (1 + erf(x[i] / sqrt(2))) / 2

The backward pass was derived by symgrad from these equations. Every gradient below was proved
equal, for every size, to the derivative of the forward pass; the formula that each line
computes stands above it (d_x is the gradient of the final scalar with respect to x).

Generated from the layer gelu and the template numpy/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate gelu --backend numpy
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

    # y[i] = x[i] * (1 + erf(x[i] / sqrt(2))) / 2
    x_rsqrt_two = np.multiply(x, 1 / math.sqrt(2), out=np.empty_like(x))
    y = _erf(x_rsqrt_two, out=x_rsqrt_two)
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

    # d_x[i] = (1 + erf(x[i] / sqrt(2)) + 2 * x[i] * exp(-x[i]**2 / 2) / (sqrt(pi) * sqrt(2))) * d_y[i] / 2
    x_rsqrt_two = np.multiply(x, 1 / math.sqrt(2), out=np.empty_like(x))
    d_x = _erf(x_rsqrt_two, out=x_rsqrt_two)
    part_x_squared = np.square(x, out=np.empty_like(x))
    part_x_squared *= -0.5
    work = np.exp(part_x_squared, out=part_x_squared)
    work *= 2 / (math.sqrt(math.pi) * math.sqrt(2))
    work *= x
    d_x += work
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


def _erf(array, out=None):
    """The error function, to a few units in the last place: erfc where it is below 1/2, else by itself."""
    out = np.empty_like(array) if out is None else out
    small = np.minimum(np.abs(array), 0.46875)
    square = small * small
    top = (0.185777706184603153, 3.16112374387056560, 113.864154151050156, 377.485237685302021, 3209.37758913846947)
    bottom = (1.0, 23.6012909523441209, 244.024637934444173, 1282.61652607737228, 2844.23683343917062)
    centre = small * _polynomial(top, square) / _polynomial(bottom, square)
    magnitude = np.where(np.abs(array) <= 0.46875, centre, 1 - _erfc_of_positive(np.abs(array)))
    return np.copysign(magnitude, array, out=out)


def _erfc_of_positive(array):
    """erfc from 0.46875 on: rational approximations of Cody, Math. Comp. 23 (1969) 631, times exp(-x^2)."""
    near, far = np.clip(array, 0.46875, 4), np.clip(array, 4, 30)
    top = (
        2.15311535474403846e-8, 0.564188496988670089, 8.88314979438837594, 66.1191906371416295, 298.635138197400131,
        881.952221241769090, 1712.04761263407058, 2051.07837782607147, 1230.33935479799725,
    )  # fmt: skip
    bottom = (
        1.0, 15.7449261107098347, 117.693950891312499, 537.181101862009858, 1621.38957456669019,
        3290.79923573345963, 4362.61909014324716, 3439.36767414372164, 1230.33935480374942,
    )  # fmt: skip
    middle = _polynomial(top, near) / _polynomial(bottom, near)
    top = (
        0.0163153871373020978, 0.305326634961232344, 0.360344899949804439, 0.125781726111229246,
        0.0160837851487422766, 6.58749161529837803e-4,
    )  # fmt: skip
    bottom = (
        1.0, 2.56852019228982242, 1.87295284992346725, 0.527905102951428412, 0.0605183413124413191,
        2.33520497626869185e-3,
    )  # fmt: skip
    inverse = 1 / (far * far)
    tail = (0.564189583547756287 - inverse * _polynomial(top, inverse) / _polynomial(bottom, inverse)) / far
    array = np.minimum(array, 30)
    high = np.trunc(array * 16) / 16
    with np.errstate(under="ignore"):
        scale = np.exp(-high * high) * np.exp(-(array - high) * (array + high))
        return np.where(array <= 4, middle, tail) * scale


def _polynomial(coefficients, array):
    """A polynomial by Horner's rule, the highest power first."""
    value = np.full_like(array, coefficients[0])
    for coefficient in coefficients[1:]:
        value *= array
        value += coefficient
    return value
