"""The values that a person's own names have at a counterexample."""

from __future__ import annotations

from symgrad.notation.layer import Layer
from symgrad.notation.own import OwnName
from symgrad.prove.counterexample import Counterexample
from symgrad.prove.evaluate import Evaluator, Point
from symgrad.prove.numbers import EvaluationError, Exact, NotExact, Number, Real, Undefined

SHOWN_DIGITS = 12
MOST_SHOWN = 24
"""Only the first entries are computed; a gradient in a formula makes each one costly."""


def values_of(own: OwnName, layer: Layer, found: Counterexample) -> list[str]:
    """The first entries of an own name, in the order of its dimensions; "–" where it has no value."""
    point = Point(found.sizes, found.values)
    for evaluator in (Evaluator(layer, point, Exact()), Evaluator(layer, point, Real())):
        try:
            return [
                _value(evaluator, own, key) for _, key in zip(range(MOST_SHOWN), point.keys(own.indices), strict=False)
            ]
        except NotExact:
            continue
        except EvaluationError:
            break
    return []


def _value(evaluator: Evaluator, own: OwnName, key: tuple[int, ...]) -> str:
    """One entry, exact or in decimals."""
    try:
        value = evaluator.value(own.body, dict(zip(own.indices, key, strict=True)))
    except Undefined:
        return "–"
    return _text(value)


def _text(value: Number) -> str:
    return str(value.context.nstr(value, SHOWN_DIGITS)) if hasattr(value, "context") else str(value)
