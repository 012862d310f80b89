"""The Huber loss: quadratic for small errors, linear for large ones.

Forward and backward pass for PyTorch of

    e[i] = z[i] - t[i]
    L = mean[i](where(abs(e[i]) < delta, e[i]**2 / 2, delta * (abs(e[i]) - delta / 2)))

The backward pass was derived by symgrad from these equations. Every gradient below was proved
equal, for every size, to the derivative of the forward pass; the formula that each line
computes stands above it (d_x is the gradient of the final scalar with respect to x).

Generated from the layer huber and the template torch/kernel.py.jinja; do not edit. Again:

    python -m symgrad generate huber --backend torch
"""

import torch


def huber(z, t, *, delta=1):
    """Compute L; differentiable, to any order.

    Args:
        z[i...]: input.
        t[i...]: target, gets no gradient.
        delta: a constant.
    """
    _check_types(z=z, t=t)
    _check_dimensions("z[i...]", z, 0, more=True)
    _check_shape("t[i...]", t, z.shape)
    return _apply(Huber, z, t, delta)


class Huber(torch.autograd.Function):
    """Computes L; see `huber`."""

    generate_vmap_rule = True

    @staticmethod
    def forward(z, t, delta):
        result = z.dtype
        dtype, _ = _dtypes(z, t)
        z = z.to(dtype)
        t = t.to(dtype)

        # e[i] = z[i] - t[i]
        e = z - t
        # L = mean[i](where(abs(e[i]) < delta, e[i]**2 / 2, delta * (abs(e[i]) - delta / 2)))
        L = torch.where(torch.abs(e) < delta, torch.square(e) / 2, (torch.abs(e) - (delta / 2)) * delta).mean()

        return L.to(result)

    @staticmethod
    def setup_context(ctx, inputs, output):
        z, t, delta = inputs
        ctx.save_for_backward(z, t)
        ctx.set_materialize_grads(False)
        ctx.dtypes = z.dtype, t.dtype
        ctx.delta = delta

    @staticmethod
    def backward(ctx, d_L):
        z, t = ctx.saved_tensors
        delta = ctx.delta
        dtype, wide = _compute_dtypes(z.device, *ctx.dtypes)
        d_z = None
        if d_L is not None:
            d_z = _gradients(d_L, z, t, delta, dtype, wide)
        return _cast(d_z, ctx.dtypes[0]), None, None


def _gradients(d_L, z, t, delta, dtype, wide):
    """The gradients of the inputs from d_L."""
    n_i = z.numel()
    z = z.to(dtype)
    t = t.to(dtype)
    d_L = d_L.to(wide)

    # e[i] = z[i] - t[i]
    e = z - t
    # d_e[i] = d_L * (where(abs(e[i]) < delta, e[i], 0) + where(not (abs(e[i]) < delta), delta *
    #     sign(e[i]), 0)) / size[i]
    d_e = (
        (
            torch.where(torch.abs(e) < delta, e, 0)
            + torch.where(~(torch.abs(e) < delta), torch.sign(e) * delta, 0)
        )
        * (d_L / n_i).to(dtype)
    )
    # d_z[i] = d_e[i]
    d_z = d_e.clone()

    return d_z


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
