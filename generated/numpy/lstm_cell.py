"""One step of a long short-term memory: input, forget and output gate, candidate, new cell and state.

Forward and backward pass for NumPy of

    ai[b, j] = sum[i](x[b, i] * w_ii[j, i]) + b_ii[j] + sum[k](h[b, k] * w_hi[j, k]) + b_hi[j]
    af[b, j] = sum[i](x[b, i] * w_if[j, i]) + b_if[j] + sum[k](h[b, k] * w_hf[j, k]) + b_hf[j]
    ag[b, j] = sum[i](x[b, i] * w_ig[j, i]) + b_ig[j] + sum[k](h[b, k] * w_hg[j, k]) + b_hg[j]
    ao[b, j] = sum[i](x[b, i] * w_io[j, i]) + b_io[j] + sum[k](h[b, k] * w_ho[j, k]) + b_ho[j]
    gi[b, j] = sigmoid(ai[b, j])
    gf[b, j] = sigmoid(af[b, j])
    gg[b, j] = tanh(ag[b, j])
    go[b, j] = sigmoid(ao[b, j])
    c_new.c_new_value[b, j] = gf[b, j] * c[b, j] + gi[b, j] * gg[b, j]
    c_new[b, j] = c_new.c_new_value[b, j]
    h_new[b, j] = go[b, j] * tanh(c_new.c_new_value[b, j])

The backward pass was derived by symgrad from these equations. Every gradient below was proved
equal, for every size, to the derivative of the forward pass; the formula that each line
computes stands above it (d_x is the gradient of the final scalar with respect to x).

Generated from the layer lstm_cell and the template numpy/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate lstm_cell --backend numpy
"""

import math
from typing import NamedTuple

import numpy as np


class Saved(NamedTuple):
    """What `forward` hands to `backward`."""

    x: np.ndarray  # x[b, i]
    h: np.ndarray  # h[b, j]
    c: np.ndarray  # c[b, j]
    w_ii: np.ndarray  # w_ii[j, i]
    w_if: np.ndarray  # w_if[j, i]
    w_ig: np.ndarray  # w_ig[j, i]
    w_io: np.ndarray  # w_io[j, i]
    w_hi: np.ndarray  # w_hi[j, k]
    w_hf: np.ndarray  # w_hf[j, k]
    w_hg: np.ndarray  # w_hg[j, k]
    w_ho: np.ndarray  # w_ho[j, k]
    ai: np.ndarray  # ai[b, j]
    af: np.ndarray  # af[b, j]
    ag: np.ndarray  # ag[b, j]
    ao: np.ndarray  # ao[b, j]


class Gradients(NamedTuple):
    """The gradients of the inputs, each with its input's shape and dtype."""

    x: np.ndarray  # d_x[b, i]
    h: np.ndarray  # d_h[b, j]
    c: np.ndarray  # d_c[b, j]
    w_ii: np.ndarray  # d_w_ii[j, i]
    w_if: np.ndarray  # d_w_if[j, i]
    w_ig: np.ndarray  # d_w_ig[j, i]
    w_io: np.ndarray  # d_w_io[j, i]
    w_hi: np.ndarray  # d_w_hi[j, k]
    w_hf: np.ndarray  # d_w_hf[j, k]
    w_hg: np.ndarray  # d_w_hg[j, k]
    w_ho: np.ndarray  # d_w_ho[j, k]
    b_ii: np.ndarray  # d_b_ii[j]
    b_if: np.ndarray  # d_b_if[j]
    b_ig: np.ndarray  # d_b_ig[j]
    b_io: np.ndarray  # d_b_io[j]
    b_hi: np.ndarray  # d_b_hi[j]
    b_hf: np.ndarray  # d_b_hf[j]
    b_hg: np.ndarray  # d_b_hg[j]
    b_ho: np.ndarray  # d_b_ho[j]


