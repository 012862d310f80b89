"""The rectifier with a learned slope for negative elements, one for each channel.

Forward and backward pass for NumPy of

    y[s, c, k] = where(0 < x[s, c, k], x[s, c, k], w[c] * x[s, c, k])

The backward pass was derived by symgrad from these equations. Every gradient below was proved
equal, for every size, to the derivative of the forward pass; the formula that each line
computes stands above it (d_x is the gradient of the final scalar with respect to x).

Generated from the layer prelu and the template numpy/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate prelu --backend numpy
"""

import math
from typing import NamedTuple

import numpy as np

# How many numbers of the largest array are computed at a time, so that they stay in the processor's cache.
BLOCK = 65536


class Saved(NamedTuple):
    """What `forward` hands to `backward`."""

    x: np.ndarray  # x[s, c, k...]
    w: np.ndarray  # w[c]


class Gradients(NamedTuple):
    """The gradients of the inputs, each with its input's shape and dtype."""

    x: np.ndarray  # d_x[s, c, k...]
    w: np.ndarray  # d_w[c]


def forward(x, w, *, out=None):
    """Compute y[s, c, k...], and what `backward` needs.

    Args:
        x[s, c, k...]: input.
        w[c]: parameter.
        out: the array to write y into; it may share no memory with the arguments.
    """
    x, w = _arrays(x=x, w=w)
    _check_dimensions("x[s, c, k...]", x, 2, more=True)
    n_s, n_c, *shape_k = x.shape
    n_k = math.prod(shape_k)
    _check_shape("w[c]", w, (n_c,))
    x = x.reshape(n_s, n_c, n_k)

    # a block of s after the other
    (y,) = _in_blocks(_forward_block, (x, w), cut=(0, None), join=(0,))

    saved = Saved(x.reshape(n_s, n_c, *shape_k), w)
    return _into(out, y.reshape(n_s, n_c, *shape_k)), saved


def _forward_block(x, w, buffers):
    """Compute y of a block of s."""
    (buffer_1,) = _buffers(buffers, 1, x)

    # y[s, c, k] = where(0 < x[s, c, k], x[s, c, k], w[c] * x[s, c, k])
    w_x = np.multiply(x, w[:, None], out=buffer_1)
    y = np.where(0 < x, x, w_x)

    return y,


def backward(saved, d_y, out=None):
    """Compute the gradients of the inputs from d_y[s, c, k...], the gradient of what `forward` returned.

    They are written into the arrays of `out`, where it has some; these may share no memory with what is read.
    """
    out = Gradients(None, None) if out is None else out
    x, w = saved
    n_s, n_c, *shape_k = x.shape
    n_k = math.prod(shape_k)
    (d_y,) = _arrays(x.dtype, d_y=d_y)
    _check_shape("d_y[s, c, k...]", d_y, (n_s, n_c, *shape_k))
    x = x.reshape(n_s, n_c, n_k)
    d_y = d_y.reshape(n_s, n_c, n_k)
    dtype = x.dtype

    # a block of s after the other
    d_w, d_x = _in_blocks(_backward_block, (x, w, d_y), cut=(0, None, 0), join=(None, 0))

    return Gradients(
        x=_into(out.x, d_x.reshape(n_s, n_c, *shape_k)),
        w=_into(out.w, d_w.astype(dtype)),
    )


def _backward_block(x, w, d_y, buffers):
    """Compute d_w, d_x of a block of s."""
    # d_w[c] = sum[s, k](where(0 < x[s, c, k], 0, x[s, c, k]) * d_y[s, c, k]), of this block
    x_masked = np.where(0 < x, 0, x)
    d_w = _dot(x_masked, d_y, (0, 2))
    # d_x[s, c, k] = where(0 < x[s, c, k], 1, w[c]) * d_y[s, c, k]
    d_x = np.where(0 < x, 1, w[:, None])
    d_x *= d_y

    return d_w, d_x


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
