"""The negative log-likelihood of targets under a normal distribution with mean and variance.

Forward and backward pass for PyTorch of

    v[i] = where(var[i] < eps, eps, var[i])
    L = mean[i](log(v[i]) + (mu[i] - t[i])**2 / v[i]) / 2

The backward pass was derived by symgrad from these equations. Every gradient below was proved
equal, for every size, to the derivative of the forward pass; the formula that each line
computes stands above it (d_x is the gradient of the final scalar with respect to x).

Generated from the layer gaussian_nll and the template torch/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate gaussian_nll --backend torch
"""

import torch


def gaussian_nll(mu, var, t, *, eps=1e-6):
    """Compute L; differentiable, to any order.

    Args:
        mu[i...]: input.
        var[i...]: input.
        t[i...]: target, gets no gradient.
        eps: a constant.
    """
    _check_types(mu=mu, var=var, t=t)
    _check_dimensions("mu[i...]", mu, 0, more=True)
    _check_shape("var[i...]", var, mu.shape)
    _check_shape("t[i...]", t, mu.shape)
    return _apply(GaussianNll, mu, var, t, eps)


class GaussianNll(torch.autograd.Function):
    """Computes L; see `gaussian_nll`."""

    generate_vmap_rule = True

    @staticmethod
    def forward(mu, var, t, eps):
        result = mu.dtype
        dtype, _ = _dtypes(mu, var, t)
        mu = mu.to(dtype)
        var = var.to(dtype)
        t = t.to(dtype)

        # v[i] = where(var[i] < eps, eps, var[i])
        v = torch.where(var < eps, eps, var)
        # L = mean[i](log(v[i]) + (mu[i] - t[i])**2 / v[i]) / 2
        L = (torch.log(v) + torch.square(mu - t) / v).mean() / 2

        return L.to(result)

    @staticmethod
    def setup_context(ctx, inputs, output):
        mu, var, t, eps = inputs
        ctx.save_for_backward(mu, var, t)
        ctx.set_materialize_grads(False)
        ctx.dtypes = mu.dtype, var.dtype, t.dtype
        ctx.eps = eps

    @staticmethod
    def backward(ctx, d_L):
        mu, var, t = ctx.saved_tensors
        eps = ctx.eps
        needs = ctx.needs_input_grad[:2]
        dtype, wide = _compute_dtypes(mu.device, *ctx.dtypes)
        d_mu = d_var = None
        if d_L is not None:
            d_mu, d_var = _gradients(d_L, mu, var, t, eps, dtype, wide, needs)
        return _cast(d_mu, ctx.dtypes[0]), _cast(d_var, ctx.dtypes[1]), None, None


def _gradients(d_L, mu, var, t, eps, dtype, wide, needs):
    """The gradients of the inputs from d_L."""
    need_mu, need_var = needs
    n_i = mu.numel()
    mu = mu.to(dtype)
    var = var.to(dtype)
    t = t.to(dtype)
    d_L = d_L.to(wide)

    # v[i] = where(var[i] < eps, eps, var[i])
    v = torch.where(var < eps, eps, var)
    # mu_minus_t[i] = mu[i] - t[i]
    mu_minus_t = mu - t
    if need_mu:
        # d_mu[i] = (mu[i] - t[i]) * d_L / (size[i] * v[i])
        d_mu = (d_L / n_i).to(dtype) * mu_minus_t / v
    if need_var:
        # d_v[i] = (1 / v[i] - (mu[i] - t[i])**2 / v[i]**2) * d_L / (2 * size[i])
        d_v = (1 / v - torch.square(mu_minus_t) / v**2) * (d_L / (2 * n_i)).to(dtype)
        # d_var[i] = where(var[i] < eps, 0, 1) * d_v[i]
        d_var = (-((var < eps).to(dtype) != 0).to(dtype) + 1) * d_v

    return (d_mu if need_mu else None, d_var if need_var else None)


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
