"""The gated linear unit: one half of the features, gated by the sigmoid of the other.

Forward pass and its tangents for JAX of

    y[i] = x[i] * sigmoid(g[i])

The tangents were derived by symgrad from these equations. Every one below was proved equal, for
every size, to the derivative of the forward pass, and all together to be the adjoint of its
gradients; the formula that each line computes stands above it (dot_x is the tangent of x: the
direction in which x moves).

Generated from the layer glu and the template jax/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate glu --backend jax
"""

import jax
import jax.numpy as jnp


def glu(x, g):
    """Compute y[i...]; differentiable in forward and reverse mode, to any order.

    Args:
        x[i...]: input.
        g[i...]: input.
    """
    x, g = _arrays(x=x, g=g)
    _check_shape("g[i...]", g, x.shape)
    return _forward(x, g)


@jax.custom_jvp
def _forward(x, g):
    """Compute y[i...]."""
    result = x.dtype
    dtype, _ = _dtypes(x, g)
    x = x.astype(dtype)
    g = g.astype(dtype)

    # y[i] = x[i] * sigmoid(g[i])
    y = x * jax.nn.sigmoid(g)

    return y.astype(result)


@_forward.defjvp
def _forward_jvp(primals, tangents):
    """The results of `_forward`, and their tangents."""
    x, g = primals
    dot_x, dot_g = tangents
    y = _forward(x, g)
    dot_y = _tangents(x, g, dot_x, dot_g)
    return y, dot_y.astype(y.dtype)


@jax.checkpoint
def _tangents(x, g, dot_x, dot_g):
    """Compute the tangents of y: linear in those of the inputs."""
    dtype, _ = _dtypes(x, g, dot_x, dot_g)
    x = x.astype(dtype)
    g = g.astype(dtype)
    dot_x = dot_x.astype(dtype)
    dot_g = dot_g.astype(dtype)

    # sigmoid_g[i] = sigmoid(g[i])
    sigmoid_g = jax.nn.sigmoid(g)
    # dot_y[i] = dot_x[i] * sigmoid(g[i]) + x[i] * dot_g[i] * sigmoid(g[i]) * (1 - sigmoid(g[i]))
    dot_y = dot_x * sigmoid_g + x * dot_g * sigmoid_g * (1 - sigmoid_g)

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
