"""One step of a gated recurrent unit: reset and update gate, candidate, new state.

Forward and backward pass for NumPy of

    u[b, j] = sum[i](x[b, i] * w_ir[j, i]) + b_ir[j] + sum[k](h[b, k] * w_hr[j, k]) + b_hr[j]
    v[b, j] = sum[i](x[b, i] * w_iz[j, i]) + b_iz[j] + sum[k](h[b, k] * w_hz[j, k]) + b_hz[j]
    m[b, j] = sum[k](h[b, k] * w_hn[j, k]) + b_hn[j]
    r[b, j] = sigmoid(u[b, j])
    z[b, j] = sigmoid(v[b, j])
    a[b, j] = sum[i](x[b, i] * w_in[j, i]) + b_in[j] + r[b, j] * m[b, j]
    n[b, j] = tanh(a[b, j])
    h_new[b, j] = (1 - z[b, j]) * n[b, j] + z[b, j] * h[b, j]

The backward pass was derived by symgrad from these equations. Every gradient below was proved
equal, for every size, to the derivative of the forward pass; the formula that each line
computes stands above it (d_x is the gradient of the final scalar with respect to x).

Generated from the layer gru_cell and the template numpy/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate gru_cell --backend numpy
"""

import math
from typing import NamedTuple

import numpy as np


class Saved(NamedTuple):
    """What `forward` hands to `backward`."""

    x: np.ndarray  # x[b, i]
    h: np.ndarray  # h[b, j]
    w_ir: np.ndarray  # w_ir[j, i]
    w_iz: np.ndarray  # w_iz[j, i]
    w_in: np.ndarray  # w_in[j, i]
    w_hr: np.ndarray  # w_hr[j, k]
    w_hz: np.ndarray  # w_hz[j, k]
    w_hn: np.ndarray  # w_hn[j, k]
    u: np.ndarray  # u[b, j]
    v: np.ndarray  # v[b, j]
    m: np.ndarray  # m[b, j]
    a: np.ndarray  # a[b, j]


class Gradients(NamedTuple):
    """The gradients of the inputs, each with its input's shape and dtype."""

    x: np.ndarray  # d_x[b, i]
    h: np.ndarray  # d_h[b, j]
    w_ir: np.ndarray  # d_w_ir[j, i]
    w_iz: np.ndarray  # d_w_iz[j, i]
    w_in: np.ndarray  # d_w_in[j, i]
    w_hr: np.ndarray  # d_w_hr[j, k]
    w_hz: np.ndarray  # d_w_hz[j, k]
    w_hn: np.ndarray  # d_w_hn[j, k]
    b_ir: np.ndarray  # d_b_ir[j]
    b_iz: np.ndarray  # d_b_iz[j]
    b_in: np.ndarray  # d_b_in[j]
    b_hr: np.ndarray  # d_b_hr[j]
    b_hz: np.ndarray  # d_b_hz[j]
    b_hn: np.ndarray  # d_b_hn[j]


