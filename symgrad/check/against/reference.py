"""What the derived gradients are in a case, and how far off a right kernel may be there.

The values come from symgrad's own emitted NumPy kernel in float64: its formulas were proved equal
to the derivatives, and are safe from overflow. The limit is what rounding explains:

    limit = K (u M + D)      u: rounding of one number in the dtype; K: as many as may pile up
                             M: the size of the terms that the formula adds up
                             D: how far the derived value moves when every given number, and every
                                line of the forward and backward pass, moves by u

A kernel within that limit is a right formula, computed with the care that its inputs allow; D is
large where the problem itself is ill-conditioned, so that nobody is blamed for it. In float32 a
kernel may also be four times as far off as symgrad's own kernel of that dtype. In float64 nine
digits are enough: people type constants with ten.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import ModuleType

import numpy as np

from symgrad.algebra.terms import Add, Call, Mul, Sum, Term, add, mul, sum_over
from symgrad.check.against.arrays import Scope, TermArrays
from symgrad.check.against.records import ROUNDING, Array, Arrays, Data
from symgrad.check.samples import Lengths
from symgrad.notation.layer import Layer
from symgrad.prove.numbers import EvaluationError

PILE = {"float64": 64.0, "float32": 64.0, "float16": 16.0, "bfloat16": 16.0}
"""K, by dtype: torch's functions round after every operation in half precision, and sum in float32."""
OWN = 4.0
TYPED = 1e-9
"""float64 results this close, relatively, count as the same formula."""
NEGLIGIBLE = 2.0**-8
"""A difference this much smaller than the rounding of the upstream gradient is no fault."""
MOVES, SLOW_MOVES = 4, 2
Body = tuple[str, Scope, Term]
"""A gradient's name, its indices and the term that it equals."""


@dataclass(frozen=True)
class Expected:
    """The derived values of a case.

    Attributes:
        values: of outputs ("y") and gradients ("d_x"), in float64.
        limits: for each the largest absolute difference that rounding explains.
        own: for each the error of symgrad's own kernel in the case's dtype; empty where it has none.
    """

    values: Arrays
    limits: Mapping[str, float]
    own: Mapping[str, float]


