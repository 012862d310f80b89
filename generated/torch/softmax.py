"""The softmax over the last dimension.

Forward and backward pass for PyTorch of

    y[b, v] = exp(x[b, v]) / sum[v](exp(x[b, v]))

The backward pass was derived by symgrad from these equations. Every gradient below was proved
equal, for every size, to the derivative of the forward pass; the formula that each line
computes stands above it (d_x is the gradient of the final scalar with respect to x).

Generated from the layer softmax and the template torch/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate softmax --backend torch
"""

import math

import torch

# How many numbers of the largest tensor a thread computes at a time, so that they stay in its cache.
BLOCK = 131072

FREED = torch.empty(31 * 2**20, dtype=torch.uint8).numel()  # from here on glibc keeps freed memory for what comes next


def softmax(x):
    """Compute y[b..., v]; differentiable, to any order.

    Args:
        x[b..., v]: input.
    """
    _check_types(x=x)
    _check_dimensions("x[b..., v]", x, 1, more=True)
    *shape_b, n_v = x.shape
    return _apply(Softmax, x)


class Softmax(torch.autograd.Function):
    """Computes y[b..., v]; see `softmax`."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x):
        result = x.dtype
        dtype, _ = _dtypes(x)
        *shape_b, n_v = x.shape
        n_b = math.prod(shape_b)
        x = x.reshape(n_b, n_v)

        # a block of b after the other
        (y,) = _in_blocks(
            _forward_block,
            (x, dtype),
            cut=(0, None),
            join=(0,),
            in_place=_forward_in_place,
            like=(x,),
            dtype=dtype,
        )

        return y.reshape(*shape_b, n_v).to(result)

    @staticmethod
    def setup_context(ctx, inputs, output):
        (x,) = inputs
        y = output
        ctx.save_for_backward(y)
        ctx.set_materialize_grads(False)
        ctx.dtypes = (x.dtype,)

    @staticmethod
    def backward(ctx, d_y):
        (y,) = ctx.saved_tensors
        dtype, _ = _compute_dtypes(y.device, *ctx.dtypes)
        d_x = None
        if d_y is not None:
            d_x = _gradients(d_y, y, dtype)
        return _cast(d_x, ctx.dtypes[0])


def _forward_block(x, dtype):
    """Compute y of a block of b."""
    x = x.to(dtype)

    # max_x[b] = max[v](x[b, v])
    max_x = x.amax(1)
    # exp_x[b, v] = exp(x[b, v] - max_x[b])
    exp_x = torch.exp(x - max_x[:, None])
    # sum_exp_x[b] = sum[v](exp(x[b, v] - max_x[b]))
    sum_exp_x = exp_x.sum(1)
    # y[b, v] = exp(x[b, v]) / sum[v](exp(x[b, v]))
    y = exp_x * (1 / sum_exp_x)[:, None]

    return (y,)


def _forward_in_place(x, dtype, buffers, y):
    """The same as `_forward_block`, into buffers and tensors that are there."""
    x = x.to(dtype)

    # y[b, v] = exp(x[b, v]) / sum[v](exp(x[b, v]))
    y = torch.softmax(x, 1, out=y)

    return y,


def _gradients(d_y, y, dtype):
    """The gradients of the inputs from d_y[b..., v]."""
    *shape_b, n_v = y.shape
    n_b = math.prod(shape_b)
    y = y.reshape(n_b, n_v)
    d_y = d_y.reshape(n_b, n_v)

    # a block of b after the other
    (d_x,) = _in_blocks(
        _gradients_block,
        (y, d_y, dtype),
        cut=(0, 0, None),
        join=(0,),
        in_place=_gradients_in_place,
        like=(y,),
        dtype=dtype,
    )

    return d_x.reshape(*shape_b, n_v)


def _gradients_block(y, d_y, dtype):
    """Compute d_x of a block of b."""
    y = y.to(dtype)
    d_y = d_y.to(dtype)

    # sum_y_d_y[b] = sum[v](y[b, v] * d_y[b, v])
    sum_y_d_y = (y * d_y).sum(1)
    # d_x[b, v] = y[b, v] * (d_y[b, v] - sum[v](y[b, v] * d_y[b, v]))
    d_x = y * (d_y - sum_y_d_y[:, None])

    return (d_x,)


def _gradients_in_place(y, d_y, dtype, buffers, d_x):
    """The same as `_gradients_block`, into buffers and tensors that are there."""
    y = y.to(dtype)
    d_y = d_y.to(dtype)

    # d_x[b, v] = y[b, v] * (d_y[b, v] - sum[v](y[b, v] * d_y[b, v]))
    d_x = torch._softmax_backward_data(d_y, y, 1, dtype, grad_input=d_x)

    return d_x,


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
