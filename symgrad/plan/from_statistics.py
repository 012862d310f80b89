"""The gradients from the statistics' cotangents, which only derivatives of the backward pass bring in.

All statistics are outputs of the layer here, so that one procedure serves them together: what several of them
reach the inputs through is computed once, and its length grows with the layer and not with its square.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from symgrad.algebra.terms import ZERO
from symgrad.plan.build import Builder, with_names
from symgrad.plan.records import Adjoint, Equal, KernelPlan
from symgrad.plan.verdict import Verdict


def statistics_of(plan: KernelPlan) -> tuple[str, ...]:
    """The names in the layer of what a plan saves beside its outputs."""
    return tuple(name for name, python in plan.names.items() if python in plan.statistics)


def with_statistics(plan: KernelPlan, adjoints: Sequence[Adjoint], check_equal: Equal) -> KernelPlan:
    """The plan with the procedure `from_statistics`, for backends whose backward pass is differentiated again.

    It reads no definition that the plan does not save: one that only this procedure read would need a
    cotangent of its own.

    Args:
        plan: the plan of the layer's gradients.
        adjoints: the gradients where the cotangents of `statistics_of(plan)` come in, and no others; in order,
            each with the letters of what it belongs to, and its body over the layer's names, `d_<statistic>`
            and earlier adjoints. `d_u.u_total` is what reaches the statistic u from others, with `d_u`.
        check_equal: the prover; what it does not prove is not planned.

    Raises:
        PlanError: a gradient, composed back from the plan, is not proved equal to its adjoint.
    """
    layer, statistics = plan.layer, statistics_of(plan)
    totals = {f"d_{name}.{name}_total": f"{name}.d_{plan.names[name]}_total" for name in statistics}
    declared = {
        totals.get(adjoint.name, adjoint.name): (adjoint.indices, with_names(adjoint.body, totals))
        for adjoint in adjoints
    }
    kept = [d.name for d in layer.definitions if plan.names[d.name] in (*plan.saved, *plan.statistics)]
    given = [*(t.name for t in layer.tensors), *(c.name for c in layer.constants), *kept]
    recomputed = {d.name: (d.indices, d.body) for d in layer.definitions if d.name not in kept}
    results = [
        (tensor.name, f"d_{tensor.name}")
        for tensor in layer.differentiable
        if declared.get(f"d_{tensor.name}", ((), ZERO))[1] != ZERO
    ]
    verdict = Verdict(layer, check_equal, {}).knowing(declared)
    builder = Builder(layer, {**recomputed, **declared}, [*given, *(f"d_{name}" for name in statistics)], verdict)
    procedure = builder.build(results) if results else None
    read = {*plan.saved, *(procedure.reads if procedure else ())}
    return replace(plan, from_statistics=procedure, saved=tuple(n for n in plan.names.values() if n in read))
