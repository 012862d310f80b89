"""A transformer block: RMSNorm, causal attention with several heads, RMSNorm, SwiGLU; two residuals.

Forward and backward pass for PyTorch of

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

Generated from the layer transformer_block and the template torch/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate transformer_block --backend torch
"""

import math

import torch


def transformer_block(x, g1, wq, wk, wv, wo, g2, w_gate, w_up, w_down, *, eps=1e-6):
    """Compute y[b, n, d]; differentiable, to any order.

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
    _check_types(x=x, g1=g1, wq=wq, wk=wk, wv=wv, wo=wo, g2=g2, w_gate=w_gate, w_up=w_up, w_down=w_down)
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
    function = TransformerBlockCompiled if _is_compiled() else TransformerBlock
    y, *_ = _apply(function, x, g1, wq, wk, wv, wo, g2, w_gate, w_up, w_down, eps)
    return y


class TransformerBlock(torch.autograd.Function):
    """Computes y[b, n, d]; see `transformer_block`.

    The statistics ms, q, k, v, p, o, u, m_ms, gate, up are outputs as well, so that derivatives of the
    backward pass reach the inputs through them; `backward` gets their cotangents.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(x, g1, wq, wk, wv, wo, g2, w_gate, w_up, w_down, eps):
        result = x.dtype
        dtype, _ = _dtypes(x, g1, wq, wk, wv, wo, g2, w_gate, w_up, w_down)
        n_b, n_n, n_d = x.shape
        n_h = wq.shape[0]
        n_e = wq.shape[1]
        n_f = w_gate.shape[0]
        x = x.to(dtype)
        g1 = g1.to(dtype)
        wq = wq.to(dtype)
        wk = wk.to(dtype)
        wv = wv.to(dtype)
        wo = wo.to(dtype)
        g2 = g2.to(dtype)
        w_gate = w_gate.to(dtype)
        w_up = w_up.to(dtype)
        w_down = w_down.to(dtype)

        # ms[b, n] = mean[d](x[b, n, d]**2)
        ms = torch.square(x).mean(2)
        # a[b, n, d] = g1[d] * x[b, n, d] / sqrt(ms[b, n] + eps)
        a = x * g1 * (1 / torch.sqrt(ms + eps))[:, :, None]
        # q[b, h, n, e] = sum[d](a[b, n, d] * wq[h, e, d])
        q = torch.einsum("bnd,hed->bhne", a, wq)
        # k[b, h, n, e] = sum[d](a[b, n, d] * wk[h, e, d])
        k = torch.einsum("bnd,hed->bhne", a, wk)
        # o_s[b, h, n, i] = sum[e](q[b, h, n, e] * k[b, h, i, e]) / sqrt(size[e])
        o_s = q @ k.mT / math.sqrt(n_e)
        # s_masked[b, j, n, h] = where(j <= n, o_s[b, h, n, j], log(0))
        s_masked = torch.where(
            torch.arange(n_n, device=x.device)[:, None, None] <= torch.arange(n_n, device=x.device)[:, None],
            o_s.permute(0, 3, 2, 1),
            (-math.inf),
        )
        # max_s_masked[b, n, h] = max[j](where(j <= n, o_s[b, h, n, j], log(0)))
        max_s_masked = s_masked.amax(1)
        # sum_exp_s_masked[b, n, h] = sum[j](exp(where(j <= n, o_s[b, h, n, j], log(0)) - max_s_masked[b, n, h]))
        sum_exp_s_masked = torch.exp(s_masked - max_s_masked[:, None, :, :]).sum(1)
        # p[b, h, n, k] = where(k <= n, exp(o_s[b, h, n, k]), 0) / sum[j](where(j <= n, exp(o_s[b, h, n, j]), 0))
        p = (
            torch.exp(
                torch.where(
                    torch.arange(n_n, device=x.device) <= torch.arange(n_n, device=x.device)[:, None],
                    o_s,
                    (-math.inf),
                )
                - (max_s_masked.permute(0, 2, 1))[:, :, :, None]
            )
            * (1 / sum_exp_s_masked.permute(0, 2, 1))[:, :, :, None]
        )
        # v[b, h, n, e] = sum[d](a[b, n, d] * wv[h, e, d])
        v = torch.einsum("bnd,hed->bhne", a, wv)
        # o[b, h, n, e] = sum[l](p[b, h, n, l] * v[b, h, l, e])
        o = p @ v
        # sum_o_wo[b, n, d] = sum[h, e](o[b, h, n, e] * wo[d, h, e])
        sum_o_wo = torch.einsum("bhne,dhe->bnd", o, wo)
        # u[b, n, d] = x[b, n, d] + sum[h, e](o[b, h, n, e] * wo[d, h, e])
        u = x + sum_o_wo
        # m_ms[b, n] = mean[d](u[b, n, d]**2)
        m_ms = torch.square(u).mean(2)
        # m[b, n, d] = g2[d] * u[b, n, d] / sqrt(m_ms[b, n] + eps)
        m = u * g2 * (1 / torch.sqrt(m_ms + eps))[:, :, None]
        # gate[b, n, f] = sum[d](m[b, n, d] * w_gate[f, d])
        gate = m @ w_gate.T
        # up[b, n, f] = sum[d](m[b, n, d] * w_up[f, d])
        up = m @ w_up.T
        # s[b, n, f] = gate[b, n, f] * sigmoid(gate[b, n, f]) * up[b, n, f]
        s = gate * torch.sigmoid(gate) * up
        # sum_s_w_down[b, n, d] = sum[f](s[b, n, f] * w_down[d, f])
        sum_s_w_down = s @ w_down.T
        # y[b, n, d] = u[b, n, d] + sum[f](s[b, n, f] * w_down[d, f])
        y = u + sum_s_w_down

        return y.to(result), ms, q, k, v, p, o, u, m_ms, gate, up

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, g1, wq, wk, wv, wo, g2, w_gate, w_up, w_down, eps = inputs
        _, ms, q, k, v, p, o, u, m_ms, gate, up = output
        ctx.save_for_backward(x, g1, wq, wk, wv, wo, g2, w_gate, w_up, w_down, q, k, v, o, u, gate, up, ms, p, m_ms)
        ctx.set_materialize_grads(False)
        ctx.dtypes = x.dtype, g1.dtype, wq.dtype, wk.dtype, wv.dtype, wo.dtype, g2.dtype, w_gate.dtype, w_up.dtype, w_down.dtype
        ctx.eps = eps

    @staticmethod
    def backward(ctx, d_y, d_ms, d_q, d_k, d_v, d_p, d_o, d_u, d_m_ms, d_gate, d_up):
        x, g1, wq, wk, wv, wo, g2, w_gate, w_up, w_down, q, k, v, o, u, gate, up, ms, p, m_ms = ctx.saved_tensors
        eps = ctx.eps
        needs = ctx.needs_input_grad[:10]
        dtype, _ = _compute_dtypes(x.device, *ctx.dtypes)
        d_x = d_g1 = d_wq = d_wk = d_wv = d_wo = d_g2 = d_w_gate = d_w_up = d_w_down = None
        if d_y is not None:
            d_x, d_g1, d_wq, d_wk, d_wv, d_wo, d_g2, d_w_gate, d_w_up, d_w_down = _gradients(
                d_y, x, g1, wq, wk, wv, wo, g2, w_gate, w_up, w_down, eps, q, k, v, o, u, gate, up, ms, p, m_ms,
                dtype, needs,
            )
        if any(given is not None for given in (d_ms, d_q, d_k, d_v, d_p, d_o, d_u, d_m_ms, d_gate, d_up)):
            d_ms, d_q, d_k, d_v, d_p, d_o, d_u, d_m_ms, d_gate, d_up = _or_zeros(
                (d_ms, d_q, d_k, d_v, d_p, d_o, d_u, d_m_ms, d_gate, d_up),
                (ms, q, k, v, p, o, u, m_ms, gate, up),
            )
            parts = _gradients_from_statistics(
                d_q, d_k, d_v, d_o, d_u, d_gate, d_up, d_ms, d_p, d_m_ms, x, g1, wq, wk, wv, wo, g2, w_gate,
                w_up, eps, q, k, v, o, u, ms, p, m_ms, dtype, ctx.needs_input_grad[:9],
            )
            d_x, d_g1, d_wq, d_wk, d_wv, d_wo, d_g2, d_w_gate, d_w_up = map(
                _plus,
                (d_x, d_g1, d_wq, d_wk, d_wv, d_wo, d_g2, d_w_gate, d_w_up),
                parts,
            )
        return (
            _cast(d_x, ctx.dtypes[0]),
            _cast(d_g1, ctx.dtypes[1]),
            _cast(d_wq, ctx.dtypes[2]),
            _cast(d_wk, ctx.dtypes[3]),
            _cast(d_wv, ctx.dtypes[4]),
            _cast(d_wo, ctx.dtypes[5]),
            _cast(d_g2, ctx.dtypes[6]),
            _cast(d_w_gate, ctx.dtypes[7]),
            _cast(d_w_up, ctx.dtypes[8]),
            _cast(d_w_down, ctx.dtypes[9]),
            None,
        )


