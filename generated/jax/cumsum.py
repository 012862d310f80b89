"""The cumulative sum along the last dimension.

Forward pass and its tangents for JAX of

    y[b, i] = sum[j](where(j <= i, x[b, j], 0))

The tangents were derived by symgrad from these equations. Every one below was proved equal, for
every size, to the derivative of the forward pass, and all together to be the adjoint of its
gradients; the formula that each line computes stands above it (dot_x is the tangent of x: the
direction in which x moves).

Generated from the layer cumsum and the template jax/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate cumsum --backend jax
"""

import math

import jax
import jax.numpy as jnp


def cumsum(x):
    """Compute y[b..., i]; differentiable in forward and reverse mode, to any order.

    Args:
        x[b..., i]: input.
    """
    (x,) = _arrays(x=x)
    _check_dimensions("x[b..., i]", x, 1, more=True)
    *shape_b, n_i = x.shape
    return _forward(x)


@jax.custom_jvp
def _forward(x):
    """Compute y[b..., i]."""
    result = x.dtype
    dtype, _ = _dtypes(x)
    *shape_b, n_i = x.shape
    n_b = math.prod(shape_b)
    x = x.astype(dtype).reshape(n_b, n_i)

    # y[b, i] = sum[j](where(j <= i, x[b, j], 0))
    y = x @ (jnp.arange(n_i) <= jnp.arange(n_i)[:, None]).astype(dtype).T

    return y.reshape(*shape_b, n_i).astype(result)


@_forward.defjvp
def _forward_jvp(primals, tangents):
    """The results of `_forward`, and their tangents."""
    (x,) = primals
    (dot_x,) = tangents
    y = _forward(x)
    dot_y = _tangents(dot_x)
    return y, dot_y.astype(y.dtype)


@jax.checkpoint
def _tangents(dot_x):
    """Compute the tangents of y: linear in those of the inputs."""
    dtype, _ = _dtypes(dot_x)
    *shape_b, n_i = dot_x.shape
    n_b = math.prod(shape_b)
    dot_x = dot_x.astype(dtype).reshape(n_b, n_i)

    # dot_y[b, i] = sum[k](dot_x[b, k] * where(k <= i, 1, 0))
    dot_y = dot_x @ (jnp.arange(n_i) <= jnp.arange(n_i)[:, None]).astype(dtype).T

    return dot_y.reshape(*shape_b, n_i)


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


def _dtypes(*arrays):
    """At least float32 to compute in; float64 for sums, where JAX has it (jax_enable_x64) and nothing is half."""
    given = [array.dtype for array in arrays]
    dtype = jnp.result_type(jnp.float32, *given)
    half = jnp.float16 in given or jnp.bfloat16 in given
    return dtype, dtype if half else jnp.promote_types(dtype, jnp.result_type(float))
