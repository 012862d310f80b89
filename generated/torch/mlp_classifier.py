"""A classifier: linear, layer normalization, GELU, linear, cross entropy against probabilities.

Forward and backward pass for PyTorch of

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

Generated from the layer mlp_classifier and the template torch/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate mlp_classifier --backend torch
"""

import math

import torch


def mlp_classifier(x, w1, b1, g, beta, w2, b2, q, *, eps=1e-5):
    """Compute L; differentiable, to any order.

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
    _check_types(x=x, w1=w1, b1=b1, g=g, beta=beta, w2=w2, b2=b2, q=q)
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
    function = MlpClassifierCompiled if _is_compiled() else MlpClassifier
    L, *_ = _apply(function, x, w1, b1, g, beta, w2, b2, q, eps)
    return L


class MlpClassifier(torch.autograd.Function):
    """Computes L; see `mlp_classifier`.

    The statistics u, mu, var, z, L_z are outputs as well, so that derivatives of the
    backward pass reach the inputs through them; `backward` gets their cotangents.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(x, w1, b1, g, beta, w2, b2, q, eps):
        result = x.dtype
        dtype, wide = _dtypes(x, w1, b1, g, beta, w2, b2, q)
        n_b, n_i = x.shape
        n_h = w1.shape[0]
        n_v = w2.shape[0]
        x = x.to(dtype)
        w1 = w1.to(dtype)
        b1 = b1.to(dtype)
        g = g.to(dtype)
        beta = beta.to(dtype)
        w2 = w2.to(dtype)
        b2 = b2.to(dtype)
        q = q.to(dtype)

        # sum_x_w1[b, h] = sum[i](x[b, i] * w1[h, i])
        sum_x_w1 = x @ w1.T
        # u[b, h] = sum[i](x[b, i] * w1[h, i]) + b1[h]
        u = sum_x_w1 + b1
        # mu[b] = mean[h](u[b, h])
        mu = u.mean(1)
        # u_minus_mu[b, h] = u[b, h] - mu[b]
        u_minus_mu = u - mu[:, None]
        # var[b] = mean[h]((u[b, h] - mu[b])**2)
        var = torch.square(u_minus_mu).mean(1)
        # n[b, h] = g[h] * (u[b, h] - mu[b]) / sqrt(var[b] + eps) + beta[h]
        n = u_minus_mu * g * (1 / torch.sqrt(var + eps))[:, None] + beta
        # a[b, h] = n[b, h] * (1 + erf(n[b, h] / sqrt(2))) / 2
        a = n * (1 + torch.erf(n * (1 / math.sqrt(2)))) / 2
        # sum_a_w2[b, v] = sum[h](a[b, h] * w2[v, h])
        sum_a_w2 = a @ w2.T
        # z[b, v] = sum[h](a[b, h] * w2[v, h]) + b2[v]
        z = sum_a_w2 + b2
        # max_z[b] = max[v](z[b, v])
        max_z = z.amax(1)
        # sum_exp_z[b] = sum[v](exp(z[b, v] - max_z[b]))
        sum_exp_z = torch.exp(z - max_z[:, None]).sum(1).to(wide)
        # L_z[b] = log(sum[v](exp(z[b, v])))
        L_z = max_z + torch.log(sum_exp_z)
        # L = -sum[b, v](q[b, v] * (z[b, v] - L_z[b])) / size[b]
        L = -(q * _centre(z, L_z[:, None])).sum() / n_b

        return L.to(result), u, mu, var, z, L_z

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, w1, b1, g, beta, w2, b2, q, eps = inputs
        _, u, mu, var, z, L_z = output
        ctx.save_for_backward(x, w1, g, beta, w2, q, u, z, mu, var, L_z)
        ctx.set_materialize_grads(False)
        ctx.dtypes = x.dtype, w1.dtype, b1.dtype, g.dtype, beta.dtype, w2.dtype, b2.dtype, q.dtype
        ctx.eps = eps

    @staticmethod
    def backward(ctx, d_L, d_u, d_mu, d_var, d_z, d_L_z):
        x, w1, g, beta, w2, q, u, z, mu, var, L_z = ctx.saved_tensors
        eps = ctx.eps
        needs = ctx.needs_input_grad[:7]
        dtype, wide = _compute_dtypes(x.device, *ctx.dtypes)
        d_x = d_w1 = d_b1 = d_g = d_beta = d_w2 = d_b2 = None
        if d_L is not None:
            d_x, d_w1, d_b1, d_g, d_beta, d_w2, d_b2 = _gradients(
                d_L, x, w1, g, beta, w2, q, eps, u, z, mu, var, L_z, dtype, wide, needs,
            )
        if any(given is not None for given in (d_u, d_mu, d_var, d_z, d_L_z)):
            d_u, d_mu, d_var, d_z, d_L_z = _or_zeros((d_u, d_mu, d_var, d_z, d_L_z), (u, mu, var, z, L_z))
            parts = _gradients_from_statistics(
                d_u, d_z, d_mu, d_var, d_L_z, x, w1, g, beta, w2, eps, u, z, mu, var, L_z, dtype, needs,
            )
            d_x, d_w1, d_b1, d_g, d_beta, d_w2, d_b2 = map(_plus, (d_x, d_w1, d_b1, d_g, d_beta, d_w2, d_b2), parts)
        return (
            _cast(d_x, ctx.dtypes[0]),
            _cast(d_w1, ctx.dtypes[1]),
            _cast(d_b1, ctx.dtypes[2]),
            _cast(d_g, ctx.dtypes[3]),
            _cast(d_beta, ctx.dtypes[4]),
            _cast(d_w2, ctx.dtypes[5]),
            _cast(d_b2, ctx.dtypes[6]),
            None,
            None,
        )


