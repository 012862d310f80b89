"""A loss and its gradients in one procedure: both are computed while what they have in common is in cache.

Where a layer's only output is a scalar L, the gradients are known in the forward pass up to the factor d_L. So a
backend can write them there, which saves the backward pass's reading of all arrays and what it would compute again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from symgrad.plan.build import Builder
from symgrad.plan.planner import BY_COST, at_declared_letters
from symgrad.plan.records import Adjoint, Equal, KernelPlan
from symgrad.plan.saving import Saving
from symgrad.plan.verdict import Verdict


def with_gradients(
    plan: KernelPlan, adjoints: Sequence[Adjoint], check_equal: Equal, saving: Saving = BY_COST
) -> KernelPlan:
    """The plan with a procedure for a loss and its gradients together; others stay as they are.

    Args:
        plan: of a layer.
        adjoints: the backward pass from the outputs' cotangents, as for the plan.
        check_equal: the prover; what it does not prove is not planned.
        saving: gradients of inputs (`d_x`) that are not to be kept from the forward pass on: there is none then.
    """
    layer = plan.layer
    wanted = saving.of(layer, plan.names)
    if not layer.scalar_output or not layer.differentiable or not wanted.keeps_gradients(layer):
        return plan
    declared = at_declared_letters(layer, adjoints)
    equations = {d.name: (d.indices, d.body) for d in layer.definitions} | declared
    given = [*(t.name for t in layer.tensors), *(c.name for c in layer.constants), f"d_{layer.outputs[0]}"]
    results = [(plan.names[name], name) for name in layer.outputs]
    results += [(tensor.name, f"d_{tensor.name}") for tensor in layer.differentiable]
    verdict = Verdict(layer, check_equal, {}).knowing(declared)
    found = Builder(layer, equations, given, verdict).build(results)
    computed = {statement.name for statement in found.statements}
    return replace(plan, at_once=found) if {name for _, name in found.results} <= computed else plan
