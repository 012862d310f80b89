"""The logarithm of the softmax over the last dimension.

Forward pass and its tangents for JAX of

    z[b] = log(sum[v](exp(x[b, v])))
    y[b, v] = x[b, v] - z[b]

The tangents were derived by symgrad from these equations. Every one below was proved equal, for
every size, to the derivative of the forward pass, and all together to be the adjoint of its
gradients; the formula that each line computes stands above it (dot_x is the tangent of x: the
direction in which x moves).

Generated from the layer log_softmax and the template jax/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate log_softmax --backend jax
"""

import math

import jax
import jax.numpy as jnp


def log_softmax(x):
    """Compute y[b..., v]; differentiable in forward and reverse mode, to any order.

    Args:
        x[b..., v]: input.
    """
    (x,) = _arrays(x=x)
    _check_dimensions("x[b..., v]", x, 1, more=True)
    *shape_b, n_v = x.shape
    y, *_ = _forward(x)
    return y


@jax.custom_jvp
def _forward(x):
    """Compute y[b..., v], and the statistics z."""
    result = x.dtype
    dtype, wide = _dtypes(x)
    *shape_b, n_v = x.shape
    n_b = math.prod(shape_b)
    x = x.astype(dtype).reshape(n_b, n_v)

    # max_x[b] = max[v](x[b, v])
    max_x = x.max(1)
    # sum_exp_x[b] = sum[v](exp(x[b, v] - max_x[b]))
    sum_exp_x = jnp.exp(x - max_x[:, None]).sum(1, dtype=wide)
    # z[b] = log(sum[v](exp(x[b, v])))
    z = max_x + jnp.log(sum_exp_x)
    # y[b, v] = x[b, v] - z[b]
    y = _centre(x, z[:, None])

    return y.reshape(*shape_b, n_v).astype(result), z


@_forward.defjvp
def _forward_jvp(primals, tangents):
    """The results of `_forward`, and their tangents."""
    (x,) = primals
    (dot_x,) = tangents
    y, z = _forward(x)
    dot_y, dot_z = _tangents(x, z, dot_x)
    return (y, z), (dot_y.astype(y.dtype), dot_z.astype(z.dtype))


@jax.checkpoint
def _tangents(x, z, dot_x):
    """Compute the tangents of y, z: linear in those of the inputs."""
    dtype, wide = _dtypes(x, dot_x)
    *shape_b, n_v = x.shape
    n_b = math.prod(shape_b)
    x = x.astype(dtype).reshape(n_b, n_v)
    dot_x = dot_x.astype(dtype).reshape(n_b, n_v)

    # dot_z[b] = sum[v](dot_x[b, v] * exp(x[b, v])) / sum[i](exp(x[b, i]))
    dot_z = (dot_x * jnp.exp(_centre(x, z[:, None]))).sum(1, dtype=wide)
    # dot_y[b, v] = dot_x[b, v] - dot_z[b]
    dot_y = _centre(dot_x, dot_z[:, None])

    return dot_y.reshape(*shape_b, n_v), dot_z


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