def forward(x, h, w_ir, w_iz, w_in, w_hr, w_hz, w_hn, b_ir, b_iz, b_in, b_hr, b_hz, b_hn, *, out=None):
    """Compute h_new[b, j], and what `backward` needs.

    Args:
        x[b, i]: input.
        h[b, j]: input.
        w_ir[j, i]: parameter.
        w_iz[j, i]: parameter.
        w_in[j, i]: parameter.
        w_hr[j, k]: parameter.
        w_hz[j, k]: parameter.
        w_hn[j, k]: parameter.
        b_ir[j]: parameter.
        b_iz[j]: parameter.
        b_in[j]: parameter.
        b_hr[j]: parameter.
        b_hz[j]: parameter.
        b_hn[j]: parameter.
        out: the array to write h_new into; it may share no memory with the arguments.
    """
    x, h, w_ir, w_iz, w_in, w_hr, w_hz, w_hn, b_ir, b_iz, b_in, b_hr, b_hz, b_hn = _arrays(
        x=x,
        h=h,
        w_ir=w_ir,
        w_iz=w_iz,
        w_in=w_in,
        w_hr=w_hr,
        w_hz=w_hz,
        w_hn=w_hn,
        b_ir=b_ir,
        b_iz=b_iz,
        b_in=b_in,
        b_hr=b_hr,
        b_hz=b_hz,
        b_hn=b_hn,
    )
    _check_dimensions("x[b, i]", x, 2)
    n_b, n_i = x.shape
    _check_dimensions("h[b, j]", h, 2)
    n_j = h.shape[1]
    _check_shape("h[b, j]", h, (n_b, n_j))
    _check_shape("w_ir[j, i]", w_ir, (n_j, n_i))
    _check_shape("w_iz[j, i]", w_iz, (n_j, n_i))
    _check_shape("w_in[j, i]", w_in, (n_j, n_i))
    _check_shape("w_hr[j, k]", w_hr, (n_j, n_j))
    _check_shape("w_hz[j, k]", w_hz, (n_j, n_j))
    _check_shape("w_hn[j, k]", w_hn, (n_j, n_j))
    _check_shape("b_ir[j]", b_ir, (n_j,))
    _check_shape("b_iz[j]", b_iz, (n_j,))
    _check_shape("b_in[j]", b_in, (n_j,))
    _check_shape("b_hr[j]", b_hr, (n_j,))
    _check_shape("b_hz[j]", b_hz, (n_j,))
    _check_shape("b_hn[j]", b_hn, (n_j,))

    # sum_x_w_ir[b, j] = sum[i](x[b, i] * w_ir[j, i])
    sum_x_w_ir = x @ w_ir.T
    # sum_h_w_hr[b, j] = sum[k](h[b, k] * w_hr[j, k])
    sum_h_w_hr = h @ w_hr.T
    # u[b, j] = sum[i](x[b, i] * w_ir[j, i]) + b_ir[j] + sum[k](h[b, k] * w_hr[j, k]) + b_hr[j]
    u = np.add(sum_x_w_ir, sum_h_w_hr, out=sum_x_w_ir)
    u += b_ir
    u += b_hr
    # sum_x_w_iz[b, j] = sum[i](x[b, i] * w_iz[j, i])
    sum_x_w_iz = x @ w_iz.T
    # sum_h_w_hz[b, j] = sum[k](h[b, k] * w_hz[j, k])
    sum_h_w_hz = h @ w_hz.T
    # v[b, j] = sum[i](x[b, i] * w_iz[j, i]) + b_iz[j] + sum[k](h[b, k] * w_hz[j, k]) + b_hz[j]
    v = np.add(sum_x_w_iz, sum_h_w_hz, out=sum_x_w_iz)
    v += b_iz
    v += b_hz
    # sum_h_w_hn[b, j] = sum[k](h[b, k] * w_hn[j, k])
    sum_h_w_hn = h @ w_hn.T
    # m[b, j] = sum[k](h[b, k] * w_hn[j, k]) + b_hn[j]
    m = np.add(sum_h_w_hn, b_hn, out=sum_h_w_hn)
    # sum_x_w_in[b, j] = sum[i](x[b, i] * w_in[j, i])
    sum_x_w_in = x @ w_in.T
    # r[b, j] = sigmoid(u[b, j])
    r = _sigmoid(u, out=sum_h_w_hr)
    # a[b, j] = sum[i](x[b, i] * w_in[j, i]) + b_in[j] + r[b, j] * m[b, j]
    r_m = np.multiply(r, m, out=r)
    a = np.add(sum_x_w_in, r_m, out=sum_x_w_in)
    a += b_in
    # z[b, j] = sigmoid(v[b, j])
    z = _sigmoid(v, out=sum_h_w_hz)
    # n[b, j] = tanh(a[b, j])
    n = np.tanh(a, out=r_m)
    # h_new[b, j] = (1 - z[b, j]) * n[b, j] + z[b, j] * h[b, j]
    one_minus_z = 1 - z
    h_new = np.multiply(n, one_minus_z, out=n)
    z_h = np.multiply(z, h, out=z)
    h_new += z_h

    saved = Saved(x, h, w_ir, w_iz, w_in, w_hr, w_hz, w_hn, u, v, m, a)
    return _into(out, h_new), saved


