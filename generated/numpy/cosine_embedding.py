"""The cosine embedding loss: pairs that are alike (t = 1) or not (t = -1).

Forward and backward pass for NumPy of

    c[b] = sum[d](x[b, d] * y[b, d]) / sqrt((sum[d](x[b, d]**2) + eps) * (sum[d](y[b, d]**2) + eps))
    L = mean[b](where(0 < t[b], 1 - c[b], where(margin <= c[b], c[b] - margin, 0)))

The backward pass was derived by symgrad from these equations. Every gradient below was proved
equal, for every size, to the derivative of the forward pass; the formula that each line
computes stands above it (d_x is the gradient of the final scalar with respect to x).

Generated from the layer cosine_embedding and the template numpy/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate cosine_embedding --backend numpy
"""

import math
from typing import NamedTuple

import numpy as np

# How many numbers of the largest array are computed at a time, so that they stay in the processor's cache.
BLOCK = 65536


class Saved(NamedTuple):
    """What `forward` hands to `backward`."""

    x: np.ndarray  # x[b, d]
    y: np.ndarray  # y[b, d]
    t: np.ndarray  # t[b]
    margin: float  # margin
    eps: float  # eps
    c: np.ndarray  # c[b]


class Gradients(NamedTuple):
    """The gradients of the inputs, each with its input's shape and dtype."""

    x: np.ndarray  # d_x[b, d]
    y: np.ndarray  # d_y[b, d]


def forward(x, y, t, *, margin=0, eps=1e-12):
    """Compute L, and what `backward` needs.

    Args:
        x[b, d]: input.
        y[b, d]: input.
        t[b]: target, gets no gradient.
        margin: a constant.
        eps: a constant.
    """
    x, y, t = _arrays(x=x, y=y, t=t)
    _check_dimensions("x[b, d]", x, 2)
    n_b, n_d = x.shape
    _check_shape("y[b, d]", y, (n_b, n_d))
    _check_shape("t[b]", t, (n_b,))
    dtype = x.dtype

    # a block of b after the other
    sum_x_y, sum_x_squared, sum_y_squared = _in_blocks(
        _forward_block,
        (x, y),
        cut=(0, 0),
        join=(0, 0, 0),
    )
    # c[b] = sum[d](x[b, d] * y[b, d]) / sqrt((sum[d](x[b, d]**2) + eps) * (sum[d](y[b, d]**2) + eps))
    c = sum_x_y / np.sqrt((sum_x_squared + eps) * (sum_y_squared + eps))
    # L = mean[b](where(0 < t[b], 1 - c[b], where(margin <= c[b], c[b] - margin, 0)))
    one_minus_c = 1 - c
    c_2 = c - margin
    c_masked = np.where(margin <= c, c_2, 0)
    work = np.where(0 < t, one_minus_c, c_masked)
    L = _sum(work, None) / n_b

    saved = Saved(x, y, t, margin, eps, c)
    return L.astype(dtype), saved


def _forward_block(x, y, buffers):
    """Compute sum_x_y, sum_x_squared, sum_y_squared of a block of b."""
    # sum_x_y[b] = sum[d](x[b, d] * y[b, d])
    sum_x_y = _dot(x, y, 1)
    # sum_x_squared[b] = sum[d](x[b, d]**2)
    sum_x_squared = _dot(x, x, 1)
    # sum_y_squared[b] = sum[d](y[b, d]**2)
    sum_y_squared = _dot(y, y, 1)

    return sum_x_y, sum_x_squared, sum_y_squared


def backward(saved, d_L=1.0, out=None):
    """Compute the gradients of the inputs from d_L, the gradient of what `forward` returned.

    They are written into the arrays of `out`, where it has some; these may share no memory with what is read.
    """
    out = Gradients(None, None) if out is None else out
    x, y, t, margin, eps, c = saved
    n_b, n_d = x.shape
    d_L = float(d_L)
    dtype = x.dtype

    # d_c[b] = d_L * mean[i](where(0 < t[i], -where(i == b, 1, 0), where(margin <= c[i], where(i ==
    #     b, 1, 0), 0)))
    d_c = d_L * (
        -np.asarray(0 < t, dtype)
        + (1 - np.asarray(0 < t, dtype)) * np.asarray(margin <= c, dtype)
    ) / n_b
    d_x = _buffer(out.x, x)
    d_y = _buffer(out.y, x)
    # a block of b after the other
    d_x, d_y = _in_blocks(
        _backward_block,
        (x, y, eps, d_c),
        cut=(0, 0, None, 0),
        join=(0, 0),
        out=(d_x, d_y),
    )

    return Gradients(x=_into(out.x, d_x), y=_into(out.y, d_y))


def _backward_block(x, y, eps, d_c, buffers, d_x, d_y):
    """Compute d_x, d_y of a block of b."""
    dtype = x.dtype
    (buffer_1,) = _buffers(buffers, 1, x)

    # sum_x_squared[b] = sum[d](x[b, d]**2)
    sum_x_squared = _dot(x, x, 1)
    # sum_y_squared[b] = sum[d](y[b, d]**2)
    sum_y_squared = _dot(y, y, 1)
    # root[b] = 1 / sqrt((sum[d](x[b, d]**2) + eps) * (sum[d](y[b, d]**2) + eps))
    root = 1 / np.sqrt((sum_x_squared + eps) * (sum_y_squared + eps))
    # sum_x_y[b] = sum[d](x[b, d] * y[b, d])
    sum_x_y = _dot(x, y, 1)
    # d_x[b, d] = (y[b, d] * sqrt((sum[i](x[b, i]**2) + eps) * (sum[i](y[b, i]**2) + eps)) - x[b, d]
    #     * (sum[i](y[b, i]**2) + eps) * sum[i](x[b, i] * y[b, i]) / sqrt((sum[i](x[b, i]**2) + eps)
    #     * (sum[i](y[b, i]**2) + eps))) * d_c[b] / ((sum[i](x[b, i]**2) + eps) * (sum[i](y[b,
    #     i]**2) + eps))
    d_x = np.multiply(
        y,
        (np.sqrt((sum_x_squared + eps) * (sum_y_squared + eps))).astype(dtype)[:, None],
        out=d_x,
    )
    work = np.multiply(x, (root * (sum_y_squared + eps) * sum_x_y).astype(dtype)[:, None], out=buffer_1)
    d_x -= work
    d_x *= (d_c / ((sum_x_squared + eps) * (sum_y_squared + eps))).astype(dtype)[:, None]
    # d_y[b, d] = (x[b, d] * sqrt((sum[i](x[b, i]**2) + eps) * (sum[i](y[b, i]**2) + eps)) - y[b, d]
    #     * (sum[i](x[b, i]**2) + eps) * sum[i](x[b, i] * y[b, i]) / sqrt((sum[i](x[b, i]**2) + eps)
    #     * (sum[i](y[b, i]**2) + eps))) * d_c[b] / ((sum[i](x[b, i]**2) + eps) * (sum[i](y[b,
    #     i]**2) + eps))
    d_y = np.multiply(
        x,
        (np.sqrt((sum_x_squared + eps) * (sum_y_squared + eps))).astype(dtype)[:, None],
        out=d_y,
    )
    work_2 = np.multiply(y, (root * (sum_x_squared + eps) * sum_x_y).astype(dtype)[:, None], out=work)
    d_y -= work_2
    d_y *= (d_c / ((sum_x_squared + eps) * (sum_y_squared + eps))).astype(dtype)[:, None]

    return d_x, d_y


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
