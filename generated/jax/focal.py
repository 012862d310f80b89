"""The focal loss of logits against labels 1 and 0, with less weight for what is classified well.

Forward pass and its tangents for JAX of

    s[i] = (2 * t[i] - 1) * x[i]
    a[i] = alpha * t[i] + (1 - alpha) * (1 - t[i])
    L = mean[i](a[i] * exp(-gamma * softplus(s[i])) * softplus(-s[i]))

The tangents were derived by symgrad from these equations. Every one below was proved equal, for
every size, to the derivative of the forward pass, and all together to be the adjoint of its
gradients; the formula that each line computes stands above it (dot_x is the tangent of x: the
direction in which x moves).

Generated from the layer focal and the template jax/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate focal --backend jax
"""

from functools import partial

import jax
import jax.numpy as jnp


def focal(x, t, *, alpha=0.25, gamma=2):
    """Compute L; differentiable in forward and reverse mode, to any order.

    Args:
        x[i...]: input.
        t[i...]: target, gets no gradient.
        alpha: a constant.
        gamma: a constant.
    """
    x, t = _arrays(x=x, t=t)
    _check_dimensions("x[i...]", x, 0, more=True)
    _check_shape("t[i...]", t, x.shape)
    alpha, gamma = _numbers(alpha=alpha, gamma=gamma)
    return _forward(x, t, alpha, gamma)


@partial(jax.custom_jvp, nondiff_argnums=(2, 3))
def _forward(x, t, alpha, gamma):
    """Compute L."""
    result = x.dtype
    dtype, wide = _dtypes(x, t)
    x = x.astype(dtype)
    t = t.astype(dtype)

    # a[i] = alpha * t[i] + (1 - alpha) * (1 - t[i])
    a = t * alpha + (1 - t) * (1 - alpha)
    # s[i] = (2 * t[i] - 1) * x[i]
    s = (t * 2 - 1) * x
    # L = mean[i](a[i] * exp(-gamma * softplus(s[i])) * softplus(-s[i]))
    L = (a * jnp.exp(jax.nn.softplus(s) * (-gamma)) * jax.nn.softplus(-s)).mean(dtype=wide)

    return L.astype(result)


@_forward.defjvp
def _forward_jvp(alpha, gamma, primals, tangents):
    """The results of `_forward`, and their tangents."""
    x, t = primals
    dot_x, _ = tangents
    L = _forward(x, t, alpha, gamma)
    dot_L = _tangents(x, t, dot_x, alpha, gamma)
    return L, dot_L.astype(L.dtype)


@partial(jax.checkpoint, static_argnums=(3, 4))
def _tangents(x, t, dot_x, alpha, gamma):
    """Compute the tangents of L: linear in those of the inputs."""
    dtype, wide = _dtypes(x, t, dot_x)
    x = x.astype(dtype)
    t = t.astype(dtype)
    dot_x = dot_x.astype(dtype)

    # two_t_minus_one[i] = 2 * t[i] - 1
    two_t_minus_one = t * 2 - 1
    # dot_s[i] = dot_x[i] * (2 * t[i] - 1)
    dot_s = dot_x * two_t_minus_one
    # a[i] = alpha * t[i] + (1 - alpha) * (1 - t[i])
    a = t * alpha + (1 - t) * (1 - alpha)
    # s[i] = (2 * t[i] - 1) * x[i]
    s = two_t_minus_one * x
    # exp_gamma_softplus_s[i] = exp(-gamma * softplus(s[i]))
    exp_gamma_softplus_s = jnp.exp(jax.nn.softplus(s) * (-gamma))
    # s_2[i] = -s[i]
    s_2 = -s
    # dot_L = mean[i](dot_s[i] * (-a[i] * gamma * exp(-gamma * softplus(s[i])) * sigmoid(s[i]) *
    #     softplus(-s[i]) - a[i] * exp(-gamma * softplus(s[i])) * sigmoid(-s[i])))
    dot_L = (dot_s * (
        -a * gamma * exp_gamma_softplus_s * jax.nn.sigmoid(s) * jax.nn.softplus(s_2)
        - a * exp_gamma_softplus_s * jax.nn.sigmoid(s_2)
    )).mean(dtype=wide)

    return dot_L


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
