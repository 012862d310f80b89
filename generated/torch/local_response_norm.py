"""Local response normalization: each value divided by the activity of the channels around it.

Forward and backward pass for PyTorch of

    s[b, c, p] = bias + alpha * mean[k](pad(x[b, c + k - radius, p])**2)
    y[b, c, p] = x[b, c, p] / pow(s[b, c, p], beta)

The backward pass was derived by symgrad from these equations. Every gradient below was proved
equal, for every size, to the derivative of the forward pass; the formula that each line
computes stands above it (d_x is the gradient of the final scalar with respect to x).

Generated from the layer local_response_norm and the template torch/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate local_response_norm --backend torch
"""

import math

import torch


def local_response_norm(x, *, alpha=1e-4, beta=0.75, bias=1, radius=2):
    """Compute y[b, c, p...]; differentiable, to any order.

    Args:
        x[b, c, p...]: input.
        alpha: a constant.
        beta: a constant.
        bias: a constant.
        radius: a whole number.
    """
    _check_types(x=x)
    _check_dimensions("x[b, c, p...]", x, 2, more=True)
    n_b, n_c, *shape_p = x.shape
    _check_whole(radius=radius)
    n_k = 2 * radius + 1
    function = LocalResponseNormCompiled if _is_compiled() else LocalResponseNorm
    y, *_ = _apply(function, x, alpha, beta, bias, radius)
    return y


