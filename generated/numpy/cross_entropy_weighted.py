"""Cross entropy with a weight for each class.

Forward and backward pass for NumPy of

    z[b, k] = log(sum[v](exp(x[b, v, k])))
    L = -sum[b, k, v](w[v] * q[b, v, k] * (x[b, v, k] - z[b, k])) / (size[b] * size[k])

The backward pass was derived by symgrad from these equations. Every gradient below was proved
equal, for every size, to the derivative of the forward pass; the formula that each line
computes stands above it (d_x is the gradient of the final scalar with respect to x).

Generated from the layer cross_entropy_weighted and the template numpy/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate cross_entropy_weighted --backend numpy
"""

import math
from typing import NamedTuple

import numpy as np

# How many numbers of the largest array are computed at a time, so that they stay in the processor's cache.
BLOCK = 65536


class Saved(NamedTuple):
    """What `forward` hands to `backward`."""

    x: np.ndarray  # x[b, v, k...]
    q: np.ndarray  # q[b, v, k...]
    w: np.ndarray  # w[v]
    z: np.ndarray  # z[b, k...]


class Gradients(NamedTuple):
    """The gradients of the inputs, each with its input's shape and dtype."""

    x: np.ndarray  # d_x[b, v, k...]


def forward(x, q, w):
    """Compute L, and what `backward` needs.

    Args:
        x[b, v, k...]: input.
        q[b, v, k...]: target, gets no gradient.
        w[v]: target, gets no gradient.
    """
    x, q, w = _arrays(x=x, q=q, w=w)
    _check_dimensions("x[b, v, k...]", x, 2, more=True)
    n_b, n_v, *shape_k = x.shape
    n_k = math.prod(shape_k)
    _check_shape("q[b, v, k...]", q, (n_b, n_v, *shape_k))
    _check_shape("w[v]", w, (n_v,))
    x = x.reshape(n_b, n_v, n_k)
    q = q.reshape(n_b, n_v, n_k)
    dtype = x.dtype

    # a block of b after the other
    z, L = _in_blocks(_forward_block, (x, q, w), cut=(0, 0, None), join=(0, None))
    # L = -sum[b, k, v](w[v] * q[b, v, k] * (x[b, v, k] - z[b, k])) / (size[b] * size[k])
    L = -L / (n_b * n_k)

    saved = Saved(
        x.reshape(n_b, n_v, *shape_k),
        q.reshape(n_b, n_v, *shape_k),
        w,
        z.reshape(n_b, *shape_k),
    )
    return L.astype(dtype), saved


def _forward_block(x, q, w, buffers):
    """Compute z, L of a block of b."""
    (buffer_1,) = _buffers(buffers, 1, x)

    # max_x[b, k] = max[v](x[b, v, k])
    max_x = x.max(axis=1)
    # sum_exp_x[b, k] = sum[v](exp(x[b, v, k] - max_x[b, k]))
    x_minus_max_x = np.subtract(x, max_x[:, None, :], out=buffer_1)
    exp_x_minus_max_x = np.exp(x_minus_max_x, out=x_minus_max_x)
    sum_exp_x = exp_x_minus_max_x.sum(axis=1, dtype=np.float64)
    # z[b, k] = log(sum[v](exp(x[b, v, k])))
    z = max_x + np.log(sum_exp_x)
    # L = -sum[b, k, v](w[v] * q[b, v, k] * (x[b, v, k] - z[b, k])) / (size[b] * size[k]), of this block
    w_x_minus_z = _centre(x, z[:, None, :], out=exp_x_minus_max_x)
    w_x_minus_z *= w[:, None]
    L = _dot(w_x_minus_z, q, None)

    return z, L


def backward(saved, d_L=1.0, out=None):
    """Compute the gradients of the inputs from d_L, the gradient of what `forward` returned.

    They are written into the arrays of `out`, where it has some; these may share no memory with what is read.
    """
    out = Gradients(None) if out is None else out
    x, q, w, z = saved
    n_b, n_v, *shape_k = x.shape
    n_k = math.prod(shape_k)
    d_L = float(d_L)
    x = x.reshape(n_b, n_v, n_k)
    q = q.reshape(n_b, n_v, n_k)
    z = z.reshape(n_b, n_k)

    d_x = _buffer(out.x, x)
    # a block of b after the other
    (d_x,) = _in_blocks(
        _backward_block,
        (x, q, w, z, d_L, n_b),
        cut=(0, 0, None, 0, None, None),
        join=(0,),
        out=(d_x,),
    )

    return Gradients(x=_into(out.x, d_x.reshape(n_b, n_v, *shape_k)))


def _backward_block(x, q, w, z, d_L, all_b, buffers, d_x):
    """Compute d_x of a block of b; all_b is the whole length."""
    n_k = x.shape[2]
    dtype = x.dtype
    (buffer_1,) = _buffers(buffers, 1, x)

    # w_q[b, v, k] = w[v] * q[b, v, k]
    w_q = np.multiply(q, w[:, None], out=buffer_1)
    # sum_w_q[b, k] = sum[v](w[v] * q[b, v, k])
    sum_w_q = _sum(w_q, 1)
    # d_z[b, k] = d_L * sum[v](w[v] * q[b, v, k]) / (size[b] * size[k])
    d_z = d_L * sum_w_q / (all_b * n_k)
    # d_x[b, v, k] = -w[v] * q[b, v, k] * d_L / (size[b] * size[k])
    #     + exp(x[b, v, k] - z[b, k]) * d_z[b, k]
    d_x = np.multiply(w_q, -d_L / (all_b * n_k), out=d_x)
    x_minus_z = _centre(x, z[:, None, :], out=w_q)
    exp_x_minus_z_d_z = np.exp(x_minus_z, out=x_minus_z)
    exp_x_minus_z_d_z *= d_z.astype(dtype)[:, None, :]
    d_x += exp_x_minus_z_d_z

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


def _centre(array, mean, out=None):
    """array - mean, with `mean` in double precision split in two, so that float32 loses nothing of it."""
    high = mean.astype(array.dtype)
    low = (mean - high).astype(array.dtype)
    out = np.subtract(array, high, out=out)
    return np.subtract(out, low, out=out) if low.any() else out
