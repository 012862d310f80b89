"""The logistic sigmoid of each element.

Forward pass and its tangents for JAX of

    z[i] = 1 / (1 + exp(-y[i]))

The tangents were derived by symgrad from these equations. Every one below was proved equal, for
every size, to the derivative of the forward pass, and all together to be the adjoint of its
gradients; the formula that each line computes stands above it (dot_x is the tangent of x: the
direction in which x moves).

Generated from the layer sigmoid and the template jax/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate sigmoid --backend jax
"""

import jax
import jax.numpy as jnp


def sigmoid(y):
    """Compute z[i...]; differentiable in forward and reverse mode, to any order.

    Args:
        y[i...]: input.
    """
    (y,) = _arrays(y=y)
    return _forward(y)


@jax.custom_jvp
def _forward(y):
    """Compute z[i...]."""
    result = y.dtype
    dtype, _ = _dtypes(y)
    y = y.astype(dtype)

    # z[i] = 1 / (1 + exp(-y[i]))
    z = jax.nn.sigmoid(y)

    return z.astype(result)


@_forward.defjvp
def _forward_jvp(primals, tangents):
    """The results of `_forward`, and their tangents."""
    (y,) = primals
    (dot_y,) = tangents
    z = _forward(y)
    dot_z = _tangents(z, dot_y)
    return z, dot_z.astype(z.dtype)


@jax.checkpoint
def _tangents(z, dot_y):
    """Compute the tangents of z: linear in those of the inputs."""
    dtype, _ = _dtypes(dot_y)
    dot_y = dot_y.astype(dtype)
    z = z.astype(dtype)

    # dot_z[i] = z[i] * dot_y[i] * (1 - z[i])
    dot_z = z * dot_y * (1 - z)

    return dot_z


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
