"""Rotary position embedding: each pair of features is turned by an angle that its place gives.

Forward and backward pass for NumPy of

    u[b, n, i] = x[b, n, i] * cos(angle[n, i]) - y[b, n, i] * sin(angle[n, i])
    v[b, n, i] = x[b, n, i] * sin(angle[n, i]) + y[b, n, i] * cos(angle[n, i])

The backward pass was derived by symgrad from these equations. Every gradient below was proved
equal, for every size, to the derivative of the forward pass; the formula that each line
computes stands above it (d_x is the gradient of the final scalar with respect to x).

Generated from the layer rope and the template numpy/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate rope --backend numpy
"""

import math
from typing import NamedTuple

import numpy as np

# How many numbers of the largest array are computed at a time, so that they stay in the processor's cache.
BLOCK = 65536


class Saved(NamedTuple):
    """What `forward` hands to `backward`."""

    angle: np.ndarray  # angle[n, i]


class Gradients(NamedTuple):
    """The gradients of the inputs, each with its input's shape and dtype."""

    x: np.ndarray  # d_x[b..., n, i]
    y: np.ndarray  # d_y[b..., n, i]


def forward(x, y, angle, *, out=None):
    """Compute u[b..., n, i], v[b..., n, i], and what `backward` needs.

    Args:
        x[b..., n, i]: input.
        y[b..., n, i]: input.
        angle[n, i]: target, gets no gradient.
        out: arrays to write the outputs into, or None; it may share no memory with the arguments.
    """
    out = (None,) * 2 if out is None else out
    x, y, angle = _arrays(x=x, y=y, angle=angle)
    _check_dimensions("x[b..., n, i]", x, 2, more=True)
    *shape_b, n_n, n_i = x.shape
    n_b = math.prod(shape_b)
    _check_shape("y[b..., n, i]", y, (*shape_b, n_n, n_i))
    _check_shape("angle[n, i]", angle, (n_n, n_i))
    x = x.reshape(n_b, n_n, n_i)
    y = y.reshape(n_b, n_n, n_i)

    u = _buffer(out[0], x)
    v = _buffer(out[1], x)
    # a block of b after the other
    u, v = _in_blocks(_forward_block, (x, y, angle), cut=(0, 0, None), join=(0, 0), out=(u, v))

    saved = Saved(angle)
    return (_into(out[0], u.reshape(*shape_b, n_n, n_i)), _into(out[1], v.reshape(*shape_b, n_n, n_i))), saved


def _forward_block(x, y, angle, buffers, u, v):
    """Compute u, v of a block of b."""
    (buffer_1,) = _buffers(buffers, 1, x)

    # u[b, n, i] = x[b, n, i] * cos(angle[n, i]) - y[b, n, i] * sin(angle[n, i])
    u = np.multiply(x, np.cos(angle), out=u)
    y_sin_angle = np.multiply(y, np.sin(angle), out=buffer_1)
    u -= y_sin_angle
    # v[b, n, i] = x[b, n, i] * sin(angle[n, i]) + y[b, n, i] * cos(angle[n, i])
    v = np.multiply(x, np.sin(angle), out=v)
    y_cos_angle = np.multiply(y, np.cos(angle), out=y_sin_angle)
    v += y_cos_angle

    return u, v


def backward(saved, d_u, d_v, out=None):
    """Compute the gradients of the inputs from those of what `forward` returned:

    d_u[b..., n, i], d_v[b..., n, i].

    They are written into the arrays of `out`, where it has some; these may share no memory with what is read.
    """
    out = Gradients(None, None) if out is None else out
    (angle,) = saved
    n_n, n_i = angle.shape
    d_u, d_v = _arrays(d_u=d_u, d_v=d_v)
    _check_dimensions("d_u[b..., n, i]", d_u, 2, more=True)
    shape_b = d_u.shape[0:-2]
    n_b = math.prod(shape_b)
    _check_shape("d_u[b..., n, i]", d_u, (*shape_b, n_n, n_i))
    _check_shape("d_v[b..., n, i]", d_v, (*shape_b, n_n, n_i))
    d_u = d_u.reshape(n_b, n_n, n_i)
    d_v = d_v.reshape(n_b, n_n, n_i)

    d_x = _buffer(out.x, d_u)
    d_y = _buffer(out.y, d_u)
    # a block of b after the other
    d_x, d_y = _in_blocks(
        _backward_block,
        (angle, d_u, d_v),
        cut=(None, 0, 0),
        join=(0, 0),
        out=(d_x, d_y),
    )

    return Gradients(
        x=_into(out.x, d_x.reshape(*shape_b, n_n, n_i)),
        y=_into(out.y, d_y.reshape(*shape_b, n_n, n_i)),
    )


def _backward_block(angle, d_u, d_v, buffers, d_x, d_y):
    """Compute d_x, d_y of a block of b."""
    (buffer_1,) = _buffers(buffers, 1, d_u)

    # d_x[b, n, i] = cos(angle[n, i]) * d_u[b, n, i] + sin(angle[n, i]) * d_v[b, n, i]
    d_x = np.multiply(d_u, np.cos(angle), out=d_x)
    sin_angle_d_v = np.multiply(d_v, np.sin(angle), out=buffer_1)
    d_x += sin_angle_d_v
    # d_y[b, n, i] = -sin(angle[n, i]) * d_u[b, n, i] + cos(angle[n, i]) * d_v[b, n, i]
    d_y = np.multiply(d_u, -np.sin(angle), out=d_y)
    cos_angle_d_v = np.multiply(d_v, np.cos(angle), out=sin_angle_d_v)
    d_y += cos_angle_d_v

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
