"""One step of a long short-term memory: input, forget and output gate, candidate, new cell and state.

Forward and backward pass for PyTorch of

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

Generated from the layer lstm_cell and the template torch/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate lstm_cell --backend torch
"""

import torch


def lstm_cell(x, h, c, w_ii, w_if, w_ig, w_io, w_hi, w_hf, w_hg, w_ho, b_ii, b_if, b_ig, b_io, b_hi, b_hf, b_hg, b_ho):
    """Compute h_new[b, j], c_new[b, j]; differentiable, to any order.

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
    """
    _check_types(
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
    function = LstmCellCompiled if _is_compiled() else LstmCell
    h_new, c_new, *_ = _apply(
        function,
        x,
        h,
        c,
        w_ii,
        w_if,
        w_ig,
        w_io,
        w_hi,
        w_hf,
        w_hg,
        w_ho,
        b_ii,
        b_if,
        b_ig,
        b_io,
        b_hi,
        b_hf,
        b_hg,
        b_ho,
    )
    return h_new, c_new


class LstmCell(torch.autograd.Function):
    """Computes h_new[b, j], c_new[b, j]; see `lstm_cell`.

    The statistics ai, af, ag, ao are outputs as well, so that derivatives of the
    backward pass reach the inputs through them; `backward` gets their cotangents.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(x, h, c, w_ii, w_if, w_ig, w_io, w_hi, w_hf, w_hg, w_ho, b_ii, b_if, b_ig, b_io, b_hi, b_hf, b_hg, b_ho):
        result = x.dtype
        dtype, _ = _dtypes(
            x,
            h,
            c,
            w_ii,
            w_if,
            w_ig,
            w_io,
            w_hi,
            w_hf,
            w_hg,
            w_ho,
            b_ii,
            b_if,
            b_ig,
            b_io,
            b_hi,
            b_hf,
            b_hg,
            b_ho,
        )
        n_b, n_i = x.shape
        n_j = h.shape[1]
        x = x.to(dtype)
        h = h.to(dtype)
        c = c.to(dtype)
        w_ii = w_ii.to(dtype)
        w_if = w_if.to(dtype)
        w_ig = w_ig.to(dtype)
        w_io = w_io.to(dtype)
        w_hi = w_hi.to(dtype)
        w_hf = w_hf.to(dtype)
        w_hg = w_hg.to(dtype)
        w_ho = w_ho.to(dtype)
        b_ii = b_ii.to(dtype)
        b_if = b_if.to(dtype)
        b_ig = b_ig.to(dtype)
        b_io = b_io.to(dtype)
        b_hi = b_hi.to(dtype)
        b_hf = b_hf.to(dtype)
        b_hg = b_hg.to(dtype)
        b_ho = b_ho.to(dtype)

        # sum_x_w_ii[b, j] = sum[i](x[b, i] * w_ii[j, i])
        sum_x_w_ii = x @ w_ii.T
        # sum_h_w_hi[b, j] = sum[k](h[b, k] * w_hi[j, k])
        sum_h_w_hi = h @ w_hi.T
        # ai[b, j] = sum[i](x[b, i] * w_ii[j, i]) + b_ii[j] + sum[k](h[b, k] * w_hi[j, k]) + b_hi[j]
        ai = sum_x_w_ii + b_ii + sum_h_w_hi + b_hi
        # sum_x_w_if[b, j] = sum[i](x[b, i] * w_if[j, i])
        sum_x_w_if = x @ w_if.T
        # sum_h_w_hf[b, j] = sum[k](h[b, k] * w_hf[j, k])
        sum_h_w_hf = h @ w_hf.T
        # af[b, j] = sum[i](x[b, i] * w_if[j, i]) + b_if[j] + sum[k](h[b, k] * w_hf[j, k]) + b_hf[j]
        af = sum_x_w_if + b_if + sum_h_w_hf + b_hf
        # sum_x_w_ig[b, j] = sum[i](x[b, i] * w_ig[j, i])
        sum_x_w_ig = x @ w_ig.T
        # sum_h_w_hg[b, j] = sum[k](h[b, k] * w_hg[j, k])
        sum_h_w_hg = h @ w_hg.T
        # ag[b, j] = sum[i](x[b, i] * w_ig[j, i]) + b_ig[j] + sum[k](h[b, k] * w_hg[j, k]) + b_hg[j]
        ag = sum_x_w_ig + b_ig + sum_h_w_hg + b_hg
        # sum_x_w_io[b, j] = sum[i](x[b, i] * w_io[j, i])
        sum_x_w_io = x @ w_io.T
        # sum_h_w_ho[b, j] = sum[k](h[b, k] * w_ho[j, k])
        sum_h_w_ho = h @ w_ho.T
        # ao[b, j] = sum[i](x[b, i] * w_io[j, i]) + b_io[j] + sum[k](h[b, k] * w_ho[j, k]) + b_ho[j]
        ao = sum_x_w_io + b_io + sum_h_w_ho + b_ho
        # go[b, j] = sigmoid(ao[b, j])
        go = torch.sigmoid(ao)
        # gf[b, j] = sigmoid(af[b, j])
        gf = torch.sigmoid(af)
        # gi[b, j] = sigmoid(ai[b, j])
        gi = torch.sigmoid(ai)
        # gg[b, j] = tanh(ag[b, j])
        gg = torch.tanh(ag)
        # c_new_value[b, j] = gf[b, j] * c[b, j] + gi[b, j] * gg[b, j]
        c_new_value = gf * c + gi * gg
        # h_new[b, j] = go[b, j] * tanh(c_new_value[b, j])
        h_new = go * torch.tanh(c_new_value)
        # c_new[b, j] = c_new_value[b, j]
        c_new = c_new_value.clone()

        return h_new.to(result), c_new.to(result), ai, af, ag, ao

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, h, c, w_ii, w_if, w_ig, w_io, w_hi, w_hf, w_hg, w_ho, b_ii, b_if, b_ig, b_io, b_hi, b_hf, b_hg, b_ho = inputs
        _, _, ai, af, ag, ao = output
        ctx.save_for_backward(x, h, c, w_ii, w_if, w_ig, w_io, w_hi, w_hf, w_hg, w_ho, ai, af, ag, ao)
        ctx.dtypes = x.dtype, h.dtype, c.dtype, w_ii.dtype, w_if.dtype, w_ig.dtype, w_io.dtype, w_hi.dtype, w_hf.dtype, w_hg.dtype, w_ho.dtype, b_ii.dtype, b_if.dtype, b_ig.dtype, b_io.dtype, b_hi.dtype, b_hf.dtype, b_hg.dtype, b_ho.dtype

    @staticmethod
    def backward(ctx, d_h_new, d_c_new, d_ai, d_af, d_ag, d_ao):
        x, h, c, w_ii, w_if, w_ig, w_io, w_hi, w_hf, w_hg, w_ho, ai, af, ag, ao = ctx.saved_tensors
        needs = ctx.needs_input_grad[:19]
        dtype, _ = _compute_dtypes(x.device, *ctx.dtypes)
        d_x = d_h = d_c = d_w_ii = d_w_if = d_w_ig = d_w_io = d_w_hi = d_w_hf = d_w_hg = d_w_ho = d_b_ii = d_b_if = d_b_ig = d_b_io = d_b_hi = d_b_hf = d_b_hg = d_b_ho = None
        if d_h_new is not None or d_c_new is not None:
            d_x, d_h, d_c, d_w_ii, d_w_if, d_w_ig, d_w_io, d_w_hi, d_w_hf, d_w_hg, d_w_ho, d_b_ii, d_b_if, d_b_ig, d_b_io, d_b_hi, d_b_hf, d_b_hg, d_b_ho = _gradients(
                d_h_new, d_c_new, x, h, c, w_ii, w_if, w_ig, w_io, w_hi, w_hf, w_hg, w_ho, ai, af, ag, ao,
                dtype, needs,
            )
        if d_ai is not None or d_af is not None or d_ag is not None or d_ao is not None:
            d_ai, d_af, d_ag, d_ao = _or_zeros((d_ai, d_af, d_ag, d_ao), (ai, af, ag, ao))
            parts = _gradients_from_statistics(
                d_ai, d_af, d_ag, d_ao, x, h, w_ii, w_if, w_ig, w_io, w_hi, w_hf, w_hg, w_ho, dtype,
                (*ctx.needs_input_grad[:2], *ctx.needs_input_grad[3:19]),
            )
            d_x = _plus(d_x, parts[0])
            d_h = _plus(d_h, parts[1])
            d_w_ii = _plus(d_w_ii, parts[2])
            d_w_if = _plus(d_w_if, parts[3])
            d_w_ig = _plus(d_w_ig, parts[4])
            d_w_io = _plus(d_w_io, parts[5])
            d_w_hi = _plus(d_w_hi, parts[6])
            d_w_hf = _plus(d_w_hf, parts[7])
            d_w_hg = _plus(d_w_hg, parts[8])
            d_w_ho = _plus(d_w_ho, parts[9])
            d_b_ii = _plus(d_b_ii, parts[10])
            d_b_if = _plus(d_b_if, parts[11])
            d_b_ig = _plus(d_b_ig, parts[12])
            d_b_io = _plus(d_b_io, parts[13])
            d_b_hi = _plus(d_b_hi, parts[14])
            d_b_hf = _plus(d_b_hf, parts[15])
            d_b_hg = _plus(d_b_hg, parts[16])
            d_b_ho = _plus(d_b_ho, parts[17])
        return (
            _cast(d_x, ctx.dtypes[0]),
            _cast(d_h, ctx.dtypes[1]),
            _cast(d_c, ctx.dtypes[2]),
            _cast(d_w_ii, ctx.dtypes[3]),
            _cast(d_w_if, ctx.dtypes[4]),
            _cast(d_w_ig, ctx.dtypes[5]),
            _cast(d_w_io, ctx.dtypes[6]),
            _cast(d_w_hi, ctx.dtypes[7]),
            _cast(d_w_hf, ctx.dtypes[8]),
            _cast(d_w_hg, ctx.dtypes[9]),
            _cast(d_w_ho, ctx.dtypes[10]),
            _cast(d_b_ii, ctx.dtypes[11]),
            _cast(d_b_if, ctx.dtypes[12]),
            _cast(d_b_ig, ctx.dtypes[13]),
            _cast(d_b_io, ctx.dtypes[14]),
            _cast(d_b_hi, ctx.dtypes[15]),
            _cast(d_b_hf, ctx.dtypes[16]),
            _cast(d_b_hg, ctx.dtypes[17]),
            _cast(d_b_ho, ctx.dtypes[18]),
        )


class LstmCellCompiled(torch.autograd.Function):
    """The same as `LstmCell` for `torch.compile`: differentiable once."""

    @staticmethod
    def forward(x, h, c, w_ii, w_if, w_ig, w_io, w_hi, w_hf, w_hg, w_ho, b_ii, b_if, b_ig, b_io, b_hi, b_hf, b_hg, b_ho):
        return LstmCell.forward(x, h, c, w_ii, w_if, w_ig, w_io, w_hi, w_hf, w_hg, w_ho, b_ii, b_if, b_ig, b_io, b_hi, b_hf, b_hg, b_ho)

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, h, c, w_ii, w_if, w_ig, w_io, w_hi, w_hf, w_hg, w_ho, b_ii, b_if, b_ig, b_io, b_hi, b_hf, b_hg, b_ho = inputs
        _, _, ai, af, ag, ao = output
        ctx.save_for_backward(x, h, c, w_ii, w_if, w_ig, w_io, w_hi, w_hf, w_hg, w_ho, ai, af, ag, ao)
        ctx.dtypes = x.dtype, h.dtype, c.dtype, w_ii.dtype, w_if.dtype, w_ig.dtype, w_io.dtype, w_hi.dtype, w_hf.dtype, w_hg.dtype, w_ho.dtype, b_ii.dtype, b_if.dtype, b_ig.dtype, b_io.dtype, b_hi.dtype, b_hf.dtype, b_hg.dtype, b_ho.dtype
        ctx.mark_non_differentiable(ai, af, ag, ao)

    @staticmethod
    def backward(ctx, d_h_new, d_c_new, *_):
        x, h, c, w_ii, w_if, w_ig, w_io, w_hi, w_hf, w_hg, w_ho, ai, af, ag, ao = ctx.saved_tensors
        needs = ctx.needs_input_grad[:19]
        dtype, _ = _compute_dtypes(x.device, *ctx.dtypes)
        d_x = d_h = d_c = d_w_ii = d_w_if = d_w_ig = d_w_io = d_w_hi = d_w_hf = d_w_hg = d_w_ho = d_b_ii = d_b_if = d_b_ig = d_b_io = d_b_hi = d_b_hf = d_b_hg = d_b_ho = None
        if d_h_new is not None or d_c_new is not None:
            d_x, d_h, d_c, d_w_ii, d_w_if, d_w_ig, d_w_io, d_w_hi, d_w_hf, d_w_hg, d_w_ho, d_b_ii, d_b_if, d_b_ig, d_b_io, d_b_hi, d_b_hf, d_b_hg, d_b_ho = _gradients(
                d_h_new, d_c_new, x, h, c, w_ii, w_if, w_ig, w_io, w_hi, w_hf, w_hg, w_ho, ai, af, ag, ao,
                dtype, needs,
            )
        return (
            _cast(d_x, ctx.dtypes[0]),
            _cast(d_h, ctx.dtypes[1]),
            _cast(d_c, ctx.dtypes[2]),
            _cast(d_w_ii, ctx.dtypes[3]),
            _cast(d_w_if, ctx.dtypes[4]),
            _cast(d_w_ig, ctx.dtypes[5]),
            _cast(d_w_io, ctx.dtypes[6]),
            _cast(d_w_hi, ctx.dtypes[7]),
            _cast(d_w_hf, ctx.dtypes[8]),
            _cast(d_w_hg, ctx.dtypes[9]),
            _cast(d_w_ho, ctx.dtypes[10]),
            _cast(d_b_ii, ctx.dtypes[11]),
            _cast(d_b_if, ctx.dtypes[12]),
            _cast(d_b_ig, ctx.dtypes[13]),
            _cast(d_b_io, ctx.dtypes[14]),
            _cast(d_b_hi, ctx.dtypes[15]),
            _cast(d_b_hf, ctx.dtypes[16]),
            _cast(d_b_hg, ctx.dtypes[17]),
            _cast(d_b_ho, ctx.dtypes[18]),
        )


def _gradients(d_h_new, d_c_new, x, h, c, w_ii, w_if, w_ig, w_io, w_hi, w_hf, w_hg, w_ho, ai, af, ag, ao, dtype, needs):
    """The gradients of the inputs from d_h_new[b, j], d_c_new[b, j]."""
    need_x, need_h, need_c, need_w_ii, need_w_if, need_w_ig, need_w_io, need_w_hi, need_w_hf, need_w_hg, need_w_ho, need_b_ii, need_b_if, need_b_ig, need_b_io, need_b_hi, need_b_hf, need_b_hg, need_b_ho = needs
    n_b, n_i = x.shape
    n_j = h.shape[1]
    x = x.to(dtype)
    h = h.to(dtype)
    c = c.to(dtype)
    w_ii = w_ii.to(dtype)
    w_if = w_if.to(dtype)
    w_ig = w_ig.to(dtype)
    w_io = w_io.to(dtype)
    w_hi = w_hi.to(dtype)
    w_hf = w_hf.to(dtype)
    w_hg = w_hg.to(dtype)
    w_ho = w_ho.to(dtype)
    ai = ai.to(dtype)
    af = af.to(dtype)
    ag = ag.to(dtype)
    ao = ao.to(dtype)
    d_h_new = d_h_new.to(dtype)
    d_c_new = d_c_new.to(dtype)

    # gi[b, j] = sigmoid(ai[b, j])
    gi = torch.sigmoid(ai)
    # gg[b, j] = tanh(ag[b, j])
    gg = torch.tanh(ag)
    # go[b, j] = sigmoid(ao[b, j])
    go = torch.sigmoid(ao)
    # gf[b, j] = sigmoid(af[b, j])
    gf = torch.sigmoid(af)
    # c_new_value[b, j] = gf[b, j] * c[b, j] + gi[b, j] * gg[b, j]
    c_new_value = gf * c + gi * gg
    # tanh_c_new_value[b, j] = tanh(c_new_value[b, j])
    tanh_c_new_value = torch.tanh(c_new_value)
    if need_x or need_h or need_c or need_w_ii or need_w_if or need_w_ig or need_w_hi or need_w_hf or need_w_hg or need_b_ii or need_b_if or need_b_ig or need_b_hi or need_b_hf or need_b_hg:
        # d_c_new_value[b, j] = d_c_new[b, j]
        #     + go[b, j] * (1 - tanh(c_new_value[b, j])**2) * d_h_new[b, j]
        d_c_new_value = d_c_new + go * (1 - torch.square(tanh_c_new_value)) * d_h_new
    if need_x or need_h or need_w_ii or need_w_hi or need_b_ii or need_b_hi:
        # d_gi[b, j] = gg[b, j] * d_c_new_value[b, j]
        d_gi = gg * d_c_new_value
        # d_ai[b, j] = sigmoid(ai[b, j]) * (1 - sigmoid(ai[b, j])) * d_gi[b, j]
        d_ai = gi * (1 - gi) * d_gi
    if need_b_ii or need_b_hi:
        # d_b_ii[j] = sum[b](d_ai[b, j])
        d_b_ii = d_ai.sum(0)
    if need_x or need_h or need_w_if or need_w_hf or need_b_if or need_b_hf:
        # d_gf[b, j] = c[b, j] * d_c_new_value[b, j]
        d_gf = c * d_c_new_value
        # d_af[b, j] = sigmoid(af[b, j]) * (1 - sigmoid(af[b, j])) * d_gf[b, j]
        d_af = gf * (1 - gf) * d_gf
    if need_b_if or need_b_hf:
        # d_b_if[j] = sum[b](d_af[b, j])
        d_b_if = d_af.sum(0)
    if need_x or need_h or need_w_ig or need_w_hg or need_b_ig or need_b_hg:
        # d_gg[b, j] = gi[b, j] * d_c_new_value[b, j]
        d_gg = gi * d_c_new_value
        # d_ag[b, j] = (1 - tanh(ag[b, j])**2) * d_gg[b, j]
        d_ag = (1 - torch.square(gg)) * d_gg
    if need_b_ig or need_b_hg:
        # d_b_ig[j] = sum[b](d_ag[b, j])
        d_b_ig = d_ag.sum(0)
    if need_x or need_h or need_w_io or need_w_ho or need_b_io or need_b_ho:
        # d_go[b, j] = tanh(c_new_value[b, j]) * d_h_new[b, j]
        d_go = tanh_c_new_value * d_h_new
        # d_ao[b, j] = sigmoid(ao[b, j]) * (1 - sigmoid(ao[b, j])) * d_go[b, j]
        d_ao = go * (1 - go) * d_go
    if need_b_io or need_b_ho:
        # d_b_io[j] = sum[b](d_ao[b, j])
        d_b_io = d_ao.sum(0)
    if need_b_hi:
        # d_b_hi[j] = sum[b](d_ai[b, j])
        d_b_hi = d_b_ii
    if need_b_hf:
        # d_b_hf[j] = sum[b](d_af[b, j])
        d_b_hf = d_b_if
    if need_b_hg:
        # d_b_hg[j] = sum[b](d_ag[b, j])
        d_b_hg = d_b_ig
    if need_b_ho:
        # d_b_ho[j] = sum[b](d_ao[b, j])
        d_b_ho = d_b_io
    if need_x:
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
        d_x = sum_w_ii_d_ai + sum_w_if_d_af + sum_w_ig_d_ag + sum_w_io_d_ao
    if need_h:
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
        d_h = sum_w_hi_d_ai + sum_w_hf_d_af + sum_w_hg_d_ag + sum_w_ho_d_ao
    if need_c:
        # d_c[b, j] = gf[b, j] * d_c_new_value[b, j]
        d_c = gf * d_c_new_value
    if need_w_ii:
        # d_w_ii[j, i] = sum[b](x[b, i] * d_ai[b, j])
        d_w_ii = d_ai.T @ x
    if need_w_if:
        # d_w_if[j, i] = sum[b](x[b, i] * d_af[b, j])
        d_w_if = d_af.T @ x
    if need_w_ig:
        # d_w_ig[j, i] = sum[b](x[b, i] * d_ag[b, j])
        d_w_ig = d_ag.T @ x
    if need_w_io:
        # d_w_io[j, i] = sum[b](x[b, i] * d_ao[b, j])
        d_w_io = d_ao.T @ x
    if need_w_hi:
        # d_w_hi[j, k] = sum[b](h[b, k] * d_ai[b, j])
        d_w_hi = d_ai.T @ h
    if need_w_hf:
        # d_w_hf[j, k] = sum[b](h[b, k] * d_af[b, j])
        d_w_hf = d_af.T @ h
    if need_w_hg:
        # d_w_hg[j, k] = sum[b](h[b, k] * d_ag[b, j])
        d_w_hg = d_ag.T @ h
    if need_w_ho:
        # d_w_ho[j, k] = sum[b](h[b, k] * d_ao[b, j])
        d_w_ho = d_ao.T @ h

    return (
        d_x if need_x else None,
        d_h if need_h else None,
        d_c if need_c else None,
        d_w_ii if need_w_ii else None,
        d_w_if if need_w_if else None,
        d_w_ig if need_w_ig else None,
        d_w_io if need_w_io else None,
        d_w_hi if need_w_hi else None,
        d_w_hf if need_w_hf else None,
        d_w_hg if need_w_hg else None,
        d_w_ho if need_w_ho else None,
        d_b_ii if need_b_ii else None,
        d_b_if if need_b_if else None,
        d_b_ig if need_b_ig else None,
        d_b_io if need_b_io else None,
        d_b_hi if need_b_hi else None,
        d_b_hf if need_b_hf else None,
        d_b_hg if need_b_hg else None,
        d_b_ho if need_b_ho else None,
    )


def _gradients_from_statistics(d_ai, d_af, d_ag, d_ao, x, h, w_ii, w_if, w_ig, w_io, w_hi, w_hf, w_hg, w_ho, dtype, needs):
    """The gradients of the inputs from d_ai, d_af, d_ag, d_ao, which only derivatives of `backward` bring in."""
    need_x, need_h, need_w_ii, need_w_if, need_w_ig, need_w_io, need_w_hi, need_w_hf, need_w_hg, need_w_ho, need_b_ii, need_b_if, need_b_ig, need_b_io, need_b_hi, need_b_hf, need_b_hg, need_b_ho = needs
    n_b, n_i = x.shape
    n_j = h.shape[1]
    x = x.to(dtype)
    h = h.to(dtype)
    w_ii = w_ii.to(dtype)
    w_if = w_if.to(dtype)
    w_ig = w_ig.to(dtype)
    w_io = w_io.to(dtype)
    w_hi = w_hi.to(dtype)
    w_hf = w_hf.to(dtype)
    w_hg = w_hg.to(dtype)
    w_ho = w_ho.to(dtype)
    d_ai = d_ai.to(dtype)
    d_af = d_af.to(dtype)
    d_ag = d_ag.to(dtype)
    d_ao = d_ao.to(dtype)

    if need_b_ii or need_b_hi:
        # d_b_ii[j] = sum[b](d_ai[b, j])
        d_b_ii = d_ai.sum(0)
    if need_b_if or need_b_hf:
        # d_b_if[j] = sum[b](d_af[b, j])
        d_b_if = d_af.sum(0)
    if need_b_ig or need_b_hg:
        # d_b_ig[j] = sum[b](d_ag[b, j])
        d_b_ig = d_ag.sum(0)
    if need_b_io or need_b_ho:
        # d_b_io[j] = sum[b](d_ao[b, j])
        d_b_io = d_ao.sum(0)
    if need_b_hi:
        # d_b_hi[j] = sum[b](d_ai[b, j])
        d_b_hi = d_b_ii
    if need_b_hf:
        # d_b_hf[j] = sum[b](d_af[b, j])
        d_b_hf = d_b_if
    if need_b_hg:
        # d_b_hg[j] = sum[b](d_ag[b, j])
        d_b_hg = d_b_ig
    if need_b_ho:
        # d_b_ho[j] = sum[b](d_ao[b, j])
        d_b_ho = d_b_io
    if need_x:
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
        d_x = sum_w_ii_d_ai + sum_w_if_d_af + sum_w_ig_d_ag + sum_w_io_d_ao
    if need_h:
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
        d_h = sum_w_hi_d_ai + sum_w_hf_d_af + sum_w_hg_d_ag + sum_w_ho_d_ao
    if need_w_ii:
        # d_w_ii[j, i] = sum[b](x[b, i] * d_ai[b, j])
        d_w_ii = d_ai.T @ x
    if need_w_if:
        # d_w_if[j, i] = sum[b](x[b, i] * d_af[b, j])
        d_w_if = d_af.T @ x
    if need_w_ig:
        # d_w_ig[j, i] = sum[b](x[b, i] * d_ag[b, j])
        d_w_ig = d_ag.T @ x
    if need_w_io:
        # d_w_io[j, i] = sum[b](x[b, i] * d_ao[b, j])
        d_w_io = d_ao.T @ x
    if need_w_hi:
        # d_w_hi[j, k] = sum[b](h[b, k] * d_ai[b, j])
        d_w_hi = d_ai.T @ h
    if need_w_hf:
        # d_w_hf[j, k] = sum[b](h[b, k] * d_af[b, j])
        d_w_hf = d_af.T @ h
    if need_w_hg:
        # d_w_hg[j, k] = sum[b](h[b, k] * d_ag[b, j])
        d_w_hg = d_ag.T @ h
    if need_w_ho:
        # d_w_ho[j, k] = sum[b](h[b, k] * d_ao[b, j])
        d_w_ho = d_ao.T @ h

    return (
        d_x if need_x else None,
        d_h if need_h else None,
        d_w_ii if need_w_ii else None,
        d_w_if if need_w_if else None,
        d_w_ig if need_w_ig else None,
        d_w_io if need_w_io else None,
        d_w_hi if need_w_hi else None,
        d_w_hf if need_w_hf else None,
        d_w_hg if need_w_hg else None,
        d_w_ho if need_w_ho else None,
        d_b_ii if need_b_ii else None,
        d_b_if if need_b_if else None,
        d_b_ig if need_b_ig else None,
        d_b_io if need_b_io else None,
        d_b_hi if need_b_hi else None,
        d_b_hf if need_b_hf else None,
        d_b_hg if need_b_hg else None,
        d_b_ho if need_b_ho else None,
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
