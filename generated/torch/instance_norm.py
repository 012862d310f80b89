"""Instance normalization: each channel of each sample over its positions.

Forward and backward pass for PyTorch of

    mu[s, c] = mean[k](x[s, c, k])
    var[s, c] = mean[k]((x[s, c, k] - mu[s, c])**2)
    y[s, c, k] = w[c] * (x[s, c, k] - mu[s, c]) / sqrt(var[s, c] + eps) + beta[c]

The backward pass was derived by symgrad from these equations. Every gradient below was proved
equal, for every size, to the derivative of the forward pass; the formula that each line
computes stands above it (d_x is the gradient of the final scalar with respect to x).

Generated from the layer instance_norm and the template torch/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate instance_norm --backend torch
"""

import math

import torch


def instance_norm(x, w, beta, *, eps=1e-5):
    """Compute y[s, c, k...]; differentiable, to any order.

    Args:
        x[s, c, k...]: input.
        w[c]: parameter.
        beta[c]: parameter.
        eps: a constant.
    """
    _check_types(x=x, w=w, beta=beta)
    _check_dimensions("x[s, c, k...]", x, 2, more=True)
    n_s, n_c, *shape_k = x.shape
    _check_shape("w[c]", w, (n_c,))
    _check_shape("beta[c]", beta, (n_c,))
    y, *_ = InstanceNorm.apply(x, w, beta, eps)
    return y


