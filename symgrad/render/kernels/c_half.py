"""Which arrays may hold bfloat16 or float16: the largest, of which a kernel's time is made.

The loops read them from memory and write them there in that type; what is computed with is float, and everything
smaller (parameters, statistics, losses) stays float or double.
"""

from __future__ import annotations

from symgrad.plan.records import FULL, KernelPlan, is_full
from symgrad.render.kernels.layout import Frame


def elements(plan: KernelPlan) -> frozenset[str]:
    """The names of full-size inputs, outputs, gradients of outputs, and results of the backward pass."""

    def is_large(indices: Frame) -> bool:
        return bool(indices) and is_full(indices, plan.layer)

    given = {plan.names[t.name] for t in plan.layer.tensors if t.role != "label" and is_large(t.indices)}
    statements = (*plan.forward.statements, *plan.backward.statements)
    made = {s.name for s in statements if s.kind == FULL and is_large(s.indices)}
    outputs = {plan.names[name] for name in plan.layer.outputs} & (given | made)
    results = {name for _, name in plan.backward.results} & made
    return frozenset(given | outputs | {f"d_{name}" for name in outputs} | results)
