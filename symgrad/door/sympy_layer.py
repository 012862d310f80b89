"""`SympyLayer`: the SymPy objects that make up a layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class SympyLayer:
    """A layer as SymPy objects: what `Layer.from_sympy` takes.

    Layers that it uses are written out; `y.mu` is called y_mu.

    Attributes:
        name: of the layer.
        doc: what it is.
        equations: `Eq(y[i], …)`, in order.
        inputs: entries with their letters, such as x[s, c], in order.
        parameters: the same.
        targets: the same.
        constants: the default of each constant.
        outputs: the names that are returned.
        variadic: the letters that stand for any number of dimensions.
        order: names of tensors and constants in the order of the layer's arguments.
        sizes: the symbol of the length of each axis, by the axis' name.
        labels: for each label's entry, t[b], the letter of the dimension that it points into.
        lengths: for the symbol of each length that no tensor tells, what it is: {N_k: window}.
        fitted: for the symbol of each length that follows from shifted entries, what it is; `from_sympy` does not
            need it.
    """

    name: str
    doc: str
    equations: tuple[Any, ...]
    inputs: tuple[Any, ...]
    parameters: tuple[Any, ...]
    targets: tuple[Any, ...]
    constants: Mapping[Any, Any]
    outputs: tuple[Any, ...]
    variadic: tuple[Any, ...]
    order: tuple[str, ...]
    sizes: Mapping[str, Any]
    labels: Mapping[Any, Any]
    lengths: Mapping[Any, Any]
    fitted: Mapping[Any, Any]
