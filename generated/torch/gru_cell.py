"""One step of a gated recurrent unit: reset and update gate, candidate, new state.

Forward and backward pass for PyTorch of

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

Generated from the layer gru_cell and the template torch/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate gru_cell --backend torch
"""

import torch


def gru_cell(x, h, w_ir, w_iz, w_in, w_hr, w_hz, w_hn, b_ir, b_iz, b_in, b_hr, b_hz, b_hn):
    """Compute h_new[b, j]; differentiable, to any order.

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
    """
    _check_types(
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
    function = GruCellCompiled if _is_compiled() else GruCell
    h_new, *_ = _apply(function, x, h, w_ir, w_iz, w_in, w_hr, w_hz, w_hn, b_ir, b_iz, b_in, b_hr, b_hz, b_hn)
    return h_new


class GruCell(torch.autograd.Function):
    """Computes h_new[b, j]; see `gru_cell`.

    The statistics u, v, m, a are outputs as well, so that derivatives of the
    backward pass reach the inputs through them; `backward` gets their cotangents.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(x, h, w_ir, w_iz, w_in, w_hr, w_hz, w_hn, b_ir, b_iz, b_in, b_hr, b_hz, b_hn):
        result = x.dtype
        dtype, _ = _dtypes(x, h, w_ir, w_iz, w_in, w_hr, w_hz, w_hn, b_ir, b_iz, b_in, b_hr, b_hz, b_hn)
        n_b, n_i = x.shape
        n_j = h.shape[1]
        x = x.to(dtype)
        h = h.to(dtype)
        w_ir = w_ir.to(dtype)
        w_iz = w_iz.to(dtype)
        w_in = w_in.to(dtype)
        w_hr = w_hr.to(dtype)
        w_hz = w_hz.to(dtype)
        w_hn = w_hn.to(dtype)
        b_ir = b_ir.to(dtype)
        b_iz = b_iz.to(dtype)
        b_in = b_in.to(dtype)
        b_hr = b_hr.to(dtype)
        b_hz = b_hz.to(dtype)
        b_hn = b_hn.to(dtype)

        # sum_x_w_ir[b, j] = sum[i](x[b, i] * w_ir[j, i])
        sum_x_w_ir = x @ w_ir.T
        # sum_h_w_hr[b, j] = sum[k](h[b, k] * w_hr[j, k])
        sum_h_w_hr = h @ w_hr.T
        # u[b, j] = sum[i](x[b, i] * w_ir[j, i]) + b_ir[j] + sum[k](h[b, k] * w_hr[j, k]) + b_hr[j]
        u = sum_x_w_ir + b_ir + sum_h_w_hr + b_hr
        # sum_x_w_iz[b, j] = sum[i](x[b, i] * w_iz[j, i])
        sum_x_w_iz = x @ w_iz.T
        # sum_h_w_hz[b, j] = sum[k](h[b, k] * w_hz[j, k])
        sum_h_w_hz = h @ w_hz.T
        # v[b, j] = sum[i](x[b, i] * w_iz[j, i]) + b_iz[j] + sum[k](h[b, k] * w_hz[j, k]) + b_hz[j]
        v = sum_x_w_iz + b_iz + sum_h_w_hz + b_hz
        # sum_h_w_hn[b, j] = sum[k](h[b, k] * w_hn[j, k])
        sum_h_w_hn = h @ w_hn.T
        # m[b, j] = sum[k](h[b, k] * w_hn[j, k]) + b_hn[j]
        m = sum_h_w_hn + b_hn
        # sum_x_w_in[b, j] = sum[i](x[b, i] * w_in[j, i])
        sum_x_w_in = x @ w_in.T
        # r[b, j] = sigmoid(u[b, j])
        r = torch.sigmoid(u)
        # a[b, j] = sum[i](x[b, i] * w_in[j, i]) + b_in[j] + r[b, j] * m[b, j]
        a = sum_x_w_in + b_in + r * m
        # z[b, j] = sigmoid(v[b, j])
        z = torch.sigmoid(v)
        # n[b, j] = tanh(a[b, j])
        n = torch.tanh(a)
        # h_new[b, j] = (1 - z[b, j]) * n[b, j] + z[b, j] * h[b, j]
        h_new = (1 - z) * n + z * h

        return h_new.to(result), u, v, m, a

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, h, w_ir, w_iz, w_in, w_hr, w_hz, w_hn, b_ir, b_iz, b_in, b_hr, b_hz, b_hn = inputs
        _, u, v, m, a = output
        ctx.save_for_backward(x, h, w_ir, w_iz, w_in, w_hr, w_hz, w_hn, u, v, m, a)
        ctx.set_materialize_grads(False)
        ctx.dtypes = x.dtype, h.dtype, w_ir.dtype, w_iz.dtype, w_in.dtype, w_hr.dtype, w_hz.dtype, w_hn.dtype, b_ir.dtype, b_iz.dtype, b_in.dtype, b_hr.dtype, b_hz.dtype, b_hn.dtype

    @staticmethod
    def backward(ctx, d_h_new, d_u, d_v, d_m, d_a):
        x, h, w_ir, w_iz, w_in, w_hr, w_hz, w_hn, u, v, m, a = ctx.saved_tensors
        needs = ctx.needs_input_grad[:14]
        dtype, _ = _compute_dtypes(x.device, *ctx.dtypes)
        d_x = d_h = d_w_ir = d_w_iz = d_w_in = d_w_hr = d_w_hz = d_w_hn = d_b_ir = d_b_iz = d_b_in = d_b_hr = d_b_hz = d_b_hn = None
        if d_h_new is not None:
            d_x, d_h, d_w_ir, d_w_iz, d_w_in, d_w_hr, d_w_hz, d_w_hn, d_b_ir, d_b_iz, d_b_in, d_b_hr, d_b_hz, d_b_hn = _gradients(
                d_h_new, x, h, w_ir, w_iz, w_in, w_hr, w_hz, w_hn, u, v, m, a, dtype, needs,
            )
        if d_u is not None or d_v is not None or d_m is not None or d_a is not None:
            d_u, d_v, d_m, d_a = _or_zeros((d_u, d_v, d_m, d_a), (u, v, m, a))
            parts = _gradients_from_statistics(
                d_u, d_v, d_m, d_a, x, h, w_ir, w_iz, w_in, w_hr, w_hz, w_hn, u, m, dtype, needs,
            )
            d_x = _plus(d_x, parts[0])
            d_h = _plus(d_h, parts[1])
            d_w_ir = _plus(d_w_ir, parts[2])
            d_w_iz = _plus(d_w_iz, parts[3])
            d_w_in = _plus(d_w_in, parts[4])
            d_w_hr = _plus(d_w_hr, parts[5])
            d_w_hz = _plus(d_w_hz, parts[6])
            d_w_hn = _plus(d_w_hn, parts[7])
            d_b_ir = _plus(d_b_ir, parts[8])
            d_b_iz = _plus(d_b_iz, parts[9])
            d_b_in = _plus(d_b_in, parts[10])
            d_b_hr = _plus(d_b_hr, parts[11])
            d_b_hz = _plus(d_b_hz, parts[12])
            d_b_hn = _plus(d_b_hn, parts[13])
        return (
            _cast(d_x, ctx.dtypes[0]),
            _cast(d_h, ctx.dtypes[1]),
            _cast(d_w_ir, ctx.dtypes[2]),
            _cast(d_w_iz, ctx.dtypes[3]),
            _cast(d_w_in, ctx.dtypes[4]),
            _cast(d_w_hr, ctx.dtypes[5]),
            _cast(d_w_hz, ctx.dtypes[6]),
            _cast(d_w_hn, ctx.dtypes[7]),
            _cast(d_b_ir, ctx.dtypes[8]),
            _cast(d_b_iz, ctx.dtypes[9]),
            _cast(d_b_in, ctx.dtypes[10]),
            _cast(d_b_hr, ctx.dtypes[11]),
            _cast(d_b_hz, ctx.dtypes[12]),
            _cast(d_b_hn, ctx.dtypes[13]),
        )


class GruCellCompiled(torch.autograd.Function):
    """The same as `GruCell` for `torch.compile`: differentiable once."""

    @staticmethod
    def forward(x, h, w_ir, w_iz, w_in, w_hr, w_hz, w_hn, b_ir, b_iz, b_in, b_hr, b_hz, b_hn):
        return GruCell.forward(x, h, w_ir, w_iz, w_in, w_hr, w_hz, w_hn, b_ir, b_iz, b_in, b_hr, b_hz, b_hn)

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, h, w_ir, w_iz, w_in, w_hr, w_hz, w_hn, b_ir, b_iz, b_in, b_hr, b_hz, b_hn = inputs
        _, u, v, m, a = output
        ctx.save_for_backward(x, h, w_ir, w_iz, w_in, w_hr, w_hz, w_hn, u, v, m, a)
        ctx.set_materialize_grads(False)
        ctx.dtypes = x.dtype, h.dtype, w_ir.dtype, w_iz.dtype, w_in.dtype, w_hr.dtype, w_hz.dtype, w_hn.dtype, b_ir.dtype, b_iz.dtype, b_in.dtype, b_hr.dtype, b_hz.dtype, b_hn.dtype
        ctx.mark_non_differentiable(u, v, m, a)

    @staticmethod
    def backward(ctx, d_h_new, *_):
        x, h, w_ir, w_iz, w_in, w_hr, w_hz, w_hn, u, v, m, a = ctx.saved_tensors
        needs = ctx.needs_input_grad[:14]
        dtype, _ = _compute_dtypes(x.device, *ctx.dtypes)
        d_x = d_h = d_w_ir = d_w_iz = d_w_in = d_w_hr = d_w_hz = d_w_hn = d_b_ir = d_b_iz = d_b_in = d_b_hr = d_b_hz = d_b_hn = None
        if d_h_new is not None:
            d_x, d_h, d_w_ir, d_w_iz, d_w_in, d_w_hr, d_w_hz, d_w_hn, d_b_ir, d_b_iz, d_b_in, d_b_hr, d_b_hz, d_b_hn = _gradients(
                d_h_new, x, h, w_ir, w_iz, w_in, w_hr, w_hz, w_hn, u, v, m, a, dtype, needs,
            )
        return (
            _cast(d_x, ctx.dtypes[0]),
            _cast(d_h, ctx.dtypes[1]),
            _cast(d_w_ir, ctx.dtypes[2]),
            _cast(d_w_iz, ctx.dtypes[3]),
            _cast(d_w_in, ctx.dtypes[4]),
            _cast(d_w_hr, ctx.dtypes[5]),
            _cast(d_w_hz, ctx.dtypes[6]),
            _cast(d_w_hn, ctx.dtypes[7]),
            _cast(d_b_ir, ctx.dtypes[8]),
            _cast(d_b_iz, ctx.dtypes[9]),
            _cast(d_b_in, ctx.dtypes[10]),
            _cast(d_b_hr, ctx.dtypes[11]),
            _cast(d_b_hz, ctx.dtypes[12]),
            _cast(d_b_hn, ctx.dtypes[13]),
        )


def _gradients(d_h_new, x, h, w_ir, w_iz, w_in, w_hr, w_hz, w_hn, u, v, m, a, dtype, needs):
    """The gradients of the inputs from d_h_new[b, j]."""
    need_x, need_h, need_w_ir, need_w_iz, need_w_in, need_w_hr, need_w_hz, need_w_hn, need_b_ir, need_b_iz, need_b_in, need_b_hr, need_b_hz, need_b_hn = needs
    n_b, n_i = x.shape
    n_j = h.shape[1]
    x = x.to(dtype)
    h = h.to(dtype)
    w_ir = w_ir.to(dtype)
    w_iz = w_iz.to(dtype)
    w_in = w_in.to(dtype)
    w_hr = w_hr.to(dtype)
    w_hz = w_hz.to(dtype)
    w_hn = w_hn.to(dtype)
    u = u.to(dtype)
    v = v.to(dtype)
    m = m.to(dtype)
    a = a.to(dtype)
    d_h_new = d_h_new.to(dtype)

    if need_x or need_h or need_w_ir or need_w_hr or need_w_hn or need_b_ir or need_b_hr or need_b_hn:
        # r[b, j] = sigmoid(u[b, j])
        r = torch.sigmoid(u)
    # n[b, j] = tanh(a[b, j])
    n = torch.tanh(a)
    # z[b, j] = sigmoid(v[b, j])
    z = torch.sigmoid(v)
    # one_minus_z[b, j] = 1 - z[b, j]
    one_minus_z = 1 - z
    if need_x or need_h or need_w_ir or need_w_in or need_w_hr or need_w_hn or need_b_ir or need_b_in or need_b_hr or need_b_hn:
        # d_n[b, j] = (1 - z[b, j]) * d_h_new[b, j]
        d_n = one_minus_z * d_h_new
        # d_a[b, j] = (1 - tanh(a[b, j])**2) * d_n[b, j]
        d_a = (1 - torch.square(n)) * d_n
    if need_x or need_h or need_w_ir or need_w_hr or need_b_ir or need_b_hr:
        # d_r[b, j] = m[b, j] * d_a[b, j]
        d_r = m * d_a
        # d_u[b, j] = sigmoid(u[b, j]) * (1 - sigmoid(u[b, j])) * d_r[b, j]
        d_u = r * (1 - r) * d_r
    if need_b_ir or need_b_hr:
        # d_b_ir[j] = sum[b](d_u[b, j])
        d_b_ir = d_u.sum(0)
    if need_x or need_h or need_w_iz or need_w_hz or need_b_iz or need_b_hz:
        # d_z[b, j] = (-n[b, j] + h[b, j]) * d_h_new[b, j]
        d_z = (-n + h) * d_h_new
        # d_v[b, j] = sigmoid(v[b, j]) * (1 - sigmoid(v[b, j])) * d_z[b, j]
        d_v = z * one_minus_z * d_z
    if need_b_iz or need_b_hz:
        # d_b_iz[j] = sum[b](d_v[b, j])
        d_b_iz = d_v.sum(0)
    if need_b_in:
        # d_b_in[j] = sum[b](d_a[b, j])
        d_b_in = d_a.sum(0)
    if need_b_hr:
        # d_b_hr[j] = sum[b](d_u[b, j])
        d_b_hr = d_b_ir
    if need_b_hz:
        # d_b_hz[j] = sum[b](d_v[b, j])
        d_b_hz = d_b_iz
    if need_h or need_w_hn or need_b_hn:
        # d_m[b, j] = r[b, j] * d_a[b, j]
        d_m = r * d_a
    if need_b_hn:
        # d_b_hn[j] = sum[b](d_m[b, j])
        d_b_hn = d_m.sum(0)
    if need_x:
        # sum_w_ir_d_u[b, i] = sum[j](w_ir[j, i] * d_u[b, j])
        sum_w_ir_d_u = d_u @ w_ir
        # sum_w_iz_d_v[b, i] = sum[j](w_iz[j, i] * d_v[b, j])
        sum_w_iz_d_v = d_v @ w_iz
        # sum_w_in_d_a[b, i] = sum[j](w_in[j, i] * d_a[b, j])
        sum_w_in_d_a = d_a @ w_in
        # d_x[b, i] = sum[j](w_ir[j, i] * d_u[b, j]) + sum[j](w_iz[j, i] * d_v[b, j])
        #     + sum[j](w_in[j, i] * d_a[b, j])
        d_x = sum_w_ir_d_u + sum_w_iz_d_v + sum_w_in_d_a
    if need_h:
        # sum_w_hr_d_u[b, j] = sum[k](w_hr[k, j] * d_u[b, k])
        sum_w_hr_d_u = d_u @ w_hr
        # sum_w_hz_d_v[b, j] = sum[k](w_hz[k, j] * d_v[b, k])
        sum_w_hz_d_v = d_v @ w_hz
        # sum_w_hn_d_m[b, j] = sum[k](w_hn[k, j] * d_m[b, k])
        sum_w_hn_d_m = d_m @ w_hn
        # d_h[b, j] = z[b, j] * d_h_new[b, j] + sum[k](w_hr[k, j] * d_u[b, k])
        #     + sum[k](w_hz[k, j] * d_v[b, k]) + sum[k](w_hn[k, j] * d_m[b, k])
        d_h = z * d_h_new + sum_w_hr_d_u + sum_w_hz_d_v + sum_w_hn_d_m
    if need_w_ir:
        # d_w_ir[j, i] = sum[b](x[b, i] * d_u[b, j])
        d_w_ir = d_u.T @ x
    if need_w_iz:
        # d_w_iz[j, i] = sum[b](x[b, i] * d_v[b, j])
        d_w_iz = d_v.T @ x
    if need_w_in:
        # d_w_in[j, i] = sum[b](x[b, i] * d_a[b, j])
        d_w_in = d_a.T @ x
    if need_w_hr:
        # d_w_hr[j, k] = sum[b](h[b, k] * d_u[b, j])
        d_w_hr = d_u.T @ h
    if need_w_hz:
        # d_w_hz[j, k] = sum[b](h[b, k] * d_v[b, j])
        d_w_hz = d_v.T @ h
    if need_w_hn:
        # d_w_hn[j, k] = sum[b](h[b, k] * d_m[b, j])
        d_w_hn = d_m.T @ h

    return (
        d_x if need_x else None,
        d_h if need_h else None,
        d_w_ir if need_w_ir else None,
        d_w_iz if need_w_iz else None,
        d_w_in if need_w_in else None,
        d_w_hr if need_w_hr else None,
        d_w_hz if need_w_hz else None,
        d_w_hn if need_w_hn else None,
        d_b_ir if need_b_ir else None,
        d_b_iz if need_b_iz else None,
        d_b_in if need_b_in else None,
        d_b_hr if need_b_hr else None,
        d_b_hz if need_b_hz else None,
        d_b_hn if need_b_hn else None,
    )


def _gradients_from_statistics(d_u, d_v, d_m, d_a, x, h, w_ir, w_iz, w_in, w_hr, w_hz, w_hn, u, m, dtype, needs):
    """The gradients of the inputs from d_u, d_v, d_m, d_a, which only derivatives of `backward` bring in."""
    need_x, need_h, need_w_ir, need_w_iz, need_w_in, need_w_hr, need_w_hz, need_w_hn, need_b_ir, need_b_iz, need_b_in, need_b_hr, need_b_hz, need_b_hn = needs
    n_b, n_i = x.shape
    n_j = h.shape[1]
    x = x.to(dtype)
    h = h.to(dtype)
    w_ir = w_ir.to(dtype)
    w_iz = w_iz.to(dtype)
    w_in = w_in.to(dtype)
    w_hr = w_hr.to(dtype)
    w_hz = w_hz.to(dtype)
    w_hn = w_hn.to(dtype)
    u = u.to(dtype)
    m = m.to(dtype)
    d_u = d_u.to(dtype)
    d_v = d_v.to(dtype)
    d_m = d_m.to(dtype)
    d_a = d_a.to(dtype)

    if need_x or need_h or need_w_ir or need_w_hr or need_w_hn or need_b_ir or need_b_hr or need_b_hn:
        # r[b, j] = sigmoid(u[b, j])
        r = torch.sigmoid(u)
    if need_x or need_h or need_w_ir or need_w_hr or need_b_ir or need_b_hr:
        # d_r[b, j] = m[b, j] * d_a[b, j]
        d_r = m * d_a
        # d_u_total[b, j] = d_u[b, j] + sigmoid(u[b, j]) * (1 - sigmoid(u[b, j])) * d_r[b, j]
        d_u_total = d_u + r * (1 - r) * d_r
    if need_b_ir or need_b_hr:
        # d_b_ir[j] = sum[b](d_u_total[b, j])
        d_b_ir = d_u_total.sum(0)
    if need_b_iz or need_b_hz:
        # d_b_iz[j] = sum[b](d_v[b, j])
        d_b_iz = d_v.sum(0)
    if need_b_in:
        # d_b_in[j] = sum[b](d_a[b, j])
        d_b_in = d_a.sum(0)
    if need_b_hr:
        # d_b_hr[j] = sum[b](d_u_total[b, j])
        d_b_hr = d_b_ir
    if need_b_hz:
        # d_b_hz[j] = sum[b](d_v[b, j])
        d_b_hz = d_b_iz
    if need_h or need_w_hn or need_b_hn:
        # d_m_total[b, j] = d_m[b, j] + r[b, j] * d_a[b, j]
        d_m_total = d_m + r * d_a
    if need_b_hn:
        # d_b_hn[j] = sum[b](d_m_total[b, j])
        d_b_hn = d_m_total.sum(0)
    if need_x:
        # sum_w_ir_d_u_total[b, i] = sum[j](w_ir[j, i] * d_u_total[b, j])
        sum_w_ir_d_u_total = d_u_total @ w_ir
        # sum_w_iz_d_v[b, i] = sum[j](w_iz[j, i] * d_v[b, j])
        sum_w_iz_d_v = d_v @ w_iz
        # sum_w_in_d_a[b, i] = sum[j](w_in[j, i] * d_a[b, j])
        sum_w_in_d_a = d_a @ w_in
        # d_x[b, i] = sum[j](w_ir[j, i] * d_u_total[b, j]) + sum[j](w_iz[j, i] * d_v[b, j])
        #     + sum[j](w_in[j, i] * d_a[b, j])
        d_x = sum_w_ir_d_u_total + sum_w_iz_d_v + sum_w_in_d_a
    if need_h:
        # sum_w_hr_d_u_total[b, j] = sum[k](w_hr[k, j] * d_u_total[b, k])
        sum_w_hr_d_u_total = d_u_total @ w_hr
        # sum_w_hz_d_v[b, j] = sum[k](w_hz[k, j] * d_v[b, k])
        sum_w_hz_d_v = d_v @ w_hz
        # sum_w_hn_d_m_total[b, j] = sum[k](w_hn[k, j] * d_m_total[b, k])
        sum_w_hn_d_m_total = d_m_total @ w_hn
        # d_h[b, j] = sum[k](w_hr[k, j] * d_u_total[b, k]) + sum[k](w_hz[k, j] * d_v[b, k])
        #     + sum[k](w_hn[k, j] * d_m_total[b, k])
        d_h = sum_w_hr_d_u_total + sum_w_hz_d_v + sum_w_hn_d_m_total
    if need_w_ir:
        # d_w_ir[j, i] = sum[b](x[b, i] * d_u_total[b, j])
        d_w_ir = d_u_total.T @ x
    if need_w_iz:
        # d_w_iz[j, i] = sum[b](x[b, i] * d_v[b, j])
        d_w_iz = d_v.T @ x
    if need_w_in:
        # d_w_in[j, i] = sum[b](x[b, i] * d_a[b, j])
        d_w_in = d_a.T @ x
    if need_w_hr:
        # d_w_hr[j, k] = sum[b](h[b, k] * d_u_total[b, j])
        d_w_hr = d_u_total.T @ h
    if need_w_hz:
        # d_w_hz[j, k] = sum[b](h[b, k] * d_v[b, j])
        d_w_hz = d_v.T @ h
    if need_w_hn:
        # d_w_hn[j, k] = sum[b](h[b, k] * d_m_total[b, j])
        d_w_hn = d_m_total.T @ h

    return (
        d_x if need_x else None,
        d_h if need_h else None,
        d_w_ir if need_w_ir else None,
        d_w_iz if need_w_iz else None,
        d_w_in if need_w_in else None,
        d_w_hr if need_w_hr else None,
        d_w_hz if need_w_hz else None,
        d_w_hn if need_w_hn else None,
        d_b_ir if need_b_ir else None,
        d_b_iz if need_b_iz else None,
        d_b_in if need_b_in else None,
        d_b_hr if need_b_hr else None,
        d_b_hz if need_b_hz else None,
        d_b_hn if need_b_hn else None,
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
