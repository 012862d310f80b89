"""The fastest differentiable function of a layer on torch tensors.

    import symgrad.torch
    layer_norm = symgrad.torch.function("layer_norm")
    y = layer_norm(x, w, beta)          # C or numba on the CPU, Triton on a GPU, plain torch where they cannot

Backends are tried in the order of `WAYS`; one that cannot do the layer, or cannot run here, is passed over
without an error, and `skipped` says why. Plain torch is last and does everything.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import ModuleType
from typing import Any

import numpy as np
import torch

from symgrad import pipeline
from symgrad.check.kernels import load_kernel
from symgrad.check.on_device import require_agreement
from symgrad.door.layer import Layer
from symgrad.errors import InputError, SymgradError
from symgrad.notation.library import gallery, load
from symgrad.prove.study import Study

Call = Callable[..., Any]
_apart: Callable[[Call], Call] = torch.compiler.disable
"""Runs as it is also where `torch.compile` compiles what is around the call."""


@dataclass(frozen=True)
class Way:
    """A backend as a way to run a layer.

    Attributes:
        backend: its name, as in `symgrad generate --backend`.
        applies: whether it takes these tensors.
        prepare: makes an emitted file of a studied layer ready to run, and raises where it cannot be here.
        orders: how many times its function can be differentiated; None: any number of times.
    """

    backend: str
    applies: Callable[[Sequence[Any]], bool]
    prepare: Callable[[ModuleType, Study], object]
    orders: int | None


def _on_the_cpu(tensors: Sequence[Any]) -> bool:
    return all(getattr(tensor, "is_cpu", False) for tensor in tensors)


def _on_a_gpu(tensors: Sequence[Any]) -> bool:
    return all(getattr(tensor, "is_cuda", False) for tensor in tensors)


def _one_compiled(module: ModuleType, _: Study) -> None:
    """Compile one C function, which shows that it can be done; the others are compiled when they are called."""
    variants = getattr(module, "_VARIANTS", ())
    module._function(np.dtype(np.float32), (False,) * len(variants), "forward")


def _agreeing(module: ModuleType, study: Study) -> None:
    """Hold what a GPU computes against plain torch, since no test of symgrad runs on the card that is here."""
    plain, name = load_kernel(pipeline.emit(study, ["torch"])[0]), study.layer.name
    require_agreement(study.layer, _function_of(module, name), _function_of(plain, name), "cuda")


def _function_of(module: ModuleType, name: str) -> Call:
    """A layer's function in a file, which has an underscore where the file uses the name itself."""
    made: Call = getattr(module, name if hasattr(module, name) else f"{name}_")
    return made


WAYS: tuple[Way, ...] = (
    Way("c", _on_the_cpu, _one_compiled, 1),
    Way("numba", _on_the_cpu, lambda module, _: module.prepare(), 1),
    Way("triton", _on_a_gpu, _agreeing, None),
    Way("torch", lambda _: True, lambda module, _: module, None),
)
"""Fastest first. A new backend is a row here, before torch."""


class Function:
    """A layer's differentiable function; made by `function`.

    Attributes:
        name: of the layer.
        skipped: the backends that were passed over when they were tried, with the reasons.
    """

    def __init__(self, study: Study, ways: Sequence[Way]) -> None:
        self.name = study.layer.name
        self.skipped: dict[str, str] = {}
        self._study = study
        self._ways = tuple(ways)
        self._made: dict[str, Call] = {}

    def __call__(self, *tensors: Any, **constants: Any) -> Any:
        """The layer's outputs; tensors in the order of their declaration, constants by name."""
        return self._chosen(tensors)[1](*tensors, **constants)

    def backend(self, *tensors: Any) -> str:
        """The backend that these tensors would be computed with."""
        return self._chosen(tensors)[0]

    def __repr__(self) -> str:
        return f"<symgrad.torch.Function {self.name}: {', '.join(way.backend for way in self._ways)}>"

    def _chosen(self, tensors: Sequence[Any]) -> tuple[str, Call]:
        for way in self._ways:
            if way.applies(tensors):
                made = self._made.get(way.backend) or self._make(way)
                if made is not None:
                    return way.backend, made
        raise SymgradError(f"no backend can run {self.name} on these tensors: {self.skipped}")

    @_apart
    def _make(self, way: Way) -> Call | None:
        """A backend's function; None, and its reason among `skipped`, where it cannot be had."""
        try:
            module = load_kernel(pipeline.emit(self._study, [way.backend])[0], kept=True)
            way.prepare(module, self._study)
        except (SymgradError, ImportError, OSError, RuntimeError) as failure:
            if way is self._ways[-1]:
                raise
            self.skipped[way.backend] = str(failure)
            self._ways = tuple(other for other in self._ways if other is not way)
            return None
        self._made[way.backend] = _function_of(module, self.name)
        return self._made[way.backend]


def function(layer: str | os.PathLike[str] | Layer, *, orders: int = 1, backends: Sequence[str] = ()) -> Function:
    """The fastest function of a layer that this machine can run.

    Args:
        layer: a name of the gallery, the path of an `.sg` file, or a `symgrad.Layer`.
        orders: how many times it will be differentiated; C and numba do it once, the others any number of times.
        backends: only these, in the order of `WAYS`; all by default.

    Raises:
        InputError: there is no such layer or backend, or none of those that are named can be differentiated so often.
        SymgradError: a gradient is not proved.
    """
    known = [way.backend for way in WAYS]
    for name in backends:
        if name not in known:
            raise InputError(f"symgrad.torch has no backend {name!r}.", hint=f"It has {', '.join(known)}.")
    ways = [way for way in WAYS if not backends or way.backend in backends]
    ways = [way for way in ways if way.orders is None or way.orders >= orders]
    if not ways:
        raise InputError(f"{', '.join(backends)} cannot be differentiated {orders} times.", hint="torch can.")
    return Function(pipeline.derive(layer.record) if isinstance(layer, Layer) else _named(os.fspath(layer)), ways)


@lru_cache(maxsize=64)
def _of_gallery(name: str) -> Study:
    return pipeline.derive(load(name))


def _named(name: str) -> Study:
    """The study of a layer by name or path; files may change, the gallery does not."""
    return _of_gallery(name) if name in gallery() else pipeline.derive(load(name))


__all__ = ["WAYS", "Function", "Way", "function"]
