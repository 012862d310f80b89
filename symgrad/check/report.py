"""Everything that is checked of a layer's emitted kernels."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from types import ModuleType

from symgrad.check.chains import Part
from symgrad.check.kernels import check_kernels, load_kernel
from symgrad.check.records import Check, Report
from symgrad.check.steps import check_steps
from symgrad.notation.layer import Layer
from symgrad.prove.sizes import fitted
from symgrad.prove.study import Study
from symgrad.render.kernels.records import Rendered

HAS_TORCH = find_spec("torch") is not None
SIZES = ((2, 3, 4), (1, 3, 2), (3, 2, 2), (7, 2, 1))
"""Lengths of the first axes: never all alike, one sample, primes."""


def report(study: Study, files: list[Rendered], parts: Mapping[str, tuple[Layer, list[Rendered]]]) -> Report:
    """Steps, kernels against the equations, kernels against PyTorch where it is installed.

    Args:
        study: the layer with its derivations.
        files: its emitted kernels.
        parts: for a network, the layers that it calls with their emitted kernels.
    """
    layer = study.layer
    skipped = []
    modules = _modules(files)
    checks: list[Check] = list(check_steps(study))
    for lengths in SIZES:
        more = (5, 3, 2) if len(layer.axes) <= 4 else (2,) * len(layer.axes)
        each = {
            axis.name: length
            for axis, length in zip(layer.axes, [*lengths, *more, *(2,) * len(layer.axes)], strict=False)
        }
        sizes = fitted(layer, each)
        checks += check_kernels(layer, modules, sizes)
    if HAS_TORCH:
        from symgrad.check.torch_kernels import torch_checks

        checks += torch_checks(layer, modules, {name: Part(p, _modules(own)) for name, (p, own) in parts.items()})
    else:
        skipped.append(
            "the torch kernel, and the comparison with PyTorch: torch is not installed (pip install 'symgrad[torch]')"
        )
    return Report(layer.name, tuple(checks), tuple(skipped))


def _modules(files: list[Rendered]) -> dict[str, ModuleType]:
    """The emitted modules by backend; those that need torch only where it is installed."""
    named = [(file.path.partition("/")[0], file) for file in files]
    return {backend: load_kernel(file) for backend, file in named if backend != "torch" or HAS_TORCH}