class MlpClassifierCompiled(torch.autograd.Function):
    """The same as `MlpClassifier` for `torch.compile`: differentiable once."""

    @staticmethod
    def forward(x, w1, b1, g, beta, w2, b2, q, eps):
        return MlpClassifier.forward(x, w1, b1, g, beta, w2, b2, q, eps)

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, w1, b1, g, beta, w2, b2, q, eps = inputs
        _, u, mu, var, z, L_z = output
        ctx.save_for_backward(x, w1, g, beta, w2, q, u, z, mu, var, L_z)
        ctx.set_materialize_grads(False)
        ctx.dtypes = x.dtype, w1.dtype, b1.dtype, g.dtype, beta.dtype, w2.dtype, b2.dtype, q.dtype
        ctx.eps = eps
        ctx.mark_non_differentiable(u, mu, var, z, L_z)

    @staticmethod
    def backward(ctx, d_L, *_):
        x, w1, g, beta, w2, q, u, z, mu, var, L_z = ctx.saved_tensors
        eps = ctx.eps
        needs = ctx.needs_input_grad[:7]
        dtype, wide = _compute_dtypes(x.device, *ctx.dtypes)
        d_x = d_w1 = d_b1 = d_g = d_beta = d_w2 = d_b2 = None
        if d_L is not None:
            d_x, d_w1, d_b1, d_g, d_beta, d_w2, d_b2 = _gradients(
                d_L, x, w1, g, beta, w2, q, eps, u, z, mu, var, L_z, dtype, wide, needs,
            )
        return (
            _cast(d_x, ctx.dtypes[0]),
            _cast(d_w1, ctx.dtypes[1]),
            _cast(d_b1, ctx.dtypes[2]),
            _cast(d_g, ctx.dtypes[3]),
            _cast(d_beta, ctx.dtypes[4]),
            _cast(d_w2, ctx.dtypes[5]),
            _cast(d_b2, ctx.dtypes[6]),
            None,
            None,
        )


