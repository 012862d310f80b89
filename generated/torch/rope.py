"""Rotary position embedding: each pair of features is turned by an angle that its place gives.

Forward and backward pass for PyTorch of

    u[b, n, i] = x[b, n, i] * cos(angle[n, i]) - y[b, n, i] * sin(angle[n, i])
    v[b, n, i] = x[b, n, i] * sin(angle[n, i]) + y[b, n, i] * cos(angle[n, i])

The backward pass was derived by symgrad from these equations. Every gradient below was proved
equal, for every size, to the derivative of the forward pass; the formula that each line
computes stands above it (d_x is the gradient of the final scalar with respect to x).

Generated from the layer rope and the template torch/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate rope --backend torch
"""

import math

import torch


def rope(x, y, angle):
    """Compute u[b..., n, i], v[b..., n, i]; differentiable, to any order.

    Args:
        x[b..., n, i]: input.
        y[b..., n, i]: input.
        angle[n, i]: target, gets no gradient.
    """
    _check_types(x=x, y=y, angle=angle)
    _check_dimensions("x[b..., n, i]", x, 2, more=True)
    *shape_b, n_n, n_i = x.shape
    _check_shape("y[b..., n, i]", y, (*shape_b, n_n, n_i))
    _check_shape("angle[n, i]", angle, (n_n, n_i))
    return Rope.apply(x, y, angle)


class Rope(torch.autograd.Function):
    """Computes u[b..., n, i], v[b..., n, i]; see `rope`."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x, y, angle):
        result = x.dtype
        dtype, _ = _dtypes(x, y, angle)
        *shape_b, n_n, n_i = x.shape
        n_b = math.prod(shape_b)
        x = x.to(dtype).reshape(n_b, n_n, n_i)
        y = y.to(dtype).reshape(n_b, n_n, n_i)
        angle = angle.to(dtype)

        # u[b, n, i] = x[b, n, i] * cos(angle[n, i]) - y[b, n, i] * sin(angle[n, i])
        u = x * torch.cos(angle) - y * torch.sin(angle)
        # v[b, n, i] = x[b, n, i] * sin(angle[n, i]) + y[b, n, i] * cos(angle[n, i])
        v = x * torch.sin(angle) + y * torch.cos(angle)

        return u.reshape(*shape_b, n_n, n_i).to(result), v.reshape(*shape_b, n_n, n_i).to(result)

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, y, angle = inputs
        ctx.save_for_backward(angle)
        ctx.dtypes = x.dtype, y.dtype, angle.dtype

    @staticmethod
    def backward(ctx, d_u, d_v):
        (angle,) = ctx.saved_tensors
        needs = ctx.needs_input_grad[:2]
        dtype, _ = _compute_dtypes(angle.device, *ctx.dtypes)
        d_x = d_y = None
        if d_u is not None or d_v is not None:
            d_x, d_y = _gradients(d_u, d_v, angle, dtype, needs)
        return _cast(d_x, ctx.dtypes[0]), _cast(d_y, ctx.dtypes[1]), None


def _gradients(d_u, d_v, angle, dtype, needs):
    """The gradients of the inputs from d_u[b..., n, i], d_v[b..., n, i]."""
    need_x, need_y = needs
    n_n, n_i = angle.shape
    shape_b = d_u.shape[0:-2]
    n_b = math.prod(shape_b)
    angle = angle.to(dtype)
    d_u = d_u.to(dtype).reshape(n_b, n_n, n_i)
    d_v = d_v.to(dtype).reshape(n_b, n_n, n_i)

    if need_x:
        # d_x[b, n, i] = cos(angle[n, i]) * d_u[b, n, i] + sin(angle[n, i]) * d_v[b, n, i]
        d_x = d_u * torch.cos(angle) + d_v * torch.sin(angle)
    if need_y:
        # d_y[b, n, i] = -sin(angle[n, i]) * d_u[b, n, i] + cos(angle[n, i]) * d_v[b, n, i]
        d_y = -d_u * torch.sin(angle) + d_v * torch.cos(angle)

    return (
        d_x.reshape(*shape_b, n_n, n_i) if need_x else None,
        d_y.reshape(*shape_b, n_n, n_i) if need_y else None,
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
