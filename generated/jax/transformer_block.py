"""A transformer block: RMSNorm, causal attention with several heads, RMSNorm, SwiGLU; two residuals.

Forward pass and its tangents for JAX of

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

The tangents were derived by symgrad from these equations. Every one below was proved equal, for
every size, to the derivative of the forward pass, and all together to be the adjoint of its
gradients; the formula that each line computes stands above it (dot_x is the tangent of x: the
direction in which x moves).

Generated from the layer transformer_block and the template jax/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate transformer_block --backend jax
"""

import math
from functools import partial

import jax
import jax.numpy as jnp


def transformer_block(x, g1, wq, wk, wv, wo, g2, w_gate, w_up, w_down, *, eps=1e-6):
    """Compute y[b, n, d]; differentiable in forward and reverse mode, to any order.

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
    (eps,) = _numbers(eps=eps)
    y, *_ = _forward(x, g1, wq, wk, wv, wo, g2, w_gate, w_up, w_down, eps)
    return y


@partial(jax.custom_jvp, nondiff_argnums=(10,))
def _forward(x, g1, wq, wk, wv, wo, g2, w_gate, w_up, w_down, eps):
    """Compute y[b, n, d], and the statistics ms, q, k, v, p, o, u, m_ms, gate, up."""
    result = x.dtype
    dtype, wide = _dtypes(x, g1, wq, wk, wv, wo, g2, w_gate, w_up, w_down)
    n_b, n_n, n_d = x.shape
    n_h = wq.shape[0]
    n_e = wq.shape[1]
    n_f = w_gate.shape[0]
    x = x.astype(dtype)
    g1 = g1.astype(dtype)
    wq = wq.astype(dtype)
    wk = wk.astype(dtype)
    wv = wv.astype(dtype)
    wo = wo.astype(dtype)
    g2 = g2.astype(dtype)
    w_gate = w_gate.astype(dtype)
    w_up = w_up.astype(dtype)
    w_down = w_down.astype(dtype)

    # ms[b, n] = mean[d](x[b, n, d]**2)
    ms = jnp.square(x).mean(2, dtype=wide)
    # a[b, n, d] = g1[d] * x[b, n, d] / sqrt(ms[b, n] + eps)
    a = x * g1 * (1 / jnp.sqrt(ms + eps)).astype(dtype)[:, :, None]
    # q[b, h, n, e] = sum[d](a[b, n, d] * wq[h, e, d])
    q = jnp.einsum("bnd,hed->bhne", a, wq)
    # k[b, h, n, e] = sum[d](a[b, n, d] * wk[h, e, d])
    k = jnp.einsum("bnd,hed->bhne", a, wk)
    # o_s[b, h, n, i] = sum[e](q[b, h, n, e] * k[b, h, i, e]) / sqrt(size[e])
    o_s = q @ k.mT / math.sqrt(n_e)
    # s_masked[b, j, n, h] = where(j <= n, o_s[b, h, n, j], log(0))
    s_masked = jnp.where(
        jnp.arange(n_n)[:, None, None] <= jnp.arange(n_n)[:, None],
        o_s.transpose(0, 3, 2, 1),
        (-math.inf),
    )
    # max_s_masked[b, n, h] = max[j](where(j <= n, o_s[b, h, n, j], log(0)))
    max_s_masked = s_masked.max(1)
    # sum_exp_s_masked[b, n, h] = sum[j](exp(where(j <= n, o_s[b, h, n, j], log(0)) - max_s_masked[b, n, h]))
    sum_exp_s_masked = jnp.exp(s_masked - max_s_masked[:, None, :, :]).sum(1, dtype=wide)
    # p[b, h, n, k] = where(k <= n, exp(o_s[b, h, n, k]), 0) / sum[j](where(j <= n, exp(o_s[b, h, n, j]), 0))
    p = (
        jnp.exp(
            jnp.where(jnp.arange(n_n) <= jnp.arange(n_n)[:, None], o_s, (-math.inf))
            - (max_s_masked.transpose(0, 2, 1))[:, :, :, None]
        )
        * (1 / sum_exp_s_masked.transpose(0, 2, 1)).astype(dtype)[:, :, :, None]
    )
    # v[b, h, n, e] = sum[d](a[b, n, d] * wv[h, e, d])
    v = jnp.einsum("bnd,hed->bhne", a, wv)
    # o[b, h, n, e] = sum[l](p[b, h, n, l] * v[b, h, l, e])
    o = p @ v
    # sum_o_wo[b, n, d] = sum[h, e](o[b, h, n, e] * wo[d, h, e])
    sum_o_wo = jnp.einsum("bhne,dhe->bnd", o, wo)
    # u[b, n, d] = x[b, n, d] + sum[h, e](o[b, h, n, e] * wo[d, h, e])
    u = x + sum_o_wo
    # m_ms[b, n] = mean[d](u[b, n, d]**2)
    m_ms = jnp.square(u).mean(2, dtype=wide)
    # m[b, n, d] = g2[d] * u[b, n, d] / sqrt(m_ms[b, n] + eps)
    m = u * g2 * (1 / jnp.sqrt(m_ms + eps)).astype(dtype)[:, :, None]
    # gate[b, n, f] = sum[d](m[b, n, d] * w_gate[f, d])
    gate = m @ w_gate.T
    # up[b, n, f] = sum[d](m[b, n, d] * w_up[f, d])
    up = m @ w_up.T
    # s[b, n, f] = gate[b, n, f] * sigmoid(gate[b, n, f]) * up[b, n, f]
    s = gate * jax.nn.sigmoid(gate) * up
    # sum_s_w_down[b, n, d] = sum[f](s[b, n, f] * w_down[d, f])
    sum_s_w_down = s @ w_down.T
    # y[b, n, d] = u[b, n, d] + sum[f](s[b, n, f] * w_down[d, f])
    y = u + sum_s_w_down

    return y.astype(result), ms, q, k, v, p, o, u, m_ms, gate, up


@_forward.defjvp
def _forward_jvp(eps, primals, tangents):
    """The results of `_forward`, and their tangents."""
    x, g1, wq, wk, wv, wo, g2, w_gate, w_up, w_down = primals
    (
        dot_x, dot_g1, dot_wq, dot_wk, dot_wv, dot_wo, dot_g2, dot_w_gate, dot_w_up, dot_w_down,
    ) = tangents
    y, ms, q, k, v, p, o, u, m_ms, gate, up = _forward(x, g1, wq, wk, wv, wo, g2, w_gate, w_up, w_down, eps)
    (
        dot_y, dot_ms, dot_q, dot_k, dot_v, dot_p, dot_o, dot_u, dot_m_ms, dot_gate, dot_up,
    ) = _tangents(
        x, g1, wq, wk, wv, wo, g2, w_gate, w_up, w_down, ms, q, k, v, p, o, u, m_ms, gate, up,
        dot_x, dot_g1, dot_wq, dot_wk, dot_wv, dot_wo, dot_g2, dot_w_gate, dot_w_up, dot_w_down,
        eps,
    )
    return (y, ms, q, k, v, p, o, u, m_ms, gate, up), (
        dot_y.astype(y.dtype),
        dot_ms.astype(ms.dtype),
        dot_q.astype(q.dtype),
        dot_k.astype(k.dtype),
        dot_v.astype(v.dtype),
        dot_p.astype(p.dtype),
        dot_o.astype(o.dtype),
        dot_u.astype(u.dtype),
        dot_m_ms.astype(m_ms.dtype),
        dot_gate.astype(gate.dtype),
        dot_up.astype(up.dtype),
    )


@partial(jax.checkpoint, static_argnums=(30,))
def _tangents(
    x, g1, wq, wk, wv, wo, g2, w_gate, w_up, w_down, ms, q, k, v, p, o, u, m_ms, gate, up,
    dot_x, dot_g1, dot_wq, dot_wk, dot_wv, dot_wo, dot_g2, dot_w_gate, dot_w_up, dot_w_down,
    eps,
):
    """Compute the tangents of y, ms, q, k, v, p, o, u, m_ms, gate, up: linear in those of the inputs."""
    dtype, wide = _dtypes(
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
        dot_x,
        dot_g1,
        dot_wq,
        dot_wk,
        dot_wv,
        dot_wo,
        dot_g2,
        dot_w_gate,
        dot_w_up,
        dot_w_down,
    )
    n_b, n_n, n_d = x.shape
    n_h = wq.shape[0]
    n_e = wq.shape[1]
    n_f = w_gate.shape[0]
    x = x.astype(dtype)
    g1 = g1.astype(dtype)
    wq = wq.astype(dtype)
    wk = wk.astype(dtype)
    wv = wv.astype(dtype)
    wo = wo.astype(dtype)
    g2 = g2.astype(dtype)
    w_gate = w_gate.astype(dtype)
    w_up = w_up.astype(dtype)
    w_down = w_down.astype(dtype)
    dot_x = dot_x.astype(dtype)
    dot_g1 = dot_g1.astype(dtype)
    dot_wq = dot_wq.astype(dtype)
    dot_wk = dot_wk.astype(dtype)
    dot_wv = dot_wv.astype(dtype)
    dot_wo = dot_wo.astype(dtype)
    dot_g2 = dot_g2.astype(dtype)
    dot_w_gate = dot_w_gate.astype(dtype)
    dot_w_up = dot_w_up.astype(dtype)
    dot_w_down = dot_w_down.astype(dtype)
    q = q.astype(dtype)
    k = k.astype(dtype)
    v = v.astype(dtype)
    p = p.astype(dtype)
    o = o.astype(dtype)
    u = u.astype(dtype)
    gate = gate.astype(dtype)
    up = up.astype(dtype)

    # dot_ms[b, n] = 2 * mean[d](x[b, n, d] * dot_x[b, n, d])
    dot_ms = 2 * (x * dot_x).mean(2, dtype=wide)
    # sum_o_dot_wo[b, n, d] = sum[h, e](o[b, h, n, e] * dot_wo[d, h, e])
    sum_o_dot_wo = jnp.einsum("bhne,dhe->bnd", o, dot_wo)
    # rsqrt_ms[b, n] = 1 / sqrt(ms[b, n] + eps)
    rsqrt_ms = 1 / jnp.sqrt(ms + eps)
    # a[b, n, d] = g1[d] * x[b, n, d] / sqrt(ms[b, n] + eps)
    a = x * g1 * rsqrt_ms.astype(dtype)[:, :, None]
    # sum_a_dot_wv[b, n, h, e] = sum[d](a[b, n, d] * dot_wv[h, e, d])
    sum_a_dot_wv = jnp.einsum("bnd,hed->bnhe", a, dot_wv)
    # dot_a[b, n, d] = g1[d] * dot_x[b, n, d] / sqrt(ms[b, n] + eps)
    #     + x[b, n, d] * dot_g1[d] / sqrt(ms[b, n] + eps)
    #     - g1[d] * x[b, n, d] * dot_ms[b, n] / (2 * (ms[b, n] + eps)**(3/2))
    dot_a = (
        dot_x * g1 * rsqrt_ms.astype(dtype)[:, :, None]
        + (
            dot_g1 * rsqrt_ms.astype(dtype)[:, :, None]
            - (g1 / 2) * (dot_ms * rsqrt_ms**3).astype(dtype)[:, :, None]
        )
        * x
    )
    # sum_wv_dot_a[b, n, h, e] = sum[d](wv[h, e, d] * dot_a[b, n, d])
    sum_wv_dot_a = jnp.einsum("hed,bnd->bnhe", wv, dot_a)
    # dot_v[b, h, n, e] = sum[d](a[b, n, d] * dot_wv[h, e, d])
    #     + sum[d](wv[h, e, d] * dot_a[b, n, d])
    dot_v = sum_a_dot_wv.transpose(0, 2, 1, 3) + sum_wv_dot_a.transpose(0, 2, 1, 3)
    # sum_p_dot_v[b, n, h, e] = sum[i](p[b, h, n, i] * dot_v[b, h, i, e])
    sum_p_dot_v = jnp.einsum("bhni,bhie->bnhe", p, dot_v)
    # sum_a_dot_wq[b, n, h, e] = sum[d](a[b, n, d] * dot_wq[h, e, d])
    sum_a_dot_wq = jnp.einsum("bnd,hed->bnhe", a, dot_wq)
    # sum_wq_dot_a[b, n, h, e] = sum[d](wq[h, e, d] * dot_a[b, n, d])
    sum_wq_dot_a = jnp.einsum("hed,bnd->bnhe", wq, dot_a)
    # dot_q[b, h, n, e] = sum[d](a[b, n, d] * dot_wq[h, e, d])
    #     + sum[d](wq[h, e, d] * dot_a[b, n, d])
    dot_q = sum_a_dot_wq.transpose(0, 2, 1, 3) + sum_wq_dot_a.transpose(0, 2, 1, 3)
    # sum_k_dot_q[b, i, n, h] = sum[e](k[b, h, i, e] * dot_q[b, h, n, e])
    sum_k_dot_q = jnp.einsum("bhie,bhne->binh", k, dot_q)
    # sum_a_dot_wk[b, n, h, e] = sum[d](a[b, n, d] * dot_wk[h, e, d])
    sum_a_dot_wk = jnp.einsum("bnd,hed->bnhe", a, dot_wk)
    # sum_wk_dot_a[b, n, h, e] = sum[d](wk[h, e, d] * dot_a[b, n, d])
    sum_wk_dot_a = jnp.einsum("hed,bnd->bnhe", wk, dot_a)
    # dot_k[b, h, n, e] = sum[d](a[b, n, d] * dot_wk[h, e, d])
    #     + sum[d](wk[h, e, d] * dot_a[b, n, d])
    dot_k = sum_a_dot_wk.transpose(0, 2, 1, 3) + sum_wk_dot_a.transpose(0, 2, 1, 3)
    # sum_q_dot_k[b, i, n, h] = sum[e](q[b, h, n, e] * dot_k[b, h, i, e])
    sum_q_dot_k = jnp.einsum("bhne,bhie->binh", q, dot_k)
    # dot_o_s[b, h, n, i] = sum[e](k[b, h, i, e] * dot_q[b, h, n, e]) / sqrt(size[e])
    #     + sum[e](q[b, h, n, e] * dot_k[b, h, i, e]) / sqrt(size[e])
    dot_o_s = (
        sum_k_dot_q.transpose(0, 3, 2, 1) * (1 / math.sqrt(n_e))
        + sum_q_dot_k.transpose(0, 3, 2, 1) * (1 / math.sqrt(n_e))
    )
    # sum_s_p[b, n, h] = sum[i](dot_o_s[b, h, n, i] * p[b, h, n, i])
    sum_s_p = (dot_o_s * p).sum(3, dtype=wide).mT
    # dot_p[b, h, n, k] = p[b, h, n, k] * (dot_o_s[b, h, n, k] - sum[i](dot_o_s[b, h, n, i] * p[b, h, n, i]))
    dot_p = p * _centre(dot_o_s, sum_s_p.transpose(0, 2, 1)[:, :, :, None])
    # sum_v_p[b, n, h, e] = sum[k](v[b, h, k, e] * dot_p[b, h, n, k])
    sum_v_p = jnp.einsum("bhke,bhnk->bnhe", v, dot_p)
    # dot_o[b, h, n, e] = sum[i](p[b, h, n, i] * dot_v[b, h, i, e])
    #     + sum[k](v[b, h, k, e] * dot_p[b, h, n, k])
    dot_o = sum_p_dot_v.transpose(0, 2, 1, 3) + sum_v_p.transpose(0, 2, 1, 3)
    # sum_wo_dot_o[b, n, d] = sum[h, e](wo[d, h, e] * dot_o[b, h, n, e])
    sum_wo_dot_o = jnp.einsum("dhe,bhne->bnd", wo, dot_o)
    # dot_u[b, n, d] = dot_x[b, n, d] + sum[h, e](o[b, h, n, e] * dot_wo[d, h, e])
    #     + sum[h, e](wo[d, h, e] * dot_o[b, h, n, e])
    dot_u = dot_x + sum_o_dot_wo + sum_wo_dot_o
    # dot_m_ms[b, n] = 2 * mean[d](u[b, n, d] * dot_u[b, n, d])
    dot_m_ms = 2 * (u * dot_u).mean(2, dtype=wide)
    # sigmoid_gate[b, n, f] = sigmoid(gate[b, n, f])
    sigmoid_gate = jax.nn.sigmoid(gate)
    # s[b, n, f] = gate[b, n, f] * sigmoid(gate[b, n, f]) * up[b, n, f]
    s = gate * sigmoid_gate * up
    # sum_s_dot_w_down[b, n, d] = sum[f](s[b, n, f] * dot_w_down[d, f])
    sum_s_dot_w_down = s @ dot_w_down.T
    # rsqrt_ms_2[b, n] = 1 / sqrt(m_ms[b, n] + eps)
    rsqrt_ms_2 = 1 / jnp.sqrt(m_ms + eps)
    # m[b, n, d] = g2[d] * u[b, n, d] / sqrt(m_ms[b, n] + eps)
    m = u * g2 * rsqrt_ms_2.astype(dtype)[:, :, None]
    # sum_m_dot_w_gate[b, n, f] = sum[d](m[b, n, d] * dot_w_gate[f, d])
    sum_m_dot_w_gate = m @ dot_w_gate.T
    # dot_m[b, n, d] = u[b, n, d] * dot_g2[d] / sqrt(m_ms[b, n] + eps)
    #     + g2[d] * dot_u[b, n, d] / sqrt(m_ms[b, n] + eps)
    #     - g2[d] * u[b, n, d] * dot_m_ms[b, n] / (2 * (m_ms[b, n] + eps)**(3/2))
    dot_m = (
        (
            dot_g2 * rsqrt_ms_2.astype(dtype)[:, :, None]
            - (g2 / 2) * (dot_m_ms * rsqrt_ms_2**3).astype(dtype)[:, :, None]
        )
        * u
        + dot_u * g2 * rsqrt_ms_2.astype(dtype)[:, :, None]
    )
    # sum_w_gate_dot_m[b, n, f] = sum[d](w_gate[f, d] * dot_m[b, n, d])
    sum_w_gate_dot_m = dot_m @ w_gate.T
    # dot_gate[b, n, f] = sum[d](m[b, n, d] * dot_w_gate[f, d])
    #     + sum[d](w_gate[f, d] * dot_m[b, n, d])
    dot_gate = sum_m_dot_w_gate + sum_w_gate_dot_m
    # sum_m_dot_w_up[b, n, f] = sum[d](m[b, n, d] * dot_w_up[f, d])
    sum_m_dot_w_up = m @ dot_w_up.T
    # sum_w_up_dot_m[b, n, f] = sum[d](w_up[f, d] * dot_m[b, n, d])
    sum_w_up_dot_m = dot_m @ w_up.T
    # dot_up[b, n, f] = sum[d](m[b, n, d] * dot_w_up[f, d]) + sum[d](w_up[f, d] * dot_m[b, n, d])
    dot_up = sum_m_dot_w_up + sum_w_up_dot_m
    # dot_s[b, n, f] = up[b, n, f] * dot_gate[b, n, f] * (sigmoid(gate[b, n, f]) + gate[b, n, f] *
    #     sigmoid(gate[b, n, f]) * (1 - sigmoid(gate[b, n, f])))
    #     + gate[b, n, f] * dot_up[b, n, f] * sigmoid(gate[b, n, f])
    dot_s = (
        up * dot_gate * (sigmoid_gate + gate * sigmoid_gate * (1 - sigmoid_gate))
        + gate * dot_up * sigmoid_gate
    )
    # sum_w_down_dot_s[b, n, d] = sum[f](w_down[d, f] * dot_s[b, n, f])
    sum_w_down_dot_s = dot_s @ w_down.T
    # dot_y[b, n, d] = sum[f](s[b, n, f] * dot_w_down[d, f]) + dot_u[b, n, d]
    #     + sum[f](w_down[d, f] * dot_s[b, n, f])
    dot_y = sum_s_dot_w_down + dot_u + sum_w_down_dot_s

    return dot_y, dot_ms, dot_q, dot_k, dot_v, dot_p, dot_o, dot_u, dot_m_ms, dot_gate, dot_up


def _arrays(**arrays):
    """The arguments as arrays of real floating-point numbers."""
    found = {name: jnp.asarray(array) for name, array in arrays.items()}
    for name, array in found.items():
        if not jnp.issubdtype(array.dtype, jnp.floating):
            raise TypeError(f"{name} must be a floating-point array, not {array.dtype}.")
    return found.values()


def _numbers(**constants):
    """Constants as Python's own numbers: they are part of what is compiled."""
    for name, constant in constants.items():
        if isinstance(constant, jax.core.Tracer):
            raise TypeError(f"{name} must be a number that is known when the function is traced; see static_argnames.")
    return [float(constant) for constant in constants.values()]


def _check_dimensions(what, array, least, more=False):
    """Raise unless an array has as many dimensions as declared, and is not empty."""
    if array.ndim < least or (array.ndim > least and not more):
        raise ValueError(f"{what} must have {'at least ' if more else ''}{least} dimensions, not {array.ndim}.")
    if array.size == 0:
        raise ValueError(f"{what} is empty: its shape is {array.shape}.")


def _check_shape(what, array, shape):
    """Raise unless an array has the shape that follows from the others."""
    if array.shape != shape:
        raise ValueError(f"{what} must have the shape {shape}, not {array.shape}.")


def _dtypes(*arrays):
    """At least float32 to compute in; float64 for sums, where JAX has it (jax_enable_x64) and nothing is half."""
    given = [array.dtype for array in arrays]
    dtype = jnp.result_type(jnp.float32, *given)
    half = jnp.float16 in given or jnp.bfloat16 in given
    return dtype, dtype if half else jnp.promote_types(dtype, jnp.result_type(float))


def _centre(array, mean):
    """array - mean; a wider mean is split in two, so that nothing of it is lost."""
    if mean.dtype == array.dtype:
        return array - mean
    high = mean.astype(array.dtype)
    return (array - high) - (mean - high).astype(array.dtype)
