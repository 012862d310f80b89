"""Weight normalization: a weight as its length g and its direction v, for each output.

Forward and backward pass for NumPy of

    r[o] = sqrt(sum[i](v[o, i]**2))
    w[o, i] = g[o] * v[o, i] / r[o]

The backward pass was derived by symgrad from these equations. Every gradient below was proved
equal, for every size, to the derivative of the forward pass; the formula that each line
computes stands above it (d_x is the gradient of the final scalar with respect to x).

Generated from the layer weight_norm and the template numpy/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate weight_norm --backend numpy
"""

import math
from typing import NamedTuple

import numpy as np

# How many numbers of the largest array are computed at a time, so that they stay in the processor's cache.
BLOCK = 65536


class Saved(NamedTuple):
    """What `forward` hands to `backward`."""

    v: np.ndarray  # v[o, i...]
    g: np.ndarray  # g[o]
    r: np.ndarray  # r[o]


class Gradients(NamedTuple):
    """The gradients of the inputs, each with its input's shape and dtype."""

    v: np.ndarray  # d_v[o, i...]
    g: np.ndarray  # d_g[o]


def forward(v, g, *, out=None):
    """Compute w[o, i...], and what `backward` needs.

    Args:
        v[o, i...]: parameter.
        g[o]: parameter.
        out: the array to write w into; it may share no memory with the arguments.
    """
    v, g = _arrays(v=v, g=g)
    _check_dimensions("v[o, i...]", v, 1, more=True)
    n_o, *shape_i = v.shape
    n_i = math.prod(shape_i)
    _check_shape("g[o]", g, (n_o,))
    v = v.reshape(n_o, n_i)

    w = _buffer(out, v)
    # a block of o after the other
    r, w = _in_blocks(_forward_block, (v, g), cut=(0, 0), join=(0, 0), out=(None, w))

    saved = Saved(v.reshape(n_o, *shape_i), g, r)
    return _into(out, w.reshape(n_o, *shape_i)), saved


def _forward_block(v, g, buffers, w):
    """Compute r, w of a block of o."""
    dtype = v.dtype

    # sum_v_squared[o] = sum[i](v[o, i]**2)
    sum_v_squared = _dot(v, v, 1)
    # r[o] = sqrt(sum[i](v[o, i]**2))
    r = np.sqrt(sum_v_squared)
    # w[o, i] = g[o] * v[o, i] / r[o]
    w = np.multiply(v, (g / r).astype(dtype)[:, None], out=w)

    return r, w


def backward(saved, d_w, out=None):
    """Compute the gradients of the inputs from d_w[o, i...], the gradient of what `forward` returned.

    They are written into the arrays of `out`, where it has some; these may share no memory with what is read.
    """
    out = Gradients(None, None) if out is None else out
    v, g, r = saved
    n_o, *shape_i = v.shape
    n_i = math.prod(shape_i)
    (d_w,) = _arrays(v.dtype, d_w=d_w)
    _check_shape("d_w[o, i...]", d_w, (n_o, *shape_i))
    v = v.reshape(n_o, n_i)
    d_w = d_w.reshape(n_o, n_i)
    dtype = v.dtype

    d_v = _buffer(out.v, v)
    # a block of o after the other
    sum_v_d_w, d_v = _in_blocks(
        _backward_block,
        (v, g, r, d_w),
        cut=(0, 0, 0, 0),
        join=(0, 0),
        out=(None, d_v),
    )
    # d_g[o] = sum[i](v[o, i] * d_w[o, i]) / r[o]
    d_g = sum_v_d_w / r

    return Gradients(v=_into(out.v, d_v.reshape(n_o, *shape_i)), g=_into(out.g, d_g.astype(dtype)))


def _backward_block(v, g, r, d_w, buffers, d_v):
    """Compute sum_v_d_w, d_v of a block of o."""
    dtype = v.dtype
    (buffer_1,) = _buffers(buffers, 1, v)

    # sum_v_d_w[o] = sum[i](v[o, i] * d_w[o, i])
    sum_v_d_w = _dot(v, d_w, 1)
    # sum_v_squared[o] = sum[i](v[o, i]**2)
    sum_v_squared = _dot(v, v, 1)
    # d_r[o] = -g[o] * sum[i](v[o, i] * d_w[o, i]) / r[o]**2
    d_r = -g * sum_v_d_w / r**2
    # d_v[o, i] = g[o] * d_w[o, i] / r[o] + v[o, i] * d_r[o] / sqrt(sum[k](v[o, k]**2))
    d_v = np.multiply(d_w, (g / r).astype(dtype)[:, None], out=d_v)
    work = np.multiply(v, (d_r / np.sqrt(sum_v_squared)).astype(dtype)[:, None], out=buffer_1)
    d_v += work

    return sum_v_d_w, d_v


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
