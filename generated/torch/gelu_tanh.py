"""The Gaussian error linear unit, approximated through the hyperbolic tangent.

Forward and backward pass for PyTorch of

    y[i] = x[i] * (1 + tanh(sqrt(2 / pi) * (x[i] + 8943 * x[i]**3 / 200000))) / 2

The backward pass was derived by symgrad from these equations. Every gradient below was proved
equal, for every size, to the derivative of the forward pass; the formula that each line
computes stands above it (d_x is the gradient of the final scalar with respect to x).

Generated from the layer gelu_tanh and the template torch/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate gelu_tanh --backend torch
"""

import math

import torch


def gelu_tanh(x):
    """Compute y[i...]; differentiable, to any order.

    Args:
        x[i...]: input.
    """
    _check_types(x=x)
    return _apply(GeluTanh, x)


class GeluTanh(torch.autograd.Function):
    """Computes y[i...]; see `gelu_tanh`."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x):
        result = x.dtype
        dtype, _ = _dtypes(x)
        x = x.to(dtype)

        # y[i] = x[i] * (1 + tanh(sqrt(2 / pi) * (x[i] + 8943 * x[i]**3 / 200000))) / 2
        y = x * (1 + torch.tanh((x + x**3 * 8943 / 200000) * math.sqrt(2 / math.pi))) / 2

        return y.to(result)

    @staticmethod
    def setup_context(ctx, inputs, output):
        (x,) = inputs
        ctx.save_for_backward(x)
        ctx.set_materialize_grads(False)
        ctx.dtypes = (x.dtype,)

    @staticmethod
    def backward(ctx, d_y):
        (x,) = ctx.saved_tensors
        dtype, _ = _compute_dtypes(x.device, *ctx.dtypes)
        d_x = None
        if d_y is not None:
            d_x = _gradients(d_y, x, dtype)
        return _cast(d_x, ctx.dtypes[0])


def _gradients(d_y, x, dtype):
    """The gradients of the inputs from d_y[i...]."""
    x = x.to(dtype)
    d_y = d_y.to(dtype)

    # shared[i] = tanh(sqrt(2 / pi) * (x[i] + 8943 * x[i]**3 / 200000))
    shared = torch.tanh((x + x**3 * 8943 / 200000) * math.sqrt(2 / math.pi))
    # d_x[i] = (1 + tanh(sqrt(2 / pi) * (x[i] + 8943 * x[i]**3 / 200000)) + x[i] * (1 - tanh(sqrt(2
    #     / pi) * (x[i] + 8943 * x[i]**3 / 200000))**2) * sqrt(2 / pi) * (1 + 26829 * x[i]**2 /
    #     200000)) * d_y[i] / 2
    d_x = (
        (
            1
            + shared
            + x * math.sqrt(2 / math.pi) * (1 - torch.square(shared)) * (1 + torch.square(x) * 26829 / 200000)
        )
        * d_y
        / 2
    )

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
