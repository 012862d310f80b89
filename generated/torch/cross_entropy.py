"""Cross entropy of a softmax against target probabilities, which need not sum to one.

Forward and backward pass for PyTorch of

    z[b, k] = log(sum[v](exp(x[b, v, k])))
    L = -sum[b, k, v](q[b, v, k] * (x[b, v, k] - z[b, k])) / (size[b] * size[k])

The backward pass was derived by symgrad from these equations. Every gradient below was proved
equal, for every size, to the derivative of the forward pass; the formula that each line
computes stands above it (d_x is the gradient of the final scalar with respect to x).

Generated from the layer cross_entropy and the template torch/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate cross_entropy --backend torch
"""

import math

import torch

# How many numbers of the largest tensor a thread computes at a time, so that they stay in its cache.
BLOCK = 131072

FREED = torch.empty(31 * 2**20, dtype=torch.uint8).numel()  # from here on glibc keeps freed memory for what comes next


def cross_entropy(x, q):
    """Compute L; differentiable, to any order.

    Args:
        x[b, v, k...]: input.
        q[b, v, k...]: target, gets no gradient.
    """
    _check_types(x=x, q=q)
    _check_dimensions("x[b, v, k...]", x, 2, more=True)
    n_b, n_v, *shape_k = x.shape
    _check_shape("q[b, v, k...]", q, (n_b, n_v, *shape_k))
    function = CrossEntropyCompiled if _is_compiled() else CrossEntropy
    L, *_ = _apply(function, x, q)
    return L


