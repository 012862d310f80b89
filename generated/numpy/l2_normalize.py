"""Each vector along the last dimension divided by its Euclidean length, or by eps where that is more.

Forward and backward pass for NumPy of

    r[b] = sqrt(where(eps**2 < sum[d](x[b, d]**2), sum[d](x[b, d]**2), where(sum[d](x[b, d]**2) < eps**2,
        eps**2, (sum[d](x[b, d]**2) + eps**2) / 2)))
    y[b, d] = x[b, d] / r[b]

The backward pass was derived by symgrad from these equations. Every gradient below was proved
equal, for every size, to the derivative of the forward pass; the formula that each line
computes stands above it (d_x is the gradient of the final scalar with respect to x).

Generated from the layer l2_normalize and the template numpy/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate l2_normalize --backend numpy
"""

import math
from typing import NamedTuple

import numpy as np

# How many numbers of the largest array are computed at a time, so that they stay in the processor's cache.
BLOCK = 65536


class Saved(NamedTuple):
    """What `forward` hands to `backward`."""

    x: np.ndarray  # x[b..., d]
    eps: float  # eps
    r: np.ndarray  # r[b...]


class Gradients(NamedTuple):
    """The gradients of the inputs, each with its input's shape and dtype."""

    x: np.ndarray  # d_x[b..., d]


def forward(x, *, eps=1e-12, out=None):
    """Compute y[b..., d], and what `backward` needs.

    Args:
        x[b..., d]: input.
        eps: a constant.
        out: the array to write y into; it may share no memory with the arguments.
    """
    (x,) = _arrays(x=x)
    _check_dimensions("x[b..., d]", x, 1, more=True)
    *shape_b, n_d = x.shape
    n_b = math.prod(shape_b)
    x = x.reshape(n_b, n_d)

    y = _buffer(out, x)
    # a block of b after the other
    r, y = _in_blocks(_forward_block, (x, eps), cut=(0, None), join=(0, 0), out=(None, y))

    saved = Saved(x.reshape(*shape_b, n_d), eps, r.reshape(shape_b))
    return _into(out, y.reshape(*shape_b, n_d)), saved


def _forward_block(x, eps, buffers, y):
    """Compute r, y of a block of b."""
    dtype = x.dtype

    # sum_x_squared[b] = sum[d](x[b, d]**2)
    sum_x_squared = _dot(x, x, 1)
    # r[b] = sqrt(where(eps**2 < sum[d](x[b, d]**2), sum[d](x[b, d]**2), where(sum[d](x[b, d]**2) <
    #     eps**2, eps**2, (sum[d](x[b, d]**2) + eps**2) / 2)))
    r = np.sqrt(np.where(
        eps**2 < sum_x_squared,
        sum_x_squared,
        np.where(sum_x_squared < eps**2, eps**2, (sum_x_squared + eps**2) / 2),
    ))
    # y[b, d] = x[b, d] / r[b]
    y = np.multiply(x, (1 / r).astype(dtype)[:, None], out=y)

    return r, y


def backward(saved, d_y, out=None):
    """Compute the gradients of the inputs from d_y[b..., d], the gradient of what `forward` returned.

    They are written into the arrays of `out`, where it has some; these may share no memory with what is read.
    """
    out = Gradients(None) if out is None else out
    x, eps, r = saved
    *shape_b, n_d = x.shape
    n_b = math.prod(shape_b)
    (d_y,) = _arrays(x.dtype, d_y=d_y)
    _check_shape("d_y[b..., d]", d_y, (*shape_b, n_d))
    x = x.reshape(n_b, n_d)
    r = r.reshape(n_b)
    d_y = d_y.reshape(n_b, n_d)

    d_x = _buffer(out.x, x)
    # a block of b after the other
    (d_x,) = _in_blocks(
        _backward_block,
        (x, eps, r, d_y),
        cut=(0, None, 0, 0),
        join=(0,),
        out=(d_x,),
    )

    return Gradients(x=_into(out.x, d_x.reshape(*shape_b, n_d)))


def _backward_block(x, eps, r, d_y, buffers, d_x):
    """Compute d_x of a block of b."""
    dtype = x.dtype
    (buffer_1,) = _buffers(buffers, 1, x)

    # sum_x_squared[b] = sum[d](x[b, d]**2)
    sum_x_squared = _dot(x, x, 1)
    # sum_x_d_y[b] = sum[d](x[b, d] * d_y[b, d])
    sum_x_d_y = _dot(x, d_y, 1)
    # d_r[b] = -sum[d](x[b, d] * d_y[b, d]) / r[b]**2
    d_r = -sum_x_d_y / r**2
    # d_x[b, d] = d_y[b, d] / r[b]
    #     + where(eps**2 < sum[i](x[b, i]**2), 2 * x[b, d], where(sum[i](x[b, i]**2) < eps**2, 0,
    #     x[b, d])) * d_r[b] / (2 * sqrt(where(eps**2 < sum[i](x[b, i]**2), sum[i](x[b, i]**2),
    #     where(sum[i](x[b, i]**2) < eps**2, eps**2, (sum[i](x[b, i]**2) + eps**2) / 2))))
    d_x = np.multiply(d_y, (1 / r).astype(dtype)[:, None], out=d_x)
    two_x = np.multiply(x, 2, out=buffer_1)
    x_masked = np.where(sum_x_squared[:, None] < eps**2, 0, x)
    work = np.where(eps**2 < sum_x_squared[:, None], two_x, x_masked)
    work *= (d_r / (2 * np.sqrt(np.where(
        eps**2 < sum_x_squared,
        sum_x_squared,
        np.where(sum_x_squared < eps**2, eps**2, (sum_x_squared + eps**2) / 2),
    )))).astype(dtype)[:, None]
    d_x += work

    return d_x,


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
