"""A linear map of the last dimension, with a bias.

Forward and backward pass for PyTorch of

    y[b, o] = sum[i](x[b, i] * w[o, i]) + bias[o]

The backward pass was derived by symgrad from these equations. Every gradient below was proved
equal, for every size, to the derivative of the forward pass; the formula that each line
computes stands above it (d_x is the gradient of the final scalar with respect to x).

Generated from the layer linear and the template torch/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate linear --backend torch
"""

import math

import torch


def linear(x, w, bias):
    """Compute y[b..., o]; differentiable, to any order.

    Args:
        x[b..., i]: input.
        w[o, i]: parameter.
        bias[o]: parameter.
    """
    _check_types(x=x, w=w, bias=bias)
    _check_dimensions("x[b..., i]", x, 1, more=True)
    *shape_b, n_i = x.shape
    _check_dimensions("w[o, i]", w, 2)
    n_o = w.shape[0]
    _check_shape("w[o, i]", w, (n_o, n_i))
    _check_shape("bias[o]", bias, (n_o,))
    return _apply(Linear, x, w, bias)


class Linear(torch.autograd.Function):
    """Computes y[b..., o]; see `linear`."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x, w, bias):
        result = x.dtype
        dtype, _ = _dtypes(x, w, bias)
        *shape_b, n_i = x.shape
        n_b = math.prod(shape_b)
        n_o = w.shape[0]
        x = x.to(dtype).reshape(n_b, n_i)
        w = w.to(dtype)
        bias = bias.to(dtype)

        # sum_x_w[b, o] = sum[i](x[b, i] * w[o, i])
        sum_x_w = x @ w.T
        # y[b, o] = sum[i](x[b, i] * w[o, i]) + bias[o]
        y = sum_x_w + bias

        return y.reshape(*shape_b, n_o).to(result)

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, w, bias = inputs
        ctx.save_for_backward(x, w)
        ctx.set_materialize_grads(False)
        ctx.dtypes = x.dtype, w.dtype, bias.dtype

    @staticmethod
    def backward(ctx, d_y):
        x, w = ctx.saved_tensors
        needs = ctx.needs_input_grad[:3]
        dtype, _ = _compute_dtypes(x.device, *ctx.dtypes)
        d_x = d_w = d_bias = None
        if d_y is not None:
            d_x, d_w, d_bias = _gradients(d_y, x, w, dtype, needs)
        return _cast(d_x, ctx.dtypes[0]), _cast(d_w, ctx.dtypes[1]), _cast(d_bias, ctx.dtypes[2])


def _gradients(d_y, x, w, dtype, needs):
    """The gradients of the inputs from d_y[b..., o]."""
    need_x, need_w, need_bias = needs
    *shape_b, n_i = x.shape
    n_b = math.prod(shape_b)
    n_o = w.shape[0]
    x = x.to(dtype).reshape(n_b, n_i)
    w = w.to(dtype)
    d_y = d_y.to(dtype).reshape(n_b, n_o)

    if need_bias:
        # d_bias[o] = sum[b](d_y[b, o])
        d_bias = d_y.sum(0)
    if need_x:
        # d_x[b, i] = sum[o](w[o, i] * d_y[b, o])
        d_x = d_y @ w
    if need_w:
        # d_w[o, i] = sum[b](x[b, i] * d_y[b, o])
        d_w = d_y.T @ x

    return (
        d_x.reshape(*shape_b, n_i) if need_x else None,
        d_w if need_w else None,
        d_bias if need_bias else None,
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
