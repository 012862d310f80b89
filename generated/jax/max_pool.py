"""Max pooling in two dimensions: the largest value in each window.

Forward pass and its tangents for JAX of

    y[b, c, i, j] = max[k, l](x[b, c, stride*i + k, stride*j + l])

The tangents were derived by symgrad from these equations. Every one below was proved equal, for
every size, to the derivative of the forward pass, and all together to be the adjoint of its
gradients; the formula that each line computes stands above it (dot_x is the tangent of x: the
direction in which x moves).

Generated from the layer max_pool and the template jax/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate max_pool --backend jax
"""

from functools import partial

import jax
import jax.numpy as jnp


def max_pool(x, *, window=2, stride=2):
    """Compute y[b, c, i, j]; differentiable in forward and reverse mode, to any order.

    Args:
        x[b, c, h, w]: input.
        window: a whole number.
        stride: a whole number.
    """
    (x,) = _arrays(x=x)
    _check_dimensions("x[b, c, h, w]", x, 4)
    n_b, n_c, n_h, n_w = x.shape
    _check_whole(window=window, stride=stride)
    n_k = window
    n_l = window
    n_i = _positions(n_h - n_k, stride)
    n_j = _positions(n_w - n_l, stride)
    return _forward(x, window, stride)


@partial(jax.custom_jvp, nondiff_argnums=(1, 2))
def _forward(x, window, stride):
    """Compute y[b, c, i, j]."""
    result = x.dtype
    dtype, _ = _dtypes(x)
    n_b, n_c, n_h, n_w = x.shape
    n_k = window
    n_l = window
    n_i = _positions(n_h - n_k, stride)
    n_j = _positions(n_w - n_l, stride)
    x = x.astype(dtype)

    # x_at[b, c, i, k, j, l] = x[b, c, stride*i + k, stride*j + l]
    at_w = stride * jnp.arange(n_j)[:, None] + jnp.arange(n_l)
    at_h = stride * jnp.arange(n_i)[:, None] + jnp.arange(n_k)
    x_at = _entries(_entries(x, 3, at_w), 2, at_h)
    # y[b, c, i, j] = max[k, l](x[b, c, stride*i + k, stride*j + l])
    y = x_at.max((3, 5))

    return y.astype(result)


@_forward.defjvp
def _forward_jvp(window, stride, primals, tangents):
    """The results of `_forward`, and their tangents."""
    (x,) = primals
    (dot_x,) = tangents
    y = _forward(x, window, stride)
    dot_y = _tangents(x, dot_x, window, stride)
    return y, dot_y.astype(y.dtype)


@partial(jax.checkpoint, static_argnums=(2, 3))
def _tangents(x, dot_x, window, stride):
    """Compute the tangents of y: linear in those of the inputs."""
    dtype, wide = _dtypes(x, dot_x)
    n_b, n_c, n_h, n_w = x.shape
    n_k = window
    n_l = window
    n_i = _positions(n_h - n_k, stride)
    n_j = _positions(n_w - n_l, stride)
    x = x.astype(dtype)
    dot_x = dot_x.astype(dtype)

    # x_at[b, c, i, k, j, l] = x[b, c, stride*i + k, stride*j + l]
    at_w = stride * jnp.arange(n_j)[:, None] + jnp.arange(n_l)
    at_h = stride * jnp.arange(n_i)[:, None] + jnp.arange(n_k)
    x_at = _entries(_entries(x, 3, at_w), 2, at_h)
    # max_x_at[b, c, i, j] = max[k, l](x[b, c, stride*i + k, stride*j + l])
    max_x_at = x_at.max((3, 5))
    # sum_x_at_is_max_x_at[b, c, i, j] = sum[k, l](where(x[b, c, stride*i + k, stride*j + l] ==
    #     max[k, l](x[b, c, stride*i + k, stride*j + l]), 1, 0))
    sum_x_at_is_max_x_at = (x_at == max_x_at[:, :, :, None, :, None]).astype(dtype).sum((3, 5), dtype=wide)
    # dot_x_at[b, c, i, k, j, l] = dot_x[b, c, stride*i + k, stride*j + l]
    dot_x_at = _entries(_entries(dot_x, 3, at_w), 2, at_h)
    # sum_dot_x_at_masked[b, c, i, j] = sum[k, l](where(x[b, c, stride*i + k, stride*j + l] ==
    #     max[k, l](x[b, c, stride*i + k, stride*j + l]), dot_x[b, c, stride*i + k, stride*j + l],
    #     0))
    sum_dot_x_at_masked = jnp.where(
        x_at == max_x_at[:, :, :, None, :, None],
        dot_x_at,
        0,
    ).sum((3, 5), dtype=wide)
    # dot_y[b, c, i, j] = sum[k, l](dot_x[b, c, stride*i + k, stride*j + l] * where(x[b, c, stride*i
    #     + k, stride*j + l] == max[m, n](x[b, c, stride*i + m, stride*j + n]), 1, 0)) / sum[m,
    #     n](where(x[b, c, stride*i + m, stride*j + n] == max[p, q](x[b, c, stride*i + p, stride*j +
    #     q]), 1, 0))
    dot_y = sum_dot_x_at_masked / sum_x_at_is_max_x_at

    return dot_y


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


def _check_whole(**constants):
    """Raise unless constants are whole numbers."""
    for name, constant in constants.items():
        if not isinstance(constant, int):
            raise TypeError(f"{name} must be a whole number, not {constant!r}.")


def _positions(room, step):
    """How many positions fit: from 0 to `room` in steps."""
    if room < 0 or step < 1:
        raise ValueError(f"no position fits: there is room for {room} steps of {step}.")
    return room // step + 1


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