class TransformerBlockCompiled(torch.autograd.Function):
    """The same as `TransformerBlock` for `torch.compile`: differentiable once."""

    @staticmethod
    def forward(x, g1, wq, wk, wv, wo, g2, w_gate, w_up, w_down, eps):
        return TransformerBlock.forward(x, g1, wq, wk, wv, wo, g2, w_gate, w_up, w_down, eps)

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, g1, wq, wk, wv, wo, g2, w_gate, w_up, w_down, eps = inputs
        _, ms, q, k, v, p, o, u, m_ms, gate, up = output
        ctx.save_for_backward(x, g1, wq, wk, wv, wo, g2, w_gate, w_up, w_down, q, k, v, o, u, gate, up, ms, p, m_ms)
        ctx.set_materialize_grads(False)
        ctx.dtypes = x.dtype, g1.dtype, wq.dtype, wk.dtype, wv.dtype, wo.dtype, g2.dtype, w_gate.dtype, w_up.dtype, w_down.dtype
        ctx.eps = eps
        ctx.mark_non_differentiable(ms, q, k, v, p, o, u, m_ms, gate, up)

    @staticmethod
    def backward(ctx, d_y, *_):
        x, g1, wq, wk, wv, wo, g2, w_gate, w_up, w_down, q, k, v, o, u, gate, up, ms, p, m_ms = ctx.saved_tensors
        eps = ctx.eps
        needs = ctx.needs_input_grad[:10]
        dtype, _ = _compute_dtypes(x.device, *ctx.dtypes)
        d_x = d_g1 = d_wq = d_wk = d_wv = d_wo = d_g2 = d_w_gate = d_w_up = d_w_down = None
        if d_y is not None:
            d_x, d_g1, d_wq, d_wk, d_wv, d_wo, d_g2, d_w_gate, d_w_up, d_w_down = _gradients(
                d_y, x, g1, wq, wk, wv, wo, g2, w_gate, w_up, w_down, eps, q, k, v, o, u, gate, up, ms, p, m_ms,
                dtype, needs,
            )
        return (
            _cast(d_x, ctx.dtypes[0]),
            _cast(d_g1, ctx.dtypes[1]),
            _cast(d_wq, ctx.dtypes[2]),
            _cast(d_wk, ctx.dtypes[3]),
            _cast(d_wv, ctx.dtypes[4]),
            _cast(d_wo, ctx.dtypes[5]),
            _cast(d_g2, ctx.dtypes[6]),
            _cast(d_w_gate, ctx.dtypes[7]),
            _cast(d_w_up, ctx.dtypes[8]),
            _cast(d_w_down, ctx.dtypes[9]),
            None,
        )


