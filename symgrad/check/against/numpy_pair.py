"""A NumPy kernel: a forward function and a backward function.

    forward(x, w, beta, *, eps)   ->  y, saved     (y_1, y_2, saved for two outputs; or y alone)
    backward(saved, d_y)          ->  gradients

`gradients` is a named tuple or a dictionary by the tensors' names (x, dx or d_x), a tuple in the
layer's order of inputs and parameters, or one array where there is one. `backward(d_y, saved)` is
told from `backward(saved, d_y)` by its parameters' names. A forward that returns the outputs only
goes with a backward that takes the inputs: `backward(x, w, beta, d_y)`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from symgrad.check.against.calling import bind
from symgrad.check.against.layouts import numpy_layout
from symgrad.check.against.loading import quiet, told
from symgrad.check.against.records import ON_PURPOSE, Array, Case, Data, KernelFault, Run
from symgrad.check.against.reference import in_dtype
from symgrad.check.samples import shape_of
from symgrad.notation.layer import Layer

SAVED = ("saved", "cache", "ctx", "context", "state", "residuals", "memo", "tape")


class NumpyPair:
    """A forward and a backward function, run on NumPy arrays; see `Kernel`."""

    dtypes: tuple[str, ...] = ("float64", "float32")

    def __init__(
        self, layer: Layer, forward: Callable[..., Any], backward: Callable[..., Any], what: str, path: Path
    ) -> None:
        self.layer, self.forward, self.backward, self.what, self.path = layer, forward, backward, what, path
        self.binding = bind(forward, layer, f"forward of {path.name}")
        self.backward_names = _parameters(backward)
        self.fixed, self.remarks = self.binding.fixed, self.binding.remarks(layer)

    def run(self, data: Data) -> Run:
        """Forward and backward in the dtype and layout of a case; backward twice."""
        case = data.case
        given = {n: numpy_layout(in_dtype(a, case.dtype), case.layout) for n, a in data.tensors.items()}
        before = {name: array.copy() for name, array in given.items()}
        seeds = [_upstream(data.cotangents[name], case) for name in self.layer.outputs]
        with np.errstate(all="ignore"), quiet():
            outputs, saved, alone = self._forward(data, given)
            conduct = [f"forward changes its input {n}" for n in given if not _same(given[n], before[n])]
            between = {name: array.copy() for name, array in given.items()}
            gradients = self._backward(data, given, saved, alone, seeds)
            first = {name: np.array(value, dtype=np.float64) for name, value in gradients.items()}
            again = self._backward(data, given, saved, alone, seeds)
        for name, value in again.items():
            if not _same(first[name], np.asarray(value, dtype=np.float64)):
                conduct.append(f"a second call of backward returns another d_{name}: it changes what was saved")
        conduct += [f"backward changes the input {n}" for n in given if not _same(given[n], between[n])]
        wide = [n for n, v in {**outputs, **gradients}.items() if np.asarray(v).dtype != case.dtype]
        remarks = [f"{case.dtype} goes in, another dtype comes out ({', '.join(wide)})"] if wide else []
        plain = {name: np.asarray(value, dtype=np.float64) for name, value in outputs.items()}
        return Run(plain, first, tuple(dict.fromkeys(conduct)), tuple(remarks))

    def _forward(self, data: Data, given: Mapping[str, Array]) -> tuple[dict[str, Array], Any, bool]:
        """Outputs by name, what was saved, and whether the outputs came alone."""
        plain, named = self.binding.arguments({**given, **data.constants})
        returned = _called(self.forward, plain, named, "forward", self.path)
        names = self.layer.outputs
        parts, saved, alone = _apart(returned, len(names))
        if len(parts) != len(names):
            wanted = ", ".join(names)
            raise KernelFault(f"forward returns {len(parts)} outputs and what was saved, instead of ({wanted}, saved)")
        outputs = dict(zip(names, parts, strict=True))
        for name, value in outputs.items():
            shape = shape_of(self.layer.entry(name).indices, data.case.lengths)
            _check_array(f"forward returns {name}", value, shape)
        return outputs, saved, alone

    def _backward(
        self, data: Data, given: Mapping[str, Array], saved: Any, alone: bool, seeds: list[Array]
    ) -> dict[str, Array]:
        """The gradients by name."""
        plain, named = self._arguments(data, given, saved, alone, seeds)
        returned = _called(self.backward, plain, named, "backward", self.path)
        gradients = by_name(returned, self.layer)
        for tensor in self.layer.differentiable:
            shape = shape_of(tensor.indices, data.case.lengths)
            _check_array(f"backward returns d_{tensor.name}", gradients[tensor.name], shape)
        return gradients

    def _arguments(
        self, data: Data, given: Mapping[str, Array], saved: Any, alone: bool, seeds: list[Array]
    ) -> tuple[list[Any], dict[str, Any]]:
        """What backward is called with; see the module's docstring."""
        names = self.backward_names
        tensors = [given[tensor.name] for tensor in self.layer.tensors]
        if alone and len(names) >= len(tensors) + len(seeds):
            return [*tensors, *seeds], {n: v for n, v in data.constants.items() if n in names}
        if not alone and len(names) == len(seeds) + 1 and names[0] not in SAVED and names[-1] in SAVED:
            return [*seeds, saved], {}
        if alone and len(names) == len(seeds):
            return [*seeds], {}
        return [saved, *seeds], {}


