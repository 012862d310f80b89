"""The rectifier with a learned slope for negative elements, one for each channel.

Forward pass and its tangents for JAX of

    y[s, c, k] = where(0 < x[s, c, k], x[s, c, k], w[c] * x[s, c, k])

The tangents were derived by symgrad from these equations. Every one below was proved equal, for
every size, to the derivative of the forward pass, and all together to be the adjoint of its
gradients; the formula that each line computes stands above it (dot_x is the tangent of x: the
direction in which x moves).

Generated from the layer prelu and the template jax/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate prelu --backend jax
"""

import math

import jax
import jax.numpy as jnp


def prelu(x, w):
    """Compute y[s, c, k...]; differentiable in forward and reverse mode, to any order.

    Args:
        x[s, c, k...]: input.
        w[c]: parameter.
    """
    x, w = _arrays(x=x, w=w)
    _check_dimensions("x[s, c, k...]", x, 2, more=True)
    n_s, n_c, *shape_k = x.shape
    _check_shape("w[c]", w, (n_c,))
    return _forward(x, w)


@jax.custom_jvp
def _forward(x, w):
    """Compute y[s, c, k...]."""
    result = x.dtype
    dtype, _ = _dtypes(x, w)
    n_s, n_c, *shape_k = x.shape
    n_k = math.prod(shape_k)
    x = x.astype(dtype).reshape(n_s, n_c, n_k)
    w = w.astype(dtype)

    # y[s, c, k] = where(0 < x[s, c, k], x[s, c, k], w[c] * x[s, c, k])
    y = jnp.where(0 < x, x, x * w[:, None])

    return y.reshape(n_s, n_c, *shape_k).astype(result)


@_forward.defjvp
def _forward_jvp(primals, tangents):
    """The results of `_forward`, and their tangents."""
    x, w = primals
    dot_x, dot_w = tangents
    y = _forward(x, w)
    dot_y = _tangents(x, w, dot_x, dot_w)
    return y, dot_y.astype(y.dtype)


@jax.checkpoint
def _tangents(x, w, dot_x, dot_w):
    """Compute the tangents of y: linear in those of the inputs."""
    dtype, _ = _dtypes(x, w, dot_x, dot_w)
    n_s, n_c, *shape_k = x.shape
    n_k = math.prod(shape_k)
    x = x.astype(dtype).reshape(n_s, n_c, n_k)
    w = w.astype(dtype)
    dot_x = dot_x.astype(dtype).reshape(n_s, n_c, n_k)
    dot_w = dot_w.astype(dtype)

    # dot_y[s, c, k] = dot_x[s, c, k] * where(0 < x[s, c, k], 1, w[c])
    #     + dot_w[c] * where(0 < x[s, c, k], 0, x[s, c, k])
    dot_y = dot_x * jnp.where(0 < x, 1, w[:, None]) + jnp.where(0 < x, 0, x) * dot_w[:, None]

    return dot_y.reshape(n_s, n_c, *shape_k)


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
