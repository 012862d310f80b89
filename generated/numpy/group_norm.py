"""Group normalization: each group of channels of each sample, over its channels and positions.

Forward and backward pass for NumPy of

    mu[s, g] = mean[c, k](x[s, g, c, k])
    var[s, g] = mean[c, k]((x[s, g, c, k] - mu[s, g])**2)
    y[s, g, c, k] = w[g, c] * (x[s, g, c, k] - mu[s, g]) / sqrt(var[s, g] + eps) + beta[g, c]

The backward pass was derived by symgrad from these equations. Every gradient below was proved
equal, for every size, to the derivative of the forward pass; the formula that each line
computes stands above it (d_x is the gradient of the final scalar with respect to x).

Generated from the layer group_norm and the template numpy/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate group_norm --backend numpy
"""

import math
from typing import NamedTuple

import numpy as np

# How many numbers of the largest array are computed at a time, so that they stay in the processor's cache.
BLOCK = 65536


class Saved(NamedTuple):
    """What `forward` hands to `backward`."""

    x: np.ndarray  # x[s, g, c, k...]
    w: np.ndarray  # w[g, c]
    eps: float  # eps
    mu: np.ndarray  # mu[s, g]
    var: np.ndarray  # var[s, g]


class Gradients(NamedTuple):
    """The gradients of the inputs, each with its input's shape and dtype."""

    x: np.ndarray  # d_x[s, g, c, k...]
    w: np.ndarray  # d_w[g, c]
    beta: np.ndarray  # d_beta[g, c]


def forward(x, w, beta, *, eps=1e-5, out=None):
    """Compute y[s, g, c, k...], and what `backward` needs.

    Args:
        x[s, g, c, k...]: input.
        w[g, c]: parameter.
        beta[g, c]: parameter.
        eps: a constant.
        out: the array to write y into; it may share no memory with the arguments.
    """
    x, w, beta = _arrays(x=x, w=w, beta=beta)
    _check_dimensions("x[s, g, c, k...]", x, 3, more=True)
    n_s, n_g, n_c, *shape_k = x.shape
    n_k = math.prod(shape_k)
    _check_shape("w[g, c]", w, (n_g, n_c))
    _check_shape("beta[g, c]", beta, (n_g, n_c))
    x = x.reshape(n_s, n_g, n_c, n_k)

    y = _buffer(out, x)
    # a block of s after the other
    mu, var, y = _in_blocks(
        _forward_block,
        (x, w, beta, eps),
        cut=(0, None, None, None),
        join=(0, 0, 0),
        out=(None, None, y),
    )

    saved = Saved(x.reshape(n_s, n_g, n_c, *shape_k), w, eps, mu, var)
    return _into(out, y.reshape(n_s, n_g, n_c, *shape_k)), saved


def _forward_block(x, w, beta, eps, buffers, y):
    """Compute mu, var, y of a block of s."""
    n_c = x.shape[2]
    n_k = x.shape[3]
    dtype = x.dtype

    # mu[s, g] = mean[c, k](x[s, g, c, k])
    # x_minus_mu[s, g, c, k] = x[s, g, c, k] - mu[s, g]
    mu, x_minus_mu = _centred(x, (2, 3), out=y)
    # var[s, g] = mean[c, k]((x[s, g, c, k] - mu[s, g])**2)
    var = _dot(x_minus_mu, x_minus_mu, (2, 3)) / (n_c * n_k)
    # y[s, g, c, k] = w[g, c] * (x[s, g, c, k] - mu[s, g]) / sqrt(var[s, g] + eps) + beta[g, c]
    y = np.multiply(
        x_minus_mu,
        (w / np.sqrt(var[:, :, None] + eps)).astype(dtype)[:, :, :, None],
        out=x_minus_mu,
    )
    y += beta[:, :, None]

    return mu, var, y


