"""Negative log-likelihood of labels, from log-probabilities; the mean over samples and positions.

Forward and backward pass for PyTorch of

    L = -mean[b, k](x[b, t[b, k], k])

The backward pass was derived by symgrad from these equations. Every gradient below was proved
equal, for every size, to the derivative of the forward pass; the formula that each line
computes stands above it (d_x is the gradient of the final scalar with respect to x).

Generated from the layer nll and the template torch/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate nll --backend torch
"""

import math

import torch


def nll(x, t):
    """Compute L; differentiable, to any order.

    Args:
        x[b, v, k...]: input.
        t[b, k...]: labels, whole numbers from 0 to n_v - 1.
    """
    _check_types(x=x)
    _check_labels(t=t)
    _check_dimensions("x[b, v, k...]", x, 2, more=True)
    n_b, n_v, *shape_k = x.shape
    _check_shape("t[b, k...]", t, (n_b, *shape_k))
    return _apply(Nll, x, t)


class Nll(torch.autograd.Function):
    """Computes L; see `nll`."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x, t):
        result = x.dtype
        dtype, _ = _dtypes(x, t)
        n_b, n_v, *shape_k = x.shape
        n_k = math.prod(shape_k)
        x = x.to(dtype).reshape(n_b, n_v, n_k)
        t = t.long().reshape(n_b, n_k)

        # x_at[b, k] = x[b, t[b, k], k]
        x_at = _entries_at(x, torch.arange(n_b, device=x.device)[:, None], t, torch.arange(n_k, device=x.device))
        # L = -mean[b, k](x[b, t[b, k], k])
        L = -x_at.mean()

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
    n_b, n_v, *shape_k = x.shape
    n_k = math.prod(shape_k)
    x = x.to(dtype).reshape(n_b, n_v, n_k)
    t = t.long().reshape(n_b, n_k)
    d_L = d_L.to(wide)

    # d_x[b, v, k] = -where(v == t[b, k], 1, 0) * d_L / (size[b] * size[k])
    d_x = ((torch.arange(
        n_v,
        device=x.device,
    )[:, None] == t[:, None, :]).to(dtype) * (-d_L / (n_b * n_k)).to(dtype)).expand((n_b, n_v, n_k))

    return d_x.reshape(n_b, n_v, *shape_k)


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


def _check_labels(**tensors):
    """Raise unless all labels are tensors of whole numbers."""
    for name, tensor in tensors.items():
        if not isinstance(tensor, torch.Tensor) or tensor.dtype.is_floating_point or tensor.dtype == torch.bool:
            given = tensor.dtype if isinstance(tensor, torch.Tensor) else type(tensor).__name__
            raise TypeError(f"{name} must be a tensor of whole numbers, not {given}.")


def _inside(shape, places):
    """Where all places lie inside of their dimensions."""
    inside = [(place >= 0) & (place < length) for place, length in zip(places, shape)]
    return torch.stack(torch.broadcast_tensors(*inside)).all(0)


def _entries_at(tensor, *places, outside=False):
    """The entries at computed places of all dimensions; 0 where one lies outside, where they may."""
    if not outside:  # a negative place would count from the end; this one is an error
        return tensor[tuple(torch.where(place < 0, length, place) for place, length in zip(places, tensor.shape))]
    inside = _inside(tensor.shape, places)
    return torch.where(inside, tensor[tuple(torch.where(inside, place, 0) for place in places)], 0)


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
