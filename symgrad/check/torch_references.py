"""PyTorch's own implementation of gallery layers: what emitted kernels are compared with.

A row for each layer that PyTorch has; it takes the layer's tensors and constants by name and
returns the outputs, and for a network what lies between its layers, by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Tensors = Mapping[str, Any]
Constants = Mapping[str, float]
Reference = Callable[[Any, Tensors, Constants], dict[str, Any]]


def _batch_norm(torch: Any, t: Tensors, c: Constants) -> dict[str, Any]:
    y = torch.nn.functional.batch_norm(t["x"], None, None, t["w"], t["beta"], training=True, eps=c["eps"])
    return {"y": y}


def _sigmoid(torch: Any, t: Tensors, c: Constants) -> dict[str, Any]:
    return {"z": torch.sigmoid(t["y"])}


def _mse(torch: Any, t: Tensors, c: Constants) -> dict[str, Any]:
    return {"L": torch.nn.functional.mse_loss(t["z"], t["t"])}


def _network(torch: Any, t: Tensors, c: Constants) -> dict[str, Any]:
    y = _batch_norm(torch, t, c)["y"]
    z = torch.sigmoid(y)
    return {"y": y, "z": z, "L": torch.nn.functional.mse_loss(z, t["t"])}


REFERENCES: dict[str, tuple[str, Reference]] = {
    "batch_norm": ("torch F.batch_norm", _batch_norm),
    "sigmoid": ("torch.sigmoid", _sigmoid),
    "mse": ("torch F.mse_loss", _mse),
    "batch_norm_sigmoid_mse": ("torch batch_norm, sigmoid, mse", _network),
}
