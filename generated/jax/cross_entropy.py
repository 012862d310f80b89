"""Cross entropy of a softmax against target probabilities, which need not sum to one.

Forward pass and its tangents for JAX of

    z[b, k] = log(sum[v](exp(x[b, v, k])))
    L = -sum[b, k, v](q[b, v, k] * (x[b, v, k] - z[b, k])) / (size[b] * size[k])

The tangents were derived by symgrad from these equations. Every one below was proved equal, for
every size, to the derivative of the forward pass, and all together to be the adjoint of its
gradients; the formula that each line computes stands above it (dot_x is the tangent of x: the
direction in which x moves).

Generated from the layer cross_entropy and the template jax/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate cross_entropy --backend jax
"""

import math

import jax
import jax.numpy as jnp


def cross_entropy(x, q):
    """Compute L; differentiable in forward and reverse mode, to any order.

    Args:
        x[b, v, k...]: input.
        q[b, v, k...]: target, gets no gradient.
    """
    x, q = _arrays(x=x, q=q)
    _check_dimensions("x[b, v, k...]", x, 2, more=True)
    n_b, n_v, *shape_k = x.shape
    _check_shape("q[b, v, k...]", q, (n_b, n_v, *shape_k))
    L, *_ = _forward(x, q)
    return L


@jax.custom_jvp
def _forward(x, q):
    """Compute L, and the statistics z."""
    result = x.dtype
    dtype, wide = _dtypes(x, q)
    n_b, n_v, *shape_k = x.shape
    n_k = math.prod(shape_k)
    x = x.astype(dtype).reshape(n_b, n_v, n_k)
    q = q.astype(dtype).reshape(n_b, n_v, n_k)

    # max_x[b, k] = max[v](x[b, v, k])
    max_x = x.max(1)
    # sum_exp_x[b, k] = sum[v](exp(x[b, v, k] - max_x[b, k]))
    sum_exp_x = jnp.exp(x - max_x[:, None, :]).sum(1, dtype=wide)
    # z[b, k] = log(sum[v](exp(x[b, v, k])))
    z = max_x + jnp.log(sum_exp_x)
    # L = -sum[b, k, v](q[b, v, k] * (x[b, v, k] - z[b, k])) / (size[b] * size[k])
    L = -(q * _centre(x, z[:, None, :])).sum(dtype=wide) / (n_b * n_k)

    return L.astype(result), z


@_forward.defjvp
def _forward_jvp(primals, tangents):
    """The results of `_forward`, and their tangents."""
    x, q = primals
    dot_x, _ = tangents
    L, z = _forward(x, q)
    dot_L, dot_z = _tangents(x, q, z, dot_x)
    return (L, z), (dot_L.astype(L.dtype), dot_z.astype(z.dtype))


@jax.checkpoint
def _tangents(x, q, z, dot_x):
    """Compute the tangents of L, z: linear in those of the inputs."""
    dtype, wide = _dtypes(x, q, dot_x)
    n_b, n_v, *shape_k = x.shape
    n_k = math.prod(shape_k)
    x = x.astype(dtype).reshape(n_b, n_v, n_k)
    q = q.astype(dtype).reshape(n_b, n_v, n_k)
    dot_x = dot_x.astype(dtype).reshape(n_b, n_v, n_k)

    # sum_q_dot_x = sum[b, v, k](q[b, v, k] * dot_x[b, v, k])
    sum_q_dot_x = (q * dot_x).sum(dtype=wide)
    # dot_z[b, k] = sum[v](dot_x[b, v, k] * exp(x[b, v, k] - z[b, k]))
    dot_z = (dot_x * jnp.exp(_centre(x, z[:, None, :]))).sum(1, dtype=wide)
    # sum_q[b, k] = sum[v](q[b, v, k])
    sum_q = q.sum(1, dtype=wide)
    # sum_dot_z_sum_q = sum[b, k](dot_z[b, k] * sum[v](q[b, v, k]))
    sum_dot_z_sum_q = (dot_z * sum_q).sum(dtype=wide)
    # dot_L = -sum[b, v, k](q[b, v, k] * dot_x[b, v, k]) / (size[b] * size[k])
    #     + sum[b, k](dot_z[b, k] * sum[v](q[b, v, k])) / (size[b] * size[k])
    dot_L = -sum_q_dot_x / (n_b * n_k) + sum_dot_z_sum_q / (n_b * n_k)

    return dot_L, dot_z


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


def _centre(array, mean):
    """array - mean; a wider mean is split in two, so that nothing of it is lost."""
    if mean.dtype == array.dtype:
        return array - mean
    high = mean.astype(array.dtype)
    return (array - high) - (mean - high).astype(array.dtype)
