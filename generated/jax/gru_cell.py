"""One step of a gated recurrent unit: reset and update gate, candidate, new state.

Forward pass and its tangents for JAX of

    u[b, j] = sum[i](x[b, i] * w_ir[j, i]) + b_ir[j] + sum[k](h[b, k] * w_hr[j, k]) + b_hr[j]
    v[b, j] = sum[i](x[b, i] * w_iz[j, i]) + b_iz[j] + sum[k](h[b, k] * w_hz[j, k]) + b_hz[j]
    m[b, j] = sum[k](h[b, k] * w_hn[j, k]) + b_hn[j]
    r[b, j] = sigmoid(u[b, j])
    z[b, j] = sigmoid(v[b, j])
    a[b, j] = sum[i](x[b, i] * w_in[j, i]) + b_in[j] + r[b, j] * m[b, j]
    n[b, j] = tanh(a[b, j])
    h_new[b, j] = (1 - z[b, j]) * n[b, j] + z[b, j] * h[b, j]

The tangents were derived by symgrad from these equations. Every one below was proved equal, for
every size, to the derivative of the forward pass, and all together to be the adjoint of its
gradients; the formula that each line computes stands above it (dot_x is the tangent of x: the
direction in which x moves).

Generated from the layer gru_cell and the template jax/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate gru_cell --backend jax
"""

import jax
import jax.numpy as jnp


def gru_cell(x, h, w_ir, w_iz, w_in, w_hr, w_hz, w_hn, b_ir, b_iz, b_in, b_hr, b_hz, b_hn):
    """Compute h_new[b, j]; differentiable in forward and reverse mode, to any order.

    Args:
        x[b, i]: input.
        h[b, j]: input.
        w_ir[j, i]: parameter.
        w_iz[j, i]: parameter.
        w_in[j, i]: parameter.
        w_hr[j, k]: parameter.
        w_hz[j, k]: parameter.
        w_hn[j, k]: parameter.
        b_ir[j]: parameter.
        b_iz[j]: parameter.
        b_in[j]: parameter.
        b_hr[j]: parameter.
        b_hz[j]: parameter.
        b_hn[j]: parameter.
    """
    x, h, w_ir, w_iz, w_in, w_hr, w_hz, w_hn, b_ir, b_iz, b_in, b_hr, b_hz, b_hn = _arrays(
        x=x,
        h=h,
        w_ir=w_ir,
        w_iz=w_iz,
        w_in=w_in,
        w_hr=w_hr,
        w_hz=w_hz,
        w_hn=w_hn,
        b_ir=b_ir,
        b_iz=b_iz,
        b_in=b_in,
        b_hr=b_hr,
        b_hz=b_hz,
        b_hn=b_hn,
    )
    _check_dimensions("x[b, i]", x, 2)
    n_b, n_i = x.shape
    _check_dimensions("h[b, j]", h, 2)
    n_j = h.shape[1]
    _check_shape("h[b, j]", h, (n_b, n_j))
    _check_shape("w_ir[j, i]", w_ir, (n_j, n_i))
    _check_shape("w_iz[j, i]", w_iz, (n_j, n_i))
    _check_shape("w_in[j, i]", w_in, (n_j, n_i))
    _check_shape("w_hr[j, k]", w_hr, (n_j, n_j))
    _check_shape("w_hz[j, k]", w_hz, (n_j, n_j))
    _check_shape("w_hn[j, k]", w_hn, (n_j, n_j))
    _check_shape("b_ir[j]", b_ir, (n_j,))
    _check_shape("b_iz[j]", b_iz, (n_j,))
    _check_shape("b_in[j]", b_in, (n_j,))
    _check_shape("b_hr[j]", b_hr, (n_j,))
    _check_shape("b_hz[j]", b_hz, (n_j,))
    _check_shape("b_hn[j]", b_hn, (n_j,))
    h_new, *_ = _forward(x, h, w_ir, w_iz, w_in, w_hr, w_hz, w_hn, b_ir, b_iz, b_in, b_hr, b_hz, b_hn)
    return h_new


