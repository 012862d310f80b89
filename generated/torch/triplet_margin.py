"""The triplet margin loss: an anchor a is nearer to p than to n, by a margin.

Forward and backward pass for PyTorch of

    near[b] = sqrt(sum[d]((a[b, d] - p[b, d] + eps)**2))
    far[b] = sqrt(sum[d]((a[b, d] - n[b, d] + eps)**2))
    h[b] = margin + near[b] - far[b]
    L = mean[b](where(0 <= h[b], h[b], 0))

The backward pass was derived by symgrad from these equations. Every gradient below was proved
equal, for every size, to the derivative of the forward pass; the formula that each line
computes stands above it (d_x is the gradient of the final scalar with respect to x).

Generated from the layer triplet_margin and the template torch/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate triplet_margin --backend torch
"""

import math

import torch

# How many numbers of the largest tensor a thread computes at a time, so that they stay in its cache.
BLOCK = 131072

FREED = torch.empty(31 * 2**20, dtype=torch.uint8).numel()  # from here on glibc keeps freed memory for what comes next


def triplet_margin(a, p, n, *, margin=1, eps=1e-6):
    """Compute L; differentiable, to any order.

    Args:
        a[b..., d]: input.
        p[b..., d]: input.
        n[b..., d]: input.
        margin: a constant.
        eps: a constant.
    """
    _check_types(a=a, p=p, n=n)
    _check_dimensions("a[b..., d]", a, 1, more=True)
    *shape_b, n_d = a.shape
    _check_shape("p[b..., d]", p, (*shape_b, n_d))
    _check_shape("n[b..., d]", n, (*shape_b, n_d))
    function = TripletMarginCompiled if _is_compiled() else TripletMargin
    L, *_ = _apply(function, a, p, n, margin, eps)
    return L


