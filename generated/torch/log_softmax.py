"""The logarithm of the softmax over the last dimension.

Forward and backward pass for PyTorch of

    z[b] = log(sum[v](exp(x[b, v])))
    y[b, v] = x[b, v] - z[b]

The backward pass was derived by symgrad from these equations. Every gradient below was proved
equal, for every size, to the derivative of the forward pass; the formula that each line
computes stands above it (d_x is the gradient of the final scalar with respect to x).

Generated from the layer log_softmax and the template torch/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate log_softmax --backend torch
"""

import math

import torch


def log_softmax(x):
    """Compute y[b..., v]; differentiable, to any order.

    Args:
        x[b..., v]: input.
    """
    _check_types(x=x)
    _check_dimensions("x[b..., v]", x, 1, more=True)
    *shape_b, n_v = x.shape
    y, *_ = LogSoftmax.apply(x)
    return y


class LogSoftmax(torch.autograd.Function):
    """Computes y[b..., v]; see `log_softmax`.

    The statistics z are outputs as well, so that derivatives of the
    backward pass reach the inputs through them; `backward` gets their cotangents.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(x):
        result = x.dtype
        dtype, wide = _dtypes(x)
        *shape_b, n_v = x.shape
        n_b = math.prod(shape_b)
        x = x.to(dtype).reshape(n_b, n_v)

        # max_x[b] = max[v](x[b, v])
        max_x = x.amax(1)
        # sum_exp_x[b] = sum[v](exp(x[b, v] - max_x[b]))
        sum_exp_x = torch.exp(x - max_x[:, None]).sum(1, dtype=wide)
        # z[b] = log(sum[v](exp(x[b, v])))
        z = max_x + torch.log(sum_exp_x)
        # y[b, v] = x[b, v] - z[b]
        y = _centre(x, z[:, None])

        return y.reshape(*shape_b, n_v).to(result), z

    @staticmethod
    def setup_context(ctx, inputs, output):
        (x,) = inputs
        _, z = output
        ctx.save_for_backward(x, z)
        ctx.set_materialize_grads(False)
        ctx.dtypes = (x.dtype,)

    @staticmethod
    def backward(ctx, d_y, d_z):
        x, z = ctx.saved_tensors
        dtype, wide = _compute_dtypes(x.device, *ctx.dtypes)
        d_x = None
        if d_y is not None:
            d_x = _gradients(d_y, x, z, dtype, wide)
        if d_z is not None and ctx.needs_input_grad[0]:
            d_x = _plus(d_x, _gradients_from_z(d_z, x, z, dtype))
        return _cast(d_x, ctx.dtypes[0])


def _gradients(d_y, x, z, dtype, wide):
    """The gradients of the inputs from d_y[b..., v]."""
    *shape_b, n_v = x.shape
    n_b = math.prod(shape_b)
    x = x.to(dtype).reshape(n_b, n_v)
    d_y = d_y.to(dtype).reshape(n_b, n_v)

    # d_z[b] = -sum[v](d_y[b, v])
    d_z = -d_y.sum(1, dtype=wide)
    # d_x[b, v] = d_y[b, v] + exp(x[b, v]) * d_z[b] / sum[i](exp(x[b, i]))
    d_x = d_y + torch.exp(_centre(x, z[:, None])) * d_z.to(dtype)[:, None]

    return d_x.reshape(*shape_b, n_v)


def _gradients_from_z(d_z, x, z, dtype):
    """The gradients of the inputs from d_z, which only derivatives of the backward pass bring in."""
    *shape_b, n_v = x.shape
    n_b = math.prod(shape_b)
    x = x.to(dtype).reshape(n_b, n_v)

    # d_x[b, v] = exp(x[b, v]) * d_z[b] / sum[i](exp(x[b, i]))
    d_x = torch.exp(_centre(x, z[:, None])) * d_z.to(dtype)[:, None]

    return d_x.reshape(*shape_b, n_v)


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


def _centre(tensor, mean):
    """tensor - mean; a wider mean is split in two, so that nothing of it is lost."""
    if mean.dtype == tensor.dtype:
        return tensor - mean
    high = mean.to(tensor.dtype)
    return (tensor - high) - (mean - high).to(tensor.dtype)
