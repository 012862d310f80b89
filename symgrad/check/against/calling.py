"""How a person's function takes a layer's tensors and constants.

By name where all tensors' names are among its parameters, else by position, in the order in which
the layer declares them. A constant is handed over where a parameter has its name, or where as many
parameters are left over as there are constants.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from symgrad.errors import InputError
from symgrad.notation.layer import Layer

Parameter = inspect.Parameter
BY_PLACE = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)


@dataclass(frozen=True)
class Slot:
    """One argument.

    Attributes:
        source: the tensor or constant that is handed over; "" for a default that stands between others.
        keyword: the parameter's name where it must be handed over by name, else "".
        default: the parameter's own default, or `Parameter.empty`.
    """

    source: str
    keyword: str
    default: Any


@dataclass(frozen=True)
class Binding:
    """The arguments of a call, in order; `fixed` are the constants that the function does not take."""

    slots: tuple[Slot, ...]
    fixed: tuple[str, ...]

    def arguments(self, values: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        """Positional and keyword arguments."""
        plain = [values[s.source] if s.source else s.default for s in self.slots if not s.keyword]
        return plain, {s.keyword: values[s.source] for s in self.slots if s.keyword}

    def remarks(self, layer: Layer) -> tuple[str, ...]:
        """Constants that the function does not take, and those whose default is not the layer's."""
        found = [
            f"{c.name} is not an argument: checked at the layer's default, {c.text}, only"
            for c in layer.constants
            if c.name in self.fixed
        ]
        defaults = {slot.source: slot.default for slot in self.slots}
        for c in layer.constants:
            own = defaults.get(c.name, Parameter.empty)
            if isinstance(own, (int, float)) and abs(own - float(c.default)) > 1e-9 * abs(own):
                found.append(f"{c.name} defaults to {own:g} here, and to {c.text} in the layer")
        return tuple(found)


def bind(function: Callable[..., Any], layer: Layer, what: str, skip: int = 0, keywords: bool = True) -> Binding:
    """How to call a function with a layer's tensors and constants.

    Args:
        function: the person's.
        layer: whose tensors and constants it is to take.
        what: the function in words, for messages.
        skip: how many first parameters are somebody else's (`ctx`).
        keywords: whether keyword arguments can be handed over at all; `Function.apply` takes none.

    Raises:
        InputError: it does not take the layer's tensors.
    """
    tensors = [tensor.name for tensor in layer.tensors]
    constants = [constant.name for constant in layer.constants]
    try:
        parameters = list(inspect.signature(function).parameters.values())[skip:]
    except (TypeError, ValueError):
        return Binding(tuple(Slot(name, "", Parameter.empty) for name in tensors), tuple(constants))
    if any(p.kind is Parameter.VAR_POSITIONAL for p in parameters):
        parameters = [Parameter(name, Parameter.POSITIONAL_ONLY) for name in tensors]
    parameters = [p for p in parameters if p.kind is not Parameter.VAR_KEYWORD]
    sources = _sources(parameters, tensors, constants)
    missing = [p.name for p in parameters if p.name not in sources and p.default is Parameter.empty]
    if missing or not set(tensors) <= set(sources.values()):
        raise InputError(_mismatch(what, parameters, tensors, constants), hint=_HINT)
    return Binding(_slots(parameters, sources, keywords), tuple(c for c in constants if c not in sources.values()))


_HINT = (
    "It is called with the tensors by name where it has parameters of all their names, else by position in the "
    "layer's order; constants by name. Wrap it in a function that takes them."
)


def _sources(parameters: list[Parameter], tensors: list[str], constants: list[str]) -> dict[str, str]:
    """For each parameter that gets something, what."""
    names = [p.name for p in parameters]
    if set(tensors) <= set(names):
        found = {name: name for name in tensors}
    else:
        by_place = [p.name for p in parameters if p.kind in BY_PLACE and p.name not in constants]
        found = dict(zip(by_place, tensors, strict=False))
    found |= {name: name for name in constants if name in names}
    left = [name for name in names if name not in found]
    open_constants = [name for name in constants if name not in found.values()]
    if len(left) == len(open_constants):
        found |= dict(zip(left, open_constants, strict=True))
    return found


def _slots(parameters: list[Parameter], sources: Mapping[str, str], keywords: bool) -> tuple[Slot, ...]:
    """Arguments in the order of the parameters; by name after one that is left to its default."""
    last = max((n for n, p in enumerate(parameters) if p.name in sources), default=-1)
    slots, skipped = [], False
    for parameter in parameters[: last + 1]:
        source = sources.get(parameter.name, "")
        skipped = skipped or not source
        by_name = keywords and (skipped or parameter.kind is Parameter.KEYWORD_ONLY)
        if source or not keywords:
            slots.append(Slot(source, parameter.name if by_name else "", parameter.default))
    return tuple(slots)


def _mismatch(what: str, parameters: list[Parameter], tensors: list[str], constants: list[str]) -> str:
    own = ", ".join(p.name for p in parameters) or "nothing"
    more = f" and the constants {', '.join(constants)}" if constants else ""
    return f"{what} takes {own}; the layer has the tensors {', '.join(tensors)}{more}."
