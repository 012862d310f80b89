"""PyTorch's built-ins for each layer: the rival, and in float64 what everybody is held against."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.nn import functional

from suite.works import NETWORK


def network(x: Any, w: Any, beta: Any, t: Any) -> Any:
    """The article's network by the built-ins that the article compares itself with."""
    y = functional.batch_norm(x, None, None, w, beta, training=True, eps=1e-5)
    return functional.mse_loss(torch.sigmoid(y), t)


def rms_norm(x: Any, w: Any) -> Any:
    """Root mean square normalization."""
    return functional.rms_norm(x, x.shape[-1:], w, 1e-6)


def layer_norm(x: Any, w: Any, beta: Any) -> Any:
    """Layer normalization."""
    return functional.layer_norm(x, x.shape[-1:], w, beta, 1e-5)


def cross_entropy(x: Any, t: Any) -> Any:
    """Softmax and cross entropy against labels."""
    return functional.cross_entropy(x, t)


BUILT_INS: dict[str, Callable[..., Any]] = {
    NETWORK: network,
    "rms_norm": rms_norm,
    "layer_norm": layer_norm,
    "cross_entropy_labels": cross_entropy,
}