@jax.custom_jvp
def _forward(x, h, w_ir, w_iz, w_in, w_hr, w_hz, w_hn, b_ir, b_iz, b_in, b_hr, b_hz, b_hn):
    """Compute h_new[b, j], and the statistics u, v, m, a."""
    result = x.dtype
    dtype, _ = _dtypes(x, h, w_ir, w_iz, w_in, w_hr, w_hz, w_hn, b_ir, b_iz, b_in, b_hr, b_hz, b_hn)
    n_b, n_i = x.shape
    n_j = h.shape[1]
    x = x.astype(dtype)
    h = h.astype(dtype)
    w_ir = w_ir.astype(dtype)
    w_iz = w_iz.astype(dtype)
    w_in = w_in.astype(dtype)
    w_hr = w_hr.astype(dtype)
    w_hz = w_hz.astype(dtype)
    w_hn = w_hn.astype(dtype)
    b_ir = b_ir.astype(dtype)
    b_iz = b_iz.astype(dtype)
    b_in = b_in.astype(dtype)
    b_hr = b_hr.astype(dtype)
    b_hz = b_hz.astype(dtype)
    b_hn = b_hn.astype(dtype)

    # sum_x_w_ir[b, j] = sum[i](x[b, i] * w_ir[j, i])
    sum_x_w_ir = x @ w_ir.T
    # sum_h_w_hr[b, j] = sum[k](h[b, k] * w_hr[j, k])
    sum_h_w_hr = h @ w_hr.T
    # u[b, j] = sum[i](x[b, i] * w_ir[j, i]) + b_ir[j] + sum[k](h[b, k] * w_hr[j, k]) + b_hr[j]
    u = sum_x_w_ir + b_ir + sum_h_w_hr + b_hr
    # sum_x_w_iz[b, j] = sum[i](x[b, i] * w_iz[j, i])
    sum_x_w_iz = x @ w_iz.T
    # sum_h_w_hz[b, j] = sum[k](h[b, k] * w_hz[j, k])
    sum_h_w_hz = h @ w_hz.T
    # v[b, j] = sum[i](x[b, i] * w_iz[j, i]) + b_iz[j] + sum[k](h[b, k] * w_hz[j, k]) + b_hz[j]
    v = sum_x_w_iz + b_iz + sum_h_w_hz + b_hz
    # sum_h_w_hn[b, j] = sum[k](h[b, k] * w_hn[j, k])
    sum_h_w_hn = h @ w_hn.T
    # m[b, j] = sum[k](h[b, k] * w_hn[j, k]) + b_hn[j]
    m = sum_h_w_hn + b_hn
    # sum_x_w_in[b, j] = sum[i](x[b, i] * w_in[j, i])
    sum_x_w_in = x @ w_in.T
    # r[b, j] = sigmoid(u[b, j])
    r = jax.nn.sigmoid(u)
    # a[b, j] = sum[i](x[b, i] * w_in[j, i]) + b_in[j] + r[b, j] * m[b, j]
    a = sum_x_w_in + b_in + r * m
    # z[b, j] = sigmoid(v[b, j])
    z = jax.nn.sigmoid(v)
    # n[b, j] = tanh(a[b, j])
    n = jnp.tanh(a)
    # h_new[b, j] = (1 - z[b, j]) * n[b, j] + z[b, j] * h[b, j]
    h_new = (1 - z) * n + z * h

    return h_new.astype(result), u, v, m, a


@_forward.defjvp
def _forward_jvp(primals, tangents):
    """The results of `_forward`, and their tangents."""
    x, h, w_ir, w_iz, w_in, w_hr, w_hz, w_hn, b_ir, b_iz, b_in, b_hr, b_hz, b_hn = primals
    (
        dot_x, dot_h, dot_w_ir, dot_w_iz, dot_w_in, dot_w_hr, dot_w_hz, dot_w_hn, dot_b_ir,
        dot_b_iz, dot_b_in, dot_b_hr, dot_b_hz, dot_b_hn,
    ) = tangents
    h_new, u, v, m, a = _forward(x, h, w_ir, w_iz, w_in, w_hr, w_hz, w_hn, b_ir, b_iz, b_in, b_hr, b_hz, b_hn)
    dot_h_new, dot_u, dot_v, dot_m, dot_a = _tangents(
        x, h, w_ir, w_iz, w_in, w_hr, w_hz, w_hn, u, v, m, a, dot_x, dot_h, dot_w_ir, dot_w_iz,
        dot_w_in, dot_w_hr, dot_w_hz, dot_w_hn, dot_b_ir, dot_b_iz, dot_b_in, dot_b_hr, dot_b_hz,
        dot_b_hn,
    )
    return (h_new, u, v, m, a), (
        dot_h_new.astype(h_new.dtype),
        dot_u.astype(u.dtype),
        dot_v.astype(v.dtype),
        dot_m.astype(m.dtype),
        dot_a.astype(a.dtype),
    )


