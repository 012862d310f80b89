"""What the names of a layer hold, in every language whose arrays have dtypes."""

from __future__ import annotations

from symgrad.plan.records import KernelPlan, is_full
from symgrad.render.kernels.small import LABEL, OWN, PYTHON, WIDE


def kinds_of(plan: KernelPlan) -> dict[str, str]:
    """What the names of the layer hold."""
    layer, kinds = plan.layer, {}
    for tensor in layer.tensors:
        kinds[plan.names[tensor.name]] = LABEL if tensor.role == "label" else OWN
    for constant in layer.constants:
        kinds[plan.names[constant.name]] = PYTHON
    for definition in layer.definitions:
        name = plan.names[definition.name]
        kinds[name] = OWN if is_full(definition.indices, layer) else WIDE
    return kinds
