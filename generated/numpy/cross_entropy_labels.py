"""Cross entropy of a softmax against labels: log-softmax and negative log-likelihood in one.

Forward and backward pass for NumPy of

    z[b, k] = log(sum[v](exp(x[b, v, k])))
    L = mean[b, k](z[b, k] - x[b, t[b, k], k])

The backward pass was derived by symgrad from these equations. Every gradient below was proved
equal, for every size, to the derivative of the forward pass; the formula that each line
computes stands above it (d_x is the gradient of the final scalar with respect to x).

Generated from the layer cross_entropy_labels and the template numpy/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate cross_entropy_labels --backend numpy
"""

import math
from typing import NamedTuple

import numpy as np

# How many numbers of the largest array are computed at a time, so that they stay in the processor's cache.
BLOCK = 65536


class Saved(NamedTuple):
    """What `forward` hands to `backward`."""

    x: np.ndarray  # x[b, v, k...]
    t: np.ndarray  # t[b, k...]
    z: np.ndarray  # z[b, k...]


class Gradients(NamedTuple):
    """The gradients of the inputs, each with its input's shape and dtype."""

    x: np.ndarray  # d_x[b, v, k...]


def forward(x, t):
    """Compute L, and what `backward` needs.

    Args:
        x[b, v, k...]: input.
        t[b, k...]: labels, whole numbers from 0 to n_v - 1.
    """
    (x,) = _arrays(x=x)
    t = np.asarray(t)
    _check_dimensions("x[b, v, k...]", x, 2, more=True)
    n_b, n_v, *shape_k = x.shape
    n_k = math.prod(shape_k)
    _check_shape("t[b, k...]", t, (n_b, *shape_k))
    _check_labels("t[b, k...]", t, n_v)
    x = x.reshape(n_b, n_v, n_k)
    t = t.reshape(n_b, n_k)
    dtype = x.dtype

    # x_at[b, k] = x[b, t[b, k], k]
    x_at = _entries_at(x, np.arange(n_b)[:, None], t, np.arange(n_k))
    # a block of b after the other
    max_x, sum_exp_x = _in_blocks(_forward_block, (x,), cut=(0,), join=(0, 0))
    # z[b, k] = log(sum[v](exp(x[b, v, k])))
    z = max_x + np.log(sum_exp_x)
    # L = mean[b, k](z[b, k] - x[b, t[b, k], k])
    z_minus_x_at = z - x_at
    L = _sum(z_minus_x_at, None) / (n_b * n_k)

    saved = Saved(x.reshape(n_b, n_v, *shape_k), t.reshape(n_b, *shape_k), z.reshape(n_b, *shape_k))
    return L.astype(dtype), saved


def _forward_block(x, buffers):
    """Compute max_x, sum_exp_x of a block of b."""
    (buffer_1,) = _buffers(buffers, 1, x)

    # max_x[b, k] = max[v](x[b, v, k])
    max_x = x.max(axis=1)
    # sum_exp_x[b, k] = sum[v](exp(x[b, v, k] - max_x[b, k]))
    x_minus_max_x = np.subtract(x, max_x[:, None, :], out=buffer_1)
    exp_x_minus_max_x = np.exp(x_minus_max_x, out=x_minus_max_x)
    sum_exp_x = exp_x_minus_max_x.sum(axis=1, dtype=np.float64)

    return max_x, sum_exp_x


def backward(saved, d_L=1.0, out=None):
    """Compute the gradients of the inputs from d_L, the gradient of what `forward` returned.

    They are written into the arrays of `out`, where it has some; these may share no memory with what is read.
    """
    out = Gradients(None) if out is None else out
    x, t, z = saved
    n_b, n_v, *shape_k = x.shape
    n_k = math.prod(shape_k)
    d_L = float(d_L)
    x = x.reshape(n_b, n_v, n_k)
    t = t.reshape(n_b, n_k)
    z = z.reshape(n_b, n_k)

    # d_z[b, k] = d_L / (size[b] * size[k])
    d_z = np.broadcast_to(d_L / (n_b * n_k), (n_b, n_k)).astype(np.float64)
    d_x = _buffer(out.x, x)
    # a block of b after the other
    (d_x,) = _in_blocks(
        _backward_block,
        (x, t, z, d_L, d_z, n_b),
        cut=(0, 0, 0, None, 0, None),
        join=(0,),
        out=(d_x,),
    )

    return Gradients(x=_into(out.x, d_x.reshape(n_b, n_v, *shape_k)))


def _backward_block(x, t, z, d_L, d_z, all_b, buffers, d_x):
    """Compute d_x of a block of b; all_b is the whole length."""
    n_k = x.shape[2]
    dtype = x.dtype

    # d_x[b, v, k] = -where(v == t[b, k], 1, 0) * d_L / (size[b] * size[k])
    #     + exp(x[b, v, k] - z[b, k]) * d_z[b, k]
    x_minus_z = _centre(x, z[:, None, :], out=d_x)
    d_x = np.exp(x_minus_z, out=x_minus_z)
    d_x *= d_z.astype(dtype)[:, None, :]
    _add_at(d_x, 1, t, -d_L / (all_b * n_k))

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


def _add_at(array, axis, places, values):
    """Add values to an array, at one place of a dimension for each place of the others."""
    places = np.expand_dims(places, axis)
    np.put_along_axis(array, places, np.take_along_axis(array, places, axis) + values, axis)


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


def _check_labels(what, labels, length):
    """Raise unless labels are whole numbers from 0 to length - 1."""
    if not np.issubdtype(labels.dtype, np.integer):
        raise TypeError(f"{what} must hold whole numbers, not {labels.dtype}.")
    if labels.size and not (0 <= labels.min() and labels.max() < length):
        raise ValueError(f"{what} must lie from 0 to {length - 1}, and holds {labels.min()} to {labels.max()}.")


def _inside(shape, places):
    """Where all places lie inside of their dimensions."""
    return np.logical_and.reduce([(place >= 0) & (place < length) for place, length in zip(places, shape)])


def _entries_at(array, *places, outside=False):
    """The entries at computed places of all dimensions; 0 where one lies outside, where they may."""
    if not outside:
        return array[places]
    inside = _inside(array.shape, np.broadcast_arrays(*places))
    return np.where(inside, array[tuple(np.where(inside, place, 0) for place in places)], 0)


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


def _centre(array, mean, out=None):
    """array - mean, with `mean` in double precision split in two, so that float32 loses nothing of it."""
    high = mean.astype(array.dtype)
    low = (mean - high).astype(array.dtype)
    out = np.subtract(array, high, out=out)
    return np.subtract(out, low, out=out) if low.any() else out
