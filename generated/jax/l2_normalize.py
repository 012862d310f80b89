"""Each vector along the last dimension divided by its Euclidean length, or by eps where that is more.

Forward pass and its tangents for JAX of

    r[b] = sqrt(where(eps**2 < sum[d](x[b, d]**2), sum[d](x[b, d]**2), where(sum[d](x[b, d]**2) < eps**2,
        eps**2, (sum[d](x[b, d]**2) + eps**2) / 2)))
    y[b, d] = x[b, d] / r[b]

The tangents were derived by symgrad from these equations. Every one below was proved equal, for
every size, to the derivative of the forward pass, and all together to be the adjoint of its
gradients; the formula that each line computes stands above it (dot_x is the tangent of x: the
direction in which x moves).

Generated from the layer l2_normalize and the template jax/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate l2_normalize --backend jax
"""

import math
from functools import partial

import jax
import jax.numpy as jnp


def l2_normalize(x, *, eps=1e-12):
    """Compute y[b..., d]; differentiable in forward and reverse mode, to any order.

    Args:
        x[b..., d]: input.
        eps: a constant.
    """
    (x,) = _arrays(x=x)
    _check_dimensions("x[b..., d]", x, 1, more=True)
    *shape_b, n_d = x.shape
    (eps,) = _numbers(eps=eps)
    y, *_ = _forward(x, eps)
    return y


@partial(jax.custom_jvp, nondiff_argnums=(1,))
def _forward(x, eps):
    """Compute y[b..., d], and the statistics r."""
    result = x.dtype
    dtype, wide = _dtypes(x)
    *shape_b, n_d = x.shape
    n_b = math.prod(shape_b)
    x = x.astype(dtype).reshape(n_b, n_d)

    # sum_x_squared[b] = sum[d](x[b, d]**2)
    sum_x_squared = jnp.square(x).sum(1, dtype=wide)
    # r[b] = sqrt(where(eps**2 < sum[d](x[b, d]**2), sum[d](x[b, d]**2), where(sum[d](x[b, d]**2) <
    #     eps**2, eps**2, (sum[d](x[b, d]**2) + eps**2) / 2)))
    r = jnp.sqrt(jnp.where(
        eps**2 < sum_x_squared,
        sum_x_squared,
        jnp.where(sum_x_squared < eps**2, eps**2, (sum_x_squared + eps**2) / 2),
    ))
    # y[b, d] = x[b, d] / r[b]
    y = x * (1 / r).astype(dtype)[:, None]

    return y.reshape(*shape_b, n_d).astype(result), r


@_forward.defjvp
def _forward_jvp(eps, primals, tangents):
    """The results of `_forward`, and their tangents."""
    (x,) = primals
    (dot_x,) = tangents
    y, r = _forward(x, eps)
    dot_y, dot_r = _tangents(x, r, dot_x, eps)
    return (y, r), (dot_y.astype(y.dtype), dot_r.astype(r.dtype))


@partial(jax.checkpoint, static_argnums=(3,))
def _tangents(x, r, dot_x, eps):
    """Compute the tangents of y, r: linear in those of the inputs."""
    dtype, wide = _dtypes(x, dot_x)
    *shape_b, n_d = x.shape
    n_b = math.prod(shape_b)
    x = x.astype(dtype).reshape(n_b, n_d)
    dot_x = dot_x.astype(dtype).reshape(n_b, n_d)

    # sum_x_squared[b] = sum[d](x[b, d]**2)
    sum_x_squared = jnp.square(x).sum(1, dtype=wide)
    # total[b] = sum[d](dot_x[b, d] * where(eps**2 < sum[d](x[b, d]**2), 2 * x[b, d],
    #     where(sum[d](x[b, d]**2) < eps**2, 0, x[b, d])))
    total = (dot_x * jnp.where(
        eps**2 < sum_x_squared[:, None],
        x * 2,
        jnp.where(sum_x_squared[:, None] < eps**2, 0, x),
    )).sum(1, dtype=wide)
    # dot_r[b] = sum[d](dot_x[b, d] * where(eps**2 < sum[i](x[b, i]**2), 2 * x[b, d],
    #     where(sum[i](x[b, i]**2) < eps**2, 0, x[b, d]))) / (2 * sqrt(where(eps**2 < sum[i](x[b,
    #     i]**2), sum[i](x[b, i]**2), where(sum[i](x[b, i]**2) < eps**2, eps**2, sum[i](x[b, i]**2)
    #     / 2 + eps**2 / 2))))
    dot_r = (
        total
        / (2 * jnp.sqrt(jnp.where(
            eps**2 < sum_x_squared,
            sum_x_squared,
            jnp.where(sum_x_squared < eps**2, eps**2, sum_x_squared / 2 + eps**2 / 2),
        )))
    )
    # dot_y[b, d] = dot_x[b, d] / r[b] - x[b, d] * dot_r[b] / r[b]**2
    dot_y = dot_x * (1 / r).astype(dtype)[:, None] - x * (dot_r / r**2).astype(dtype)[:, None]

    return dot_y.reshape(*shape_b, n_d), dot_r


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


def _dtypes(*arrays):
    """At least float32 to compute in; float64 for sums, where JAX has it (jax_enable_x64) and nothing is half."""
    given = [array.dtype for array in arrays]
    dtype = jnp.result_type(jnp.float32, *given)
    half = jnp.float16 in given or jnp.bfloat16 in given
    return dtype, dtype if half else jnp.promote_types(dtype, jnp.result_type(float))
