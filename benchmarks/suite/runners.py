"""How a contestant is run, whatever it is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from suite.problem import Problem


class CannotRunError(Exception):
    """A contestant cannot take part in a work; the text says why."""


@dataclass(frozen=True)
class Runner:
    """A contestant, ready to compute one problem.

    Attributes:
        forward: computes the output, and all that `backward` takes.
        backward: the gradients from what `forward` returned, in the order of the layer's tensors; None where they
            come with the forward pass, so that there is nothing left to time.
        step: both at once; returns output and gradients.
        read: an output or gradient as a NumPy array.
        into: like `backward`, into gradients that exist already; None where it has no such door.
    """

    forward: Callable[[], Any]
    backward: Callable[[Any], Any] | None
    step: Callable[[], tuple[Any, Any]]
    read: Callable[[Any], Any]
    into: Callable[[Any], Any] | None = None


@dataclass(frozen=True)
class Contestant:
    """Who takes part.

    Attributes:
        name: as in tables.
        family: "symgrad" or "rival".
        through: what it is called with: "arrays" (NumPy's), "torch" or "jax".
        make: a runner for a problem; raises CannotRunError.
    """

    name: str
    family: str
    through: str
    make: Callable[[Problem], Runner]


def results(problem: Problem, runner: Runner) -> list[tuple[Any, Mapping[str, Any]]]:
    """Output and gradients by every door of a runner, as NumPy arrays."""
    names = problem.work.signature.differentiable

    def named(gradients: Any) -> dict[str, Any]:
        return {name: runner.read(g) for name, g in zip(names, gradients, strict=True)}

    out, gradients = runner.step()
    found: list[tuple[Any, Mapping[str, Any]]] = [(runner.read(out), named(gradients))]
    for backward in (runner.backward, runner.into):
        if backward is not None:
            found.append((found[0][0], named(backward(runner.forward()))))
    return found
