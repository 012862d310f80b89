"""Scaled dot-product attention in which each place sees itself and what is before it.

Forward and backward pass for PyTorch of

    s[b, n, m] = sum[d](q[b, n, d] * k[b, m, d]) / sqrt(size[d])
    p[b, n, m] = where(m <= n, exp(s[b, n, m]), 0) / sum[m](where(m <= n, exp(s[b, n, m]), 0))
    y[b, n, e] = sum[m](p[b, n, m] * v[b, m, e])

The backward pass was derived by symgrad from these equations. Every gradient below was proved
equal, for every size, to the derivative of the forward pass; the formula that each line
computes stands above it (d_x is the gradient of the final scalar with respect to x).

Generated from the layer causal_attention and the template torch/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate causal_attention --backend torch
"""

import math

import torch


def causal_attention(q, k, v):
    """Compute y[b..., n, e]; differentiable, to any order.

    Args:
        q[b..., n, d]: input.
        k[b..., m, d]: input.
        v[b..., m, e]: input.
    """
    _check_types(q=q, k=k, v=v)
    _check_dimensions("q[b..., n, d]", q, 2, more=True)
    *shape_b, n_n, n_d = q.shape
    _check_shape("k[b..., m, d]", k, (*shape_b, n_n, n_d))
    _check_dimensions("v[b..., m, e]", v, 2, more=True)
    n_e = v.shape[-1]
    _check_shape("v[b..., m, e]", v, (*shape_b, n_n, n_e))
    function = CausalAttentionCompiled if _is_compiled() else CausalAttention
    y, *_ = _apply(function, q, k, v)
    return y


