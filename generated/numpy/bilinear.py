"""A bilinear map of two vectors, with a bias.

Forward and backward pass for NumPy of

    y[b, o] = sum[i, j](x[b, i] * w[o, i, j] * z[b, j]) + bias[o]

The backward pass was derived by symgrad from these equations. Every gradient below was proved
equal, for every size, to the derivative of the forward pass; the formula that each line
computes stands above it (d_x is the gradient of the final scalar with respect to x).

Generated from the layer bilinear and the template numpy/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate bilinear --backend numpy
"""

import math
from typing import NamedTuple

import numpy as np


class Saved(NamedTuple):
    """What `forward` hands to `backward`."""

    x: np.ndarray  # x[b..., i]
    z: np.ndarray  # z[b..., j]
    w: np.ndarray  # w[o, i, j]


class Gradients(NamedTuple):
    """The gradients of the inputs, each with its input's shape and dtype."""

    x: np.ndarray  # d_x[b..., i]
    z: np.ndarray  # d_z[b..., j]
    w: np.ndarray  # d_w[o, i, j]
    bias: np.ndarray  # d_bias[o]


def forward(x, z, w, bias, *, out=None):
    """Compute y[b..., o], and what `backward` needs.

    Args:
        x[b..., i]: input.
        z[b..., j]: input.
        w[o, i, j]: parameter.
        bias[o]: parameter.
        out: the array to write y into; it may share no memory with the arguments.
    """
    x, z, w, bias = _arrays(x=x, z=z, w=w, bias=bias)
    _check_dimensions("x[b..., i]", x, 1, more=True)
    *shape_b, n_i = x.shape
    n_b = math.prod(shape_b)
    _check_dimensions("z[b..., j]", z, 1, more=True)
    n_j = z.shape[-1]
    _check_shape("z[b..., j]", z, (*shape_b, n_j))
    _check_dimensions("w[o, i, j]", w, 3)
    n_o = w.shape[0]
    _check_shape("w[o, i, j]", w, (n_o, n_i, n_j))
    _check_shape("bias[o]", bias, (n_o,))
    x = x.reshape(n_b, n_i)
    z = z.reshape(n_b, n_j)

    # sum_x_w_z[b, o] = sum[i, j](x[b, i] * w[o, i, j] * z[b, j])
    sum_x_w_z = np.einsum("bi,oij,bj->bo", x, w, z, optimize=True)
    # y[b, o] = sum[i, j](x[b, i] * w[o, i, j] * z[b, j]) + bias[o]
    y = np.add(sum_x_w_z, bias, out=sum_x_w_z)

    saved = Saved(x.reshape(*shape_b, n_i), z.reshape(*shape_b, n_j), w)
    return _into(out, y.reshape(*shape_b, n_o)), saved


def backward(saved, d_y, out=None):
    """Compute the gradients of the inputs from d_y[b..., o], the gradient of what `forward` returned.

    They are written into the arrays of `out`, where it has some; these may share no memory with what is read.
    """
    out = Gradients(None, None, None, None) if out is None else out
    x, z, w = saved
    *shape_b, n_i = x.shape
    n_b = math.prod(shape_b)
    n_j = z.shape[-1]
    n_o = w.shape[0]
    (d_y,) = _arrays(x.dtype, d_y=d_y)
    _check_shape("d_y[b..., o]", d_y, (*shape_b, n_o))
    x = x.reshape(n_b, n_i)
    z = z.reshape(n_b, n_j)
    d_y = d_y.reshape(n_b, n_o)
    dtype = x.dtype

    # d_bias[o] = sum[b](d_y[b, o])
    d_bias = _sum(d_y, 0)
    # sum_w_z[b, i, o] = sum[j](w[o, i, j] * z[b, j])
    sum_w_z = (w.transpose(1, 0, 2) @ z.T).transpose(2, 0, 1)
    # d_x[b, i] = sum[o](d_y[b, o] * sum[j](w[o, i, j] * z[b, j]))
    sum_w_z *= d_y[:, None, :]
    d_x = sum_w_z.sum(axis=2)
    # sum_x_w[b, j, o] = sum[i](x[b, i] * w[o, i, j])
    sum_x_w = (w.transpose(2, 0, 1) @ x.T).transpose(2, 0, 1)
    # d_z[b, j] = sum[o](d_y[b, o] * sum[i](x[b, i] * w[o, i, j]))
    sum_x_w *= d_y[:, None, :]
    d_z = sum_x_w.sum(axis=2)
    # d_w[o, i, j] = sum[b](x[b, i] * z[b, j] * d_y[b, o])
    d_w = np.einsum("bi,bj,bo->oij", x, z, d_y, optimize=True)

    return Gradients(
        x=_into(out.x, d_x.reshape(*shape_b, n_i)),
        z=_into(out.z, d_z.reshape(*shape_b, n_j)),
        w=_into(out.w, d_w),
        bias=_into(out.bias, d_bias.astype(dtype)),
    )


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
