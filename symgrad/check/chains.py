"""A network run layer by layer, through the emitted kernels of the layers that it calls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from symgrad.notation.layer import Layer, LayerCall

Values = dict[str, Any]


@dataclass(frozen=True)
class Part:
    """A layer that a network calls, and its emitted modules by backend."""

    layer: Layer
    modules: Mapping[str, ModuleType]


Parts = Mapping[str, Part]
"""By the name of the called layer; empty for a layer that calls none."""


def torch_chain(parts: Parts, network: Layer, tensors: Mapping[str, Any], constants: Mapping[str, float]) -> Values:
    """The results of all calls in order, by name."""
    values: Values = dict(tensors)
    for call in network.calls:
        part = parts[call.layer]
        given, numbers = _arguments(call, part.layer, values, constants)
        values[call.result] = getattr(part.modules["torch"], call.layer)(*given, **numbers)
    return {call.result: values[call.result] for call in network.calls}


def numpy_chain(
    parts: Parts, network: Layer, arrays: Mapping[str, Any], constants: Mapping[str, float], seeds: Mapping[str, Any]
) -> tuple[Values, Values]:
    """The results of all calls, and the gradients of everything that went into one."""
    values: Values = dict(arrays)
    kept = {}
    for call in network.calls:
        part = parts[call.layer]
        given, numbers = _arguments(call, part.layer, values, constants)
        values[call.result], kept[call.result] = part.modules["numpy"].forward(*given, **numbers)
    gradients: Values = dict(seeds)
    for call in reversed(network.calls):
        part = parts[call.layer]
        found = part.modules["numpy"].backward(kept[call.result], gradients[call.result])
        names = dict(zip(part.layer.order, call.arguments, strict=False))
        for tensor in part.layer.differentiable:
            name = names[tensor.name]
            gradient = getattr(found, tensor.name)
            gradients[name] = gradients[name] + gradient if name in gradients else gradient
    return {call.result: values[call.result] for call in network.calls}, gradients


def _arguments(
    call: LayerCall, layer: Layer, values: Mapping[str, Any], constants: Mapping[str, float]
) -> tuple[list[Any], dict[str, float]]:
    """A call's tensors in order, and its constants by name."""
    given = dict(zip(layer.order, call.arguments, strict=False))
    tensors = [values[given[tensor.name]] for tensor in layer.tensors]
    numbers = {}
    for constant in layer.constants:
        if constant.name in given:
            text = given[constant.name]
            numbers[constant.name] = constants[text] if text in constants else float(text)
    return tensors, numbers
