"""How arrays lie in memory: the same numbers with other strides."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = Any
LAYOUTS = ("contiguous", "transposed", "strided", "permuted")
"""`transposed`: Fortran's order; `strided`: every second entry of a larger array; `permuted`: dimension 1
last in memory, as channels_last has it."""


def numpy_layout(array: Array, layout: str) -> Array:
    """A new array with the same numbers."""
    array = np.array(array, order="C")
    if layout == "transposed":
        return np.array(array, order="F")
    if layout == "strided" and array.ndim:
        larger = np.full((*array.shape[:-1], 2 * array.shape[-1]), -7.0, dtype=array.dtype)
        larger[..., ::2] = array
        return larger[..., ::2]
    if layout == "permuted" and array.ndim > 2:
        return np.moveaxis(np.ascontiguousarray(np.moveaxis(array, 1, -1)), -1, 1)
    return array


def torch_layout(tensor: Any, layout: str) -> Any:
    """A new tensor with the same numbers."""
    import torch

    tensor = tensor.clone(memory_format=torch.contiguous_format)
    dims = range(tensor.ndim)
    if layout == "transposed" and tensor.ndim > 1:
        return tensor.permute(*reversed(dims)).contiguous().permute(*reversed(dims))
    if layout == "strided" and tensor.ndim:
        larger = torch.full((*tensor.shape[:-1], 2 * tensor.shape[-1]), -7.0, dtype=tensor.dtype)
        larger[..., ::2] = tensor
        return larger[..., ::2]
    if layout == "permuted" and tensor.ndim > 2:
        return tensor.movedim(1, -1).contiguous().movedim(-1, 1)
    return tensor