class CausalAttention(torch.autograd.Function):
    """Computes y[b..., n, e]; see `causal_attention`.

    The statistics p are outputs as well, so that derivatives of the
    backward pass reach the inputs through them; `backward` gets their cotangents.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(q, k, v):
        result = q.dtype
        dtype, _ = _dtypes(q, k, v)
        *shape_b, n_n, n_d = q.shape
        n_b = math.prod(shape_b)
        n_e = v.shape[-1]
        q = q.to(dtype).reshape(n_b, n_n, n_d)
        k = k.to(dtype).reshape(n_b, n_n, n_d)
        v = v.to(dtype).reshape(n_b, n_n, n_e)

        # s[b, n, m] = sum[d](q[b, n, d] * k[b, m, d]) / sqrt(size[d])
        s = q @ k.mT / math.sqrt(n_d)
        # s_masked[b, m, n] = where(m <= n, s[b, n, m], log(0))
        s_masked = torch.where(
            torch.arange(n_n, device=q.device)[:, None] <= torch.arange(n_n, device=q.device),
            s.permute(0, 2, 1),
            (-math.inf),
        )
        # max_s_masked[b, n] = max[m](where(m <= n, s[b, n, m], log(0)))
        max_s_masked = s_masked.amax(1)
        # exp_s_masked[b, m, n] = exp(where(m <= n, s[b, n, m], log(0)) - max_s_masked[b, n])
        exp_s_masked = torch.exp(s_masked - max_s_masked[:, None, :])
        # sum_exp_s_masked[b, n] = sum[m](exp(where(m <= n, s[b, n, m], log(0)) - max_s_masked[b, n]))
        sum_exp_s_masked = exp_s_masked.sum(1)
        # p[b, n, m] = where(m <= n, exp(s[b, n, m]), 0) / sum[m](where(m <= n, exp(s[b, n, m]), 0))
        p = exp_s_masked.permute(0, 2, 1) * (1 / sum_exp_s_masked)[:, :, None]
        # y[b, n, e] = sum[m](p[b, n, m] * v[b, m, e])
        y = p @ v

        return y.reshape(*shape_b, n_n, n_e).to(result), p

    @staticmethod
    def setup_context(ctx, inputs, output):
        q, k, v = inputs
        _, p = output
        ctx.save_for_backward(q, k, v, p)
        ctx.set_materialize_grads(False)
        ctx.dtypes = q.dtype, k.dtype, v.dtype

    @staticmethod
    def backward(ctx, d_y, d_p):
        q, k, v, p = ctx.saved_tensors
        needs = ctx.needs_input_grad[:3]
        dtype, _ = _compute_dtypes(q.device, *ctx.dtypes)
        d_q = d_k = d_v = None
        if d_y is not None:
            d_q, d_k, d_v = _gradients(d_y, q, k, v, p, dtype, needs)
        if d_p is not None:
            parts = _gradients_from_statistics(d_p, q, k, v, p, dtype, ctx.needs_input_grad[:2])
            d_q, d_k = map(_plus, (d_q, d_k), parts)
        return _cast(d_q, ctx.dtypes[0]), _cast(d_k, ctx.dtypes[1]), _cast(d_v, ctx.dtypes[2])


class CausalAttentionCompiled(torch.autograd.Function):
    """The same as `CausalAttention` for `torch.compile`: differentiable once."""

    @staticmethod
    def forward(q, k, v):
        return CausalAttention.forward(q, k, v)

    @staticmethod
    def setup_context(ctx, inputs, output):
        q, k, v = inputs
        _, p = output
        ctx.save_for_backward(q, k, v, p)
        ctx.set_materialize_grads(False)
        ctx.dtypes = q.dtype, k.dtype, v.dtype
        ctx.mark_non_differentiable(p)

    @staticmethod
    def backward(ctx, d_y, *_):
        q, k, v, p = ctx.saved_tensors
        needs = ctx.needs_input_grad[:3]
        dtype, _ = _compute_dtypes(q.device, *ctx.dtypes)
        d_q = d_k = d_v = None
        if d_y is not None:
            d_q, d_k, d_v = _gradients(d_y, q, k, v, p, dtype, needs)
        return _cast(d_q, ctx.dtypes[0]), _cast(d_k, ctx.dtypes[1]), _cast(d_v, ctx.dtypes[2])


def _gradients(d_y, q, k, v, p, dtype, needs):
    """The gradients of the inputs from d_y[b..., n, e]."""
    need_q, need_k, need_v = needs
    *shape_b, n_n, n_d = q.shape
    n_b = math.prod(shape_b)
    n_e = v.shape[-1]
    q = q.to(dtype).reshape(n_b, n_n, n_d)
    k = k.to(dtype).reshape(n_b, n_n, n_d)
    v = v.to(dtype).reshape(n_b, n_n, n_e)
    p = p.to(dtype).reshape(n_b, n_n, n_n)
    d_y = d_y.to(dtype).reshape(n_b, n_n, n_e)

    if need_q or need_k:
        # d_p[b, n, m] = sum[e](v[b, m, e] * d_y[b, n, e])
        d_p = d_y @ v.mT
        # sum_p_d_p[b, n] = sum[i](p[b, n, i] * d_p[b, n, i])
        sum_p_d_p = (p * d_p).sum(2)
        # d_s[b, n, m] = p[b, n, m] * (d_p[b, n, m] - sum[i](p[b, n, i] * d_p[b, n, i]))
        d_s = p * (d_p - sum_p_d_p[:, :, None])
    if need_q:
        # d_q[b, n, d] = sum[m](k[b, m, d] * d_s[b, n, m]) / sqrt(size[d])
        d_q = d_s @ k / math.sqrt(n_d)
    if need_k:
        # d_k[b, m, d] = sum[n](q[b, n, d] * d_s[b, n, m]) / sqrt(size[d])
        d_k = d_s.mT @ q / math.sqrt(n_d)
    if need_v:
        # d_v[b, m, e] = sum[n](p[b, n, m] * d_y[b, n, e])
        d_v = p.mT @ d_y

    return (
        d_q.reshape(*shape_b, n_n, n_d) if need_q else None,
        d_k.reshape(*shape_b, n_n, n_d) if need_k else None,
        d_v.reshape(*shape_b, n_n, n_e) if need_v else None,
    )


def _gradients_from_statistics(d_p, q, k, v, p, dtype, needs):
    """The gradients of the inputs from d_p, which only derivatives of `backward` bring in."""
    need_q, need_k = needs
    *shape_b, n_n, n_d = q.shape
    n_b = math.prod(shape_b)
    n_e = v.shape[-1]
    q = q.to(dtype).reshape(n_b, n_n, n_d)
    k = k.to(dtype).reshape(n_b, n_n, n_d)
    v = v.to(dtype).reshape(n_b, n_n, n_e)
    p = p.to(dtype).reshape(n_b, n_n, n_n)
    d_p = d_p.to(dtype).reshape(n_b, n_n, n_n)

    # sum_p_d_p[b, n] = sum[i](p[b, n, i] * d_p[b, n, i])
    sum_p_d_p = (p * d_p).sum(2)
    # d_s[b, n, m] = p[b, n, m] * (d_p[b, n, m] - sum[i](p[b, n, i] * d_p[b, n, i]))
    d_s = p * (d_p - sum_p_d_p[:, :, None])
    if need_q:
        # d_q[b, n, d] = sum[m](k[b, m, d] * d_s[b, n, m]) / sqrt(size[d])
        d_q = d_s @ k / math.sqrt(n_d)
    if need_k:
        # d_k[b, m, d] = sum[n](q[b, n, d] * d_s[b, n, m]) / sqrt(size[d])
        d_k = d_s.mT @ q / math.sqrt(n_d)

    return (
        d_q.reshape(*shape_b, n_n, n_d) if need_q else None,
        d_k.reshape(*shape_b, n_n, n_d) if need_k else None,
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


def _plus(total, part):
    """total + part, where both may be None."""
    if total is None or part is None:
        return part if total is None else total
    return total + part