def _gradients(d_y, x, g1, wq, wk, wv, wo, g2, w_gate, w_up, w_down, eps, q, k, v, o, u, gate, up, ms, p, m_ms, dtype, needs):
    """The gradients of the inputs from d_y[b, n, d]."""
    need_x, need_g1, need_wq, need_wk, need_wv, need_wo, need_g2, need_w_gate, need_w_up, need_w_down = needs
    n_b, n_n, n_d = x.shape
    n_h = wq.shape[0]
    n_e = wq.shape[1]
    n_f = w_gate.shape[0]
    x = x.to(dtype)
    g1 = g1.to(dtype)
    wq = wq.to(dtype)
    wk = wk.to(dtype)
    wv = wv.to(dtype)
    wo = wo.to(dtype)
    g2 = g2.to(dtype)
    w_gate = w_gate.to(dtype)
    w_up = w_up.to(dtype)
    w_down = w_down.to(dtype)
    q = q.to(dtype)
    k = k.to(dtype)
    v = v.to(dtype)
    o = o.to(dtype)
    u = u.to(dtype)
    gate = gate.to(dtype)
    up = up.to(dtype)
    p = p.to(dtype)
    d_y = d_y.to(dtype)

    if need_x or need_g1 or need_wq or need_wk or need_wv:
        # rsqrt_ms[b, n] = 1 / sqrt(ms[b, n] + eps)
        rsqrt_ms = 1 / torch.sqrt(ms + eps)
    if need_x or need_g1 or need_wq or need_wk or need_wv or need_wo or need_g2 or need_w_gate or need_w_up:
        # rsqrt_ms_2[b, n] = 1 / sqrt(m_ms[b, n] + eps)
        rsqrt_ms_2 = 1 / torch.sqrt(m_ms + eps)
    # sigmoid_gate[b, n, f] = sigmoid(gate[b, n, f])
    sigmoid_gate = torch.sigmoid(gate)
    if need_x or need_g1 or need_wq or need_wk or need_wv or need_wo or need_g2 or need_w_gate or need_w_up:
        # d_s[b, n, f] = sum[d](w_down[d, f] * d_y[b, n, d])
        d_s = d_y @ w_down
    if need_x or need_g1 or need_wq or need_wk or need_wv or need_wo or need_g2 or need_w_gate:
        # d_gate[b, n, f] = up[b, n, f] * (sigmoid(gate[b, n, f]) + gate[b, n, f] * sigmoid(gate[b, n,
        #     f]) * (1 - sigmoid(gate[b, n, f]))) * d_s[b, n, f]
        d_gate = up * (sigmoid_gate + gate * sigmoid_gate * (1 - sigmoid_gate)) * d_s
    if need_x or need_g1 or need_wq or need_wk or need_wv or need_wo or need_g2:
        # sum_w_gate_d_gate[b, n, d] = sum[f](w_gate[f, d] * d_gate[b, n, f])
        sum_w_gate_d_gate = d_gate @ w_gate
    if need_x or need_g1 or need_wq or need_wk or need_wv or need_wo or need_g2 or need_w_up:
        # d_up[b, n, f] = gate[b, n, f] * sigmoid(gate[b, n, f]) * d_s[b, n, f]
        d_up = gate * sigmoid_gate * d_s
    if need_x or need_g1 or need_wq or need_wk or need_wv or need_wo or need_g2:
        # sum_w_up_d_up[b, n, d] = sum[f](w_up[f, d] * d_up[b, n, f])
        sum_w_up_d_up = d_up @ w_up
        # d_m[b, n, d] = sum[f](w_gate[f, d] * d_gate[b, n, f]) + sum[f](w_up[f, d] * d_up[b, n, f])
        d_m = sum_w_gate_d_gate + sum_w_up_d_up
    if need_x or need_g1 or need_wq or need_wk or need_wv or need_wo:
        # sum_g2_u_d_m[b, n] = sum[d](g2[d] * u[b, n, d] * d_m[b, n, d])
        sum_g2_u_d_m = (u * g2 * d_m).sum(2)
        # d_m_ms[b, n] = -sum[d](g2[d] * u[b, n, d] * d_m[b, n, d]) / (2 * (m_ms[b, n] + eps)**(3/2))
        d_m_ms = -rsqrt_ms_2**3 * sum_g2_u_d_m / 2
        # d_u[b, n, d] = g2[d] * d_m[b, n, d] / sqrt(m_ms[b, n] + eps) + d_y[b, n, d]
        #     + 2 * u[b, n, d] * d_m_ms[b, n] / size[d]
        d_u = d_m * g2 * rsqrt_ms_2[:, :, None] + d_y + u * (2 * d_m_ms / n_d)[:, :, None]
    if need_x or need_g1 or need_wq or need_wk or need_wv:
        # d_o[b, h, n, e] = sum[d](wo[d, h, e] * d_u[b, n, d])
        d_o = torch.einsum("dhe,bnd->bhne", wo, d_u)
    if need_x or need_g1 or need_wq or need_wk:
        # d_p[b, h, n, k] = sum[e](v[b, h, k, e] * d_o[b, h, n, e])
        d_p = d_o @ v.mT
        # sum_p_d_p[b, n, h] = sum[k](p[b, h, n, k] * d_p[b, h, n, k])
        sum_p_d_p = (p * d_p).sum(3).mT
        # d_o_s[b, h, n, i] = p[b, h, n, i] * (d_p[b, h, n, i] - sum[k](p[b, h, n, k] * d_p[b, h, n, k]))
        d_o_s = p * (d_p - (sum_p_d_p.permute(0, 2, 1))[:, :, :, None])
    if need_x or need_g1 or need_wq:
        # d_q[b, h, n, e] = sum[i](k[b, h, i, e] * d_o_s[b, h, n, i]) / sqrt(size[e])
        d_q = d_o_s @ k / math.sqrt(n_e)
    if need_x or need_g1:
        # sum_wq_d_q[b, n, d] = sum[h, e](wq[h, e, d] * d_q[b, h, n, e])
        sum_wq_d_q = torch.einsum("hed,bhne->bnd", wq, d_q)
    if need_x or need_g1 or need_wk:
        # d_k[b, h, n, e] = sum[i](q[b, h, i, e] * d_o_s[b, h, i, n]) / sqrt(size[e])
        d_k = d_o_s.mT @ q / math.sqrt(n_e)
    if need_x or need_g1:
        # sum_wk_d_k[b, n, d] = sum[h, e](wk[h, e, d] * d_k[b, h, n, e])
        sum_wk_d_k = torch.einsum("hed,bhne->bnd", wk, d_k)
    if need_x or need_g1 or need_wv:
        # d_v[b, h, n, e] = sum[i](p[b, h, i, n] * d_o[b, h, i, e])
        d_v = p.mT @ d_o
    if need_x or need_g1:
        # sum_wv_d_v[b, n, d] = sum[h, e](wv[h, e, d] * d_v[b, h, n, e])
        sum_wv_d_v = torch.einsum("hed,bhne->bnd", wv, d_v)
        # d_a[b, n, d] = sum[h, e](wq[h, e, d] * d_q[b, h, n, e])
        #     + sum[h, e](wk[h, e, d] * d_k[b, h, n, e]) + sum[h, e](wv[h, e, d] * d_v[b, h, n, e])
        d_a = sum_wq_d_q + sum_wk_d_k + sum_wv_d_v
    if need_g1:
        # d_g1[d] = sum[b, n](x[b, n, d] * d_a[b, n, d] / sqrt(ms[b, n] + eps))
        d_g1 = (x * rsqrt_ms[:, :, None] * d_a).sum((0, 1))
    if need_g2:
        # d_g2[d] = sum[b, n](u[b, n, d] * d_m[b, n, d] / sqrt(m_ms[b, n] + eps))
        d_g2 = (u * rsqrt_ms_2[:, :, None] * d_m).sum((0, 1))
    if need_x:
        # sum_g1_x_d_a[b, n] = sum[d](g1[d] * x[b, n, d] * d_a[b, n, d])
        sum_g1_x_d_a = (x * g1 * d_a).sum(2)
        # d_ms[b, n] = -sum[d](g1[d] * x[b, n, d] * d_a[b, n, d]) / (2 * (ms[b, n] + eps)**(3/2))
        d_ms = -rsqrt_ms**3 * sum_g1_x_d_a / 2
        # d_x[b, n, d] = g1[d] * d_a[b, n, d] / sqrt(ms[b, n] + eps) + d_u[b, n, d]
        #     + 2 * x[b, n, d] * d_ms[b, n] / size[d]
        d_x = d_a * g1 * rsqrt_ms[:, :, None] + d_u + x * (2 * d_ms / n_d)[:, :, None]
    if need_wq or need_wk or need_wv:
        # a[b, n, d] = g1[d] * x[b, n, d] / sqrt(ms[b, n] + eps)
        a = x * g1 * rsqrt_ms[:, :, None]
    if need_wq:
        # d_wq[h, e, d] = sum[b, n](a[b, n, d] * d_q[b, h, n, e])
        d_wq = torch.einsum("bnd,bhne->hed", a, d_q)
    if need_wk:
        # d_wk[h, e, d] = sum[b, n](a[b, n, d] * d_k[b, h, n, e])
        d_wk = torch.einsum("bnd,bhne->hed", a, d_k)
    if need_wv:
        # d_wv[h, e, d] = sum[b, n](a[b, n, d] * d_v[b, h, n, e])
        d_wv = torch.einsum("bnd,bhne->hed", a, d_v)
    if need_wo:
        # d_wo[d, h, e] = sum[b, n](o[b, h, n, e] * d_u[b, n, d])
        d_wo = torch.einsum("bhne,bnd->dhe", o, d_u)
    if need_w_gate or need_w_up:
        # m[b, n, d] = g2[d] * u[b, n, d] / sqrt(m_ms[b, n] + eps)
        m = u * g2 * rsqrt_ms_2[:, :, None]
    if need_w_gate:
        # d_w_gate[f, d] = sum[b, n](m[b, n, d] * d_gate[b, n, f])
        d_w_gate = torch.einsum("bnd,bnf->fd", m, d_gate)
    if need_w_up:
        # d_w_up[f, d] = sum[b, n](m[b, n, d] * d_up[b, n, f])
        d_w_up = torch.einsum("bnd,bnf->fd", m, d_up)
    if need_w_down:
        # s[b, n, f] = gate[b, n, f] * sigmoid(gate[b, n, f]) * up[b, n, f]
        s = gate * sigmoid_gate * up
        # d_w_down[d, f] = sum[b, n](s[b, n, f] * d_y[b, n, d])
        d_w_down = torch.einsum("bnf,bnd->df", s, d_y)

    return (
        d_x if need_x else None,
        d_g1 if need_g1 else None,
        d_wq if need_wq else None,
        d_wk if need_wk else None,
        d_wv if need_wv else None,
        d_wo if need_wo else None,
        d_g2 if need_g2 else None,
        d_w_gate if need_w_gate else None,
        d_w_up if need_w_up else None,
        d_w_down if need_w_down else None,
    )


