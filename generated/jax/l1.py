"""Mean absolute error.

Forward pass and its tangents for JAX of

    L = mean[i](abs(z[i] - t[i]))

The tangents were derived by symgrad from these equations. Every one below was proved equal, for
every size, to the derivative of the forward pass, and all together to be the adjoint of its
gradients; the formula that each line computes stands above it (dot_x is the tangent of x: the
direction in which x moves).

Generated from the layer l1 and the template jax/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate l1 --backend jax
"""

import jax
import jax.numpy as jnp


def l1(z, t):
    """Compute L; differentiable in forward and reverse mode, to any order.

    Args:
        z[i...]: input.
        t[i...]: target, gets no gradient.
    """
    z, t = _arrays(z=z, t=t)
    _check_dimensions("z[i...]", z, 0, more=True)
    _check_shape("t[i...]", t, z.shape)
    return _forward(z, t)


@jax.custom_jvp
def _forward(z, t):
    """Compute L."""
    result = z.dtype
    dtype, wide = _dtypes(z, t)
    z = z.astype(dtype)
    t = t.astype(dtype)

    # L = mean[i](abs(z[i] - t[i]))
    L = jnp.abs(z - t).mean(dtype=wide)

    return L.astype(result)


@_forward.defjvp
def _forward_jvp(primals, tangents):
    """The results of `_forward`, and their tangents."""
    z, t = primals
    dot_z, _ = tangents
    L = _forward(z, t)
    dot_L = _tangents(z, t, dot_z)
    return L, dot_L.astype(L.dtype)


@jax.checkpoint
def _tangents(z, t, dot_z):
    """Compute the tangents of L: linear in those of the inputs."""
    dtype, wide = _dtypes(z, t, dot_z)
    z = z.astype(dtype)
    t = t.astype(dtype)
    dot_z = dot_z.astype(dtype)

    # dot_L = mean[i](dot_z[i] * sign(z[i] - t[i]))
    dot_L = (dot_z * jnp.sign(z - t)).mean(dtype=wide)

    return dot_L


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
