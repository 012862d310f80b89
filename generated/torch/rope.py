"""Rotary position embedding: each pair of features is turned by an angle that its place gives.

Forward and backward pass for PyTorch of

    u[b, n, i] = x[b, n, i] * cos(angle[n, i]) - y[b, n, i] * sin(angle[n, i])
    v[b, n, i] = x[b, n, i] * sin(angle[n, i]) + y[b, n, i] * cos(angle[n, i])

The backward pass was derived by symgrad from these equations. Every gradient below was proved
equal, for every size, to the derivative of the forward pass; the formula that each line
computes stands above it (d_x is the gradient of the final scalar with respect to x).

Generated from the layer rope and the template torch/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate rope --backend torch
"""

import math

import torch

# How many numbers of the largest tensor a thread computes at a time, so that they stay in its cache.
BLOCK = 131072

FREED = torch.empty(31 * 2**20, dtype=torch.uint8).numel()  # from here on glibc keeps freed memory for what comes next


def rope(x, y, angle):
    """Compute u[b..., n, i], v[b..., n, i]; differentiable, to any order.

    Args:
        x[b..., n, i]: input.
        y[b..., n, i]: input.
        angle[n, i]: target, gets no gradient.
    """
    _check_types(x=x, y=y, angle=angle)
    _check_dimensions("x[b..., n, i]", x, 2, more=True)
    *shape_b, n_n, n_i = x.shape
    _check_shape("y[b..., n, i]", y, (*shape_b, n_n, n_i))
    _check_shape("angle[n, i]", angle, (n_n, n_i))
    return _apply(Rope, x, y, angle)


