"""A smooth rectifier: log(1 + exp(beta*x)) / beta.

Forward and backward pass for PyTorch of

    y[i] = softplus(beta * x[i]) / beta

The backward pass was derived by symgrad from these equations. Every gradient below was proved
equal, for every size, to the derivative of the forward pass; the formula that each line
computes stands above it (d_x is the gradient of the final scalar with respect to x).

Generated from the layer softplus and the template torch/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate softplus --backend torch
"""

import torch


def softplus(x, *, beta=1):
    """Compute y[i...]; differentiable, to any order.

    Args:
        x[i...]: input.
        beta: a constant.
    """
    _check_types(x=x)
    return _apply(Softplus, x, beta)


class Softplus(torch.autograd.Function):
    """Computes y[i...]; see `softplus`."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x, beta):
        result = x.dtype
        dtype, _ = _dtypes(x)
        x = x.to(dtype)

        # y[i] = softplus(beta * x[i]) / beta
        y = torch.nn.functional.softplus(x * beta) * (1 / beta)

        return y.to(result)

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, beta = inputs
        ctx.save_for_backward(x)
        ctx.set_materialize_grads(False)
        ctx.dtypes = (x.dtype,)
        ctx.beta = beta

    @staticmethod
    def backward(ctx, d_y):
        (x,) = ctx.saved_tensors
        beta = ctx.beta
        dtype, _ = _compute_dtypes(x.device, *ctx.dtypes)
        d_x = None
        if d_y is not None:
            d_x = _gradients(d_y, x, beta, dtype)
        return _cast(d_x, ctx.dtypes[0]), None


def _gradients(d_y, x, beta, dtype):
    """The gradients of the inputs from d_y[i...]."""
    x = x.to(dtype)
    d_y = d_y.to(dtype)

    # d_x[i] = sigmoid(beta * x[i]) * d_y[i]
    d_x = torch.sigmoid(x * beta) * d_y

    return d_x


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
