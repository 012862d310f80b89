"""Batch normalization in NumPy, as courses write it: backward(d_out, cache)."""

import numpy as np


def forward(x, gamma, beta, eps=1e-5):
    axes = (0, *range(2, x.ndim))
    shape = (1, -1) + (1,) * (x.ndim - 2)
    mean = x.mean(axis=axes, keepdims=True)
    std = np.sqrt(((x - mean) ** 2).mean(axis=axes, keepdims=True) + eps)
    xhat = (x - mean) / std
    y = gamma.reshape(shape) * xhat + beta.reshape(shape)
    return y, (xhat, std, gamma)


def backward(d_out, cache):
    xhat, std, gamma = cache
    axes = (0, *range(2, d_out.ndim))
    shape = (1, -1) + (1,) * (d_out.ndim - 2)
    n = d_out.size // d_out.shape[1]
    d_gamma = (d_out * xhat).sum(axis=axes)
    d_beta = d_out.sum(axis=axes)
    g = d_out * gamma.reshape(shape)
    d_x = (g - g.sum(axis=axes, keepdims=True) / n - xhat * (g * xhat).sum(axis=axes, keepdims=True) / n) / std
    return d_x, d_gamma, d_beta
