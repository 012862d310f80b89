"""The cosine of the angle between vectors along the last dimension.

Forward pass and its tangents for JAX of

    r[b] = sqrt(where(eps**2 < sum[d](x[b, d]**2), sum[d](x[b, d]**2), where(sum[d](x[b, d]**2) < eps**2,
        eps**2, (sum[d](x[b, d]**2) + eps**2) / 2)))
    s[b] = sqrt(where(eps**2 < sum[d](y[b, d]**2), sum[d](y[b, d]**2), where(sum[d](y[b, d]**2) < eps**2,
        eps**2, (sum[d](y[b, d]**2) + eps**2) / 2)))
    c[b] = sum[d](x[b, d] * y[b, d]) / (r[b] * s[b])

The tangents were derived by symgrad from these equations. Every one below was proved equal, for
every size, to the derivative of the forward pass, and all together to be the adjoint of its
gradients; the formula that each line computes stands above it (dot_x is the tangent of x: the
direction in which x moves).

Generated from the layer cosine_similarity and the template jax/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate cosine_similarity --backend jax
"""

import math
from functools import partial

import jax
import jax.numpy as jnp


def cosine_similarity(x, y, *, eps=1e-8):
    """Compute c[b...]; differentiable in forward and reverse mode, to any order.

    Args:
        x[b..., d]: input.
        y[b..., d]: input.
        eps: a constant.
    """
    x, y = _arrays(x=x, y=y)
    _check_dimensions("x[b..., d]", x, 1, more=True)
    *shape_b, n_d = x.shape
    _check_shape("y[b..., d]", y, (*shape_b, n_d))
    (eps,) = _numbers(eps=eps)
    c, *_ = _forward(x, y, eps)
    return c


@partial(jax.custom_jvp, nondiff_argnums=(2,))
def _forward(x, y, eps):
    """Compute c[b...], and the statistics r, s."""
    result = x.dtype
    dtype, wide = _dtypes(x, y)
    *shape_b, n_d = x.shape
    n_b = math.prod(shape_b)
    x = x.astype(dtype).reshape(n_b, n_d)
    y = y.astype(dtype).reshape(n_b, n_d)

    # sum_x_squared[b] = sum[d](x[b, d]**2)
    sum_x_squared = jnp.square(x).sum(1, dtype=wide)
    # r[b] = sqrt(where(eps**2 < sum[d](x[b, d]**2), sum[d](x[b, d]**2), where(sum[d](x[b, d]**2) <
    #     eps**2, eps**2, (sum[d](x[b, d]**2) + eps**2) / 2)))
    r = jnp.sqrt(jnp.where(
        eps**2 < sum_x_squared,
        sum_x_squared,
        jnp.where(sum_x_squared < eps**2, eps**2, (sum_x_squared + eps**2) / 2),
    ))
    # sum_y_squared[b] = sum[d](y[b, d]**2)
    sum_y_squared = jnp.square(y).sum(1, dtype=wide)
    # s[b] = sqrt(where(eps**2 < sum[d](y[b, d]**2), sum[d](y[b, d]**2), where(sum[d](y[b, d]**2) <
    #     eps**2, eps**2, (sum[d](y[b, d]**2) + eps**2) / 2)))
    s = jnp.sqrt(jnp.where(
        eps**2 < sum_y_squared,
        sum_y_squared,
        jnp.where(sum_y_squared < eps**2, eps**2, (sum_y_squared + eps**2) / 2),
    ))
    # sum_x_y[b] = sum[d](x[b, d] * y[b, d])
    sum_x_y = (x * y).sum(1, dtype=wide)
    # c[b] = sum[d](x[b, d] * y[b, d]) / (r[b] * s[b])
    c = sum_x_y / (r * s)

    return c.reshape(shape_b).astype(result), r, s


@_forward.defjvp
def _forward_jvp(eps, primals, tangents):
    """The results of `_forward`, and their tangents."""
    x, y = primals
    dot_x, dot_y = tangents
    c, r, s = _forward(x, y, eps)
    dot_c, dot_r, dot_s = _tangents(x, y, r, s, dot_x, dot_y, eps)
    return (c, r, s), (dot_c.astype(c.dtype), dot_r.astype(r.dtype), dot_s.astype(s.dtype))


@partial(jax.checkpoint, static_argnums=(6,))
def _tangents(x, y, r, s, dot_x, dot_y, eps):
    """Compute the tangents of c, r, s: linear in those of the inputs."""
    dtype, wide = _dtypes(x, y, dot_x, dot_y)
    *shape_b, n_d = x.shape
    n_b = math.prod(shape_b)
    x = x.astype(dtype).reshape(n_b, n_d)
    y = y.astype(dtype).reshape(n_b, n_d)
    dot_x = dot_x.astype(dtype).reshape(n_b, n_d)
    dot_y = dot_y.astype(dtype).reshape(n_b, n_d)

    # sum_y_dot_x[b] = sum[d](y[b, d] * dot_x[b, d])
    sum_y_dot_x = (y * dot_x).sum(1, dtype=wide)
    # sum_x_dot_y[b] = sum[d](x[b, d] * dot_y[b, d])
    sum_x_dot_y = (x * dot_y).sum(1, dtype=wide)
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
    # sum_x_y[b] = sum[d](x[b, d] * y[b, d])
    sum_x_y = (x * y).sum(1, dtype=wide)
    # sum_y_squared[b] = sum[d](y[b, d]**2)
    sum_y_squared = jnp.square(y).sum(1, dtype=wide)
    # total_2[b] = sum[d](dot_y[b, d] * where(eps**2 < sum[d](y[b, d]**2), 2 * y[b, d],
    #     where(sum[d](y[b, d]**2) < eps**2, 0, y[b, d])))
    total_2 = (dot_y * jnp.where(
        eps**2 < sum_y_squared[:, None],
        y * 2,
        jnp.where(sum_y_squared[:, None] < eps**2, 0, y),
    )).sum(1, dtype=wide)
    # dot_s[b] = sum[d](dot_y[b, d] * where(eps**2 < sum[i](y[b, i]**2), 2 * y[b, d],
    #     where(sum[i](y[b, i]**2) < eps**2, 0, y[b, d]))) / (2 * sqrt(where(eps**2 < sum[i](y[b,
    #     i]**2), sum[i](y[b, i]**2), where(sum[i](y[b, i]**2) < eps**2, eps**2, sum[i](y[b, i]**2)
    #     / 2 + eps**2 / 2))))
    dot_s = (
        total_2
        / (2 * jnp.sqrt(jnp.where(
            eps**2 < sum_y_squared,
            sum_y_squared,
            jnp.where(sum_y_squared < eps**2, eps**2, sum_y_squared / 2 + eps**2 / 2),
        )))
    )
    # dot_c[b] = sum[d](y[b, d] * dot_x[b, d]) / (r[b] * s[b])
    #     + sum[d](x[b, d] * dot_y[b, d]) / (r[b] * s[b])
    #     - dot_r[b] * sum[d](x[b, d] * y[b, d]) / (s[b] * r[b]**2)
    #     - dot_s[b] * sum[d](x[b, d] * y[b, d]) / (r[b] * s[b]**2)
    dot_c = (
        sum_y_dot_x / (r * s)
        + sum_x_dot_y / (r * s)
        - dot_r * sum_x_y / (s * r**2)
        - dot_s * sum_x_y / (r * s**2)
    )

    return dot_c.reshape(shape_b), dot_r, dot_s


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
