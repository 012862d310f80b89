"""The records of the plan: what a kernel reads, computes, keeps and returns, in which order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from symgrad.algebra.terms import Entry, Index, Term
from symgrad.errors import SymgradError
from symgrad.notation.layer import Layer

Equal = Callable[[Term, Term, Layer], bool]
"""The prover's verdict: True only where both terms are proved equal for every size and value."""

REDUCTION, FULL, SMALL, GATHER, SCATTER = "reduction", "full-size", "small", "gather", "scatter"
KINDS = (REDUCTION, FULL, SMALL, GATHER, SCATTER)


@dataclass(frozen=True)
class Adjoint:
    """One equation of the backward pass: `name[indices] = body`.

    Attributes:
        name: `d_` and the name of what it belongs to: "d_x", "d_y.mu".
        indices: in the order of that tensor's dimensions.
        body: over names of the layer, upstream gradients of its outputs and earlier adjoints.
    """

    name: str
    indices: tuple[Index, ...]
    body: Term


@dataclass(frozen=True)
class Statement:
    """One step of a procedure: `name[indices] = term`.

    Attributes:
        name: a Python name, unique in its procedure.
        indices: its dimensions, in order.
        term: the code form, over names of earlier statements and of what the procedure reads.
        kind: "reduction" (a sum or another reduction over whole axes), "full-size" (as large as the largest tensors),
            "small" (fewer axes than those; kept in a wider type), "gather" (entries at computed places) or
            "scatter" (values added up at computed places).
        formula: the equation in the notation, over names of the layer.
        needed_by: the results that need it, in the order of the results.
        is_shift: whether its value changes nothing (what is taken out of exponents), so that no
            derivative need go through it.
    """

    name: str
    indices: tuple[Index, ...]
    term: Term
    kind: str
    formula: str
    needed_by: tuple[str, ...]
    is_shift: bool = False

    def __post_init__(self) -> None:
        if self.kind not in KINDS or not self.name.isidentifier() or not self.needed_by:
            raise SymgradError(f"the plan's statement {self.name!r} is not well formed")

    @property
    def entry(self) -> Entry:
        """What it computes, as a term."""
        return Entry(self.name, self.indices)


@dataclass(frozen=True)
class Procedure:
    """Statements in order; each uses only what is read and what stands before it.

    Attributes:
        reads: names of tensors, constants, saved values and cotangents that are used, in order.
        statements: in order.
        results: for each result what it is ("x" for the gradient of x) and the name that holds it.
    """

    reads: tuple[str, ...]
    statements: tuple[Statement, ...]
    results: tuple[tuple[str, str], ...]

    def __post_init__(self) -> None:
        known = set(self.reads)
        for statement in self.statements:
            unknown = statement.term.names - known
            if unknown or statement.name in known:
                raise SymgradError(f"the plan uses {sorted(unknown)} before {statement.name}, or defines it twice")
            known.add(statement.name)
        if not {name for _, name in self.results} <= known:
            raise SymgradError("the plan returns something that it does not compute")

    def needed_for(self, names: Iterable[str]) -> list[Statement]:
        """The statements that these names need, themselves included, in order."""
        needed = set(names)
        for statement in reversed(self.statements):
            if statement.name in needed:
                needed |= statement.term.names
        return [statement for statement in self.statements if statement.name in needed]


@dataclass(frozen=True)
class KernelPlan:
    """Everything a printer needs to emit a layer's kernel.

    Attributes:
        layer: the forward pass; gives tensors, constants and axes.
        names: the Python name of everything in the layer ("y.mu" -> "mu").
        saved: what the forward pass keeps for the backward pass, as Python names, in order.
        statistics: those of `saved` that are results of reductions and no outputs.
        forward: computes outputs and what is saved.
        backward: computes the gradients from saved values and the outputs' cotangents.
        from_statistics: computes the gradients from saved values and the statistics' cotangents alone
            (from_statistics.py); None where there is none.
        ahead: sums that the forward pass adds up for the backward pass (ahead.py), with their dimensions.
        tangents: computes the outputs' and the statistics' tangents from saved values and the tensors'
            tangents; where it is there, `saved` and `forward` serve it (forward_mode.py).
        at_once: computes a scalar output and all gradients together (at_once.py).
        whole: the same plan with these sums in the backward pass, for backends that differentiate it again.
    """

    layer: Layer
    names: dict[str, str]
    saved: tuple[str, ...]
    statistics: tuple[str, ...]
    forward: Procedure
    backward: Procedure
    from_statistics: Procedure | None = None
    ahead: tuple[tuple[str, tuple[Index, ...]], ...] = ()
    tangents: Procedure | None = None
    at_once: Procedure | None = None
    whole: KernelPlan | None = None

    @property
    def tensors(self) -> list[tuple[str, tuple[Index, ...]]]:
        """The names of the tensors in code, in order, with their dimensions."""
        return [(self.names[tensor.name], tensor.indices) for tensor in self.layer.tensors]

    @property
    def constants(self) -> list[str]:
        """The names of the constants in code, in order."""
        return [self.names[constant.name] for constant in self.layer.constants]

    def indices(self, name: str) -> tuple[Index, ...]:
        """The dimensions of anything that has a Python name in this plan."""
        if name in dict(self.ahead):
            return dict(self.ahead)[name]
        for original, python in self.names.items():
            if python == name:
                found = self.layer.indices(original)
                return found if found is not None else ()
        raise SymgradError(f"the plan has no {name}")

    @property
    def full_axes(self) -> tuple[Axes, ...]:
        """The largest collections of axes that occur; what has one of them, or more, is full-size."""
        return largest_axes(self.layer)


Axes = tuple[str, ...]
"""The axes of an array, sorted; an axis that it has twice stands twice."""


def largest_axes(layer: Layer) -> tuple[Axes, ...]:
    """The axes of tensors and definitions that no other tensor or definition has all of, and more.

    Kept with the layer, which is asked for them at every statement.
    """
    kept: dict[str, tuple[Axes, ...]] = layer.__dict__
    if "_largest_axes" not in kept:
        kept["_largest_axes"] = _largest_axes(layer)
    return kept["_largest_axes"]


def _largest_axes(layer: Layer) -> tuple[Axes, ...]:
    arrays = [t.indices for t in layer.tensors] + [d.indices for d in layer.definitions]
    found = {axes_of(indices) for indices in arrays}
    return tuple(sorted(axes for axes in found if axes and not any(_within(axes, other) for other in found)))


def axes_of(indices: Iterable[Index]) -> Axes:
    """The axes of an array with these dimensions."""
    return tuple(sorted(index.axis for index in indices))


def _within(axes: Axes, other: Axes) -> bool:
    """Whether `other` has all of `axes`, and more."""
    return len(axes) < len(other) and not Counter(axes) - Counter(other)


def is_full(indices: Iterable[Index], layer: Layer) -> bool:
    """Whether an array with these dimensions is full-size: as large as the largest arrays, or larger."""
    axes = axes_of(indices)
    return axes in largest_axes(layer) or any(_within(other, axes) for other in largest_axes(layer))
