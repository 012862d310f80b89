"""Instance normalization: each channel of each sample over its positions.

Forward and backward pass for PyTorch of

    mu[s, c] = mean[k](x[s, c, k])
    var[s, c] = mean[k]((x[s, c, k] - mu[s, c])**2)
    y[s, c, k] = w[c] * (x[s, c, k] - mu[s, c]) / sqrt(var[s, c] + eps) + beta[c]

The backward pass was derived by symgrad from these equations. Every gradient below was proved
equal, for every size, to the derivative of the forward pass; the formula that each line
computes stands above it (d_x is the gradient of the final scalar with respect to x).

Generated from the layer instance_norm and the template torch/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate instance_norm --backend torch
"""

import math

import torch

# How many numbers of the largest tensor a thread computes at a time, so that they stay in its cache.
BLOCK = 131072

FREED = torch.empty(31 * 2**20, dtype=torch.uint8).numel()  # from here on glibc keeps freed memory for what comes next


def instance_norm(x, w, beta, *, eps=1e-5):
    """Compute y[s, c, k...]; differentiable, to any order.

    Args:
        x[s, c, k...]: input.
        w[c]: parameter.
        beta[c]: parameter.
        eps: a constant.
    """
    _check_types(x=x, w=w, beta=beta)
    _check_dimensions("x[s, c, k...]", x, 2, more=True)
    n_s, n_c, *shape_k = x.shape
    _check_shape("w[c]", w, (n_c,))
    _check_shape("beta[c]", beta, (n_c,))
    function = InstanceNormCompiled if _is_compiled() else InstanceNorm
    y, *_ = _apply(function, x, w, beta, eps)
    return y


