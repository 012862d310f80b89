"""A classifier: linear, layer normalization, GELU, linear, cross entropy against probabilities.

Forward pass and its tangents for JAX of

    u[b, h] = sum[i](x[b, i] * w1[h, i]) + b1[h]
    n.mu[b] = mean[h](u[b, h])
    n.var[b] = mean[h]((u[b, h] - n.mu[b])**2)
    n[b, h] = g[h] * (u[b, h] - n.mu[b]) / sqrt(n.var[b] + eps) + beta[h]
    a[b, h] = n[b, h] * (1 + erf(n[b, h] / sqrt(2))) / 2
    z[b, v] = sum[h](a[b, h] * w2[v, h]) + b2[v]
    L.z[b] = log(sum[v](exp(z[b, v])))
    L = -sum[b, v](q[b, v] * (z[b, v] - L.z[b])) / size[b]

The tangents were derived by symgrad from these equations. Every one below was proved equal, for
every size, to the derivative of the forward pass, and all together to be the adjoint of its
gradients; the formula that each line computes stands above it (dot_x is the tangent of x: the
direction in which x moves).

Generated from the layer mlp_classifier and the template jax/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate mlp_classifier --backend jax
"""

import math
from functools import partial

import jax
import jax.numpy as jnp


def mlp_classifier(x, w1, b1, g, beta, w2, b2, q, *, eps=1e-5):
    """Compute L; differentiable in forward and reverse mode, to any order.

    Args:
        x[b, i]: input.
        w1[h, i]: parameter.
        b1[h]: parameter.
        g[h]: parameter.
        beta[h]: parameter.
        w2[v, h]: parameter.
        b2[v]: parameter.
        q[b, v]: target, gets no gradient.
        eps: a constant.
    """
    x, w1, b1, g, beta, w2, b2, q = _arrays(x=x, w1=w1, b1=b1, g=g, beta=beta, w2=w2, b2=b2, q=q)
    _check_dimensions("x[b, i]", x, 2)
    n_b, n_i = x.shape
    _check_dimensions("w1[h, i]", w1, 2)
    n_h = w1.shape[0]
    _check_shape("w1[h, i]", w1, (n_h, n_i))
    _check_shape("b1[h]", b1, (n_h,))
    _check_shape("g[h]", g, (n_h,))
    _check_shape("beta[h]", beta, (n_h,))
    _check_dimensions("w2[v, h]", w2, 2)
    n_v = w2.shape[0]
    _check_shape("w2[v, h]", w2, (n_v, n_h))
    _check_shape("b2[v]", b2, (n_v,))
    _check_shape("q[b, v]", q, (n_b, n_v))
    (eps,) = _numbers(eps=eps)
    L, *_ = _forward(x, w1, b1, g, beta, w2, b2, q, eps)
    return L


@partial(jax.custom_jvp, nondiff_argnums=(8,))
def _forward(x, w1, b1, g, beta, w2, b2, q, eps):
    """Compute L, and the statistics u, mu, var, z, L_z."""
    result = x.dtype
    dtype, wide = _dtypes(x, w1, b1, g, beta, w2, b2, q)
    n_b, n_i = x.shape
    n_h = w1.shape[0]
    n_v = w2.shape[0]
    x = x.astype(dtype)
    w1 = w1.astype(dtype)
    b1 = b1.astype(dtype)
    g = g.astype(dtype)
    beta = beta.astype(dtype)
    w2 = w2.astype(dtype)
    b2 = b2.astype(dtype)
    q = q.astype(dtype)

    # sum_x_w1[b, h] = sum[i](x[b, i] * w1[h, i])
    sum_x_w1 = x @ w1.T
    # u[b, h] = sum[i](x[b, i] * w1[h, i]) + b1[h]
    u = sum_x_w1 + b1
    # mu[b] = mean[h](u[b, h])
    mu = u.mean(1, dtype=wide)
    # u_minus_mu[b, h] = u[b, h] - mu[b]
    u_minus_mu = _deviations(u, mu[:, None], 1)
    # var[b] = mean[h]((u[b, h] - mu[b])**2)
    var = jnp.square(u_minus_mu).mean(1, dtype=wide)
    # n[b, h] = g[h] * (u[b, h] - mu[b]) / sqrt(var[b] + eps) + beta[h]
    n = u_minus_mu * g * (1 / jnp.sqrt(var + eps)).astype(dtype)[:, None] + beta
    # a[b, h] = n[b, h] * (1 + erf(n[b, h] / sqrt(2))) / 2
    a = n * (1 + jax.scipy.special.erf(n * (1 / math.sqrt(2)))) / 2
    # sum_a_w2[b, v] = sum[h](a[b, h] * w2[v, h])
    sum_a_w2 = a @ w2.T
    # z[b, v] = sum[h](a[b, h] * w2[v, h]) + b2[v]
    z = sum_a_w2 + b2
    # max_z[b] = max[v](z[b, v])
    max_z = z.max(1)
    # sum_exp_z[b] = sum[v](exp(z[b, v] - max_z[b]))
    sum_exp_z = jnp.exp(z - max_z[:, None]).sum(1, dtype=wide)
    # L_z[b] = log(sum[v](exp(z[b, v])))
    L_z = max_z + jnp.log(sum_exp_z)
    # L = -sum[b, v](q[b, v] * (z[b, v] - L_z[b])) / size[b]
    L = -(q * _centre(z, L_z[:, None])).sum(dtype=wide) / n_b

    return L.astype(result), u, mu, var, z, L_z


