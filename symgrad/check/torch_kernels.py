"""Emitted NumPy and PyTorch kernels against PyTorch's own modules under autograd.

This witness shares no equation with symgrad, so it sees a forward pass that is typed wrong, which
every other check is blind to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from symgrad.check.chains import numpy_chain, torch_chain
from symgrad.check.kernels import relative_error
from symgrad.check.records import Check
from symgrad.check.torch_references import REFERENCES, Reference
from symgrad.check.chains import Parts
from symgrad.notation.layer import Layer

FLOAT64_LIMIT = 1e-10
FLOAT32_FLOOR = 2e-6
"""float32 results pass within the reference's own float32 error, or within a few units of rounding."""


@dataclass(frozen=True)
class Data:
    """Inputs of one comparison, in float64.

    Attributes:
        name: what they are, for the report.
        tensors: by name, as torch tensors.
        cotangents: upstream gradients of the outputs, in order.
        double: whether to compute in float64; else in float32 against float64.
    """

    name: str
    tensors: dict[str, Any]
    cotangents: tuple[Any, ...]
    double: bool = True


def torch_checks(layer: Layer, modules: Mapping[str, ModuleType], parts: Parts) -> Iterator[Check]:
    """Outputs and gradients of every emitted kernel of a layer, on the article's data and on others.

    Args:
        layer: what they compute.
        modules: the emitted modules, by backend.
        parts: for a network, the layers that it calls with their own modules, to be run one by one.
    """
    import torch

    row = REFERENCES.get(layer.name)
    if row is None:
        return
    label, reference = row
    constants = {c.name: float(c.default) for c in layer.constants}
    for data in _all_data(torch, layer):
        exact = _autograd(torch, reference, layer, data, constants, torch.float64)
        own = None if data.double else _autograd(torch, reference, layer, data, constants, torch.float32)
        if own is not None:
            yield from _compare("PyTorch itself", label, data, own, exact, own)
        for backend, module in modules.items():
            found = _RUN[backend](torch, module, layer, data, constants)
            yield from _compare(f"{backend}, fused" if parts else backend, label, data, found, exact, own)
            if parts:
                found = CHAINS[backend](torch, parts, layer, data, constants)
                yield from _compare(f"{backend}, layer by layer", label, data, found, exact, own)


def _all_data(torch: Any, layer: Layer) -> Iterator[Data]:
    """The article's data, other sizes (one sample too), a large mean, in float64 and float32."""
    yield _data(torch, layer, "article's data", (5, 3, 7), (2, 3, 3), _article)
    for sizes, inner in (((3, 2, 5), (4,)), ((4, 3, 2), (2, 2)), ((7, 2, 3), ()), ((2, 5, 3), (1, 3))):
        name = "×".join(map(str, (*sizes[:2], *inner)))
        yield _data(torch, layer, f"normal, {name}", sizes, inner, _normal)
    yield _data(torch, layer, "normal, 8×3×16×16, float32", (8, 3, 5), (16, 16), _normal, double=False)
    yield _data(torch, layer, "mean 1e4, 16×3×16×16, float32", (16, 3, 5), (16, 16), _shifted, double=False)


def _article(torch: Any, name: str, role: str, shape: Sequence[int]) -> Any:
    """Integer inputs 0 to 99; the first parameter in [0, 1); everything else in [-1, 1)."""
    if role == "input":
        return torch.randint(0, 100, shape).to(torch.float64)
    values = torch.rand(shape, dtype=torch.float64)
    return values if name == "w" else 2 * values - 1


def _normal(torch: Any, name: str, role: str, shape: Sequence[int]) -> Any:
    return torch.randn(shape, dtype=torch.float64)


def _shifted(torch: Any, name: str, role: str, shape: Sequence[int]) -> Any:
    """Inputs with mean 1e4 and standard deviation 1, rounded so that float32 holds them exactly."""
    values = torch.randn(shape, dtype=torch.float64)
    return (values + 1e4).float().double() if role == "input" else values.float().double()


