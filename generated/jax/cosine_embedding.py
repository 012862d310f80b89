"""The cosine embedding loss: pairs that are alike (t = 1) or not (t = -1).

Forward pass and its tangents for JAX of

    c[b] = sum[d](x[b, d] * y[b, d]) / sqrt((sum[d](x[b, d]**2) + eps) * (sum[d](y[b, d]**2) + eps))
    L = mean[b](where(0 < t[b], 1 - c[b], where(margin <= c[b], c[b] - margin, 0)))

The tangents were derived by symgrad from these equations. Every one below was proved equal, for
every size, to the derivative of the forward pass, and all together to be the adjoint of its
gradients; the formula that each line computes stands above it (dot_x is the tangent of x: the
direction in which x moves).

Generated from the layer cosine_embedding and the template jax/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate cosine_embedding --backend jax
"""

from functools import partial

import jax
import jax.numpy as jnp


def cosine_embedding(x, y, t, *, margin=0, eps=1e-12):
    """Compute L; differentiable in forward and reverse mode, to any order.

    Args:
        x[b, d]: input.
        y[b, d]: input.
        t[b]: target, gets no gradient.
        margin: a constant.
        eps: a constant.
    """
    x, y, t = _arrays(x=x, y=y, t=t)
    _check_dimensions("x[b, d]", x, 2)
    n_b, n_d = x.shape
    _check_shape("y[b, d]", y, (n_b, n_d))
    _check_shape("t[b]", t, (n_b,))
    margin, eps = _numbers(margin=margin, eps=eps)
    L, *_ = _forward(x, y, t, margin, eps)
    return L


@partial(jax.custom_jvp, nondiff_argnums=(3, 4))
def _forward(x, y, t, margin, eps):
    """Compute L, and the statistics c."""
    result = x.dtype
    dtype, wide = _dtypes(x, y, t)
    n_b, n_d = x.shape
    x = x.astype(dtype)
    y = y.astype(dtype)
    t = t.astype(dtype)

    # sum_x_y[b] = sum[d](x[b, d] * y[b, d])
    sum_x_y = (x * y).sum(1, dtype=wide)
    # sum_x_squared[b] = sum[d](x[b, d]**2)
    sum_x_squared = jnp.square(x).sum(1, dtype=wide)
    # sum_y_squared[b] = sum[d](y[b, d]**2)
    sum_y_squared = jnp.square(y).sum(1, dtype=wide)
    # c[b] = sum[d](x[b, d] * y[b, d]) / sqrt((sum[d](x[b, d]**2) + eps) * (sum[d](y[b, d]**2) + eps))
    c = sum_x_y / jnp.sqrt((sum_x_squared + eps) * (sum_y_squared + eps))
    # L = mean[b](where(0 < t[b], 1 - c[b], where(margin <= c[b], c[b] - margin, 0)))
    L = jnp.where(0 < t, 1 - c, jnp.where(margin <= c, c - margin, 0)).mean(dtype=wide)

    return L.astype(result), c


@_forward.defjvp
def _forward_jvp(margin, eps, primals, tangents):
    """The results of `_forward`, and their tangents."""
    x, y, t = primals
    dot_x, dot_y, _ = tangents
    L, c = _forward(x, y, t, margin, eps)
    dot_L, dot_c = _tangents(x, y, t, c, dot_x, dot_y, margin, eps)
    return (L, c), (dot_L.astype(L.dtype), dot_c.astype(c.dtype))


