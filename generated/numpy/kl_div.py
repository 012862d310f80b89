"""The Kullback-Leibler divergence of target probabilities from predicted log-probabilities.

Forward and backward pass for NumPy of

    L = sum[b, v](where(0 < t[b, v], t[b, v] * log(t[b, v]), 0) - t[b, v] * x[b, v]) / size[b]

The backward pass was derived by symgrad from these equations. Every gradient below was proved
equal, for every size, to the derivative of the forward pass; the formula that each line
computes stands above it (d_x is the gradient of the final scalar with respect to x).

Generated from the layer kl_div and the template numpy/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate kl_div --backend numpy
"""

import math
from typing import NamedTuple

import numpy as np

# How many numbers of the largest array are computed at a time, so that they stay in the processor's cache.
BLOCK = 65536


class Saved(NamedTuple):
    """What `forward` hands to `backward`."""

    t: np.ndarray  # t[b, v...]


class Gradients(NamedTuple):
    """The gradients of the inputs, each with its input's shape and dtype."""

    x: np.ndarray  # d_x[b, v...]


def forward(x, t):
    """Compute L, and what `backward` needs.

    Args:
        x[b, v...]: input.
        t[b, v...]: target, gets no gradient.
    """
    x, t = _arrays(x=x, t=t)
    _check_dimensions("x[b, v...]", x, 1, more=True)
    n_b, *shape_v = x.shape
    n_v = math.prod(shape_v)
    _check_shape("t[b, v...]", t, (n_b, *shape_v))
    x = x.reshape(n_b, n_v)
    t = t.reshape(n_b, n_v)
    dtype = x.dtype

    # a block of b after the other
    (L,) = _in_blocks(_forward_block, (x, t), cut=(0, 0), join=(None,))
    # L = sum[b, v](where(0 < t[b, v], t[b, v] * log(t[b, v]), 0) - t[b, v] * x[b, v]) / size[b]
    L = L / n_b

    saved = Saved(t.reshape(n_b, *shape_v))
    return L.astype(dtype), saved


def _forward_block(x, t, buffers):
    """Compute L of a block of b."""
    # L = sum[b, v](where(0 < t[b, v], t[b, v] * log(t[b, v]), 0) - t[b, v] * x[b, v]) / size[b], of this block
    t_masked = np.where(0 < t, t, 1)
    t_log_t_masked = np.log(t_masked, out=t_masked)
    t_log_t_masked *= t
    work = np.where(0 < t, t_log_t_masked, 0)
    t_x = np.multiply(t, x, out=t_log_t_masked)
    work -= t_x
    L = _sum(work, None)

    return L,


def backward(saved, d_L=1.0, out=None):
    """Compute the gradients of the inputs from d_L, the gradient of what `forward` returned.

    They are written into the arrays of `out`, where it has some; these may share no memory with what is read.
    """
    out = Gradients(None) if out is None else out
    (t,) = saved
    n_b, *shape_v = t.shape
    n_v = math.prod(shape_v)
    d_L = float(d_L)
    t = t.reshape(n_b, n_v)

    d_x = _buffer(out.x, t)
    # a block of b after the other
    (d_x,) = _in_blocks(_backward_block, (t, d_L, n_b), cut=(0, None, None), join=(0,), out=(d_x,))

    return Gradients(x=_into(out.x, d_x.reshape(n_b, *shape_v)))


def _backward_block(t, d_L, all_b, buffers, d_x):
    """Compute d_x of a block of b; all_b is the whole length."""
    # d_x[b, v] = -t[b, v] * d_L / size[b]
    d_x = np.multiply(t, -d_L / all_b, out=d_x)

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