def forward(x, h, c, w_ii, w_if, w_ig, w_io, w_hi, w_hf, w_hg, w_ho, b_ii, b_if, b_ig, b_io, b_hi, b_hf, b_hg, b_ho, *, out=None):
    """Compute h_new[b, j], c_new[b, j], and what `backward` needs.

    Args:
        x[b, i]: input.
        h[b, j]: input.
        c[b, j]: input.
        w_ii[j, i]: parameter.
        w_if[j, i]: parameter.
        w_ig[j, i]: parameter.
        w_io[j, i]: parameter.
        w_hi[j, k]: parameter.
        w_hf[j, k]: parameter.
        w_hg[j, k]: parameter.
        w_ho[j, k]: parameter.
        b_ii[j]: parameter.
        b_if[j]: parameter.
        b_ig[j]: parameter.
        b_io[j]: parameter.
        b_hi[j]: parameter.
        b_hf[j]: parameter.
        b_hg[j]: parameter.
        b_ho[j]: parameter.
        out: arrays to write the outputs into, or None; it may share no memory with the arguments.
    """
    out = (None,) * 2 if out is None else out
    x, h, c, w_ii, w_if, w_ig, w_io, w_hi, w_hf, w_hg, w_ho, b_ii, b_if, b_ig, b_io, b_hi, b_hf, b_hg, b_ho = _arrays(
        x=x,
        h=h,
        c=c,
        w_ii=w_ii,
        w_if=w_if,
        w_ig=w_ig,
        w_io=w_io,
        w_hi=w_hi,
        w_hf=w_hf,
        w_hg=w_hg,
        w_ho=w_ho,
        b_ii=b_ii,
        b_if=b_if,
        b_ig=b_ig,
        b_io=b_io,
        b_hi=b_hi,
        b_hf=b_hf,
        b_hg=b_hg,
        b_ho=b_ho,
    )
    _check_dimensions("x[b, i]", x, 2)
    n_b, n_i = x.shape
    _check_dimensions("h[b, j]", h, 2)
    n_j = h.shape[1]
    _check_shape("h[b, j]", h, (n_b, n_j))
    _check_shape("c[b, j]", c, (n_b, n_j))
    _check_shape("w_ii[j, i]", w_ii, (n_j, n_i))
    _check_shape("w_if[j, i]", w_if, (n_j, n_i))
    _check_shape("w_ig[j, i]", w_ig, (n_j, n_i))
    _check_shape("w_io[j, i]", w_io, (n_j, n_i))
    _check_shape("w_hi[j, k]", w_hi, (n_j, n_j))
    _check_shape("w_hf[j, k]", w_hf, (n_j, n_j))
    _check_shape("w_hg[j, k]", w_hg, (n_j, n_j))
    _check_shape("w_ho[j, k]", w_ho, (n_j, n_j))
    _check_shape("b_ii[j]", b_ii, (n_j,))
    _check_shape("b_if[j]", b_if, (n_j,))
    _check_shape("b_ig[j]", b_ig, (n_j,))
    _check_shape("b_io[j]", b_io, (n_j,))
    _check_shape("b_hi[j]", b_hi, (n_j,))
    _check_shape("b_hf[j]", b_hf, (n_j,))
    _check_shape("b_hg[j]", b_hg, (n_j,))
    _check_shape("b_ho[j]", b_ho, (n_j,))

    # sum_x_w_ii[b, j] = sum[i](x[b, i] * w_ii[j, i])
    sum_x_w_ii = x @ w_ii.T
    # sum_h_w_hi[b, j] = sum[k](h[b, k] * w_hi[j, k])
    sum_h_w_hi = h @ w_hi.T
    # ai[b, j] = sum[i](x[b, i] * w_ii[j, i]) + b_ii[j] + sum[k](h[b, k] * w_hi[j, k]) + b_hi[j]
    ai = np.add(sum_x_w_ii, sum_h_w_hi, out=sum_x_w_ii)
    ai += b_ii
    ai += b_hi
    # sum_x_w_if[b, j] = sum[i](x[b, i] * w_if[j, i])
    sum_x_w_if = x @ w_if.T
    # sum_h_w_hf[b, j] = sum[k](h[b, k] * w_hf[j, k])
    sum_h_w_hf = h @ w_hf.T
    # af[b, j] = sum[i](x[b, i] * w_if[j, i]) + b_if[j] + sum[k](h[b, k] * w_hf[j, k]) + b_hf[j]
    af = np.add(sum_x_w_if, sum_h_w_hf, out=sum_x_w_if)
    af += b_if
    af += b_hf
    # sum_x_w_ig[b, j] = sum[i](x[b, i] * w_ig[j, i])
    sum_x_w_ig = x @ w_ig.T
    # sum_h_w_hg[b, j] = sum[k](h[b, k] * w_hg[j, k])
    sum_h_w_hg = h @ w_hg.T
    # ag[b, j] = sum[i](x[b, i] * w_ig[j, i]) + b_ig[j] + sum[k](h[b, k] * w_hg[j, k]) + b_hg[j]
    ag = np.add(sum_x_w_ig, sum_h_w_hg, out=sum_x_w_ig)
    ag += b_ig
    ag += b_hg
    # sum_x_w_io[b, j] = sum[i](x[b, i] * w_io[j, i])
    sum_x_w_io = x @ w_io.T
    # sum_h_w_ho[b, j] = sum[k](h[b, k] * w_ho[j, k])
    sum_h_w_ho = h @ w_ho.T
    # ao[b, j] = sum[i](x[b, i] * w_io[j, i]) + b_io[j] + sum[k](h[b, k] * w_ho[j, k]) + b_ho[j]
    ao = np.add(sum_x_w_io, sum_h_w_ho, out=sum_x_w_io)
    ao += b_io
    ao += b_ho
    # go[b, j] = sigmoid(ao[b, j])
    go = _sigmoid(ao, out=sum_h_w_hi)
    # gf[b, j] = sigmoid(af[b, j])
    gf = _sigmoid(af, out=sum_h_w_hf)
    # gi[b, j] = sigmoid(ai[b, j])
    gi = _sigmoid(ai, out=sum_h_w_hg)
    # gg[b, j] = tanh(ag[b, j])
    gg = np.tanh(ag, out=sum_h_w_ho)
    # c_new_value[b, j] = gf[b, j] * c[b, j] + gi[b, j] * gg[b, j]
    c_new_value = np.multiply(gf, c, out=gf)
    gi_gg = np.multiply(gi, gg, out=gi)
    c_new_value += gi_gg
    # h_new[b, j] = go[b, j] * tanh(c_new_value[b, j])
    tanh_c_new_value = np.tanh(c_new_value, out=gg)
    h_new = np.multiply(go, tanh_c_new_value, out=go)
    # c_new[b, j] = c_new_value[b, j]
    c_new = c_new_value

    saved = Saved(x, h, c, w_ii, w_if, w_ig, w_io, w_hi, w_hf, w_hg, w_ho, ai, af, ag, ao)
    return (_into(out[0], h_new), _into(out[1], c_new)), saved


