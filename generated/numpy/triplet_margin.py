"""The triplet margin loss: an anchor a is nearer to p than to n, by a margin.

Forward and backward pass for NumPy of

    near[b] = sqrt(sum[d]((a[b, d] - p[b, d] + eps)**2))
    far[b] = sqrt(sum[d]((a[b, d] - n[b, d] + eps)**2))
    h[b] = margin + near[b] - far[b]
    L = mean[b](where(0 <= h[b], h[b], 0))

The backward pass was derived by symgrad from these equations. Every gradient below was proved
equal, for every size, to the derivative of the forward pass; the formula that each line
computes stands above it (d_x is the gradient of the final scalar with respect to x).

Generated from the layer triplet_margin and the template numpy/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate triplet_margin --backend numpy
"""

import math
from typing import NamedTuple

import numpy as np

# How many numbers of the largest array are computed at a time, so that they stay in the processor's cache.
BLOCK = 65536


class Saved(NamedTuple):
    """What `forward` hands to `backward`."""

    a: np.ndarray  # a[b..., d]
    p: np.ndarray  # p[b..., d]
    n: np.ndarray  # n[b..., d]
    margin: float  # margin
    eps: float  # eps
    near: np.ndarray  # near[b...]
    far: np.ndarray  # far[b...]


class Gradients(NamedTuple):
    """The gradients of the inputs, each with its input's shape and dtype."""

    a: np.ndarray  # d_a[b..., d]
    p: np.ndarray  # d_p[b..., d]
    n: np.ndarray  # d_n[b..., d]


def forward(a, p, n, *, margin=1, eps=1e-6):
    """Compute L, and what `backward` needs.

    Args:
        a[b..., d]: input.
        p[b..., d]: input.
        n[b..., d]: input.
        margin: a constant.
        eps: a constant.
    """
    a, p, n = _arrays(a=a, p=p, n=n)
    _check_dimensions("a[b..., d]", a, 1, more=True)
    *shape_b, n_d = a.shape
    n_b = math.prod(shape_b)
    _check_shape("p[b..., d]", p, (*shape_b, n_d))
    _check_shape("n[b..., d]", n, (*shape_b, n_d))
    a = a.reshape(n_b, n_d)
    p = p.reshape(n_b, n_d)
    n = n.reshape(n_b, n_d)
    dtype = a.dtype

    # a block of b after the other
    sum_a_minus_p_squared, sum_a_minus_n_squared = _in_blocks(
        _forward_block,
        (a, p, n, eps),
        cut=(0, 0, 0, None),
        join=(0, 0),
    )
    # near[b] = sqrt(sum[d]((a[b, d] - p[b, d] + eps)**2))
    near = np.sqrt(sum_a_minus_p_squared)
    # far[b] = sqrt(sum[d]((a[b, d] - n[b, d] + eps)**2))
    far = np.sqrt(sum_a_minus_n_squared)
    # h[b] = margin + near[b] - far[b]
    h = margin + near - far
    # L = mean[b](where(0 <= h[b], h[b], 0))
    h_masked = np.where(0 <= h, h, 0)
    L = _sum(h_masked, None) / n_b

    saved = Saved(
        a.reshape(*shape_b, n_d),
        p.reshape(*shape_b, n_d),
        n.reshape(*shape_b, n_d),
        margin,
        eps,
        near.reshape(shape_b),
        far.reshape(shape_b),
    )
    return L.astype(dtype), saved


def _forward_block(a, p, n, eps, buffers):
    """Compute sum_a_minus_p_squared, sum_a_minus_n_squared of a block of b."""
    (buffer_1,) = _buffers(buffers, 1, a)

    # sum_a_minus_p_squared[b] = sum[d]((a[b, d] - p[b, d] + eps)**2)
    a_minus_p = np.subtract(a, p, out=buffer_1)
    a_minus_p += eps
    sum_a_minus_p_squared = _dot(a_minus_p, a_minus_p, 1)
    # sum_a_minus_n_squared[b] = sum[d]((a[b, d] - n[b, d] + eps)**2)
    a_minus_n = np.subtract(a, n, out=a_minus_p)
    a_minus_n += eps
    sum_a_minus_n_squared = _dot(a_minus_n, a_minus_n, 1)

    return sum_a_minus_p_squared, sum_a_minus_n_squared


