"""How a layer's arrays lie in memory while a kernel works on them: one dimension for each index.

A variadic axis (`k...`) is merged into one dimension on entry and taken apart again on return;
where every array has just this one axis, nothing needs to be merged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from symgrad.algebra.terms import Index
from symgrad.notation.layer import Layer, Tensor

Frame = tuple[Index, ...]
"""The indices of a loop nest, outermost first; arrays are broadcast to it."""


@dataclass(frozen=True)
class Place:
    """How an array is seen in a frame: dimensions permuted, then new ones put in.

    Attributes:
        order: the permutation of its dimensions, or None where they are in order.
        suffix: what puts in new dimensions: "[:, None]"; empty where none is needed.
    """

    order: tuple[int, ...] | None
    suffix: str


def place(indices: Frame, frame: Frame) -> Place:
    """How an array with `indices` is seen in `frame`."""
    present = [index for index in frame if index in indices]
    order = tuple(indices.index(index) for index in present)
    cells = [":" if index in indices else "None" for index in frame]
    while cells and cells[0] == "None":
        cells.pop(0)
    suffix = f"[{', '.join(cells)}]" if "None" in cells else ""
    return Place(None if order == tuple(range(len(order))) else order, suffix)


def is_whole(layer: Layer) -> bool:
    """Whether every array of the layer is a number or has one and the same variadic index."""
    every = [t.indices for t in layer.tensors] + [d.indices for d in layer.definitions]
    arrays = [indices for indices in every if indices]
    axes = {index.axis for indices in arrays for index in indices}
    return all(len(indices) == 1 for indices in arrays) and len(axes) == 1 and layer.axis(axes.pop()).variadic


def declared(tensor: Tensor, layer: Layer) -> str:
    """x[s, c, k...]."""
    return shown(tensor.name, tensor.indices, layer)


def shown(name: str, indices: Frame, layer: Layer) -> str:
    """A name with its indices as they are declared."""
    letters = [index.name + ("..." if layer.axis(index.axis).variadic else "") for index in indices]
    return f"{name}[{', '.join(letters)}]" if letters else name


def has_variadic(indices: Frame, layer: Layer) -> bool:
    """Whether an array has an axis that stands for any number of dimensions."""
    return any(layer.axis(index.axis).variadic for index in indices)


def shape_items(indices: Frame, layer: Layer) -> list[str]:
    """The array's own shape: n_s, n_c, *shape_k."""
    return [f"*shape_{i.axis}" if layer.axis(i.axis).variadic else f"n_{i.axis}" for i in indices]


def flat_items(indices: Frame) -> list[str]:
    """The shape with variadic axes merged: n_s, n_c, n_k."""
    return [f"n_{index.axis}" for index in indices]


def unpacked(names: Sequence[str]) -> str:
    """The left side of an assignment that takes a tuple apart, or a tuple without brackets."""
    return f"({names[0]},)" if len(names) == 1 else ", ".join(names)


def tuple_text(items: Sequence[str]) -> str:
    """A tuple display: (n_c,), (n_s, n_c)."""
    return f"({items[0]},)" if len(items) == 1 else f"({', '.join(items)})"


def einsum_text(operands: list[Frame], result: Frame) -> str:
    """The subscripts of an einsum: "sck,sck->c"."""
    letters: dict[Index, str] = {}
    alphabet = iter("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
    indices = list(dict.fromkeys(index for frame in operands for index in frame))
    taken = {index.name for index in indices if len(index.name) == 1}
    for index in indices:
        letters[index] = index.name if len(index.name) == 1 else next(a for a in alphabet if a not in taken)
        taken.add(letters[index])
    return (
        ",".join("".join(letters[i] for i in frame) for frame in operands) + "->" + "".join(letters[i] for i in result)
    )


def axes_text(frame: Frame, bound: Frame) -> str:
    """The positions of the bound indices in a frame, as an argument; empty where all are bound."""
    positions = [str(n) for n, index in enumerate(frame) if index in bound]
    if len(positions) == len(frame):
        return ""
    return positions[0] if len(positions) == 1 else f"({', '.join(positions)})"
