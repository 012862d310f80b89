"""A classifier: linear, layer normalization, GELU, linear, cross entropy against probabilities.

Forward and backward pass for NumPy of

    u[b, h] = sum[i](x[b, i] * w1[h, i]) + b1[h]
    n.mu[b] = mean[h](u[b, h])
    n.var[b] = mean[h]((u[b, h] - n.mu[b])**2)
    n[b, h] = g[h] * (u[b, h] - n.mu[b]) / sqrt(n.var[b] + eps) + beta[h]
    a[b, h] = n[b, h] * (1 + erf(n[b, h] / sqrt(2))) / 2
    z[b, v] = sum[h](a[b, h] * w2[v, h]) + b2[v]
    L.z[b] = log(sum[v](exp(z[b, v])))
    L = -sum[b, v](q[b, v] * (z[b, v] - L.z[b])) / size[b]

The backward pass was derived by symgrad from these equations. Every gradient below was proved
equal, for every size, to the derivative of the forward pass; the formula that each line
computes stands above it (d_x is the gradient of the final scalar with respect to x).

Generated from the layer mlp_classifier and the template numpy/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate mlp_classifier --backend numpy
"""

import math
from typing import NamedTuple

import numpy as np


class Saved(NamedTuple):
    """What `forward` hands to `backward`."""

    x: np.ndarray  # x[b, i]
    w1: np.ndarray  # w1[h, i]
    g: np.ndarray  # g[h]
    beta: np.ndarray  # beta[h]
    w2: np.ndarray  # w2[v, h]
    q: np.ndarray  # q[b, v]
    eps: float  # eps
    u: np.ndarray  # u[b, h]
    z: np.ndarray  # z[b, v]
    mu: np.ndarray  # mu[b]
    var: np.ndarray  # var[b]
    L_z: np.ndarray  # L_z[b]


class Gradients(NamedTuple):
    """The gradients of the inputs, each with its input's shape and dtype."""

    x: np.ndarray  # d_x[b, i]
    w1: np.ndarray  # d_w1[h, i]
    b1: np.ndarray  # d_b1[h]
    g: np.ndarray  # d_g[h]
    beta: np.ndarray  # d_beta[h]
    w2: np.ndarray  # d_w2[v, h]
    b2: np.ndarray  # d_b2[v]


