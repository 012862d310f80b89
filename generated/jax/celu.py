"""The continuously differentiable exponential linear unit.

Forward pass and its tangents for JAX of

    y[i] = where(0 < x[i], x[i], alpha * expm1(x[i] / alpha))

The tangents were derived by symgrad from these equations. Every one below was proved equal, for
every size, to the derivative of the forward pass, and all together to be the adjoint of its
gradients; the formula that each line computes stands above it (dot_x is the tangent of x: the
direction in which x moves).

Generated from the layer celu and the template jax/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate celu --backend jax
"""

from functools import partial

import jax
import jax.numpy as jnp


def celu(x, *, alpha=1):
    """Compute y[i...]; differentiable in forward and reverse mode, to any order.

    Args:
        x[i...]: input.
        alpha: a constant.
    """
    (x,) = _arrays(x=x)
    (alpha,) = _numbers(alpha=alpha)
    return _forward(x, alpha)


@partial(jax.custom_jvp, nondiff_argnums=(1,))
def _forward(x, alpha):
    """Compute y[i...]."""
    result = x.dtype
    dtype, _ = _dtypes(x)
    x = x.astype(dtype)

    # y[i] = where(0 < x[i], x[i], alpha * expm1(x[i] / alpha))
    y = jnp.where(0 < x, x, jnp.expm1(jnp.where(0 < x, 1, x * (1 / alpha))) * alpha)

    return y.astype(result)


@_forward.defjvp
def _forward_jvp(alpha, primals, tangents):
    """The results of `_forward`, and their tangents."""
    (x,) = primals
    (dot_x,) = tangents
    y = _forward(x, alpha)
    dot_y = _tangents(x, dot_x, alpha)
    return y, dot_y.astype(y.dtype)


@partial(jax.checkpoint, static_argnums=(2,))
def _tangents(x, dot_x, alpha):
    """Compute the tangents of y: linear in those of the inputs."""
    dtype, _ = _dtypes(x, dot_x)
    x = x.astype(dtype)
    dot_x = dot_x.astype(dtype)

    # dot_y[i] = dot_x[i] * where(0 < x[i], 1, exp(x[i] / alpha))
    dot_y = dot_x * jnp.where(0 < x, 1, jnp.exp(jnp.where(0 < x, 1, x * (1 / alpha))))

    return dot_y


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


def _dtypes(*arrays):
    """At least float32 to compute in; float64 for sums, where JAX has it (jax_enable_x64) and nothing is half."""
    given = [array.dtype for array in arrays]
    dtype = jnp.result_type(jnp.float32, *given)
    half = jnp.float16 in given or jnp.bfloat16 in given
    return dtype, dtype if half else jnp.promote_types(dtype, jnp.result_type(float))
