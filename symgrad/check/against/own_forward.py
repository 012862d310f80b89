"""Whether a kernel's gradients belong to its own, wrong forward pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from symgrad.check.against.explain import AGREES
from symgrad.check.against.forms import derived_bodies
from symgrad.check.against.records import Data, Explanation, Run
from symgrad.check.against.reference import flat, term_arrays
from symgrad.errors import SymgradError
from symgrad.notation.layer import Layer
from symgrad.prove.study import Study, study


def judge_own_forward(
    layer: Layer, found: Explanation, differing: Sequence[str], runs: Sequence[tuple[Data, Run]]
) -> str:
    """In words, whether the gradients are those of the layer with the mistake in its forward pass.

    Args:
        layer: the layer as it should be.
        found: the mistake in one of its definitions.
        differing: the tensors whose gradients are not the layer's.
        runs: their numbers in plain cases.
    """
    if not differing:
        return "the gradients are right: only the forward pass is wrong"
    definitions = tuple(replace(d, body=found.wrong) if d.name == found.entry.name else d for d in layer.definitions)
    try:
        other = study(replace(layer, definitions=definitions))
        wrong = [f"d_{name}" for name in differing if not _agrees(other, name, runs)]
    except SymgradError:
        return ""
    if wrong:
        return f"not the gradient of their own forward pass either: {', '.join(wrong)}"
    return f"right for their own forward pass: {', '.join(f'd_{name}' for name in differing)}"


def _agrees(other: Study, name: str, runs: Sequence[tuple[Data, Run]]) -> bool:
    """Whether theirs are the other layer's gradients in every case where no axis is 1."""
    bodies = derived_bodies(other)
    for data, run in runs:
        if any(n == 1 for inner in data.case.lengths.values() for n in inner):
            continue
        arrays = term_arrays(other.layer, data)
        for gradient, indices, body in bodies:
            arrays.define(gradient, indices, body)
        expected = arrays.values[f"d_{name}"]
        theirs = flat(run.gradients[name], other.layer.entry(name).indices, data.case.lengths)
        scale = float(np.max(np.abs(expected), initial=0.0)) or 1.0
        if not float(np.max(np.abs(theirs - expected), initial=0.0)) <= AGREES * scale:
            return False
    return True
