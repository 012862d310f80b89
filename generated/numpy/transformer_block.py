"""A transformer block: RMSNorm, causal attention with several heads, RMSNorm, SwiGLU; two residuals.

Forward and backward pass for NumPy of

    a.ms[b, n] = mean[d](x[b, n, d]**2)
    a[b, n, d] = g1[d] * x[b, n, d] / sqrt(a.ms[b, n] + eps)
    q[b, h, n, e] = sum[d](a[b, n, d] * wq[h, e, d])
    k[b, h, n, e] = sum[d](a[b, n, d] * wk[h, e, d])
    v[b, h, n, e] = sum[d](a[b, n, d] * wv[h, e, d])
    o.s[b, h, n, i] = sum[e](q[b, h, n, e] * k[b, h, i, e]) / sqrt(size[e])
    o.p[b, h, n, k] = where(k <= n, exp(o.s[b, h, n, k]), 0) / sum[j](where(j <= n, exp(o.s[b, h, n, j]), 0))
    o[b, h, n, e] = sum[l](o.p[b, h, n, l] * v[b, h, l, e])
    u[b, n, d] = x[b, n, d] + sum[h, e](o[b, h, n, e] * wo[d, h, e])
    m.ms[b, n] = mean[d](u[b, n, d]**2)
    m[b, n, d] = g2[d] * u[b, n, d] / sqrt(m.ms[b, n] + eps)
    gate[b, n, f] = sum[d](m[b, n, d] * w_gate[f, d])
    up[b, n, f] = sum[d](m[b, n, d] * w_up[f, d])
    s[b, n, f] = gate[b, n, f] * sigmoid(gate[b, n, f]) * up[b, n, f]
    y[b, n, d] = u[b, n, d] + sum[f](s[b, n, f] * w_down[d, f])

The backward pass was derived by symgrad from these equations. Every gradient below was proved
equal, for every size, to the derivative of the forward pass; the formula that each line
computes stands above it (d_x is the gradient of the final scalar with respect to x).

Generated from the layer transformer_block and the template numpy/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate transformer_block --backend numpy
"""

import math
from typing import NamedTuple

import numpy as np


class Saved(NamedTuple):
    """What `forward` hands to `backward`."""

    x: np.ndarray  # x[b, n, d]
    g1: np.ndarray  # g1[d]
    wq: np.ndarray  # wq[h, e, d]
    wk: np.ndarray  # wk[h, e, d]
    wv: np.ndarray  # wv[h, e, d]
    wo: np.ndarray  # wo[d, h, e]
    g2: np.ndarray  # g2[d]
    w_gate: np.ndarray  # w_gate[f, d]
    w_up: np.ndarray  # w_up[f, d]
    w_down: np.ndarray  # w_down[d, f]
    eps: float  # eps
    q: np.ndarray  # q[b, h, n, e]
    k: np.ndarray  # k[b, h, n, e]
    v: np.ndarray  # v[b, h, n, e]
    o: np.ndarray  # o[b, h, n, e]
    u: np.ndarray  # u[b, n, d]
    gate: np.ndarray  # gate[b, n, f]
    up: np.ndarray  # up[b, n, f]
    ms: np.ndarray  # ms[b, n]
    p: np.ndarray  # p[b, h, n, k]
    m_ms: np.ndarray  # m_ms[b, n]


class Gradients(NamedTuple):
    """The gradients of the inputs, each with its input's shape and dtype."""

    x: np.ndarray  # d_x[b, n, d]
    g1: np.ndarray  # d_g1[d]
    wq: np.ndarray  # d_wq[h, e, d]
    wk: np.ndarray  # d_wk[h, e, d]
    wv: np.ndarray  # d_wv[h, e, d]
    wo: np.ndarray  # d_wo[d, h, e]
    g2: np.ndarray  # d_g2[d]
    w_gate: np.ndarray  # d_w_gate[f, d]
    w_up: np.ndarray  # d_w_up[f, d]
    w_down: np.ndarray  # d_w_down[d, f]


