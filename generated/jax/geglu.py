"""The gate of GEGLU: gelu(g) * x.

Forward pass and its tangents for JAX of

    y[i] = g[i] * (1 + erf(g[i] / sqrt(2))) * x[i] / 2

The tangents were derived by symgrad from these equations. Every one below was proved equal, for
every size, to the derivative of the forward pass, and all together to be the adjoint of its
gradients; the formula that each line computes stands above it (dot_x is the tangent of x: the
direction in which x moves).

Generated from the layer geglu and the template jax/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate geglu --backend jax
"""

import math

import jax
import jax.numpy as jnp


def geglu(g, x):
    """Compute y[i...]; differentiable in forward and reverse mode, to any order.

    Args:
        g[i...]: input.
        x[i...]: input.
    """
    g, x = _arrays(g=g, x=x)
    _check_shape("x[i...]", x, g.shape)
    return _forward(g, x)


@jax.custom_jvp
def _forward(g, x):
    """Compute y[i...]."""
    result = g.dtype
    dtype, _ = _dtypes(g, x)
    g = g.astype(dtype)
    x = x.astype(dtype)

    # y[i] = g[i] * (1 + erf(g[i] / sqrt(2))) * x[i] / 2
    y = g * (1 + jax.scipy.special.erf(g * (1 / math.sqrt(2)))) * x / 2

    return y.astype(result)


@_forward.defjvp
def _forward_jvp(primals, tangents):
    """The results of `_forward`, and their tangents."""
    g, x = primals
    dot_g, dot_x = tangents
    y = _forward(g, x)
    dot_y = _tangents(g, x, dot_g, dot_x)
    return y, dot_y.astype(y.dtype)


@jax.checkpoint
def _tangents(g, x, dot_g, dot_x):
    """Compute the tangents of y: linear in those of the inputs."""
    dtype, _ = _dtypes(g, x, dot_g, dot_x)
    g = g.astype(dtype)
    x = x.astype(dtype)
    dot_g = dot_g.astype(dtype)
    dot_x = dot_x.astype(dtype)

    # erf_g_rsqrt_two[i] = erf(g[i] / sqrt(2))
    erf_g_rsqrt_two = jax.scipy.special.erf(g * (1 / math.sqrt(2)))
    # dot_y[i] = x[i] * dot_g[i] * (1 + erf(g[i] / sqrt(2)) + 2 * g[i] * exp(-g[i]**2 / 2) /
    #     (sqrt(pi) * sqrt(2))) / 2
    #     + g[i] * dot_x[i] * (1 + erf(g[i] / sqrt(2))) / 2
    dot_y = (
        x
        * dot_g
        * (1 + erf_g_rsqrt_two + g * (2 / (math.sqrt(math.pi) * math.sqrt(2))) * jnp.exp(-jnp.square(g) / 2))
        / 2
        + g * dot_x * (1 + erf_g_rsqrt_two) / 2
    )

    return dot_y


def _arrays(**arrays):
    """The arguments as arrays of real floating-point numbers."""
    found = {name: jnp.asarray(array) for name, array in arrays.items()}
    for name, array in found.items():
        if not jnp.issubdtype(array.dtype, jnp.floating):
            raise TypeError(f"{name} must be a floating-point array, not {array.dtype}.")
    return found.values()


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
