"""The focal loss of logits against labels 1 and 0, with less weight for what is classified well.

Forward and backward pass for NumPy of

    s[i] = (2 * t[i] - 1) * x[i]
    a[i] = alpha * t[i] + (1 - alpha) * (1 - t[i])
    L = mean[i](a[i] * exp(-gamma * softplus(s[i])) * softplus(-s[i]))

The backward pass was derived by symgrad from these equations. Every gradient below was proved
equal, for every size, to the derivative of the forward pass; the formula that each line
computes stands above it (d_x is the gradient of the final scalar with respect to x).

Generated from the layer focal and the template numpy/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate focal --backend numpy
"""

from typing import NamedTuple

import numpy as np


class Saved(NamedTuple):
    """What `forward` hands to `backward`."""

    x: np.ndarray  # x[i...]
    t: np.ndarray  # t[i...]
    alpha: float  # alpha
    gamma: float  # gamma


class Gradients(NamedTuple):
    """The gradients of the inputs, each with its input's shape and dtype."""

    x: np.ndarray  # d_x[i...]


def forward(x, t, *, alpha=0.25, gamma=2):
    """Compute L, and what `backward` needs.

    Args:
        x[i...]: input.
        t[i...]: target, gets no gradient.
        alpha: a constant.
        gamma: a constant.
    """
    x, t = _arrays(x=x, t=t)
    _check_dimensions("x[i...]", x, 0, more=True)
    _check_shape("t[i...]", t, x.shape)
    dtype = x.dtype

    # a[i] = alpha * t[i] + (1 - alpha) * (1 - t[i])
    a = np.multiply(t, alpha, out=np.empty_like(x))
    one_one_minus_t = np.subtract(1, t, out=np.empty_like(x))
    one_one_minus_t *= 1 - alpha
    a += one_one_minus_t
    # s[i] = (2 * t[i] - 1) * x[i]
    s = np.multiply(t, 2, out=one_one_minus_t)
    s -= 1
    s *= x
    # L = mean[i](a[i] * exp(-gamma * softplus(s[i])) * softplus(-s[i]))
    gamma_softplus_s = np.logaddexp(0, s, out=np.empty_like(x))
    gamma_softplus_s *= -gamma
    exp_gamma_softplus_s = np.exp(gamma_softplus_s, out=gamma_softplus_s)
    work = np.multiply(a, exp_gamma_softplus_s, out=a)
    s_2 = np.negative(s, out=s)
    softplus_s = np.logaddexp(0, s_2, out=s_2)
    work *= softplus_s
    L = work.mean(dtype=np.float64)

    saved = Saved(x, t, alpha, gamma)
    return L.astype(dtype), saved


def backward(saved, d_L=1.0, out=None):
    """Compute the gradients of the inputs from d_L, the gradient of what `forward` returned.

    They are written into the arrays of `out`, where it has some; these may share no memory with what is read.
    """
    out = Gradients(None) if out is None else out
    x, t, alpha, gamma = saved
    n_i = x.size
    d_L = float(d_L)

    # two_t_minus_one[i] = 2 * t[i] - 1
    two_t_minus_one = np.multiply(t, 2, out=np.empty_like(x))
    two_t_minus_one -= 1
    # a[i] = alpha * t[i] + (1 - alpha) * (1 - t[i])
    a = np.multiply(t, alpha, out=np.empty_like(x))
    one_one_minus_t = np.subtract(1, t, out=np.empty_like(x))
    one_one_minus_t *= 1 - alpha
    a += one_one_minus_t
    # s[i] = (2 * t[i] - 1) * x[i]
    s = np.multiply(two_t_minus_one, x, out=one_one_minus_t)
    # exp_gamma_softplus_s[i] = exp(-gamma * softplus(s[i]))
    gamma_softplus_s = np.logaddexp(0, s, out=np.empty_like(x))
    gamma_softplus_s *= -gamma
    exp_gamma_softplus_s = np.exp(gamma_softplus_s, out=gamma_softplus_s)
    # s_2[i] = -s[i]
    s_2 = np.negative(s, out=np.empty_like(x))
    # d_s[i] = (-a[i] * gamma * exp(-gamma * softplus(s[i])) * sigmoid(s[i]) * softplus(-s[i]) -
    #     a[i] * exp(-gamma * softplus(s[i])) * sigmoid(-s[i])) * d_L / size[i]
    d_s = _sigmoid(s, out=s)
    d_s *= -gamma
    d_s *= a
    d_s *= exp_gamma_softplus_s
    softplus_s_2 = np.logaddexp(0, s_2, out=np.empty_like(x))
    d_s *= softplus_s_2
    work = np.multiply(a, exp_gamma_softplus_s, out=a)
    sigmoid_s_2 = _sigmoid(s_2, out=s_2)
    work *= sigmoid_s_2
    d_s -= work
    d_s *= d_L / n_i
    # d_x[i] = (2 * t[i] - 1) * d_s[i]
    d_x = np.multiply(two_t_minus_one, d_s, out=two_t_minus_one)

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


def _sigmoid(array, out=None):
    """1 / (1 + exp(-array)); where exp overflows to infinity the result is its limit, 0."""
    out = np.negative(array, out=np.empty_like(array) if out is None else out)
    with np.errstate(over="ignore", under="ignore"):
        np.exp(out, out=out)
    out += 1
    return np.reciprocal(out, out=out)
