"""One step of a long short-term memory: input, forget and output gate, candidate, new cell and state.

Forward pass and its tangents for JAX of

    ai[b, j] = sum[i](x[b, i] * w_ii[j, i]) + b_ii[j] + sum[k](h[b, k] * w_hi[j, k]) + b_hi[j]
    af[b, j] = sum[i](x[b, i] * w_if[j, i]) + b_if[j] + sum[k](h[b, k] * w_hf[j, k]) + b_hf[j]
    ag[b, j] = sum[i](x[b, i] * w_ig[j, i]) + b_ig[j] + sum[k](h[b, k] * w_hg[j, k]) + b_hg[j]
    ao[b, j] = sum[i](x[b, i] * w_io[j, i]) + b_io[j] + sum[k](h[b, k] * w_ho[j, k]) + b_ho[j]
    gi[b, j] = sigmoid(ai[b, j])
    gf[b, j] = sigmoid(af[b, j])
    gg[b, j] = tanh(ag[b, j])
    go[b, j] = sigmoid(ao[b, j])
    c_new.c_new_value[b, j] = gf[b, j] * c[b, j] + gi[b, j] * gg[b, j]
    c_new[b, j] = c_new.c_new_value[b, j]
    h_new[b, j] = go[b, j] * tanh(c_new.c_new_value[b, j])

The tangents were derived by symgrad from these equations. Every one below was proved equal, for
every size, to the derivative of the forward pass, and all together to be the adjoint of its
gradients; the formula that each line computes stands above it (dot_x is the tangent of x: the
direction in which x moves).

Generated from the layer lstm_cell and the template jax/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate lstm_cell --backend jax
"""

import jax
import jax.numpy as jnp


def lstm_cell(x, h, c, w_ii, w_if, w_ig, w_io, w_hi, w_hf, w_hg, w_ho, b_ii, b_if, b_ig, b_io, b_hi, b_hf, b_hg, b_ho):
    """Compute h_new[b, j], c_new[b, j]; differentiable in forward and reverse mode, to any order.

    Args:
        x[b, i]: input.
        h[b, j]: input.
        c[b, j]: input.
        w_ii[j, i]: parameter.
        w_if[j, i]: parameter.
        w_ig[j, i]: parameter.
        w_io[j, i]: parameter.
        w_hi[j, k]: parameter.
        w_hf[j, k]: parameter.
        w_hg[j, k]: parameter.
        w_ho[j, k]: parameter.
        b_ii[j]: parameter.
        b_if[j]: parameter.
        b_ig[j]: parameter.
        b_io[j]: parameter.
        b_hi[j]: parameter.
        b_hf[j]: parameter.
        b_hg[j]: parameter.
        b_ho[j]: parameter.
    """
    (
    x, h, c, w_ii, w_if, w_ig, w_io, w_hi, w_hf, w_hg, w_ho, b_ii, b_if, b_ig, b_io, b_hi, b_hf,
    b_hg, b_ho,
) = _arrays(
        x=x,
        h=h,
        c=c,
        w_ii=w_ii,
        w_if=w_if,
        w_ig=w_ig,
        w_io=w_io,
        w_hi=w_hi,
        w_hf=w_hf,
        w_hg=w_hg,
        w_ho=w_ho,
        b_ii=b_ii,
        b_if=b_if,
        b_ig=b_ig,
        b_io=b_io,
        b_hi=b_hi,
        b_hf=b_hf,
        b_hg=b_hg,
        b_ho=b_ho,
    )
    _check_dimensions("x[b, i]", x, 2)
    n_b, n_i = x.shape
    _check_dimensions("h[b, j]", h, 2)
    n_j = h.shape[1]
    _check_shape("h[b, j]", h, (n_b, n_j))
    _check_shape("c[b, j]", c, (n_b, n_j))
    _check_shape("w_ii[j, i]", w_ii, (n_j, n_i))
    _check_shape("w_if[j, i]", w_if, (n_j, n_i))
    _check_shape("w_ig[j, i]", w_ig, (n_j, n_i))
    _check_shape("w_io[j, i]", w_io, (n_j, n_i))
    _check_shape("w_hi[j, k]", w_hi, (n_j, n_j))
    _check_shape("w_hf[j, k]", w_hf, (n_j, n_j))
    _check_shape("w_hg[j, k]", w_hg, (n_j, n_j))
    _check_shape("w_ho[j, k]", w_ho, (n_j, n_j))
    _check_shape("b_ii[j]", b_ii, (n_j,))
    _check_shape("b_if[j]", b_if, (n_j,))
    _check_shape("b_ig[j]", b_ig, (n_j,))
    _check_shape("b_io[j]", b_io, (n_j,))
    _check_shape("b_hi[j]", b_hi, (n_j,))
    _check_shape("b_hf[j]", b_hf, (n_j,))
    _check_shape("b_hg[j]", b_hg, (n_j,))
    _check_shape("b_ho[j]", b_ho, (n_j,))
    h_new, c_new, *_ = _forward(
        x, h, c, w_ii, w_if, w_ig, w_io, w_hi, w_hf, w_hg, w_ho, b_ii, b_if, b_ig, b_io, b_hi, b_hf,
        b_hg, b_ho,
    )
    return h_new, c_new


