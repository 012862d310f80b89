"""Weight normalization: a weight as its length g and its direction v, for each output.

Forward pass and its tangents for JAX of

    r[o] = sqrt(sum[i](v[o, i]**2))
    w[o, i] = g[o] * v[o, i] / r[o]

The tangents were derived by symgrad from these equations. Every one below was proved equal, for
every size, to the derivative of the forward pass, and all together to be the adjoint of its
gradients; the formula that each line computes stands above it (dot_x is the tangent of x: the
direction in which x moves).

Generated from the layer weight_norm and the template jax/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate weight_norm --backend jax
"""

import math

import jax
import jax.numpy as jnp


def weight_norm(v, g):
    """Compute w[o, i...]; differentiable in forward and reverse mode, to any order.

    Args:
        v[o, i...]: parameter.
        g[o]: parameter.
    """
    v, g = _arrays(v=v, g=g)
    _check_dimensions("v[o, i...]", v, 1, more=True)
    n_o, *shape_i = v.shape
    _check_shape("g[o]", g, (n_o,))
    w, *_ = _forward(v, g)
    return w


@jax.custom_jvp
def _forward(v, g):
    """Compute w[o, i...], and the statistics r."""
    result = v.dtype
    dtype, wide = _dtypes(v, g)
    n_o, *shape_i = v.shape
    n_i = math.prod(shape_i)
    v = v.astype(dtype).reshape(n_o, n_i)
    g = g.astype(dtype)

    # sum_v_squared[o] = sum[i](v[o, i]**2)
    sum_v_squared = jnp.square(v).sum(1, dtype=wide)
    # r[o] = sqrt(sum[i](v[o, i]**2))
    r = jnp.sqrt(sum_v_squared)
    # w[o, i] = g[o] * v[o, i] / r[o]
    w = v * (g / r).astype(dtype)[:, None]

    return w.reshape(n_o, *shape_i).astype(result), r


@_forward.defjvp
def _forward_jvp(primals, tangents):
    """The results of `_forward`, and their tangents."""
    v, g = primals
    dot_v, dot_g = tangents
    w, r = _forward(v, g)
    dot_w, dot_r = _tangents(v, g, r, dot_v, dot_g)
    return (w, r), (dot_w.astype(w.dtype), dot_r.astype(r.dtype))


@jax.checkpoint
def _tangents(v, g, r, dot_v, dot_g):
    """Compute the tangents of w, r: linear in those of the inputs."""
    dtype, wide = _dtypes(v, g, dot_v, dot_g)
    n_o, *shape_i = v.shape
    n_i = math.prod(shape_i)
    v = v.astype(dtype).reshape(n_o, n_i)
    g = g.astype(dtype)
    dot_v = dot_v.astype(dtype).reshape(n_o, n_i)
    dot_g = dot_g.astype(dtype)

    # sum_v_squared[o] = sum[i](v[o, i]**2)
    sum_v_squared = jnp.square(v).sum(1, dtype=wide)
    # sum_v_dot_v[o] = sum[i](v[o, i] * dot_v[o, i])
    sum_v_dot_v = (v * dot_v).sum(1, dtype=wide)
    # dot_r[o] = sum[i](v[o, i] * dot_v[o, i]) / sqrt(sum[k](v[o, k]**2))
    dot_r = sum_v_dot_v / jnp.sqrt(sum_v_squared)
    # dot_w[o, i] = g[o] * dot_v[o, i] / r[o] + v[o, i] * dot_g[o] / r[o]
    #     - g[o] * v[o, i] * dot_r[o] / r[o]**2
    dot_w = (
        dot_v * (g / r).astype(dtype)[:, None]
        + v * (dot_g / r - g * dot_r / r**2).astype(dtype)[:, None]
    )

    return dot_w.reshape(n_o, *shape_i), dot_r


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
