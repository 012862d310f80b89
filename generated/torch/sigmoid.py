"""The logistic sigmoid of each element.

Forward and backward pass for PyTorch of

    z[i] = 1 / (1 + exp(-y[i]))

The backward pass was derived by symgrad from these equations. Every gradient below was proved
equal, for every size, to the derivative of the forward pass; the formula that each line
computes stands above it (d_x is the gradient of the final scalar with respect to x).

Generated from the layer sigmoid and the template torch/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate sigmoid --backend torch
"""

import torch


def sigmoid(y):
    """Compute z[i...]; differentiable, to any order.

    Args:
        y[i...]: input.
    """
    _check_types(y=y)
    return _apply(Sigmoid, y)


class Sigmoid(torch.autograd.Function):
    """Computes z[i...]; see `sigmoid`."""

    generate_vmap_rule = True

    @staticmethod
    def forward(y):
        result = y.dtype
        dtype, _ = _dtypes(y)
        y = y.to(dtype)

        # z[i] = 1 / (1 + exp(-y[i]))
        z = torch.sigmoid(y)

        return z.to(result)

    @staticmethod
    def setup_context(ctx, inputs, output):
        (y,) = inputs
        z = output
        ctx.save_for_backward(z)
        ctx.set_materialize_grads(False)
        ctx.dtypes = (y.dtype,)

    @staticmethod
    def backward(ctx, d_z):
        (z,) = ctx.saved_tensors
        dtype, _ = _compute_dtypes(z.device, *ctx.dtypes)
        d_y = None
        if d_z is not None:
            d_y = _gradients(d_z, z, dtype)
        return _cast(d_y, ctx.dtypes[0])


def _gradients(d_z, z, dtype):
    """The gradients of the inputs from d_z[i...]."""
    z = z.to(dtype)
    d_z = d_z.to(dtype)

    # d_y[i] = z[i] * (1 - z[i]) * d_z[i]
    d_y = z * (1 - z) * d_z

    return d_y


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
