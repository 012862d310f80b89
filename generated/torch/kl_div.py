"""The Kullback-Leibler divergence of target probabilities from predicted log-probabilities.

Forward and backward pass for PyTorch of

    L = sum[b, v](where(0 < t[b, v], t[b, v] * log(t[b, v]), 0) - t[b, v] * x[b, v]) / size[b]

The backward pass was derived by symgrad from these equations. Every gradient below was proved
equal, for every size, to the derivative of the forward pass; the formula that each line
computes stands above it (d_x is the gradient of the final scalar with respect to x).

Generated from the layer kl_div and the template torch/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate kl_div --backend torch
"""

import math

import torch


def kl_div(x, t):
    """Compute L; differentiable, to any order.

    Args:
        x[b, v...]: input.
        t[b, v...]: target, gets no gradient.
    """
    _check_types(x=x, t=t)
    _check_dimensions("x[b, v...]", x, 1, more=True)
    n_b, *shape_v = x.shape
    _check_shape("t[b, v...]", t, (n_b, *shape_v))
    return KlDiv.apply(x, t)


class KlDiv(torch.autograd.Function):
    """Computes L; see `kl_div`."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x, t):
        result = x.dtype
        dtype, wide = _dtypes(x, t)
        n_b, *shape_v = x.shape
        n_v = math.prod(shape_v)
        x = x.to(dtype).reshape(n_b, n_v)
        t = t.to(dtype).reshape(n_b, n_v)

        # L = sum[b, v](where(0 < t[b, v], t[b, v] * log(t[b, v]), 0) - t[b, v] * x[b, v]) / size[b]
        L = (torch.where(0 < t, t * torch.log(torch.where(0 < t, t, 1)), 0) - t * x).sum(dtype=wide) / n_b

        return L.to(result)

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, t = inputs
        ctx.save_for_backward(t)
        ctx.set_materialize_grads(False)
        ctx.dtypes = x.dtype, t.dtype

    @staticmethod
    def backward(ctx, d_L):
        (t,) = ctx.saved_tensors
        dtype, wide = _compute_dtypes(t.device, *ctx.dtypes)
        d_x = None
        if d_L is not None:
            d_x = _gradients(d_L, t, dtype, wide)
        return _cast(d_x, ctx.dtypes[0]), None


def _gradients(d_L, t, dtype, wide):
    """The gradients of the inputs from d_L."""
    n_b, *shape_v = t.shape
    n_v = math.prod(shape_v)
    t = t.to(dtype).reshape(n_b, n_v)
    d_L = d_L.to(wide)

    # d_x[b, v] = -t[b, v] * d_L / size[b]
    d_x = t * (-d_L / n_b).to(dtype)

    return d_x.reshape(n_b, *shape_v)


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
