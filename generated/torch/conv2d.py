"""Convolution in two dimensions (cross-correlation, as in deep learning), with stride, zero padding and bias.

Forward and backward pass for PyTorch of

    y[b, o, i, j] = sum[c, k, l](weight[o, c, k, l] * pad(x[b, c, stride*i + k - padding, stride*j + l -
        padding])) + bias[o]

The backward pass was derived by symgrad from these equations. Every gradient below was proved
equal, for every size, to the derivative of the forward pass; the formula that each line
computes stands above it (d_x is the gradient of the final scalar with respect to x).

Generated from the layer conv2d and the template torch/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate conv2d --backend torch
"""

import torch


def conv2d(x, weight, bias, *, stride=1, padding=0):
    """Compute y[b, o, i, j]; differentiable, to any order.

    Args:
        x[b, c, h, w]: input.
        weight[o, c, k, l]: parameter.
        bias[o]: parameter.
        stride: a whole number.
        padding: a whole number.
    """
    _check_types(x=x, weight=weight, bias=bias)
    _check_dimensions("x[b, c, h, w]", x, 4)
    n_b, n_c, n_h, n_w = x.shape
    _check_dimensions("weight[o, c, k, l]", weight, 4)
    n_o = weight.shape[0]
    n_k = weight.shape[2]
    n_l = weight.shape[3]
    _check_shape("weight[o, c, k, l]", weight, (n_o, n_c, n_k, n_l))
    _check_shape("bias[o]", bias, (n_o,))
    _check_whole(stride=stride, padding=padding)
    n_i = _positions(n_h + 2 * padding - n_k, stride)
    n_j = _positions(n_w + 2 * padding - n_l, stride)
    return _apply(Conv2d, x, weight, bias, stride, padding)


class Conv2d(torch.autograd.Function):
    """Computes y[b, o, i, j]; see `conv2d`."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x, weight, bias, stride, padding):
        result = x.dtype
        dtype, _ = _dtypes(x, weight, bias)
        n_b, n_c, n_h, n_w = x.shape
        n_o = weight.shape[0]
        n_k = weight.shape[2]
        n_l = weight.shape[3]
        n_i = _positions(n_h + 2 * padding - n_k, stride)
        n_j = _positions(n_w + 2 * padding - n_l, stride)
        x = x.to(dtype)
        weight = weight.to(dtype)
        bias = bias.to(dtype)

        # x_at[b, c, i, k, j, l] = pad(x[b, c, stride*i + k - padding, stride*j + l - padding])
        at_w = stride * torch.arange(n_j, device=x.device)[:, None] + torch.arange(n_l, device=x.device) - padding
        at_h = stride * torch.arange(n_i, device=x.device)[:, None] + torch.arange(n_k, device=x.device) - padding
        x_at = _entries(_entries(x, 3, at_w, outside=True), 2, at_h, outside=True)
        # sum_weight_x_at[b, o, i, j] = sum[c, k, l](weight[o, c, k, l] * pad(x[b, c, stride*i + k -
        #     padding, stride*j + l - padding]))
        sum_weight_x_at = torch.einsum("ockl,bcikjl->boij", weight, x_at)
        # y[b, o, i, j] = sum[c, k, l](weight[o, c, k, l] * pad(x[b, c, stride*i + k - padding, stride*j
        #     + l - padding]))
        #     + bias[o]
        y = sum_weight_x_at + bias[:, None, None]

        return y.to(result)

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, weight, bias, stride, padding = inputs
        ctx.save_for_backward(x, weight)
        ctx.set_materialize_grads(False)
        ctx.dtypes = x.dtype, weight.dtype, bias.dtype
        ctx.stride = stride
        ctx.padding = padding

    @staticmethod
    def backward(ctx, d_y):
        x, weight = ctx.saved_tensors
        stride = ctx.stride
        padding = ctx.padding
        needs = ctx.needs_input_grad[:3]
        dtype, _ = _compute_dtypes(x.device, *ctx.dtypes)
        d_x = d_weight = d_bias = None
        if d_y is not None:
            d_x, d_weight, d_bias = _gradients(d_y, x, weight, stride, padding, dtype, needs)
        return _cast(d_x, ctx.dtypes[0]), _cast(d_weight, ctx.dtypes[1]), _cast(d_bias, ctx.dtypes[2]), None, None


def _gradients(d_y, x, weight, stride, padding, dtype, needs):
    """The gradients of the inputs from d_y[b, o, i, j]."""
    need_x, need_weight, need_bias = needs
    n_b, n_c, n_h, n_w = x.shape
    n_o = weight.shape[0]
    n_k = weight.shape[2]
    n_l = weight.shape[3]
    n_i = d_y.shape[2]
    n_j = d_y.shape[3]
    x = x.to(dtype)
    weight = weight.to(dtype)
    d_y = d_y.to(dtype)

    if need_bias:
        # d_bias[o] = sum[b, i, j](d_y[b, o, i, j])
        d_bias = d_y.sum((0, 2, 3))
    if need_x:
        # d_x_at[b, c, i, k, j, l] = sum[o](d_y[b, o, i, j] * weight[o, c, k, l])
        d_x_at = torch.einsum("boij,ockl->bcikjl", d_y, weight)
        # d_x[b, c, h, w] = sum[o, i, j](d_y[b, o, i, j] * sum[k, l](weight[o, c, k, l] * where(h ==
        #     stride*i + k - padding, 1, 0) * where(w == stride*j + l - padding, 1, 0)))
        at_h = stride * torch.arange(
            n_i,
            device=x.device,
        )[:, None] + torch.arange(n_k, device=x.device) - padding
        at_w = stride * torch.arange(
            n_j,
            device=x.device,
        )[:, None] + torch.arange(n_l, device=x.device) - padding
        d_x = _added(_added(d_x_at, 2, at_h, n_h, outside=True), 3, at_w, n_w, outside=True)
    if need_weight:
        # x_at[b, c, i, k, j, l] = pad(x[b, c, stride*i + k - padding, stride*j + l - padding])
        at_w = stride * torch.arange(
            n_j,
            device=x.device,
        )[:, None] + torch.arange(n_l, device=x.device) - padding
        at_h = stride * torch.arange(
            n_i,
            device=x.device,
        )[:, None] + torch.arange(n_k, device=x.device) - padding
        x_at = _entries(_entries(x, 3, at_w, outside=True), 2, at_h, outside=True)
        # d_weight[o, c, k, l] = sum[b, i, j](d_y[b, o, i, j] * pad(x[b, c, stride*i + k - padding,
        #     stride*j + l - padding]))
        d_weight = torch.einsum("boij,bcikjl->ockl", d_y, x_at)

    return (
        d_x if need_x else None,
        d_weight if need_weight else None,
        d_bias if need_bias else None,
    )


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


def _check_whole(**constants):
    """Raise unless constants are whole numbers."""
    for name, constant in constants.items():
        if not isinstance(constant, int):
            raise TypeError(f"{name} must be a whole number, not {constant!r}.")


def _positions(room, step):
    """How many positions fit: from 0 to `room` in steps."""
    if room < 0 or step < 1:
        raise ValueError(f"no position fits: there is room for {room} steps of {step}.")
    return room // step + 1


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
