"""A bilinear map of two vectors, with a bias.

Forward pass and its tangents for JAX of

    y[b, o] = sum[i, j](x[b, i] * w[o, i, j] * z[b, j]) + bias[o]

The tangents were derived by symgrad from these equations. Every one below was proved equal, for
every size, to the derivative of the forward pass, and all together to be the adjoint of its
gradients; the formula that each line computes stands above it (dot_x is the tangent of x: the
direction in which x moves).

Generated from the layer bilinear and the template jax/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate bilinear --backend jax
"""

import math

import jax
import jax.numpy as jnp


def bilinear(x, z, w, bias):
    """Compute y[b..., o]; differentiable in forward and reverse mode, to any order.

    Args:
        x[b..., i]: input.
        z[b..., j]: input.
        w[o, i, j]: parameter.
        bias[o]: parameter.
    """
    x, z, w, bias = _arrays(x=x, z=z, w=w, bias=bias)
    _check_dimensions("x[b..., i]", x, 1, more=True)
    *shape_b, n_i = x.shape
    _check_dimensions("z[b..., j]", z, 1, more=True)
    n_j = z.shape[-1]
    _check_shape("z[b..., j]", z, (*shape_b, n_j))
    _check_dimensions("w[o, i, j]", w, 3)
    n_o = w.shape[0]
    _check_shape("w[o, i, j]", w, (n_o, n_i, n_j))
    _check_shape("bias[o]", bias, (n_o,))
    return _forward(x, z, w, bias)


@jax.custom_jvp
def _forward(x, z, w, bias):
    """Compute y[b..., o]."""
    result = x.dtype
    dtype, _ = _dtypes(x, z, w, bias)
    *shape_b, n_i = x.shape
    n_b = math.prod(shape_b)
    n_j = z.shape[-1]
    n_o = w.shape[0]
    x = x.astype(dtype).reshape(n_b, n_i)
    z = z.astype(dtype).reshape(n_b, n_j)
    w = w.astype(dtype)
    bias = bias.astype(dtype)

    # sum_x_w_z[b, o] = sum[i, j](x[b, i] * w[o, i, j] * z[b, j])
    sum_x_w_z = jnp.einsum("bi,oij,bj->bo", x, w, z)
    # y[b, o] = sum[i, j](x[b, i] * w[o, i, j] * z[b, j]) + bias[o]
    y = sum_x_w_z + bias

    return y.reshape(*shape_b, n_o).astype(result)


@_forward.defjvp
def _forward_jvp(primals, tangents):
    """The results of `_forward`, and their tangents."""
    x, z, w, bias = primals
    dot_x, dot_z, dot_w, dot_bias = tangents
    y = _forward(x, z, w, bias)
    dot_y = _tangents(x, z, w, dot_x, dot_z, dot_w, dot_bias)
    return y, dot_y.astype(y.dtype)


@jax.checkpoint
def _tangents(x, z, w, dot_x, dot_z, dot_w, dot_bias):
    """Compute the tangents of y: linear in those of the inputs."""
    dtype, _ = _dtypes(x, z, w, dot_x, dot_z, dot_w, dot_bias)
    *shape_b, n_i = x.shape
    n_b = math.prod(shape_b)
    n_j = z.shape[-1]
    n_o = w.shape[0]
    x = x.astype(dtype).reshape(n_b, n_i)
    z = z.astype(dtype).reshape(n_b, n_j)
    w = w.astype(dtype)
    dot_x = dot_x.astype(dtype).reshape(n_b, n_i)
    dot_z = dot_z.astype(dtype).reshape(n_b, n_j)
    dot_w = dot_w.astype(dtype)
    dot_bias = dot_bias.astype(dtype)

    # sum_w_z[b, i, o] = sum[j](w[o, i, j] * z[b, j])
    sum_w_z = jnp.einsum("oij,bj->bio", w, z)
    # sum_dot_x_sum_w_z[b, o] = sum[i](dot_x[b, i] * sum[j](w[o, i, j] * z[b, j]))
    sum_dot_x_sum_w_z = (sum_w_z * dot_x[:, :, None]).sum(1)
    # sum_x_w[b, j, o] = sum[i](x[b, i] * w[o, i, j])
    sum_x_w = jnp.einsum("bi,oij->bjo", x, w)
    # sum_dot_z_sum_x_w[b, o] = sum[j](dot_z[b, j] * sum[i](x[b, i] * w[o, i, j]))
    sum_dot_z_sum_x_w = (sum_x_w * dot_z[:, :, None]).sum(1)
    # sum_x_z_dot_w[b, o] = sum[i, j](x[b, i] * z[b, j] * dot_w[o, i, j])
    sum_x_z_dot_w = jnp.einsum("bi,bj,oij->bo", x, z, dot_w)
    # dot_y[b, o] = sum[i](dot_x[b, i] * sum[j](w[o, i, j] * z[b, j]))
    #     + sum[j](dot_z[b, j] * sum[i](x[b, i] * w[o, i, j]))
    #     + sum[i, j](x[b, i] * z[b, j] * dot_w[o, i, j]) + dot_bias[o]
    dot_y = sum_dot_x_sum_w_z + sum_dot_z_sum_x_w + sum_x_z_dot_w + dot_bias

    return dot_y.reshape(*shape_b, n_o)


def _arrays(**arrays):
    """The arguments as arrays of real floating-point numbers."""
    found = {name: jnp.asarray(array) for name, array in arrays.items()}
    for name, array in found.items():
        if not jnp.issubdtype(array.dtype, jnp.floating):
            raise TypeError(f"{name} must be a floating-point array, not {array.dtype}.")
    return found.values()


def _check_dimensions(what, array, least, more=False):
    """Raise unless an array has as many dimensions as declared, and is not empty."""
    if array.ndim < least or (array.ndim > least and not more):
        raise ValueError(f"{what} must have {'at least ' if more else ''}{least} dimensions, not {array.ndim}.")
    if array.size == 0:
        raise ValueError(f"{what} is empty: its shape is {array.shape}.")


def _check_shape(what, array, shape):
    """Raise unless an array has the shape that follows from the others."""
    if array.shape != shape:
        raise ValueError(f"{what} must have the shape {shape}, not {array.shape}.")


def _dtypes(*arrays):
    """At least float32 to compute in; float64 for sums, where JAX has it (jax_enable_x64) and nothing is half."""
    given = [array.dtype for array in arrays]
    dtype = jnp.result_type(jnp.float32, *given)
    half = jnp.float16 in given or jnp.bfloat16 in given
    return dtype, dtype if half else jnp.promote_types(dtype, jnp.result_type(float))