def _gradients(d_L, x, w1, g, beta, w2, q, eps, u, z, mu, var, L_z, dtype, wide, needs):
    """The gradients of the inputs from d_L."""
    need_x, need_w1, need_b1, need_g, need_beta, need_w2, need_b2 = needs
    n_b, n_i = x.shape
    n_h = w1.shape[0]
    n_v = w2.shape[0]
    x = x.to(dtype)
    w1 = w1.to(dtype)
    g = g.to(dtype)
    beta = beta.to(dtype)
    w2 = w2.to(dtype)
    q = q.to(dtype)
    u = u.to(dtype)
    z = z.to(dtype)
    d_L = d_L.to(wide)

    if need_x or need_w1 or need_b1 or need_g or need_beta or need_w2:
        # rsqrt_var[b] = 1 / sqrt(var[b] + eps)
        rsqrt_var = 1 / torch.sqrt(var + eps)
        # u_minus_mu[b, h] = u[b, h] - mu[b]
        u_minus_mu = u - mu[:, None]
        # n[b, h] = g[h] * (u[b, h] - mu[b]) / sqrt(var[b] + eps) + beta[h]
        n = u_minus_mu * g * rsqrt_var[:, None] + beta
        # erf_n_rsqrt_two[b, h] = erf(n[b, h] / sqrt(2))
        erf_n_rsqrt_two = torch.erf(n * (1 / math.sqrt(2)))
    # sum_q[b] = sum[v](q[b, v])
    sum_q = q.sum(1, dtype=wide)
    # d_L_z[b] = d_L * sum[v](q[b, v]) / size[b]
    d_L_z = d_L * sum_q / n_b
    # d_z[b, v] = -q[b, v] * d_L / size[b] + exp(z[b, v] - L_z[b]) * d_L_z[b]
    d_z = (
        -q * (d_L / n_b).to(dtype)
        + torch.exp(_centre(z, L_z[:, None])) * d_L_z.to(dtype)[:, None]
    )
    if need_x or need_w1 or need_b1 or need_g or need_beta:
        # d_a[b, h] = sum[v](w2[v, h] * d_z[b, v])
        d_a = d_z @ w2
        # d_n[b, h] = (1 + erf(n[b, h] / sqrt(2)) + 2 * n[b, h] * exp(-n[b, h]**2 / 2) / (sqrt(pi) *
        #     sqrt(2))) * d_a[b, h] / 2
        d_n = (
            (
                1
                + erf_n_rsqrt_two
                + n * (2 / (math.sqrt(math.pi) * math.sqrt(2))) * torch.exp(-torch.square(n) / 2)
            )
            * d_a
            / 2
        )
    if need_x or need_w1 or need_b1:
        # sum_g_d_n[b] = sum[h](g[h] * d_n[b, h])
        sum_g_d_n = (d_n * g).sum(1)
        # d_mu[b] = -sum[h](g[h] * d_n[b, h]) / sqrt(var[b] + eps)
        d_mu = -rsqrt_var * sum_g_d_n
        # sum_g_u_minus_mu_d_n[b] = sum[h](g[h] * (u[b, h] - mu[b]) * d_n[b, h])
        sum_g_u_minus_mu_d_n = (u_minus_mu * g * d_n).sum(1)
        # d_var[b] = -sum[h](g[h] * (u[b, h] - mu[b]) * d_n[b, h]) / (2 * (var[b] + eps)**(3/2))
        d_var = -rsqrt_var**3 * sum_g_u_minus_mu_d_n / 2
        # d_u[b, h] = g[h] * d_n[b, h] / sqrt(var[b] + eps) + d_mu[b] / size[h]
        #     + 2 * (u[b, h] - mu[b]) * d_var[b] / size[h]
        d_u = (
            d_n * g * rsqrt_var[:, None]
            + (d_mu / n_h)[:, None]
            + u_minus_mu * (2 * d_var / n_h)[:, None]
        )
    if need_b1:
        # d_b1[h] = sum[b](d_u[b, h])
        d_b1 = d_u.sum(0)
    if need_g:
        # d_g[h] = sum[b]((u[b, h] - mu[b]) * d_n[b, h] / sqrt(var[b] + eps))
        d_g = (u_minus_mu * rsqrt_var[:, None] * d_n).sum(0)
    if need_beta:
        # d_beta[h] = sum[b](d_n[b, h])
        d_beta = d_n.sum(0)
    if need_b2:
        # d_b2[v] = sum[b](d_z[b, v])
        d_b2 = d_z.sum(0)
    if need_x:
        # d_x[b, i] = sum[h](w1[h, i] * d_u[b, h])
        d_x = d_u @ w1
    if need_w1:
        # d_w1[h, i] = sum[b](x[b, i] * d_u[b, h])
        d_w1 = d_u.T @ x
    if need_w2:
        # a[b, h] = n[b, h] * (1 + erf(n[b, h] / sqrt(2))) / 2
        a = n * (1 + erf_n_rsqrt_two) / 2
        # d_w2[v, h] = sum[b](a[b, h] * d_z[b, v])
        d_w2 = d_z.T @ a

    return (
        d_x if need_x else None,
        d_w1 if need_w1 else None,
        d_b1 if need_b1 else None,
        d_g if need_g else None,
        d_beta if need_beta else None,
        d_w2 if need_w2 else None,
        d_b2 if need_b2 else None,
    )


