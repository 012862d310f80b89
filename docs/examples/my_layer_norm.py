"""Layer normalization as somebody wrote it by hand; its backward pass has a mistake."""

import numpy as np


def forward(x, w, beta, *, eps=1e-5):
    """The output, and what backward needs."""
    mean = x.mean(axis=-1, keepdims=True)
    rstd = 1 / np.sqrt(((x - mean) ** 2).mean(axis=-1, keepdims=True) + eps)
    xhat = (x - mean) * rstd
    return w * xhat + beta, (xhat, rstd, w)


def backward(saved, d_y):
    """The gradients of x, w and beta."""
    xhat, rstd, w = saved
    over = tuple(range(d_y.ndim - 1))
    g = d_y * w
    d_x = rstd * (g - g.mean(axis=-1, keepdims=True) - xhat * (g * xhat).sum(axis=-1, keepdims=True))
    return d_x, (d_y * xhat).sum(axis=over), d_y.sum(axis=over)
