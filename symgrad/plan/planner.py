"""`make_plan`: from proved gradients to what a kernel computes, keeps and returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from symgrad.algebra.binding import instantiate
from symgrad.notation.layer import Definition, Layer
from symgrad.plan.build import Builder
from symgrad.plan.names import python_names
from symgrad.plan.records import Adjoint, Equal, KernelPlan, Procedure
from symgrad.plan.saving import Saving
from symgrad.plan.verdict import Body, Verdict

BY_COST = Saving()


def make_plan(
    layer: Layer,
    adjoints: Sequence[Adjoint],
    check_equal: Equal,
    saving: Saving = BY_COST,
) -> KernelPlan:
    """The plan of a layer's kernel.

    Args:
        layer: the forward pass.
        adjoints: the backward pass from the outputs' cotangents, in order, each with its body
            over the layer's names, `d_<output>` and earlier adjoints; one for each input.
        check_equal: the prover; what it does not prove is not planned.
        saving: what is to be saved for the backward pass, or computed again.

    Raises:
        InputError: a name in `saving` is not one of the layer's definitions.
        PlanError: a gradient, composed back from the plan, is not proved equal to its adjoint.
    """
    names = _names(layer)
    saving = saving.of(layer, names)
    verdict = Verdict(layer, check_equal, {})
    backward = _backward(layer, adjoints, verdict, saving)
    statistics = kept_definitions(layer, saving)
    saved = _saved(layer, names, backward)
    return KernelPlan(
        layer, names, saved, tuple(names[d.name] for d in statistics if names[d.name] in saved),
        forward_procedure(layer, names, saved, verdict), backward,
    )  # fmt: skip


def kept_definitions(layer: Layer, saving: Saving) -> list[Definition]:
    """The definitions, beside outputs, that may be saved: what is a reduction, or costs more than memory."""
    chosen = saving.of(layer, _names(layer))
    return [d for d in layer.definitions if d.name not in layer.outputs and chosen.keeps(d, layer)]


def _names(layer: Layer) -> dict[str, str]:
    """The names in Python of everything in a layer."""
    groups = (layer.tensors, layer.constants, layer.definitions)
    return python_names([each.name for group in groups for each in group])


def _backward(layer: Layer, adjoints: Sequence[Adjoint], verdict: Verdict, saving: Saving) -> Procedure:
    """The gradients of all inputs from the cotangents of the outputs."""
    declared = at_declared_letters(layer, adjoints)
    definitions = {d.name: (d.indices, d.body) for d in layer.definitions}
    kept = [d.name for d in layer.definitions if saving.keeps(d, layer)]
    given = [
        *(t.name for t in layer.tensors),
        *(c.name for c in layer.constants),
        *kept,
        *(f"d_{o}" for o in layer.outputs),
    ]
    recomputed = {name: body for name, body in definitions.items() if name not in kept}
    results = [(t.name, f"d_{t.name}") for t in layer.differentiable if f"d_{t.name}" in declared]
    return Builder(layer, {**recomputed, **declared}, given, verdict.knowing(declared)).build(results)


def at_declared_letters(layer: Layer, adjoints: Sequence[Adjoint]) -> dict[str, Body]:
    """The adjoints with the letters of what they belong to, so that equal terms look equal."""
    found: dict[str, Body] = {}
    for adjoint in adjoints:
        indices = layer.entry(adjoint.name.removeprefix("d_")).indices
        found[adjoint.name] = (indices, instantiate(adjoint.body, adjoint.indices, indices))
    return found


def _saved(layer: Layer, names: Mapping[str, str], backward: Procedure) -> tuple[str, ...]:
    """What the backward pass reads of tensors, constants and definitions, in order.

    A tensor is kept as well where nothing else tells the lengths of an axis.
    """
    read = set(backward.reads)
    seen = {i.axis for name, python in names.items() if python in read for i in layer.entry(name).indices}
    seen |= {index.axis for name in layer.outputs for index in layer.entry(name).indices}
    read.update(names[constant.name] for constant in layer.constants if constant.is_whole)  # they tell lengths
    for tensor in layer.tensors:
        if not {index.axis for index in tensor.indices} <= seen:
            read.add(names[tensor.name])
            seen |= {index.axis for index in tensor.indices}
    return tuple(name for name in names.values() if name in read)


def forward_procedure(layer: Layer, names: Mapping[str, str], saved: Sequence[str], verdict: Verdict) -> Procedure:
    """The outputs, and the definitions among what is saved (Python names)."""
    definitions = {d.name: (d.indices, d.body) for d in layer.definitions}
    given = [*(t.name for t in layer.tensors), *(c.name for c in layer.constants)]
    wanted = [d.name for d in layer.definitions if d.name not in layer.outputs and names[d.name] in saved]
    results = [(names[name], name) for name in (*wanted, *layer.outputs)]
    return Builder(layer, definitions, given, verdict.knowing({})).build(results)