def backward(saved, d_y, out=None):
    """Compute the gradients of the inputs from d_y[s, g, c, k...], the gradient of what `forward` returned.

    They are written into the arrays of `out`, where it has some; these may share no memory with what is read.
    """
    out = Gradients(None, None, None) if out is None else out
    x, w, eps, mu, var = saved
    n_s, n_g, n_c, *shape_k = x.shape
    n_k = math.prod(shape_k)
    (d_y,) = _arrays(x.dtype, d_y=d_y)
    _check_shape("d_y[s, g, c, k...]", d_y, (n_s, n_g, n_c, *shape_k))
    x = x.reshape(n_s, n_g, n_c, n_k)
    d_y = d_y.reshape(n_s, n_g, n_c, n_k)
    dtype = x.dtype

    # rsqrt_var[s, g] = 1 / sqrt(var[s, g] + eps)
    rsqrt_var = 1 / np.sqrt(var + eps)
    d_x = _buffer(out.x, x)
    # a block of s after the other
    d_w, d_beta, d_x = _in_blocks(
        _backward_block,
        (x, w, mu, d_y, rsqrt_var),
        cut=(0, None, 0, 0, 0),
        join=(None, None, 0),
        out=(None, None, d_x),
    )

    return Gradients(
        x=_into(out.x, d_x.reshape(n_s, n_g, n_c, *shape_k)),
        w=_into(out.w, d_w.astype(dtype)),
        beta=_into(out.beta, d_beta.astype(dtype)),
    )


def _backward_block(x, w, mu, d_y, rsqrt_var, buffers, d_x):
    """Compute d_w, d_beta, d_x of a block of s."""
    n_c = x.shape[2]
    n_k = x.shape[3]
    dtype = x.dtype
    (buffer_1,) = _buffers(buffers, 1, x)

    # x_minus_mu[s, g, c, k] = x[s, g, c, k] - mu[s, g]
    x_minus_mu = _around(x, mu[:, :, None, None], out=buffer_1)
    # sum_d_y_x_minus_mu[s, g, c] = sum[k](d_y[s, g, c, k] * x_minus_mu[s, g, c, k])
    sum_d_y_x_minus_mu = _dot(d_y, x_minus_mu, 3)
    # d_w[g, c] = sum[s, k]((x[s, g, c, k] - mu[s, g]) * d_y[s, g, c, k] / sqrt(var[s, g] + eps)), of this block
    d_w = _dot(sum_d_y_x_minus_mu, rsqrt_var.astype(dtype)[:, :, None], 0)
    # sum_d_y[s, g, c] = sum[k](d_y[s, g, c, k])
    sum_d_y = _sum(d_y, 3)
    # d_beta[g, c] = sum[s, k](d_y[s, g, c, k]), of this block
    d_beta = _sum(sum_d_y, 0)
    # sum_w_d_y[s, g] = sum[c, k](w[g, c] * d_y[s, g, c, k])
    sum_w_d_y = _dot(sum_d_y, w, 2)
    # d_mu[s, g] = -sum[c, k](w[g, c] * d_y[s, g, c, k]) / sqrt(var[s, g] + eps)
    d_mu = -rsqrt_var * sum_w_d_y
    # sum_w_x_minus_mu_d_y[s, g] = sum[c, k](w[g, c] * (x[s, g, c, k] - mu[s, g]) * d_y[s, g, c, k])
    sum_w_x_minus_mu_d_y = _dot(sum_d_y_x_minus_mu, w, 2)
    # d_var[s, g] = -sum[c, k](w[g, c] * (x[s, g, c, k] - mu[s, g]) * d_y[s, g, c, k]) / (2 *
    #     (var[s, g] + eps)**(3/2))
    d_var = -rsqrt_var**3 * sum_w_x_minus_mu_d_y / 2
    # d_x[s, g, c, k] = w[g, c] * d_y[s, g, c, k] / sqrt(var[s, g] + eps)
    #     + d_mu[s, g] / (size[c] * size[k])
    #     + 2 * (x[s, g, c, k] - mu[s, g]) * d_var[s, g] / (size[c] * size[k])
    d_x = np.multiply(d_y, (w * rsqrt_var[:, :, None]).astype(dtype)[:, :, :, None], out=d_x)
    x_minus_mu *= (2 * d_var / (n_c * n_k)).astype(dtype)[:, :, None, None]
    d_x += x_minus_mu
    d_x += (d_mu / (n_c * n_k)).astype(dtype)[:, :, None, None]

    return d_w, d_beta, d_x


