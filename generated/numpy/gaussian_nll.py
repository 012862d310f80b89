"""The negative log-likelihood of targets under a normal distribution with mean and variance.

Forward and backward pass for NumPy of

    v[i] = where(var[i] < eps, eps, var[i])
    L = mean[i](log(v[i]) + (mu[i] - t[i])**2 / v[i]) / 2

The backward pass was derived by symgrad from these equations. Every gradient below was proved
equal, for every size, to the derivative of the forward pass; the formula that each line
computes stands above it (d_x is the gradient of the final scalar with respect to x).

Generated from the layer gaussian_nll and the template numpy/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate gaussian_nll --backend numpy
"""

from typing import NamedTuple

import numpy as np


class Saved(NamedTuple):
    """What `forward` hands to `backward`."""

    mu: np.ndarray  # mu[i...]
    var: np.ndarray  # var[i...]
    t: np.ndarray  # t[i...]
    eps: float  # eps


class Gradients(NamedTuple):
    """The gradients of the inputs, each with its input's shape and dtype."""

    mu: np.ndarray  # d_mu[i...]
    var: np.ndarray  # d_var[i...]


def forward(mu, var, t, *, eps=1e-6):
    """Compute L, and what `backward` needs.

    Args:
        mu[i...]: input.
        var[i...]: input.
        t[i...]: target, gets no gradient.
        eps: a constant.
    """
    mu, var, t = _arrays(mu=mu, var=var, t=t)
    _check_dimensions("mu[i...]", mu, 0, more=True)
    _check_shape("var[i...]", var, mu.shape)
    _check_shape("t[i...]", t, mu.shape)
    dtype = mu.dtype

    # v[i] = where(var[i] < eps, eps, var[i])
    v = np.where(var < eps, eps, var)
    # L = mean[i](log(v[i]) + (mu[i] - t[i])**2 / v[i]) / 2
    work = np.log(v, out=np.empty_like(mu))
    mu_minus_t = np.subtract(mu, t, out=np.empty_like(mu))
    work_2 = np.square(mu_minus_t, out=mu_minus_t)
    work_2 /= v
    work += work_2
    L = work.mean(dtype=np.float64) / 2

    saved = Saved(mu, var, t, eps)
    return L.astype(dtype), saved


def backward(saved, d_L=1.0, out=None):
    """Compute the gradients of the inputs from d_L, the gradient of what `forward` returned.

    They are written into the arrays of `out`, where it has some; these may share no memory with what is read.
    """
    out = Gradients(None, None) if out is None else out
    mu, var, t, eps = saved
    n_i = mu.size
    d_L = float(d_L)
    dtype = mu.dtype

    # v[i] = where(var[i] < eps, eps, var[i])
    v = np.where(var < eps, eps, var)
    # mu_minus_t[i] = mu[i] - t[i]
    mu_minus_t = np.subtract(mu, t, out=np.empty_like(mu))
    # d_mu[i] = (mu[i] - t[i]) * d_L / (size[i] * v[i])
    d_mu = np.multiply(mu_minus_t, d_L / n_i, out=np.empty_like(mu))
    d_mu /= v
    # d_v[i] = (1 / v[i] - (mu[i] - t[i])**2 / v[i]**2) * d_L / (2 * size[i])
    d_v = np.reciprocal(v, out=np.empty_like(mu))
    work = np.square(mu_minus_t, out=mu_minus_t)
    v_squared = np.square(v, out=v)
    work /= v_squared
    d_v -= work
    d_v *= d_L / (2 * n_i)
    # d_var[i] = where(var[i] < eps, 0, 1) * d_v[i]
    masked = np.where(var < eps, 0, 1).astype(dtype)
    d_var = np.multiply(d_v, masked, out=d_v)

    return Gradients(mu=_into(out.mu, d_mu), var=_into(out.var, d_var))


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
