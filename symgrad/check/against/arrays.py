"""Terms as NumPy arrays: every index a dimension, every sum a sum; nothing is simplified.

A derived formula, or one with a mistake in it, is evaluated at a whole array at once. It shares no
code with the printers of kernels and none with the prover.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from symgrad.algebra.binding import rename
from symgrad.algebra.terms import (
    ZERO,
    Add,
    Binder,
    Call,
    Compare,
    Delta,
    Entry,
    Index,
    Mul,
    Num,
    Place,
    Position,
    Pow,
    Reduce,
    Size,
    Sum,
    Term,
    Where,
    compare,
    mul,
    place_at,
    position,
    where,
)
from symgrad.notation.layer import Layer
from symgrad.primitives import POWER
from symgrad.prove.floats import Floats
from symgrad.prove.numbers import EvaluationError

Array = Any
Scope = tuple[Index, ...]


class TermArrays:
    """Evaluates terms about a layer at one point.

    Args:
        layer: whose names the terms use; its definitions are evaluated from the tensors.
        sizes: the length of each axis; a variadic axis is one dimension here.
        values: arrays of the tensors, constants and upstream gradients ("d_y"), a dimension for each index.
        rounding: what happens to each definition's values before they are used; nothing by default.
    """

    def __init__(
        self,
        layer: Layer,
        sizes: Mapping[str, int],
        values: Mapping[str, Array],
        rounding: Callable[[Array], Array] | None = None,
    ) -> None:
        self.rounding = rounding
        self.sizes, self.values = sizes, {name: np.asarray(value, dtype=np.float64) for name, value in values.items()}
        for definition in layer.definitions:
            self.define(definition.name, definition.indices, definition.body)

    def define(self, name: str, indices: Scope, body: Term) -> None:
        """Let `name` stand for the values of a term."""
        values = self.whole(body, indices)
        self.values[name] = values if self.rounding is None else self.rounding(values)

    def whole(self, term: Term, indices: Scope) -> Array:
        """The values of a term, as an array with a dimension for each of `indices`."""
        with np.errstate(all="ignore"):
            shape = tuple(self.sizes[index.axis] for index in indices)
            return np.broadcast_to(self.value(term, indices), shape).copy()

    def value(self, term: Term, scope: Scope) -> Array:
        """The values of a term, a dimension (of length 1 where it does not vary) for each index in scope."""
        match term:
            case Num(value):
                return np.full((1,) * len(scope), float(value))
            case Size(axis):
                return np.full((1,) * len(scope), float(self.sizes[axis]))
            case Entry(name, indices):
                return self._entry(name, indices, scope)
            case Position(index):
                return self._places(index, scope).astype(float)
            case Delta(left, right):
                return (self._places(left, scope) == self._places(right, scope)).astype(float)
            case Add(terms):
                return sum(self.value(part, scope) for part in terms)
            case Mul(factors):
                return self._product(factors, scope)
            case Pow(base, exponent):
                return _power(self.value(base, scope), exponent.numerator, exponent.denominator)
            case Call(function, arguments):
                return _call(function, [self.value(argument, scope) for argument in arguments], len(scope))
            case Compare(relation, left, right):
                return _RELATIONS[relation](self.value(left, scope), self.value(right, scope)).astype(float)
            case Where(condition, then, otherwise):
                sides = self.value(then, scope), self.value(otherwise, scope)
                return np.where(self.value(condition, scope) != 0, *sides)
            case Sum() | Reduce():
                return self._reduction(term, scope)
            case _:
                raise EvaluationError(f"a {type(term).__name__} has no array: add it to check/against/arrays.py")

    def _places(self, index: Index, scope: Scope) -> Array:
        """0, 1, … along the dimension of an index; the last one of a letter hides those before it.

        A computed place is what its letters make of it, also outside of its axis.
        """
        if isinstance(index, Place):
            return np.rint(self.value(index.value, scope)).astype(int)
        place = len(scope) - 1 - scope[::-1].index(index)
        shape = [1] * len(scope)
        shape[place] = self.sizes[index.axis]
        return np.arange(self.sizes[index.axis]).reshape(shape)

    def _entry(self, name: str, indices: Scope, scope: Scope) -> Array:
        if name not in self.values:
            raise EvaluationError(f"{name} has no value here")
        array = self.values[name]
        if not indices:
            return array.reshape((1,) * len(scope))
        places = tuple(self._places(index, scope) for index in indices)
        if any(np.any(at < 0) for at, index in zip(places, indices, strict=True) if isinstance(index, Place)):
            raise IndexError(f"a place of {name} lies before its first one")
        return array[places]

    def _product(self, factors: tuple[Term, ...], scope: Scope) -> Array:
        """The product; where a factor of places alone is 0, so is the product, whatever the others are."""
        total: Array = np.ones((1,) * len(scope))
        zero: Array = np.zeros((1,) * len(scope), dtype=bool)
        for factor in factors:
            value = self.value(factor, scope)
            if not factor.names or isinstance(factor, Delta):
                zero = zero | (value == 0)
            total = total * value
        return np.where(zero, 0.0, total) if zero.any() else total

    def _reduction(self, term: Binder, scope: Scope) -> Array:
        picked = _picked(term) if isinstance(term, Sum) else None
        if picked is not None:
            return self.value(picked, scope)
        inner = (*scope, *term.indices)
        value = self.value(term.body, inner)
        lengths = tuple(self.sizes[index.axis] for index in term.indices)
        value = np.broadcast_to(value, (*value.shape[: len(scope)], *lengths))
        axes = tuple(range(len(scope), len(inner)))
        return _REDUCE[term.operation if isinstance(term, Reduce) else "sum"](value, axis=axes)


def _picked(term: Sum) -> Term | None:
    """A sum with a factor [h = p] over h without that sum: what stands at p, or 0 where p lies outside.

    None where there is no such factor. All values of h for all values of p's letters would fill the memory.
    """
    for factor in _factors(term.body):
        if isinstance(factor, Delta) and isinstance(factor.right, Place) and factor.left in term.indices:
            letter, at = factor.left, factor.right
            left = tuple(index for index in term.indices if index != letter)
            if letter in at.free or len(left) + 1 < len(term.indices):
                continue
            value = position(at)
            inside = mul(compare("<=", ZERO, value), compare("<", value, Size(at.axis)))
            rest = mul(*(f for f in _factors(term.body) if f is not factor))
            moved = rename(rest, {letter: place_at(at.axis, where(inside, value, ZERO))})
            chosen = where(inside, moved, ZERO)
            return Sum(left, chosen) if left else chosen
    return None


def _factors(term: Term) -> tuple[Term, ...]:
    return term.factors if isinstance(term, Mul) else (term,)


_REDUCE: dict[str, Any] = {"sum": np.sum, "max": np.max, "min": np.min, "prod": np.prod}
_RELATIONS: dict[str, Any] = {"<": np.less, "<=": np.less_equal, "==": np.equal, "!=": np.not_equal}


def _power(base: Array, top: int, bottom: int) -> Array:
    """Base ** (top / bottom); NaN where there is no real value."""
    if bottom == 2:
        return np.sqrt(base) ** float(top)
    return base ** (float(top) / bottom)


_FAST = ("exp", "log", "log1p", "expm1", "tanh", "sinh", "cosh", "sin", "cos", "tan", "abs", "sign")


def _call(function: str, arguments: list[Array], rank: int) -> Array:
    """A scalar function at every entry, by NumPy or by Python's own library; NaN outside of its domain."""
    if function == POWER:
        return np.power(*arguments)
    argument = arguments[0] if arguments else np.zeros((1,) * rank)
    if function in _FAST:
        return getattr(np, function)(argument)
    return np.vectorize(lambda value: _one(function, float(value)), otypes=[float])(argument)


def _one(function: str, value: float) -> float:
    try:
        return float(Floats().call(function, value))
    except (EvaluationError, AttributeError):
        return float("nan")