class CrossEntropy(torch.autograd.Function):
    """Computes L; see `cross_entropy`.

    The statistics z are outputs as well, so that derivatives of the
    backward pass reach the inputs through them; `backward` gets their cotangents.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(x, q):
        result = x.dtype
        dtype, wide = _dtypes(x, q)
        n_b, n_v, *shape_k = x.shape
        n_k = math.prod(shape_k)
        x = x.reshape(n_b, n_v, n_k)
        q = q.reshape(n_b, n_v, n_k)

        # a block of b after the other
        z, L = _in_blocks(
            _forward_block,
            (x, q, dtype, wide),
            cut=(0, 0, None, None),
            join=(0, None),
            in_place=_forward_in_place,
            like=(None, None),
            dtype=dtype,
        )
        # L = -sum[b, k, v](q[b, v, k] * (x[b, v, k] - z[b, k])) / (size[b] * size[k])
        L = -L / (n_b * n_k)

        return L.to(result), z

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, q = inputs
        _, z = output
        ctx.save_for_backward(x, q, z)
        ctx.set_materialize_grads(False)
        ctx.dtypes = x.dtype, q.dtype

    @staticmethod
    def backward(ctx, d_L, d_z):
        x, q, z = ctx.saved_tensors
        dtype, wide = _compute_dtypes(x.device, *ctx.dtypes)
        d_x = None
        if d_L is not None:
            d_x = _gradients(d_L, x, q, z, dtype, wide)
        if d_z is not None and ctx.needs_input_grad[0]:
            d_x = _plus(d_x, _gradients_from_statistics(d_z, x, z, dtype))
        return _cast(d_x, ctx.dtypes[0]), None


class CrossEntropyCompiled(torch.autograd.Function):
    """The same as `CrossEntropy` for `torch.compile`: differentiable once."""

    @staticmethod
    def forward(x, q):
        return CrossEntropy.forward(x, q)

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, q = inputs
        _, z = output
        ctx.save_for_backward(x, q, z)
        ctx.set_materialize_grads(False)
        ctx.dtypes = x.dtype, q.dtype
        ctx.mark_non_differentiable(z)

    @staticmethod
    def backward(ctx, d_L, *_):
        x, q, z = ctx.saved_tensors
        dtype, wide = _compute_dtypes(x.device, *ctx.dtypes)
        d_x = None
        if d_L is not None:
            d_x = _gradients(d_L, x, q, z, dtype, wide)
        return _cast(d_x, ctx.dtypes[0]), None


def _forward_block(x, q, dtype, wide):
    """Compute z, L of a block of b."""
    x = x.to(dtype)
    q = q.to(dtype)

    # max_x[b, k] = max[v](x[b, v, k])
    max_x = x.amax(1)
    # sum_exp_x[b, k] = sum[v](exp(x[b, v, k] - max_x[b, k]))
    sum_exp_x = torch.exp(x - max_x[:, None, :]).sum(1).to(wide)
    # z[b, k] = log(sum[v](exp(x[b, v, k])))
    z = max_x + torch.log(sum_exp_x)
    # L = -sum[b, k, v](q[b, v, k] * (x[b, v, k] - z[b, k])) / (size[b] * size[k]), of this block
    L = (q * _centre(x, z[:, None, :])).sum()

    return (z, L)


def _forward_in_place(x, q, dtype, wide, buffers):
    """The same as `_forward_block`, into buffers and tensors that are there."""
    x = x.to(dtype)
    q = q.to(dtype)
    (buffer_1,) = _buffers(buffers, 1, x)

    # max_x[b, k] = max[v](x[b, v, k])
    max_x = x.amax(1)
    # sum_exp_x[b, k] = sum[v](exp(x[b, v, k] - max_x[b, k]))
    x_minus_max_x = torch.sub(x, max_x[:, None, :], out=buffer_1)
    exp_x_minus_max_x = torch.exp(x_minus_max_x, out=x_minus_max_x)
    sum_exp_x = exp_x_minus_max_x.sum(1).to(wide)
    # z[b, k] = log(sum[v](exp(x[b, v, k])))
    z = max_x + torch.log(sum_exp_x)
    # L = -sum[b, k, v](q[b, v, k] * (x[b, v, k] - z[b, k])) / (size[b] * size[k]), of this block
    q_x_minus_z = _centre(x, z[:, None, :], out=exp_x_minus_max_x)
    q_x_minus_z *= q
    L = q_x_minus_z.sum()

    return z, L


def _gradients(d_L, x, q, z, dtype, wide):
    """The gradients of the inputs from d_L."""
    n_b, n_v, *shape_k = x.shape
    n_k = math.prod(shape_k)
    x = x.reshape(n_b, n_v, n_k)
    q = q.reshape(n_b, n_v, n_k)
    d_L = d_L.to(wide)

    # a block of b after the other
    (d_x,) = _in_blocks(
        _gradients_block,
        (x, q, z, d_L, n_b, dtype, wide),
        cut=(0, 0, 0, None, None, None, None),
        join=(0,),
        in_place=_gradients_in_place,
        like=(x,),
        dtype=dtype,
    )

    return d_x.reshape(n_b, n_v, *shape_k)


def _gradients_block(x, q, z, d_L, all_b, dtype, wide):
    """Compute d_x of a block of b; all_b is the whole length."""
    n_k = x.shape[2]
    x = x.to(dtype)
    q = q.to(dtype)

    # sum_q[b, k] = sum[v](q[b, v, k])
    sum_q = q.sum(1, dtype=wide)
    # d_z[b, k] = d_L * sum[v](q[b, v, k]) / (size[b] * size[k])
    d_z = d_L * sum_q / (all_b * n_k)
    # d_x[b, v, k] = -q[b, v, k] * d_L / (size[b] * size[k]) + exp(x[b, v, k] - z[b, k]) * d_z[b, k]
    d_x = (
        -q * (d_L / (all_b * n_k)).to(dtype)
        + torch.exp(_centre(x, z[:, None, :])) * d_z.to(dtype)[:, None, :]
    )

    return (d_x,)


def _gradients_in_place(x, q, z, d_L, all_b, dtype, wide, buffers, d_x):
    """The same as `_gradients_block`, into buffers and tensors that are there."""
    n_k = x.shape[2]
    x = x.to(dtype)
    q = q.to(dtype)
    (buffer_1,) = _buffers(buffers, 1, x)

    # sum_q[b, k] = sum[v](q[b, v, k])
    sum_q = q.sum(1, dtype=wide)
    # d_z[b, k] = d_L * sum[v](q[b, v, k]) / (size[b] * size[k])
    d_z = d_L * sum_q / (all_b * n_k)
    # d_x[b, v, k] = -q[b, v, k] * d_L / (size[b] * size[k]) + exp(x[b, v, k] - z[b, k]) * d_z[b, k]
    d_x = torch.mul(q, (-d_L / (all_b * n_k)).to(dtype), out=d_x)
    x_minus_z = _centre(x, z[:, None, :], out=buffer_1)
    exp_x_minus_z_d_z = torch.exp(x_minus_z, out=x_minus_z)
    exp_x_minus_z_d_z *= d_z.to(dtype)[:, None, :]
    d_x += exp_x_minus_z_d_z

    return d_x,


def _gradients_from_statistics(d_z, x, z, dtype):
    """The gradients of the inputs from d_z, which only derivatives of `backward` bring in."""
    n_b, n_v, *shape_k = x.shape
    n_k = math.prod(shape_k)
    x = x.to(dtype).reshape(n_b, n_v, n_k)

    # d_x[b, v, k] = exp(x[b, v, k]) * d_z[b, k] / sum[i](exp(x[b, i, k]))
    d_x = torch.exp(_centre(x, z[:, None, :])) * d_z.to(dtype)[:, None, :]

    return d_x.reshape(n_b, n_v, *shape_k)


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


def _centre(tensor, mean, out=None):
    """tensor - mean; a wider mean is split in two, so that nothing of it is lost."""
    if mean.dtype == tensor.dtype:
        return torch.sub(tensor, mean, out=out)
    high = mean.to(tensor.dtype)
    near, rest = torch.sub(tensor, high, out=out), (mean - high).to(tensor.dtype)
    return near - rest if out is None else near.sub_(rest)
