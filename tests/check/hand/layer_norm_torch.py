"""Layer normalization as an autograd.Function that recomputes from its inputs."""

import torch


class LayerNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, w, beta, eps):
        ctx.save_for_backward(x, w)
        ctx.eps = eps
        mean = x.mean(-1, keepdim=True)
        var = ((x - mean) ** 2).mean(-1, keepdim=True)
        return w * (x - mean) * torch.rsqrt(var + eps) + beta

    @staticmethod
    def backward(ctx, d_y):
        x, w = ctx.saved_tensors
        mean = x.mean(-1, keepdim=True)
        var = ((x - mean) ** 2).mean(-1, keepdim=True)
        rstd = torch.rsqrt(var + ctx.eps)
        xhat = (x - mean) * rstd
        over = tuple(range(d_y.ndim - 1))
        d_w = (d_y * xhat).sum(over) if over else d_y * xhat
        d_beta = d_y.sum(over) if over else d_y.clone()
        g = d_y * w
        d_x = rstd * (g - g.mean(-1, keepdim=True) - xhat * (g * xhat).mean(-1, keepdim=True))
        return d_x, d_w, d_beta, None


class SavedLayerNorm(torch.autograd.Function):
    """The same with the normalized input saved: right at the first order only."""

    @staticmethod
    def forward(ctx, x, w, beta, eps):
        mean = x.mean(-1, keepdim=True)
        rstd = torch.rsqrt(((x - mean) ** 2).mean(-1, keepdim=True) + eps)
        xhat = (x - mean) * rstd
        ctx.save_for_backward(xhat, rstd, w)
        return w * xhat + beta

    @staticmethod
    def backward(ctx, d_y):
        xhat, rstd, w = ctx.saved_tensors
        over = tuple(range(d_y.ndim - 1))
        d_w = (d_y * xhat).sum(over) if over else d_y * xhat
        d_beta = d_y.sum(over) if over else d_y.clone()
        g = d_y * w
        d_x = rstd * (g - g.mean(-1, keepdim=True) - xhat * (g * xhat).mean(-1, keepdim=True))
        return d_x, d_w, d_beta, None


class OnceLayerNorm(SavedLayerNorm):
    """The same, where a second derivative raises."""

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, d_y):
        return SavedLayerNorm.backward(ctx, d_y)