def forward(x, w1, b1, g, beta, w2, b2, q, *, eps=1e-5):
    """Compute L, and what `backward` needs.

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
    dtype = x.dtype

    # sum_x_w1[b, h] = sum[i](x[b, i] * w1[h, i])
    sum_x_w1 = x @ w1.T
    # u[b, h] = sum[i](x[b, i] * w1[h, i]) + b1[h]
    u = np.add(sum_x_w1, b1, out=sum_x_w1)
    # mu[b] = mean[h](u[b, h])
    mu = u.mean(axis=1, dtype=np.float64)
    # u_minus_mu[b, h] = u[b, h] - mu[b]
    u_minus_mu = _around(u, mu[:, None])
    # var[b] = mean[h]((u[b, h] - mu[b])**2)
    var = _dot(u_minus_mu, u_minus_mu, 1) / n_h
    # n[b, h] = g[h] * (u[b, h] - mu[b]) / sqrt(var[b] + eps) + beta[h]
    n = np.multiply(u_minus_mu, g, out=u_minus_mu)
    n *= (1 / np.sqrt(var + eps)).astype(dtype)[:, None]
    n += beta
    # a[b, h] = n[b, h] * (1 + erf(n[b, h] / sqrt(2))) / 2
    n_rsqrt_two_ = n * (1 / math.sqrt(2))
    a = _erf(n_rsqrt_two_, out=n_rsqrt_two_)
    a += 1
    a *= 0.5
    a *= n
    # sum_a_w2[b, v] = sum[h](a[b, h] * w2[v, h])
    sum_a_w2 = a @ w2.T
    # z[b, v] = sum[h](a[b, h] * w2[v, h]) + b2[v]
    z = np.add(sum_a_w2, b2, out=sum_a_w2)
    # max_z[b] = max[v](z[b, v])
    max_z = z.max(axis=1)
    # sum_exp_z[b] = sum[v](exp(z[b, v] - max_z[b]))
    z_minus_max_z = z - max_z[:, None]
    exp_z_minus_max_z = np.exp(z_minus_max_z, out=z_minus_max_z)
    sum_exp_z = exp_z_minus_max_z.sum(axis=1, dtype=np.float64)
    # L_z[b] = log(sum[v](exp(z[b, v])))
    L_z = max_z + np.log(sum_exp_z)
    # L = -sum[b, v](q[b, v] * (z[b, v] - L_z[b])) / size[b]
    z_minus_L_z = _centre(z, L_z[:, None], out=exp_z_minus_max_z)
    L = -_dot(z_minus_L_z, q, None) / n_b

    saved = Saved(x, w1, g, beta, w2, q, eps, u, z, mu, var, L_z)
    return L.astype(dtype), saved


def backward(saved, d_L=1.0, out=None):
    """Compute the gradients of the inputs from d_L, the gradient of what `forward` returned.

    They are written into the arrays of `out`, where it has some; these may share no memory with what is read.
    """
    out = Gradients(None, None, None, None, None, None, None) if out is None else out
    x, w1, g, beta, w2, q, eps, u, z, mu, var, L_z = saved
    n_b, n_i = x.shape
    n_h = w1.shape[0]
    n_v = w2.shape[0]
    d_L = float(d_L)
    dtype = x.dtype

    # rsqrt_var[b] = 1 / sqrt(var[b] + eps)
    rsqrt_var = 1 / np.sqrt(var + eps)
    # u_minus_mu[b, h] = u[b, h] - mu[b]
    u_minus_mu = _around(u, mu[:, None])
    # n[b, h] = g[h] * (u[b, h] - mu[b]) / sqrt(var[b] + eps) + beta[h]
    n = u_minus_mu * g
    n *= rsqrt_var.astype(dtype)[:, None]
    n += beta
    # erf_n_rsqrt_two[b, h] = erf(n[b, h] / sqrt(2))
    n_rsqrt_two_ = n * (1 / math.sqrt(2))
    erf_n_rsqrt_two = _erf(n_rsqrt_two_, out=n_rsqrt_two_)
    # sum_q[b] = sum[v](q[b, v])
    sum_q = q.sum(axis=1, dtype=np.float64)
    # d_L_z[b] = d_L * sum[v](q[b, v]) / size[b]
    d_L_z = d_L * sum_q / n_b
    # d_z[b, v] = -q[b, v] * d_L / size[b] + exp(z[b, v] - L_z[b]) * d_L_z[b]
    d_z = q * (-d_L / n_b)
    z_minus_L_z = _centre(z, L_z[:, None])
    exp_z_minus_L_z_d_L_z = np.exp(z_minus_L_z, out=z_minus_L_z)
    exp_z_minus_L_z_d_L_z *= d_L_z.astype(dtype)[:, None]
    d_z += exp_z_minus_L_z_d_L_z
    # d_a[b, h] = sum[v](w2[v, h] * d_z[b, v])
    d_a = d_z @ w2
    # d_n[b, h] = (1 + erf(n[b, h] / sqrt(2)) + 2 * n[b, h] * exp(-n[b, h]**2 / 2) / (sqrt(pi) *
    #     sqrt(2))) * d_a[b, h] / 2
    d_n = np.multiply(d_a, 0.5, out=d_a)
    part_n_squared = np.square(n)
    part_n_squared *= -0.5
    work_2 = np.exp(part_n_squared, out=part_n_squared)
    work_2 *= 2 / (math.sqrt(math.pi) * math.sqrt(2))
    work_2 *= n
    work = np.add(erf_n_rsqrt_two, work_2, out=work_2)
    work += 1
    d_n *= work
    # sum_g_d_n[b] = sum[h](g[h] * d_n[b, h])
    sum_g_d_n = _dot(d_n, g, 1)
    # d_mu[b] = -sum[h](g[h] * d_n[b, h]) / sqrt(var[b] + eps)
    d_mu = -rsqrt_var * sum_g_d_n
    # sum_g_u_minus_mu_d_n[b] = sum[h](g[h] * (u[b, h] - mu[b]) * d_n[b, h])
    g_u_minus_mu = np.multiply(u_minus_mu, g, out=work)
    sum_g_u_minus_mu_d_n = _dot(g_u_minus_mu, d_n, 1)
    # d_var[b] = -sum[h](g[h] * (u[b, h] - mu[b]) * d_n[b, h]) / (2 * (var[b] + eps)**(3/2))
    d_var = -rsqrt_var**3 * sum_g_u_minus_mu_d_n / 2
    # d_u[b, h] = g[h] * d_n[b, h] / sqrt(var[b] + eps) + d_mu[b] / size[h]
    #     + 2 * (u[b, h] - mu[b]) * d_var[b] / size[h]
    d_u = np.multiply(d_n, g, out=g_u_minus_mu)
    d_u *= rsqrt_var.astype(dtype)[:, None]
    work_3 = u_minus_mu * (2 * d_var / n_h).astype(dtype)[:, None]
    d_u += work_3
    d_u += (d_mu / n_h).astype(dtype)[:, None]
    # d_b1[h] = sum[b](d_u[b, h])
    d_b1 = _sum(d_u, 0)
    # d_g[h] = sum[b]((u[b, h] - mu[b]) * d_n[b, h] / sqrt(var[b] + eps))
    u_minus_mu *= rsqrt_var.astype(dtype)[:, None]
    d_g = _dot(u_minus_mu, d_n, 0)
    # d_beta[h] = sum[b](d_n[b, h])
    d_beta = _sum(d_n, 0)
    # d_b2[v] = sum[b](d_z[b, v])
    d_b2 = _sum(d_z, 0)
    # d_x[b, i] = sum[h](w1[h, i] * d_u[b, h])
    d_x = d_u @ w1
    # d_w1[h, i] = sum[b](x[b, i] * d_u[b, h])
    d_w1 = d_u.T @ x
    # a[b, h] = n[b, h] * (1 + erf(n[b, h] / sqrt(2))) / 2
    a = np.multiply(n, 0.5, out=n)
    one_plus_erf_n_rsqrt_two = np.add(erf_n_rsqrt_two, 1, out=erf_n_rsqrt_two)
    a *= one_plus_erf_n_rsqrt_two
    # d_w2[v, h] = sum[b](a[b, h] * d_z[b, v])
    d_w2 = d_z.T @ a

    return Gradients(
        x=_into(out.x, d_x),
        w1=_into(out.w1, d_w1),
        b1=_into(out.b1, d_b1.astype(dtype)),
        g=_into(out.g, d_g.astype(dtype)),
        beta=_into(out.beta, d_beta.astype(dtype)),
        w2=_into(out.w2, d_w2),
        b2=_into(out.b2, d_b2.astype(dtype)),
    )


def _arrays(dtype=None, /, **arrays):
    """The arguments as arrays, all of one dtype: float32 or float64."""
    found = [np.asarray(array) for array in arrays.values()]
    dtype = found[0].dtype if dtype is None else dtype
    if dtype not in (np.float32, np.float64) or any(array.dtype != dtype for array in found):
        given = ", ".join(f"{name} is {array.dtype}" for name, array in zip(arrays, found))
        wanted = dtype if dtype in (np.float32, np.float64) else "float32 or float64"
        raise TypeError(f"all arrays must be {wanted}, one dtype for all: {given}.")
    return found


def _check_dimensions(what, array, least, more=False):
    """Raise unless an array has as many dimensions as declared, and no empty one."""
    if array.ndim < least or (array.ndim > least and not more):
        raise ValueError(f"{what} must have {'at least ' if more else ''}{least} dimensions, not {array.ndim}.")
    if array.size == 0:
        raise ValueError(f"{what} is empty: its shape is {array.shape}.")


def _check_shape(what, array, shape):
    """Raise unless an array has the shape that follows from the others."""
    if array.shape != shape:
        raise ValueError(f"{what} must have the shape {shape}, not {array.shape}.")


def _into(out, result):
    """The result, in `out` where that is given."""
    if out is None:
        return result
    if out.shape != result.shape or out.dtype != result.dtype:
        raise ValueError(f"an array of out has {out.shape} of {out.dtype}, not {result.shape} of {result.dtype}.")
    if not np.may_share_memory(out, result):  # it was computed elsewhere
        out[...] = result
    return out


def _dot(left, right, axes):
    """The sum of left * right over axes in double precision, but for rows, which BLAS adds up in their own type."""
    axes = tuple(range(left.ndim)) if axes is None else axes if isinstance(axes, tuple) else (axes,)
    if axes[-1] == left.ndim - 1 and 32 <= left.shape[-1] == right.shape[-1] <= 16384:
        rows = np.matmul(left[..., None, :], right[..., None])[..., 0, 0]
        return rows.sum(axis=axes[:-1], dtype=np.float64)
    if math.prod(left.shape[axis] for axis in axes) <= 128:
        every = list(range(left.ndim))
        rest = [axis for axis in every if axis not in axes]
        return np.einsum(left, every, np.broadcast_to(right, left.shape), every, rest).astype(np.float64)
    return _sum(left * right, axes)


def _sum(array, axes):
    """The sum over axes in double precision, but for rows and short columns, which BLAS adds up in their own type."""
    axes = tuple(range(array.ndim)) if axes is None else axes if isinstance(axes, tuple) else (axes,)
    if axes[-1] == array.ndim - 1 and 32 <= array.shape[-1] <= 16384 and array.strides[-1] == array.itemsize:
        ones = np.ones(array.shape[-1], array.dtype)
        array, axes = np.matmul(array[..., None, :], ones[:, None])[..., 0, 0], axes[:-1]
    elif axes == (0,) and array.ndim == 2 and array.shape[0] <= 1024:
        return (np.ones(array.shape[0], array.dtype) @ array).astype(np.float64)
    elif math.prod(array.shape[axis] for axis in axes) <= 128:
        return array.sum(axis=axes).astype(np.float64)
    return array.sum(axis=axes, dtype=np.float64)


def _centre(array, mean, out=None):
    """array - mean, with `mean` in double precision split in two, so that float32 loses nothing of it."""
    high = mean.astype(array.dtype)
    low = (mean - high).astype(array.dtype)
    out = np.subtract(array, high, out=out)
    return np.subtract(out, low, out=out) if low.any() else out


def _around(array, mean, out=None):
    """array - mean, with the array's own mean in double precision, of which float32 loses nothing."""
    high = mean.astype(array.dtype)
    return _less(np.subtract(array, high, out=out), mean - high)


