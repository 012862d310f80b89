"""The cosine embedding loss: pairs that are alike (t = 1) or not (t = -1).

Forward and backward pass for PyTorch of

    c[b] = sum[d](x[b, d] * y[b, d]) / sqrt((sum[d](x[b, d]**2) + eps) * (sum[d](y[b, d]**2) + eps))
    L = mean[b](where(0 < t[b], 1 - c[b], where(margin <= c[b], c[b] - margin, 0)))

The backward pass was derived by symgrad from these equations. Every gradient below was proved
equal, for every size, to the derivative of the forward pass; the formula that each line
computes stands above it (d_x is the gradient of the final scalar with respect to x).

Generated from the layer cosine_embedding and the template torch/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate cosine_embedding --backend torch
"""

import torch

# How many numbers of the largest tensor a thread computes at a time, so that they stay in its cache.
BLOCK = 131072

FREED = torch.empty(31 * 2**20, dtype=torch.uint8).numel()  # from here on glibc keeps freed memory for what comes next


def cosine_embedding(x, y, t, *, margin=0, eps=1e-12):
    """Compute L; differentiable, to any order.

    Args:
        x[b, d]: input.
        y[b, d]: input.
        t[b]: target, gets no gradient.
        margin: a constant.
        eps: a constant.
    """
    _check_types(x=x, y=y, t=t)
    _check_dimensions("x[b, d]", x, 2)
    n_b, n_d = x.shape
    _check_shape("y[b, d]", y, (n_b, n_d))
    _check_shape("t[b]", t, (n_b,))
    function = CosineEmbeddingCompiled if _is_compiled() else CosineEmbedding
    L, *_ = _apply(function, x, y, t, margin, eps)
    return L


