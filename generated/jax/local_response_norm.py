"""Local response normalization: each value divided by the activity of the channels around it.

Forward pass and its tangents for JAX of

    s[b, c, p] = bias + alpha * mean[k](pad(x[b, c + k - radius, p])**2)
    y[b, c, p] = x[b, c, p] / pow(s[b, c, p], beta)

The tangents were derived by symgrad from these equations. Every one below was proved equal, for
every size, to the derivative of the forward pass, and all together to be the adjoint of its
gradients; the formula that each line computes stands above it (dot_x is the tangent of x: the
direction in which x moves).

Generated from the layer local_response_norm and the template jax/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate local_response_norm --backend jax
"""

import math
from functools import partial

import jax
import jax.numpy as jnp


def local_response_norm(x, *, alpha=1e-4, beta=0.75, bias=1, radius=2):
    """Compute y[b, c, p...]; differentiable in forward and reverse mode, to any order.

    Args:
        x[b, c, p...]: input.
        alpha: a constant.
        beta: a constant.
        bias: a constant.
        radius: a whole number.
    """
    (x,) = _arrays(x=x)
    _check_dimensions("x[b, c, p...]", x, 2, more=True)
    n_b, n_c, *shape_p = x.shape
    _check_whole(radius=radius)
    alpha, beta, bias = _numbers(alpha=alpha, beta=beta, bias=bias)
    n_k = 2 * radius + 1
    y, *_ = _forward(x, alpha, beta, bias, radius)
    return y


@partial(jax.custom_jvp, nondiff_argnums=(1, 2, 3, 4))
def _forward(x, alpha, beta, bias, radius):
    """Compute y[b, c, p...], and the statistics s."""
    result = x.dtype
    dtype, wide = _dtypes(x)
    n_b, n_c, *shape_p = x.shape
    n_p = math.prod(shape_p)
    n_k = 2 * radius + 1
    x = x.astype(dtype).reshape(n_b, n_c, n_p)

    # x_at[b, c, k, p] = pad(x[b, c + k - radius, p])
    at_c = jnp.arange(n_c)[:, None] + jnp.arange(n_k) - radius
    x_at = _entries(x, 1, at_c, outside=True)
    # sum_x_at_squared[b, c, p] = sum[k](pad(x[b, c + k - radius, p])**2)
    sum_x_at_squared = jnp.square(x_at).sum(2, dtype=wide)
    # s[b, c, p] = bias + alpha * mean[k](pad(x[b, c + k - radius, p])**2)
    s = bias + sum_x_at_squared * (alpha / n_k)
    # y[b, c, p] = x[b, c, p] / pow(s[b, c, p], beta)
    y = x / jnp.power(s, beta)

    return y.reshape(n_b, n_c, *shape_p).astype(result), s


@_forward.defjvp
def _forward_jvp(alpha, beta, bias, radius, primals, tangents):
    """The results of `_forward`, and their tangents."""
    (x,) = primals
    (dot_x,) = tangents
    y, s = _forward(x, alpha, beta, bias, radius)
    dot_y, dot_s = _tangents(x, s, dot_x, alpha, beta, radius)
    return (y, s), (dot_y.astype(y.dtype), dot_s.astype(s.dtype))


@partial(jax.checkpoint, static_argnums=(3, 4, 5))
def _tangents(x, s, dot_x, alpha, beta, radius):
    """Compute the tangents of y, s: linear in those of the inputs."""
    dtype, _ = _dtypes(x, dot_x)
    n_b, n_c, *shape_p = x.shape
    n_p = math.prod(shape_p)
    n_k = 2 * radius + 1
    x = x.astype(dtype).reshape(n_b, n_c, n_p)
    dot_x = dot_x.astype(dtype).reshape(n_b, n_c, n_p)
    s = s.astype(dtype).reshape(n_b, n_c, n_p)

    # pow_s_beta[b, c, p] = pow(s[b, c, p], beta)
    pow_s_beta = jnp.power(s, beta)
    # x_at[b, c, k, p] = pad(x[b, c + k - radius, p])
    at_c = jnp.arange(n_c)[:, None] + jnp.arange(n_k) - radius
    x_at = _entries(x, 1, at_c, outside=True)
    # dot_x_at[b, c, k, p] = pad(dot_x[b, c + k - radius, p])
    dot_x_at = _entries(dot_x, 1, at_c, outside=True)
    # sum_x_at_dot_x_at[b, c, p] = sum[k](pad(x[b, c + k - radius, p]) * pad(dot_x[b, c + k - radius, p]))
    sum_x_at_dot_x_at = (x_at * dot_x_at).sum(2)
    # dot_s[b, c, p] = 2 * alpha * sum[k, i](x[b, i, p] * dot_x[b, i, p] * where(i == c + k -
    #     radius, 1, 0)) / size[k]
    dot_s = sum_x_at_dot_x_at * (2 * alpha / n_k)
    # dot_y[b, c, p] = dot_x[b, c, p] / pow(s[b, c, p], beta)
    #     - x[b, c, p] * beta * dot_s[b, c, p] * pow(s[b, c, p], beta - 1) / pow(s[b, c, p], beta)**2
    dot_y = dot_x / pow_s_beta - x * beta * dot_s * jnp.power(s, (beta - 1)) / pow_s_beta**2

    return dot_y.reshape(n_b, n_c, *shape_p), dot_s


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


def _check_whole(**constants):
    """Raise unless constants are whole numbers."""
    for name, constant in constants.items():
        if not isinstance(constant, int):
            raise TypeError(f"{name} must be a whole number, not {constant!r}.")


def _not_negative(places, length):
    """Places, a negative one as one behind the end: it would count from there."""
    return jnp.where(places < 0, length, places)


def _entries(array, axis, places, outside=False):
    """The entries at computed places of one dimension; those outside are 0 where they may be there, else NaN."""
    places = _not_negative(places, array.shape[axis])
    return jnp.take(array, places, axis, mode="fill", fill_value=0 if outside else jnp.nan)


def _dtypes(*arrays):
    """At least float32 to compute in; float64 for sums, where JAX has it (jax_enable_x64) and nothing is half."""
    given = [array.dtype for array in arrays]
    dtype = jnp.result_type(jnp.float32, *given)
    half = jnp.float16 in given or jnp.bfloat16 in given
    return dtype, dtype if half else jnp.promote_types(dtype, jnp.result_type(float))
