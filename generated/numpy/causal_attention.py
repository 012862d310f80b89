"""Scaled dot-product attention in which each place sees itself and what is before it.

Forward and backward pass for NumPy of

    s[b, n, m] = sum[d](q[b, n, d] * k[b, m, d]) / sqrt(size[d])
    p[b, n, m] = where(m <= n, exp(s[b, n, m]), 0) / sum[m](where(m <= n, exp(s[b, n, m]), 0))
    y[b, n, e] = sum[m](p[b, n, m] * v[b, m, e])

The backward pass was derived by symgrad from these equations. Every gradient below was proved
equal, for every size, to the derivative of the forward pass; the formula that each line
computes stands above it (d_x is the gradient of the final scalar with respect to x).

Generated from the layer causal_attention and the template numpy/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate causal_attention --backend numpy
"""

import math
from typing import NamedTuple

import numpy as np


class Saved(NamedTuple):
    """What `forward` hands to `backward`."""

    q: np.ndarray  # q[b..., n, d]
    k: np.ndarray  # k[b..., m, d]
    v: np.ndarray  # v[b..., m, e]
    p: np.ndarray  # p[b..., n, m]


class Gradients(NamedTuple):
    """The gradients of the inputs, each with its input's shape and dtype."""

    q: np.ndarray  # d_q[b..., n, d]
    k: np.ndarray  # d_k[b..., m, d]
    v: np.ndarray  # d_v[b..., m, e]


def forward(q, k, v, *, out=None):
    """Compute y[b..., n, e], and what `backward` needs.

    Args:
        q[b..., n, d]: input.
        k[b..., m, d]: input.
        v[b..., m, e]: input.
        out: the array to write y into; it may share no memory with the arguments.
    """
    q, k, v = _arrays(q=q, k=k, v=v)
    _check_dimensions("q[b..., n, d]", q, 2, more=True)
    *shape_b, n_n, n_d = q.shape
    n_b = math.prod(shape_b)
    _check_shape("k[b..., m, d]", k, (*shape_b, n_n, n_d))
    _check_dimensions("v[b..., m, e]", v, 2, more=True)
    n_e = v.shape[-1]
    _check_shape("v[b..., m, e]", v, (*shape_b, n_n, n_e))
    q = q.reshape(n_b, n_n, n_d)
    k = k.reshape(n_b, n_n, n_d)
    v = v.reshape(n_b, n_n, n_e)
    dtype = q.dtype

    # s[b, n, m] = sum[d](q[b, n, d] * k[b, m, d]) / sqrt(size[d])
    s = q @ k.swapaxes(-1, -2) / math.sqrt(n_d)
    # s_masked[b, m, n] = where(m <= n, s[b, n, m], log(0))
    s_masked = np.where(np.arange(n_n)[:, None] <= np.arange(n_n), s.transpose(0, 2, 1), -math.inf)
    # max_s_masked[b, n] = max[m](where(m <= n, s[b, n, m], log(0)))
    max_s_masked = s_masked.max(axis=1)
    # exp_s_masked[b, m, n] = exp(where(m <= n, s[b, n, m], log(0)) - max_s_masked[b, n])
    work = np.subtract(s_masked, max_s_masked[:, None, :], out=s_masked)
    exp_s_masked = np.exp(work, out=work)
    # sum_exp_s_masked[b, n] = sum[m](exp(where(m <= n, s[b, n, m], log(0)) - max_s_masked[b, n]))
    sum_exp_s_masked = _sum(exp_s_masked, 1)
    # p[b, n, m] = where(m <= n, exp(s[b, n, m]), 0) / sum[m](where(m <= n, exp(s[b, n, m]), 0))
    p = exp_s_masked.transpose(0, 2, 1) * (1 / sum_exp_s_masked).astype(dtype)[:, :, None]
    # y[b, n, e] = sum[m](p[b, n, m] * v[b, m, e])
    y = p @ v

    saved = Saved(
        q.reshape(*shape_b, n_n, n_d),
        k.reshape(*shape_b, n_n, n_d),
        v.reshape(*shape_b, n_n, n_e),
        p.reshape(*shape_b, n_n, n_n),
    )
    return _into(out, y.reshape(*shape_b, n_n, n_e)), saved


