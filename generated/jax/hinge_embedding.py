"""The hinge embedding loss: distances x of pairs that are alike (t = 1) or not (t = -1).

Forward pass and its tangents for JAX of

    L = mean[i](where(0 < t[i], x[i], where(x[i] <= margin, margin - x[i], 0)))

The tangents were derived by symgrad from these equations. Every one below was proved equal, for
every size, to the derivative of the forward pass, and all together to be the adjoint of its
gradients; the formula that each line computes stands above it (dot_x is the tangent of x: the
direction in which x moves).

Generated from the layer hinge_embedding and the template jax/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate hinge_embedding --backend jax
"""

from functools import partial

import jax
import jax.numpy as jnp


def hinge_embedding(x, t, *, margin=1):
    """Compute L; differentiable in forward and reverse mode, to any order.

    Args:
        x[i...]: input.
        t[i...]: target, gets no gradient.
        margin: a constant.
    """
    x, t = _arrays(x=x, t=t)
    _check_dimensions("x[i...]", x, 0, more=True)
    _check_shape("t[i...]", t, x.shape)
    (margin,) = _numbers(margin=margin)
    return _forward(x, t, margin)


@partial(jax.custom_jvp, nondiff_argnums=(2,))
def _forward(x, t, margin):
    """Compute L."""
    result = x.dtype
    dtype, wide = _dtypes(x, t)
    x = x.astype(dtype)
    t = t.astype(dtype)

    # L = mean[i](where(0 < t[i], x[i], where(x[i] <= margin, margin - x[i], 0)))
    L = jnp.where(0 < t, x, jnp.where(x <= margin, margin - x, 0)).mean(dtype=wide)

    return L.astype(result)


@_forward.defjvp
def _forward_jvp(margin, primals, tangents):
    """The results of `_forward`, and their tangents."""
    x, t = primals
    dot_x, _ = tangents
    L = _forward(x, t, margin)
    dot_L = _tangents(x, t, dot_x, margin)
    return L, dot_L.astype(L.dtype)


@partial(jax.checkpoint, static_argnums=(3,))
def _tangents(x, t, dot_x, margin):
    """Compute the tangents of L: linear in those of the inputs."""
    dtype, wide = _dtypes(x, t, dot_x)
    x = x.astype(dtype)
    t = t.astype(dtype)
    dot_x = dot_x.astype(dtype)

    # dot_L = mean[i](dot_x[i] * (where(0 < t[i], 1, 0) - (1 - where(0 < t[i], 1, 0)) * where(x[i]
    #     <= margin, 1, 0)))
    dot_L = (dot_x * (
        (0 < t).astype(dtype)
        - (1 - (0 < t).astype(dtype)) * (x <= margin).astype(dtype)
    )).mean(dtype=wide)

    return dot_L


def _arrays(**arrays):
    """The arguments as arrays of real floating-point numbers."""
    found = {name: jnp.asarray(array) for name, array in arrays.items()}
    for name, array in found.items():
        if not jnp.issubdtype(array.dtype, jnp.floating):
            raise TypeError(f"{name} must be a floating-point array, not {array.dtype}.")
    return found.values()


def _numbers(**constants):
    """Constants as Python's own numbers: they are part of what is compiled."""
    for name, constant in constants.items():
        if isinstance(constant, jax.core.Tracer):
            raise TypeError(f"{name} must be a number that is known when the function is traced; see static_argnames.")
    return [float(constant) for constant in constants.values()]


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
