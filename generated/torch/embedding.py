"""Embedding: the row of a table that a label names.

Forward and backward pass for PyTorch of

    y[b, d] = weight[t[b], d]

The backward pass was derived by symgrad from these equations. Every gradient below was proved
equal, for every size, to the derivative of the forward pass; the formula that each line
computes stands above it (d_x is the gradient of the final scalar with respect to x).

Generated from the layer embedding and the template torch/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate embedding --backend torch
"""

import math

import torch


def embedding(weight, t):
    """Compute y[b..., d]; differentiable, to any order.

    Args:
        weight[v, d]: parameter.
        t[b...]: labels, whole numbers from 0 to n_v - 1.
    """
    _check_types(weight=weight)
    _check_labels(t=t)
    _check_dimensions("weight[v, d]", weight, 2)
    n_v, n_d = weight.shape
    _check_dimensions("t[b...]", t, 0, more=True)
    (*shape_b,) = t.shape
    return _apply(Embedding, weight, t)


class Embedding(torch.autograd.Function):
    """Computes y[b..., d]; see `embedding`."""

    generate_vmap_rule = True

    @staticmethod
    def forward(weight, t):
        result = weight.dtype
        dtype, _ = _dtypes(weight, t)
        n_v, n_d = weight.shape
        (*shape_b,) = t.shape
        n_b = math.prod(shape_b)
        weight = weight.to(dtype)
        t = t.long().reshape(n_b)

        # y[b, d] = weight[t[b], d]
        y = _entries(weight, 0, t)

        return y.reshape(*shape_b, n_d).to(result)

    @staticmethod
    def setup_context(ctx, inputs, output):
        weight, t = inputs
        ctx.save_for_backward(weight, t)
        ctx.set_materialize_grads(False)
        ctx.dtypes = weight.dtype, t.dtype

    @staticmethod
    def backward(ctx, d_y):
        weight, t = ctx.saved_tensors
        dtype, _ = _compute_dtypes(weight.device, *ctx.dtypes)
        d_weight = None
        if d_y is not None:
            d_weight = _gradients(d_y, weight, t, dtype)
        return _cast(d_weight, ctx.dtypes[0]), None


def _gradients(d_y, weight, t, dtype):
    """The gradients of the inputs from d_y[b..., d]."""
    n_v, n_d = weight.shape
    (*shape_b,) = t.shape
    n_b = math.prod(shape_b)
    weight = weight.to(dtype)
    t = t.long().reshape(n_b)
    d_y = d_y.to(dtype).reshape(n_b, n_d)

    # d_weight[v, d] = sum[b](where(v == t[b], 1, 0) * d_y[b, d])
    d_weight = _added(d_y, 0, t, n_v)

    return d_weight


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


def _check_labels(**tensors):
    """Raise unless all labels are tensors of whole numbers."""
    for name, tensor in tensors.items():
        if not isinstance(tensor, torch.Tensor) or tensor.dtype.is_floating_point or tensor.dtype == torch.bool:
            given = tensor.dtype if isinstance(tensor, torch.Tensor) else type(tensor).__name__
            raise TypeError(f"{name} must be a tensor of whole numbers, not {given}.")


def _entries(tensor, axis, places, outside=False):
    """The entries at computed places of one dimension; 0 for places that lie outside, where they may."""
    shape = tensor.shape
    index = places.clamp(0, shape[axis] - 1) if outside else places
    found = tensor.index_select(axis, index.flatten())
    found = found.reshape(*shape[:axis], *places.shape, *shape[axis + 1 :])
    if outside:
        inside = (places >= 0) & (places < shape[axis])
        found = torch.where(inside.reshape(*places.shape, *(1 for _ in shape[axis + 1 :])), found, 0)
    return found


def _added(values, axis, places, length, outside=False):
    """Values added up at computed places of one dimension; those outside are left out."""
    shape = values.shape
    values = values.reshape(*shape[:axis], places.numel(), *shape[axis + places.ndim :])
    index = places.flatten()
    if outside:
        index = torch.where((index >= 0) & (index < length), index, length)
    added = values.new_zeros(*shape[:axis], length + outside, *values.shape[axis + 1 :])
    return added.index_add(axis, index, values).narrow(axis, 0, length)


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
