"""The scaled exponential linear unit, whose two constants keep mean 0 and variance 1.

Forward pass and its tangents for JAX of

    y[i] = scale * where(0 < x[i], x[i], alpha * expm1(x[i]))

The tangents were derived by symgrad from these equations. Every one below was proved equal, for
every size, to the derivative of the forward pass, and all together to be the adjoint of its
gradients; the formula that each line computes stands above it (dot_x is the tangent of x: the
direction in which x moves).

Generated from the layer selu and the template jax/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate selu --backend jax
"""

from functools import partial

import jax
import jax.numpy as jnp


def selu(x, *, alpha=1.6732632423543772848170429916717, scale=1.0507009873554804934193349852946):
    """Compute y[i...]; differentiable in forward and reverse mode, to any order.

    Args:
        x[i...]: input.
        alpha: a constant.
        scale: a constant.
    """
    (x,) = _arrays(x=x)
    alpha, scale = _numbers(alpha=alpha, scale=scale)
    return _forward(x, alpha, scale)


@partial(jax.custom_jvp, nondiff_argnums=(1, 2))
def _forward(x, alpha, scale):
    """Compute y[i...]."""
    result = x.dtype
    dtype, _ = _dtypes(x)
    x = x.astype(dtype)

    # y[i] = scale * where(0 < x[i], x[i], alpha * expm1(x[i]))
    y = jnp.where(0 < x, x, jnp.expm1(jnp.where(0 < x, 1, x)) * alpha) * scale

    return y.astype(result)


@_forward.defjvp
def _forward_jvp(alpha, scale, primals, tangents):
    """The results of `_forward`, and their tangents."""
    (x,) = primals
    (dot_x,) = tangents
    y = _forward(x, alpha, scale)
    dot_y = _tangents(x, dot_x, alpha, scale)
    return y, dot_y.astype(y.dtype)


@partial(jax.checkpoint, static_argnums=(2, 3))
def _tangents(x, dot_x, alpha, scale):
    """Compute the tangents of y: linear in those of the inputs."""
    dtype, _ = _dtypes(x, dot_x)
    x = x.astype(dtype)
    dot_x = dot_x.astype(dtype)

    # dot_y[i] = scale * dot_x[i] * where(0 < x[i], 1, alpha * exp(x[i]))
    dot_y = dot_x * scale * jnp.where(0 < x, 1, jnp.exp(jnp.where(0 < x, 1, x)) * alpha)

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
