"""Group normalization: each group of channels of each sample, over its channels and positions.

Forward and backward pass for NumPy of

    mu[s, g] = mean[c, k](x[s, g, c, k])
    var[s, g] = mean[c, k]((x[s, g, c, k] - mu[s, g])**2)
    y[s, g, c, k] = w[g, c] * (x[s, g, c, k] - mu[s, g]) / sqrt(var[s, g] + eps) + beta[g, c]

The backward pass was derived by symgrad from these equations. Every gradient below was proved
equal, for every size, to the derivative of the forward pass; the formula that each line
computes stands above it (d_x is the gradient of the final scalar with respect to x).

Generated from the layer group_norm and the template numpy/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate group_norm --backend numpy
"""

import math
from typing import NamedTuple

import numpy as np


class Saved(NamedTuple):
    """What `forward` hands to `backward`."""

    x: np.ndarray  # x[s, g, c, k...]
    w: np.ndarray  # w[g, c]
    eps: float  # eps
    mu: np.ndarray  # mu[s, g]
    var: np.ndarray  # var[s, g]


class Gradients(NamedTuple):
    """The gradients of the inputs, each with its input's shape and dtype."""

    x: np.ndarray  # d_x[s, g, c, k...]
    w: np.ndarray  # d_w[g, c]
    beta: np.ndarray  # d_beta[g, c]


def forward(x, w, beta, *, eps=1e-5):
    """Compute y[s, g, c, k...], and what `backward` needs.

    Args:
        x[s, g, c, k...]: input.
        w[g, c]: parameter.
        beta[g, c]: parameter.
        eps: a constant.
    """
    x, w, beta = _arrays(x=x, w=w, beta=beta)
    _check_dimensions("x[s, g, c, k...]", x, 3, more=True)
    n_s, n_g, n_c, *shape_k = x.shape
    n_k = math.prod(shape_k)
    _check_shape("w[g, c]", w, (n_g, n_c))
    _check_shape("beta[g, c]", beta, (n_g, n_c))
    x = x.reshape(n_s, n_g, n_c, n_k)
    dtype = x.dtype

    # mu[s, g] = mean[c, k](x[s, g, c, k])
    mu = x.mean(axis=(2, 3), dtype=np.float64)
    # x_minus_mu[s, g, c, k] = x[s, g, c, k] - mu[s, g]
    x_minus_mu = _centre(x, mu[:, :, None, None])
    # var[s, g] = mean[c, k]((x[s, g, c, k] - mu[s, g])**2)
    var = np.einsum("sgck,sgck->sg", x_minus_mu, x_minus_mu, dtype=np.float64) / (n_c * n_k)
    # y[s, g, c, k] = w[g, c] * (x[s, g, c, k] - mu[s, g]) / sqrt(var[s, g] + eps) + beta[g, c]
    y = np.multiply(x_minus_mu, w[:, :, None], out=x_minus_mu)
    y *= (1 / np.sqrt(var + eps)).astype(dtype)[:, :, None, None]
    y += beta[:, :, None]

    saved = Saved(x.reshape(n_s, n_g, n_c, *shape_k), w, eps, mu, var)
    return y.reshape(n_s, n_g, n_c, *shape_k), saved


def backward(saved, d_y):
    """Compute the gradients of the inputs from d_y[s, g, c, k...], the gradient of what `forward` returned."""
    x, w, eps, mu, var = saved
    n_s, n_g, n_c, *shape_k = x.shape
    n_k = math.prod(shape_k)
    (d_y,) = _arrays(x.dtype, d_y=d_y)
    _check_shape("d_y[s, g, c, k...]", d_y, (n_s, n_g, n_c, *shape_k))
    x = x.reshape(n_s, n_g, n_c, n_k)
    d_y = d_y.reshape(n_s, n_g, n_c, n_k)
    dtype = x.dtype

    # x_minus_mu[s, g, c, k] = x[s, g, c, k] - mu[s, g]
    x_minus_mu = _centre(x, mu[:, :, None, None])
    # rsqrt_var[s, g] = 1 / sqrt(var[s, g] + eps)
    rsqrt_var = 1 / np.sqrt(var + eps)
    # d_w[g, c] = sum[s, k]((x[s, g, c, k] - mu[s, g]) * d_y[s, g, c, k] / sqrt(var[s, g] + eps))
    d_w = np.einsum("sgck,sg,sgck->gc", x_minus_mu, rsqrt_var, d_y, dtype=np.float64)
    # d_beta[g, c] = sum[s, k](d_y[s, g, c, k])
    d_beta = d_y.sum(axis=(0, 3), dtype=np.float64)
    # sum_w_d_y[s, g] = sum[c, k](w[g, c] * d_y[s, g, c, k])
    sum_w_d_y = np.einsum("gc,sgck->sg", w, d_y, dtype=np.float64)
    # d_mu[s, g] = -sum[c, k](w[g, c] * d_y[s, g, c, k]) / sqrt(var[s, g] + eps)
    d_mu = -rsqrt_var * sum_w_d_y
    # sum_w_x_minus_mu_d_y[s, g] = sum[c, k](w[g, c] * (x[s, g, c, k] - mu[s, g]) * d_y[s, g, c, k])
    sum_w_x_minus_mu_d_y = np.einsum("gc,sgck,sgck->sg", w, x_minus_mu, d_y, dtype=np.float64)
    # d_var[s, g] = -sum[c, k](w[g, c] * (x[s, g, c, k] - mu[s, g]) * d_y[s, g, c, k]) / (2 *
    #     (var[s, g] + eps)**(3/2))
    d_var = -rsqrt_var**3 * sum_w_x_minus_mu_d_y / 2
    # d_x[s, g, c, k] = w[g, c] * d_y[s, g, c, k] / sqrt(var[s, g] + eps)
    #     + d_mu[s, g] / (size[c] * size[k])
    #     + 2 * (x[s, g, c, k] - mu[s, g]) * d_var[s, g] / (size[c] * size[k])
    d_x = d_y * w[:, :, None]
    d_x *= rsqrt_var.astype(dtype)[:, :, None, None]
    x_minus_mu *= (2 * d_var / (n_c * n_k)).astype(dtype)[:, :, None, None]
    d_x += x_minus_mu
    d_x += (d_mu / (n_c * n_k)).astype(dtype)[:, :, None, None]

    return Gradients(
        x=d_x.reshape(n_s, n_g, n_c, *shape_k),
        w=d_w.astype(dtype),
        beta=d_beta.astype(dtype),
    )


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