@jax.custom_jvp
def _forward(
    x, h, c, w_ii, w_if, w_ig, w_io, w_hi, w_hf, w_hg, w_ho, b_ii, b_if, b_ig, b_io, b_hi, b_hf,
    b_hg, b_ho,
):
    """Compute h_new[b, j], c_new[b, j], and the statistics ai, af, ag, ao."""
    result = x.dtype
    dtype, _ = _dtypes(
        x,
        h,
        c,
        w_ii,
        w_if,
        w_ig,
        w_io,
        w_hi,
        w_hf,
        w_hg,
        w_ho,
        b_ii,
        b_if,
        b_ig,
        b_io,
        b_hi,
        b_hf,
        b_hg,
        b_ho,
    )
    n_b, n_i = x.shape
    n_j = h.shape[1]
    x = x.astype(dtype)
    h = h.astype(dtype)
    c = c.astype(dtype)
    w_ii = w_ii.astype(dtype)
    w_if = w_if.astype(dtype)
    w_ig = w_ig.astype(dtype)
    w_io = w_io.astype(dtype)
    w_hi = w_hi.astype(dtype)
    w_hf = w_hf.astype(dtype)
    w_hg = w_hg.astype(dtype)
    w_ho = w_ho.astype(dtype)
    b_ii = b_ii.astype(dtype)
    b_if = b_if.astype(dtype)
    b_ig = b_ig.astype(dtype)
    b_io = b_io.astype(dtype)
    b_hi = b_hi.astype(dtype)
    b_hf = b_hf.astype(dtype)
    b_hg = b_hg.astype(dtype)
    b_ho = b_ho.astype(dtype)

    # sum_x_w_ii[b, j] = sum[i](x[b, i] * w_ii[j, i])
    sum_x_w_ii = x @ w_ii.T
    # sum_h_w_hi[b, j] = sum[k](h[b, k] * w_hi[j, k])
    sum_h_w_hi = h @ w_hi.T
    # ai[b, j] = sum[i](x[b, i] * w_ii[j, i]) + b_ii[j] + sum[k](h[b, k] * w_hi[j, k]) + b_hi[j]
    ai = sum_x_w_ii + b_ii + sum_h_w_hi + b_hi
    # sum_x_w_if[b, j] = sum[i](x[b, i] * w_if[j, i])
    sum_x_w_if = x @ w_if.T
    # sum_h_w_hf[b, j] = sum[k](h[b, k] * w_hf[j, k])
    sum_h_w_hf = h @ w_hf.T
    # af[b, j] = sum[i](x[b, i] * w_if[j, i]) + b_if[j] + sum[k](h[b, k] * w_hf[j, k]) + b_hf[j]
    af = sum_x_w_if + b_if + sum_h_w_hf + b_hf
    # sum_x_w_ig[b, j] = sum[i](x[b, i] * w_ig[j, i])
    sum_x_w_ig = x @ w_ig.T
    # sum_h_w_hg[b, j] = sum[k](h[b, k] * w_hg[j, k])
    sum_h_w_hg = h @ w_hg.T
    # ag[b, j] = sum[i](x[b, i] * w_ig[j, i]) + b_ig[j] + sum[k](h[b, k] * w_hg[j, k]) + b_hg[j]
    ag = sum_x_w_ig + b_ig + sum_h_w_hg + b_hg
    # sum_x_w_io[b, j] = sum[i](x[b, i] * w_io[j, i])
    sum_x_w_io = x @ w_io.T
    # sum_h_w_ho[b, j] = sum[k](h[b, k] * w_ho[j, k])
    sum_h_w_ho = h @ w_ho.T
    # ao[b, j] = sum[i](x[b, i] * w_io[j, i]) + b_io[j] + sum[k](h[b, k] * w_ho[j, k]) + b_ho[j]
    ao = sum_x_w_io + b_io + sum_h_w_ho + b_ho
    # go[b, j] = sigmoid(ao[b, j])
    go = jax.nn.sigmoid(ao)
    # gf[b, j] = sigmoid(af[b, j])
    gf = jax.nn.sigmoid(af)
    # gi[b, j] = sigmoid(ai[b, j])
    gi = jax.nn.sigmoid(ai)
    # gg[b, j] = tanh(ag[b, j])
    gg = jnp.tanh(ag)
    # c_new_value[b, j] = gf[b, j] * c[b, j] + gi[b, j] * gg[b, j]
    c_new_value = gf * c + gi * gg
    # h_new[b, j] = go[b, j] * tanh(c_new_value[b, j])
    h_new = go * jnp.tanh(c_new_value)
    # c_new[b, j] = c_new_value[b, j]
    c_new = c_new_value

    return h_new.astype(result), c_new.astype(result), ai, af, ag, ao


