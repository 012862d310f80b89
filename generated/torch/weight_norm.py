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

# How many numbers of the largest tensor a thread computes at a time, so that they stay in its cache.
BLOCK = 131072

FREED = torch.empty(31 * 2**20, dtype=torch.uint8).numel()  # from here on glibc keeps freed memory for what comes next


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
    function = WeightNormCompiled if _is_compiled() else WeightNorm
    w, *_ = _apply(function, v, g)
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
        dtype, _ = _dtypes(v, g)
        n_o, *shape_i = v.shape
        n_i = math.prod(shape_i)
        v = v.reshape(n_o, n_i)
        g = g.to(dtype)

        # a block of o after the other
        r, w = _in_blocks(
            _forward_block,
            (v, g, dtype),
            cut=(0, 0, None),
            join=(0, 0),
            in_place=_forward_in_place,
            like=(None, v),
            dtype=dtype,
        )

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
        dtype, _ = _compute_dtypes(v.device, *ctx.dtypes)
        d_v = d_g = None
        if d_w is not None:
            d_v, d_g = _gradients(d_w, v, g, r, dtype, needs)
        if d_r is not None and ctx.needs_input_grad[0]:
            d_v = _plus(d_v, _gradients_from_statistics(d_r, v, dtype))
        return _cast(d_v, ctx.dtypes[0]), _cast(d_g, ctx.dtypes[1])


class WeightNormCompiled(torch.autograd.Function):
    """The same as `WeightNorm` for `torch.compile`: differentiable once."""

    @staticmethod
    def forward(v, g):
        return WeightNorm.forward(v, g)

    @staticmethod
    def setup_context(ctx, inputs, output):
        v, g = inputs
        _, r = output
        ctx.save_for_backward(v, g, r)
        ctx.set_materialize_grads(False)
        ctx.dtypes = v.dtype, g.dtype
        ctx.mark_non_differentiable(r)

    @staticmethod
    def backward(ctx, d_w, *_):
        v, g, r = ctx.saved_tensors
        needs = ctx.needs_input_grad[:2]
        dtype, _ = _compute_dtypes(v.device, *ctx.dtypes)
        d_v = d_g = None
        if d_w is not None:
            d_v, d_g = _gradients(d_w, v, g, r, dtype, needs)
        return _cast(d_v, ctx.dtypes[0]), _cast(d_g, ctx.dtypes[1])


def _forward_block(v, g, dtype):
    """Compute r, w of a block of o."""
    v = v.to(dtype)

    # sum_v_squared[o] = sum[i](v[o, i]**2)
    sum_v_squared = torch.square(v).sum(1)
    # r[o] = sqrt(sum[i](v[o, i]**2))
    r = torch.sqrt(sum_v_squared)
    # w[o, i] = g[o] * v[o, i] / r[o]
    w = v * (g / r)[:, None]

    return (r, w)


def _forward_in_place(v, g, dtype, buffers, w):
    """The same as `_forward_block`, into buffers and tensors that are there."""
    v = v.to(dtype)
    (buffer_1,) = _buffers(buffers, 1, v)

    # sum_v_squared[o] = sum[i](v[o, i]**2)
    v_squared = torch.square(v, out=buffer_1)
    sum_v_squared = v_squared.sum(1)
    # r[o] = sqrt(sum[i](v[o, i]**2))
    r = torch.sqrt(sum_v_squared)
    # w[o, i] = g[o] * v[o, i] / r[o]
    w = torch.mul(v, (g / r)[:, None], out=w)

    return r, w


def _gradients(d_w, v, g, r, dtype, needs):
    """The gradients of the inputs from d_w[o, i...]."""
    need_v, need_g = needs
    n_o, *shape_i = v.shape
    n_i = math.prod(shape_i)
    v = v.reshape(n_o, n_i)
    g = g.to(dtype)
    d_w = d_w.reshape(n_o, n_i)

    # a block of o after the other
    sum_v_d_w, d_v = _in_blocks(
        _gradients_block,
        (v, g, r, d_w, dtype, needs),
        cut=(0, 0, 0, 0, None, None),
        join=(0, 0),
        in_place=_gradients_in_place if all(needs) else None,
        like=(None, v),
        dtype=dtype,
    )
    if need_g:
        # d_g[o] = sum[i](v[o, i] * d_w[o, i]) / r[o]
        d_g = sum_v_d_w / r

    return (d_v.reshape(n_o, *shape_i) if need_v else None, d_g if need_g else None)


def _gradients_block(v, g, r, d_w, dtype, needs):
    """Compute sum_v_d_w, d_v of a block of o."""
    need_v, need_g = needs
    v = v.to(dtype)
    d_w = d_w.to(dtype)

    # sum_v_d_w[o] = sum[i](v[o, i] * d_w[o, i])
    sum_v_d_w = (v * d_w).sum(1)
    if need_v:
        # sum_v_squared[o] = sum[i](v[o, i]**2)
        sum_v_squared = torch.square(v).sum(1)
        # d_r[o] = -g[o] * sum[i](v[o, i] * d_w[o, i]) / r[o]**2
        d_r = -g * sum_v_d_w / r**2
        # d_v[o, i] = g[o] * d_w[o, i] / r[o] + v[o, i] * d_r[o] / sqrt(sum[k](v[o, k]**2))
        d_v = d_w * (g / r)[:, None] + v * (d_r / torch.sqrt(sum_v_squared))[:, None]

    return (sum_v_d_w, d_v if need_v else None)


def _gradients_in_place(v, g, r, d_w, dtype, needs, buffers, d_v):
    """The same as `_gradients_block`, into buffers and tensors that are there."""
    v = v.to(dtype)
    d_w = d_w.to(dtype)
    (buffer_1,) = _buffers(buffers, 1, v)

    # sum_v_d_w[o] = sum[i](v[o, i] * d_w[o, i])
    v_d_w = torch.mul(v, d_w, out=buffer_1)
    sum_v_d_w = v_d_w.sum(1)
    # sum_v_squared[o] = sum[i](v[o, i]**2)
    v_squared = torch.square(v, out=v_d_w)
    sum_v_squared = v_squared.sum(1)
    # d_r[o] = -g[o] * sum[i](v[o, i] * d_w[o, i]) / r[o]**2
    d_r = -g * sum_v_d_w / r**2
    # d_v[o, i] = g[o] * d_w[o, i] / r[o] + v[o, i] * d_r[o] / sqrt(sum[k](v[o, k]**2))
    d_v = torch.mul(d_w, (g / r)[:, None], out=d_v)
    work = torch.mul(v, (d_r / torch.sqrt(sum_v_squared))[:, None], out=v_squared)
    d_v += work

    return sum_v_d_w, d_v


def _gradients_from_statistics(d_r, v, dtype):
    """The gradients of the inputs from d_r, which only derivatives of `backward` bring in."""
    n_o, *shape_i = v.shape
    n_i = math.prod(shape_i)
    v = v.to(dtype).reshape(n_o, n_i)

    # sum_v_squared[o] = sum[i](v[o, i]**2)
    sum_v_squared = torch.square(v).sum(1)
    # d_v[o, i] = v[o, i] * d_r[o] / sqrt(sum[k](v[o, k]**2))
    d_v = v * (d_r / torch.sqrt(sum_v_squared))[:, None]

    return d_v.reshape(n_o, *shape_i)


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
