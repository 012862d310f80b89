"""Batch normalization in evaluation: by the running mean and variance, which get no gradient.

Forward and backward pass for PyTorch of

    y[s, c, k] = w[c] * (x[s, c, k] - mu[c]) / sqrt(var[c] + eps) + beta[c]

The backward pass was derived by symgrad from these equations. Every gradient below was proved
equal, for every size, to the derivative of the forward pass; the formula that each line
computes stands above it (d_x is the gradient of the final scalar with respect to x).

Generated from the layer batch_norm_eval and the template torch/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate batch_norm_eval --backend torch
"""

import math

import torch


def batch_norm_eval(x, w, beta, mu, var, *, eps=1e-5):
    """Compute y[s, c, k...]; differentiable, to any order.

    Args:
        x[s, c, k...]: input.
        w[c]: parameter.
        beta[c]: parameter.
        mu[c]: target, gets no gradient.
        var[c]: target, gets no gradient.
        eps: a constant.
    """
    _check_types(x=x, w=w, beta=beta, mu=mu, var=var)
    _check_dimensions("x[s, c, k...]", x, 2, more=True)
    n_s, n_c, *shape_k = x.shape
    _check_shape("w[c]", w, (n_c,))
    _check_shape("beta[c]", beta, (n_c,))
    _check_shape("mu[c]", mu, (n_c,))
    _check_shape("var[c]", var, (n_c,))
    return BatchNormEval.apply(x, w, beta, mu, var, eps)


class BatchNormEval(torch.autograd.Function):
    """Computes y[s, c, k...]; see `batch_norm_eval`."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x, w, beta, mu, var, eps):
        result = x.dtype
        dtype, _ = _dtypes(x, w, beta, mu, var)
        n_s, n_c, *shape_k = x.shape
        n_k = math.prod(shape_k)
        x = x.to(dtype).reshape(n_s, n_c, n_k)
        w = w.to(dtype)
        beta = beta.to(dtype)
        mu = mu.to(dtype)
        var = var.to(dtype)

        # y[s, c, k] = w[c] * (x[s, c, k] - mu[c]) / sqrt(var[c] + eps) + beta[c]
        y = (x - mu[:, None]) * (w / torch.sqrt(var + eps))[:, None] + beta[:, None]

        return y.reshape(n_s, n_c, *shape_k).to(result)

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, w, beta, mu, var, eps = inputs
        ctx.save_for_backward(x, w, mu, var)
        ctx.set_materialize_grads(False)
        ctx.dtypes = x.dtype, w.dtype, beta.dtype, mu.dtype, var.dtype
        ctx.eps = eps

    @staticmethod
    def backward(ctx, d_y):
        x, w, mu, var = ctx.saved_tensors
        eps = ctx.eps
        needs = ctx.needs_input_grad[:3]
        dtype, wide = _compute_dtypes(x.device, *ctx.dtypes)
        d_x = d_w = d_beta = None
        if d_y is not None:
            d_x, d_w, d_beta = _gradients(d_y, x, w, mu, var, eps, dtype, wide, needs)
        return _cast(d_x, ctx.dtypes[0]), _cast(d_w, ctx.dtypes[1]), _cast(d_beta, ctx.dtypes[2]), None, None, None


def _gradients(d_y, x, w, mu, var, eps, dtype, wide, needs):
    """The gradients of the inputs from d_y[s, c, k...]."""
    need_x, need_w, need_beta = needs
    n_s, n_c, *shape_k = x.shape
    n_k = math.prod(shape_k)
    x = x.to(dtype).reshape(n_s, n_c, n_k)
    w = w.to(dtype)
    mu = mu.to(dtype)
    var = var.to(dtype)
    d_y = d_y.to(dtype).reshape(n_s, n_c, n_k)

    if need_x or need_w:
        # rsqrt_var[c] = 1 / sqrt(var[c] + eps)
        rsqrt_var = 1 / torch.sqrt(var + eps)
    if need_w:
        # sum_x_minus_mu_d_y[c] = sum[s, k]((x[s, c, k] - mu[c]) * d_y[s, c, k])
        sum_x_minus_mu_d_y = ((x - mu[:, None]) * d_y).sum((0, 2), dtype=wide)
        # d_w[c] = sum[s, k]((x[s, c, k] - mu[c]) * d_y[s, c, k]) / sqrt(var[c] + eps)
        d_w = rsqrt_var * sum_x_minus_mu_d_y
    if need_beta:
        # d_beta[c] = sum[s, k](d_y[s, c, k])
        d_beta = d_y.sum((0, 2), dtype=wide)
    if need_x:
        # d_x[s, c, k] = w[c] * d_y[s, c, k] / sqrt(var[c] + eps)
        d_x = d_y * (w * rsqrt_var)[:, None]

    return (
        d_x.reshape(n_s, n_c, *shape_k) if need_x else None,
        d_w if need_w else None,
        d_beta if need_beta else None,
    )


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
