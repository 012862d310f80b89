"""Each vector along the last dimension divided by its Euclidean length, or by eps where that is more.

Forward and backward pass for PyTorch of

    r[b] = sqrt(where(eps**2 < sum[d](x[b, d]**2), sum[d](x[b, d]**2), where(sum[d](x[b, d]**2) < eps**2,
        eps**2, (sum[d](x[b, d]**2) + eps**2) / 2)))
    y[b, d] = x[b, d] / r[b]

The backward pass was derived by symgrad from these equations. Every gradient below was proved
equal, for every size, to the derivative of the forward pass; the formula that each line
computes stands above it (d_x is the gradient of the final scalar with respect to x).

Generated from the layer l2_normalize and the template torch/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate l2_normalize --backend torch
"""

import math

import torch


def l2_normalize(x, *, eps=1e-12):
    """Compute y[b..., d]; differentiable, to any order.

    Args:
        x[b..., d]: input.
        eps: a constant.
    """
    _check_types(x=x)
    _check_dimensions("x[b..., d]", x, 1, more=True)
    *shape_b, n_d = x.shape
    y, *_ = L2Normalize.apply(x, eps)
    return y


class L2Normalize(torch.autograd.Function):
    """Computes y[b..., d]; see `l2_normalize`.

    The statistics r are outputs as well, so that derivatives of the
    backward pass reach the inputs through them; `backward` gets their cotangents.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(x, eps):
        result = x.dtype
        dtype, wide = _dtypes(x)
        *shape_b, n_d = x.shape
        n_b = math.prod(shape_b)
        x = x.to(dtype).reshape(n_b, n_d)

        # sum_x_squared[b] = sum[d](x[b, d]**2)
        sum_x_squared = torch.square(x).sum(1, dtype=wide)
        # r[b] = sqrt(where(eps**2 < sum[d](x[b, d]**2), sum[d](x[b, d]**2), where(sum[d](x[b, d]**2) <
        #     eps**2, eps**2, (sum[d](x[b, d]**2) + eps**2) / 2)))
        r = torch.sqrt(torch.where(
            eps**2 < sum_x_squared,
            sum_x_squared,
            torch.where(sum_x_squared < eps**2, eps**2, (sum_x_squared + eps**2) / 2),
        ))
        # y[b, d] = x[b, d] / r[b]
        y = x * (1 / r).to(dtype)[:, None]

        return y.reshape(*shape_b, n_d).to(result), r

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, eps = inputs
        _, r = output
        ctx.save_for_backward(x, r)
        ctx.set_materialize_grads(False)
        ctx.dtypes = (x.dtype,)
        ctx.eps = eps

    @staticmethod
    def backward(ctx, d_y, d_r):
        x, r = ctx.saved_tensors
        eps = ctx.eps
        dtype, wide = _compute_dtypes(x.device, *ctx.dtypes)
        d_x = None
        if d_y is not None:
            d_x = _gradients(d_y, x, eps, r, dtype, wide)
        if d_r is not None and ctx.needs_input_grad[0]:
            d_x = _plus(d_x, _gradients_from_r(d_r, x, eps, dtype, wide))
        return _cast(d_x, ctx.dtypes[0]), None


def _gradients(d_y, x, eps, r, dtype, wide):
    """The gradients of the inputs from d_y[b..., d]."""
    *shape_b, n_d = x.shape
    n_b = math.prod(shape_b)
    x = x.to(dtype).reshape(n_b, n_d)
    d_y = d_y.to(dtype).reshape(n_b, n_d)

    # sum_x_squared[b] = sum[d](x[b, d]**2)
    sum_x_squared = torch.square(x).sum(1, dtype=wide)
    # sum_x_d_y[b] = sum[d](x[b, d] * d_y[b, d])
    sum_x_d_y = (x * d_y).sum(1, dtype=wide)
    # d_r[b] = -sum[d](x[b, d] * d_y[b, d]) / r[b]**2
    d_r = -sum_x_d_y / r**2
    # d_x[b, d] = d_y[b, d] / r[b]
    #     + where(eps**2 < sum[i](x[b, i]**2), 2 * x[b, d], where(sum[i](x[b, i]**2) < eps**2, 0,
    #     x[b, d])) * d_r[b] / (2 * sqrt(where(eps**2 < sum[i](x[b, i]**2), sum[i](x[b, i]**2),
    #     where(sum[i](x[b, i]**2) < eps**2, eps**2, (sum[i](x[b, i]**2) + eps**2) / 2))))
    d_x = (
        d_y * (1 / r).to(dtype)[:, None]
        + torch.where(
            eps**2 < sum_x_squared[:, None],
            x * 2,
            torch.where(sum_x_squared[:, None] < eps**2, 0, x),
        )
        * (d_r / (2 * torch.sqrt(torch.where(
            eps**2 < sum_x_squared,
            sum_x_squared,
            torch.where(sum_x_squared < eps**2, eps**2, (sum_x_squared + eps**2) / 2),
        )))).to(dtype)[:, None]
    )

    return d_x.reshape(*shape_b, n_d)


def _gradients_from_r(d_r, x, eps, dtype, wide):
    """The gradients of the inputs from d_r, which only derivatives of the backward pass bring in."""
    *shape_b, n_d = x.shape
    n_b = math.prod(shape_b)
    x = x.to(dtype).reshape(n_b, n_d)

    # sum_x_squared[b] = sum[d](x[b, d]**2)
    sum_x_squared = torch.square(x).sum(1, dtype=wide)
    # d_x[b, d] = where(eps**2 < sum[i](x[b, i]**2), 2 * x[b, d], where(sum[i](x[b, i]**2) < eps**2,
    #     0, x[b, d])) * d_r[b] / (2 * sqrt(where(eps**2 < sum[i](x[b, i]**2), sum[i](x[b, i]**2),
    #     where(sum[i](x[b, i]**2) < eps**2, eps**2, (sum[i](x[b, i]**2) + eps**2) / 2))))
    d_x = (
        torch.where(eps**2 < sum_x_squared[:, None], x * 2, torch.where(sum_x_squared[:, None] < eps**2, 0, x))
        * (d_r / (2 * torch.sqrt(torch.where(
            eps**2 < sum_x_squared,
            sum_x_squared,
            torch.where(sum_x_squared < eps**2, eps**2, (sum_x_squared + eps**2) / 2),
        )))).to(dtype)[:, None]
    )

    return d_x.reshape(*shape_b, n_d)


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