class InstanceNorm(torch.autograd.Function):
    """Computes y[s, c, k...]; see `instance_norm`.

    The statistics mu, var are outputs as well, so that derivatives of the
    backward pass reach the inputs through them; `backward` gets their cotangents.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(x, w, beta, eps):
        result = x.dtype
        dtype, wide = _dtypes(x, w, beta)
        n_s, n_c, *shape_k = x.shape
        n_k = math.prod(shape_k)
        x = x.to(dtype).reshape(n_s, n_c, n_k)
        w = w.to(dtype)
        beta = beta.to(dtype)

        # mu[s, c] = mean[k](x[s, c, k])
        mu = x.mean(2, dtype=wide)
        # x_minus_mu[s, c, k] = x[s, c, k] - mu[s, c]
        x_minus_mu = _centre(x, mu[:, :, None])
        # var[s, c] = mean[k]((x[s, c, k] - mu[s, c])**2)
        var = torch.square(x_minus_mu).mean(2, dtype=wide)
        # y[s, c, k] = w[c] * (x[s, c, k] - mu[s, c]) / sqrt(var[s, c] + eps) + beta[c]
        y = x_minus_mu * (w / torch.sqrt(var + eps)).to(dtype)[:, :, None] + beta[:, None]

        return y.reshape(n_s, n_c, *shape_k).to(result), mu, var

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, w, beta, eps = inputs
        _, mu, var = output
        ctx.save_for_backward(x, w, mu, var)
        ctx.set_materialize_grads(False)
        ctx.dtypes = x.dtype, w.dtype, beta.dtype
        ctx.eps = eps

    @staticmethod
    def backward(ctx, d_y, d_mu, d_var):
        x, w, mu, var = ctx.saved_tensors
        eps = ctx.eps
        needs = ctx.needs_input_grad[:3]
        dtype, wide = _compute_dtypes(x.device, *ctx.dtypes)
        d_x = d_w = d_beta = None
        if d_y is not None:
            d_x, d_w, d_beta = _gradients(d_y, x, w, eps, mu, var, dtype, wide, needs)
        if d_mu is not None and ctx.needs_input_grad[0]:
            d_x = _plus(d_x, _gradients_from_mu(d_mu, x, dtype))
        if d_var is not None and ctx.needs_input_grad[0]:
            d_x = _plus(d_x, _gradients_from_var(d_var, x, mu, dtype))
        return _cast(d_x, ctx.dtypes[0]), _cast(d_w, ctx.dtypes[1]), _cast(d_beta, ctx.dtypes[2]), None


def _gradients(d_y, x, w, eps, mu, var, dtype, wide, needs):
    """The gradients of the inputs from d_y[s, c, k...]."""
    need_x, need_w, need_beta = needs
    n_s, n_c, *shape_k = x.shape
    n_k = math.prod(shape_k)
    x = x.to(dtype).reshape(n_s, n_c, n_k)
    w = w.to(dtype)
    d_y = d_y.to(dtype).reshape(n_s, n_c, n_k)

    if need_x or need_w:
        # x_minus_mu[s, c, k] = x[s, c, k] - mu[s, c]
        x_minus_mu = _centre(x, mu[:, :, None])
        # rsqrt_var[s, c] = 1 / sqrt(var[s, c] + eps)
        rsqrt_var = 1 / torch.sqrt(var + eps)
    if need_w:
        # d_w[c] = sum[s, k]((x[s, c, k] - mu[s, c]) * d_y[s, c, k] / sqrt(var[s, c] + eps))
        d_w = (x_minus_mu * rsqrt_var.to(dtype)[:, :, None] * d_y).sum((0, 2), dtype=wide)
    if need_beta:
        # d_beta[c] = sum[s, k](d_y[s, c, k])
        d_beta = d_y.sum((0, 2), dtype=wide)
    if need_x:
        # sum_d_y[s, c] = sum[k](d_y[s, c, k])
        sum_d_y = d_y.sum(2, dtype=wide)
        # d_mu[s, c] = -w[c] * sum[k](d_y[s, c, k]) / sqrt(var[s, c] + eps)
        d_mu = -w * rsqrt_var * sum_d_y
        # sum_x_minus_mu_d_y[s, c] = sum[k]((x[s, c, k] - mu[s, c]) * d_y[s, c, k])
        sum_x_minus_mu_d_y = (x_minus_mu * d_y).sum(2, dtype=wide)
        # d_var[s, c] = -w[c] * sum[k]((x[s, c, k] - mu[s, c]) * d_y[s, c, k]) / (2 * (var[s, c] + eps)**(3/2))
        d_var = -w * rsqrt_var**3 * sum_x_minus_mu_d_y / 2
        # d_x[s, c, k] = w[c] * d_y[s, c, k] / sqrt(var[s, c] + eps) + d_mu[s, c] / size[k]
        #     + 2 * (x[s, c, k] - mu[s, c]) * d_var[s, c] / size[k]
        d_x = (
            d_y * (w * rsqrt_var).to(dtype)[:, :, None]
            + (d_mu / n_k).to(dtype)[:, :, None]
            + x_minus_mu * (2 * d_var / n_k).to(dtype)[:, :, None]
        )

    return (
        d_x.reshape(n_s, n_c, *shape_k) if need_x else None,
        d_w if need_w else None,
        d_beta if need_beta else None,
    )


def _gradients_from_mu(d_mu, x, dtype):
    """The gradients of the inputs from d_mu, which only derivatives of the backward pass bring in."""
    n_s, n_c, *shape_k = x.shape
    n_k = math.prod(shape_k)
    x = x.to(dtype).reshape(n_s, n_c, n_k)

    # d_x[s, c, k] = d_mu[s, c] / size[k]
    d_x = (d_mu / n_k).to(dtype)[:, :, None].expand((n_s, n_c, n_k))

    return d_x.reshape(n_s, n_c, *shape_k)


def _gradients_from_var(d_var, x, mu, dtype):
    """The gradients of the inputs from d_var, which only derivatives of the backward pass bring in."""
    n_s, n_c, *shape_k = x.shape
    n_k = math.prod(shape_k)
    x = x.to(dtype).reshape(n_s, n_c, n_k)

    # d_x[s, c, k] = 2 * (x[s, c, k] - mu[s, c]) * d_var[s, c] / size[k]
    d_x = _centre(x, mu[:, :, None]) * (2 * d_var / n_k).to(dtype)[:, :, None]

    return d_x.reshape(n_s, n_c, *shape_k)


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


def _plus(total, part):
    """total + part, where both may be None."""
    if total is None or part is None:
        return part if total is None else total
    return total + part


def _centre(tensor, mean):
    """tensor - mean; a wider mean is split in two, so that nothing of it is lost."""
    if mean.dtype == tensor.dtype:
        return tensor - mean
    high = mean.to(tensor.dtype)
    return (tensor - high) - (mean - high).to(tensor.dtype)