def forward(x, g1, wq, wk, wv, wo, g2, w_gate, w_up, w_down, *, eps=1e-6, out=None):
    """Compute y[b, n, d], and what `backward` needs.

    Args:
        x[b, n, d]: input.
        g1[d]: parameter.
        wq[h, e, d]: parameter.
        wk[h, e, d]: parameter.
        wv[h, e, d]: parameter.
        wo[d, h, e]: parameter.
        g2[d]: parameter.
        w_gate[f, d]: parameter.
        w_up[f, d]: parameter.
        w_down[d, f]: parameter.
        eps: a constant.
        out: the array to write y into; it may share no memory with the arguments.
    """
    x, g1, wq, wk, wv, wo, g2, w_gate, w_up, w_down = _arrays(
        x=x,
        g1=g1,
        wq=wq,
        wk=wk,
        wv=wv,
        wo=wo,
        g2=g2,
        w_gate=w_gate,
        w_up=w_up,
        w_down=w_down,
    )
    _check_dimensions("x[b, n, d]", x, 3)
    n_b, n_n, n_d = x.shape
    _check_shape("g1[d]", g1, (n_d,))
    _check_dimensions("wq[h, e, d]", wq, 3)
    n_h = wq.shape[0]
    n_e = wq.shape[1]
    _check_shape("wq[h, e, d]", wq, (n_h, n_e, n_d))
    _check_shape("wk[h, e, d]", wk, (n_h, n_e, n_d))
    _check_shape("wv[h, e, d]", wv, (n_h, n_e, n_d))
    _check_shape("wo[d, h, e]", wo, (n_d, n_h, n_e))
    _check_shape("g2[d]", g2, (n_d,))
    _check_dimensions("w_gate[f, d]", w_gate, 2)
    n_f = w_gate.shape[0]
    _check_shape("w_gate[f, d]", w_gate, (n_f, n_d))
    _check_shape("w_up[f, d]", w_up, (n_f, n_d))
    _check_shape("w_down[d, f]", w_down, (n_d, n_f))
    dtype = x.dtype

    # ms[b, n] = mean[d](x[b, n, d]**2)
    ms = _dot(x, x, 2) / n_d
    # a[b, n, d] = g1[d] * x[b, n, d] / sqrt(ms[b, n] + eps)
    a = x * g1
    a *= (1 / np.sqrt(ms + eps)).astype(dtype)[:, :, None]
    # q[b, h, n, e] = sum[d](a[b, n, d] * wq[h, e, d])
    q = np.einsum("bnd,hed->bhne", a, wq, optimize=True)
    # k[b, h, n, e] = sum[d](a[b, n, d] * wk[h, e, d])
    k = np.einsum("bnd,hed->bhne", a, wk, optimize=True)
    # o_s[b, h, n, i] = sum[e](q[b, h, n, e] * k[b, h, i, e]) / sqrt(size[e])
    o_s = q @ k.swapaxes(-1, -2) / math.sqrt(n_e)
    # s_masked[b, j, n, h] = where(j <= n, o_s[b, h, n, j], log(0))
    s_masked = np.where(
        np.arange(n_n)[:, None, None] <= np.arange(n_n)[:, None],
        o_s.transpose(0, 3, 2, 1),
        -math.inf,
    )
    # max_s_masked[b, n, h] = max[j](where(j <= n, o_s[b, h, n, j], log(0)))
    max_s_masked = s_masked.max(axis=1)
    # sum_exp_s_masked[b, n, h] = sum[j](exp(where(j <= n, o_s[b, h, n, j], log(0)) - max_s_masked[b, n, h]))
    work_2 = np.subtract(s_masked, max_s_masked[:, None, :, :], out=s_masked)
    work = np.exp(work_2, out=work_2)
    sum_exp_s_masked = _sum(work, 1)
    # p[b, h, n, k] = where(k <= n, exp(o_s[b, h, n, k]), 0) / sum[j](where(j <= n, exp(o_s[b, h, n, j]), 0))
    work_3 = np.where(np.arange(n_n) <= np.arange(n_n)[:, None], o_s, -math.inf)
    work_3 -= (max_s_masked.transpose(0, 2, 1))[:, :, :, None]
    p = np.exp(work_3, out=work_3)
    p *= (1 / sum_exp_s_masked.transpose(0, 2, 1)).astype(dtype)[:, :, :, None]
    # v[b, h, n, e] = sum[d](a[b, n, d] * wv[h, e, d])
    v = np.einsum("bnd,hed->bhne", a, wv, optimize=True)
    # o[b, h, n, e] = sum[l](p[b, h, n, l] * v[b, h, l, e])
    o = p @ v
    # sum_o_wo[b, n, d] = sum[h, e](o[b, h, n, e] * wo[d, h, e])
    sum_o_wo = np.einsum("bhne,dhe->bnd", o, wo, optimize=True)
    # u[b, n, d] = x[b, n, d] + sum[h, e](o[b, h, n, e] * wo[d, h, e])
    u = np.add(x, sum_o_wo, out=sum_o_wo)
    # m_ms[b, n] = mean[d](u[b, n, d]**2)
    m_ms = _dot(u, u, 2) / n_d
    # m[b, n, d] = g2[d] * u[b, n, d] / sqrt(m_ms[b, n] + eps)
    m = np.multiply(u, g2, out=a)
    m *= (1 / np.sqrt(m_ms + eps)).astype(dtype)[:, :, None]
    # gate[b, n, f] = sum[d](m[b, n, d] * w_gate[f, d])
    gate = m @ w_gate.T
    # up[b, n, f] = sum[d](m[b, n, d] * w_up[f, d])
    up = m @ w_up.T
    # s[b, n, f] = gate[b, n, f] * sigmoid(gate[b, n, f]) * up[b, n, f]
    s = _sigmoid(gate)
    s *= gate
    s *= up
    # sum_s_w_down[b, n, d] = sum[f](s[b, n, f] * w_down[d, f])
    sum_s_w_down = s @ w_down.T
    # y[b, n, d] = u[b, n, d] + sum[f](s[b, n, f] * w_down[d, f])
    y = np.add(u, sum_s_w_down, out=sum_s_w_down)

    saved = Saved(
        x,
        g1,
        wq,
        wk,
        wv,
        wo,
        g2,
        w_gate,
        w_up,
        w_down,
        eps,
        q,
        k,
        v,
        o,
        u,
        gate,
        up,
        ms,
        p,
        m_ms,
    )
    return _into(out, y), saved


