"""Places where a layer has no derivative: another choice there is a convention, not a mistake.

relu at 0, abs at 0, max among ties: symgrad takes PyTorch's choice. A kernel that takes another one
between the slopes on both sides is not wrong.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from symgrad.algebra.terms import Call, Compare, Reduce, walk
from symgrad.check.against.records import Array, Data, Outcome
from symgrad.check.against.reference import Reference
from symgrad.notation.layer import Layer

NUDGE = 1e-6
NUDGES = 24
SLACK = 1e-4


def has_kinks(layer: Layer) -> bool:
    """Whether the forward pass has cases, absolute values, or the largest of several."""
    nodes = (node for definition in layer.definitions for node in walk(definition.body))
    kinked = ("abs", "relu", "sign")
    return any(isinstance(n, (Compare, Reduce)) or (isinstance(n, Call) and n.function in kinked) for n in nodes)


def between_slopes(reference: Reference, data: Data, name: str, theirs: Array) -> bool:
    """Whether every entry of theirs lies between the gradients at points right beside this one."""
    random = np.random.default_rng(5)
    near = [np.asarray(reference.values(data)[name])]
    for _ in range(NUDGES):
        moved = {
            n: a if n in reference.layer.labels else a + NUDGE * random.choice((-1.0, 1.0), np.shape(a))
            for n, a in data.tensors.items()
        }
        near.append(np.asarray(reference.values(replace(data, tensors=moved))[name]))
    low, high = np.min(near, axis=0), np.max(near, axis=0)
    slack = SLACK * max(1.0, float(np.max(np.abs(high), initial=0.0)))
    return bool(np.all(np.isfinite(theirs)) and np.all(theirs >= low - slack) and np.all(theirs <= high + slack))


def at_kinks_only(wrong: list[Outcome]) -> bool:
    """Whether a gradient differs only where numbers were drawn to meet kinks."""
    return all(o.what.startswith("d_") and o.case.data in ("ties and zeros", "extreme numbers") for o in wrong)