@_forward.defjvp
def _forward_jvp(primals, tangents):
    """The results of `_forward`, and their tangents."""
    (
        x, h, c, w_ii, w_if, w_ig, w_io, w_hi, w_hf, w_hg, w_ho, b_ii, b_if, b_ig, b_io, b_hi, b_hf,
        b_hg, b_ho,
    ) = primals
    (
        dot_x, dot_h, dot_c, dot_w_ii, dot_w_if, dot_w_ig, dot_w_io, dot_w_hi, dot_w_hf, dot_w_hg,
        dot_w_ho, dot_b_ii, dot_b_if, dot_b_ig, dot_b_io, dot_b_hi, dot_b_hf, dot_b_hg, dot_b_ho,
    ) = tangents
    h_new, c_new, ai, af, ag, ao = _forward(
        x, h, c, w_ii, w_if, w_ig, w_io, w_hi, w_hf, w_hg, w_ho, b_ii, b_if, b_ig, b_io, b_hi, b_hf,
        b_hg, b_ho,
    )
    dot_h_new, dot_c_new, dot_ai, dot_af, dot_ag, dot_ao = _tangents(
        x, h, c, w_ii, w_if, w_ig, w_io, w_hi, w_hf, w_hg, w_ho, ai, af, ag, ao, dot_x, dot_h,
        dot_c, dot_w_ii, dot_w_if, dot_w_ig, dot_w_io, dot_w_hi, dot_w_hf, dot_w_hg, dot_w_ho,
        dot_b_ii, dot_b_if, dot_b_ig, dot_b_io, dot_b_hi, dot_b_hf, dot_b_hg, dot_b_ho,
    )
    return (h_new, c_new, ai, af, ag, ao), (
        dot_h_new.astype(h_new.dtype),
        dot_c_new.astype(c_new.dtype),
        dot_ai.astype(ai.dtype),
        dot_af.astype(af.dtype),
        dot_ag.astype(ag.dtype),
        dot_ao.astype(ao.dtype),
    )


