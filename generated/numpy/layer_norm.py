"""Layer normalization over the last dimension, with a gain and a bias for each feature.

Forward and backward pass for NumPy of

    mu[b] = mean[d](x[b, d])
    var[b] = mean[d]((x[b, d] - mu[b])**2)
    y[b, d] = w[d] * (x[b, d] - mu[b]) / sqrt(var[b] + eps) + beta[d]

The backward pass was derived by symgrad from these equations. Every gradient below was proved
equal, for every size, to the derivative of the forward pass; the formula that each line
computes stands above it (d_x is the gradient of the final scalar with respect to x).

Generated from the layer layer_norm and the template numpy/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate layer_norm --backend numpy
"""

import math
from typing import NamedTuple

import numpy as np


class Saved(NamedTuple):
    """What `forward` hands to `backward`."""

    x: np.ndarray  # x[b..., d]
    w: np.ndarray  # w[d]
    eps: float  # eps
    mu: np.ndarray  # mu[b...]
    var: np.ndarray  # var[b...]


class Gradients(NamedTuple):
    """The gradients of the inputs, each with its input's shape and dtype."""

    x: np.ndarray  # d_x[b..., d]
    w: np.ndarray  # d_w[d]
    beta: np.ndarray  # d_beta[d]


def forward(x, w, beta, *, eps=1e-5):
    """Compute y[b..., d], and what `backward` needs.

    Args:
        x[b..., d]: input.
        w[d]: parameter.
        beta[d]: parameter.
        eps: a constant.
    """
    x, w, beta = _arrays(x=x, w=w, beta=beta)
    _check_dimensions("x[b..., d]", x, 1, more=True)
    *shape_b, n_d = x.shape
    n_b = math.prod(shape_b)
    _check_shape("w[d]", w, (n_d,))
    _check_shape("beta[d]", beta, (n_d,))
    x = x.reshape(n_b, n_d)
    dtype = x.dtype

    # mu[b] = mean[d](x[b, d])
    mu = x.mean(axis=1, dtype=np.float64)
    # x_minus_mu[b, d] = x[b, d] - mu[b]
    x_minus_mu = _centre(x, mu[:, None])
    # var[b] = mean[d]((x[b, d] - mu[b])**2)
    var = np.einsum("bd,bd->b", x_minus_mu, x_minus_mu, dtype=np.float64) / n_d
    # y[b, d] = w[d] * (x[b, d] - mu[b]) / sqrt(var[b] + eps) + beta[d]
    y = np.multiply(x_minus_mu, w, out=x_minus_mu)
    y *= (1 / np.sqrt(var + eps)).astype(dtype)[:, None]
    y += beta

    saved = Saved(x.reshape(*shape_b, n_d), w, eps, mu.reshape(shape_b), var.reshape(shape_b))
    return y.reshape(*shape_b, n_d), saved


def backward(saved, d_y):
    """Compute the gradients of the inputs from d_y[b..., d], the gradient of what `forward` returned."""
    x, w, eps, mu, var = saved
    *shape_b, n_d = x.shape
    n_b = math.prod(shape_b)
    (d_y,) = _arrays(x.dtype, d_y=d_y)
    _check_shape("d_y[b..., d]", d_y, (*shape_b, n_d))
    x = x.reshape(n_b, n_d)
    mu = mu.reshape(n_b)
    var = var.reshape(n_b)
    d_y = d_y.reshape(n_b, n_d)
    dtype = x.dtype

    # x_minus_mu[b, d] = x[b, d] - mu[b]
    x_minus_mu = _centre(x, mu[:, None])
    # rsqrt_var[b] = 1 / sqrt(var[b] + eps)
    rsqrt_var = 1 / np.sqrt(var + eps)
    # d_w[d] = sum[b]((x[b, d] - mu[b]) * d_y[b, d] / sqrt(var[b] + eps))
    d_w = np.einsum("bd,b,bd->d", x_minus_mu, rsqrt_var, d_y, dtype=np.float64)
    # d_beta[d] = sum[b](d_y[b, d])
    d_beta = d_y.sum(axis=0, dtype=np.float64)
    # sum_w_d_y[b] = sum[d](w[d] * d_y[b, d])
    sum_w_d_y = np.einsum("d,bd->b", w, d_y, dtype=np.float64)
    # d_mu[b] = -sum[d](w[d] * d_y[b, d]) / sqrt(var[b] + eps)
    d_mu = -rsqrt_var * sum_w_d_y
    # sum_w_x_minus_mu_d_y[b] = sum[d](w[d] * (x[b, d] - mu[b]) * d_y[b, d])
    sum_w_x_minus_mu_d_y = np.einsum("d,bd,bd->b", w, x_minus_mu, d_y, dtype=np.float64)
    # d_var[b] = -sum[d](w[d] * (x[b, d] - mu[b]) * d_y[b, d]) / (2 * (var[b] + eps)**(3/2))
    d_var = -rsqrt_var**3 * sum_w_x_minus_mu_d_y / 2
    # d_x[b, d] = w[d] * d_y[b, d] / sqrt(var[b] + eps) + d_mu[b] / size[d]
    #     + 2 * (x[b, d] - mu[b]) * d_var[b] / size[d]
    d_x = d_y * w
    d_x *= rsqrt_var.astype(dtype)[:, None]
    x_minus_mu *= (2 * d_var / n_d).astype(dtype)[:, None]
    d_x += x_minus_mu
    d_x += (d_mu / n_d).astype(dtype)[:, None]

    return Gradients(x=d_x.reshape(*shape_b, n_d), w=d_w.astype(dtype), beta=d_beta.astype(dtype))


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
