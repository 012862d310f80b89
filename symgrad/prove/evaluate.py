"""Terms at concrete sizes and values: explicit sums over explicit entries, nothing simplified.

This is a witness with foundations of its own. It uses the layer's forward definitions and the
table of primitives, and neither the derivation nor the prover's canonical form: a gradient `d_v`
is computed by forward-mode differentiation of the layer's outputs, one entry at a time, and never
through a derived formula.

What it cannot see: a wrong forward definition, a wrong derivative row of the table (the rows have
a witness of their own), and whatever happens at other sizes and values.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property

from symgrad.algebra.terms import Delta, Diff, Entry, Index, Place, Position, Pow, Reduce, Size, Sum, Term, walk
from symgrad.notation.layer import Definition, Layer
from symgrad.prove.numbers import (
    Arithmetic,
    Dual,
    Duals,
    EvaluationError,
    Exact,
    NotExact,
    Number,
    Undefined,
    extreme,
    fold,
    plus,
)

Key = tuple[int, ...]
"""Which entry of a tensor: one number, from 0, for each dimension; () for a scalar."""

DEEP = 8
"""How many definitions may wait for one another before those below are computed in order."""
GRADIENT = "d_"
"""How the name of a gradient begins."""


@dataclass(frozen=True)
class Point:
    """Where a term is evaluated.

    Attributes:
        sizes: the length of each axis, by its name.
        values: exact values, by name and key, of the declared tensors, the constants, and the
            upstream gradients of the layer's outputs ("d_y"). The upstream gradient of a scalar
            output is 1 where it is not given.
    """

    sizes: Mapping[str, int]
    values: Mapping[str, Mapping[Key, Fraction]]

    def keys(self, indices: tuple[Index, ...]) -> Iterator[Key]:
        """Every key of a tensor with these dimensions."""
        return itertools.product(*(range(self.sizes[index.axis]) for index in indices))

    def value(self, name: str, key: Key) -> Fraction:
        """One given value."""
        try:
            return self.values[name][key]
        except KeyError:
            raise EvaluationError(f"this point gives no value for {name}{list(key) if key else ''}") from None


def evaluate(term: Term, layer: Layer, point: Point, assignment: Mapping[Index, int], arithmetic: Arithmetic) -> Number:
    """The value of `term` where its free indices are as in `assignment`, counted from 0.

    - `Entry("d_v", …)` is the gradient of Σ_o Σ d_o · o by that entry of v, o over the layer's
      outputs. v is a declared tensor or a definition; a definition's entry is varied by itself,
      and what comes after it follows. For an output it is the upstream gradient.
    - `Diff(body, wrt, total=True)`: the entry `wrt` varies, and each definition that depends on it
      follows.
    - `Diff(body, wrt, total=False)`: only what stands in `body` itself varies; every definition
      but `wrt` is held. Where `body` is nothing but an entry of a definition, as in ∂y/∂μ, its
      defining equation is what varies: it is opened once.

    Raises:
        EvaluationError: no value: `Undefined` (a division by zero), `NotExact` (an irrational
            number in exact arithmetic), a name without a value, a derivative of a gradient.
    """
    return Evaluator(layer, point, arithmetic).value(term, assignment)


def gradient_of(name: str) -> str | None:
    """The name of what "d_v" is the gradient by, or None for another name."""
    return name[len(GRADIENT) :] if name.startswith(GRADIENT) else None


@dataclass
class _Walk:
    """What plain and dual evaluation share: indices, sums, deltas, definitions remembered."""

    layer: Layer
    point: Point
    arithmetic: Arithmetic
    memo: dict[tuple[str, Key], Number] = field(default_factory=dict)
    depth: int = 0

    def value(self, term: Term, at: Mapping[Index, int]) -> Number:
        """The value of a term."""
        return fold(term, self.arithmetic, lambda leaf: self.leaf(leaf, at))

    def leaf(self, term: Term, at: Mapping[Index, int]) -> Number:
        """The value of a node that indices decide."""
        match term:
            case Entry(name, indices):
                return self.entry(name, self.key(indices, at))
            case Size(axis):
                return self.arithmetic.number(Fraction(self.point.sizes[axis]))
            case Delta(left, right):
                return self.arithmetic.number(Fraction(int(self.place(left, at) == self.place(right, at))))
            case Sum(indices, body):
                return self.sum(indices, body, at)
            case Reduce():
                return self.reduce(term, at)
            case Position(index):
                return self.arithmetic.number(Fraction(self.place(index, at)))
            case Diff():
                return self.derivative(term, at)
            case _:
                raise EvaluationError(f"a {type(term).__name__} cannot be evaluated: add it to prove/evaluate.py")

    def sum(self, indices: tuple[Index, ...], body: Term, at: Mapping[Index, int]) -> Number:
        """An explicit loop."""
        total = self.arithmetic.number(Fraction(0))
        for key in self.point.keys(indices):
            total = total + self.value(body, {**at, **dict(zip(indices, key, strict=True))})
        return total

    def reduce(self, term: Reduce, at: Mapping[Index, int]) -> Number:
        """A product, a largest or a smallest value, by an explicit loop."""
        keys = self.point.keys(term.indices)
        values = [self.value(term.body, {**at, **dict(zip(term.indices, key, strict=True))}) for key in keys]
        if term.operation != "prod":
            return extreme(values, term.operation == "max", self.arithmetic)
        total = self.arithmetic.number(Fraction(1))
        for value in values:
            total = total * value
        return total

    def defined(self, definition: Definition, key: Key) -> Number:
        """An entry of a definition, from its body, once."""
        place = (definition.name, key)
        if place not in self.memo:
            if self.depth == DEEP:
                self._prepare(definition)
            self.depth += 1
            try:
                self.memo[place] = self.value(definition.body, dict(zip(definition.indices, key, strict=True)))
            finally:
                self.depth -= 1
        return self.memo[place]

    def place(self, index: Index, at: Mapping[Index, int]) -> int:
        """Which place an index is; a computed one may lie outside of its axis."""
        if isinstance(index, Place):
            value = self.whole.value(index.value, at)
            assert isinstance(value, Fraction)
            return int(value)
        if index not in at:
            raise EvaluationError(f"index {index.name} has no value here")
        return at[index]

    def key(self, indices: tuple[Index, ...], at: Mapping[Index, int]) -> Key:
        """Which entry indices name."""
        return tuple(self.place(index, at) for index in indices)

    @cached_property
    def whole(self) -> _Walk:
        """The evaluation of places, which are whole numbers in every arithmetic."""
        return Evaluator(self.layer, self.point, Exact())

    def _prepare(self, definition: Definition) -> None:
        """Compute what a definition depends on from the first one on: long chains must not nest deeply."""
        names = reachable(self.layer, definition.body.names)
        self.depth += 1
        try:
            for each in self.layer.definitions:
                if each.name in names:
                    for key in self.point.keys(each.indices):
                        with suppress(EvaluationError):  # perhaps it is not needed
                            self.entry(each.name, key)
        finally:
            self.depth -= 1

    def entry(self, name: str, key: Key) -> Number:
        """The value of an entry."""
        raise NotImplementedError

    def derivative(self, term: Diff, at: Mapping[Index, int]) -> Number:
        """The value of a derivative."""
        raise NotImplementedError


@dataclass
class Evaluator(_Walk):
    """Evaluates many terms at one point; definitions and gradients are computed once."""

    _sweeps: dict[tuple[str, Key, bool], _Sweep] = field(default_factory=dict)

    def entry(self, name: str, key: Key) -> Number:
        """A given value, a definition's, or a gradient's."""
        definition = self.layer.definition(name)
        if definition is not None:
            return self.defined(definition, key)
        varied = gradient_of(name)
        if varied is None or self.layer.indices(name) is not None:
            return self.arithmetic.number(self.point.value(name, key))
        if (name, key) not in self.memo:
            given = varied in self.layer.outputs
            self.memo[name, key] = self._upstream(name, key) if given else self._gradient(varied, key)
        return self.memo[name, key]

    def _upstream(self, name: str, key: Key) -> Number:
        """The gradient that comes in at an output."""
        if name not in self.point.values and not key:
            return self.arithmetic.number(Fraction(1))
        return self.arithmetic.number(self.point.value(name, key))

    def _gradient(self, name: str, key: Key) -> Number:
        """Σ_o Σ d_o ∂o/∂v, over every entry of every output."""
        sweep = self._sweep(name, key, total=True)
        total: Number | None = None
        for output in self.layer.outputs:
            for place in self.point.keys(self.layer.indices(output) or ()):
                tangent = sweep.entry(output, place).tangent
                if tangent is not None:
                    total = plus(total, self.entry(GRADIENT + output, place) * tangent)
        return self.arithmetic.number(Fraction(0)) if total is None else total

    def derivative(self, term: Diff, at: Mapping[Index, int]) -> Number:
        """The derivative of a body by an entry, along the dual numbers of that entry."""
        sweep = self._sweep(term.wrt.name, self.key(term.wrt.indices, at), term.total)
        body = term.body
        if not term.total and isinstance(body, Entry) and body.name != term.wrt.name:
            opened = self.layer.definition(body.name)
            if opened is not None:
                at = dict(zip(opened.indices, self.key(body.indices, at), strict=True))
                body = opened.body
        tangent = sweep.value(body, at).tangent
        return self.arithmetic.number(Fraction(0)) if tangent is None else tangent

    def _sweep(self, name: str, key: Key, total: bool) -> _Sweep:
        """The dual numbers along one entry."""
        indices = self.layer.indices(name)
        if indices is None:
            raise EvaluationError(f"a derivative by {name}, which the layer does not have")
        if (name, key, total) not in self._sweeps:
            self._sweeps[name, key, total] = _Sweep(
                self.layer, self.point, Duals(self.arithmetic), plain=self, varied=(name, key), total=total,
                following=_following(self.layer, name) if total else frozenset(),
            )  # fmt: skip
        return self._sweeps[name, key, total]


def _following(layer: Layer, name: str) -> frozenset[str]:
    """The definitions that depend on `name`."""
    found = {name}
    for definition in layer.definitions:
        if definition.name not in found and not found.isdisjoint(definition.body.names):
            found.add(definition.name)
    return frozenset(found - {name})


@dataclass
class _Sweep(_Walk):
    """Evaluation in dual numbers while one entry varies.

    Attributes:
        plain: the evaluation without duals, for everything that does not vary.
        varied: the name and key of the entry with tangent 1.
        total: whether definitions follow.
        following: the definitions that do.
    """

    plain: Evaluator = field(kw_only=True)
    varied: tuple[str, Key] = field(kw_only=True)
    total: bool = field(kw_only=True)
    following: frozenset[str] = field(kw_only=True)

    def entry(self, name: str, key: Key) -> Dual:
        """The entry with its tangent."""
        if (name, key) == self.varied:
            return Dual(self.plain.entry(name, key), self.plain.arithmetic.number(Fraction(1)))
        definition = self.layer.definition(name)
        if definition is not None and name in self.following:
            found: Dual = self.defined(definition, key)
            return found
        varied = gradient_of(name)
        if self.total and varied is not None and varied not in self.layer.outputs:
            raise EvaluationError(f"the derivative of {name}, itself a gradient, is not computed here")
        return Dual(self.plain.entry(name, key))

    def derivative(self, term: Diff, at: Mapping[Index, int]) -> Number:  # noqa: ARG002 - refused whatever it is
        """Not computed: one direction at a time."""
        raise EvaluationError("a derivative of a derivative is not computed here")


_CONSTANTS = tuple(Fraction(text) for text in ("1/4", "3/4", "5/4", "2", "5/9", "7/16", "3", "16/9"))
_WHOLE = tuple(Fraction(value) for value in range(1, 7))
_MAGNITUDES = (*_WHOLE, *(Fraction(text) for text in ("1/2", "3/2", "5/2", "1/3", "4/3")))


def random_point(
    layer: Layer,
    sizes: Mapping[str, int],
    rng: random.Random,
    fixed: Mapping[str, Fraction] | None = None,
    positive: bool = False,
    whole: bool = False,
    among: tuple[Fraction, ...] = (),
) -> Point:
    """Small random rationals for everything that a layer is given, upstream gradients included.

    Args:
        layer: whose tensors, constants and outputs get values.
        sizes: the length of each axis.
        rng: the source of randomness; the same state gives the same point.
        fixed: scalars that are not random, such as {"eps": 0, "d_L": 1}; a whole constant has its default
            where it is not among them.
        positive: make every value positive, for layers with roots and logarithms. Without it
            inputs and targets have any sign and may be 0, and parameters are not 0.
        whole: use whole numbers only (constants apart).
        among: if not empty, the only values but for upstream gradients; constants are positive, and
            parameters are not 0.
    """
    blank = Point(sizes, {})
    values = {
        name: {key: _draw(rng, role, positive, whole, among) for key in blank.keys(indices)}
        for name, indices, role in _given(layer)
        if role != "label"
    }
    for name, axis in layer.labels.items():
        keys = blank.keys(layer.indices(name) or ())
        values[name] = {key: Fraction(rng.randrange(sizes[axis])) for key in keys}
    for constant in layer.constants:
        if constant.is_whole:
            values[constant.name] = {(): constant.default}
    for name, value in (fixed or {}).items():
        values[name] = {(): Fraction(value)}
    return Point(dict(sizes), values)


def _given(layer: Layer) -> list[tuple[str, tuple[Index, ...], str]]:
    """Name, indices and role of everything that needs values."""
    tensors = [(tensor.name, tensor.indices, tensor.role) for tensor in layer.tensors]
    constants: list[tuple[str, tuple[Index, ...], str]] = [(c.name, (), "constant") for c in layer.constants]
    return tensors + constants + [(GRADIENT + name, layer.indices(name) or (), "upstream") for name in layer.outputs]


def _draw(
    rng: random.Random, role: str, positive: bool = False, whole: bool = False, among: tuple[Fraction, ...] = ()
) -> Fraction:
    """One random value."""
    if role == "constant":
        return rng.choice([value for value in among if value > 0] or _CONSTANTS)
    if among and role != "upstream":
        return rng.choice([value for value in among if value or role != "parameter"])
    value = rng.choice(_WHOLE if whole else _MAGNITUDES)
    if positive:
        return value
    if role != "parameter" and rng.random() < 0.1:
        return Fraction(0)
    return rng.choice((1, -1)) * value


def exact_point(
    layer: Layer,
    sizes: Mapping[str, int],
    rng: random.Random,
    fixed: Mapping[str, Fraction] | None = None,
    steps: int = 4000,
) -> Point | None:
    """A random point at which every root in the layer is rational, or None where none is found.

    The search takes the first root that is not rational and draws one of the numbers that it reads
    anew, until it is; then the next one. It starts again from another point now and then. There
    need not be such a point: the variance of three rationals is never the square of one but 0.
    """
    roots, kept = _roots(layer), frozenset(fixed or {})
    point = random_point(layer, sizes, rng, fixed, whole=True)
    failing = _irrational(layer, point, roots)
    for step in range(1, steps + 1):
        if failing is None:
            return point
        if step % 500 == 0:
            point = random_point(layer, sizes, rng, fixed, whole=True)
        read = _reads(layer, point, failing)
        if read is None:
            failing = _irrational(layer, point, roots)
        else:
            point = _change_one(layer, point, rng, [place for place in read if place[0] not in kept])
    return None


Spot = tuple[Term, dict[Index, int]]
"""A term and the values of its free indices."""


def _roots(layer: Layer) -> list[Term]:
    """The roots in the definitions."""
    nodes = (node for definition in layer.definitions for node in walk(definition.body))
    return [node for node in nodes if isinstance(node, Pow) and node.exponent.denominator != 1]


def _irrational(layer: Layer, point: Point, roots: list[Term]) -> Spot | None:
    """The first root without a rational value; functions count as rational."""
    evaluator = Evaluator(layer, point, Exact(surrogate=True))
    for root in roots:
        indices = tuple(sorted(root.free))
        for key in point.keys(indices):
            at = dict(zip(indices, key, strict=True))
            try:
                evaluator.value(root, at)
            except (NotExact, Undefined):
                return root, at
    return None


def _reads(layer: Layer, point: Point, root: Spot) -> list[tuple[str, Key]] | None:
    """The given values that a root reads, or None where it is rational."""
    reader = _Reader(layer, point, Exact(surrogate=True))
    try:
        reader.value(*root)
    except (NotExact, Undefined):
        return list(reader.read)
    return None


def _change_one(layer: Layer, point: Point, rng: random.Random, places: list[tuple[str, Key]]) -> Point:
    """The point with one of these values drawn anew.

    Constants stay where there is anything else, because every other root reads them too.
    """
    roles = {name: role for name, _, role in _given(layer)}
    places = [(name, key) for name, key in places if name not in layer.labels]
    choices = [(name, key) for name, key in places if roles[name] != "constant"] or places
    if not choices:
        return point
    name, key = rng.choice(choices)
    drawn = {**point.values[name], key: _draw(rng, roles[name], whole=True)}
    return Point(point.sizes, {**point.values, name: drawn})


@dataclass
class _Reader(Evaluator):
    """Notes which given values are read, in order."""

    read: dict[tuple[str, Key], None] = field(default_factory=dict)

    def entry(self, name: str, key: Key) -> Number:
        """The entry's value, noted where the point gives it."""
        if self.layer.definition(name) is None:
            self.read[name, key] = None
        return super().entry(name, key)


def reachable(layer: Layer, names: Iterable[str]) -> frozenset[str]:
    """All names on which `names` depend, themselves included; a gradient depends on the outputs."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        definition, varied = layer.definition(name), gradient_of(name)
        if definition is not None:
            waiting.extend(definition.body.names)
        elif varied is not None and varied not in layer.outputs:
            waiting.extend(layer.outputs)
            waiting.extend(GRADIENT + output for output in layer.outputs)
    return frozenset(found)