def backward(saved, d_L=1.0, out=None):
    """Compute the gradients of the inputs from d_L, the gradient of what `forward` returned.

    They are written into the arrays of `out`, where it has some; these may share no memory with what is read.
    """
    out = Gradients(None, None, None) if out is None else out
    a, p, n, margin, eps, near, far = saved
    *shape_b, n_d = a.shape
    n_b = math.prod(shape_b)
    d_L = float(d_L)
    a = a.reshape(n_b, n_d)
    p = p.reshape(n_b, n_d)
    n = n.reshape(n_b, n_d)
    near = near.reshape(n_b)
    far = far.reshape(n_b)
    dtype = a.dtype

    # h[b] = margin + near[b] - far[b]
    h = margin + near - far
    # d_h[b] = d_L * mean[i](where(0 <= h[i], where(i == b, 1, 0), 0))
    d_h = np.where(0 <= h, d_L / n_b, 0).astype(dtype)
    # d_near[b] = d_h[b]
    d_near = d_h
    # d_far[b] = -d_h[b]
    d_far = -d_h
    d_a = _buffer(out.a, a)
    d_p = _buffer(out.p, a)
    d_n = _buffer(out.n, a)
    # a block of b after the other
    d_a, d_p, d_n = _in_blocks(
        _backward_block,
        (a, p, n, eps, d_near, d_far),
        cut=(0, 0, 0, None, 0, 0),
        join=(0, 0, 0),
        out=(d_a, d_p, d_n),
    )

    return Gradients(
        a=_into(out.a, d_a.reshape(*shape_b, n_d)),
        p=_into(out.p, d_p.reshape(*shape_b, n_d)),
        n=_into(out.n, d_n.reshape(*shape_b, n_d)),
    )


def _backward_block(a, p, n, eps, d_near, d_far, buffers, d_a, d_p, d_n):
    """Compute d_a, d_p, d_n of a block of b."""
    dtype = a.dtype

    # a_minus_p[b, d] = a[b, d] - p[b, d] + eps
    a_minus_p = np.subtract(a, p, out=d_p)
    a_minus_p += eps
    # sum_a_minus_p_squared[b] = sum[d]((a[b, d] - p[b, d] + eps)**2)
    sum_a_minus_p_squared = _dot(a_minus_p, a_minus_p, 1)
    # root[b] = 1 / sqrt(sum[d]((a[b, d] - p[b, d] + eps)**2))
    root = 1 / np.sqrt(sum_a_minus_p_squared)
    # a_minus_n[b, d] = a[b, d] - n[b, d] + eps
    a_minus_n = np.subtract(a, n, out=d_n)
    a_minus_n += eps
    # sum_a_minus_n_squared[b] = sum[d]((a[b, d] - n[b, d] + eps)**2)
    sum_a_minus_n_squared = _dot(a_minus_n, a_minus_n, 1)
    # root_2[b] = 1 / sqrt(sum[d]((a[b, d] - n[b, d] + eps)**2))
    root_2 = 1 / np.sqrt(sum_a_minus_n_squared)
    # d_far_a_minus_n[b, d] = d_far[b] * a_minus_n[b, d]
    d_far_a_minus_n = np.multiply(a_minus_n, d_far.astype(dtype)[:, None], out=a_minus_n)
    # d_near_a_minus_p[b, d] = d_near[b] * a_minus_p[b, d]
    d_near_a_minus_p = np.multiply(a_minus_p, d_near.astype(dtype)[:, None], out=a_minus_p)
    # root_d_near_a_minus_p[b, d] = root[b] * d_near_a_minus_p[b, d]
    root_d_near_a_minus_p = np.multiply(d_near_a_minus_p, root.astype(dtype)[:, None], out=d_near_a_minus_p)
    # root_2_d_far_a_minus_n[b, d] = root_2[b] * d_far_a_minus_n[b, d]
    root_2_d_far_a_minus_n = np.multiply(d_far_a_minus_n, root_2.astype(dtype)[:, None], out=d_far_a_minus_n)
    # d_a[b, d] = (a[b, d] - p[b, d] + eps) * d_near[b] / sqrt(sum[i]((a[b, i] - p[b, i] + eps)**2))
    #     + (a[b, d] - n[b, d] + eps) * d_far[b] / sqrt(sum[i]((a[b, i] - n[b, i] + eps)**2))
    d_a = np.add(root_d_near_a_minus_p, root_2_d_far_a_minus_n, out=d_a)
    # d_p[b, d] = -(a[b, d] - p[b, d] + eps) * d_near[b] / sqrt(sum[i]((a[b, i] - p[b, i] + eps)**2))
    d_p = np.negative(root_d_near_a_minus_p, out=root_d_near_a_minus_p)
    # d_n[b, d] = -(a[b, d] - n[b, d] + eps) * d_far[b] / sqrt(sum[i]((a[b, i] - n[b, i] + eps)**2))
    d_n = np.negative(root_2_d_far_a_minus_n, out=root_2_d_far_a_minus_n)

    return d_a, d_p, d_n


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