def _arrays(dtype=None, /, **arrays):
    """The arguments as arrays, all of one dtype: float32 or float64."""
    found = [np.asarray(array) for array in arrays.values()]
    dtype = found[0].dtype if dtype is None else dtype
    if dtype not in (np.float32, np.float64) or any(array.dtype != dtype for array in found):
        given = ", ".join(f"{name} is {array.dtype}" for name, array in zip(arrays, found))
        wanted = dtype if dtype in (np.float32, np.float64) else "float32 or float64"
        raise TypeError(f"all arrays must be {wanted}, one dtype for all: {given}.")
    return found


def _check_dimensions(what, array, least, more=False):
    """Raise unless an array has as many dimensions as declared, and no empty one."""
    if array.ndim < least or (array.ndim > least and not more):
        raise ValueError(f"{what} must have {'at least ' if more else ''}{least} dimensions, not {array.ndim}.")
    if array.size == 0:
        raise ValueError(f"{what} is empty: its shape is {array.shape}.")


def _check_shape(what, array, shape):
    """Raise unless an array has the shape that follows from the others."""
    if array.shape != shape:
        raise ValueError(f"{what} must have the shape {shape}, not {array.shape}.")


def _in_blocks(compute, arguments, cut, join, out=None):
    """What `compute` returns for arguments of which some are cut along a dimension: one block after the other.

    The results are joined along a dimension each, or added up (None); in `out` are arrays that are there already.
    """
    whole = [None] * len(join) if out is None else list(out)
    given = [place for place, array in enumerate(whole) if array is not None]
    length = next(argument.shape[axis] for argument, axis in zip(arguments, cut) if axis is not None)
    size = max(argument.size for argument, axis in zip(arguments, cut) if axis is not None)
    step, buffers = max(1, length * BLOCK // size), []
    spread = max(abs(argument.strides[axis]) for argument, axis in zip(arguments, cut) if axis is not None)
    if step >= length or step * spread < 64:  # a block with a part of each cache line would read all of them
        return compute(*arguments, buffers, *(whole[place] for place in given))
    for start in range(0, length, step):
        block = slice(start, start + step)
        cuts = [(slice(None),) * axis + (block,) if axis is not None else None for axis in (*cut, *join)]
        views = [argument if at is None else argument[at] for argument, at in zip(arguments, cuts)]
        places = [whole[place][cuts[len(cut) + place]] for place in given]
        parts = compute(*views, buffers, *places)
        for place, (part, axis) in enumerate(zip(parts, join)):
            if axis is None:
                whole[place] = part if start == 0 else whole[place] + part
            elif place not in given:
                if start == 0:
                    whole[place] = np.empty((*part.shape[:axis], length, *part.shape[axis + 1 :]), part.dtype)
                whole[place][cuts[len(cut) + place]] = part
    return whole


def _buffers(buffers, count, like):
    """As many arrays like another one: those of the block before, where they have its shape."""
    if not buffers or buffers[0].shape != like.shape:
        buffers[:] = [np.empty_like(like) for _ in range(count)]
    return buffers


def _buffer(out, like):
    """An array like another one: a view of `out`, where that is given and has such a view."""
    if out is None:
        return np.empty_like(like)
    if out.size != like.size or out.dtype != like.dtype:
        raise ValueError(f"an array of out has {out.size} numbers of {out.dtype}, not {like.size} of {like.dtype}.")
    return out.reshape(like.shape)


def _into(out, result):
    """The result, in `out` where that is given."""
    if out is None:
        return result
    if out.shape != result.shape or out.dtype != result.dtype:
        raise ValueError(f"an array of out has {out.shape} of {out.dtype}, not {result.shape} of {result.dtype}.")
    if not np.may_share_memory(out, result):  # it was computed elsewhere
        out[...] = result
    return out


def _dot(left, right, axes):
    """The sum of left * right over axes in double precision, but for rows, which BLAS adds up in their own type."""
    axes = tuple(range(left.ndim)) if axes is None else axes if isinstance(axes, tuple) else (axes,)
    if axes[-1] == left.ndim - 1 and 32 <= left.shape[-1] == right.shape[-1] <= 16384:
        rows = np.matmul(left[..., None, :], right[..., None])[..., 0, 0]
        return rows.sum(axis=axes[:-1], dtype=np.float64)
    if math.prod(left.shape[axis] for axis in axes) <= 128:
        every = list(range(left.ndim))
        rest = [axis for axis in every if axis not in axes]
        return np.einsum(left, every, np.broadcast_to(right, left.shape), every, rest).astype(np.float64)
    return _sum(left * right, axes)


def _centred(array, axes, out=None):
    """The mean over axes in double precision, and array - mean, of which float32 loses nothing."""
    if array.size <= 8192 or array.dtype == np.float64:  # else float32 is faster, in two steps
        mean = array.mean(axis=axes, dtype=np.float64, keepdims=True)
        high = mean.astype(array.dtype)
        return mean.squeeze(axes), _less(np.subtract(array, high, out=out), mean - high)
    axes = tuple(range(array.ndim)) if axes is None else axes if isinstance(axes, tuple) else (axes,)
    count = math.prod(array.shape[axis] for axis in axes)
    near = np.expand_dims(_sum(array, axes) / count, axes).astype(array.dtype)
    out = np.subtract(array, near, out=out)
    rest = np.expand_dims(_sum(out, axes) / count, axes)
    return np.squeeze(near.astype(np.float64) + rest, axes), _less(out, rest)


def _sum(array, axes):
    """The sum over axes in double precision, but for rows and short columns, which BLAS adds up in their own type."""
    axes = tuple(range(array.ndim)) if axes is None else axes if isinstance(axes, tuple) else (axes,)
    if axes[-1] == array.ndim - 1 and 32 <= array.shape[-1] <= 16384 and array.strides[-1] == array.itemsize:
        ones = np.ones(array.shape[-1], array.dtype)
        array, axes = np.matmul(array[..., None, :], ones[:, None])[..., 0, 0], axes[:-1]
    elif axes == (0,) and array.ndim == 2 and array.shape[0] <= 1024:
        return (np.ones(array.shape[0], array.dtype) @ array).astype(np.float64)
    elif math.prod(array.shape[axis] for axis in axes) <= 128:
        return array.sum(axis=axes).astype(np.float64)
    return array.sum(axis=axes, dtype=np.float64)


def _around(array, mean, out=None):
    """array - mean, with the array's own mean in double precision, of which float32 loses nothing."""
    high = mean.astype(array.dtype)
    return _less(np.subtract(array, high, out=out), mean - high)


def _less(array, rest):
    """Take off what is left of a mean; not where that is less than the rounding of a few of the numbers."""
    if array.size <= 8192:
        array -= rest.astype(array.dtype)
        return array
    shape = (1,) * (array.ndim - rest.ndim) + rest.shape
    few = array[tuple(slice(None, None, max(1, n // 8) if m == 1 else 1) for n, m in zip(array.shape, shape))]
    size = np.abs(few).max(axis=tuple(axis for axis, m in enumerate(shape) if m == 1), keepdims=True)
    if (np.abs(rest) > size * (np.finfo(array.dtype).eps / 4)).any():
        array -= rest.astype(array.dtype)
    return array