def _gradients_from_statistics(d_q, d_k, d_v, d_o, d_u, d_gate, d_up, d_ms, d_p, d_m_ms, x, g1, wq, wk, wv, wo, g2, w_gate, w_up, eps, q, k, v, o, u, ms, p, m_ms, dtype, needs):
    """The gradients of the inputs from the statistics' cotangents, which only derivatives of `backward` bring in."""
    need_x, need_g1, need_wq, need_wk, need_wv, need_wo, need_g2, need_w_gate, need_w_up = needs
    n_b, n_n, n_d = x.shape
    n_h = wq.shape[0]
    n_e = wq.shape[1]
    n_f = w_gate.shape[0]
    x = x.to(dtype)
    g1 = g1.to(dtype)
    wq = wq.to(dtype)
    wk = wk.to(dtype)
    wv = wv.to(dtype)
    wo = wo.to(dtype)
    g2 = g2.to(dtype)
    w_gate = w_gate.to(dtype)
    w_up = w_up.to(dtype)
    q = q.to(dtype)
    k = k.to(dtype)
    v = v.to(dtype)
    o = o.to(dtype)
    u = u.to(dtype)
    p = p.to(dtype)
    d_q = d_q.to(dtype)
    d_k = d_k.to(dtype)
    d_v = d_v.to(dtype)
    d_o = d_o.to(dtype)
    d_u = d_u.to(dtype)
    d_gate = d_gate.to(dtype)
    d_up = d_up.to(dtype)
    d_p = d_p.to(dtype)

    if need_x or need_g1 or need_wq or need_wk or need_wv:
        # rsqrt_ms[b, n] = 1 / sqrt(ms[b, n] + eps)
        rsqrt_ms = 1 / torch.sqrt(ms + eps)
    # rsqrt_ms_2[b, n] = 1 / sqrt(m_ms[b, n] + eps)
    rsqrt_ms_2 = 1 / torch.sqrt(m_ms + eps)
    if need_x or need_g1 or need_wq or need_wk or need_wv or need_wo or need_g2:
        # sum_w_gate_d_gate[b, n, d] = sum[f](w_gate[f, d] * d_gate[b, n, f])
        sum_w_gate_d_gate = d_gate @ w_gate
        # sum_w_up_d_up[b, n, d] = sum[f](w_up[f, d] * d_up[b, n, f])
        sum_w_up_d_up = d_up @ w_up
        # d_m[b, n, d] = sum[f](w_gate[f, d] * d_gate[b, n, f]) + sum[f](w_up[f, d] * d_up[b, n, f])
        d_m = sum_w_gate_d_gate + sum_w_up_d_up
    if need_x or need_g1 or need_wq or need_wk or need_wv or need_wo:
        # sum_g2_u_d_m[b, n] = sum[d](g2[d] * u[b, n, d] * d_m[b, n, d])
        sum_g2_u_d_m = (u * g2 * d_m).sum(2)
        # d_m_ms_total[b, n] = d_m_ms[b, n]
        #     - sum[d](g2[d] * u[b, n, d] * d_m[b, n, d]) / (2 * (m_ms[b, n] + eps)**(3/2))
        d_m_ms_total = d_m_ms - rsqrt_ms_2**3 * sum_g2_u_d_m / 2
        # d_u_total[b, n, d] = d_u[b, n, d] + g2[d] * d_m[b, n, d] / sqrt(m_ms[b, n] + eps)
        #     + 2 * u[b, n, d] * d_m_ms_total[b, n] / size[d]
        d_u_total = d_u + d_m * g2 * rsqrt_ms_2[:, :, None] + u * (2 * d_m_ms_total / n_d)[:, :, None]
    if need_x or need_g1 or need_wq or need_wk or need_wv:
        # sum_wo_d_u_total[b, n, h, e] = sum[d](wo[d, h, e] * d_u_total[b, n, d])
        sum_wo_d_u_total = torch.einsum("dhe,bnd->bnhe", wo, d_u_total)
        # d_o_total[b, h, n, e] = d_o[b, h, n, e] + sum[d](wo[d, h, e] * d_u_total[b, n, d])
        d_o_total = d_o + sum_wo_d_u_total.permute(0, 2, 1, 3)
    if need_x or need_g1 or need_wq or need_wk:
        # sum_v_d_o_total[b, k, n, h] = sum[e](v[b, h, k, e] * d_o_total[b, h, n, e])
        sum_v_d_o_total = torch.einsum("bhke,bhne->bknh", v, d_o_total)
        # d_p_total[b, h, n, k] = d_p[b, h, n, k] + sum[e](v[b, h, k, e] * d_o_total[b, h, n, e])
        d_p_total = d_p + sum_v_d_o_total.permute(0, 3, 2, 1)
        # sum_p_d_p_total[b, n, h] = sum[k](p[b, h, n, k] * d_p_total[b, h, n, k])
        sum_p_d_p_total = (p * d_p_total).sum(3).mT
        # d_o_s[b, h, n, i] = p[b, h, n, i] * (d_p_total[b, h, n, i] - sum[k](p[b, h, n, k] *
        #     d_p_total[b, h, n, k]))
        d_o_s = p * (d_p_total - (sum_p_d_p_total.permute(0, 2, 1))[:, :, :, None])
    if need_x or need_g1 or need_wq:
        # sum_k_d_s[b, n, h, e] = sum[i](k[b, h, i, e] * d_o_s[b, h, n, i])
        sum_k_d_s = torch.einsum("bhie,bhni->bnhe", k, d_o_s)
        # d_q_total[b, h, n, e] = d_q[b, h, n, e]
        #     + sum[i](k[b, h, i, e] * d_o_s[b, h, n, i]) / sqrt(size[e])
        d_q_total = d_q + sum_k_d_s.permute(0, 2, 1, 3) * (1 / math.sqrt(n_e))
    if need_x or need_g1:
        # sum_wq_d_q_total[b, n, d] = sum[h, e](wq[h, e, d] * d_q_total[b, h, n, e])
        sum_wq_d_q_total = torch.einsum("hed,bhne->bnd", wq, d_q_total)
    if need_x or need_g1 or need_wk:
        # sum_q_d_s[b, n, h, e] = sum[i](q[b, h, i, e] * d_o_s[b, h, i, n])
        sum_q_d_s = torch.einsum("bhie,bhin->bnhe", q, d_o_s)
        # d_k_total[b, h, n, e] = d_k[b, h, n, e]
        #     + sum[i](q[b, h, i, e] * d_o_s[b, h, i, n]) / sqrt(size[e])
        d_k_total = d_k + sum_q_d_s.permute(0, 2, 1, 3) * (1 / math.sqrt(n_e))
    if need_x or need_g1:
        # sum_wk_d_k_total[b, n, d] = sum[h, e](wk[h, e, d] * d_k_total[b, h, n, e])
        sum_wk_d_k_total = torch.einsum("hed,bhne->bnd", wk, d_k_total)
    if need_x or need_g1 or need_wv:
        # sum_p_d_o_total[b, n, h, e] = sum[i](p[b, h, i, n] * d_o_total[b, h, i, e])
        sum_p_d_o_total = torch.einsum("bhin,bhie->bnhe", p, d_o_total)
        # d_v_total[b, h, n, e] = d_v[b, h, n, e] + sum[i](p[b, h, i, n] * d_o_total[b, h, i, e])
        d_v_total = d_v + sum_p_d_o_total.permute(0, 2, 1, 3)
    if need_x or need_g1:
        # sum_wv_d_v_total[b, n, d] = sum[h, e](wv[h, e, d] * d_v_total[b, h, n, e])
        sum_wv_d_v_total = torch.einsum("hed,bhne->bnd", wv, d_v_total)
        # d_a[b, n, d] = sum[h, e](wq[h, e, d] * d_q_total[b, h, n, e])
        #     + sum[h, e](wk[h, e, d] * d_k_total[b, h, n, e])
        #     + sum[h, e](wv[h, e, d] * d_v_total[b, h, n, e])
        d_a = sum_wq_d_q_total + sum_wk_d_k_total + sum_wv_d_v_total
    if need_g1:
        # d_g1[d] = sum[b, n](x[b, n, d] * d_a[b, n, d] / sqrt(ms[b, n] + eps))
        d_g1 = (x * rsqrt_ms[:, :, None] * d_a).sum((0, 1))
    if need_g2:
        # d_g2[d] = sum[b, n](u[b, n, d] * d_m[b, n, d] / sqrt(m_ms[b, n] + eps))
        d_g2 = (u * rsqrt_ms_2[:, :, None] * d_m).sum((0, 1))
    if need_x:
        # sum_g1_x_d_a[b, n] = sum[d](g1[d] * x[b, n, d] * d_a[b, n, d])
        sum_g1_x_d_a = (x * g1 * d_a).sum(2)
        # d_ms_total[b, n] = d_ms[b, n]
        #     - sum[d](g1[d] * x[b, n, d] * d_a[b, n, d]) / (2 * (ms[b, n] + eps)**(3/2))
        d_ms_total = d_ms - rsqrt_ms**3 * sum_g1_x_d_a / 2
        # d_x[b, n, d] = g1[d] * d_a[b, n, d] / sqrt(ms[b, n] + eps) + d_u_total[b, n, d]
        #     + 2 * x[b, n, d] * d_ms_total[b, n] / size[d]
        d_x = d_a * g1 * rsqrt_ms[:, :, None] + d_u_total + x * (2 * d_ms_total / n_d)[:, :, None]
    if need_wq or need_wk or need_wv:
        # a[b, n, d] = g1[d] * x[b, n, d] / sqrt(ms[b, n] + eps)
        a = x * g1 * rsqrt_ms[:, :, None]
    if need_wq:
        # d_wq[h, e, d] = sum[b, n](a[b, n, d] * d_q_total[b, h, n, e])
        d_wq = torch.einsum("bnd,bhne->hed", a, d_q_total)
    if need_wk:
        # d_wk[h, e, d] = sum[b, n](a[b, n, d] * d_k_total[b, h, n, e])
        d_wk = torch.einsum("bnd,bhne->hed", a, d_k_total)
    if need_wv:
        # d_wv[h, e, d] = sum[b, n](a[b, n, d] * d_v_total[b, h, n, e])
        d_wv = torch.einsum("bnd,bhne->hed", a, d_v_total)
    if need_wo:
        # d_wo[d, h, e] = sum[b, n](o[b, h, n, e] * d_u_total[b, n, d])
        d_wo = torch.einsum("bhne,bnd->dhe", o, d_u_total)
    if need_w_gate or need_w_up:
        # m[b, n, d] = g2[d] * u[b, n, d] / sqrt(m_ms[b, n] + eps)
        m = u * g2 * rsqrt_ms_2[:, :, None]
    if need_w_gate:
        # d_w_gate[f, d] = sum[b, n](m[b, n, d] * d_gate[b, n, f])
        d_w_gate = torch.einsum("bnd,bnf->fd", m, d_gate)
    if need_w_up:
        # d_w_up[f, d] = sum[b, n](m[b, n, d] * d_up[b, n, f])
        d_w_up = torch.einsum("bnd,bnf->fd", m, d_up)

    return (
        d_x if need_x else None,
        d_g1 if need_g1 else None,
        d_wq if need_wq else None,
        d_wk if need_wk else None,
        d_wv if need_wv else None,
        d_wo if need_wo else None,
        d_g2 if need_g2 else None,
        d_w_gate if need_w_gate else None,
        d_w_up if need_w_up else None,
    )


