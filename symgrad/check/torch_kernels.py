"""Emitted NumPy and PyTorch kernels against PyTorch's own modules under autograd.

This witness shares no equation with symgrad, so it sees a forward pass that is typed wrong, which
every other check is blind to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

from symgrad.check.chains import Parts, numpy_chain, torch_chain
from symgrad.check.kernels import relative_error
from symgrad.check.records import Check
from symgrad.check.samples import Kind, Style, extreme, kinds_of, ordinary, sample, shape_of, shifted
from symgrad.check.torch_references import Reference, references
from symgrad.notation.layer import Layer, Tensor
from symgrad.prove.sizes import fitted

FLOAT64_LIMIT = 1e-12
FLOAT32_FLOOR = 2e-6
"""float32 results pass within the reference's own float32 error, or within a few units of rounding."""
NO_DIGIT = 0.5
"""Where the reference itself is this far off in float32, any number passes."""


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
        parts: for a network, the layers that it calls with their own modules, to be run one by one
            where the network is nothing but layers.
    """
    import torch

    row = references().get(layer.name)
    if row is None:
        return
    constants = {c.name: c.value for c in layer.constants}
    chained = parts if all(d.call for d in layer.definitions) else {}
    for data in all_data(layer, row):
        exact = _autograd(torch, row.compute, layer, data, constants, torch.float64)
        own = None if data.double else _autograd(torch, row.compute, layer, data, constants, torch.float32)
        if own is not None:
            yield from _compare("PyTorch itself", row.label, data, own, exact, own)
        for backend, module in modules.items():
            with np.errstate(all="ignore"):
                found = _RUN[backend](torch, module, layer, data, constants)
                yield from _compare(f"{backend}, fused" if chained else backend, row.label, data, found, exact, own)
                if chained:
                    found = CHAINS[backend](torch, chained, layer, data, constants)
                    yield from _compare(f"{backend}, layer by layer", row.label, data, found, exact, own)


_SMALL = (((3, 2, 5), (4,)), ((4, 3, 6), (2, 2)), ((7, 2, 3), ()), ((5, 2, 3), (1, 3)))
"""Lengths of the first plain axes, never all alike, and the dimensions of a variadic one."""

SEED = 1234
"""The article's seed."""
_EXTREME = (5, 4, 7)
"""With 4 features the scores of attention are whole: their rounding does not hide other errors."""


def all_data(layer: Layer, row: Reference) -> Iterator[Data]:
    """Several sizes (one position too), extremes, a large mean; in float64 and in float32."""
    kinds = kinds_of(layer, row.kinds)
    if row.article:
        yield _data(layer, kinds, "article's data", (5, 3, 7), (2, 3, 3), article)
    for sizes, inner in _SMALL:
        yield _data(layer, kinds, "normal", sizes, inner, ordinary)
    yield _data(layer, kinds, "extreme", _EXTREME, (4, 3), extreme)
    yield _data(layer, kinds, "extreme", _EXTREME, (4, 3), extreme, double=False)
    yield _data(layer, kinds, "normal", (8, 3, 5), (16, 16), ordinary, double=False)
    yield _data(layer, kinds, "mean 1e4", (16, 3, 5), (16, 16), shifted, double=False)


def article(layer: Layer, tensor: Tensor, kind: Kind, random: Any, shape: Sequence[int]) -> Any:
    """The article's: inputs 0 to 99, the first parameter in [0, 1), everything else in [-1, 1); by torch."""
    import torch

    if not kind.free:
        return kind.draw(random, shape)
    if tensor.role == "input":
        return torch.randint(0, 100, shape).to(torch.float64).numpy()
    first = next((t.name for t in layer.tensors if t.role == "parameter"), "")
    values = torch.rand(shape, dtype=torch.float64).numpy()
    return values if tensor.name == first else 2 * values - 1


def _data(
    layer: Layer,
    kinds: Mapping[str, str],
    name: str,
    sizes: Sequence[int],
    inner: Sequence[int],
    style: Style,
    double: bool = True,
) -> Data:
    """Random tensors for a layer: `sizes` for its plain axes in order, `inner` for a variadic one."""
    import torch

    torch.manual_seed(SEED)
    random = np.random.default_rng(SEED)
    plain = [axis.name for axis in layer.axes if not axis.variadic]
    wanted = dict(zip(plain, [*sizes, 4, 6, 3, 5, *(2 for _ in plain)], strict=False))
    merged = {axis.name: int(np.prod(inner, dtype=int)) for axis in layer.axes if axis.variadic}
    lengths: dict[str, tuple[int, ...]] = {a: (n,) for a, n in fitted(layer, wanted | merged).items()}
    lengths |= {axis.name: tuple(inner) for axis in layer.axes if axis.variadic}
    arrays = sample(layer, lengths, kinds, random, style)
    arrays |= {
        f"d_{o}": np.asarray(random.normal(size=shape_of(layer.entry(o).indices, lengths))) for o in layer.outputs
    }
    if not double:
        reals = {key: array for key, array in arrays.items() if key not in layer.labels}
        arrays |= {key: array.astype(np.float32).astype(np.float64) for key, array in reals.items()}
    tensors = {key: torch.from_numpy(array) for key, array in arrays.items()}
    cotangents = tuple(tensors.pop(f"d_{o}") for o in layer.outputs)
    shapes: list[list[int]] = [list(tensors[t.name].shape) for t in layer.tensors]
    largest = max(shapes, key=len)
    return Data(f"{name}, {'×'.join(map(str, largest))}" + ("" if double else ", float32"), tensors, cotangents, double)


