"""Random numbers that rule out wrong guesses, so that the prover is asked about the right ones only.

A guess that agrees in these numbers may still be wrong: nothing is ever accepted here.
"""

from __future__ import annotations

import random
import zlib
from dataclasses import dataclass, field

from symgrad.algebra.terms import Index, Term
from symgrad.errors import SymgradError
from symgrad.notation.layer import Layer
from symgrad.prove.evaluate import Evaluator, Point, random_point
from symgrad.prove.floats import Floats
from symgrad.prove.numbers import Number
from symgrad.prove.sizes import fitted

TOLERANCE = 1e-7
FAILURES = (SymgradError, ArithmeticError, RecursionError, TypeError, ValueError, KeyError)
"""Terms without a value here; nothing is known of them then."""
Key = tuple[int, ...]


class _Values(Evaluator):
    """Definitions are computed; every other name, gradients included, is random."""

    def entry(self, name: str, key: Key) -> Number:
        """The value of an entry."""
        definition = self.layer.definition(name)
        if definition is not None:
            return self.defined(definition, key)
        if name in self.point.values:
            return self.arithmetic.number(self.point.value(name, key))
        if (name, key) not in self.memo:
            seed = zlib.crc32(repr((name, key)).encode())
            self.memo[name, key] = random.Random(seed).uniform(0.4, 1.6)
        return self.memo[name, key]


@dataclass
class Guess:
    """Compares terms about a layer in random numbers."""

    _values: _Values | None = field(default=None)

    def differ(self, layer: Layer, left: Term, right: Term) -> bool:
        """Whether the terms certainly differ; False where that is not known."""
        values = self._evaluator(layer)
        at = {index: place % 2 for place, index in enumerate(sorted(left.free | right.free))}
        try:
            a, b = float(values.value(left, at)), float(values.value(right, at))
        except FAILURES:
            return False
        return not abs(a - b) <= TOLERANCE * max(1.0, abs(a), abs(b))

    def _evaluator(self, layer: Layer) -> _Values:
        """The evaluator, with all definitions computed in order, so that none is evaluated deep inside another."""
        if self._values is None or self._values.layer is not layer:
            sizes = fitted(layer, {axis.name: 2 + place % 2 for place, axis in enumerate(layer.axes)})
            drawn = random_point(layer, sizes, random.Random(0)).values
            whole = [*layer.labels, *(constant.name for constant in layer.constants if constant.is_whole)]
            self._values = _Values(layer, Point(sizes, {name: drawn[name] for name in whole}), Floats())
            for definition in layer.definitions:
                self._compute(self._values, definition.name, definition.indices)
        return self._values

    def _compute(self, values: _Values, name: str, indices: tuple[Index, ...]) -> None:
        for key in values.point.keys(indices):
            try:
                values.entry(name, key)
            except FAILURES:
                return
