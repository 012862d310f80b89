"""Batch normalization in evaluation: by the running mean and variance, which get no gradient.

Forward and backward pass for PyTorch of

    y[s, c, k] = w[c] * (x[s, c, k] - mu[c]) / sqrt(var[c] + eps) + beta[c]

The backward pass was derived by symgrad from these equations. Every gradient below was proved
equal, for every size, to the derivative of the forward pass; the formula that each line
computes stands above it (d_x is the gradient of the final scalar with respect to x).

Generated from the layer batch_norm_eval and the template torch/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate batch_norm_eval --backend torch
"""

import math

import torch

# How many numbers of the largest tensor a thread computes at a time, so that they stay in its cache.
BLOCK = 131072

FREED = torch.empty(31 * 2**20, dtype=torch.uint8).numel()  # from here on glibc keeps freed memory for what comes next


def batch_norm_eval(x, w, beta, mu, var, *, eps=1e-5):
    """Compute y[s, c, k...]; differentiable, to any order.

    Args:
        x[s, c, k...]: input.
        w[c]: parameter.
        beta[c]: parameter.
        mu[c]: target, gets no gradient.
        var[c]: target, gets no gradient.
        eps: a constant.
    """
    _check_types(x=x, w=w, beta=beta, mu=mu, var=var)
    _check_dimensions("x[s, c, k...]", x, 2, more=True)
    n_s, n_c, *shape_k = x.shape
    _check_shape("w[c]", w, (n_c,))
    _check_shape("beta[c]", beta, (n_c,))
    _check_shape("mu[c]", mu, (n_c,))
    _check_shape("var[c]", var, (n_c,))
    return _apply(BatchNormEval, x, w, beta, mu, var, eps)


