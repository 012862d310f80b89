"""The triplet margin loss: an anchor a is nearer to p than to n, by a margin.

Forward pass and its tangents for JAX of

    near[b] = sqrt(sum[d]((a[b, d] - p[b, d] + eps)**2))
    far[b] = sqrt(sum[d]((a[b, d] - n[b, d] + eps)**2))
    h[b] = margin + near[b] - far[b]
    L = mean[b](where(0 <= h[b], h[b], 0))

The tangents were derived by symgrad from these equations. Every one below was proved equal, for
every size, to the derivative of the forward pass, and all together to be the adjoint of its
gradients; the formula that each line computes stands above it (dot_x is the tangent of x: the
direction in which x moves).

Generated from the layer triplet_margin and the template jax/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate triplet_margin --backend jax
"""

import math
from functools import partial

import jax
import jax.numpy as jnp


def triplet_margin(a, p, n, *, margin=1, eps=1e-6):
    """Compute L; differentiable in forward and reverse mode, to any order.

    Args:
        a[b..., d]: input.
        p[b..., d]: input.
        n[b..., d]: input.
        margin: a constant.
        eps: a constant.
    """
    a, p, n = _arrays(a=a, p=p, n=n)
    _check_dimensions("a[b..., d]", a, 1, more=True)
    *shape_b, n_d = a.shape
    _check_shape("p[b..., d]", p, (*shape_b, n_d))
    _check_shape("n[b..., d]", n, (*shape_b, n_d))
    margin, eps = _numbers(margin=margin, eps=eps)
    L, *_ = _forward(a, p, n, margin, eps)
    return L


@partial(jax.custom_jvp, nondiff_argnums=(3, 4))
def _forward(a, p, n, margin, eps):
    """Compute L, and the statistics near, far."""
    result = a.dtype
    dtype, wide = _dtypes(a, p, n)
    *shape_b, n_d = a.shape
    n_b = math.prod(shape_b)
    a = a.astype(dtype).reshape(n_b, n_d)
    p = p.astype(dtype).reshape(n_b, n_d)
    n = n.astype(dtype).reshape(n_b, n_d)

    # sum_a_minus_p_squared[b] = sum[d]((a[b, d] - p[b, d] + eps)**2)
    sum_a_minus_p_squared = jnp.square(a - p + eps).sum(1, dtype=wide)
    # near[b] = sqrt(sum[d]((a[b, d] - p[b, d] + eps)**2))
    near = jnp.sqrt(sum_a_minus_p_squared)
    # sum_a_minus_n_squared[b] = sum[d]((a[b, d] - n[b, d] + eps)**2)
    sum_a_minus_n_squared = jnp.square(a - n + eps).sum(1, dtype=wide)
    # far[b] = sqrt(sum[d]((a[b, d] - n[b, d] + eps)**2))
    far = jnp.sqrt(sum_a_minus_n_squared)
    # h[b] = margin + near[b] - far[b]
    h = margin + near - far
    # L = mean[b](where(0 <= h[b], h[b], 0))
    L = jnp.where(0 <= h, h, 0).mean(dtype=wide)

    return L.astype(result), near, far


@_forward.defjvp
def _forward_jvp(margin, eps, primals, tangents):
    """The results of `_forward`, and their tangents."""
    a, p, n = primals
    dot_a, dot_p, dot_n = tangents
    L, near, far = _forward(a, p, n, margin, eps)
    dot_L, dot_near, dot_far = _tangents(a, p, n, near, far, dot_a, dot_p, dot_n, margin, eps)
    return (L, near, far), (dot_L.astype(L.dtype), dot_near.astype(near.dtype), dot_far.astype(far.dtype))


