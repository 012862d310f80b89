"""Local response normalization: each value divided by the activity of the channels around it.

Forward and backward pass for NumPy of

    s[b, c, p] = bias + alpha * mean[k](pad(x[b, c + k - radius, p])**2)
    y[b, c, p] = x[b, c, p] / pow(s[b, c, p], beta)

The backward pass was derived by symgrad from these equations. Every gradient below was proved
equal, for every size, to the derivative of the forward pass; the formula that each line
computes stands above it (d_x is the gradient of the final scalar with respect to x).

Generated from the layer local_response_norm and the template numpy/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate local_response_norm --backend numpy
"""

import math
from typing import NamedTuple

import numpy as np


class Saved(NamedTuple):
    """What `forward` hands to `backward`."""

    x: np.ndarray  # x[b, c, p...]
    alpha: float  # alpha
    beta: float  # beta
    radius: int  # radius
    s: np.ndarray  # s[b, c, p...]


class Gradients(NamedTuple):
    """The gradients of the inputs, each with its input's shape and dtype."""

    x: np.ndarray  # d_x[b, c, p...]


def forward(x, *, alpha=1e-4, beta=0.75, bias=1, radius=2, out=None):
    """Compute y[b, c, p...], and what `backward` needs.

    Args:
        x[b, c, p...]: input.
        alpha: a constant.
        beta: a constant.
        bias: a constant.
        radius: a whole number.
        out: the array to write y into; it may share no memory with the arguments.
    """
    (x,) = _arrays(x=x)
    _check_dimensions("x[b, c, p...]", x, 2, more=True)
    n_b, n_c, *shape_p = x.shape
    n_p = math.prod(shape_p)
    _check_whole(radius=radius)
    n_k = 2 * radius + 1
    x = x.reshape(n_b, n_c, n_p)

    # x_at[b, c, k, p] = pad(x[b, c + k - radius, p])
    at_c = np.arange(n_c)[:, None] + np.arange(n_k) - radius
    x_at = _entries(x, 1, at_c, outside=True)
    # sum_x_at_squared[b, c, p] = sum[k](pad(x[b, c + k - radius, p])**2)
    sum_x_at_squared = np.einsum("bckp,bckp->bcp", x_at, x_at, optimize=True)
    # s[b, c, p] = bias + alpha * mean[k](pad(x[b, c + k - radius, p])**2)
    s = np.multiply(sum_x_at_squared, alpha / n_k, out=sum_x_at_squared)
    s += bias
    # y[b, c, p] = x[b, c, p] / pow(s[b, c, p], beta)
    pow_s_beta = s ** beta
    y = np.divide(x, pow_s_beta, out=pow_s_beta)

    saved = Saved(x.reshape(n_b, n_c, *shape_p), alpha, beta, radius, s.reshape(n_b, n_c, *shape_p))
    return _into(out, y.reshape(n_b, n_c, *shape_p)), saved


def backward(saved, d_y, out=None):
    """Compute the gradients of the inputs from d_y[b, c, p...], the gradient of what `forward` returned.

    They are written into the arrays of `out`, where it has some; these may share no memory with what is read.
    """
    out = Gradients(None) if out is None else out
    x, alpha, beta, radius, s = saved
    n_b, n_c, *shape_p = x.shape
    n_p = math.prod(shape_p)
    (d_y,) = _arrays(x.dtype, d_y=d_y)
    _check_shape("d_y[b, c, p...]", d_y, (n_b, n_c, *shape_p))
    n_k = 2 * radius + 1
    x = x.reshape(n_b, n_c, n_p)
    s = s.reshape(n_b, n_c, n_p)
    d_y = d_y.reshape(n_b, n_c, n_p)
    dtype = x.dtype

    # pow_s_beta[b, c, p] = pow(s[b, c, p], beta)
    pow_s_beta = s ** beta
    # d_s[b, c, p] = -x[b, c, p] * beta * pow(s[b, c, p], beta - 1) * d_y[b, c, p] / pow(s[b, c, p], beta)**2
    d_s = s ** (beta - 1)
    d_s *= -beta
    d_s *= x
    d_s *= d_y
    pow_s_beta_squared = np.square(pow_s_beta)
    d_s /= pow_s_beta_squared
    # values_at[b, j, k, p] = d_s[b, j, p]
    values_at = np.empty((n_b, n_c, n_k, n_p), dtype)
    values_at[...] = d_s[:, :, None, :]
    # added[b, c, p] = sum[j, k](where(c == j + k - radius, 1, 0) * d_s[b, j, p])
    at_c = np.arange(n_c)[:, None] + np.arange(n_k) - radius
    added = _added(values_at, 1, at_c, n_c, outside=True)
    # d_x[b, c, p] = d_y[b, c, p] / pow(s[b, c, p], beta)
    #     + 2 * alpha * x[b, c, p] * sum[j, k](where(c == j + k - radius, 1, 0) * d_s[b, j, p]) / size[k]
    d_x = np.divide(d_y, pow_s_beta, out=pow_s_beta)
    added *= 2 * alpha / n_k
    work = np.multiply(added, x, out=added)
    d_x += work

    return Gradients(x=_into(out.x, d_x.reshape(n_b, n_c, *shape_p)))


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


def _check_whole(**constants):
    """Raise unless constants are whole numbers."""
    for name, constant in constants.items():
        if not isinstance(constant, int):
            raise TypeError(f"{name} must be a whole number, not {constant!r}.")


def _entries(array, axis, places, outside=False):
    """The entries at computed places of one dimension; 0 for places that lie outside, where they may."""
    if not outside:
        return np.take(array, places, axis)
    inside = (places >= 0) & (places < array.shape[axis])
    found = np.take(array, np.where(inside, places, 0), axis)
    found[(slice(None),) * axis + (~inside,)] = 0
    return found


def _added(values, axis, places, length, outside=False):
    """Values added up at computed places of one dimension; those outside are left out."""
    shape = values.shape
    values = values.reshape(*shape[:axis], places.size, *shape[axis + places.ndim :])
    order = np.argsort(places, axis=None, kind="stable")
    places = places.ravel()[order]
    if outside:
        inside = (places >= 0) & (places < length)
        order, places = order[inside], places[inside]
    added = np.zeros((*shape[:axis], length, *values.shape[axis + 1 :]), values.dtype)
    if places.size:
        starts = np.flatnonzero(np.diff(places, prepend=-1))
        at = (slice(None),) * axis + (places[starts],)
        added[at] = np.add.reduceat(np.take(values, order, axis), starts, axis)
    return added