def _gradients_from_statistics(d_u, d_z, d_mu, d_var, d_L_z, x, w1, g, beta, w2, eps, u, z, mu, var, L_z, dtype, needs):
    """The gradients of the inputs from the statistics' cotangents, which only derivatives of `backward` bring in."""
    need_x, need_w1, need_b1, need_g, need_beta, need_w2, need_b2 = needs
    n_b, n_i = x.shape
    n_h = w1.shape[0]
    n_v = w2.shape[0]
    x = x.to(dtype)
    w1 = w1.to(dtype)
    g = g.to(dtype)
    beta = beta.to(dtype)
    w2 = w2.to(dtype)
    u = u.to(dtype)
    z = z.to(dtype)
    d_u = d_u.to(dtype)
    d_z = d_z.to(dtype)

    if need_x or need_w1 or need_b1 or need_g or need_beta or need_w2:
        # rsqrt_var[b] = 1 / sqrt(var[b] + eps)
        rsqrt_var = 1 / torch.sqrt(var + eps)
        # u_minus_mu[b, h] = u[b, h] - mu[b]
        u_minus_mu = u - mu[:, None]
        # n[b, h] = g[h] * (u[b, h] - mu[b]) / sqrt(var[b] + eps) + beta[h]
        n = u_minus_mu * g * rsqrt_var[:, None] + beta
        # erf_n_rsqrt_two[b, h] = erf(n[b, h] / sqrt(2))
        erf_n_rsqrt_two = torch.erf(n * (1 / math.sqrt(2)))
    # d_z_total[b, v] = d_z[b, v] + exp(z[b, v]) * d_L_z[b] / sum[i](exp(z[b, i]))
    d_z_total = d_z + torch.exp(_centre(z, L_z[:, None])) * d_L_z.to(dtype)[:, None]
    if need_x or need_w1 or need_b1 or need_g or need_beta:
        # d_a[b, h] = sum[v](w2[v, h] * d_z_total[b, v])
        d_a = d_z_total @ w2
        # d_n[b, h] = (1 + erf(n[b, h] / sqrt(2)) + 2 * n[b, h] * exp(-n[b, h]**2 / 2) / (sqrt(pi) *
        #     sqrt(2))) * d_a[b, h] / 2
        d_n = (
            (
                1
                + erf_n_rsqrt_two
                + n * (2 / (math.sqrt(math.pi) * math.sqrt(2))) * torch.exp(-torch.square(n) / 2)
            )
            * d_a
            / 2
        )
    if need_x or need_w1 or need_b1:
        # sum_g_d_n[b] = sum[h](g[h] * d_n[b, h])
        sum_g_d_n = (d_n * g).sum(1)
        # d_mu_total[b] = d_mu[b] - sum[h](g[h] * d_n[b, h]) / sqrt(var[b] + eps)
        d_mu_total = d_mu - rsqrt_var * sum_g_d_n
        # sum_g_u_minus_mu_d_n[b] = sum[h](g[h] * (u[b, h] - mu[b]) * d_n[b, h])
        sum_g_u_minus_mu_d_n = (u_minus_mu * g * d_n).sum(1)
        # d_var_total[b] = d_var[b]
        #     - sum[h](g[h] * (u[b, h] - mu[b]) * d_n[b, h]) / (2 * (var[b] + eps)**(3/2))
        d_var_total = d_var - rsqrt_var**3 * sum_g_u_minus_mu_d_n / 2
        # d_u_total[b, h] = d_u[b, h] + g[h] * d_n[b, h] / sqrt(var[b] + eps) + d_mu_total[b] / size[h]
        #     + 2 * (u[b, h] - mu[b]) * d_var_total[b] / size[h]
        d_u_total = (
            d_u
            + d_n * g * rsqrt_var[:, None]
            + (d_mu_total / n_h)[:, None]
            + u_minus_mu * (2 * d_var_total / n_h)[:, None]
        )
    if need_b1:
        # d_b1[h] = sum[b](d_u_total[b, h])
        d_b1 = d_u_total.sum(0)
    if need_g:
        # d_g[h] = sum[b]((u[b, h] - mu[b]) * d_n[b, h] / sqrt(var[b] + eps))
        d_g = (u_minus_mu * rsqrt_var[:, None] * d_n).sum(0)
    if need_beta:
        # d_beta[h] = sum[b](d_n[b, h])
        d_beta = d_n.sum(0)
    if need_b2:
        # d_b2[v] = sum[b](d_z_total[b, v])
        d_b2 = d_z_total.sum(0)
    if need_x:
        # d_x[b, i] = sum[h](w1[h, i] * d_u_total[b, h])
        d_x = d_u_total @ w1
    if need_w1:
        # d_w1[h, i] = sum[b](x[b, i] * d_u_total[b, h])
        d_w1 = d_u_total.T @ x
    if need_w2:
        # a[b, h] = n[b, h] * (1 + erf(n[b, h] / sqrt(2))) / 2
        a = n * (1 + erf_n_rsqrt_two) / 2
        # d_w2[v, h] = sum[b](a[b, h] * d_z_total[b, v])
        d_w2 = d_z_total.T @ a

    return (
        d_x if need_x else None,
        d_w1 if need_w1 else None,
        d_b1 if need_b1 else None,
        d_g if need_g else None,
        d_beta if need_beta else None,
        d_w2 if need_w2 else None,
        d_b2 if need_b2 else None,
    )


