"""Cross entropy with label smoothing: each target is mixed with the uniform distribution.

Forward and backward pass for PyTorch of

    z[b, k] = log(sum[v](exp(x[b, v, k])))
    p[b, v, k] = (1 - smoothing) * q[b, v, k] + smoothing / size[v]
    L = -sum[b, k, v](p[b, v, k] * (x[b, v, k] - z[b, k])) / (size[b] * size[k])

The backward pass was derived by symgrad from these equations. Every gradient below was proved
equal, for every size, to the derivative of the forward pass; the formula that each line
computes stands above it (d_x is the gradient of the final scalar with respect to x).

Generated from the layer cross_entropy_smooth and the template torch/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate cross_entropy_smooth --backend torch
"""

import math

import torch


def cross_entropy_smooth(x, q, *, smoothing=0.1):
    """Compute L; differentiable, to any order.

    Args:
        x[b, v, k...]: input.
        q[b, v, k...]: target, gets no gradient.
        smoothing: a constant.
    """
    _check_types(x=x, q=q)
    _check_dimensions("x[b, v, k...]", x, 2, more=True)
    n_b, n_v, *shape_k = x.shape
    _check_shape("q[b, v, k...]", q, (n_b, n_v, *shape_k))
    L, *_ = CrossEntropySmooth.apply(x, q, smoothing)
    return L


class CrossEntropySmooth(torch.autograd.Function):
    """Computes L; see `cross_entropy_smooth`.

    The statistics z are outputs as well, so that derivatives of the
    backward pass reach the inputs through them; `backward` gets their cotangents.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(x, q, smoothing):
        result = x.dtype
        dtype, wide = _dtypes(x, q)
        n_b, n_v, *shape_k = x.shape
        n_k = math.prod(shape_k)
        x = x.to(dtype).reshape(n_b, n_v, n_k)
        q = q.to(dtype).reshape(n_b, n_v, n_k)

        # max_x[b, k] = max[v](x[b, v, k])
        max_x = x.amax(1)
        # sum_exp_x[b, k] = sum[v](exp(x[b, v, k] - max_x[b, k]))
        sum_exp_x = torch.exp(x - max_x[:, None, :]).sum(1, dtype=wide)
        # z[b, k] = log(sum[v](exp(x[b, v, k])))
        z = max_x + torch.log(sum_exp_x)
        # p[b, v, k] = (1 - smoothing) * q[b, v, k] + smoothing / size[v]
        p = q * (1 - smoothing) + (smoothing / n_v)
        # L = -sum[b, k, v](p[b, v, k] * (x[b, v, k] - z[b, k])) / (size[b] * size[k])
        L = -(p * _centre(x, z[:, None, :])).sum(dtype=wide) / (n_b * n_k)

        return L.to(result), z

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, q, smoothing = inputs
        _, z = output
        ctx.save_for_backward(x, q, z)
        ctx.set_materialize_grads(False)
        ctx.dtypes = x.dtype, q.dtype
        ctx.smoothing = smoothing

    @staticmethod
    def backward(ctx, d_L, d_z):
        x, q, z = ctx.saved_tensors
        smoothing = ctx.smoothing
        dtype, wide = _compute_dtypes(x.device, *ctx.dtypes)
        d_x = None
        if d_L is not None:
            d_x = _gradients(d_L, x, q, smoothing, z, dtype, wide)
        if d_z is not None and ctx.needs_input_grad[0]:
            d_x = _plus(d_x, _gradients_from_z(d_z, x, z, dtype))
        return _cast(d_x, ctx.dtypes[0]), None, None


def _gradients(d_L, x, q, smoothing, z, dtype, wide):
    """The gradients of the inputs from d_L."""
    n_b, n_v, *shape_k = x.shape
    n_k = math.prod(shape_k)
    x = x.to(dtype).reshape(n_b, n_v, n_k)
    q = q.to(dtype).reshape(n_b, n_v, n_k)
    d_L = d_L.to(wide)

    # p[b, v, k] = (1 - smoothing) * q[b, v, k] + smoothing / size[v]
    p = q * (1 - smoothing) + (smoothing / n_v)
    # sum_p[b, k] = sum[v](p[b, v, k])
    sum_p = p.sum(1, dtype=wide)
    # d_z[b, k] = d_L * sum[v](p[b, v, k]) / (size[b] * size[k])
    d_z = d_L * sum_p / (n_b * n_k)
    # d_x[b, v, k] = -p[b, v, k] * d_L / (size[b] * size[k]) + exp(x[b, v, k] - z[b, k]) * d_z[b, k]
    d_x = (
        -p * (d_L / (n_b * n_k)).to(dtype)
        + torch.exp(_centre(x, z[:, None, :])) * d_z.to(dtype)[:, None, :]
    )

    return d_x.reshape(n_b, n_v, *shape_k)


def _gradients_from_z(d_z, x, z, dtype):
    """The gradients of the inputs from d_z, which only derivatives of the backward pass bring in."""
    n_b, n_v, *shape_k = x.shape
    n_k = math.prod(shape_k)
    x = x.to(dtype).reshape(n_b, n_v, n_k)

    # d_x[b, v, k] = exp(x[b, v, k]) * d_z[b, k] / sum[i](exp(x[b, i, k]))
    d_x = torch.exp(_centre(x, z[:, None, :])) * d_z.to(dtype)[:, None, :]

    return d_x.reshape(n_b, n_v, *shape_k)


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


def _centre(tensor, mean):
    """tensor - mean; a wider mean is split in two, so that nothing of it is lost."""
    if mean.dtype == tensor.dtype:
        return tensor - mean
    high = mean.to(tensor.dtype)
    return (tensor - high) - (mean - high).to(tensor.dtype)