class LocalResponseNorm(torch.autograd.Function):
    """Computes y[b, c, p...]; see `local_response_norm`.

    The statistics s are outputs as well, so that derivatives of the
    backward pass reach the inputs through them; `backward` gets their cotangents.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(x, alpha, beta, bias, radius):
        result = x.dtype
        dtype, _ = _dtypes(x)
        n_b, n_c, *shape_p = x.shape
        n_p = math.prod(shape_p)
        n_k = 2 * radius + 1
        x = x.to(dtype).reshape(n_b, n_c, n_p)

        # x_at[b, c, k, p] = pad(x[b, c + k - radius, p])
        at_c = torch.arange(n_c, device=x.device)[:, None] + torch.arange(n_k, device=x.device) - radius
        x_at = _entries(x, 1, at_c, outside=True)
        # sum_x_at_squared[b, c, p] = sum[k](pad(x[b, c + k - radius, p])**2)
        sum_x_at_squared = torch.square(x_at).sum(2)
        # s[b, c, p] = bias + alpha * mean[k](pad(x[b, c + k - radius, p])**2)
        s = bias + sum_x_at_squared * (alpha / n_k)
        # y[b, c, p] = x[b, c, p] / pow(s[b, c, p], beta)
        y = x / torch.pow(s, beta)

        return y.reshape(n_b, n_c, *shape_p).to(result), s

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, alpha, beta, _, radius = inputs
        _, s = output
        ctx.save_for_backward(x, s)
        ctx.set_materialize_grads(False)
        ctx.dtypes = (x.dtype,)
        ctx.alpha = alpha
        ctx.beta = beta
        ctx.radius = radius

    @staticmethod
    def backward(ctx, d_y, d_s):
        x, s = ctx.saved_tensors
        alpha = ctx.alpha
        beta = ctx.beta
        radius = ctx.radius
        dtype, _ = _compute_dtypes(x.device, *ctx.dtypes)
        d_x = None
        if d_y is not None:
            d_x = _gradients(d_y, x, alpha, beta, radius, s, dtype)
        if d_s is not None and ctx.needs_input_grad[0]:
            d_x = _plus(d_x, _gradients_from_statistics(d_s, x, alpha, radius, dtype))
        return _cast(d_x, ctx.dtypes[0]), None, None, None, None


class LocalResponseNormCompiled(torch.autograd.Function):
    """The same as `LocalResponseNorm` for `torch.compile`: differentiable once."""

    @staticmethod
    def forward(x, alpha, beta, bias, radius):
        return LocalResponseNorm.forward(x, alpha, beta, bias, radius)

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, alpha, beta, _, radius = inputs
        _, s = output
        ctx.save_for_backward(x, s)
        ctx.set_materialize_grads(False)
        ctx.dtypes = (x.dtype,)
        ctx.alpha = alpha
        ctx.beta = beta
        ctx.radius = radius
        ctx.mark_non_differentiable(s)

    @staticmethod
    def backward(ctx, d_y, *_):
        x, s = ctx.saved_tensors
        alpha = ctx.alpha
        beta = ctx.beta
        radius = ctx.radius
        dtype, _ = _compute_dtypes(x.device, *ctx.dtypes)
        d_x = None
        if d_y is not None:
            d_x = _gradients(d_y, x, alpha, beta, radius, s, dtype)
        return _cast(d_x, ctx.dtypes[0]), None, None, None, None


def _gradients(d_y, x, alpha, beta, radius, s, dtype):
    """The gradients of the inputs from d_y[b, c, p...]."""
    n_b, n_c, *shape_p = x.shape
    n_p = math.prod(shape_p)
    n_k = 2 * radius + 1
    x = x.to(dtype).reshape(n_b, n_c, n_p)
    s = s.to(dtype).reshape(n_b, n_c, n_p)
    d_y = d_y.to(dtype).reshape(n_b, n_c, n_p)

    # pow_s_beta[b, c, p] = pow(s[b, c, p], beta)
    pow_s_beta = torch.pow(s, beta)
    # d_s[b, c, p] = -x[b, c, p] * beta * pow(s[b, c, p], beta - 1) * d_y[b, c, p] / pow(s[b, c, p], beta)**2
    d_s = x * (-beta) * torch.pow(s, (beta - 1)) * d_y / pow_s_beta**2
    # values_at[b, j, k, p] = d_s[b, j, p]
    values_at = d_s[:, :, None, :].expand((n_b, n_c, n_k, n_p))
    # added[b, c, p] = sum[j, k](where(c == j + k - radius, 1, 0) * d_s[b, j, p])
    at_c = torch.arange(n_c, device=x.device)[:, None] + torch.arange(n_k, device=x.device) - radius
    added = _added(values_at, 1, at_c, n_c, outside=True)
    # d_x[b, c, p] = d_y[b, c, p] / pow(s[b, c, p], beta)
    #     + 2 * alpha * x[b, c, p] * sum[j, k](where(c == j + k - radius, 1, 0) * d_s[b, j, p]) / size[k]
    d_x = d_y / pow_s_beta + x * (2 * alpha / n_k) * added

    return d_x.reshape(n_b, n_c, *shape_p)


def _gradients_from_statistics(d_s, x, alpha, radius, dtype):
    """The gradients of the inputs from d_s, which only derivatives of `backward` bring in."""
    n_b, n_c, *shape_p = x.shape
    n_p = math.prod(shape_p)
    n_k = 2 * radius + 1
    x = x.to(dtype).reshape(n_b, n_c, n_p)
    d_s = d_s.to(dtype).reshape(n_b, n_c, n_p)

    # values_at[b, j, k, p] = d_s[b, j, p]
    values_at = d_s[:, :, None, :].expand((n_b, n_c, n_k, n_p))
    # added[b, c, p] = sum[j, k](where(c == j + k - radius, 1, 0) * d_s[b, j, p])
    at_c = torch.arange(n_c, device=x.device)[:, None] + torch.arange(n_k, device=x.device) - radius
    added = _added(values_at, 1, at_c, n_c, outside=True)
    # d_x[b, c, p] = 2 * alpha * x[b, c, p] * sum[j, k](where(c == j + k - radius, 1, 0) * d_s[b, j,
    #     p]) / size[k]
    d_x = x * (2 * alpha / n_k) * added

    return d_x.reshape(n_b, n_c, *shape_p)


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


def _is_compiled():
    """Whether torch.compile reads this, without a transform of torch.func, which may differentiate twice."""
    if not torch.compiler.is_compiling() or not hasattr(torch._C._functorch, "get_dynamic_layer_stack_depth"):
        return False  # an older torch does not say how many transforms there are
    return torch._C._functorch.get_dynamic_layer_stack_depth() == 0


def _plus(total, part):
    """total + part, where both may be None."""
    if total is None or part is None:
        return part if total is None else total
    return total + part
