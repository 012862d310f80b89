"""The negative log-likelihood of targets under a normal distribution with mean and variance.

Forward pass and its tangents for JAX of

    v[i] = where(var[i] < eps, eps, var[i])
    L = mean[i](log(v[i]) + (mu[i] - t[i])**2 / v[i]) / 2

The tangents were derived by symgrad from these equations. Every one below was proved equal, for
every size, to the derivative of the forward pass, and all together to be the adjoint of its
gradients; the formula that each line computes stands above it (dot_x is the tangent of x: the
direction in which x moves).

Generated from the layer gaussian_nll and the template jax/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate gaussian_nll --backend jax
"""

from functools import partial

import jax
import jax.numpy as jnp


def gaussian_nll(mu, var, t, *, eps=1e-6):
    """Compute L; differentiable in forward and reverse mode, to any order.

    Args:
        mu[i...]: input.
        var[i...]: input.
        t[i...]: target, gets no gradient.
        eps: a constant.
    """
    mu, var, t = _arrays(mu=mu, var=var, t=t)
    _check_dimensions("mu[i...]", mu, 0, more=True)
    _check_shape("var[i...]", var, mu.shape)
    _check_shape("t[i...]", t, mu.shape)
    (eps,) = _numbers(eps=eps)
    return _forward(mu, var, t, eps)


@partial(jax.custom_jvp, nondiff_argnums=(3,))
def _forward(mu, var, t, eps):
    """Compute L."""
    result = mu.dtype
    dtype, wide = _dtypes(mu, var, t)
    mu = mu.astype(dtype)
    var = var.astype(dtype)
    t = t.astype(dtype)

    # v[i] = where(var[i] < eps, eps, var[i])
    v = jnp.where(var < eps, eps, var)
    # L = mean[i](log(v[i]) + (mu[i] - t[i])**2 / v[i]) / 2
    L = (jnp.log(v) + jnp.square(mu - t) / v).mean(dtype=wide) / 2

    return L.astype(result)


@_forward.defjvp
def _forward_jvp(eps, primals, tangents):
    """The results of `_forward`, and their tangents."""
    mu, var, t = primals
    dot_mu, dot_var, _ = tangents
    L = _forward(mu, var, t, eps)
    dot_L = _tangents(mu, var, t, dot_mu, dot_var, eps)
    return L, dot_L.astype(L.dtype)


@partial(jax.checkpoint, static_argnums=(5,))
def _tangents(mu, var, t, dot_mu, dot_var, eps):
    """Compute the tangents of L: linear in those of the inputs."""
    dtype, wide = _dtypes(mu, var, t, dot_mu, dot_var)
    n_i = mu.size
    mu = mu.astype(dtype)
    var = var.astype(dtype)
    t = t.astype(dtype)
    dot_mu = dot_mu.astype(dtype)
    dot_var = dot_var.astype(dtype)

    # v[i] = where(var[i] < eps, eps, var[i])
    v = jnp.where(var < eps, eps, var)
    # mu_minus_t[i] = mu[i] - t[i]
    mu_minus_t = mu - t
    # total = sum[i](dot_mu[i] * (mu[i] - t[i]) / v[i])
    total = (dot_mu * mu_minus_t / v).sum(dtype=wide)
    # dot_v[i] = dot_var[i] * where(var[i] < eps, 0, 1)
    dot_v = dot_var * (-((var < eps).astype(dtype) != 0).astype(dtype) + 1)
    # total_2 = sum[i](dot_v[i] * (1 / v[i] - (mu[i] - t[i])**2 / v[i]**2))
    total_2 = (dot_v * (1 / v - jnp.square(mu_minus_t) / v**2)).sum(dtype=wide)
    # dot_L = mean[i](dot_mu[i] * (mu[i] - t[i]) / v[i])
    #     + mean[i](dot_v[i] * (1 / v[i] - (mu[i] - t[i])**2 / v[i]**2)) / 2
    dot_L = total / n_i + total_2 / (2 * n_i)

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