class CosineEmbedding(torch.autograd.Function):
    """Computes L; see `cosine_embedding`.

    The statistics c are outputs as well, so that derivatives of the
    backward pass reach the inputs through them; `backward` gets their cotangents.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(x, y, t, margin, eps):
        result = x.dtype
        dtype, _ = _dtypes(x, y, t)
        n_b, n_d = x.shape
        t = t.to(dtype)

        # a block of b after the other
        sum_x_y, sum_x_squared, sum_y_squared = _in_blocks(
            _forward_block,
            (x, y, dtype),
            cut=(0, 0, None),
            join=(0, 0, 0),
            in_place=_forward_in_place,
            like=(None, None, None),
            dtype=dtype,
        )
        # c[b] = sum[d](x[b, d] * y[b, d]) / sqrt((sum[d](x[b, d]**2) + eps) * (sum[d](y[b, d]**2) + eps))
        c = sum_x_y / torch.sqrt((sum_x_squared + eps) * (sum_y_squared + eps))
        # L = mean[b](where(0 < t[b], 1 - c[b], where(margin <= c[b], c[b] - margin, 0)))
        L = torch.where(0 < t, 1 - c, torch.where(margin <= c, c - margin, 0)).mean()

        return L.to(result), c

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, y, t, margin, eps = inputs
        _, c = output
        ctx.save_for_backward(x, y, t, c)
        ctx.set_materialize_grads(False)
        ctx.dtypes = x.dtype, y.dtype, t.dtype
        ctx.margin = margin
        ctx.eps = eps

    @staticmethod
    def backward(ctx, d_L, d_c):
        x, y, t, c = ctx.saved_tensors
        margin = ctx.margin
        eps = ctx.eps
        needs = ctx.needs_input_grad[:2]
        dtype, wide = _compute_dtypes(x.device, *ctx.dtypes)
        d_x = d_y = None
        if d_L is not None:
            d_x, d_y = _gradients(d_L, x, y, t, margin, eps, c, dtype, wide, needs)
        if d_c is not None:
            parts = _gradients_from_statistics(d_c, x, y, eps, dtype, needs)
            d_x, d_y = map(_plus, (d_x, d_y), parts)
        return _cast(d_x, ctx.dtypes[0]), _cast(d_y, ctx.dtypes[1]), None, None, None


class CosineEmbeddingCompiled(torch.autograd.Function):
    """The same as `CosineEmbedding` for `torch.compile`: differentiable once."""

    @staticmethod
    def forward(x, y, t, margin, eps):
        return CosineEmbedding.forward(x, y, t, margin, eps)

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, y, t, margin, eps = inputs
        _, c = output
        ctx.save_for_backward(x, y, t, c)
        ctx.set_materialize_grads(False)
        ctx.dtypes = x.dtype, y.dtype, t.dtype
        ctx.margin = margin
        ctx.eps = eps
        ctx.mark_non_differentiable(c)

    @staticmethod
    def backward(ctx, d_L, *_):
        x, y, t, c = ctx.saved_tensors
        margin = ctx.margin
        eps = ctx.eps
        needs = ctx.needs_input_grad[:2]
        dtype, wide = _compute_dtypes(x.device, *ctx.dtypes)
        d_x = d_y = None
        if d_L is not None:
            d_x, d_y = _gradients(d_L, x, y, t, margin, eps, c, dtype, wide, needs)
        return _cast(d_x, ctx.dtypes[0]), _cast(d_y, ctx.dtypes[1]), None, None, None


def _forward_block(x, y, dtype):
    """Compute sum_x_y, sum_x_squared, sum_y_squared of a block of b."""
    x = x.to(dtype)
    y = y.to(dtype)

    # sum_x_y[b] = sum[d](x[b, d] * y[b, d])
    sum_x_y = (x * y).sum(1)
    # sum_x_squared[b] = sum[d](x[b, d]**2)
    sum_x_squared = torch.square(x).sum(1)
    # sum_y_squared[b] = sum[d](y[b, d]**2)
    sum_y_squared = torch.square(y).sum(1)

    return (sum_x_y, sum_x_squared, sum_y_squared)


def _forward_in_place(x, y, dtype, buffers):
    """The same as `_forward_block`, into buffers and tensors that are there."""
    x = x.to(dtype)
    y = y.to(dtype)
    (buffer_1,) = _buffers(buffers, 1, x)

    # sum_x_y[b] = sum[d](x[b, d] * y[b, d])
    x_y = torch.mul(x, y, out=buffer_1)
    sum_x_y = x_y.sum(1)
    # sum_x_squared[b] = sum[d](x[b, d]**2)
    x_squared = torch.square(x, out=x_y)
    sum_x_squared = x_squared.sum(1)
    # sum_y_squared[b] = sum[d](y[b, d]**2)
    y_squared = torch.square(y, out=x_squared)
    sum_y_squared = y_squared.sum(1)

    return sum_x_y, sum_x_squared, sum_y_squared


def _gradients(d_L, x, y, t, margin, eps, c, dtype, wide, needs):
    """The gradients of the inputs from d_L."""
    need_x, need_y = needs
    n_b, n_d = x.shape
    t = t.to(dtype)
    d_L = d_L.to(wide)

    # d_c[b] = d_L * mean[i](where(0 < t[i], -where(i == b, 1, 0), where(margin <= c[i], where(i ==
    #     b, 1, 0), 0)))
    d_c = d_L * (-(0 < t).to(dtype) + (1 - (0 < t).to(dtype)) * (margin <= c).to(dtype)) / n_b
    # a block of b after the other
    d_x, d_y = _in_blocks(
        _gradients_block,
        (x, y, eps, d_c, dtype, needs),
        cut=(0, 0, None, 0, None, None),
        join=(0, 0),
        in_place=_gradients_in_place if all(needs) else None,
        like=(x, x),
        dtype=dtype,
    )

    return (d_x if need_x else None, d_y if need_y else None)


def _gradients_block(x, y, eps, d_c, dtype, needs):
    """Compute d_x, d_y of a block of b."""
    need_x, need_y = needs
    x = x.to(dtype)
    y = y.to(dtype)

    # sum_x_squared[b] = sum[d](x[b, d]**2)
    sum_x_squared = torch.square(x).sum(1)
    # sum_y_squared[b] = sum[d](y[b, d]**2)
    sum_y_squared = torch.square(y).sum(1)
    # root[b] = 1 / sqrt((sum[d](x[b, d]**2) + eps) * (sum[d](y[b, d]**2) + eps))
    root = 1 / torch.sqrt((sum_x_squared + eps) * (sum_y_squared + eps))
    # sum_x_y[b] = sum[d](x[b, d] * y[b, d])
    sum_x_y = (x * y).sum(1)
    if need_x:
        # d_x[b, d] = (y[b, d] * sqrt((sum[i](x[b, i]**2) + eps) * (sum[i](y[b, i]**2) + eps)) - x[b, d]
        #     * (sum[i](y[b, i]**2) + eps) * sum[i](x[b, i] * y[b, i]) / sqrt((sum[i](x[b, i]**2) + eps)
        #     * (sum[i](y[b, i]**2) + eps))) * d_c[b] / ((sum[i](x[b, i]**2) + eps) * (sum[i](y[b,
        #     i]**2) + eps))
        d_x = (
            (
                y * (torch.sqrt((sum_x_squared + eps) * (sum_y_squared + eps)))[:, None]
                - x * (root * (sum_y_squared + eps) * sum_x_y)[:, None]
            )
            * (d_c / ((sum_x_squared + eps) * (sum_y_squared + eps))).to(dtype)[:, None]
        )
    if need_y:
        # d_y[b, d] = (x[b, d] * sqrt((sum[i](x[b, i]**2) + eps) * (sum[i](y[b, i]**2) + eps)) - y[b, d]
        #     * (sum[i](x[b, i]**2) + eps) * sum[i](x[b, i] * y[b, i]) / sqrt((sum[i](x[b, i]**2) + eps)
        #     * (sum[i](y[b, i]**2) + eps))) * d_c[b] / ((sum[i](x[b, i]**2) + eps) * (sum[i](y[b,
        #     i]**2) + eps))
        d_y = (
            (
                x * (torch.sqrt((sum_x_squared + eps) * (sum_y_squared + eps)))[:, None]
                - y * (root * (sum_x_squared + eps) * sum_x_y)[:, None]
            )
            * (d_c / ((sum_x_squared + eps) * (sum_y_squared + eps))).to(dtype)[:, None]
        )

    return (d_x if need_x else None, d_y if need_y else None)


def _gradients_in_place(x, y, eps, d_c, dtype, needs, buffers, d_x, d_y):
    """The same as `_gradients_block`, into buffers and tensors that are there."""
    x = x.to(dtype)
    y = y.to(dtype)
    (buffer_1,) = _buffers(buffers, 1, x)

    # sum_x_squared[b] = sum[d](x[b, d]**2)
    x_squared = torch.square(x, out=buffer_1)
    sum_x_squared = x_squared.sum(1)
    # sum_y_squared[b] = sum[d](y[b, d]**2)
    y_squared = torch.square(y, out=x_squared)
    sum_y_squared = y_squared.sum(1)
    # root[b] = 1 / sqrt((sum[d](x[b, d]**2) + eps) * (sum[d](y[b, d]**2) + eps))
    root = 1 / torch.sqrt((sum_x_squared + eps) * (sum_y_squared + eps))
    # sum_x_y[b] = sum[d](x[b, d] * y[b, d])
    x_y = torch.mul(x, y, out=y_squared)
    sum_x_y = x_y.sum(1)
    # d_x[b, d] = (y[b, d] * sqrt((sum[i](x[b, i]**2) + eps) * (sum[i](y[b, i]**2) + eps)) - x[b, d]
    #     * (sum[i](y[b, i]**2) + eps) * sum[i](x[b, i] * y[b, i]) / sqrt((sum[i](x[b, i]**2) + eps)
    #     * (sum[i](y[b, i]**2) + eps))) * d_c[b] / ((sum[i](x[b, i]**2) + eps) * (sum[i](y[b,
    #     i]**2) + eps))
    d_x = torch.mul(y, (torch.sqrt((sum_x_squared + eps) * (sum_y_squared + eps)))[:, None], out=d_x)
    work = torch.mul(x, (root * (sum_y_squared + eps) * sum_x_y)[:, None], out=x_y)
    d_x -= work
    d_x *= (d_c / ((sum_x_squared + eps) * (sum_y_squared + eps))).to(dtype)[:, None]
    # d_y[b, d] = (x[b, d] * sqrt((sum[i](x[b, i]**2) + eps) * (sum[i](y[b, i]**2) + eps)) - y[b, d]
    #     * (sum[i](x[b, i]**2) + eps) * sum[i](x[b, i] * y[b, i]) / sqrt((sum[i](x[b, i]**2) + eps)
    #     * (sum[i](y[b, i]**2) + eps))) * d_c[b] / ((sum[i](x[b, i]**2) + eps) * (sum[i](y[b,
    #     i]**2) + eps))
    d_y = torch.mul(x, (torch.sqrt((sum_x_squared + eps) * (sum_y_squared + eps)))[:, None], out=d_y)
    work_2 = torch.mul(y, (root * (sum_x_squared + eps) * sum_x_y)[:, None], out=work)
    d_y -= work_2
    d_y *= (d_c / ((sum_x_squared + eps) * (sum_y_squared + eps))).to(dtype)[:, None]

    return d_x, d_y


def _gradients_from_statistics(d_c, x, y, eps, dtype, needs):
    """The gradients of the inputs from d_c, which only derivatives of `backward` bring in."""
    need_x, need_y = needs
    n_b, n_d = x.shape
    x = x.to(dtype)
    y = y.to(dtype)

    # sum_x_squared[b] = sum[d](x[b, d]**2)
    sum_x_squared = torch.square(x).sum(1)
    # sum_y_squared[b] = sum[d](y[b, d]**2)
    sum_y_squared = torch.square(y).sum(1)
    # root[b] = 1 / sqrt((sum[d](x[b, d]**2) + eps) * (sum[d](y[b, d]**2) + eps))
    root = 1 / torch.sqrt((sum_x_squared + eps) * (sum_y_squared + eps))
    # sum_x_y[b] = sum[d](x[b, d] * y[b, d])
    sum_x_y = (x * y).sum(1)
    if need_x:
        # d_x[b, d] = (y[b, d] * sqrt((sum[i](x[b, i]**2) + eps) * (sum[i](y[b, i]**2) + eps)) - x[b, d]
        #     * (sum[i](y[b, i]**2) + eps) * sum[i](x[b, i] * y[b, i]) / sqrt((sum[i](x[b, i]**2) + eps)
        #     * (sum[i](y[b, i]**2) + eps))) * d_c[b] / ((sum[i](x[b, i]**2) + eps) * (sum[i](y[b,
        #     i]**2) + eps))
        d_x = (
            (
                y * (torch.sqrt((sum_x_squared + eps) * (sum_y_squared + eps)))[:, None]
                - x * (root * (sum_y_squared + eps) * sum_x_y)[:, None]
            )
            * (d_c / ((sum_x_squared + eps) * (sum_y_squared + eps)))[:, None]
        )
    if need_y:
        # d_y[b, d] = (x[b, d] * sqrt((sum[i](x[b, i]**2) + eps) * (sum[i](y[b, i]**2) + eps)) - y[b, d]
        #     * (sum[i](x[b, i]**2) + eps) * sum[i](x[b, i] * y[b, i]) / sqrt((sum[i](x[b, i]**2) + eps)
        #     * (sum[i](y[b, i]**2) + eps))) * d_c[b] / ((sum[i](x[b, i]**2) + eps) * (sum[i](y[b,
        #     i]**2) + eps))
        d_y = (
            (
                x * (torch.sqrt((sum_x_squared + eps) * (sum_y_squared + eps)))[:, None]
                - y * (root * (sum_x_squared + eps) * sum_x_y)[:, None]
            )
            * (d_c / ((sum_x_squared + eps) * (sum_y_squared + eps)))[:, None]
        )

    return (d_x if need_x else None, d_y if need_y else None)


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
