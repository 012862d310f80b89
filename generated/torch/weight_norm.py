"""Weight normalization: a weight as its length g and its direction v, for each output.

Forward and backward pass for PyTorch of

    r[o] = sqrt(sum[i](v[o, i]**2))
    w[o, i] = g[o] * v[o, i] / r[o]

The backward pass was derived by symgrad from these equations. Every gradient below was proved
equal, for every size, to the derivative of the forward pass; the formula that each line
computes stands above it (d_x is the gradient of the final scalar with respect to x).

Generated from the layer weight_norm and the template torch/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate weight_norm --backend torch
"""

import math

import torch


def weight_norm(v, g):
    """Compute w[o, i...]; differentiable, to any order.

    Args:
        v[o, i...]: parameter.
        g[o]: parameter.
    """
    _check_types(v=v, g=g)
    _check_dimensions("v[o, i...]", v, 1, more=True)
    n_o, *shape_i = v.shape
    _check_shape("g[o]", g, (n_o,))
    w, *_ = WeightNorm.apply(v, g)
    return w


class WeightNorm(torch.autograd.Function):
    """Computes w[o, i...]; see `weight_norm`.

    The statistics r are outputs as well, so that derivatives of the
    backward pass reach the inputs through them; `backward` gets their cotangents.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(v, g):
        result = v.dtype
        dtype, wide = _dtypes(v, g)
        n_o, *shape_i = v.shape
        n_i = math.prod(shape_i)
        v = v.to(dtype).reshape(n_o, n_i)
        g = g.to(dtype)

        # sum_v_squared[o] = sum[i](v[o, i]**2)
        sum_v_squared = torch.square(v).sum(1, dtype=wide)
        # r[o] = sqrt(sum[i](v[o, i]**2))
        r = torch.sqrt(sum_v_squared)
        # w[o, i] = g[o] * v[o, i] / r[o]
        w = v * (g / r).to(dtype)[:, None]

        return w.reshape(n_o, *shape_i).to(result), r

    @staticmethod
    def setup_context(ctx, inputs, output):
        v, g = inputs
        _, r = output
        ctx.save_for_backward(v, g, r)
        ctx.set_materialize_grads(False)
        ctx.dtypes = v.dtype, g.dtype

    @staticmethod
    def backward(ctx, d_w, d_r):
        v, g, r = ctx.saved_tensors
        needs = ctx.needs_input_grad[:2]
        dtype, wide = _compute_dtypes(v.device, *ctx.dtypes)
        d_v = d_g = None
        if d_w is not None:
            d_v, d_g = _gradients(d_w, v, g, r, dtype, wide, needs)
        if d_r is not None and ctx.needs_input_grad[0]:
            d_v = _plus(d_v, _gradients_from_r(d_r, v, dtype, wide))
        return _cast(d_v, ctx.dtypes[0]), _cast(d_g, ctx.dtypes[1])


def _gradients(d_w, v, g, r, dtype, wide, needs):
    """The gradients of the inputs from d_w[o, i...]."""
    need_v, need_g = needs
    n_o, *shape_i = v.shape
    n_i = math.prod(shape_i)
    v = v.to(dtype).reshape(n_o, n_i)
    g = g.to(dtype)
    d_w = d_w.to(dtype).reshape(n_o, n_i)

    # sum_v_d_w[o] = sum[i](v[o, i] * d_w[o, i])
    sum_v_d_w = (v * d_w).sum(1, dtype=wide)
    if need_g:
        # d_g[o] = sum[i](v[o, i] * d_w[o, i]) / r[o]
        d_g = sum_v_d_w / r
    if need_v:
        # sum_v_squared[o] = sum[i](v[o, i]**2)
        sum_v_squared = torch.square(v).sum(1, dtype=wide)
        # d_r[o] = -g[o] * sum[i](v[o, i] * d_w[o, i]) / r[o]**2
        d_r = -g * sum_v_d_w / r**2
        # d_v[o, i] = g[o] * d_w[o, i] / r[o] + v[o, i] * d_r[o] / sqrt(sum[k](v[o, k]**2))
        d_v = (
            d_w * (g / r).to(dtype)[:, None]
            + v * (d_r / torch.sqrt(sum_v_squared)).to(dtype)[:, None]
        )

    return (d_v.reshape(n_o, *shape_i) if need_v else None, d_g if need_g else None)


def _gradients_from_r(d_r, v, dtype, wide):
    """The gradients of the inputs from d_r, which only derivatives of the backward pass bring in."""
    n_o, *shape_i = v.shape
    n_i = math.prod(shape_i)
    v = v.to(dtype).reshape(n_o, n_i)

    # sum_v_squared[o] = sum[i](v[o, i]**2)
    sum_v_squared = torch.square(v).sum(1, dtype=wide)
    # d_v[o, i] = v[o, i] * d_r[o] / sqrt(sum[k](v[o, k]**2))
    d_v = v * (d_r / torch.sqrt(sum_v_squared)).to(dtype)[:, None]

    return d_v.reshape(n_o, *shape_i)


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


def _plus(total, part):
    """total + part, where both may be None."""
    if total is None or part is None:
        return part if total is None else total
    return total + part