@jax.checkpoint
def _tangents(
    x, h, c, w_ii, w_if, w_ig, w_io, w_hi, w_hf, w_hg, w_ho, ai, af, ag, ao, dot_x, dot_h,
    dot_c, dot_w_ii, dot_w_if, dot_w_ig, dot_w_io, dot_w_hi, dot_w_hf, dot_w_hg, dot_w_ho,
    dot_b_ii, dot_b_if, dot_b_ig, dot_b_io, dot_b_hi, dot_b_hf, dot_b_hg, dot_b_ho,
):
    """Compute the tangents of h_new, c_new, ai, af, ag, ao: linear in those of the inputs."""
    dtype, _ = _dtypes(
        x,
        h,
        c,
        w_ii,
        w_if,
        w_ig,
        w_io,
        w_hi,
        w_hf,
        w_hg,
        w_ho,
        dot_x,
        dot_h,
        dot_c,
        dot_w_ii,
        dot_w_if,
        dot_w_ig,
        dot_w_io,
        dot_w_hi,
        dot_w_hf,
        dot_w_hg,
        dot_w_ho,
        dot_b_ii,
        dot_b_if,
        dot_b_ig,
        dot_b_io,
        dot_b_hi,
        dot_b_hf,
        dot_b_hg,
        dot_b_ho,
    )
    n_b, n_i = x.shape
    n_j = h.shape[1]
    x = x.astype(dtype)
    h = h.astype(dtype)
    c = c.astype(dtype)
    w_ii = w_ii.astype(dtype)
    w_if = w_if.astype(dtype)
    w_ig = w_ig.astype(dtype)
    w_io = w_io.astype(dtype)
    w_hi = w_hi.astype(dtype)
    w_hf = w_hf.astype(dtype)
    w_hg = w_hg.astype(dtype)
    w_ho = w_ho.astype(dtype)
    dot_x = dot_x.astype(dtype)
    dot_h = dot_h.astype(dtype)
    dot_c = dot_c.astype(dtype)
    dot_w_ii = dot_w_ii.astype(dtype)
    dot_w_if = dot_w_if.astype(dtype)
    dot_w_ig = dot_w_ig.astype(dtype)
    dot_w_io = dot_w_io.astype(dtype)
    dot_w_hi = dot_w_hi.astype(dtype)
    dot_w_hf = dot_w_hf.astype(dtype)
    dot_w_hg = dot_w_hg.astype(dtype)
    dot_w_ho = dot_w_ho.astype(dtype)
    dot_b_ii = dot_b_ii.astype(dtype)
    dot_b_if = dot_b_if.astype(dtype)
    dot_b_ig = dot_b_ig.astype(dtype)
    dot_b_io = dot_b_io.astype(dtype)
    dot_b_hi = dot_b_hi.astype(dtype)
    dot_b_hf = dot_b_hf.astype(dtype)
    dot_b_hg = dot_b_hg.astype(dtype)
    dot_b_ho = dot_b_ho.astype(dtype)
    ai = ai.astype(dtype)
    af = af.astype(dtype)
    ag = ag.astype(dtype)
    ao = ao.astype(dtype)

    # sum_w_io_dot_x[b, j] = sum[i](w_io[j, i] * dot_x[b, i])
    sum_w_io_dot_x = dot_x @ w_io.T
    # sum_w_ho_dot_h[b, j] = sum[k](w_ho[j, k] * dot_h[b, k])
    sum_w_ho_dot_h = dot_h @ w_ho.T
    # sum_x_dot_w_io[b, j] = sum[i](x[b, i] * dot_w_io[j, i])
    sum_x_dot_w_io = x @ dot_w_io.T
    # sum_h_dot_w_ho[b, j] = sum[k](h[b, k] * dot_w_ho[j, k])
    sum_h_dot_w_ho = h @ dot_w_ho.T
    # dot_ao[b, j] = sum[i](w_io[j, i] * dot_x[b, i]) + sum[k](w_ho[j, k] * dot_h[b, k])
    #     + sum[i](x[b, i] * dot_w_io[j, i]) + sum[k](h[b, k] * dot_w_ho[j, k]) + dot_b_io[j]
    #     + dot_b_ho[j]
    dot_ao = sum_w_io_dot_x + sum_w_ho_dot_h + sum_x_dot_w_io + sum_h_dot_w_ho + dot_b_io + dot_b_ho
    # go[b, j] = sigmoid(ao[b, j])
    go = jax.nn.sigmoid(ao)
    # dot_go[b, j] = dot_ao[b, j] * sigmoid(ao[b, j]) * (1 - sigmoid(ao[b, j]))
    dot_go = dot_ao * go * (1 - go)
    # gf[b, j] = sigmoid(af[b, j])
    gf = jax.nn.sigmoid(af)
    # gi[b, j] = sigmoid(ai[b, j])
    gi = jax.nn.sigmoid(ai)
    # gg[b, j] = tanh(ag[b, j])
    gg = jnp.tanh(ag)
    # c_new_value[b, j] = gf[b, j] * c[b, j] + gi[b, j] * gg[b, j]
    c_new_value = gf * c + gi * gg
    # tanh_c_new_value[b, j] = tanh(c_new_value[b, j])
    tanh_c_new_value = jnp.tanh(c_new_value)
    # sum_w_ii_dot_x[b, j] = sum[i](w_ii[j, i] * dot_x[b, i])
    sum_w_ii_dot_x = dot_x @ w_ii.T
    # sum_w_hi_dot_h[b, j] = sum[k](w_hi[j, k] * dot_h[b, k])
    sum_w_hi_dot_h = dot_h @ w_hi.T
    # sum_x_dot_w_ii[b, j] = sum[i](x[b, i] * dot_w_ii[j, i])
    sum_x_dot_w_ii = x @ dot_w_ii.T
    # sum_h_dot_w_hi[b, j] = sum[k](h[b, k] * dot_w_hi[j, k])
    sum_h_dot_w_hi = h @ dot_w_hi.T
    # dot_ai[b, j] = sum[i](w_ii[j, i] * dot_x[b, i]) + sum[k](w_hi[j, k] * dot_h[b, k])
    #     + sum[i](x[b, i] * dot_w_ii[j, i]) + sum[k](h[b, k] * dot_w_hi[j, k]) + dot_b_ii[j]
    #     + dot_b_hi[j]
    dot_ai = sum_w_ii_dot_x + sum_w_hi_dot_h + sum_x_dot_w_ii + sum_h_dot_w_hi + dot_b_ii + dot_b_hi
    # dot_gi[b, j] = dot_ai[b, j] * sigmoid(ai[b, j]) * (1 - sigmoid(ai[b, j]))
    dot_gi = dot_ai * gi * (1 - gi)
    # sum_w_if_dot_x[b, j] = sum[i](w_if[j, i] * dot_x[b, i])
    sum_w_if_dot_x = dot_x @ w_if.T
    # sum_w_hf_dot_h[b, j] = sum[k](w_hf[j, k] * dot_h[b, k])
    sum_w_hf_dot_h = dot_h @ w_hf.T
    # sum_x_dot_w_if[b, j] = sum[i](x[b, i] * dot_w_if[j, i])
    sum_x_dot_w_if = x @ dot_w_if.T
    # sum_h_dot_w_hf[b, j] = sum[k](h[b, k] * dot_w_hf[j, k])
    sum_h_dot_w_hf = h @ dot_w_hf.T
    # dot_af[b, j] = sum[i](w_if[j, i] * dot_x[b, i]) + sum[k](w_hf[j, k] * dot_h[b, k])
    #     + sum[i](x[b, i] * dot_w_if[j, i]) + sum[k](h[b, k] * dot_w_hf[j, k]) + dot_b_if[j]
    #     + dot_b_hf[j]
    dot_af = sum_w_if_dot_x + sum_w_hf_dot_h + sum_x_dot_w_if + sum_h_dot_w_hf + dot_b_if + dot_b_hf
    # dot_gf[b, j] = dot_af[b, j] * sigmoid(af[b, j]) * (1 - sigmoid(af[b, j]))
    dot_gf = dot_af * gf * (1 - gf)
    # sum_w_ig_dot_x[b, j] = sum[i](w_ig[j, i] * dot_x[b, i])
    sum_w_ig_dot_x = dot_x @ w_ig.T
    # sum_w_hg_dot_h[b, j] = sum[k](w_hg[j, k] * dot_h[b, k])
    sum_w_hg_dot_h = dot_h @ w_hg.T
    # sum_x_dot_w_ig[b, j] = sum[i](x[b, i] * dot_w_ig[j, i])
    sum_x_dot_w_ig = x @ dot_w_ig.T
    # sum_h_dot_w_hg[b, j] = sum[k](h[b, k] * dot_w_hg[j, k])
    sum_h_dot_w_hg = h @ dot_w_hg.T
    # dot_ag[b, j] = sum[i](w_ig[j, i] * dot_x[b, i]) + sum[k](w_hg[j, k] * dot_h[b, k])
    #     + sum[i](x[b, i] * dot_w_ig[j, i]) + sum[k](h[b, k] * dot_w_hg[j, k]) + dot_b_ig[j]
    #     + dot_b_hg[j]
    dot_ag = sum_w_ig_dot_x + sum_w_hg_dot_h + sum_x_dot_w_ig + sum_h_dot_w_hg + dot_b_ig + dot_b_hg
    # dot_gg[b, j] = dot_ag[b, j] * (1 - tanh(ag[b, j])**2)
    dot_gg = dot_ag * (1 - jnp.square(gg))
    # dot_c_new_value[b, j] = gf[b, j] * dot_c[b, j] + gg[b, j] * dot_gi[b, j]
    #     + c[b, j] * dot_gf[b, j] + gi[b, j] * dot_gg[b, j]
    dot_c_new_value = gf * dot_c + gg * dot_gi + c * dot_gf + gi * dot_gg
    # dot_h_new[b, j] = dot_go[b, j] * tanh(c_new_value[b, j])
    #     + go[b, j] * dot_c_new_value[b, j] * (1 - tanh(c_new_value[b, j])**2)
    dot_h_new = (
        dot_go * tanh_c_new_value
        + go * dot_c_new_value * (1 - jnp.square(tanh_c_new_value))
    )
    # dot_c_new[b, j] = dot_c_new_value[b, j]
    dot_c_new = dot_c_new_value

    return dot_h_new, dot_c_new, dot_ai, dot_af, dot_ag, dot_ao


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
