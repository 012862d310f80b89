"""Names and modes that a person gives in Python, with the nearest right ones where they are wrong."""

from __future__ import annotations

from collections.abc import Sequence

from symgrad.errors import InputError
from symgrad.notation.claim_names import resolve_name
from symgrad.notation.layer import Layer
from symgrad.notation.names import did_you_mean
from symgrad.prove.study import Study

MODES = ("vjp", "jvp", "hvp")


def gradient_named(study: Study, name: str) -> str:
    """The name of a gradient that was found; `mu` for `y.mu` where that is the only one."""
    name = _text(name, "the name of a tensor").removeprefix("d_")
    layer = study.layer
    own = resolve_name(name, layer)
    known = [found.name for found in study.found]
    if own in known:
        return str(own)
    tensor = layer.tensor(name)
    if tensor is not None and tensor.role == "target":
        raise InputError(
            f"{name} is a target, which gets no gradient.", hint=f"Declare it so that it does: input {name}."
        )
    if any(constant.name == name for constant in layer.constants):
        raise InputError(
            f"{name} is a constant, which gets no gradient.", hint=f"Declare it so that it does: parameter {name}"
        )
    if name in layer.outputs:
        raise InputError(f"d_{name} is the upstream gradient; it comes in from outside.", hint=_known(name, known))
    if own is not None:
        raise InputError(f"no output depends on {name}, so it has no gradient.", hint=_known(name, known))
    raise InputError(f"{layer.name} has nothing called {name}.", hint=_known(name, known))


def output_named(layer: Layer, name: str) -> str:
    """The name of something that the layer defines."""
    own = resolve_name(_text(name, "the name of an output"), layer)
    if own is None or layer.definition(own) is None:
        known = [definition.name for definition in layer.definitions]
        raise InputError(f"{layer.name} defines nothing called {name}.", hint=did_you_mean(name, known))
    return own


def moving(layer: Layer, wrt: str | Sequence[str] | None) -> list[str]:
    """The inputs and parameters that move; all where none is named."""
    known = [tensor.name for tensor in layer.differentiable]
    if isinstance(wrt, str):
        wrt = [wrt]
    names = [_text(name, "the name of a tensor") for name in _listed(wrt)]
    for name in names:
        if name not in known:
            raise InputError(f"{layer.name} has no input or parameter {name}.", hint=did_you_mean(str(name), known))
    return names


def checked_mode(mode: str) -> str:
    """One of the three modes."""
    if mode not in MODES:
        hint = "vjp is reverse mode, jvp forward mode, hvp second order. " + did_you_mean(str(mode), MODES)
        raise InputError(f"there is no mode {mode!r}.", hint=hint)
    return mode


def _listed(names: object) -> Sequence[object]:
    if names is not None and not isinstance(names, (list, tuple)):
        raise InputError(f"names are texts, and a {type(names).__name__} stands here.", hint='Write "x" or ["x", "w"].')
    return names or ()


def _known(name: str, known: Sequence[str]) -> str:
    return did_you_mean(name, known)


def _text(name: object, what: str) -> str:
    if not isinstance(name, str):
        raise InputError(f"{what} is a text, and a {type(name).__name__} stands here.", hint='Write "x".')
    return name