@_forward.defjvp
def _forward_jvp(eps, primals, tangents):
    """The results of `_forward`, and their tangents."""
    x, w1, b1, g, beta, w2, b2, q = primals
    dot_x, dot_w1, dot_b1, dot_g, dot_beta, dot_w2, dot_b2, _ = tangents
    L, u, mu, var, z, L_z = _forward(x, w1, b1, g, beta, w2, b2, q, eps)
    dot_L, dot_u, dot_mu, dot_var, dot_z, dot_L_z = _tangents(
        x, w1, g, beta, w2, q, u, mu, var, z, L_z, dot_x, dot_w1, dot_b1, dot_g, dot_beta, dot_w2,
        dot_b2, eps,
    )
    return (L, u, mu, var, z, L_z), (
        dot_L.astype(L.dtype),
        dot_u.astype(u.dtype),
        dot_mu.astype(mu.dtype),
        dot_var.astype(var.dtype),
        dot_z.astype(z.dtype),
        dot_L_z.astype(L_z.dtype),
    )


@partial(jax.checkpoint, static_argnums=(18,))
def _tangents(
    x, w1, g, beta, w2, q, u, mu, var, z, L_z, dot_x, dot_w1, dot_b1, dot_g, dot_beta, dot_w2,
    dot_b2, eps,
):
    """Compute the tangents of L, u, mu, var, z, L_z: linear in those of the inputs."""
    dtype, wide = _dtypes(x, w1, g, beta, w2, q, dot_x, dot_w1, dot_b1, dot_g, dot_beta, dot_w2, dot_b2)
    n_b, n_i = x.shape
    n_h = w1.shape[0]
    n_v = w2.shape[0]
    x = x.astype(dtype)
    w1 = w1.astype(dtype)
    g = g.astype(dtype)
    beta = beta.astype(dtype)
    w2 = w2.astype(dtype)
    q = q.astype(dtype)
    dot_x = dot_x.astype(dtype)
    dot_w1 = dot_w1.astype(dtype)
    dot_b1 = dot_b1.astype(dtype)
    dot_g = dot_g.astype(dtype)
    dot_beta = dot_beta.astype(dtype)
    dot_w2 = dot_w2.astype(dtype)
    dot_b2 = dot_b2.astype(dtype)
    u = u.astype(dtype)
    z = z.astype(dtype)

    # u_minus_mu[b, h] = u[b, h] - mu[b]
    u_minus_mu = _deviations(u, mu[:, None], 1)
    # rsqrt_var[b] = 1 / sqrt(var[b] + eps)
    rsqrt_var = 1 / jnp.sqrt(var + eps)
    # n[b, h] = g[h] * (u[b, h] - mu[b]) / sqrt(var[b] + eps) + beta[h]
    n = u_minus_mu * g * rsqrt_var.astype(dtype)[:, None] + beta
    # erf_n_rsqrt_two[b, h] = erf(n[b, h] / sqrt(2))
    erf_n_rsqrt_two = jax.scipy.special.erf(n * (1 / math.sqrt(2)))
    # a[b, h] = n[b, h] * (1 + erf(n[b, h] / sqrt(2))) / 2
    a = n * (1 + erf_n_rsqrt_two) / 2
    # sum_a_dot_w2[b, v] = sum[h](a[b, h] * dot_w2[v, h])
    sum_a_dot_w2 = a @ dot_w2.T
    # sum_w1_dot_x[b, h] = sum[i](w1[h, i] * dot_x[b, i])
    sum_w1_dot_x = dot_x @ w1.T
    # sum_x_dot_w1[b, h] = sum[i](x[b, i] * dot_w1[h, i])
    sum_x_dot_w1 = x @ dot_w1.T
    # dot_u[b, h] = sum[i](w1[h, i] * dot_x[b, i]) + sum[i](x[b, i] * dot_w1[h, i]) + dot_b1[h]
    dot_u = sum_w1_dot_x + sum_x_dot_w1 + dot_b1
    # dot_var[b] = 2 * mean[h](dot_u[b, h] * (u[b, h] - mu[b]))
    dot_var = 2 * (dot_u * u_minus_mu).mean(1, dtype=wide)
    # dot_mu[b] = mean[h](dot_u[b, h])
    dot_mu = dot_u.mean(1, dtype=wide)
    # dot_n[b, h] = dot_g[h] * (u[b, h] - mu[b]) / sqrt(var[b] + eps) + dot_beta[h]
    #     + g[h] * dot_u[b, h] / sqrt(var[b] + eps) - g[h] * dot_mu[b] / sqrt(var[b] + eps)
    #     - g[h] * dot_var[b] * (u[b, h] - mu[b]) / (2 * (var[b] + eps)**(3/2))
    dot_n = (
        (dot_g * rsqrt_var.astype(dtype)[:, None] - (g / 2) * (dot_var * rsqrt_var**3).astype(dtype)[:, None])
        * u_minus_mu
        + dot_beta
        - g * (dot_mu * rsqrt_var).astype(dtype)[:, None]
        + dot_u * g * rsqrt_var.astype(dtype)[:, None]
    )
    # dot_a[b, h] = dot_n[b, h] * (1 + erf(n[b, h] / sqrt(2)) + 2 * n[b, h] * exp(-n[b, h]**2 / 2) /
    #     (sqrt(pi) * sqrt(2))) / 2
    dot_a = (
        dot_n
        * (1 + erf_n_rsqrt_two + n * (2 / (math.sqrt(math.pi) * math.sqrt(2))) * jnp.exp(-jnp.square(n) / 2))
        / 2
    )
    # sum_w2_dot_a[b, v] = sum[h](w2[v, h] * dot_a[b, h])
    sum_w2_dot_a = dot_a @ w2.T
    # dot_z[b, v] = sum[h](a[b, h] * dot_w2[v, h]) + dot_b2[v] + sum[h](w2[v, h] * dot_a[b, h])
    dot_z = sum_a_dot_w2 + dot_b2 + sum_w2_dot_a
    # sum_q_dot_z = sum[b, v](q[b, v] * dot_z[b, v])
    sum_q_dot_z = (q * dot_z).sum(dtype=wide)
    # dot_L_z[b] = sum[v](dot_z[b, v] * exp(z[b, v])) / sum[i](exp(z[b, i]))
    dot_L_z = (dot_z * jnp.exp(_centre(z, L_z[:, None]))).sum(1, dtype=wide)
    # sum_q[b] = sum[v](q[b, v])
    sum_q = q.sum(1, dtype=wide)
    # sum_z_sum_q = sum[b](dot_L_z[b] * sum[v](q[b, v]))
    sum_z_sum_q = (dot_L_z * sum_q).sum(dtype=wide)
    # dot_L = -sum[b, v](q[b, v] * dot_z[b, v]) / size[b] + mean[b](dot_L_z[b] * sum[v](q[b, v]))
    dot_L = -sum_q_dot_z / n_b + sum_z_sum_q / n_b

    return dot_L, dot_u, dot_mu, dot_var, dot_z, dot_L_z


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


def _centre(array, mean):
    """array - mean; a wider mean is split in two, so that nothing of it is lost."""
    if mean.dtype == array.dtype:
        return array - mean
    high = mean.astype(array.dtype)
    return (array - high) - (mean - high).astype(array.dtype)


def _deviations(array, mean, axes):
    """array - mean, its mean along these axes; without float64 what the mean's rounding left is taken out as well."""
    centred = _centre(array, mean)
    return centred - centred.mean(axes, keepdims=True) if mean.dtype == jnp.float32 else centred
