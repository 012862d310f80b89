"""Root mean square normalization over the last dimension, with a gain for each feature.

Forward pass and its tangents for JAX of

    ms[b] = mean[d](x[b, d]**2)
    y[b, d] = w[d] * x[b, d] / sqrt(ms[b] + eps)

The tangents were derived by symgrad from these equations. Every one below was proved equal, for
every size, to the derivative of the forward pass, and all together to be the adjoint of its
gradients; the formula that each line computes stands above it (dot_x is the tangent of x: the
direction in which x moves).

Generated from the layer rms_norm and the template jax/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate rms_norm --backend jax
"""

import math
from functools import partial

import jax
import jax.numpy as jnp


def rms_norm(x, w, *, eps=1e-6):
    """Compute y[b..., d]; differentiable in forward and reverse mode, to any order.

    Args:
        x[b..., d]: input.
        w[d]: parameter.
        eps: a constant.
    """
    x, w = _arrays(x=x, w=w)
    _check_dimensions("x[b..., d]", x, 1, more=True)
    *shape_b, n_d = x.shape
    _check_shape("w[d]", w, (n_d,))
    (eps,) = _numbers(eps=eps)
    y, *_ = _forward(x, w, eps)
    return y


@partial(jax.custom_jvp, nondiff_argnums=(2,))
def _forward(x, w, eps):
    """Compute y[b..., d], and the statistics ms."""
    result = x.dtype
    dtype, wide = _dtypes(x, w)
    *shape_b, n_d = x.shape
    n_b = math.prod(shape_b)
    x = x.astype(dtype).reshape(n_b, n_d)
    w = w.astype(dtype)

    # ms[b] = mean[d](x[b, d]**2)
    ms = jnp.square(x).mean(1, dtype=wide)
    # y[b, d] = w[d] * x[b, d] / sqrt(ms[b] + eps)
    y = x * w * (1 / jnp.sqrt(ms + eps)).astype(dtype)[:, None]

    return y.reshape(*shape_b, n_d).astype(result), ms


@_forward.defjvp
def _forward_jvp(eps, primals, tangents):
    """The results of `_forward`, and their tangents."""
    x, w = primals
    dot_x, dot_w = tangents
    y, ms = _forward(x, w, eps)
    dot_y, dot_ms = _tangents(x, w, ms, dot_x, dot_w, eps)
    return (y, ms), (dot_y.astype(y.dtype), dot_ms.astype(ms.dtype))


@partial(jax.checkpoint, static_argnums=(5,))
def _tangents(x, w, ms, dot_x, dot_w, eps):
    """Compute the tangents of y, ms: linear in those of the inputs."""
    dtype, wide = _dtypes(x, w, dot_x, dot_w)
    *shape_b, n_d = x.shape
    n_b = math.prod(shape_b)
    x = x.astype(dtype).reshape(n_b, n_d)
    w = w.astype(dtype)
    dot_x = dot_x.astype(dtype).reshape(n_b, n_d)
    dot_w = dot_w.astype(dtype)

    # dot_ms[b] = 2 * mean[d](x[b, d] * dot_x[b, d])
    dot_ms = 2 * (x * dot_x).mean(1, dtype=wide)
    # rsqrt_ms[b] = 1 / sqrt(ms[b] + eps)
    rsqrt_ms = 1 / jnp.sqrt(ms + eps)
    # dot_y[b, d] = w[d] * dot_x[b, d] / sqrt(ms[b] + eps) + x[b, d] * dot_w[d] / sqrt(ms[b] + eps)
    #     - w[d] * x[b, d] * dot_ms[b] / (2 * (ms[b] + eps)**(3/2))
    dot_y = (
        dot_x * w * rsqrt_ms.astype(dtype)[:, None]
        + (dot_w * rsqrt_ms.astype(dtype)[:, None] - (w / 2) * (dot_ms * rsqrt_ms**3).astype(dtype)[:, None])
        * x
    )

    return dot_y.reshape(*shape_b, n_d), dot_ms


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