def _apply(function, *arguments):
    """What `function.apply` does, which asks for the signature of `forward` at each call: longer than a small step."""
    if torch.compiler.is_compiling() or _is_transformed():
        return function.apply(*arguments)
    return super(torch.autograd.Function, function).apply(*arguments)


def _is_transformed():
    """Whether a transform of torch.func is active; an older torch does not say, so there may be one."""
    return getattr(torch._C, "_are_functorch_transforms_active", lambda: True)()


def _check_types(**tensors):
    """Raise unless all arguments are tensors of real floating-point numbers."""
    for name, tensor in tensors.items():
        if not isinstance(tensor, torch.Tensor) or not tensor.dtype.is_floating_point:
            given = tensor.dtype if isinstance(tensor, torch.Tensor) else type(tensor).__name__
            raise TypeError(f"{name} must be a floating-point tensor, not {given}.")


def _check_dimensions(what, tensor, least, more=False):
    """Raise unless a tensor has as many dimensions as declared, and is not empty."""
    if tensor.ndim < least or (tensor.ndim > least and not more):
        raise ValueError(f"{what} must have {'at least ' if more else ''}{least} dimensions, not {tensor.ndim}.")
    if tensor.numel() == 0:
        raise ValueError(f"{what} is empty: its shape is {tuple(tensor.shape)}.")


