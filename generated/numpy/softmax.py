"""The softmax over the last dimension.

Forward and backward pass for NumPy of

    y[b, v] = exp(x[b, v]) / sum[v](exp(x[b, v]))

The backward pass was derived by symgrad from these equations. Every gradient below was proved
equal, for every size, to the derivative of the forward pass; the formula that each line
computes stands above it (d_x is the gradient of the final scalar with respect to x).

Generated from the layer softmax and the template numpy/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate softmax --backend numpy
"""

import math
from typing import NamedTuple

import numpy as np

# How many numbers of the largest array are computed at a time, so that they stay in the processor's cache.
BLOCK = 65536


class Saved(NamedTuple):
    """What `forward` hands to `backward`."""

    y: np.ndarray  # y[b..., v]


class Gradients(NamedTuple):
    """The gradients of the inputs, each with its input's shape and dtype."""

    x: np.ndarray  # d_x[b..., v]


def forward(x, *, out=None):
    """Compute y[b..., v], and what `backward` needs.

    Args:
        x[b..., v]: input.
        out: the array to write y into; it may share no memory with the arguments.
    """
    (x,) = _arrays(x=x)
    _check_dimensions("x[b..., v]", x, 1, more=True)
    *shape_b, n_v = x.shape
    n_b = math.prod(shape_b)
    x = x.reshape(n_b, n_v)

    y = _buffer(out, x)
    # a block of b after the other
    (y,) = _in_blocks(_forward_block, (x,), cut=(0,), join=(0,), out=(y,))

    saved = Saved(y.reshape(*shape_b, n_v))
    return _into(out, y.reshape(*shape_b, n_v)), saved


def _forward_block(x, buffers, y):
    """Compute y of a block of b."""
    dtype = x.dtype

    # max_x[b] = max[v](x[b, v])
    max_x = x.max(axis=1)
    # exp_x[b, v] = exp(x[b, v] - max_x[b])
    x_minus_max_x = np.subtract(x, max_x[:, None], out=y)
    exp_x = np.exp(x_minus_max_x, out=x_minus_max_x)
    # sum_exp_x[b] = sum[v](exp(x[b, v] - max_x[b]))
    sum_exp_x = _sum(exp_x, 1)
    # y[b, v] = exp(x[b, v]) / sum[v](exp(x[b, v]))
    y = np.multiply(exp_x, (1 / sum_exp_x).astype(dtype)[:, None], out=exp_x)

    return y,


def backward(saved, d_y, out=None):
    """Compute the gradients of the inputs from d_y[b..., v], the gradient of what `forward` returned.

    They are written into the arrays of `out`, where it has some; these may share no memory with what is read.
    """
    out = Gradients(None) if out is None else out
    (y,) = saved
    *shape_b, n_v = y.shape
    n_b = math.prod(shape_b)
    (d_y,) = _arrays(y.dtype, d_y=d_y)
    _check_shape("d_y[b..., v]", d_y, (*shape_b, n_v))
    y = y.reshape(n_b, n_v)
    d_y = d_y.reshape(n_b, n_v)

    d_x = _buffer(out.x, y)
    # a block of b after the other
    (d_x,) = _in_blocks(_backward_block, (y, d_y), cut=(0, 0), join=(0,), out=(d_x,))

    return Gradients(x=_into(out.x, d_x.reshape(*shape_b, n_v)))


def _backward_block(y, d_y, buffers, d_x):
    """Compute d_x of a block of b."""
    # sum_y_d_y[b] = sum[v](y[b, v] * d_y[b, v])
    sum_y_d_y = np.einsum("bv,bv->b", y, d_y, dtype=np.float64)
    # d_x[b, v] = y[b, v] * (d_y[b, v] - sum[v](y[b, v] * d_y[b, v]))
    d_x = _centre(d_y, sum_y_d_y[:, None], out=d_x)
    d_x *= y

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


def _centre(array, mean, out=None):
    """array - mean, with `mean` in double precision split in two, so that float32 loses nothing of it."""
    high = mean.astype(array.dtype)
    low = (mean - high).astype(array.dtype)
    out = np.subtract(array, high, out=out)
    return np.subtract(out, low, out=out) if low.any() else out
