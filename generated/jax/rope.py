"""Rotary position embedding: each pair of features is turned by an angle that its place gives.

Forward pass and its tangents for JAX of

    u[b, n, i] = x[b, n, i] * cos(angle[n, i]) - y[b, n, i] * sin(angle[n, i])
    v[b, n, i] = x[b, n, i] * sin(angle[n, i]) + y[b, n, i] * cos(angle[n, i])

The tangents were derived by symgrad from these equations. Every one below was proved equal, for
every size, to the derivative of the forward pass, and all together to be the adjoint of its
gradients; the formula that each line computes stands above it (dot_x is the tangent of x: the
direction in which x moves).

Generated from the layer rope and the template jax/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate rope --backend jax
"""

import math

import jax
import jax.numpy as jnp


def rope(x, y, angle):
    """Compute u[b..., n, i], v[b..., n, i]; differentiable in forward and reverse mode, to any order.

    Args:
        x[b..., n, i]: input.
        y[b..., n, i]: input.
        angle[n, i]: target, gets no gradient.
    """
    x, y, angle = _arrays(x=x, y=y, angle=angle)
    _check_dimensions("x[b..., n, i]", x, 2, more=True)
    *shape_b, n_n, n_i = x.shape
    _check_shape("y[b..., n, i]", y, (*shape_b, n_n, n_i))
    _check_shape("angle[n, i]", angle, (n_n, n_i))
    return _forward(x, y, angle)


@jax.custom_jvp
def _forward(x, y, angle):
    """Compute u[b..., n, i], v[b..., n, i]."""
    result = x.dtype
    dtype, _ = _dtypes(x, y, angle)
    *shape_b, n_n, n_i = x.shape
    n_b = math.prod(shape_b)
    x = x.astype(dtype).reshape(n_b, n_n, n_i)
    y = y.astype(dtype).reshape(n_b, n_n, n_i)
    angle = angle.astype(dtype)

    # u[b, n, i] = x[b, n, i] * cos(angle[n, i]) - y[b, n, i] * sin(angle[n, i])
    u = x * jnp.cos(angle) - y * jnp.sin(angle)
    # v[b, n, i] = x[b, n, i] * sin(angle[n, i]) + y[b, n, i] * cos(angle[n, i])
    v = x * jnp.sin(angle) + y * jnp.cos(angle)

    return (
        u.reshape(*shape_b, n_n, n_i).astype(result),
        v.reshape(*shape_b, n_n, n_i).astype(result),
    )


@_forward.defjvp
def _forward_jvp(primals, tangents):
    """The results of `_forward`, and their tangents."""
    x, y, angle = primals
    dot_x, dot_y, _ = tangents
    u, v = _forward(x, y, angle)
    dot_u, dot_v = _tangents(angle, dot_x, dot_y)
    return (u, v), (dot_u.astype(u.dtype), dot_v.astype(v.dtype))


@jax.checkpoint
def _tangents(angle, dot_x, dot_y):
    """Compute the tangents of u, v: linear in those of the inputs."""
    dtype, _ = _dtypes(angle, dot_x, dot_y)
    n_n, n_i = angle.shape
    shape_b = dot_x.shape[0:-2]
    n_b = math.prod(shape_b)
    angle = angle.astype(dtype)
    dot_x = dot_x.astype(dtype).reshape(n_b, n_n, n_i)
    dot_y = dot_y.astype(dtype).reshape(n_b, n_n, n_i)

    # dot_u[b, n, i] = dot_x[b, n, i] * cos(angle[n, i]) - dot_y[b, n, i] * sin(angle[n, i])
    dot_u = dot_x * jnp.cos(angle) - dot_y * jnp.sin(angle)
    # dot_v[b, n, i] = dot_x[b, n, i] * sin(angle[n, i]) + dot_y[b, n, i] * cos(angle[n, i])
    dot_v = dot_x * jnp.sin(angle) + dot_y * jnp.cos(angle)

    return dot_u.reshape(*shape_b, n_n, n_i), dot_v.reshape(*shape_b, n_n, n_i)


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