@partial(jax.checkpoint, static_argnums=(6, 7))
def _tangents(x, y, t, c, dot_x, dot_y, margin, eps):
    """Compute the tangents of L, c: linear in those of the inputs."""
    dtype, wide = _dtypes(x, y, t, dot_x, dot_y)
    n_b, n_d = x.shape
    x = x.astype(dtype)
    y = y.astype(dtype)
    t = t.astype(dtype)
    dot_x = dot_x.astype(dtype)
    dot_y = dot_y.astype(dtype)

    # sum_x_squared[b] = sum[d](x[b, d]**2)
    sum_x_squared = jnp.square(x).sum(1, dtype=wide)
    # sum_y_squared[b] = sum[d](y[b, d]**2)
    sum_y_squared = jnp.square(y).sum(1, dtype=wide)
    # sum_dot_x_y[b] = sum[d](dot_x[b, d] * y[b, d])
    sum_dot_x_y = (dot_x * y).sum(1, dtype=wide)
    # root[b] = 1 / sqrt(sum[d](x[b, d]**2) * sum[d](y[b, d]**2) + eps * sum[d](x[b, d]**2) + eps *
    #     sum[d](y[b, d]**2) + eps**2)
    root = 1 / jnp.sqrt(sum_x_squared * sum_y_squared + eps * sum_x_squared + eps * sum_y_squared + eps**2)
    # sum_x_y[b] = sum[d](x[b, d] * y[b, d])
    sum_x_y = (x * y).sum(1, dtype=wide)
    # sum_dot_x_x[b] = sum[d](dot_x[b, d] * x[b, d])
    sum_dot_x_x = (dot_x * x).sum(1, dtype=wide)
    # sum_dot_y_x[b] = sum[d](dot_y[b, d] * x[b, d])
    sum_dot_y_x = (dot_y * x).sum(1, dtype=wide)
    # sum_dot_y_y[b] = sum[d](dot_y[b, d] * y[b, d])
    sum_dot_y_y = (dot_y * y).sum(1, dtype=wide)
    # dot_c[b] = sqrt(sum[i](x[b, i]**2) * sum[i](y[b, i]**2) + eps * sum[i](x[b, i]**2) + eps *
    #     sum[i](y[b, i]**2) + eps**2) * sum[d](dot_x[b, d] * y[b, d]) / ((sum[i](x[b, i]**2) + eps)
    #     * (sum[i](y[b, i]**2) + eps))
    #     - sum[i](x[b, i] * y[b, i]) * sum[d](dot_x[b, d] * x[b, d]) / (sqrt(sum[i](x[b, i]**2) *
    #     sum[i](y[b, i]**2) + eps * sum[i](x[b, i]**2) + eps * sum[i](y[b, i]**2) + eps**2) *
    #     (sum[i](x[b, i]**2) + eps))
    #     + sqrt(sum[i](x[b, i]**2) * sum[i](y[b, i]**2) + eps * sum[i](x[b, i]**2) + eps *
    #     sum[i](y[b, i]**2) + eps**2) * sum[d](dot_y[b, d] * x[b, d]) / ((sum[i](x[b, i]**2) + eps)
    #     * (sum[i](y[b, i]**2) + eps))
    #     - sum[i](x[b, i] * y[b, i]) * sum[d](dot_y[b, d] * y[b, d]) / (sqrt(sum[i](x[b, i]**2) *
    #     sum[i](y[b, i]**2) + eps * sum[i](x[b, i]**2) + eps * sum[i](y[b, i]**2) + eps**2) *
    #     (sum[i](y[b, i]**2) + eps))
    dot_c = (
        jnp.sqrt(sum_x_squared * sum_y_squared + eps * sum_x_squared + eps * sum_y_squared + eps**2)
        * sum_dot_x_y
        / ((sum_x_squared + eps) * (sum_y_squared + eps))
        - root * sum_x_y * sum_dot_x_x / (sum_x_squared + eps)
        + jnp.sqrt(sum_x_squared * sum_y_squared + eps * sum_x_squared + eps * sum_y_squared + eps**2)
        * sum_dot_y_x
        / ((sum_x_squared + eps) * (sum_y_squared + eps))
        - root * sum_x_y * sum_dot_y_y / (sum_y_squared + eps)
    )
    # dot_L = mean[b](dot_c[b] * (-where(0 < t[b], 1, 0) + (1 - where(0 < t[b], 1, 0)) *
    #     where(margin <= c[b], 1, 0)))
    dot_L = (dot_c * (
        -(0 < t).astype(dtype)
        + (1 - (0 < t).astype(dtype)) * (margin <= c).astype(dtype)
    )).mean(dtype=wide)

    return dot_L, dot_c


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
