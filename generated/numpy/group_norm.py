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

BLOCK = 65536
"""How many numbers of the largest array are computed at a time, so that they stay in the processor's cache."""


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

    # a block of s after the other
    mu, var, y = _in_blocks(
        _forward_block,
        (x, w, beta, eps),
        cut=(0, None, None, None),
        join=(0, 0, 0),
    )

    saved = Saved(x.reshape(n_s, n_g, n_c, *shape_k), w, eps, mu, var)
    return y.reshape(n_s, n_g, n_c, *shape_k), saved


def _forward_block(x, w, beta, eps):
    """Compute mu, var, y of a block of s."""
    n_c = x.shape[2]
    n_k = x.shape[3]
    dtype = x.dtype

    # mu[s, g] = mean[c, k](x[s, g, c, k])
    mu = x.mean(axis=(2, 3), dtype=np.float64)
    # x_minus_mu[s, g, c, k] = x[s, g, c, k] - mu[s, g]
    x_minus_mu = _centre(x, mu[:, :, None, None])
    # var[s, g] = mean[c, k]((x[s, g, c, k] - mu[s, g])**2)
    var = _dot(x_minus_mu, x_minus_mu, (2, 3)) / (n_c * n_k)
    # y[s, g, c, k] = w[g, c] * (x[s, g, c, k] - mu[s, g]) / sqrt(var[s, g] + eps) + beta[g, c]
    y = np.multiply(x_minus_mu, w[:, :, None], out=x_minus_mu)
    y *= (1 / np.sqrt(var + eps)).astype(dtype)[:, :, None, None]
    y += beta[:, :, None]

    return mu, var, y


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

    # rsqrt_var[s, g] = 1 / sqrt(var[s, g] + eps)
    rsqrt_var = 1 / np.sqrt(var + eps)
    # a block of s after the other
    d_w, d_beta, d_x = _in_blocks(
        _backward_block,
        (x, w, mu, d_y, rsqrt_var),
        cut=(0, None, 0, 0, 0),
        join=(None, None, 0),
    )

    return Gradients(
        x=d_x.reshape(n_s, n_g, n_c, *shape_k),
        w=d_w.astype(dtype),
        beta=d_beta.astype(dtype),
    )


def _backward_block(x, w, mu, d_y, rsqrt_var):
    """Compute d_w, d_beta, d_x of a block of s."""
    n_c = x.shape[2]
    n_k = x.shape[3]
    dtype = x.dtype

    # x_minus_mu[s, g, c, k] = x[s, g, c, k] - mu[s, g]
    x_minus_mu = _centre(x, mu[:, :, None, None])
    # d_w[g, c] = sum[s, k]((x[s, g, c, k] - mu[s, g]) * d_y[s, g, c, k] / sqrt(var[s, g] + eps)), of this block
    x_minus_mu_rsqrt_var = x_minus_mu * rsqrt_var.astype(dtype)[:, :, None, None]
    d_w = _dot(x_minus_mu_rsqrt_var, d_y, (0, 3))
    # d_beta[g, c] = sum[s, k](d_y[s, g, c, k]), of this block
    d_beta = _sum(d_y, (0, 3))
    # sum_w_d_y[s, g] = sum[c, k](w[g, c] * d_y[s, g, c, k])
    sum_w_d_y = _dot(d_y, w[:, :, None], (2, 3))
    # d_mu[s, g] = -sum[c, k](w[g, c] * d_y[s, g, c, k]) / sqrt(var[s, g] + eps)
    d_mu = -rsqrt_var * sum_w_d_y
    # sum_w_x_minus_mu_d_y[s, g] = sum[c, k](w[g, c] * (x[s, g, c, k] - mu[s, g]) * d_y[s, g, c, k])
    w_x_minus_mu = np.multiply(x_minus_mu, w[:, :, None], out=x_minus_mu_rsqrt_var)
    sum_w_x_minus_mu_d_y = _dot(w_x_minus_mu, d_y, (2, 3))
    # d_var[s, g] = -sum[c, k](w[g, c] * (x[s, g, c, k] - mu[s, g]) * d_y[s, g, c, k]) / (2 *
    #     (var[s, g] + eps)**(3/2))
    d_var = -rsqrt_var**3 * sum_w_x_minus_mu_d_y / 2
    # d_x[s, g, c, k] = w[g, c] * d_y[s, g, c, k] / sqrt(var[s, g] + eps)
    #     + d_mu[s, g] / (size[c] * size[k])
    #     + 2 * (x[s, g, c, k] - mu[s, g]) * d_var[s, g] / (size[c] * size[k])
    d_x = np.multiply(d_y, w[:, :, None], out=w_x_minus_mu)
    d_x *= rsqrt_var.astype(dtype)[:, :, None, None]
    x_minus_mu *= (2 * d_var / (n_c * n_k)).astype(dtype)[:, :, None, None]
    d_x += x_minus_mu
    d_x += (d_mu / (n_c * n_k)).astype(dtype)[:, :, None, None]

    return d_w, d_beta, d_x


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


def _in_blocks(compute, arguments, cut, join):
    """What `compute` returns for arguments of which some are cut along a dimension: one block after the other.

    The results are joined along a dimension each, or added up (None).
    """
    lengths = [argument.shape[axis] for argument, axis in zip(arguments, cut) if axis is not None]
    size = max(argument.size for argument, axis in zip(arguments, cut) if axis is not None)
    length, step = lengths[0], max(1, lengths[0] * BLOCK // size)
    if step >= length:
        return compute(*arguments)
    whole = None
    for start in range(0, length, step):
        block = [
            argument if axis is None else argument[(slice(None),) * axis + (slice(start, start + step),)]
            for argument, axis in zip(arguments, cut)
        ]
        parts = compute(*block)
        if whole is None:
            whole = [
                0.0 if axis is None else np.empty((*part.shape[:axis], length, *part.shape[axis + 1 :]), part.dtype)
                for part, axis in zip(parts, join)
            ]
        for place, (part, axis) in enumerate(zip(parts, join)):
            if axis is None:
                whole[place] += part
            else:
                whole[place][(slice(None),) * axis + (slice(start, start + step),)] = part
    return whole


def _dot(left, right, axes):
    """The sum of left * right over axes in double precision, but for rows, which BLAS adds up in their own type."""
    axes = tuple(range(left.ndim)) if axes is None else axes if isinstance(axes, tuple) else (axes,)
    if axes[-1] == left.ndim - 1 and 32 <= left.shape[-1] == right.shape[-1] <= 16384:
        rows = np.matmul(left[..., None, :], right[..., None])[..., 0, 0]
        return rows.sum(axis=axes[:-1], dtype=np.float64)
    return _sum(left * right, axes)


def _sum(array, axes):
    """The sum over axes in double precision, but for rows, which NumPy adds up in pairs in their own type."""
    axes = tuple(range(array.ndim)) if axes is None else axes if isinstance(axes, tuple) else (axes,)
    if axes[-1] == array.ndim - 1 and array.shape[-1] >= 32 and array.strides[-1] == array.itemsize:
        array, axes = array.sum(axis=-1), axes[:-1]
    elif math.prod(array.shape[axis] for axis in axes) <= 128:
        return array.sum(axis=axes).astype(np.float64)
    return array.sum(axis=axes, dtype=np.float64)


def _centre(array, mean, out=None):
    """array - mean, with `mean` in double precision split in two, so that float32 loses nothing of it."""
    high = mean.astype(array.dtype)
    low = (mean - high).astype(array.dtype)
    out = np.subtract(array, high, out=out)
    return np.subtract(out, low, out=out) if low.any() else out