class Rope(torch.autograd.Function):
    """Computes u[b..., n, i], v[b..., n, i]; see `rope`."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x, y, angle):
        result = x.dtype
        dtype, _ = _dtypes(x, y, angle)
        *shape_b, n_n, n_i = x.shape
        n_b = math.prod(shape_b)
        x = x.reshape(n_b, n_n, n_i)
        y = y.reshape(n_b, n_n, n_i)
        angle = angle.to(dtype)

        # a block of b after the other
        u, v = _in_blocks(
            _forward_block,
            (x, y, angle, dtype),
            cut=(0, 0, None, None),
            join=(0, 0),
            in_place=_forward_in_place,
            like=(x, x),
            dtype=dtype,
        )

        return u.reshape(*shape_b, n_n, n_i).to(result), v.reshape(*shape_b, n_n, n_i).to(result)

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, y, angle = inputs
        ctx.save_for_backward(angle)
        ctx.dtypes = x.dtype, y.dtype, angle.dtype

    @staticmethod
    def backward(ctx, d_u, d_v):
        (angle,) = ctx.saved_tensors
        needs = ctx.needs_input_grad[:2]
        dtype, _ = _compute_dtypes(angle.device, *ctx.dtypes)
        d_x = d_y = None
        if d_u is not None or d_v is not None:
            d_x, d_y = _gradients(d_u, d_v, angle, dtype, needs)
        return _cast(d_x, ctx.dtypes[0]), _cast(d_y, ctx.dtypes[1]), None


def _forward_block(x, y, angle, dtype):
    """Compute u, v of a block of b."""
    x = x.to(dtype)
    y = y.to(dtype)

    # u[b, n, i] = x[b, n, i] * cos(angle[n, i]) - y[b, n, i] * sin(angle[n, i])
    u = x * torch.cos(angle) - y * torch.sin(angle)
    # v[b, n, i] = x[b, n, i] * sin(angle[n, i]) + y[b, n, i] * cos(angle[n, i])
    v = x * torch.sin(angle) + y * torch.cos(angle)

    return (u, v)


def _forward_in_place(x, y, angle, dtype, buffers, u, v):
    """The same as `_forward_block`, into buffers and tensors that are there."""
    x = x.to(dtype)
    y = y.to(dtype)
    (buffer_1,) = _buffers(buffers, 1, x)

    # u[b, n, i] = x[b, n, i] * cos(angle[n, i]) - y[b, n, i] * sin(angle[n, i])
    u = torch.mul(x, torch.cos(angle), out=u)
    y_sin_angle = torch.mul(y, torch.sin(angle), out=buffer_1)
    u -= y_sin_angle
    # v[b, n, i] = x[b, n, i] * sin(angle[n, i]) + y[b, n, i] * cos(angle[n, i])
    v = torch.mul(x, torch.sin(angle), out=v)
    y_cos_angle = torch.mul(y, torch.cos(angle), out=y_sin_angle)
    v += y_cos_angle

    return u, v


def _gradients(d_u, d_v, angle, dtype, needs):
    """The gradients of the inputs from d_u[b..., n, i], d_v[b..., n, i]."""
    need_x, need_y = needs
    n_n, n_i = angle.shape
    shape_b = d_u.shape[0:-2]
    n_b = math.prod(shape_b)
    angle = angle.to(dtype)
    d_u = d_u.reshape(n_b, n_n, n_i)
    d_v = d_v.reshape(n_b, n_n, n_i)

    # a block of b after the other
    d_x, d_y = _in_blocks(
        _gradients_block,
        (angle, d_u, d_v, dtype, needs),
        cut=(None, 0, 0, None, None),
        join=(0, 0),
        in_place=_gradients_in_place if all(needs) else None,
        like=(d_u, d_u),
        dtype=dtype,
    )

    return (
        d_x.reshape(*shape_b, n_n, n_i) if need_x else None,
        d_y.reshape(*shape_b, n_n, n_i) if need_y else None,
    )


def _gradients_block(angle, d_u, d_v, dtype, needs):
    """Compute d_x, d_y of a block of b."""
    need_x, need_y = needs
    d_u = d_u.to(dtype)
    d_v = d_v.to(dtype)

    if need_x:
        # d_x[b, n, i] = cos(angle[n, i]) * d_u[b, n, i] + sin(angle[n, i]) * d_v[b, n, i]
        d_x = d_u * torch.cos(angle) + d_v * torch.sin(angle)
    if need_y:
        # d_y[b, n, i] = -sin(angle[n, i]) * d_u[b, n, i] + cos(angle[n, i]) * d_v[b, n, i]
        d_y = -d_u * torch.sin(angle) + d_v * torch.cos(angle)

    return (d_x if need_x else None, d_y if need_y else None)


def _gradients_in_place(angle, d_u, d_v, dtype, needs, buffers, d_x, d_y):
    """The same as `_gradients_block`, into buffers and tensors that are there."""
    d_u = d_u.to(dtype)
    d_v = d_v.to(dtype)
    (buffer_1,) = _buffers(buffers, 1, d_u)

    # d_x[b, n, i] = cos(angle[n, i]) * d_u[b, n, i] + sin(angle[n, i]) * d_v[b, n, i]
    d_x = torch.mul(d_u, torch.cos(angle), out=d_x)
    sin_angle_d_v = torch.mul(d_v, torch.sin(angle), out=buffer_1)
    d_x += sin_angle_d_v
    # d_y[b, n, i] = -sin(angle[n, i]) * d_u[b, n, i] + cos(angle[n, i]) * d_v[b, n, i]
    d_y = torch.mul(d_u, -torch.sin(angle), out=d_y)
    cos_angle_d_v = torch.mul(d_v, torch.cos(angle), out=sin_angle_d_v)
    d_y += cos_angle_d_v

    return d_x, d_y


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


def _in_blocks(compute, arguments, cut, join, in_place, like, dtype):
    """What `compute` returns for arguments of which some are cut along a dimension: one block after the other.

    The results are joined along a dimension each, or added up (None). Where numbers are all that is wanted,
    `in_place` (unless it is None) computes them, with some results written into tensors as large as those in `like`.
    """
    tensors = [argument for argument, axis in zip(arguments, cut) if axis is not None]
    length = next(argument.shape[axis] for argument, axis in zip(arguments, cut) if axis is not None)
    step = _step(tensors, length, [axis for axis in cut if axis is not None])
    if step is None or (step >= length and in_place is None):
        return compute(*arguments)
    if step >= length:
        made = [torch.empty_like(tensor, dtype=dtype) for tensor in like if tensor is not None]
        return in_place(*arguments, [], *made)
    made = [] if in_place is None else [place for place, tensor in enumerate(like) if tensor is not None]
    whole = [torch.empty(tensor.shape, dtype=dtype) if place in made else None for place, tensor in enumerate(like)]
    buffers = []
    for start in range(0, length, step):
        size = min(step, length - start)
        views = [a if axis is None else a.narrow(axis, start, size) for a, axis in zip(arguments, cut)]
        if in_place is None:
            parts = compute(*views)
        else:
            parts = in_place(*views, buffers, *(whole[place].narrow(join[place], start, size) for place in made))
        for place, (part, axis) in enumerate(zip(parts, join)):
            if part is None or place in made:
                continue
            if axis is None:
                whole[place] = part.double() if start == 0 else whole[place] + part
                continue
            if start == 0:
                whole[place] = part.new_empty((*part.shape[:axis], length, *part.shape[axis + 1 :]))
            whole[place].narrow(axis, start, size).copy_(part)
    return [total if part is None else total.to(part.dtype) for total, part in zip(whole, parts)]


def _buffers(buffers, count, like):
    """As many tensors like another one: those of the block before, where they have its shape."""
    if not buffers or buffers[0].shape != like.shape:
        buffers[:] = [torch.empty(like.shape, dtype=like.dtype) for _ in range(count)]
    return buffers


def _step(tensors, length, axes):
    """How much of a dimension a block has: all of it where nothing is gained; None where a loop would be in the way."""
    if torch.compiler.is_compiling() or torch.is_grad_enabled() or any(not _is_plain(tensor) for tensor in tensors):
        return None
    block = BLOCK * torch.get_num_threads()
    step = max(1, length * block // max(tensor.numel() for tensor in tensors))
    spread = max(tensor.stride(axis) * tensor.element_size() for tensor, axis in zip(tensors, axes))
    return length if step * spread < 64 else step  # a block with a part of each cache line would read all of them


def _is_plain(tensor):
    """Whether a tensor is nothing but numbers in the memory of a CPU."""
    if tensor.device.type != "cpu" or type(tensor) not in (torch.Tensor, torch.nn.Parameter):
        return False
    return not torch._C._functorch.is_functorch_wrapped_tensor(tensor)


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
