"""Hand-written NumPy kernels, each a class with forward and backward."""

import numpy as np


class Softmax:
    @staticmethod
    def forward(x):
        e = np.exp(x - x.max(axis=-1, keepdims=True))
        p = e / e.sum(axis=-1, keepdims=True)
        return p, p

    @staticmethod
    def backward(saved, d_y):
        return saved * (d_y - (saved * d_y).sum(axis=-1, keepdims=True))


class Linear:
    @staticmethod
    def forward(x, w, bias):
        return x @ w.T + bias, (x, w)

    @staticmethod
    def backward(saved, d_y):
        x, w = saved
        rows, flat = d_y.reshape(-1, d_y.shape[-1]), x.reshape(-1, x.shape[-1])
        return {"x": d_y @ w, "w": rows.T @ flat, "bias": rows.sum(axis=0)}


class Mse:
    @staticmethod
    def forward(z, t):
        return ((z - t) ** 2).mean(), (z, t)

    @staticmethod
    def backward(saved, d_loss):
        z, t = saved
        return {"dz": d_loss * 2 * (z - t) / z.size}


class CrossEntropy:
    @staticmethod
    def forward(x, q):
        m = x.max(axis=1, keepdims=True)
        logsum = m + np.log(np.exp(x - m).sum(axis=1, keepdims=True))
        n = x.size // x.shape[1]
        return -(q * (x - logsum)).sum() / n, (x, q, logsum, n)

    @staticmethod
    def backward(saved, d_loss):
        x, q, logsum, n = saved
        p = np.exp(x - logsum)
        return d_loss * (p * q.sum(axis=1, keepdims=True) - q) / n


class Attention:
    @staticmethod
    def forward(q, k, v):
        s = q @ k.swapaxes(-1, -2) / np.sqrt(q.shape[-1])
        e = np.exp(s - s.max(axis=-1, keepdims=True))
        p = e / e.sum(axis=-1, keepdims=True)
        return p @ v, (q, k, v, p)

    @staticmethod
    def backward(saved, d_y):
        q, k, v, p = saved
        scale = 1 / np.sqrt(q.shape[-1])
        d_v = p.swapaxes(-1, -2) @ d_y
        d_p = d_y @ v.swapaxes(-1, -2)
        d_s = p * (d_p - (p * d_p).sum(axis=-1, keepdims=True))
        d_q = d_s @ k * scale
        d_k = d_s.swapaxes(-1, -2) @ q * scale
        return d_q, d_k, d_v


class Relu:
    def forward(self, x):
        self.x = x
        return np.maximum(x, 0)

    def backward(self, d_y):
        return d_y * (self.x > 0)