class TripletMargin(torch.autograd.Function):
    """Computes L; see `triplet_margin`.

    The statistics near, far are outputs as well, so that derivatives of the
    backward pass reach the inputs through them; `backward` gets their cotangents.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(a, p, n, margin, eps):
        result = a.dtype
        dtype, _ = _dtypes(a, p, n)
        *shape_b, n_d = a.shape
        n_b = math.prod(shape_b)
        a = a.reshape(n_b, n_d)
        p = p.reshape(n_b, n_d)
        n = n.reshape(n_b, n_d)

        # a block of b after the other
        sum_a_minus_p_squared, sum_a_minus_n_squared = _in_blocks(
            _forward_block,
            (a, p, n, eps, dtype),
            cut=(0, 0, 0, None, None),
            join=(0, 0),
            in_place=_forward_in_place,
            like=(None, None),
            dtype=dtype,
        )
        # near[b] = sqrt(sum[d]((a[b, d] - p[b, d] + eps)**2))
        near = torch.sqrt(sum_a_minus_p_squared)
        # far[b] = sqrt(sum[d]((a[b, d] - n[b, d] + eps)**2))
        far = torch.sqrt(sum_a_minus_n_squared)
        # h[b] = margin + near[b] - far[b]
        h = margin + near - far
        # L = mean[b](where(0 <= h[b], h[b], 0))
        L = torch.where(0 <= h, h, 0).mean()

        return L.to(result), near, far

    @staticmethod
    def setup_context(ctx, inputs, output):
        a, p, n, margin, eps = inputs
        _, near, far = output
        ctx.save_for_backward(a, p, n, near, far)
        ctx.set_materialize_grads(False)
        ctx.dtypes = a.dtype, p.dtype, n.dtype
        ctx.margin = margin
        ctx.eps = eps

    @staticmethod
    def backward(ctx, d_L, d_near, d_far):
        a, p, n, near, far = ctx.saved_tensors
        margin = ctx.margin
        eps = ctx.eps
        needs = ctx.needs_input_grad[:3]
        dtype, wide = _compute_dtypes(a.device, *ctx.dtypes)
        d_a = d_p = d_n = None
        if d_L is not None:
            d_a, d_p, d_n = _gradients(d_L, a, p, n, margin, eps, near, far, dtype, wide, needs)
        if d_near is not None or d_far is not None:
            d_near, d_far = _or_zeros((d_near, d_far), (near, far))
            parts = _gradients_from_statistics(d_near, d_far, a, p, n, eps, dtype, needs)
            d_a, d_p, d_n = map(_plus, (d_a, d_p, d_n), parts)
        return _cast(d_a, ctx.dtypes[0]), _cast(d_p, ctx.dtypes[1]), _cast(d_n, ctx.dtypes[2]), None, None


class TripletMarginCompiled(torch.autograd.Function):
    """The same as `TripletMargin` for `torch.compile`: differentiable once."""

    @staticmethod
    def forward(a, p, n, margin, eps):
        return TripletMargin.forward(a, p, n, margin, eps)

    @staticmethod
    def setup_context(ctx, inputs, output):
        a, p, n, margin, eps = inputs
        _, near, far = output
        ctx.save_for_backward(a, p, n, near, far)
        ctx.set_materialize_grads(False)
        ctx.dtypes = a.dtype, p.dtype, n.dtype
        ctx.margin = margin
        ctx.eps = eps
        ctx.mark_non_differentiable(near, far)

    @staticmethod
    def backward(ctx, d_L, *_):
        a, p, n, near, far = ctx.saved_tensors
        margin = ctx.margin
        eps = ctx.eps
        needs = ctx.needs_input_grad[:3]
        dtype, wide = _compute_dtypes(a.device, *ctx.dtypes)
        d_a = d_p = d_n = None
        if d_L is not None:
            d_a, d_p, d_n = _gradients(d_L, a, p, n, margin, eps, near, far, dtype, wide, needs)
        return _cast(d_a, ctx.dtypes[0]), _cast(d_p, ctx.dtypes[1]), _cast(d_n, ctx.dtypes[2]), None, None


def _forward_block(a, p, n, eps, dtype):
    """Compute sum_a_minus_p_squared, sum_a_minus_n_squared of a block of b."""
    a = a.to(dtype)
    p = p.to(dtype)
    n = n.to(dtype)

    # sum_a_minus_p_squared[b] = sum[d]((a[b, d] - p[b, d] + eps)**2)
    sum_a_minus_p_squared = torch.square(a - p + eps).sum(1)
    # sum_a_minus_n_squared[b] = sum[d]((a[b, d] - n[b, d] + eps)**2)
    sum_a_minus_n_squared = torch.square(a - n + eps).sum(1)

    return (sum_a_minus_p_squared, sum_a_minus_n_squared)


def _forward_in_place(a, p, n, eps, dtype, buffers):
    """The same as `_forward_block`, into buffers and tensors that are there."""
    a = a.to(dtype)
    p = p.to(dtype)
    n = n.to(dtype)
    (buffer_1,) = _buffers(buffers, 1, a)

    # sum_a_minus_p_squared[b] = sum[d]((a[b, d] - p[b, d] + eps)**2)
    a_minus_p = torch.sub(a, p, out=buffer_1)
    a_minus_p += eps
    a_minus_p_squared = torch.square(a_minus_p, out=a_minus_p)
    sum_a_minus_p_squared = a_minus_p_squared.sum(1)
    # sum_a_minus_n_squared[b] = sum[d]((a[b, d] - n[b, d] + eps)**2)
    a_minus_n = torch.sub(a, n, out=a_minus_p_squared)
    a_minus_n += eps
    a_minus_n_squared = torch.square(a_minus_n, out=a_minus_n)
    sum_a_minus_n_squared = a_minus_n_squared.sum(1)

    return sum_a_minus_p_squared, sum_a_minus_n_squared


def _gradients(d_L, a, p, n, margin, eps, near, far, dtype, wide, needs):
    """The gradients of the inputs from d_L."""
    need_a, need_p, need_n = needs
    *shape_b, n_d = a.shape
    n_b = math.prod(shape_b)
    a = a.reshape(n_b, n_d)
    p = p.reshape(n_b, n_d)
    n = n.reshape(n_b, n_d)
    d_L = d_L.to(wide)

    # h[b] = margin + near[b] - far[b]
    h = margin + near - far
    # d_h[b] = d_L * mean[i](where(0 <= h[i], where(i == b, 1, 0), 0))
    d_h = torch.where(0 <= h, d_L / n_b, 0)
    # d_near[b] = d_h[b]
    d_near = d_h
    # d_far[b] = -d_h[b]
    d_far = -d_h
    # a block of b after the other
    d_a, d_p, d_n = _in_blocks(
        _gradients_block,
        (a, p, n, eps, d_near, d_far, dtype, needs),
        cut=(0, 0, 0, None, 0, 0, None, None),
        join=(0, 0, 0),
        in_place=_gradients_in_place if all(needs) else None,
        like=(a, a, a),
        dtype=dtype,
    )

    return (
        d_a.reshape(*shape_b, n_d) if need_a else None,
        d_p.reshape(*shape_b, n_d) if need_p else None,
        d_n.reshape(*shape_b, n_d) if need_n else None,
    )


def _gradients_block(a, p, n, eps, d_near, d_far, dtype, needs):
    """Compute d_a, d_p, d_n of a block of b."""
    need_a, need_p, need_n = needs
    a = a.to(dtype)
    p = p.to(dtype)
    n = n.to(dtype)

    if need_a or need_p:
        # a_minus_p[b, d] = a[b, d] - p[b, d] + eps
        a_minus_p = a - p + eps
        # sum_a_minus_p_squared[b] = sum[d]((a[b, d] - p[b, d] + eps)**2)
        sum_a_minus_p_squared = torch.square(a_minus_p).sum(1)
        # root[b] = 1 / sqrt(sum[d]((a[b, d] - p[b, d] + eps)**2))
        root = 1 / torch.sqrt(sum_a_minus_p_squared)
    if need_a or need_n:
        # a_minus_n[b, d] = a[b, d] - n[b, d] + eps
        a_minus_n = a - n + eps
        # sum_a_minus_n_squared[b] = sum[d]((a[b, d] - n[b, d] + eps)**2)
        sum_a_minus_n_squared = torch.square(a_minus_n).sum(1)
        # root_2[b] = 1 / sqrt(sum[d]((a[b, d] - n[b, d] + eps)**2))
        root_2 = 1 / torch.sqrt(sum_a_minus_n_squared)
        # d_far_a_minus_n[b, d] = d_far[b] * a_minus_n[b, d]
        d_far_a_minus_n = a_minus_n * d_far.to(dtype)[:, None]
    if need_a or need_p:
        # d_near_a_minus_p[b, d] = d_near[b] * a_minus_p[b, d]
        d_near_a_minus_p = a_minus_p * d_near.to(dtype)[:, None]
        # root_d_near_a_minus_p[b, d] = root[b] * d_near_a_minus_p[b, d]
        root_d_near_a_minus_p = d_near_a_minus_p * root[:, None]
    if need_a or need_n:
        # root_2_d_far_a_minus_n[b, d] = root_2[b] * d_far_a_minus_n[b, d]
        root_2_d_far_a_minus_n = d_far_a_minus_n * root_2[:, None]
    if need_a:
        # d_a[b, d] = (a[b, d] - p[b, d] + eps) * d_near[b] / sqrt(sum[i]((a[b, i] - p[b, i] + eps)**2))
        #     + (a[b, d] - n[b, d] + eps) * d_far[b] / sqrt(sum[i]((a[b, i] - n[b, i] + eps)**2))
        d_a = root_d_near_a_minus_p + root_2_d_far_a_minus_n
    if need_p:
        # d_p[b, d] = -(a[b, d] - p[b, d] + eps) * d_near[b] / sqrt(sum[i]((a[b, i] - p[b, i] + eps)**2))
        d_p = -root_d_near_a_minus_p
    if need_n:
        # d_n[b, d] = -(a[b, d] - n[b, d] + eps) * d_far[b] / sqrt(sum[i]((a[b, i] - n[b, i] + eps)**2))
        d_n = -root_2_d_far_a_minus_n

    return (d_a if need_a else None, d_p if need_p else None, d_n if need_n else None)


def _gradients_in_place(a, p, n, eps, d_near, d_far, dtype, needs, buffers, d_a, d_p, d_n):
    """The same as `_gradients_block`, into buffers and tensors that are there."""
    a = a.to(dtype)
    p = p.to(dtype)
    n = n.to(dtype)
    (buffer_1,) = _buffers(buffers, 1, a)

    # a_minus_p[b, d] = a[b, d] - p[b, d] + eps
    a_minus_p = torch.sub(a, p, out=d_p)
    a_minus_p += eps
    # sum_a_minus_p_squared[b] = sum[d]((a[b, d] - p[b, d] + eps)**2)
    a_minus_p_squared = torch.square(a_minus_p, out=buffer_1)
    sum_a_minus_p_squared = a_minus_p_squared.sum(1)
    # root[b] = 1 / sqrt(sum[d]((a[b, d] - p[b, d] + eps)**2))
    root = 1 / torch.sqrt(sum_a_minus_p_squared)
    # a_minus_n[b, d] = a[b, d] - n[b, d] + eps
    a_minus_n = torch.sub(a, n, out=d_n)
    a_minus_n += eps
    # sum_a_minus_n_squared[b] = sum[d]((a[b, d] - n[b, d] + eps)**2)
    a_minus_n_squared = torch.square(a_minus_n, out=a_minus_p_squared)
    sum_a_minus_n_squared = a_minus_n_squared.sum(1)
    # root_2[b] = 1 / sqrt(sum[d]((a[b, d] - n[b, d] + eps)**2))
    root_2 = 1 / torch.sqrt(sum_a_minus_n_squared)
    # d_far_a_minus_n[b, d] = d_far[b] * a_minus_n[b, d]
    d_far_a_minus_n = torch.mul(a_minus_n, d_far.to(dtype)[:, None], out=a_minus_n)
    # d_near_a_minus_p[b, d] = d_near[b] * a_minus_p[b, d]
    d_near_a_minus_p = torch.mul(a_minus_p, d_near.to(dtype)[:, None], out=a_minus_p)
    # root_d_near_a_minus_p[b, d] = root[b] * d_near_a_minus_p[b, d]
    root_d_near_a_minus_p = torch.mul(d_near_a_minus_p, root[:, None], out=d_near_a_minus_p)
    # root_2_d_far_a_minus_n[b, d] = root_2[b] * d_far_a_minus_n[b, d]
    root_2_d_far_a_minus_n = torch.mul(d_far_a_minus_n, root_2[:, None], out=d_far_a_minus_n)
    # d_a[b, d] = (a[b, d] - p[b, d] + eps) * d_near[b] / sqrt(sum[i]((a[b, i] - p[b, i] + eps)**2))
    #     + (a[b, d] - n[b, d] + eps) * d_far[b] / sqrt(sum[i]((a[b, i] - n[b, i] + eps)**2))
    d_a = torch.add(root_d_near_a_minus_p, root_2_d_far_a_minus_n, out=d_a)
    # d_p[b, d] = -(a[b, d] - p[b, d] + eps) * d_near[b] / sqrt(sum[i]((a[b, i] - p[b, i] + eps)**2))
    d_p = torch.neg(root_d_near_a_minus_p, out=root_d_near_a_minus_p)
    # d_n[b, d] = -(a[b, d] - n[b, d] + eps) * d_far[b] / sqrt(sum[i]((a[b, i] - n[b, i] + eps)**2))
    d_n = torch.neg(root_2_d_far_a_minus_n, out=root_2_d_far_a_minus_n)

    return d_a, d_p, d_n


def _gradients_from_statistics(d_near, d_far, a, p, n, eps, dtype, needs):
    """The gradients of the inputs from d_near, d_far, which only derivatives of `backward` bring in."""
    need_a, need_p, need_n = needs
    *shape_b, n_d = a.shape
    n_b = math.prod(shape_b)
    a = a.to(dtype).reshape(n_b, n_d)
    p = p.to(dtype).reshape(n_b, n_d)
    n = n.to(dtype).reshape(n_b, n_d)

    if need_a or need_p:
        # a_minus_p[b, d] = a[b, d] - p[b, d] + eps
        a_minus_p = a - p + eps
        # sum_a_minus_p_squared[b] = sum[d]((a[b, d] - p[b, d] + eps)**2)
        sum_a_minus_p_squared = torch.square(a_minus_p).sum(1)
        # root[b] = 1 / sqrt(sum[d]((a[b, d] - p[b, d] + eps)**2))
        root = 1 / torch.sqrt(sum_a_minus_p_squared)
    if need_a or need_n:
        # a_minus_n[b, d] = a[b, d] - n[b, d] + eps
        a_minus_n = a - n + eps
        # sum_a_minus_n_squared[b] = sum[d]((a[b, d] - n[b, d] + eps)**2)
        sum_a_minus_n_squared = torch.square(a_minus_n).sum(1)
        # root_2[b] = 1 / sqrt(sum[d]((a[b, d] - n[b, d] + eps)**2))
        root_2 = 1 / torch.sqrt(sum_a_minus_n_squared)
    if need_a:
        # d_a[b, d] = (a[b, d] - p[b, d] + eps) * d_near[b] / sqrt(sum[i]((a[b, i] - p[b, i] + eps)**2))
        #     + (a[b, d] - n[b, d] + eps) * d_far[b] / sqrt(sum[i]((a[b, i] - n[b, i] + eps)**2))
        d_a = a_minus_p * (root * d_near)[:, None] + a_minus_n * (root_2 * d_far)[:, None]
    if need_p:
        # d_p[b, d] = -(a[b, d] - p[b, d] + eps) * d_near[b] / sqrt(sum[i]((a[b, i] - p[b, i] + eps)**2))
        d_p = a_minus_p * (-root * d_near)[:, None]
    if need_n:
        # d_n[b, d] = -(a[b, d] - n[b, d] + eps) * d_far[b] / sqrt(sum[i]((a[b, i] - n[b, i] + eps)**2))
        d_n = a_minus_n * (-root_2 * d_far)[:, None]

    return (
        d_a.reshape(*shape_b, n_d) if need_a else None,
        d_p.reshape(*shape_b, n_d) if need_p else None,
        d_n.reshape(*shape_b, n_d) if need_n else None,
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


def _or_zeros(cotangents, tensors):
    """The cotangents of these tensors, with zeros for those that are None."""
    return [torch.zeros_like(t) if given is None else given for given, t in zip(cotangents, tensors)]


def _plus(total, part):
    """total + part, where both may be None."""
    if total is None or part is None:
        return part if total is None else total
    return total + part