class BatchNormEval(torch.autograd.Function):
    """Computes y[s, c, k...]; see `batch_norm_eval`."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x, w, beta, mu, var, eps):
        result = x.dtype
        dtype, _ = _dtypes(x, w, beta, mu, var)
        n_s, n_c, *shape_k = x.shape
        n_k = math.prod(shape_k)
        x = x.reshape(n_s, n_c, n_k)
        w = w.to(dtype)
        beta = beta.to(dtype)
        mu = mu.to(dtype)
        var = var.to(dtype)

        # a block of s after the other
        (y,) = _in_blocks(
            _forward_block,
            (x, w, beta, mu, var, eps, dtype),
            cut=(0, None, None, None, None, None, None),
            join=(0,),
            in_place=_forward_in_place,
            like=(x,),
            dtype=dtype,
        )

        return y.reshape(n_s, n_c, *shape_k).to(result)

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, w, beta, mu, var, eps = inputs
        ctx.save_for_backward(x, w, mu, var)
        ctx.set_materialize_grads(False)
        ctx.dtypes = x.dtype, w.dtype, beta.dtype, mu.dtype, var.dtype
        ctx.eps = eps

    @staticmethod
    def backward(ctx, d_y):
        x, w, mu, var = ctx.saved_tensors
        eps = ctx.eps
        needs = ctx.needs_input_grad[:3]
        dtype, _ = _compute_dtypes(x.device, *ctx.dtypes)
        d_x = d_w = d_beta = None
        if d_y is not None:
            d_x, d_w, d_beta = _gradients(d_y, x, w, mu, var, eps, dtype, needs)
        return _cast(d_x, ctx.dtypes[0]), _cast(d_w, ctx.dtypes[1]), _cast(d_beta, ctx.dtypes[2]), None, None, None


def _forward_block(x, w, beta, mu, var, eps, dtype):
    """Compute y of a block of s."""
    x = x.to(dtype)

    # y[s, c, k] = w[c] * (x[s, c, k] - mu[c]) / sqrt(var[c] + eps) + beta[c]
    y = (x - mu[:, None]) * (w / torch.sqrt(var + eps))[:, None] + beta[:, None]

    return (y,)


def _forward_in_place(x, w, beta, mu, var, eps, dtype, buffers, y):
    """The same as `_forward_block`, into buffers and tensors that are there."""
    x = x.to(dtype)

    # y[s, c, k] = w[c] * (x[s, c, k] - mu[c]) / sqrt(var[c] + eps) + beta[c]
    y = torch.sub(x, mu[:, None], out=y)
    y *= (w / torch.sqrt(var + eps))[:, None]
    y += beta[:, None]

    return y,


def _gradients(d_y, x, w, mu, var, eps, dtype, needs):
    """The gradients of the inputs from d_y[s, c, k...]."""
    need_x, need_w, need_beta = needs
    n_s, n_c, *shape_k = x.shape
    n_k = math.prod(shape_k)
    x = x.reshape(n_s, n_c, n_k)
    w = w.to(dtype)
    mu = mu.to(dtype)
    var = var.to(dtype)
    d_y = d_y.reshape(n_s, n_c, n_k)

    # rsqrt_var[c] = 1 / sqrt(var[c] + eps)
    rsqrt_var = 1 / torch.sqrt(var + eps)
    # a block of s after the other
    sum_x_minus_mu_d_y, d_beta, d_x = _in_blocks(
        _gradients_block,
        (x, w, mu, d_y, rsqrt_var, dtype, needs),
        cut=(0, None, None, 0, None, None, None),
        join=(None, None, 0),
        in_place=_gradients_in_place if all(needs) else None,
        like=(None, None, x),
        dtype=dtype,
    )
    if need_w:
        # d_w[c] = sum[s, k]((x[s, c, k] - mu[c]) * d_y[s, c, k]) / sqrt(var[c] + eps)
        d_w = rsqrt_var * sum_x_minus_mu_d_y

    return (
        d_x.reshape(n_s, n_c, *shape_k) if need_x else None,
        d_w if need_w else None,
        d_beta if need_beta else None,
    )


def _gradients_block(x, w, mu, d_y, rsqrt_var, dtype, needs):
    """Compute sum_x_minus_mu_d_y, d_beta, d_x of a block of s."""
    need_x, need_w, need_beta = needs
    x = x.to(dtype)
    d_y = d_y.to(dtype)

    if need_w:
        # sum_x_minus_mu_d_y[c] = sum[s, k]((x[s, c, k] - mu[c]) * d_y[s, c, k]), of this block
        sum_x_minus_mu_d_y = ((x - mu[:, None]) * d_y).sum((0, 2))
    if need_beta:
        # d_beta[c] = sum[s, k](d_y[s, c, k]), of this block
        d_beta = d_y.sum((0, 2))
    if need_x:
        # d_x[s, c, k] = w[c] * d_y[s, c, k] / sqrt(var[c] + eps)
        d_x = d_y * (w * rsqrt_var)[:, None]

    return (
        sum_x_minus_mu_d_y if need_w else None,
        d_beta if need_beta else None,
        d_x if need_x else None,
    )


def _gradients_in_place(x, w, mu, d_y, rsqrt_var, dtype, needs, buffers, d_x):
    """The same as `_gradients_block`, into buffers and tensors that are there."""
    x = x.to(dtype)
    d_y = d_y.to(dtype)
    (buffer_1,) = _buffers(buffers, 1, x)

    # sum_x_minus_mu_d_y[c] = sum[s, k]((x[s, c, k] - mu[c]) * d_y[s, c, k]), of this block
    x_minus_mu_d_y = torch.sub(x, mu[:, None], out=buffer_1)
    x_minus_mu_d_y *= d_y
    sum_x_minus_mu_d_y = x_minus_mu_d_y.sum((0, 2))
    # d_beta[c] = sum[s, k](d_y[s, c, k]), of this block
    d_beta = d_y.sum((0, 2))
    # d_x[s, c, k] = w[c] * d_y[s, c, k] / sqrt(var[c] + eps)
    d_x = torch.mul(d_y, (w * rsqrt_var)[:, None], out=d_x)

    return sum_x_minus_mu_d_y, d_beta, d_x


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
