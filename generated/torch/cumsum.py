"""The cumulative sum along the last dimension.

Forward and backward pass for PyTorch of

    y[b, i] = sum[j](where(j <= i, x[b, j], 0))

The backward pass was derived by symgrad from these equations. Every gradient below was proved
equal, for every size, to the derivative of the forward pass; the formula that each line
computes stands above it (d_x is the gradient of the final scalar with respect to x).

Generated from the layer cumsum and the template torch/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate cumsum --backend torch
"""

import math

import torch


def cumsum(x):
    """Compute y[b..., i]; differentiable, to any order.

    Args:
        x[b..., i]: input.
    """
    _check_types(x=x)
    _check_dimensions("x[b..., i]", x, 1, more=True)
    *shape_b, n_i = x.shape
    return _apply(Cumsum, x)


class Cumsum(torch.autograd.Function):
    """Computes y[b..., i]; see `cumsum`."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x):
        result = x.dtype
        dtype, _ = _dtypes(x)
        *shape_b, n_i = x.shape
        n_b = math.prod(shape_b)
        x = x.to(dtype).reshape(n_b, n_i)

        # y[b, i] = sum[j](where(j <= i, x[b, j], 0))
        y = x @ (torch.arange(n_i, device=x.device) <= torch.arange(n_i, device=x.device)[:, None]).to(dtype).T

        return y.reshape(*shape_b, n_i).to(result)

    @staticmethod
    def setup_context(ctx, inputs, output):
        (x,) = inputs
        ctx.dtypes = (x.dtype,)

    @staticmethod
    def backward(ctx, d_y):
        dtype, _ = _compute_dtypes(d_y.device, *ctx.dtypes)
        d_x = None
        if d_y is not None:
            d_x = _gradients(d_y, dtype)
        return _cast(d_x, ctx.dtypes[0])


def _gradients(d_y, dtype):
    """The gradients of the inputs from d_y[b..., i]."""
    *shape_b, n_i = d_y.shape
    n_b = math.prod(shape_b)
    d_y = d_y.to(dtype).reshape(n_b, n_i)

    # d_x[b, i] = sum[k](d_y[b, k] * where(i <= k, 1, 0))
    d_x = d_y @ (torch.arange(
        n_i,
        device=d_y.device,
    )[:, None] <= torch.arange(n_i, device=d_y.device)).to(dtype).T

    return d_x.reshape(*shape_b, n_i)


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
