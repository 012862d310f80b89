"""Forward mode in a plan: the tangents of the outputs, and of what is kept, from those of the tensors.

What is kept are results of reductions, as for the backward pass; but which of them are needed is another
question here: a tangent reads other values than a gradient does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from symgrad.algebra.binding import instantiate
from symgrad.errors import UnsupportedError
from symgrad.notation.layer import Layer
from symgrad.plan.build import Builder
from symgrad.plan.planner import BY_COST, forward_procedure, kept_definitions
from symgrad.plan.records import Adjoint, Equal, KernelPlan, Procedure
from symgrad.plan.saving import Saving
from symgrad.plan.verdict import Body, Verdict

DOT = "dot_"
"""`dot_x` is the tangent of x."""


def with_tangents(
    plan: KernelPlan, tangents: Sequence[Adjoint], check_equal: Equal, saving: Saving = BY_COST
) -> KernelPlan:
    """The plan for forward mode: `forward` and `saved` serve the procedure `tangents` instead of `backward`.

    Args:
        plan: the plan of the layer's gradients.
        tangents: the tangents of all definitions that move, in order, each with its body over the layer's
            names, `dot_<tensor>` and earlier tangents.
        check_equal: the prover; what it does not prove is not planned.
        saving: what is to be kept, or computed again.

    Raises:
        UnsupportedError: a name of the layer is what a tangent would be called.
        PlanError: a tangent, composed back from the plan, is not proved equal to its equation.
    """
    layer, names = plan.layer, plan.names
    clash = _clashing_name(layer)
    if clash:
        what = f"{clash} is also the name of the tangent of {clash.removeprefix(DOT)}"
        raise UnsupportedError(f"in layer {layer.name} {what}, which forward mode needs: rename one of the two.")
    verdict = Verdict(layer, check_equal, {})
    bodies = _at_declared_letters(layer, tangents)
    kept = [d.name for d in kept_definitions(layer, saving)]
    saved: list[str] = []
    while True:  # the tangent of what is kept may need more of it
        procedure = _procedure(layer, bodies, kept, [*layer.outputs, *saved], verdict)
        read = [name for name in kept if names[name] in procedure.reads]
        if read == saved:
            break
        saved = read
    statistics = tuple(names[name] for name in saved)
    return replace(
        plan, forward=forward_procedure(layer, names, statistics, verdict), statistics=statistics,
        saved=tuple(python for python in names.values() if python in procedure.reads), tangents=procedure,
    )  # fmt: skip


def _clashing_name(layer: Layer) -> str:
    """A name of the layer that is also that of a tangent; empty where there is none."""
    moving = {*(tensor.name for tensor in layer.tensors), *(definition.name for definition in layer.definitions)}
    every = [*moving, *(constant.name for constant in layer.constants)]
    return next((name for name in sorted(every) if name.startswith(DOT) and name.removeprefix(DOT) in moving), "")


def _procedure(
    layer: Layer, bodies: Mapping[str, Body], kept: Sequence[str], wanted: Sequence[str], verdict: Verdict
) -> Procedure:
    """The tangents of what is wanted; what does not move has none."""
    given = [*kept, *layer.outputs]
    recomputed = {d.name: (d.indices, d.body) for d in layer.definitions if d.name not in given}
    read = [*(t.name for t in layer.tensors), *(c.name for c in layer.constants), *given]
    moving = [f"{DOT}{tensor.name}" for tensor in layer.differentiable]
    results = [(name, f"{DOT}{name}") for name in wanted if f"{DOT}{name}" in bodies]
    return Builder(layer, {**recomputed, **bodies}, [*read, *moving], verdict.knowing(bodies)).build(results)


def _at_declared_letters(layer: Layer, tangents: Sequence[Adjoint]) -> dict[str, Body]:
    """The tangents with the letters of what they belong to, so that equal terms look equal."""
    found: dict[str, Body] = {}
    for tangent in tangents:
        indices = layer.entry(tangent.name.removeprefix(DOT)).indices
        found[tangent.name] = (indices, instantiate(tangent.body, tangent.indices, indices))
    return found
