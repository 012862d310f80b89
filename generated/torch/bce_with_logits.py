"""Binary cross entropy of the sigmoid of x, in one step.

Forward and backward pass for PyTorch of

    L = mean[i](softplus(x[i]) - t[i] * x[i])

The backward pass was derived by symgrad from these equations. Every gradient below was proved
equal, for every size, to the derivative of the forward pass; the formula that each line
computes stands above it (d_x is the gradient of the final scalar with respect to x).

Generated from the layer bce_with_logits and the template torch/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate bce_with_logits --backend torch
"""

import torch


def bce_with_logits(x, t):
    """Compute L; differentiable, to any order.

    Args:
        x[i...]: input.
        t[i...]: target, gets no gradient.
    """
    _check_types(x=x, t=t)
    _check_dimensions("x[i...]", x, 0, more=True)
    _check_shape("t[i...]", t, x.shape)
    return _apply(BceWithLogits, x, t)


class BceWithLogits(torch.autograd.Function):
    """Computes L; see `bce_with_logits`."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x, t):
        result = x.dtype
        dtype, _ = _dtypes(x, t)
        x = x.to(dtype)
        t = t.to(dtype)

        # L = mean[i](softplus(x[i]) - t[i] * x[i])
        L = (torch.nn.functional.softplus(x) - t * x).mean()

        return L.to(result)

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, t = inputs
        ctx.save_for_backward(x, t)
        ctx.set_materialize_grads(False)
        ctx.dtypes = x.dtype, t.dtype

    @staticmethod
    def backward(ctx, d_L):
        x, t = ctx.saved_tensors
        dtype, wide = _compute_dtypes(x.device, *ctx.dtypes)
        d_x = None
        if d_L is not None:
            d_x = _gradients(d_L, x, t, dtype, wide)
        return _cast(d_x, ctx.dtypes[0]), None


def _gradients(d_L, x, t, dtype, wide):
    """The gradients of the inputs from d_L."""
    n_i = x.numel()
    x = x.to(dtype)
    t = t.to(dtype)
    d_L = d_L.to(wide)

    # d_x[i] = (sigmoid(x[i]) - t[i]) * d_L / size[i]
    d_x = (torch.sigmoid(x) - t) * (d_L / n_i).to(dtype)

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