def _apply(function, *arguments):
    """What `function.apply` does, which asks for the signature of `forward` at each call: longer than a small step."""
    if torch.compiler.is_compiling() or _is_transformed():
        return function.apply(*arguments)
    return super(torch.autograd.Function, function).apply(*arguments)


def _is_transformed():
    """Whether a transform of torch.func is active; an older torch does not say, so there may be one."""
    return getattr(torch._C, "_are_functorch_transforms_active", lambda: True)()


def _check_types(**tensors):
    """Raise unless all arguments are tensors of real floating-point numbers."""
    for name, tensor in tensors.items():
        if not isinstance(tensor, torch.Tensor) or not tensor.dtype.is_floating_point:
            given = tensor.dtype if isinstance(tensor, torch.Tensor) else type(tensor).__name__
            raise TypeError(f"{name} must be a floating-point tensor, not {given}.")


def _check_dimensions(what, tensor, least, more=False):
    """Raise unless a tensor has as many dimensions as declared, and is not empty."""
    if tensor.ndim < least or (tensor.ndim > least and not more):
        raise ValueError(f"{what} must have {'at least ' if more else ''}{least} dimensions, not {tensor.ndim}.")
    if tensor.numel() == 0:
        raise ValueError(f"{what} is empty: its shape is {tuple(tensor.shape)}.")


def _check_shape(what, tensor, shape):
    """Raise unless a tensor has the shape that follows from the others."""
    if tuple(tensor.shape) != tuple(shape):
        raise ValueError(f"{what} must have the shape {tuple(shape)}, not {tuple(tensor.shape)}.")


def _dtypes(*tensors):
    """The dtype to compute in and the wider one for sums, for these tensors."""
    return _compute_dtypes(tensors[0].device, *(tensor.dtype for tensor in tensors))


def _compute_dtypes(device, *given):
    """At least float32 to compute in; float64 for sums, but for half precision and on devices without it."""
    dtype = torch.float32
    for other in given:
        dtype = torch.promote_types(dtype, other)
    half = torch.float16 in given or torch.bfloat16 in given
    return dtype, dtype if half or device.type == "mps" else torch.float64


def _cast(gradient, dtype):
    """A gradient in its input's dtype; None where nobody asked for it."""
    return None if gradient is None else gradient.to(dtype)


def _is_compiled():
    """Whether torch.compile reads this, without a transform of torch.func, which may differentiate twice."""
    if not torch.compiler.is_compiling() or not hasattr(torch._C._functorch, "get_dynamic_layer_stack_depth"):
        return False  # an older torch does not say how many transforms there are
    return torch._C._functorch.get_dynamic_layer_stack_depth() == 0


def _or_zeros(cotangents, tensors):
    """The cotangents of these tensors, with zeros for those that are None."""
    return [torch.zeros_like(t) if given is None else given for given, t in zip(cotangents, tensors)]


def _plus(total, part):
    """total + part, where both may be None."""
    if total is None or part is None:
        return part if total is None else total
    return total + part


def _centre(tensor, mean, out=None):
    """tensor - mean; a wider mean is split in two, so that nothing of it is lost."""
    if mean.dtype == tensor.dtype:
        return torch.sub(tensor, mean, out=out)
    high = mean.to(tensor.dtype)
    near, rest = torch.sub(tensor, high, out=out), (mean - high).to(tensor.dtype)
    return near - rest if out is None else near.sub_(rest)
