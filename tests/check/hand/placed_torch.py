"""Hand-written torch kernels with labels and shifted entries."""

import torch
from torch.nn import functional


def conv1d(x, weight, bias, stride=1, padding=0):
    return functional.conv1d(x, weight, bias, stride, padding)


def conv2d(x, weight, bias, stride=1, padding=0):
    return functional.conv2d(x, weight, bias, stride, padding)


def avg_pool(x, window=2, stride=2):
    return functional.avg_pool2d(x, window, stride)


def max_pool(x, window=2, stride=2):
    return functional.max_pool2d(x, window, stride)


def local_response_norm(x, alpha=1e-4, beta=0.75, bias=1.0, radius=2):
    return functional.local_response_norm(x, 2 * radius + 1, alpha, beta, bias)


def nll(x, t):
    return functional.nll_loss(x.contiguous(), t)  # torch's own backward refuses other layouts of four dimensions


def embedding(weight, t):
    return functional.embedding(t, weight)


def cross_entropy(x, t):
    return functional.cross_entropy(x, t)


def weighted_cross_entropy(x, t, w, smoothing=0.1):
    return functional.cross_entropy(x, t, w, label_smoothing=smoothing)


class Embedding(torch.autograd.Function):
    @staticmethod
    def forward(ctx, weight, t):
        ctx.save_for_backward(t)
        ctx.rows = len(weight)
        return weight[t]

    @staticmethod
    def backward(ctx, d_y):
        (t,) = ctx.saved_tensors
        d_weight = d_y.new_zeros(ctx.rows, d_y.shape[-1])
        return d_weight.index_add(0, t.reshape(-1), d_y.reshape(-1, d_y.shape[-1])), None