def _data(
    torch: Any, layer: Layer, name: str, sizes: Sequence[int], inner: Sequence[int], draw: Any, double: bool = True
) -> Data:
    """Random tensors for a layer: `sizes` for its plain axes in order, `inner` for a variadic one."""
    torch.manual_seed(1234)
    plain = [axis.name for axis in layer.axes if not axis.variadic]
    lengths: dict[str, tuple[int, ...]] = {axis: (length,) for axis, length in zip(plain, [*sizes, 4, 6, 3, 5], strict=False)}
    lengths |= {axis.name: tuple(inner) for axis in layer.axes if axis.variadic}

    def shape(indices: Any) -> list[int]:
        return [length for index in indices for length in lengths[index.axis]]

    tensors = {t.name: draw(torch, t.name, t.role, shape(t.indices)) for t in layer.tensors}
    if not double:
        tensors = {name: value.float().double() for name, value in tensors.items()}
    cotangents = tuple(torch.randn(shape(layer.entry(o).indices), dtype=torch.float64) for o in layer.outputs)
    return Data(name, tensors, tuple(c.float().double() for c in cotangents), double)


Results = dict[str, Any]


def _autograd(
    torch: Any, reference: Reference, layer: Layer, data: Data, constants: Mapping[str, float], dtype: Any
) -> Results:
    """Outputs and gradients by PyTorch's own modules."""
    tensors = {name: value.to(dtype, copy=True) for name, value in data.tensors.items()}
    wanted = [tensors[t.name].requires_grad_() for t in layer.differentiable]
    values = reference(torch, tensors, constants)
    outputs = [values[name] for name in layer.outputs]
    gradients = torch.autograd.grad(outputs, wanted, [c.to(dtype) for c in data.cotangents])
    return _named(layer, {name: value.detach() for name, value in values.items()}, gradients)


def _named(layer: Layer, values: Results, gradients: Sequence[Any]) -> Results:
    return values | {f"d_{t.name}": g for t, g in zip(layer.differentiable, gradients, strict=True)}


def _run_torch(torch: Any, module: ModuleType, layer: Layer, data: Data, constants: Mapping[str, float]) -> Results:
    """The emitted differentiable function under autograd."""
    function = getattr(module, layer.name)

    def reference(_: Any, tensors: Mapping[str, Any], constants: Mapping[str, float]) -> Results:
        outputs = function(*(tensors[t.name] for t in layer.tensors), **constants)
        return dict(zip(layer.outputs, outputs if isinstance(outputs, tuple) else (outputs,), strict=True))

    return _autograd(torch, reference, layer, data, constants, torch.float64 if data.double else torch.float32)


def _run_numpy(torch: Any, module: ModuleType, layer: Layer, data: Data, constants: Mapping[str, float]) -> Results:
    """The emitted forward and backward on arrays."""
    dtype = torch.float64 if data.double else torch.float32
    arrays = [data.tensors[t.name].to(dtype).numpy() for t in layer.tensors]
    *outputs, saved = module.forward(*arrays, **constants)
    gradients = module.backward(saved, *(c.to(dtype).numpy() for c in data.cotangents))
    return _named(layer, dict(zip(layer.outputs, outputs, strict=True)), [getattr(gradients, t.name) for t in layer.differentiable])


def _run_torch_chain(
    torch: Any, parts: Parts, layer: Layer, data: Data, constants: Mapping[str, float]
) -> Results:
    """The emitted functions of a network's layers, one after the other, under autograd."""

    def reference(_: Any, tensors: Mapping[str, Any], constants: Mapping[str, float]) -> Results:
        return torch_chain(parts, layer, tensors, constants)

    return _autograd(torch, reference, layer, data, constants, torch.float64 if data.double else torch.float32)


def _run_numpy_chain(
    torch: Any, parts: Parts, layer: Layer, data: Data, constants: Mapping[str, float]
) -> Results:
    """The emitted forward passes of a network's layers in order, and their backward passes back."""
    dtype = torch.float64 if data.double else torch.float32
    arrays = {name: value.to(dtype).numpy() for name, value in data.tensors.items()}
    seeds = [c.to(dtype).numpy() for c in data.cotangents]
    values, gradients = numpy_chain(parts, layer, arrays, constants, dict(zip(layer.outputs, seeds, strict=True)))
    return _named(layer, values, [gradients[t.name] for t in layer.differentiable])


CHAINS = {"torch": _run_torch_chain, "numpy": _run_numpy_chain}
_RUN = {"torch": _run_torch, "numpy": _run_numpy}


def _compare(
    subject: str, label: str, data: Data, found: Results, exact: Results, own: Results | None
) -> Iterator[Check]:
    """A check for each result; float32 is held against PyTorch's own float32 error."""
    for name, value in found.items():
        expected = exact[name]
        error = relative_error(value, expected)
        if own is None:
            yield Check(name, subject, label, data.name, error, FLOAT64_LIMIT)
        else:
            limit = max(relative_error(own[name], expected), FLOAT32_FLOOR)
            yield Check(name, subject, f"{label} in float64", data.name, error, limit)