def _apart(returned: Any, count: int) -> tuple[Sequence[Any], Any, bool]:
    """Outputs, what was saved, and whether there was nothing saved: from (y, saved), ((y, z), saved) or y."""
    if not isinstance(returned, tuple):
        return (returned,), None, True
    if count > 1 and len(returned) == 2 and isinstance(returned[0], tuple):
        return returned[0], returned[1], False
    if len(returned) == count > 1:
        return returned, None, True
    return returned[:-1], returned[-1], False


def by_name(returned: Any, layer: Layer) -> dict[str, Any]:
    """Gradients by the name of their tensor, from a named tuple, a dictionary, a tuple or one array."""
    names = [tensor.name for tensor in layer.differentiable]
    if hasattr(returned, "_asdict"):
        returned = returned._asdict()
    if isinstance(returned, Mapping):
        found = {name: _first(returned, name) for name in names}
        lacking = [name for name in names if found[name] is _NOTHING]
        if not lacking:
            return found
        if not isinstance(returned, dict) or len(returned) != len(names):
            raise KernelFault(f"backward returns {', '.join(map(str, returned))}, and no d_{lacking[0]}")
        return dict(zip(names, returned.values(), strict=True))
    parts = list(returned) if isinstance(returned, (tuple, list)) else [returned]
    everything = [tensor.name for tensor in layer.tensors]
    if len(parts) == len(everything) > len(names):
        return {n: p for n, p in zip(everything, parts, strict=True) if n in names}
    if len(parts) != len(names):
        raise KernelFault(f"backward returns {len(parts)} gradients instead of {len(names)} ({', '.join(names)})")
    return dict(zip(names, parts, strict=True))


_NOTHING = object()


def _first(returned: Mapping[Any, Any], name: str) -> Any:
    return next((returned[key] for key in (name, f"d_{name}", f"d{name}") if key in returned), _NOTHING)


def _called(function: Callable[..., Any], plain: list[Any], named: dict[str, Any], what: str, path: Path) -> Any:
    """A call of the person's code; whatever it raises is a `KernelFault`."""
    try:
        return function(*plain, **named)
    except Exception as error:
        backward = what == "backward"
        on_purpose = not backward and isinstance(error, ON_PURPOSE)
        raise KernelFault(f"{what} raises {told(error, path)}", True, on_purpose, backward) from error


def _parameters(function: Callable[..., Any]) -> list[str]:
    try:
        return list(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return []


def _check_array(what: str, value: Any, shape: tuple[int, ...]) -> None:
    """Raise unless a value is an array of real numbers with this shape."""
    if value is None:
        raise KernelFault(f"{what} as None")
    array = np.asarray(value)
    if array.dtype.kind not in "fiu":
        raise KernelFault(f"{what} as {type(value).__name__} of {array.dtype}, not as an array of real numbers")
    if array.shape != shape:
        turned = ": transposed" if array.shape == shape[::-1] else ""
        raise KernelFault(f"{what} with the shape {array.shape} instead of {shape}{turned}")


def _upstream(array: Array, case: Case) -> Array:
    """The upstream gradient; that of a sum is one number with strides of 0."""
    array = np.asarray(array).astype(case.dtype)
    if case.upstream == "ones":
        return np.broadcast_to(np.ones((), dtype=case.dtype), array.shape)
    return numpy_layout(array, case.layout)


def _same(one: Array, other: Array) -> bool:
    return bool(np.array_equal(one, other, equal_nan=True))
