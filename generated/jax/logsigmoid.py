"""The logarithm of the sigmoid: -log(1 + exp(-x)).

Forward pass and its tangents for JAX of

    y[i] = -softplus(-x[i])

The tangents were derived by symgrad from these equations. Every one below was proved equal, for
every size, to the derivative of the forward pass, and all together to be the adjoint of its
gradients; the formula that each line computes stands above it (dot_x is the tangent of x: the
direction in which x moves).

Generated from the layer logsigmoid and the template jax/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate logsigmoid --backend jax
"""

import jax
import jax.numpy as jnp


def logsigmoid(x):
    """Compute y[i...]; differentiable in forward and reverse mode, to any order.

    Args:
        x[i...]: input.
    """
    (x,) = _arrays(x=x)
    return _forward(x)


@jax.custom_jvp
def _forward(x):
    """Compute y[i...]."""
    result = x.dtype
    dtype, _ = _dtypes(x)
    x = x.astype(dtype)

    # y[i] = -softplus(-x[i])
    y = -jax.nn.softplus(-x)

    return y.astype(result)


@_forward.defjvp
def _forward_jvp(primals, tangents):
    """The results of `_forward`, and their tangents."""
    (x,) = primals
    (dot_x,) = tangents
    y = _forward(x)
    dot_y = _tangents(x, dot_x)
    return y, dot_y.astype(y.dtype)


@jax.checkpoint
def _tangents(x, dot_x):
    """Compute the tangents of y: linear in those of the inputs."""
    dtype, _ = _dtypes(x, dot_x)
    x = x.astype(dtype)
    dot_x = dot_x.astype(dtype)

    # dot_y[i] = dot_x[i] * sigmoid(-x[i])
    dot_y = dot_x * jax.nn.sigmoid(-x)

    return dot_y


def _arrays(**arrays):
    """The arguments as arrays of real floating-point numbers."""
    found = {name: jnp.asarray(array) for name, array in arrays.items()}
    for name, array in found.items():
        if not jnp.issubdtype(array.dtype, jnp.floating):
            raise TypeError(f"{name} must be a floating-point array, not {array.dtype}.")
    return found.values()


def _dtypes(*arrays):
    """At least float32 to compute in; float64 for sums, where JAX has it (jax_enable_x64) and nothing is half."""
    given = [array.dtype for array in arrays]
    dtype = jnp.result_type(jnp.float32, *given)
    half = jnp.float16 in given or jnp.bfloat16 in given
    return dtype, dtype if half else jnp.promote_types(dtype, jnp.result_type(float))
