"""Binary cross entropy of probabilities.

Forward and backward pass for NumPy of

    L = -mean[i](t[i] * where(-100 < log(p[i]), log(p[i]), where(log(p[i]) < -100, -100, (log(p[i]) - 100) / 2))
        + (1 - t[i]) * where(-100 < log1p(-p[i]), log1p(-p[i]), where(log1p(-p[i]) < -100, -100, (log1p(-p[i]) -
        100) / 2)))

The backward pass was derived by symgrad from these equations. Every gradient below was proved
equal, for every size, to the derivative of the forward pass; the formula that each line
computes stands above it (d_x is the gradient of the final scalar with respect to x).

Generated from the layer bce and the template numpy/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate bce --backend numpy
"""

from typing import NamedTuple

import numpy as np


class Saved(NamedTuple):
    """What `forward` hands to `backward`."""

    p: np.ndarray  # p[i...]
    t: np.ndarray  # t[i...]


class Gradients(NamedTuple):
    """The gradients of the inputs, each with its input's shape and dtype."""

    p: np.ndarray  # d_p[i...]


def forward(p, t):
    """Compute L, and what `backward` needs.

    Args:
        p[i...]: input.
        t[i...]: target, gets no gradient.
    """
    p, t = _arrays(p=p, t=t)
    _check_dimensions("p[i...]", p, 0, more=True)
    _check_shape("t[i...]", t, p.shape)
    dtype = p.dtype

    # L = -mean[i](t[i] * where(-100 < log(p[i]), log(p[i]), where(log(p[i]) < -100, -100,
    #     (log(p[i]) - 100) / 2)) + (1 - t[i]) * where(-100 < log1p(-p[i]), log1p(-p[i]),
    #     where(log1p(-p[i]) < -100, -100, (log1p(-p[i]) - 100) / 2)))
    p_masked = np.where(-100 < np.log(p), p, 1)
    log_p_masked = np.log(p_masked, out=p_masked)
    p_masked_2 = np.where(np.log(p) < -100, 1, p)
    p_masked_masked = np.where(-100 < np.log(p), 1, p_masked_2)
    work_3 = np.log(p_masked_masked, out=p_masked_masked)
    work_3 -= 100
    work_3 *= 0.5
    work_2 = np.where(np.log(p) < -100, -100, work_3)
    work = np.where(-100 < np.log(p), log_p_masked, work_2)
    work *= t
    work_4 = np.subtract(1, t, out=p_masked_2)
    p_2 = np.negative(p, out=work_3)
    p_masked_3 = np.where(-100 < np.log1p(-p), p_2, 1)
    log1p_p_masked = np.log1p(p_masked_3, out=p_masked_3)
    p_3 = np.negative(p, out=log_p_masked)
    p_masked_4 = np.where(np.log1p(-p) < -100, 1, p_3)
    p_masked_masked_2 = np.where(-100 < np.log1p(-p), 1, p_masked_4)
    work_7 = np.log1p(p_masked_masked_2, out=p_masked_masked_2)
    work_7 -= 100
    work_7 *= 0.5
    work_6 = np.where(np.log1p(-p) < -100, -100, work_7)
    work_5 = np.where(-100 < np.log1p(-p), log1p_p_masked, work_6)
    work_4 *= work_5
    work += work_4
    L = -work.mean(dtype=np.float64)

    saved = Saved(p, t)
    return L.astype(dtype), saved


def backward(saved, d_L=1.0, out=None):
    """Compute the gradients of the inputs from d_L, the gradient of what `forward` returned.

    They are written into the arrays of `out`, where it has some; these may share no memory with what is read.
    """
    out = Gradients(None) if out is None else out
    p, t = saved
    n_i = p.size
    d_L = float(d_L)

    # d_p[i] = -d_L * mean[k](t[k] * where(-100 < log(p[k]), where(k == i, 1, 0) / p[k],
    #     where(log(p[k]) < -100, 0, where(k == i, 1, 0) / (2 * p[k]))) + (1 - t[k]) * where(-100 <
    #     log1p(-p[k]), -where(k == i, 1, 0) / (1 - p[k]), where(log1p(-p[k]) < -100, 0, -where(k ==
    #     i, 1, 0) / (2 * (1 - p[k])))))
    p_masked = np.where(-100 < np.log(p), p, 1)
    t_reciprocal_p_masked = np.divide(t, p_masked, out=p_masked)
    d_p = np.where(-100 < np.log(p), t_reciprocal_p_masked, 0)
    work_2 = np.multiply(t, 0.5, out=t_reciprocal_p_masked)
    p_masked_2 = np.where((~(-100 < np.log(p))) & (~(np.log(p) < -100)), p, 1)
    work_2 /= p_masked_2
    work = np.where((~(-100 < np.log(p))) & (~(np.log(p) < -100)), work_2, 0)
    d_p += work
    work_4 = np.subtract(1, t, out=p_masked_2)
    work_4 = np.negative(work_4, out=work_4)
    one_minus_p = np.subtract(1, p, out=work_2)
    one_minus_p_masked = np.where(-100 < np.log1p(-p), one_minus_p, 1)
    work_4 /= one_minus_p_masked
    work_3 = np.where(-100 < np.log1p(-p), work_4, 0)
    d_p += work_3
    work_6 = np.subtract(1, t, out=work)
    work_6 *= -0.5
    one_minus_p_2 = np.subtract(1, p, out=one_minus_p)
    one_minus_p_masked_2 = np.where((~(-100 < np.log1p(-p))) & (~(np.log1p(-p) < -100)), one_minus_p_2, 1)
    work_6 /= one_minus_p_masked_2
    work_5 = np.where((~(-100 < np.log1p(-p))) & (~(np.log1p(-p) < -100)), work_6, 0)
    d_p += work_5
    d_p *= -d_L / n_i

    return Gradients(p=_into(out.p, d_p))


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
