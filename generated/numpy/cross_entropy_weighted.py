"""Cross entropy with a weight for each class.

Forward and backward pass for NumPy of

    z[b, k] = log(sum[v](exp(x[b, v, k])))
    L = -sum[b, k, v](w[v] * q[b, v, k] * (x[b, v, k] - z[b, k])) / (size[b] * size[k])

The backward pass was derived by symgrad from these equations. Every gradient below was proved
equal, for every size, to the derivative of the forward pass; the formula that each line
computes stands above it (d_x is the gradient of the final scalar with respect to x).

Generated from the layer cross_entropy_weighted and the template numpy/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate cross_entropy_weighted --backend numpy
"""

import math
from typing import NamedTuple

import numpy as np


class Saved(NamedTuple):
    """What `forward` hands to `backward`."""

    x: np.ndarray  # x[b, v, k...]
    q: np.ndarray  # q[b, v, k...]
    w: np.ndarray  # w[v]
    z: np.ndarray  # z[b, k...]


class Gradients(NamedTuple):
    """The gradients of the inputs, each with its input's shape and dtype."""

    x: np.ndarray  # d_x[b, v, k...]


def forward(x, q, w):
    """Compute L, and what `backward` needs.

    Args:
        x[b, v, k...]: input.
        q[b, v, k...]: target, gets no gradient.
        w[v]: target, gets no gradient.
    """
    x, q, w = _arrays(x=x, q=q, w=w)
    _check_dimensions("x[b, v, k...]", x, 2, more=True)
    n_b, n_v, *shape_k = x.shape
    n_k = math.prod(shape_k)
    _check_shape("q[b, v, k...]", q, (n_b, n_v, *shape_k))
    _check_shape("w[v]", w, (n_v,))
    x = x.reshape(n_b, n_v, n_k)
    q = q.reshape(n_b, n_v, n_k)
    dtype = x.dtype

    # max_x[b, k] = max[v](x[b, v, k])
    max_x = x.max(axis=1)
    # sum_exp_x[b, k] = sum[v](exp(x[b, v, k] - max_x[b, k]))
    x_minus_max_x = x - max_x[:, None, :]
    exp_x_minus_max_x = np.exp(x_minus_max_x, out=x_minus_max_x)
    sum_exp_x = exp_x_minus_max_x.sum(axis=1, dtype=np.float64)
    # z[b, k] = log(sum[v](exp(x[b, v, k])))
    z = max_x + np.log(sum_exp_x)
    # L = -sum[b, k, v](w[v] * q[b, v, k] * (x[b, v, k] - z[b, k])) / (size[b] * size[k])
    x_minus_z = _centre(x, z[:, None, :], out=exp_x_minus_max_x)
    L = -np.einsum("v,bvk,bvk->", w, q, x_minus_z, dtype=np.float64) / (n_b * n_k)

    saved = Saved(
        x.reshape(n_b, n_v, *shape_k),
        q.reshape(n_b, n_v, *shape_k),
        w,
        z.reshape(n_b, *shape_k),
    )
    return L.astype(dtype), saved


def backward(saved, d_L=1.0):
    """Compute the gradients of the inputs from d_L, the gradient of what `forward` returned."""
    x, q, w, z = saved
    n_b, n_v, *shape_k = x.shape
    n_k = math.prod(shape_k)
    d_L = float(d_L)
    x = x.reshape(n_b, n_v, n_k)
    q = q.reshape(n_b, n_v, n_k)
    z = z.reshape(n_b, n_k)
    dtype = x.dtype

    # sum_w_q[b, k] = sum[v](w[v] * q[b, v, k])
    sum_w_q = np.einsum("v,bvk->bk", w, q, dtype=np.float64)
    # d_z[b, k] = d_L * sum[v](w[v] * q[b, v, k]) / (size[b] * size[k])
    d_z = d_L * sum_w_q / (n_b * n_k)
    # d_x[b, v, k] = -w[v] * q[b, v, k] * d_L / (size[b] * size[k])
    #     + exp(x[b, v, k] - z[b, k]) * d_z[b, k]
    d_x = q * (-w * d_L / (n_b * n_k))[:, None]
    x_minus_z = _centre(x, z[:, None, :])
    exp_x_minus_z_d_z = np.exp(x_minus_z, out=x_minus_z)
    exp_x_minus_z_d_z *= d_z.astype(dtype)[:, None, :]
    d_x += exp_x_minus_z_d_z

    return Gradients(x=d_x.reshape(n_b, n_v, *shape_k))


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


def _centre(array, mean, out=None):
    """array - mean, with `mean` in double precision split in two, so that float32 loses nothing of it."""
    high = mean.astype(array.dtype)
    low = (mean - high).astype(array.dtype)
    out = np.subtract(array, high, out=out)
    return np.subtract(out, low, out=out) if low.any() else out