def backward(saved, d_h_new, out=None):
    """Compute the gradients of the inputs from d_h_new[b, j], the gradient of what `forward` returned.

    They are written into the arrays of `out`, where it has some; these may share no memory with what is read.
    """
    out = Gradients(
        None,
        None,
        None,
        None,
        None,
        None,
        None,
        None,
        None,
        None,
        None,
        None,
        None,
        None,
    ) if out is None else out
    x, h, w_ir, w_iz, w_in, w_hr, w_hz, w_hn, u, v, m, a = saved
    n_b, n_i = x.shape
    n_j = h.shape[1]
    (d_h_new,) = _arrays(x.dtype, d_h_new=d_h_new)
    _check_shape("d_h_new[b, j]", d_h_new, (n_b, n_j))
    dtype = x.dtype

    # r[b, j] = sigmoid(u[b, j])
    r = _sigmoid(u)
    # n[b, j] = tanh(a[b, j])
    n = np.tanh(a)
    # z[b, j] = sigmoid(v[b, j])
    z = _sigmoid(v)
    # one_minus_z[b, j] = 1 - z[b, j]
    one_minus_z = 1 - z
    # d_n[b, j] = (1 - z[b, j]) * d_h_new[b, j]
    d_n = one_minus_z * d_h_new
    # d_a[b, j] = (1 - tanh(a[b, j])**2) * d_n[b, j]
    n_squared_ = np.square(n)
    one_minus_n_squared = np.subtract(1, n_squared_, out=n_squared_)
    d_a = np.multiply(d_n, one_minus_n_squared, out=d_n)
    # d_r[b, j] = m[b, j] * d_a[b, j]
    d_r = np.multiply(m, d_a, out=one_minus_n_squared)
    # d_u[b, j] = sigmoid(u[b, j]) * (1 - sigmoid(u[b, j])) * d_r[b, j]
    d_u = np.multiply(d_r, r, out=d_r)
    one_minus_r = 1 - r
    d_u *= one_minus_r
    # d_b_ir[j] = sum[b](d_u[b, j])
    d_b_ir = _sum(d_u, 0)
    # d_z[b, j] = (-n[b, j] + h[b, j]) * d_h_new[b, j]
    d_z = np.negative(n, out=n)
    d_z += h
    d_z *= d_h_new
    # d_v[b, j] = sigmoid(v[b, j]) * (1 - sigmoid(v[b, j])) * d_z[b, j]
    d_v = np.multiply(one_minus_z, z, out=one_minus_z)
    d_v *= d_z
    # d_b_iz[j] = sum[b](d_v[b, j])
    d_b_iz = _sum(d_v, 0)
    # d_b_in[j] = sum[b](d_a[b, j])
    d_b_in = _sum(d_a, 0)
    # d_b_hr[j] = sum[b](d_u[b, j])
    d_b_hr = d_b_ir
    # d_b_hz[j] = sum[b](d_v[b, j])
    d_b_hz = d_b_iz
    # d_m[b, j] = r[b, j] * d_a[b, j]
    d_m = np.multiply(r, d_a, out=r)
    # d_b_hn[j] = sum[b](d_m[b, j])
    d_b_hn = _sum(d_m, 0)
    # sum_w_ir_d_u[b, i] = sum[j](w_ir[j, i] * d_u[b, j])
    sum_w_ir_d_u = d_u @ w_ir
    # sum_w_iz_d_v[b, i] = sum[j](w_iz[j, i] * d_v[b, j])
    sum_w_iz_d_v = d_v @ w_iz
    # sum_w_in_d_a[b, i] = sum[j](w_in[j, i] * d_a[b, j])
    sum_w_in_d_a = d_a @ w_in
    # d_x[b, i] = sum[j](w_ir[j, i] * d_u[b, j]) + sum[j](w_iz[j, i] * d_v[b, j])
    #     + sum[j](w_in[j, i] * d_a[b, j])
    d_x = np.add(sum_w_ir_d_u, sum_w_iz_d_v, out=sum_w_ir_d_u)
    d_x += sum_w_in_d_a
    # sum_w_hr_d_u[b, j] = sum[k](w_hr[k, j] * d_u[b, k])
    sum_w_hr_d_u = d_u @ w_hr
    # sum_w_hz_d_v[b, j] = sum[k](w_hz[k, j] * d_v[b, k])
    sum_w_hz_d_v = d_v @ w_hz
    # sum_w_hn_d_m[b, j] = sum[k](w_hn[k, j] * d_m[b, k])
    sum_w_hn_d_m = d_m @ w_hn
    # d_h[b, j] = z[b, j] * d_h_new[b, j] + sum[k](w_hr[k, j] * d_u[b, k])
    #     + sum[k](w_hz[k, j] * d_v[b, k]) + sum[k](w_hn[k, j] * d_m[b, k])
    d_h = np.multiply(z, d_h_new, out=z)
    d_h += sum_w_hr_d_u
    d_h += sum_w_hz_d_v
    d_h += sum_w_hn_d_m
    # d_w_ir[j, i] = sum[b](x[b, i] * d_u[b, j])
    d_w_ir = d_u.T @ x
    # d_w_iz[j, i] = sum[b](x[b, i] * d_v[b, j])
    d_w_iz = d_v.T @ x
    # d_w_in[j, i] = sum[b](x[b, i] * d_a[b, j])
    d_w_in = d_a.T @ x
    # d_w_hr[j, k] = sum[b](h[b, k] * d_u[b, j])
    d_w_hr = d_u.T @ h
    # d_w_hz[j, k] = sum[b](h[b, k] * d_v[b, j])
    d_w_hz = d_v.T @ h
    # d_w_hn[j, k] = sum[b](h[b, k] * d_m[b, j])
    d_w_hn = d_m.T @ h

    return Gradients(
        x=_into(out.x, d_x),
        h=_into(out.h, d_h),
        w_ir=_into(out.w_ir, d_w_ir),
        w_iz=_into(out.w_iz, d_w_iz),
        w_in=_into(out.w_in, d_w_in),
        w_hr=_into(out.w_hr, d_w_hr),
        w_hz=_into(out.w_hz, d_w_hz),
        w_hn=_into(out.w_hn, d_w_hn),
        b_ir=_into(out.b_ir, d_b_ir.astype(dtype)),
        b_iz=_into(out.b_iz, d_b_iz.astype(dtype)),
        b_in=_into(out.b_in, d_b_in.astype(dtype)),
        b_hr=_into(out.b_hr, d_b_hr.astype(dtype)),
        b_hz=_into(out.b_hz, d_b_hz.astype(dtype)),
        b_hn=_into(out.b_hn, d_b_hn.astype(dtype)),
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


def _sigmoid(array, out=None):
    """1 / (1 + exp(-array)); where exp overflows to infinity the result is its limit, 0."""
    out = np.negative(array, out=np.empty_like(array) if out is None else out)
    with np.errstate(over="ignore", under="ignore"):
        np.exp(out, out=out)
    out += 1
    return np.reciprocal(out, out=out)
