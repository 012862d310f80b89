"""symgrad: from a layer's forward equations to its backward pass, derived, proved, explained, emitted.

    import symgrad
    layer = symgrad.layer("batch_norm")     # or symgrad.Layer("input x[i] …"), Layer.from_file, Layer.from_sympy
    study = layer.derive()                  # both routes and their proof; in a notebook it shows itself
    study.gradient("x").proved              # True
    layer.prove("d_beta[c] = sum[s, k](d_y[s, c, k])").proved
    layer.generate("numpy").text

`load`, `derive`, `prove` and `emit` are the pipeline's own functions on its records. The
command line says the same: `symgrad derive`, `prove`, `generate`, `check`, `article`, `list`.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from symgrad.door.functions import derive, layer
    from symgrad.door.layer import Layer
    from symgrad.errors import InputError, SymgradError
    from symgrad.notation.library import from_text, gallery, load
    from symgrad.pipeline import emit, generate, prove

__all__ = [
    "InputError", "Layer", "SymgradError", "derive", "emit", "from_text", "gallery", "generate", "layer", "load",
    "prove",
]  # fmt: skip

_HOMES = {
    "InputError": "symgrad.errors",
    "SymgradError": "symgrad.errors",
    "Layer": "symgrad.door.layer",
    "from_text": "symgrad.notation.library",
    "gallery": "symgrad.notation.library",
    "load": "symgrad.notation.library",
    "derive": "symgrad.door.functions",
    "layer": "symgrad.door.functions",
    "emit": "symgrad.pipeline",
    "generate": "symgrad.pipeline",
    "prove": "symgrad.pipeline",
}


class _Package(ModuleType):
    """Keeps `symgrad.derive` and `symgrad.prove` the functions when the folders of that name are imported."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in _HOMES or not isinstance(value, ModuleType):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __getattr__(name: str) -> Any:
    """Import on first use, so that `import symgrad` costs nothing."""
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module 'symgrad' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