def backward(saved, d_h_new, d_c_new, out=None):
    """Compute the gradients of the inputs from those of what `forward` returned:

    d_h_new[b, j], d_c_new[b, j].

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
        None,
        None,
        None,
        None,
        None,
    ) if out is None else out
    x, h, c, w_ii, w_if, w_ig, w_io, w_hi, w_hf, w_hg, w_ho, ai, af, ag, ao = saved
    n_b, n_i = x.shape
    n_j = h.shape[1]
    d_h_new, d_c_new = _arrays(x.dtype, d_h_new=d_h_new, d_c_new=d_c_new)
    _check_shape("d_h_new[b, j]", d_h_new, (n_b, n_j))
    _check_shape("d_c_new[b, j]", d_c_new, (n_b, n_j))
    dtype = x.dtype

    # gi[b, j] = sigmoid(ai[b, j])
    gi = _sigmoid(ai)
    # gg[b, j] = tanh(ag[b, j])
    gg = np.tanh(ag)
    # go[b, j] = sigmoid(ao[b, j])
    go = _sigmoid(ao)
    # gf[b, j] = sigmoid(af[b, j])
    gf = _sigmoid(af)
    # c_new_value[b, j] = gf[b, j] * c[b, j] + gi[b, j] * gg[b, j]
    c_new_value = gf * c
    gi_gg = gi * gg
    c_new_value += gi_gg
    # tanh_c_new_value[b, j] = tanh(c_new_value[b, j])
    tanh_c_new_value = np.tanh(c_new_value, out=c_new_value)
    # d_c_new_value[b, j] = d_c_new[b, j]
    #     + go[b, j] * (1 - tanh(c_new_value[b, j])**2) * d_h_new[b, j]
    tanh_c_new_value_squared = np.square(tanh_c_new_value, out=gi_gg)
    work = np.subtract(1, tanh_c_new_value_squared, out=tanh_c_new_value_squared)
    work *= go
    work *= d_h_new
    d_c_new_value = np.add(d_c_new, work, out=work)
    # d_gi[b, j] = gg[b, j] * d_c_new_value[b, j]
    d_gi = gg * d_c_new_value
    # d_ai[b, j] = sigmoid(ai[b, j]) * (1 - sigmoid(ai[b, j])) * d_gi[b, j]
    d_ai = np.multiply(d_gi, gi, out=d_gi)
    one_minus_gi = 1 - gi
    d_ai *= one_minus_gi
    # d_b_ii[j] = sum[b](d_ai[b, j])
    d_b_ii = _sum(d_ai, 0)
    # d_gf[b, j] = c[b, j] * d_c_new_value[b, j]
    d_gf = np.multiply(c, d_c_new_value, out=one_minus_gi)
    # d_af[b, j] = sigmoid(af[b, j]) * (1 - sigmoid(af[b, j])) * d_gf[b, j]
    d_af = np.multiply(d_gf, gf, out=d_gf)
    one_minus_gf = 1 - gf
    d_af *= one_minus_gf
    # d_b_if[j] = sum[b](d_af[b, j])
    d_b_if = _sum(d_af, 0)
    # d_gg[b, j] = gi[b, j] * d_c_new_value[b, j]
    d_gg = np.multiply(gi, d_c_new_value, out=gi)
    # d_ag[b, j] = (1 - tanh(ag[b, j])**2) * d_gg[b, j]
    gg_squared = np.square(gg, out=gg)
    one_minus_gg_squared = np.subtract(1, gg_squared, out=gg_squared)
    d_ag = np.multiply(d_gg, one_minus_gg_squared, out=d_gg)
    # d_b_ig[j] = sum[b](d_ag[b, j])
    d_b_ig = _sum(d_ag, 0)
    # d_go[b, j] = tanh(c_new_value[b, j]) * d_h_new[b, j]
    d_go = np.multiply(tanh_c_new_value, d_h_new, out=tanh_c_new_value)
    # d_ao[b, j] = sigmoid(ao[b, j]) * (1 - sigmoid(ao[b, j])) * d_go[b, j]
    d_ao = np.multiply(d_go, go, out=d_go)
    one_minus_go = np.subtract(1, go, out=go)
    d_ao *= one_minus_go
    # d_b_io[j] = sum[b](d_ao[b, j])
    d_b_io = _sum(d_ao, 0)
    # d_b_hi[j] = sum[b](d_ai[b, j])
    d_b_hi = d_b_ii
    # d_b_hf[j] = sum[b](d_af[b, j])
    d_b_hf = d_b_if
    # d_b_hg[j] = sum[b](d_ag[b, j])
    d_b_hg = d_b_ig
    # d_b_ho[j] = sum[b](d_ao[b, j])
    d_b_ho = d_b_io
    # sum_w_ii_d_ai[b, i] = sum[j](w_ii[j, i] * d_ai[b, j])
    sum_w_ii_d_ai = d_ai @ w_ii
    # sum_w_if_d_af[b, i] = sum[j](w_if[j, i] * d_af[b, j])
    sum_w_if_d_af = d_af @ w_if
    # sum_w_ig_d_ag[b, i] = sum[j](w_ig[j, i] * d_ag[b, j])
    sum_w_ig_d_ag = d_ag @ w_ig
    # sum_w_io_d_ao[b, i] = sum[j](w_io[j, i] * d_ao[b, j])
    sum_w_io_d_ao = d_ao @ w_io
    # d_x[b, i] = sum[j](w_ii[j, i] * d_ai[b, j]) + sum[j](w_if[j, i] * d_af[b, j])
    #     + sum[j](w_ig[j, i] * d_ag[b, j]) + sum[j](w_io[j, i] * d_ao[b, j])
    d_x = np.add(sum_w_ii_d_ai, sum_w_if_d_af, out=sum_w_ii_d_ai)
    d_x += sum_w_ig_d_ag
    d_x += sum_w_io_d_ao
    # sum_w_hi_d_ai[b, j] = sum[k](w_hi[k, j] * d_ai[b, k])
    sum_w_hi_d_ai = d_ai @ w_hi
    # sum_w_hf_d_af[b, j] = sum[k](w_hf[k, j] * d_af[b, k])
    sum_w_hf_d_af = d_af @ w_hf
    # sum_w_hg_d_ag[b, j] = sum[k](w_hg[k, j] * d_ag[b, k])
    sum_w_hg_d_ag = d_ag @ w_hg
    # sum_w_ho_d_ao[b, j] = sum[k](w_ho[k, j] * d_ao[b, k])
    sum_w_ho_d_ao = d_ao @ w_ho
    # d_h[b, j] = sum[k](w_hi[k, j] * d_ai[b, k]) + sum[k](w_hf[k, j] * d_af[b, k])
    #     + sum[k](w_hg[k, j] * d_ag[b, k]) + sum[k](w_ho[k, j] * d_ao[b, k])
    d_h = np.add(sum_w_hi_d_ai, sum_w_hf_d_af, out=sum_w_hi_d_ai)
    d_h += sum_w_hg_d_ag
    d_h += sum_w_ho_d_ao
    # d_c[b, j] = gf[b, j] * d_c_new_value[b, j]
    d_c = np.multiply(gf, d_c_new_value, out=gf)
    # d_w_ii[j, i] = sum[b](x[b, i] * d_ai[b, j])
    d_w_ii = d_ai.T @ x
    # d_w_if[j, i] = sum[b](x[b, i] * d_af[b, j])
    d_w_if = d_af.T @ x
    # d_w_ig[j, i] = sum[b](x[b, i] * d_ag[b, j])
    d_w_ig = d_ag.T @ x
    # d_w_io[j, i] = sum[b](x[b, i] * d_ao[b, j])
    d_w_io = d_ao.T @ x
    # d_w_hi[j, k] = sum[b](h[b, k] * d_ai[b, j])
    d_w_hi = d_ai.T @ h
    # d_w_hf[j, k] = sum[b](h[b, k] * d_af[b, j])
    d_w_hf = d_af.T @ h
    # d_w_hg[j, k] = sum[b](h[b, k] * d_ag[b, j])
    d_w_hg = d_ag.T @ h
    # d_w_ho[j, k] = sum[b](h[b, k] * d_ao[b, j])
    d_w_ho = d_ao.T @ h

    return Gradients(
        x=_into(out.x, d_x),
        h=_into(out.h, d_h),
        c=_into(out.c, d_c),
        w_ii=_into(out.w_ii, d_w_ii),
        w_if=_into(out.w_if, d_w_if),
        w_ig=_into(out.w_ig, d_w_ig),
        w_io=_into(out.w_io, d_w_io),
        w_hi=_into(out.w_hi, d_w_hi),
        w_hf=_into(out.w_hf, d_w_hf),
        w_hg=_into(out.w_hg, d_w_hg),
        w_ho=_into(out.w_ho, d_w_ho),
        b_ii=_into(out.b_ii, d_b_ii.astype(dtype)),
        b_if=_into(out.b_if, d_b_if.astype(dtype)),
        b_ig=_into(out.b_ig, d_b_ig.astype(dtype)),
        b_io=_into(out.b_io, d_b_io.astype(dtype)),
        b_hi=_into(out.b_hi, d_b_hi.astype(dtype)),
        b_hf=_into(out.b_hf, d_b_hf.astype(dtype)),
        b_hg=_into(out.b_hg, d_b_hg.astype(dtype)),
        b_ho=_into(out.b_ho, d_b_ho.astype(dtype)),
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