def backward(saved, d_y, out=None):
    """Compute the gradients of the inputs from d_y[b..., n, e], the gradient of what `forward` returned.

    They are written into the arrays of `out`, where it has some; these may share no memory with what is read.
    """
    out = Gradients(None, None, None) if out is None else out
    q, k, v, p = saved
    *shape_b, n_n, n_d = q.shape
    n_b = math.prod(shape_b)
    n_e = v.shape[-1]
    (d_y,) = _arrays(q.dtype, d_y=d_y)
    _check_shape("d_y[b..., n, e]", d_y, (*shape_b, n_n, n_e))
    q = q.reshape(n_b, n_n, n_d)
    k = k.reshape(n_b, n_n, n_d)
    v = v.reshape(n_b, n_n, n_e)
    p = p.reshape(n_b, n_n, n_n)
    d_y = d_y.reshape(n_b, n_n, n_e)

    # d_p[b, n, m] = sum[e](v[b, m, e] * d_y[b, n, e])
    d_p = d_y @ v.swapaxes(-1, -2)
    # sum_p_d_p[b, n] = sum[i](p[b, n, i] * d_p[b, n, i])
    sum_p_d_p = np.einsum("bni,bni->bn", p, d_p, dtype=np.float64)
    # d_s[b, n, m] = p[b, n, m] * (d_p[b, n, m] - sum[i](p[b, n, i] * d_p[b, n, i]))
    d_s = _centre(d_p, sum_p_d_p[:, :, None], out=d_p)
    d_s *= p
    # d_q[b, n, d] = sum[m](k[b, m, d] * d_s[b, n, m]) / sqrt(size[d])
    d_q = d_s @ k / math.sqrt(n_d)
    # d_k[b, m, d] = sum[n](q[b, n, d] * d_s[b, n, m]) / sqrt(size[d])
    d_k = d_s.swapaxes(-1, -2) @ q / math.sqrt(n_d)
    # d_v[b, m, e] = sum[n](p[b, n, m] * d_y[b, n, e])
    d_v = p.swapaxes(-1, -2) @ d_y

    return Gradients(
        q=_into(out.q, d_q.reshape(*shape_b, n_n, n_d)),
        k=_into(out.k, d_k.reshape(*shape_b, n_n, n_d)),
        v=_into(out.v, d_v.reshape(*shape_b, n_n, n_e)),
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


def _into(out, result):
    """The result, in `out` where that is given."""
    if out is None:
        return result
    if out.shape != result.shape or out.dtype != result.dtype:
        raise ValueError(f"an array of out has {out.shape} of {out.dtype}, not {result.shape} of {result.dtype}.")
    if not np.may_share_memory(out, result):  # it was computed elsewhere
        out[...] = result
    return out


def _sum(array, axes):
    """The sum over axes in double precision, but for rows and short columns, which BLAS adds up in their own type."""
    axes = tuple(range(array.ndim)) if axes is None else axes if isinstance(axes, tuple) else (axes,)
    if axes[-1] == array.ndim - 1 and 32 <= array.shape[-1] <= 16384 and array.strides[-1] == array.itemsize:
        ones = np.ones(array.shape[-1], array.dtype)
        array, axes = np.matmul(array[..., None, :], ones[:, None])[..., 0, 0], axes[:-1]
    elif axes == (0,) and array.ndim == 2 and array.shape[0] <= 1024:
        return (np.ones(array.shape[0], array.dtype) @ array).astype(np.float64)
    elif math.prod(array.shape[axis] for axis in axes) <= 128:
        return array.sum(axis=axes).astype(np.float64)
    return array.sum(axis=axes, dtype=np.float64)


def _centre(array, mean, out=None):
    """array - mean, with `mean` in double precision split in two, so that float32 loses nothing of it."""
    high = mean.astype(array.dtype)
    low = (mean - high).astype(array.dtype)
    out = np.subtract(array, high, out=out)
    return np.subtract(out, low, out=out) if low.any() else out
