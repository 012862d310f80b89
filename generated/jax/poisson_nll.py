"""The negative log-likelihood of counts under a Poisson distribution with the logarithm of its rate.

Forward pass and its tangents for JAX of

    L = mean[i](exp(x[i]) - t[i] * x[i])

The tangents were derived by symgrad from these equations. Every one below was proved equal, for
every size, to the derivative of the forward pass, and all together to be the adjoint of its
gradients; the formula that each line computes stands above it (dot_x is the tangent of x: the
direction in which x moves).

Generated from the layer poisson_nll and the template jax/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate poisson_nll --backend jax
"""

import jax
import jax.numpy as jnp


def poisson_nll(x, t):
    """Compute L; differentiable in forward and reverse mode, to any order.

    Args:
        x[i...]: input.
        t[i...]: target, gets no gradient.
    """
    x, t = _arrays(x=x, t=t)
    _check_dimensions("x[i...]", x, 0, more=True)
    _check_shape("t[i...]", t, x.shape)
    return _forward(x, t)


@jax.custom_jvp
def _forward(x, t):
    """Compute L."""
    result = x.dtype
    dtype, wide = _dtypes(x, t)
    x = x.astype(dtype)
    t = t.astype(dtype)

    # L = mean[i](exp(x[i]) - t[i] * x[i])
    L = (jnp.exp(x) - t * x).mean(dtype=wide)

    return L.astype(result)


@_forward.defjvp
def _forward_jvp(primals, tangents):
    """The results of `_forward`, and their tangents."""
    x, t = primals
    dot_x, _ = tangents
    L = _forward(x, t)
    dot_L = _tangents(x, t, dot_x)
    return L, dot_L.astype(L.dtype)


@jax.checkpoint
def _tangents(x, t, dot_x):
    """Compute the tangents of L: linear in those of the inputs."""
    dtype, wide = _dtypes(x, t, dot_x)
    x = x.astype(dtype)
    t = t.astype(dtype)
    dot_x = dot_x.astype(dtype)

    # dot_L = mean[i](dot_x[i] * (exp(x[i]) - t[i]))
    dot_L = (dot_x * (jnp.exp(x) - t)).mean(dtype=wide)

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