@jax.checkpoint
def _tangents(
    x, h, w_ir, w_iz, w_in, w_hr, w_hz, w_hn, u, v, m, a, dot_x, dot_h, dot_w_ir, dot_w_iz,
    dot_w_in, dot_w_hr, dot_w_hz, dot_w_hn, dot_b_ir, dot_b_iz, dot_b_in, dot_b_hr, dot_b_hz,
    dot_b_hn,
):
    """Compute the tangents of h_new, u, v, m, a: linear in those of the inputs."""
    dtype, _ = _dtypes(
        x,
        h,
        w_ir,
        w_iz,
        w_in,
        w_hr,
        w_hz,
        w_hn,
        dot_x,
        dot_h,
        dot_w_ir,
        dot_w_iz,
        dot_w_in,
        dot_w_hr,
        dot_w_hz,
        dot_w_hn,
        dot_b_ir,
        dot_b_iz,
        dot_b_in,
        dot_b_hr,
        dot_b_hz,
        dot_b_hn,
    )
    n_b, n_i = x.shape
    n_j = h.shape[1]
    x = x.astype(dtype)
    h = h.astype(dtype)
    w_ir = w_ir.astype(dtype)
    w_iz = w_iz.astype(dtype)
    w_in = w_in.astype(dtype)
    w_hr = w_hr.astype(dtype)
    w_hz = w_hz.astype(dtype)
    w_hn = w_hn.astype(dtype)
    dot_x = dot_x.astype(dtype)
    dot_h = dot_h.astype(dtype)
    dot_w_ir = dot_w_ir.astype(dtype)
    dot_w_iz = dot_w_iz.astype(dtype)
    dot_w_in = dot_w_in.astype(dtype)
    dot_w_hr = dot_w_hr.astype(dtype)
    dot_w_hz = dot_w_hz.astype(dtype)
    dot_w_hn = dot_w_hn.astype(dtype)
    dot_b_ir = dot_b_ir.astype(dtype)
    dot_b_iz = dot_b_iz.astype(dtype)
    dot_b_in = dot_b_in.astype(dtype)
    dot_b_hr = dot_b_hr.astype(dtype)
    dot_b_hz = dot_b_hz.astype(dtype)
    dot_b_hn = dot_b_hn.astype(dtype)
    u = u.astype(dtype)
    v = v.astype(dtype)
    m = m.astype(dtype)
    a = a.astype(dtype)

    # z[b, j] = sigmoid(v[b, j])
    z = jax.nn.sigmoid(v)
    # sum_w_iz_dot_x[b, j] = sum[i](w_iz[j, i] * dot_x[b, i])
    sum_w_iz_dot_x = dot_x @ w_iz.T
    # sum_w_hz_dot_h[b, j] = sum[k](w_hz[j, k] * dot_h[b, k])
    sum_w_hz_dot_h = dot_h @ w_hz.T
    # sum_x_dot_w_iz[b, j] = sum[i](x[b, i] * dot_w_iz[j, i])
    sum_x_dot_w_iz = x @ dot_w_iz.T
    # sum_h_dot_w_hz[b, j] = sum[k](h[b, k] * dot_w_hz[j, k])
    sum_h_dot_w_hz = h @ dot_w_hz.T
    # dot_v[b, j] = sum[i](w_iz[j, i] * dot_x[b, i]) + sum[k](w_hz[j, k] * dot_h[b, k])
    #     + sum[i](x[b, i] * dot_w_iz[j, i]) + sum[k](h[b, k] * dot_w_hz[j, k]) + dot_b_iz[j]
    #     + dot_b_hz[j]
    dot_v = sum_w_iz_dot_x + sum_w_hz_dot_h + sum_x_dot_w_iz + sum_h_dot_w_hz + dot_b_iz + dot_b_hz
    # one_minus_z[b, j] = 1 - z[b, j]
    one_minus_z = 1 - z
    # dot_z[b, j] = dot_v[b, j] * sigmoid(v[b, j]) * (1 - sigmoid(v[b, j]))
    dot_z = dot_v * z * one_minus_z
    # n[b, j] = tanh(a[b, j])
    n = jnp.tanh(a)
    # sum_w_in_dot_x[b, j] = sum[i](w_in[j, i] * dot_x[b, i])
    sum_w_in_dot_x = dot_x @ w_in.T
    # sum_x_dot_w_in[b, j] = sum[i](x[b, i] * dot_w_in[j, i])
    sum_x_dot_w_in = x @ dot_w_in.T
    # r[b, j] = sigmoid(u[b, j])
    r = jax.nn.sigmoid(u)
    # sum_w_hn_dot_h[b, j] = sum[k](w_hn[j, k] * dot_h[b, k])
    sum_w_hn_dot_h = dot_h @ w_hn.T
    # sum_h_dot_w_hn[b, j] = sum[k](h[b, k] * dot_w_hn[j, k])
    sum_h_dot_w_hn = h @ dot_w_hn.T
    # dot_m[b, j] = sum[k](w_hn[j, k] * dot_h[b, k]) + sum[k](h[b, k] * dot_w_hn[j, k])
    #     + dot_b_hn[j]
    dot_m = sum_w_hn_dot_h + sum_h_dot_w_hn + dot_b_hn
    # sum_w_ir_dot_x[b, j] = sum[i](w_ir[j, i] * dot_x[b, i])
    sum_w_ir_dot_x = dot_x @ w_ir.T
    # sum_w_hr_dot_h[b, j] = sum[k](w_hr[j, k] * dot_h[b, k])
    sum_w_hr_dot_h = dot_h @ w_hr.T
    # sum_x_dot_w_ir[b, j] = sum[i](x[b, i] * dot_w_ir[j, i])
    sum_x_dot_w_ir = x @ dot_w_ir.T
    # sum_h_dot_w_hr[b, j] = sum[k](h[b, k] * dot_w_hr[j, k])
    sum_h_dot_w_hr = h @ dot_w_hr.T
    # dot_u[b, j] = sum[i](w_ir[j, i] * dot_x[b, i]) + sum[k](w_hr[j, k] * dot_h[b, k])
    #     + sum[i](x[b, i] * dot_w_ir[j, i]) + sum[k](h[b, k] * dot_w_hr[j, k]) + dot_b_ir[j]
    #     + dot_b_hr[j]
    dot_u = sum_w_ir_dot_x + sum_w_hr_dot_h + sum_x_dot_w_ir + sum_h_dot_w_hr + dot_b_ir + dot_b_hr
    # dot_r[b, j] = dot_u[b, j] * sigmoid(u[b, j]) * (1 - sigmoid(u[b, j]))
    dot_r = dot_u * r * (1 - r)
    # dot_a[b, j] = sum[i](w_in[j, i] * dot_x[b, i]) + sum[i](x[b, i] * dot_w_in[j, i])
    #     + dot_b_in[j] + r[b, j] * dot_m[b, j] + m[b, j] * dot_r[b, j]
    dot_a = sum_w_in_dot_x + sum_x_dot_w_in + dot_b_in + r * dot_m + m * dot_r
    # dot_n[b, j] = dot_a[b, j] * (1 - tanh(a[b, j])**2)
    dot_n = dot_a * (1 - jnp.square(n))
    # dot_h_new[b, j] = z[b, j] * dot_h[b, j] + dot_z[b, j] * (-n[b, j] + h[b, j])
    #     + dot_n[b, j] * (1 - z[b, j])
    dot_h_new = z * dot_h + dot_z * (-n + h) + dot_n * one_minus_z

    return dot_h_new, dot_u, dot_v, dot_m, dot_a


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
