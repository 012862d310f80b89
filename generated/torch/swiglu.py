"""The gate of SwiGLU: silu(g) * x.

Forward and backward pass for PyTorch of

    y[i] = g[i] * sigmoid(g[i]) * x[i]

The backward pass was derived by symgrad from these equations. Every gradient below was proved
equal, for every size, to the derivative of the forward pass; the formula that each line
computes stands above it (d_x is the gradient of the final scalar with respect to x).

Generated from the layer swiglu and the template torch/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate swiglu --backend torch
"""

import torch


def swiglu(g, x):
    """Compute y[i...]; differentiable, to any order.

    Args:
        g[i...]: input.
        x[i...]: input.
    """
    _check_types(g=g, x=x)
    _check_shape("x[i...]", x, g.shape)
    return _apply(Swiglu, g, x)


class Swiglu(torch.autograd.Function):
    """Computes y[i...]; see `swiglu`."""

    generate_vmap_rule = True

    @staticmethod
    def forward(g, x):
        result = g.dtype
        dtype, _ = _dtypes(g, x)
        g = g.to(dtype)
        x = x.to(dtype)

        # y[i] = g[i] * sigmoid(g[i]) * x[i]
        y = g * torch.sigmoid(g) * x

        return y.to(result)

    @staticmethod
    def setup_context(ctx, inputs, output):
        g, x = inputs
        ctx.save_for_backward(g, x)
        ctx.set_materialize_grads(False)
        ctx.dtypes = g.dtype, x.dtype

    @staticmethod
    def backward(ctx, d_y):
        g, x = ctx.saved_tensors
        needs = ctx.needs_input_grad[:2]
        dtype, _ = _compute_dtypes(g.device, *ctx.dtypes)
        d_g = d_x = None
        if d_y is not None:
            d_g, d_x = _gradients(d_y, g, x, dtype, needs)
        return _cast(d_g, ctx.dtypes[0]), _cast(d_x, ctx.dtypes[1])


def _gradients(d_y, g, x, dtype, needs):
    """The gradients of the inputs from d_y[i...]."""
    need_g, need_x = needs
    g = g.to(dtype)
    x = x.to(dtype)
    d_y = d_y.to(dtype)

    # sigmoid_g[i] = sigmoid(g[i])
    sigmoid_g = torch.sigmoid(g)
    if need_g:
        # d_g[i] = x[i] * (sigmoid(g[i]) + g[i] * sigmoid(g[i]) * (1 - sigmoid(g[i]))) * d_y[i]
        d_g = x * (sigmoid_g + g * sigmoid_g * (1 - sigmoid_g)) * d_y
    if need_x:
        # d_x[i] = g[i] * sigmoid(g[i]) * d_y[i]
        d_x = g * sigmoid_g * d_y

    return (d_g if need_g else None, d_x if need_x else None)


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