def _less(array, rest):
    """Take off what is left of a mean; not where that is less than the rounding of a few of the numbers."""
    if array.size <= 8192:
        array -= rest.astype(array.dtype)
        return array
    shape = (1,) * (array.ndim - rest.ndim) + rest.shape
    few = array[tuple(slice(None, None, max(1, n // 8) if m == 1 else 1) for n, m in zip(array.shape, shape))]
    size = np.abs(few).max(axis=tuple(axis for axis, m in enumerate(shape) if m == 1), keepdims=True)
    if (np.abs(rest) > size * (np.finfo(array.dtype).eps / 4)).any():
        array -= rest.astype(array.dtype)
    return array


def _erf(array, out=None):
    """The error function, to a few units in the last place: erfc where it is below 1/2, else by itself."""
    out = np.empty_like(array) if out is None else out
    small = np.minimum(np.abs(array), 0.46875)
    square = small * small
    top = (0.185777706184603153, 3.16112374387056560, 113.864154151050156, 377.485237685302021, 3209.37758913846947)
    bottom = (1.0, 23.6012909523441209, 244.024637934444173, 1282.61652607737228, 2844.23683343917062)
    centre = small * _polynomial(top, square) / _polynomial(bottom, square)
    magnitude = np.where(np.abs(array) <= 0.46875, centre, 1 - _erfc_of_positive(np.abs(array)))
    return np.copysign(magnitude, array, out=out)


def _erfc_of_positive(array):
    """erfc from 0.46875 on: rational approximations of Cody, Math. Comp. 23 (1969) 631, times exp(-x^2)."""
    near, far = np.clip(array, 0.46875, 4), np.clip(array, 4, 30)
    top = (
        2.15311535474403846e-8, 0.564188496988670089, 8.88314979438837594, 66.1191906371416295, 298.635138197400131,
        881.952221241769090, 1712.04761263407058, 2051.07837782607147, 1230.33935479799725,
    )  # fmt: skip
    bottom = (
        1.0, 15.7449261107098347, 117.693950891312499, 537.181101862009858, 1621.38957456669019,
        3290.79923573345963, 4362.61909014324716, 3439.36767414372164, 1230.33935480374942,
    )  # fmt: skip
    middle = _polynomial(top, near) / _polynomial(bottom, near)
    top = (
        0.0163153871373020978, 0.305326634961232344, 0.360344899949804439, 0.125781726111229246,
        0.0160837851487422766, 6.58749161529837803e-4,
    )  # fmt: skip
    bottom = (
        1.0, 2.56852019228982242, 1.87295284992346725, 0.527905102951428412, 0.0605183413124413191,
        2.33520497626869185e-3,
    )  # fmt: skip
    inverse = 1 / (far * far)
    tail = (0.564189583547756287 - inverse * _polynomial(top, inverse) / _polynomial(bottom, inverse)) / far
    array = np.minimum(array, 30)
    high = np.trunc(array * 16) / 16
    with np.errstate(under="ignore"):
        scale = np.exp(-high * high) * np.exp(-(array - high) * (array + high))
        return np.where(array <= 4, middle, tail) * scale


def _polynomial(coefficients, array):
    """A polynomial by Horner's rule, the highest power first."""
    value = np.full_like(array, coefficients[0])
    for coefficient in coefficients[1:]:
        value *= array
        value += coefficient
    return value
