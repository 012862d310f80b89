"""Average pooling in two dimensions: the mean of each window.

Forward and backward pass for PyTorch of

    y[b, c, i, j] = mean[k, l](x[b, c, stride*i + k, stride*j + l])

The backward pass was derived by symgrad from these equations. Every gradient below was proved
equal, for every size, to the derivative of the forward pass; the formula that each line
computes stands above it (d_x is the gradient of the final scalar with respect to x).

Generated from the layer avg_pool and the template torch/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate avg_pool --backend torch
"""

import torch


def avg_pool(x, *, window=2, stride=2):
    """Compute y[b, c, i, j]; differentiable, to any order.

    Args:
        x[b, c, h, w]: input.
        window: a whole number.
        stride: a whole number.
    """
    _check_types(x=x)
    _check_dimensions("x[b, c, h, w]", x, 4)
    n_b, n_c, n_h, n_w = x.shape
    _check_whole(window=window, stride=stride)
    n_k = window
    n_l = window
    n_i = _positions(n_h - n_k, stride)
    n_j = _positions(n_w - n_l, stride)
    return _apply(AvgPool, x, window, stride)


class AvgPool(torch.autograd.Function):
    """Computes y[b, c, i, j]; see `avg_pool`."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x, window, stride):
        result = x.dtype
        dtype, _ = _dtypes(x)
        n_b, n_c, n_h, n_w = x.shape
        n_k = window
        n_l = window
        n_i = _positions(n_h - n_k, stride)
        n_j = _positions(n_w - n_l, stride)
        x = x.to(dtype)

        # x_at[b, c, i, k, j, l] = x[b, c, stride*i + k, stride*j + l]
        at_w = stride * torch.arange(n_j, device=x.device)[:, None] + torch.arange(n_l, device=x.device)
        at_h = stride * torch.arange(n_i, device=x.device)[:, None] + torch.arange(n_k, device=x.device)
        x_at = _entries(_entries(x, 3, at_w), 2, at_h)
        # y[b, c, i, j] = mean[k, l](x[b, c, stride*i + k, stride*j + l])
        y = x_at.mean((3, 5))

        return y.to(result)

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, window, stride = inputs
        ctx.save_for_backward(x)
        ctx.set_materialize_grads(False)
        ctx.dtypes = (x.dtype,)
        ctx.window = window
        ctx.stride = stride

    @staticmethod
    def backward(ctx, d_y):
        (x,) = ctx.saved_tensors
        window = ctx.window
        stride = ctx.stride
        dtype, _ = _compute_dtypes(x.device, *ctx.dtypes)
        d_x = None
        if d_y is not None:
            d_x = _gradients(d_y, x, window, stride, dtype)
        return _cast(d_x, ctx.dtypes[0]), None, None


def _gradients(d_y, x, window, stride, dtype):
    """The gradients of the inputs from d_y[b, c, i, j]."""
    n_b, n_c, n_h, n_w = x.shape
    n_i = d_y.shape[2]
    n_j = d_y.shape[3]
    n_k = window
    n_l = window
    x = x.to(dtype)
    d_y = d_y.to(dtype)

    # values_at[b, c, i, k, j, l] = d_y[b, c, i, j]
    values_at = d_y[:, :, :, None, :, None].expand((n_b, n_c, n_i, n_k, n_j, n_l))
    # added[b, c, h, w] = sum[i, k, j, l](where(h == stride*i + k, 1, 0) * where(w == stride*j + l,
    #     1, 0) * d_y[b, c, i, j])
    at_h = stride * torch.arange(n_i, device=x.device)[:, None] + torch.arange(n_k, device=x.device)
    at_w = stride * torch.arange(n_j, device=x.device)[:, None] + torch.arange(n_l, device=x.device)
    added = _added(_added(values_at, 2, at_h, n_h), 3, at_w, n_w)
    # d_x[b, c, h, w] = sum[i, k, j, l](where(h == stride*i + k, 1, 0) * where(w == stride*j + l, 1,
    #     0) * d_y[b, c, i, j]) / (size[k] * size[l])
    d_x = added * (1 / (n_k * n_l))

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