@partial(jax.checkpoint, static_argnums=(8, 9))
def _tangents(a, p, n, near, far, dot_a, dot_p, dot_n, margin, eps):
    """Compute the tangents of L, near, far: linear in those of the inputs."""
    dtype, wide = _dtypes(a, p, n, dot_a, dot_p, dot_n)
    *shape_b, n_d = a.shape
    n_b = math.prod(shape_b)
    a = a.astype(dtype).reshape(n_b, n_d)
    p = p.astype(dtype).reshape(n_b, n_d)
    n = n.astype(dtype).reshape(n_b, n_d)
    dot_a = dot_a.astype(dtype).reshape(n_b, n_d)
    dot_p = dot_p.astype(dtype).reshape(n_b, n_d)
    dot_n = dot_n.astype(dtype).reshape(n_b, n_d)

    # h[b] = margin + near[b] - far[b]
    h = margin + near - far
    # a_minus_p[b, d] = a[b, d] - p[b, d] + eps
    a_minus_p = a - p + eps
    # sum_a_minus_p_squared[b] = sum[d]((a[b, d] - p[b, d] + eps)**2)
    sum_a_minus_p_squared = jnp.square(a_minus_p).sum(1, dtype=wide)
    # root[b] = 1 / sqrt(sum[d]((a[b, d] - p[b, d] + eps)**2))
    root = 1 / jnp.sqrt(sum_a_minus_p_squared)
    # sum_dot_a_a_minus_p[b] = sum[d](dot_a[b, d] * (a[b, d] - p[b, d] + eps))
    sum_dot_a_a_minus_p = (dot_a * a_minus_p).sum(1, dtype=wide)
    # sum_dot_p_a_minus_p[b] = sum[d](dot_p[b, d] * (a[b, d] - p[b, d] + eps))
    sum_dot_p_a_minus_p = (dot_p * a_minus_p).sum(1, dtype=wide)
    # dot_near[b] = sum[d](dot_a[b, d] * (a[b, d] - p[b, d] + eps)) / sqrt(sum[i]((a[b, i] - p[b, i] + eps)**2))
    #     - sum[d](dot_p[b, d] * (a[b, d] - p[b, d] + eps)) / sqrt(sum[i]((a[b, i] - p[b, i] + eps)**2))
    dot_near = root * sum_dot_a_a_minus_p - root * sum_dot_p_a_minus_p
    # a_minus_n[b, d] = a[b, d] - n[b, d] + eps
    a_minus_n = a - n + eps
    # sum_a_minus_n_squared[b] = sum[d]((a[b, d] - n[b, d] + eps)**2)
    sum_a_minus_n_squared = jnp.square(a_minus_n).sum(1, dtype=wide)
    # root_2[b] = 1 / sqrt(sum[d]((a[b, d] - n[b, d] + eps)**2))
    root_2 = 1 / jnp.sqrt(sum_a_minus_n_squared)
    # sum_dot_a_a_minus_n[b] = sum[d](dot_a[b, d] * (a[b, d] - n[b, d] + eps))
    sum_dot_a_a_minus_n = (dot_a * a_minus_n).sum(1, dtype=wide)
    # sum_dot_n_a_minus_n[b] = sum[d](dot_n[b, d] * (a[b, d] - n[b, d] + eps))
    sum_dot_n_a_minus_n = (dot_n * a_minus_n).sum(1, dtype=wide)
    # dot_far[b] = sum[d](dot_a[b, d] * (a[b, d] - n[b, d] + eps)) / sqrt(sum[i]((a[b, i] - n[b, i] + eps)**2))
    #     - sum[d](dot_n[b, d] * (a[b, d] - n[b, d] + eps)) / sqrt(sum[i]((a[b, i] - n[b, i] + eps)**2))
    dot_far = root_2 * sum_dot_a_a_minus_n - root_2 * sum_dot_n_a_minus_n
    # dot_h[b] = dot_near[b] - dot_far[b]
    dot_h = dot_near - dot_far
    # dot_L = mean[b](where(0 <= h[b], dot_h[b], 0))
    dot_L = jnp.where(0 <= h, dot_h, 0).mean(dtype=wide)

    return dot_L, dot_near, dot_far


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