Results = dict[str, Any]
Compute = Callable[[Any], Any]


def _autograd(
    torch: Any, compute: Compute, layer: Layer, data: Data, constants: Mapping[str, float], dtype: Any
) -> Results:
    """Outputs and gradients by PyTorch's own modules."""
    tensors = {name: _in(value, dtype, copy=True) for name, value in data.tensors.items()}
    wanted = [tensors[t.name].requires_grad_() for t in layer.differentiable]
    values = _by_name(layer, compute(SimpleNamespace(**tensors, **constants)))
    outputs = [values[name] for name in layer.outputs]
    gradients = torch.autograd.grad(outputs, wanted, [c.to(dtype) for c in data.cotangents])
    return _named(layer, {name: value.detach() for name, value in values.items()}, gradients)


def _in(tensor: Any, dtype: Any, copy: bool = False) -> Any:
    """A tensor in a dtype; labels stay whole numbers."""
    return tensor.to(dtype, copy=copy) if tensor.is_floating_point() else tensor


def _by_name(layer: Layer, values: Any) -> Results:
    """What a function returns, by name: one output, a tuple of them, or a dictionary already."""
    if isinstance(values, dict):
        return values
    return dict(zip(layer.outputs, values if isinstance(values, tuple) else (values,), strict=True))


def _named(layer: Layer, values: Results, gradients: Sequence[Any]) -> Results:
    return values | {f"d_{t.name}": g for t, g in zip(layer.differentiable, gradients, strict=True)}


def _run_torch(torch: Any, module: ModuleType, layer: Layer, data: Data, constants: Mapping[str, float]) -> Results:
    """The emitted differentiable function under autograd."""
    function = getattr(module, layer.name)

    def compute(t: Any) -> Any:
        return function(*(getattr(t, tensor.name) for tensor in layer.tensors), **constants)

    return _autograd(torch, compute, layer, data, constants, torch.float64 if data.double else torch.float32)


def _run_numpy(torch: Any, module: ModuleType, layer: Layer, data: Data, constants: Mapping[str, float]) -> Results:
    """The emitted forward and backward on arrays."""
    dtype = torch.float64 if data.double else torch.float32
    arrays = [_in(data.tensors[t.name], dtype).numpy() for t in layer.tensors]
    outputs, saved = module.forward(*arrays, **constants)
    gradients = module.backward(saved, *(c.to(dtype).numpy() for c in data.cotangents))
    return _named(layer, _by_name(layer, outputs), [getattr(gradients, t.name) for t in layer.differentiable])


def _run_torch_chain(torch: Any, parts: Parts, layer: Layer, data: Data, constants: Mapping[str, float]) -> Results:
    """The emitted functions of a network's layers, one after the other, under autograd."""

    def compute(t: Any) -> Results:
        return torch_chain(parts, layer, vars(t), constants)

    return _autograd(torch, compute, layer, data, constants, torch.float64 if data.double else torch.float32)


def _run_numpy_chain(torch: Any, parts: Parts, layer: Layer, data: Data, constants: Mapping[str, float]) -> Results:
    """The emitted forward passes of a network's layers in order, and their backward passes back."""
    dtype = torch.float64 if data.double else torch.float32
    arrays = {name: _in(value, dtype).numpy() for name, value in data.tensors.items()}
    seeds = [c.to(dtype).numpy() for c in data.cotangents]
    values, gradients = numpy_chain(parts, layer, arrays, constants, dict(zip(layer.outputs, seeds, strict=True)))
    return _named(layer, values, [gradients[t.name] for t in layer.differentiable])


CHAINS = {"torch": _run_torch_chain, "numpy": _run_numpy_chain}
_RUN = {"torch": _run_torch, "numpy": _run_numpy}


def _compare(
    subject: str, label: str, data: Data, found: Results, exact: Results, own: Results | None
) -> Iterator[Check]:
    """A check for each result; float32 is held against PyTorch's own float32 error."""
    upstream = max(float(abs(c).max()) for c in data.cotangents)
    for name, value in found.items():
        expected = exact[name]
        error = _error(value, expected, upstream)
        if own is None:
            yield Check(name, subject, label, data.name, error, FLOAT64_LIMIT)
        else:
            own_error = _error(own[name], expected, upstream)
            limit = max(own_error, FLOAT32_FLOOR) if own_error <= NO_DIGIT else float("inf")
            yield Check(name, subject, f"{label} in float64", data.name, error, limit)


ROUNDING = 1e-13
"""A gradient this much smaller than what comes in is 0 but for rounding."""


def _error(found: Any, expected: Any, upstream: float) -> float:
    """The worst difference relative to the largest value expected, or to `upstream` where that is 0.

    Where the reference is infinite or no number, the same must be found.
    """
    found, expected = (np.asarray(value, dtype=np.float64).copy() for value in (found, expected))
    odd = ~np.isfinite(expected)
    if found.shape != expected.shape or not np.array_equal(found[odd], expected[odd], equal_nan=True):
        return float("inf")
    found[odd] = expected[odd] = 0.0
    if np.max(np.abs(expected), initial=0.0) < ROUNDING * upstream:
        return float(np.max(np.abs(found - expected), initial=0.0)) / upstream
    return relative_error(found, expected)
