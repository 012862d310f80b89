"""The gated linear unit: one half of the features, gated by the sigmoid of the other.

Forward and backward pass for PyTorch of

    y[i] = x[i] * sigmoid(g[i])

The backward pass was derived by symgrad from these equations. Every gradient below was proved
equal, for every size, to the derivative of the forward pass; the formula that each line
computes stands above it (d_x is the gradient of the final scalar with respect to x).

Generated from the layer glu and the template torch/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate glu --backend torch
"""

import torch


def glu(x, g):
    """Compute y[i...]; differentiable, to any order.

    Args:
        x[i...]: input.
        g[i...]: input.
    """
    _check_types(x=x, g=g)
    _check_shape("g[i...]", g, x.shape)
    return _apply(Glu, x, g)


class Glu(torch.autograd.Function):
    """Computes y[i...]; see `glu`."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x, g):
        result = x.dtype
        dtype, _ = _dtypes(x, g)
        x = x.to(dtype)
        g = g.to(dtype)

        # y[i] = x[i] * sigmoid(g[i])
        y = x * torch.sigmoid(g)

        return y.to(result)

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, g = inputs
        ctx.save_for_backward(x, g)
        ctx.set_materialize_grads(False)
        ctx.dtypes = x.dtype, g.dtype

    @staticmethod
    def backward(ctx, d_y):
        x, g = ctx.saved_tensors
        needs = ctx.needs_input_grad[:2]
        dtype, _ = _compute_dtypes(x.device, *ctx.dtypes)
        d_x = d_g = None
        if d_y is not None:
            d_x, d_g = _gradients(d_y, x, g, dtype, needs)
        return _cast(d_x, ctx.dtypes[0]), _cast(d_g, ctx.dtypes[1])


def _gradients(d_y, x, g, dtype, needs):
    """The gradients of the inputs from d_y[i...]."""
    need_x, need_g = needs
    x = x.to(dtype)
    g = g.to(dtype)
    d_y = d_y.to(dtype)

    # sigmoid_g[i] = sigmoid(g[i])
    sigmoid_g = torch.sigmoid(g)
    if need_x:
        # d_x[i] = sigmoid(g[i]) * d_y[i]
        d_x = sigmoid_g * d_y
    if need_g:
        # d_g[i] = x[i] * sigmoid(g[i]) * (1 - sigmoid(g[i])) * d_y[i]
        d_g = x * sigmoid_g * (1 - sigmoid_g) * d_y

    return (d_x if need_x else None, d_g if need_g else None)


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
