"""Which statistics are means, and of which array: what is left of an array without its mean adds up to 0."""

from __future__ import annotations

from symgrad.algebra.terms import Entry
from symgrad.plan.formula import mean_of
from symgrad.plan.records import KernelPlan
from symgrad.render.kernels.layout import Frame


def averaged(plan: KernelPlan, array: Entry, statistic: Entry) -> Frame | None:
    """The letters of `array` over which `statistic` is its mean; None where it is something else."""
    definition = next((d for d in plan.layer.definitions if plan.names[d.name] == statistic.name), None)
    found = mean_of(definition.body) if definition is not None else None
    if definition is None or found is None or found[1] or not isinstance(found[0].body, Entry):
        return None
    total, entry = found[0], found[0].body
    if plan.names.get(entry.name) != array.name:
        return None
    here = dict(zip(definition.indices, statistic.indices, strict=True))
    pairs = list(zip(entry.indices, array.indices, strict=True))
    bound = tuple(at for letter, at in pairs if letter in total.indices)
    same = all(at == here.get(letter) for letter, at in pairs if letter not in total.indices)
    return bound if same and len(set(bound)) == len(total.indices) and not set(bound) & statistic.free else None