class Reference:
    """The derived values of a layer's cases.

    Args:
        layer: the layer.
        module: its emitted NumPy kernel.
        bodies: the gradients in the order of computation, for the size of their terms.
    """

    def __init__(self, layer: Layer, module: ModuleType, bodies: tuple[Body, ...]) -> None:
        self.layer, self.module, self.bodies = layer, module, bodies

    def expected(self, data: Data) -> Expected:
        """The derived values of a case, and the limits."""
        with np.errstate(all="ignore"):
            return self._expected(data)

    def _expected(self, data: Data) -> Expected:
        exact = self._kernel(data.tensors, data.cotangents, data.constants, "float64")
        unit, pile = ROUNDING[data.case.dtype], PILE[data.case.dtype]
        moved = self._movement(data, exact, unit)
        terms = self._terms(data, exact)
        incoming = max(_largest(array) for array in data.cotangents.values())
        own = self._own(data, exact)
        limits = {}
        for name, value in exact.items():
            size = max(_largest(value), terms.get(name, 0.0))
            limit = pile * (unit * size + moved[name])
            limit = max(limit, TYPED * size) if data.case.dtype == "float64" else max(limit, OWN * own.get(name, 0.0))
            limits[name] = max(limit, NEGLIGIBLE * unit * incoming)
        return Expected(exact, limits, own)

    def values(self, data: Data) -> Arrays:
        """The derived values alone."""
        return self._kernel(data.tensors, data.cotangents, data.constants, "float64")

    def _kernel(self, tensors: Arrays, cotangents: Arrays, constants: Mapping[str, float], dtype: str) -> Arrays:
        """Outputs and gradients of the emitted kernel."""
        with np.errstate(all="ignore"):
            given = [in_dtype(tensors[t.name], dtype) for t in self.layer.tensors]
            outputs, saved = self.module.forward(*given, **constants)
            outputs = outputs if len(self.layer.outputs) > 1 else (outputs,)
            gradients = self.module.backward(
                saved, *(np.asarray(cotangents[n]).astype(dtype) for n in self.layer.outputs)
            )
        found = dict(zip(self.layer.outputs, outputs, strict=True))
        found |= {f"d_{t.name}": getattr(gradients, t.name) for t in self.layer.differentiable}
        return {name: np.asarray(value, dtype=np.float64) for name, value in found.items()}

    def _movement(self, data: Data, exact: Arrays, unit: float) -> dict[str, float]:
        """How far each result moves when every given number moves by `unit` of itself, up or down."""
        random = np.random.default_rng([data.case.seed, 11])
        worst = dict.fromkeys(exact, 0.0)
        for move in range(MOVES):
            tensors = {n: _moved(a, random, unit) for n, a in data.tensors.items()}
            cotangents = {n: _moved(a, random, unit) for n, a in data.cotangents.items()}
            found = self._kernel(tensors, cotangents, data.constants, "float64")
            for name, value in found.items():
                worst[name] = max(worst[name], _largest(value - exact[name]))
            if move < SLOW_MOVES:
                for name, moved in self._rounded(replace(data, tensors=tensors, cotangents=cotangents), random, unit):
                    worst[name] = max(worst[name], moved)
        return worst

    def _rounded(self, data: Data, random: np.random.Generator, unit: float) -> Iterator[tuple[str, float]]:
        """How far each result moves when every line of the forward and backward pass is rounded too.

        Where a layer subtracts a number from itself (the mean of one), only this shows that the
        difference is 0 but for rounding.
        """
        exact = term_arrays(self.layer, data)
        moved = term_arrays(self.layer, data, lambda values: _moved(values, random, unit))
        try:
            for name, indices, body in self.bodies:
                exact.define(name, indices, body)
                moved.define(name, indices, body)
        except EvaluationError:
            return
        names = [*self.layer.outputs, *(f"d_{tensor.name}" for tensor in self.layer.differentiable)]
        for name in names:
            if name in moved.values:
                yield name, _largest(moved.values[name] - exact.values[name])

    def _own(self, data: Data, exact: Arrays) -> dict[str, float]:
        """The errors of symgrad's own kernel in float32."""
        if data.case.dtype != "float32":
            return {}
        found = self._kernel(data.tensors, data.cotangents, data.constants, "float32")
        return {name: _largest(value - exact[name]) for name, value in found.items()}

    def _terms(self, data: Data, exact: Arrays) -> dict[str, float]:
        """The size of what each gradient's formula adds up: it may be far larger than the gradient.

        Outputs are the kernel's, because their equations as written may overflow.
        """
        arrays = term_arrays(self.layer, data)
        for name in self.layer.outputs:
            arrays.values[name] = flat(exact[name], self.layer.entry(name).indices, data.case.lengths)
        found = {}
        for name, indices, body in self.bodies:
            try:
                found[name] = _largest(arrays.whole(_sizes_of_terms(body), indices))
                arrays.define(name, indices, body)
            except EvaluationError:
                break
        return {name: size for name, size in found.items() if math.isfinite(size)}


def term_arrays(layer: Layer, data: Data, rounding: Callable[[Array], Array] | None = None) -> TermArrays:
    """A case's numbers for terms, variadic axes as one dimension."""
    values = {t.name: flat(data.tensors[t.name], t.indices, data.case.lengths) for t in layer.tensors}
    values |= {
        f"d_{name}": flat(array, layer.entry(name).indices, data.case.lengths)
        for name, array in data.cotangents.items()
    }
    values |= {name: np.asarray(value) for name, value in data.constants.items()}
    return TermArrays(layer, {axis: math.prod(inner) for axis, inner in data.case.lengths.items()}, values, rounding)


def flat(array: Array, indices: Scope, lengths: Lengths) -> Array:
    """An array with one dimension for each index."""
    return np.asarray(array).reshape(tuple(math.prod(lengths[index.axis]) for index in indices))


def _sizes_of_terms(term: Term) -> Term:
    """The term with absolute values around what it adds up, as far as gradients are in it."""
    match term:
        case Add(terms) if any(name.startswith("d_") for name in term.names):
            return add(*(_sizes_of_terms(part) for part in terms))
        case Mul(factors):
            return mul(*(_sizes_of_terms(factor) for factor in factors))
        case Sum(indices, body):
            return sum_over(indices, _sizes_of_terms(body))
        case _:
            return Call("abs", (term,))


def in_dtype(array: Array, dtype: str) -> Array:
    """The array in a dtype; labels stay whole numbers."""
    array = np.asarray(array)
    return array if array.dtype.kind == "i" else array.astype(dtype)


def _moved(array: Array, random: np.random.Generator, unit: float) -> Array:
    """The array with every number moved; labels stay."""
    if np.asarray(array).dtype.kind == "i":
        return array
    return array * (1 + unit * random.choice((-1.0, 1.0), array.shape))


def _largest(array: Array) -> float:
    """The largest finite absolute value."""
    finite = np.abs(array[np.isfinite(array)]) if np.ndim(array) else np.abs(array)
    return float(np.max(finite, initial=0.0)) if np.all(np.isfinite(finite)) else 0.0
