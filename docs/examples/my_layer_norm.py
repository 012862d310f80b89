"""A layer normalization as people write it by hand; its backward pass has a mistake."""

import torch


class LayerNorm(torch.autograd.Function):
    """y = w (x - mean) / sqrt(var + eps) + beta over the last dimension."""

    @staticmethod
    def forward(ctx, x, w, beta, eps):
        """Normalize, and keep what backward needs."""
        mean = x.mean(-1, keepdim=True)
        rstd = (x.var(-1, unbiased=False, keepdim=True) + eps).rsqrt()
        xhat = (x - mean) * rstd
        ctx.save_for_backward(xhat, rstd, w)
        return w * xhat + beta

    @staticmethod
    def backward(ctx, d_y):
        """The gradients of x, w and beta."""
        xhat, rstd, w = ctx.saved_tensors
        rows = d_y.reshape(-1, d_y.shape[-1])
        d_w = (rows * xhat.reshape(rows.shape)).sum(0)
        d_beta = rows.sum(0)
        g = d_y * w
        d_x = rstd * (g - g.mean(-1, keepdim=True) - xhat * (g * xhat).sum(-1, keepdim=True))
        return d_x, d_w, d_beta, None