def backward(saved, d_y, out=None):
    """Compute the gradients of the inputs from d_y[b, n, d], the gradient of what `forward` returned.

    They are written into the arrays of `out`, where it has some; these may share no memory with what is read.
    """
    out = Gradients(None, None, None, None, None, None, None, None, None, None) if out is None else out
    x, g1, wq, wk, wv, wo, g2, w_gate, w_up, w_down, eps, q, k, v, o, u, gate, up, ms, p, m_ms = saved
    n_b, n_n, n_d = x.shape
    n_h = wq.shape[0]
    n_e = wq.shape[1]
    n_f = w_gate.shape[0]
    (d_y,) = _arrays(x.dtype, d_y=d_y)
    _check_shape("d_y[b, n, d]", d_y, (n_b, n_n, n_d))
    dtype = x.dtype

    # rsqrt_ms[b, n] = 1 / sqrt(ms[b, n] + eps)
    rsqrt_ms = 1 / np.sqrt(ms + eps)
    # rsqrt_ms_2[b, n] = 1 / sqrt(m_ms[b, n] + eps)
    rsqrt_ms_2 = 1 / np.sqrt(m_ms + eps)
    # sigmoid_gate[b, n, f] = sigmoid(gate[b, n, f])
    sigmoid_gate = _sigmoid(gate)
    # d_s[b, n, f] = sum[d](w_down[d, f] * d_y[b, n, d])
    d_s = d_y @ w_down
    # d_gate[b, n, f] = up[b, n, f] * (sigmoid(gate[b, n, f]) + gate[b, n, f] * sigmoid(gate[b, n,
    #     f]) * (1 - sigmoid(gate[b, n, f]))) * d_s[b, n, f]
    work = 1 - sigmoid_gate
    work *= gate
    work *= sigmoid_gate
    d_gate = np.add(sigmoid_gate, work, out=work)
    d_gate *= up
    d_gate *= d_s
    # sum_w_gate_d_gate[b, n, d] = sum[f](w_gate[f, d] * d_gate[b, n, f])
    sum_w_gate_d_gate = d_gate @ w_gate
    # d_up[b, n, f] = gate[b, n, f] * sigmoid(gate[b, n, f]) * d_s[b, n, f]
    d_up = np.multiply(d_s, gate, out=d_s)
    d_up *= sigmoid_gate
    # sum_w_up_d_up[b, n, d] = sum[f](w_up[f, d] * d_up[b, n, f])
    sum_w_up_d_up = d_up @ w_up
    # d_m[b, n, d] = sum[f](w_gate[f, d] * d_gate[b, n, f]) + sum[f](w_up[f, d] * d_up[b, n, f])
    d_m = np.add(sum_w_gate_d_gate, sum_w_up_d_up, out=sum_w_gate_d_gate)
    # sum_g2_u_d_m[b, n] = sum[d](g2[d] * u[b, n, d] * d_m[b, n, d])
    g2_u = np.multiply(u, g2, out=sum_w_up_d_up)
    sum_g2_u_d_m = _dot(g2_u, d_m, 2)
    # d_m_ms[b, n] = -sum[d](g2[d] * u[b, n, d] * d_m[b, n, d]) / (2 * (m_ms[b, n] + eps)**(3/2))
    d_m_ms = -rsqrt_ms_2**3 * sum_g2_u_d_m / 2
    # d_u[b, n, d] = g2[d] * d_m[b, n, d] / sqrt(m_ms[b, n] + eps) + d_y[b, n, d]
    #     + 2 * u[b, n, d] * d_m_ms[b, n] / size[d]
    d_u = np.multiply(d_m, g2, out=g2_u)
    d_u *= rsqrt_ms_2.astype(dtype)[:, :, None]
    d_u += d_y
    work_2 = u * (2 * d_m_ms / n_d).astype(dtype)[:, :, None]
    d_u += work_2
    # d_o[b, h, n, e] = sum[d](wo[d, h, e] * d_u[b, n, d])
    d_o = np.einsum("dhe,bnd->bhne", wo, d_u, optimize=True)
    # d_p[b, h, n, k] = sum[e](v[b, h, k, e] * d_o[b, h, n, e])
    d_p = d_o @ v.swapaxes(-1, -2)
    # sum_p_d_p[b, n, h] = sum[k](p[b, h, n, k] * d_p[b, h, n, k])
    sum_p_d_p = np.einsum("bhnk,bhnk->bnh", p, d_p, dtype=np.float64)
    # d_o_s[b, h, n, i] = p[b, h, n, i] * (d_p[b, h, n, i] - sum[k](p[b, h, n, k] * d_p[b, h, n, k]))
    d_o_s = _centre(d_p, sum_p_d_p.transpose(0, 2, 1)[:, :, :, None])
    d_o_s *= p
    # d_q[b, h, n, e] = sum[i](k[b, h, i, e] * d_o_s[b, h, n, i]) / sqrt(size[e])
    d_q = d_o_s @ k / math.sqrt(n_e)
    # sum_wq_d_q[b, n, d] = sum[h, e](wq[h, e, d] * d_q[b, h, n, e])
    sum_wq_d_q = np.einsum("hed,bhne->bnd", wq, d_q, optimize=True)
    # d_k[b, h, n, e] = sum[i](q[b, h, i, e] * d_o_s[b, h, i, n]) / sqrt(size[e])
    d_k = d_o_s.swapaxes(-1, -2) @ q / math.sqrt(n_e)
    # sum_wk_d_k[b, n, d] = sum[h, e](wk[h, e, d] * d_k[b, h, n, e])
    sum_wk_d_k = np.einsum("hed,bhne->bnd", wk, d_k, optimize=True)
    # d_v[b, h, n, e] = sum[i](p[b, h, i, n] * d_o[b, h, i, e])
    d_v = p.swapaxes(-1, -2) @ d_o
    # sum_wv_d_v[b, n, d] = sum[h, e](wv[h, e, d] * d_v[b, h, n, e])
    sum_wv_d_v = np.einsum("hed,bhne->bnd", wv, d_v, optimize=True)
    # d_a[b, n, d] = sum[h, e](wq[h, e, d] * d_q[b, h, n, e])
    #     + sum[h, e](wk[h, e, d] * d_k[b, h, n, e]) + sum[h, e](wv[h, e, d] * d_v[b, h, n, e])
    d_a = np.add(sum_wq_d_q, sum_wk_d_k, out=sum_wq_d_q)
    d_a += sum_wv_d_v
    # d_g1[d] = sum[b, n](x[b, n, d] * d_a[b, n, d] / sqrt(ms[b, n] + eps))
    x_rsqrt_ms = np.multiply(x, rsqrt_ms.astype(dtype)[:, :, None], out=work_2)
    d_g1 = _dot(x_rsqrt_ms, d_a, (0, 1))
    # d_g2[d] = sum[b, n](u[b, n, d] * d_m[b, n, d] / sqrt(m_ms[b, n] + eps))
    u_rsqrt_ms_2 = np.multiply(u, rsqrt_ms_2.astype(dtype)[:, :, None], out=sum_wk_d_k)
    d_g2 = _dot(u_rsqrt_ms_2, d_m, (0, 1))
    # sum_g1_x_d_a[b, n] = sum[d](g1[d] * x[b, n, d] * d_a[b, n, d])
    g1_x = np.multiply(x, g1, out=sum_wv_d_v)
    sum_g1_x_d_a = _dot(g1_x, d_a, 2)
    # d_ms[b, n] = -sum[d](g1[d] * x[b, n, d] * d_a[b, n, d]) / (2 * (ms[b, n] + eps)**(3/2))
    d_ms = -rsqrt_ms**3 * sum_g1_x_d_a / 2
    # d_x[b, n, d] = g1[d] * d_a[b, n, d] / sqrt(ms[b, n] + eps) + d_u[b, n, d]
    #     + 2 * x[b, n, d] * d_ms[b, n] / size[d]
    d_x = np.multiply(d_a, g1, out=d_a)
    d_x *= rsqrt_ms.astype(dtype)[:, :, None]
    d_x += d_u
    work_3 = np.multiply(x, (2 * d_ms / n_d).astype(dtype)[:, :, None], out=x_rsqrt_ms)
    d_x += work_3
    # a[b, n, d] = g1[d] * x[b, n, d] / sqrt(ms[b, n] + eps)
    a = np.multiply(x, g1, out=u_rsqrt_ms_2)
    a *= rsqrt_ms.astype(dtype)[:, :, None]
    # d_wq[h, e, d] = sum[b, n](a[b, n, d] * d_q[b, h, n, e])
    d_wq = np.einsum("bnd,bhne->hed", a, d_q, optimize=True)
    # d_wk[h, e, d] = sum[b, n](a[b, n, d] * d_k[b, h, n, e])
    d_wk = np.einsum("bnd,bhne->hed", a, d_k, optimize=True)
    # d_wv[h, e, d] = sum[b, n](a[b, n, d] * d_v[b, h, n, e])
    d_wv = np.einsum("bnd,bhne->hed", a, d_v, optimize=True)
    # d_wo[d, h, e] = sum[b, n](o[b, h, n, e] * d_u[b, n, d])
    d_wo = np.einsum("bhne,bnd->dhe", o, d_u, optimize=True)
    # m[b, n, d] = g2[d] * u[b, n, d] / sqrt(m_ms[b, n] + eps)
    m = np.multiply(u, g2, out=d_m)
    m *= rsqrt_ms_2.astype(dtype)[:, :, None]
    # d_w_gate[f, d] = sum[b, n](m[b, n, d] * d_gate[b, n, f])
    d_w_gate = np.einsum("bnd,bnf->fd", m, d_gate, optimize=True)
    # d_w_up[f, d] = sum[b, n](m[b, n, d] * d_up[b, n, f])
    d_w_up = np.einsum("bnd,bnf->fd", m, d_up, optimize=True)
    # s[b, n, f] = gate[b, n, f] * sigmoid(gate[b, n, f]) * up[b, n, f]
    s = np.multiply(sigmoid_gate, gate, out=sigmoid_gate)
    s *= up
    # d_w_down[d, f] = sum[b, n](s[b, n, f] * d_y[b, n, d])
    d_w_down = np.einsum("bnf,bnd->df", s, d_y, optimize=True)

    return Gradients(
        x=_into(out.x, d_x),
        g1=_into(out.g1, d_g1.astype(dtype)),
        wq=_into(out.wq, d_wq),
        wk=_into(out.wk, d_wk),
        wv=_into(out.wv, d_wv),
        wo=_into(out.wo, d_wo),
        g2=_into(out.g2, d_g2.astype(dtype)),
        w_gate=_into(out.w_gate, d_w_gate),
        w_up=_into(out.w_up, d_w_up),
        w_down=_into(out.w_down, d_w_down),
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


def _dot(left, right, axes):
    """The sum of left * right over axes in double precision, but for rows, which BLAS adds up in their own type."""
    axes = tuple(range(left.ndim)) if axes is None else axes if isinstance(axes, tuple) else (axes,)
    if axes[-1] == left.ndim - 1 and 32 <= left.shape[-1] == right.shape[-1] <= 16384:
        rows = np.matmul(left[..., None, :], right[..., None])[..., 0, 0]
        return rows.sum(axis=axes[:-1], dtype=np.float64)
    if math.prod(left.shape[axis] for axis in axes) <= 128:
        every = list(range(left.ndim))
        rest = [axis for axis in every if axis not in axes]
        return np.einsum(left, every, np.broadcast_to(right, left.shape), every, rest).astype(np.float64)
    return _sum(left * right, axes)


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


def _sigmoid(array, out=None):
    """1 / (1 + exp(-array)); where exp overflows to infinity the result is its limit, 0."""
    out = np.negative(array, out=np.empty_like(array) if out is None else out)
    with np.errstate(over="ignore", under="ignore"):
        np.exp(out, out=out)
    out += 1
    return np.reciprocal(out, out=out)
