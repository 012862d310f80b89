"""Every recorded step, evaluated before and after on random numbers.

A witness for the engine: it sees a rule that changes a value. It evaluates derivatives by running
the forward pass in dual numbers, so it does not use the calculus; what it cannot see is a wrong
derivative row of the table of primitives, which dual numbers share, and a wrong forward pass.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from symgrad.algebra.terms import Index
from symgrad.check.kernels import sizes_of, telling_point
from symgrad.check.records import Check
from symgrad.derive.records import Derivation, Step
from symgrad.prove.evaluate import Evaluator
from symgrad.prove.floats import Floats
from symgrad.prove.numbers import EvaluationError
from symgrad.prove.sizes import fitted
from symgrad.prove.study import Study

LENGTHS = (1, 2, 3, 7)
LIMIT = 1e-9


def check_steps(study: Study, lengths: tuple[int, ...] = LENGTHS) -> Iterator[Check]:
    """The worst relative difference of each derivation's steps, for each length of the last axis."""
    layer = study.merge.layer
    for length in lengths:
        sizes = sizes_of(layer)
        if layer.axes:
            sizes = fitted(layer, {**sizes, layer.axes[-1].name: length})
        point = telling_point(layer, sizes, length, positive=True)
        evaluator = Evaluator(layer, point, Floats())
        worst = 0.0
        for derivation in all_derivations(study):
            for step in derivation.steps:
                error = step_error(step, evaluator, sizes)
                if error is not None:
                    worst = max(worst, error)
        where = ", ".join(f"N_{name} = {n}" for name, n in sizes.items())
        yield Check("before = after", "recorded steps", "evaluation in dual numbers", where, worst, LIMIT)


def all_derivations(study: Study) -> Iterator[Derivation]:
    """Every derivation of a study: both routes, forms, and all lemmas."""
    for found in study.found:
        chains = [found.paths.derivation, *found.forms]
        if found.jacobian is not None:
            chains.append(found.jacobian.derivation)
        for chain in chains:
            yield from _with_lemmas(chain)


def _with_lemmas(derivation: Derivation) -> Iterator[Derivation]:
    for lemma in derivation.lemmas:
        yield from _with_lemmas(lemma)
    yield derivation


def step_error(step: Step, evaluator: Evaluator, sizes: Mapping[str, int]) -> float | None:
    """The relative difference of both sides at one place; None where the step has no value there.

    Where one side only overflows or is no number, the difference is infinite.
    """
    at = _places(sorted(step.before.free | step.after.free), step, sizes)
    if at is None:
        return None
    try:
        before, after = (float(evaluator.value(side, at)) for side in (step.before, step.after))
    except EvaluationError:
        return None
    finite = math.isfinite(before), math.isfinite(after)
    if not any(finite):
        return None
    return abs(before - after) / max(1.0, abs(before)) if all(finite) else math.inf


def _places(indices: list[Index], step: Step, sizes: Mapping[str, int]) -> dict[Index, int] | None:
    """A place for each free index; indices that are to differ get different ones, where they can."""
    at = {index: place % sizes[index.axis] for place, index in enumerate(indices)}
    for pair in step.distinct:
        first, second = sorted(pair)
        if sizes[first.axis] < 2:
            return None
        if first in at and second in at and at[first] == at[second]:
            at[second] = (at[first] + 1) % sizes[second.axis]
    return at
