"""Weight normalization: a weight as its length g and its direction v, for each output.

Forward and backward pass for NumPy of

    r[o] = sqrt(sum[i](v[o, i]**2))
    w[o, i] = g[o] * v[o, i] / r[o]

The backward pass was derived by symgrad from these equations. Every gradient below was proved
equal, for every size, to the derivative of the forward pass; the formula that each line
computes stands above it (d_x is the gradient of the final scalar with respect to x).

Generated from the layer weight_norm and the template numpy/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate weight_norm --backend numpy
"""

import math
from typing import NamedTuple

import numpy as np


class Saved(NamedTuple):
    """What `forward` hands to `backward`."""

    v: np.ndarray  # v[o, i...]
    g: np.ndarray  # g[o]
    r: np.ndarray  # r[o]


class Gradients(NamedTuple):
    """The gradients of the inputs, each with its input's shape and dtype."""

    v: np.ndarray  # d_v[o, i...]
    g: np.ndarray  # d_g[o]


def forward(v, g):
    """Compute w[o, i...], and what `backward` needs.

    Args:
        v[o, i...]: parameter.
        g[o]: parameter.
    """
    v, g = _arrays(v=v, g=g)
    _check_dimensions("v[o, i...]", v, 1, more=True)
    n_o, *shape_i = v.shape
    n_i = math.prod(shape_i)
    _check_shape("g[o]", g, (n_o,))
    v = v.reshape(n_o, n_i)
    dtype = v.dtype

    # sum_v_squared[o] = sum[i](v[o, i]**2)
    sum_v_squared = np.einsum("oi,oi->o", v, v, dtype=np.float64)
    # r[o] = sqrt(sum[i](v[o, i]**2))
    r = np.sqrt(sum_v_squared)
    # w[o, i] = g[o] * v[o, i] / r[o]
    w = v * (g / r).astype(dtype)[:, None]

    saved = Saved(v.reshape(n_o, *shape_i), g, r)
    return w.reshape(n_o, *shape_i), saved


def backward(saved, d_w):
    """Compute the gradients of the inputs from d_w[o, i...], the gradient of what `forward` returned."""
    v, g, r = saved
    n_o, *shape_i = v.shape
    n_i = math.prod(shape_i)
    (d_w,) = _arrays(v.dtype, d_w=d_w)
    _check_shape("d_w[o, i...]", d_w, (n_o, *shape_i))
    v = v.reshape(n_o, n_i)
    d_w = d_w.reshape(n_o, n_i)
    dtype = v.dtype

    # sum_v_d_w[o] = sum[i](v[o, i] * d_w[o, i])
    sum_v_d_w = np.einsum("oi,oi->o", v, d_w, dtype=np.float64)
    # d_g[o] = sum[i](v[o, i] * d_w[o, i]) / r[o]
    d_g = sum_v_d_w / r
    # sum_v_squared[o] = sum[i](v[o, i]**2)
    sum_v_squared = np.einsum("oi,oi->o", v, v, dtype=np.float64)
    # d_r[o] = -g[o] * sum[i](v[o, i] * d_w[o, i]) / r[o]**2
    d_r = -g * sum_v_d_w / r**2
    # d_v[o, i] = g[o] * d_w[o, i] / r[o] + v[o, i] * d_r[o] / sqrt(sum[k](v[o, k]**2))
    d_v = d_w * (g / r).astype(dtype)[:, None]
    work = v * (d_r / np.sqrt(sum_v_squared)).astype(dtype)[:, None]
    d_v += work

    return Gradients(v=d_v.reshape(n_o, *shape_i), g=d_g.astype(dtype))


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
