"""Binary cross entropy of probabilities.

Forward pass and its tangents for JAX of

    L = -mean[i](t[i] * where(-100 < log(p[i]), log(p[i]), where(log(p[i]) < -100, -100, (log(p[i]) - 100) / 2))
        + (1 - t[i]) * where(-100 < log1p(-p[i]), log1p(-p[i]), where(log1p(-p[i]) < -100, -100, (log1p(-p[i]) -
        100) / 2)))

The tangents were derived by symgrad from these equations. Every one below was proved equal, for
every size, to the derivative of the forward pass, and all together to be the adjoint of its
gradients; the formula that each line computes stands above it (dot_x is the tangent of x: the
direction in which x moves).

Generated from the layer bce and the template jax/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate bce --backend jax
"""

import jax
import jax.numpy as jnp


def bce(p, t):
    """Compute L; differentiable in forward and reverse mode, to any order.

    Args:
        p[i...]: input.
        t[i...]: target, gets no gradient.
    """
    p, t = _arrays(p=p, t=t)
    _check_dimensions("p[i...]", p, 0, more=True)
    _check_shape("t[i...]", t, p.shape)
    return _forward(p, t)


@jax.custom_jvp
def _forward(p, t):
    """Compute L."""
    result = p.dtype
    dtype, wide = _dtypes(p, t)
    p = p.astype(dtype)
    t = t.astype(dtype)

    # L = -mean[i](t[i] * where(-100 < log(p[i]), log(p[i]), where(log(p[i]) < -100, -100,
    #     (log(p[i]) - 100) / 2)) + (1 - t[i]) * where(-100 < log1p(-p[i]), log1p(-p[i]),
    #     where(log1p(-p[i]) < -100, -100, (log1p(-p[i]) - 100) / 2)))
    L = -(
        t * jnp.where(
            -100 < jnp.log(p),
            jnp.log(jnp.where(-100 < jnp.log(p), p, 1)),
            jnp.where(
                jnp.log(p) < -100,
                -100,
                (jnp.log(jnp.where(-100 < jnp.log(p), 1, jnp.where(jnp.log(p) < -100, 1, p))) - 100) / 2,
            ),
        )
        + (1 - t) * jnp.where(
            -100 < jnp.log1p(-p),
            jnp.log1p(jnp.where(-100 < jnp.log1p(-p), -p, 1)),
            jnp.where(
                jnp.log1p(-p) < -100,
                -100,
                (
                    jnp.log1p(jnp.where(-100 < jnp.log1p(-p), 1, jnp.where(jnp.log1p(-p) < -100, 1, -p)))
                    - 100
                ) / 2,
            ),
        )
    ).mean(dtype=wide)

    return L.astype(result)


@_forward.defjvp
def _forward_jvp(primals, tangents):
    """The results of `_forward`, and their tangents."""
    p, t = primals
    dot_p, _ = tangents
    L = _forward(p, t)
    dot_L = _tangents(p, t, dot_p)
    return L, dot_L.astype(L.dtype)


@jax.checkpoint
def _tangents(p, t, dot_p):
    """Compute the tangents of L: linear in those of the inputs."""
    dtype, wide = _dtypes(p, t, dot_p)
    p = p.astype(dtype)
    t = t.astype(dtype)
    dot_p = dot_p.astype(dtype)

    # dot_L = -mean[i](dot_p[i] * (sum[k](t[k] * where(-100 < log(p[k]), where(k == i, 1, 0) / p[k],
    #     where(log(p[k]) < -100, 0, where(k == i, 1, 0) / (2 * p[k])))) + sum[k]((1 - t[k]) *
    #     where(-100 < log1p(-p[k]), -where(k == i, 1, 0) / (1 - p[k]), where(log1p(-p[k]) < -100,
    #     0, -where(k == i, 1, 0) / (2 * (1 - p[k])))))))
    dot_L = -(dot_p * (
        jnp.where(-100 < jnp.log(p), t / jnp.where(-100 < jnp.log(p), p, 1), 0)
        + jnp.where(
            (~(-100 < jnp.log(p))) & (~(jnp.log(p) < -100)),
            t / (2 * jnp.where((~(-100 < jnp.log(p))) & (~(jnp.log(p) < -100)), p, 1)),
            0,
        )
        + jnp.where(-100 < jnp.log1p(-p), -(1 - t) / jnp.where(-100 < jnp.log1p(-p), 1 - p, 1), 0)
        + jnp.where(
            (~(-100 < jnp.log1p(-p))) & (~(jnp.log1p(-p) < -100)),
            -(1 - t) / (2 * jnp.where((~(-100 < jnp.log1p(-p))) & (~(jnp.log1p(-p) < -100)), 1 - p, 1)),
            0,
        )
    )).mean(dtype=wide)

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