def _check_shape(what, tensor, shape):
    """Raise unless a tensor has the shape that follows from the others."""
    if tuple(tensor.shape) != tuple(shape):
        raise ValueError(f"{what} must have the shape {tuple(shape)}, not {tuple(tensor.shape)}.")


def _dtypes(*tensors):
    """The dtype to compute in and the wider one for sums, for these tensors."""
    return _compute_dtypes(tensors[0].device, *(tensor.dtype for tensor in tensors))


def _compute_dtypes(device, *given):
    """At least float32 to compute in; float64 for sums, but for half precision and on devices without it."""
    dtype = torch.float32
    for other in given:
        dtype = torch.promote_types(dtype, other)
    half = torch.float16 in given or torch.bfloat16 in given
    return dtype, dtype if half or device.type == "mps" else torch.float64


def _cast(gradient, dtype):
    """A gradient in its input's dtype; None where nobody asked for it."""
    return None if gradient is None else gradient.to(dtype)


def _is_compiled():
    """Whether torch.compile reads this, without a transform of torch.func, which may differentiate twice."""
    if not torch.compiler.is_compiling() or not hasattr(torch._C._functorch, "get_dynamic_layer_stack_depth"):
        return False  # an older torch does not say how many transforms there are
    return torch._C._functorch.get_dynamic_layer_stack_depth() == 0


def _or_zeros(cotangents, tensors):
    """The cotangents of these tensors, with zeros for those that are None."""
    return [torch.zeros_like(t) if given is None else given for given, t in zip(cotangents, tensors)]


def _plus(total, part):
    """total + part, where both may be None."""
    if total is None or part is None:
        return part if total is None else total
    return total + part