class InstanceNorm(torch.autograd.Function):
    """Computes y[s, c, k...]; see `instance_norm`.

    The statistics mu, var are outputs as well, so that derivatives of the
    backward pass reach the inputs through them; `backward` gets their cotangents.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(x, w, beta, eps):
        result = x.dtype
        dtype, wide = _dtypes(x, w, beta)
        n_s, n_c, *shape_k = x.shape
        n_k = math.prod(shape_k)
        x = x.reshape(n_s, n_c, n_k)
        w = w.to(dtype)
        beta = beta.to(dtype)

        # a block of s after the other
        mu, var, y = _in_blocks(
            _forward_block,
            (x, w, beta, eps, dtype, wide),
            cut=(0, None, None, None, None, None),
            join=(0, 0, 0),
            in_place=_forward_in_place,
            like=(None, None, x),
            dtype=dtype,
        )

        return y.reshape(n_s, n_c, *shape_k).to(result), mu, var

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, w, beta, eps = inputs
        _, mu, var = output
        ctx.save_for_backward(x, w, mu, var)
        ctx.set_materialize_grads(False)
        ctx.dtypes = x.dtype, w.dtype, beta.dtype
        ctx.eps = eps

    @staticmethod
    def backward(ctx, d_y, d_mu, d_var):
        x, w, mu, var = ctx.saved_tensors
        eps = ctx.eps
        needs = ctx.needs_input_grad[:3]
        dtype, _ = _compute_dtypes(x.device, *ctx.dtypes)
        d_x = d_w = d_beta = None
        if d_y is not None:
            d_x, d_w, d_beta = _gradients(d_y, x, w, eps, mu, var, dtype, needs)
        if (d_mu is not None or d_var is not None) and ctx.needs_input_grad[0]:
            d_mu, d_var = _or_zeros((d_mu, d_var), (mu, var))
            d_x = _plus(d_x, _gradients_from_statistics(d_mu, d_var, x, mu, dtype))
        return _cast(d_x, ctx.dtypes[0]), _cast(d_w, ctx.dtypes[1]), _cast(d_beta, ctx.dtypes[2]), None


class InstanceNormCompiled(torch.autograd.Function):
    """The same as `InstanceNorm` for `torch.compile`: differentiable once."""

    @staticmethod
    def forward(x, w, beta, eps):
        return InstanceNorm.forward(x, w, beta, eps)

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, w, beta, eps = inputs
        _, mu, var = output
        ctx.save_for_backward(x, w, mu, var)
        ctx.set_materialize_grads(False)
        ctx.dtypes = x.dtype, w.dtype, beta.dtype
        ctx.eps = eps
        ctx.mark_non_differentiable(mu, var)

    @staticmethod
    def backward(ctx, d_y, *_):
        x, w, mu, var = ctx.saved_tensors
        eps = ctx.eps
        needs = ctx.needs_input_grad[:3]
        dtype, _ = _compute_dtypes(x.device, *ctx.dtypes)
        d_x = d_w = d_beta = None
        if d_y is not None:
            d_x, d_w, d_beta = _gradients(d_y, x, w, eps, mu, var, dtype, needs)
        return _cast(d_x, ctx.dtypes[0]), _cast(d_w, ctx.dtypes[1]), _cast(d_beta, ctx.dtypes[2]), None


def _forward_block(x, w, beta, eps, dtype, wide):
    """Compute mu, var, y of a block of s."""
    x = x.to(dtype)

    # mu[s, c] = mean[k](x[s, c, k])
    # x_minus_mu[s, c, k] = x[s, c, k] - mu[s, c]
    mu, x_minus_mu = _centred(x, (2,), wide)
    # var[s, c] = mean[k]((x[s, c, k] - mu[s, c])**2)
    var = torch.square(x_minus_mu).mean(2)
    # y[s, c, k] = w[c] * (x[s, c, k] - mu[s, c]) / sqrt(var[s, c] + eps) + beta[c]
    y = x_minus_mu * (w / torch.sqrt(var + eps))[:, :, None] + beta[:, None]

    return (mu, var, y)


def _forward_in_place(x, w, beta, eps, dtype, wide, buffers, y):
    """The same as `_forward_block`, into buffers and tensors that are there."""
    x = x.to(dtype)
    (buffer_1,) = _buffers(buffers, 1, x)

    # mu[s, c] = mean[k](x[s, c, k])
    # x_minus_mu[s, c, k] = x[s, c, k] - mu[s, c]
    mu, x_minus_mu = _centred(x, (2,), wide, out=y)
    # var[s, c] = mean[k]((x[s, c, k] - mu[s, c])**2)
    x_minus_mu_squared = torch.square(x_minus_mu, out=buffer_1)
    var = x_minus_mu_squared.mean(2)
    # y[s, c, k] = w[c] * (x[s, c, k] - mu[s, c]) / sqrt(var[s, c] + eps) + beta[c]
    y = torch.mul(x_minus_mu, (w / torch.sqrt(var + eps))[:, :, None], out=x_minus_mu)
    y += beta[:, None]

    return mu, var, y


def _gradients(d_y, x, w, eps, mu, var, dtype, needs):
    """The gradients of the inputs from d_y[s, c, k...]."""
    need_x, need_w, need_beta = needs
    n_s, n_c, *shape_k = x.shape
    n_k = math.prod(shape_k)
    x = x.reshape(n_s, n_c, n_k)
    w = w.to(dtype)
    d_y = d_y.reshape(n_s, n_c, n_k)

    # rsqrt_var[s, c] = 1 / sqrt(var[s, c] + eps)
    rsqrt_var = 1 / torch.sqrt(var + eps)
    # a block of s after the other
    d_w, d_beta, d_x = _in_blocks(
        _gradients_block,
        (x, w, mu, d_y, rsqrt_var, dtype, needs),
        cut=(0, None, 0, 0, 0, None, None),
        join=(None, None, 0),
        in_place=_gradients_in_place if all(needs) else None,
        like=(None, None, x),
        dtype=dtype,
    )

    return (
        d_x.reshape(n_s, n_c, *shape_k) if need_x else None,
        d_w if need_w else None,
        d_beta if need_beta else None,
    )


def _gradients_block(x, w, mu, d_y, rsqrt_var, dtype, needs):
    """Compute d_w, d_beta, d_x of a block of s."""
    need_x, need_w, need_beta = needs
    n_k = x.shape[2]
    x = x.to(dtype)
    d_y = d_y.to(dtype)

    if need_x or need_w:
        # x_minus_mu[s, c, k] = x[s, c, k] - mu[s, c]
        x_minus_mu = _centre(x, mu[:, :, None])
    if need_w or need_x:
        # sum_d_y_x_minus_mu[s, c] = sum[k](d_y[s, c, k] * x_minus_mu[s, c, k])
        sum_d_y_x_minus_mu = (d_y * x_minus_mu).sum(2)
    if need_w:
        # d_w[c] = sum[s, k]((x[s, c, k] - mu[s, c]) * d_y[s, c, k] / sqrt(var[s, c] + eps)), of this block
        d_w = (rsqrt_var * sum_d_y_x_minus_mu).sum(0)
    if need_beta or need_x:
        # sum_d_y_2[s, c] = sum[k](d_y[s, c, k])
        sum_d_y_2 = d_y.sum(2)
    if need_beta:
        # d_beta[c] = sum[s, k](d_y[s, c, k]), of this block
        d_beta = sum_d_y_2.sum(0)
    if need_x:
        # sum_d_y[s, c] = sum[k](d_y[s, c, k])
        sum_d_y = sum_d_y_2
        # d_mu[s, c] = -w[c] * sum[k](d_y[s, c, k]) / sqrt(var[s, c] + eps)
        d_mu = -w * rsqrt_var * sum_d_y
        # sum_x_minus_mu_d_y[s, c] = sum[k]((x[s, c, k] - mu[s, c]) * d_y[s, c, k])
        sum_x_minus_mu_d_y = sum_d_y_x_minus_mu
        # d_var[s, c] = -w[c] * sum[k]((x[s, c, k] - mu[s, c]) * d_y[s, c, k]) / (2 * (var[s, c] + eps)**(3/2))
        d_var = -w * rsqrt_var**3 * sum_x_minus_mu_d_y / 2
        # d_x[s, c, k] = w[c] * d_y[s, c, k] / sqrt(var[s, c] + eps) + d_mu[s, c] / size[k]
        #     + 2 * (x[s, c, k] - mu[s, c]) * d_var[s, c] / size[k]
        d_x = (
            d_y * (w * rsqrt_var)[:, :, None]
            + (d_mu / n_k)[:, :, None]
            + x_minus_mu * (2 * d_var / n_k)[:, :, None]
        )

    return (d_w if need_w else None, d_beta if need_beta else None, d_x if need_x else None)


def _gradients_in_place(x, w, mu, d_y, rsqrt_var, dtype, needs, buffers, d_x):
    """The same as `_gradients_block`, into buffers and tensors that are there."""
    n_k = x.shape[2]
    x = x.to(dtype)
    d_y = d_y.to(dtype)
    (buffer_1,) = _buffers(buffers, 1, x)

    # x_minus_mu[s, c, k] = x[s, c, k] - mu[s, c]
    x_minus_mu = _centre(x, mu[:, :, None], out=d_x)
    # sum_d_y_x_minus_mu[s, c] = sum[k](d_y[s, c, k] * x_minus_mu[s, c, k])
    d_y_x_minus_mu = torch.mul(d_y, x_minus_mu, out=buffer_1)
    sum_d_y_x_minus_mu = d_y_x_minus_mu.sum(2)
    # d_w[c] = sum[s, k]((x[s, c, k] - mu[s, c]) * d_y[s, c, k] / sqrt(var[s, c] + eps)), of this block
    d_w = (rsqrt_var * sum_d_y_x_minus_mu).sum(0)
    # sum_d_y_2[s, c] = sum[k](d_y[s, c, k])
    sum_d_y_2 = d_y.sum(2)
    # d_beta[c] = sum[s, k](d_y[s, c, k]), of this block
    d_beta = sum_d_y_2.sum(0)
    # sum_d_y[s, c] = sum[k](d_y[s, c, k])
    sum_d_y = sum_d_y_2
    # d_mu[s, c] = -w[c] * sum[k](d_y[s, c, k]) / sqrt(var[s, c] + eps)
    d_mu = -w * rsqrt_var * sum_d_y
    # sum_x_minus_mu_d_y[s, c] = sum[k]((x[s, c, k] - mu[s, c]) * d_y[s, c, k])
    sum_x_minus_mu_d_y = sum_d_y_x_minus_mu
    # d_var[s, c] = -w[c] * sum[k]((x[s, c, k] - mu[s, c]) * d_y[s, c, k]) / (2 * (var[s, c] + eps)**(3/2))
    d_var = -w * rsqrt_var**3 * sum_x_minus_mu_d_y / 2
    # d_x[s, c, k] = w[c] * d_y[s, c, k] / sqrt(var[s, c] + eps) + d_mu[s, c] / size[k]
    #     + 2 * (x[s, c, k] - mu[s, c]) * d_var[s, c] / size[k]
    d_x = torch.mul(d_y, (w * rsqrt_var)[:, :, None], out=d_y_x_minus_mu)
    x_minus_mu *= (2 * d_var / n_k)[:, :, None]
    d_x = torch.add(d_x, x_minus_mu, out=x_minus_mu)
    d_x += (d_mu / n_k)[:, :, None]

    return d_w, d_beta, d_x


def _gradients_from_statistics(d_mu, d_var, x, mu, dtype):
    """The gradients of the inputs from d_mu, d_var, which only derivatives of `backward` bring in."""
    n_s, n_c, *shape_k = x.shape
    n_k = math.prod(shape_k)
    x = x.to(dtype).reshape(n_s, n_c, n_k)

    # d_x[s, c, k] = d_mu[s, c] / size[k] + 2 * (x[s, c, k] - mu[s, c]) * d_var[s, c] / size[k]
    d_x = (
        (d_mu / n_k).to(dtype)[:, :, None]
        + _centre(x, mu[:, :, None]) * (2 * d_var / n_k)[:, :, None]
    )

    return d_x.reshape(n_s, n_c, *shape_k)


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


def _centre(tensor, mean, out=None):
    """tensor - mean; a wider mean is split in two, so that nothing of it is lost."""
    if mean.dtype == tensor.dtype:
        return torch.sub(tensor, mean, out=out)
    high = mean.to(tensor.dtype)
    near, rest = torch.sub(tensor, high, out=out), (mean - high).to(tensor.dtype)
    return near - rest if out is None else near.sub_(rest)


def _centred(tensor, axes, wide, out=None):
    """The mean over axes in the wider type, and tensor - mean, of which float32 loses nothing."""
    if wide == tensor.dtype:
        mean = tensor.mean(axes, keepdim=True, dtype=wide)
        return mean.squeeze(axes), _centre(tensor, mean, out=out)
    near = tensor.mean(axes, keepdim=True)  # what is left of it is small, and its mean as good in float32
    rest = torch.sub(tensor, near, out=out)
    far = rest.mean(axes, keepdim=True)
    return (near.to(wide) + far).squeeze(axes), rest - far if out is None else rest.sub_(far)
