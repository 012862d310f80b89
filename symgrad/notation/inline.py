"""A layer used by another: its definitions, with the caller's names and dimensions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from itertools import count

from symgrad.algebra.binding import fresh_letter
from symgrad.algebra.terms import (
    Binder,
    Delta,
    Entry,
    Index,
    Num,
    Place,
    Position,
    Size,
    Term,
    delta,
    mul,
    place_at,
    product_of_sizes,
    walk,
)
from symgrad.errors import InputError, Origin, TooLargeError
from symgrad.notation.layer import Definition, Fit, Layer, Tensor
from symgrad.notation.letters import Letters
from symgrad.notation.numbers import no_value

Dimensions = dict[str, tuple[Index, ...]]
"""For each axis of the called layer, the caller's indices that stand for it."""


@dataclass(frozen=True)
class Argument:
    """What the caller hands over: an entry with its dimensions, or an exact number."""

    value: Entry | Fraction
    indices: tuple[Index, ...]
    origin: Origin


@dataclass(frozen=True)
class Inlined:
    """What a use of a layer brings in.

    Attributes:
        definitions: the layer's, with the caller's names.
        fits: its shifted entries.
        lengths: for each letter with a declared length, that length, in the caller's constants.
        into: for each label of the layer the letter of the dimension that it has to point into.
    """

    definitions: list[Definition]
    fits: list[Fit]
    lengths: dict[str, Term]
    into: dict[str, str]


def inline(
    layer: Layer, results: list[str], arguments: dict[str, Argument], letters: Letters, origin: Origin
) -> Inlined:
    """The called layer's definitions as definitions of the caller.

    Outputs take the names `results`; every other definition `mu` becomes `y.mu`.
    """
    dimensions = _match_dimensions(layer, arguments, letters, results[0])
    names = dict(zip(layer.outputs, results, strict=True))
    translation = _Translation(arguments, names, results[0], dimensions, letters)
    try:
        found = [translation.definition(definition) for definition in layer.definitions]
    except TooLargeError as error:
        raise InputError(f"in {layer.name}, with these arguments: {error}.", origin, _SMALLER) from None
    for definition in found:
        reason = next(filter(None, map(no_value, walk(definition.body))), "")
        if reason:
            raise InputError(f"in {layer.name}, with these arguments: {reason}", origin, _SMALLER)
    lengths = {
        translation.dimensions[axis.name][0].name: translation.term(axis.length, {}, set())
        for axis in layer.axes
        if axis.length is not None
    }
    into = {tensor.name: translation.dimensions[tensor.into][0].name for tensor in layer.tensors if tensor.into}
    return Inlined(found, [translation.fit(fit) for fit in layer.fits], lengths, into)


_SMALLER = "Hand over other numbers."


def _match_dimensions(layer: Layer, arguments: dict[str, Argument], letters: Letters, result: str) -> Dimensions:
    """Which of the caller's indices stand for each axis of the layer."""
    found: Dimensions = {}
    for tensor in layer.tensors:
        argument = arguments[tensor.name]
        given = _align(layer, tensor, argument)
        for index, actual in zip(tensor.indices, given, strict=True):
            known = found.setdefault(index.axis, actual)
            if len(known) != len(actual):
                raise InputError(
                    f"{layer.name} takes {_declared(layer, tensor)}, and {index.name}... stands for "
                    f"{len(known)} dimensions by its other arguments, for {len(actual)} here.",
                    argument.origin,
                    f"In this order: {layer.name}({', '.join(layer.order)}).",
                )
            for old, new in zip(known, actual, strict=True):
                letters.join(new.name, old.name, argument.origin, f"{layer.name}'s {tensor.name}")
    for axis in layer.axes:
        if axis.name not in found:
            found[axis.name] = (_new_letter(f"{result}_{axis.name}", letters),)
    return found


def _new_letter(name: str, letters: Letters) -> Index:
    """A letter of the caller for a dimension that no argument has: one whose length is declared or fits."""
    names = (f"{name}{number}" if number else name for number in count())
    letter = next(each for each in names if each not in letters.parents)
    letters.find(letter)
    return letters.index(letter)


def _declared(layer: Layer, tensor: Tensor) -> str:
    """x[s, c, k...], or a scalar's bare name."""
    indices = ", ".join(i.name + ("..." if layer.axis(i.axis).variadic else "") for i in tensor.indices)
    return f"{tensor.name}[{indices}]" if indices else f"{tensor.name}, a scalar"


def _align(layer: Layer, tensor: Tensor, argument: Argument) -> list[tuple[Index, ...]]:
    """The argument's indices for each formal index; a variadic one takes what the others leave."""
    formal, given = tensor.indices, argument.indices
    variadic = [place for place, index in enumerate(formal) if layer.axis(index.axis).variadic]
    fits = len(given) >= len(formal) - 1 if variadic else len(given) == len(formal)
    if not fits:
        count = f"{len(given)} dimension{'' if len(given) == 1 else 's'}"
        this = "this is a number" if isinstance(argument.value, Fraction) else f"this has {count}"
        raise InputError(
            f"{layer.name} takes {_declared(layer, tensor)}, and {this}.",
            argument.origin,
            f"In this order: {layer.name}({', '.join(layer.order)}).",
        )
    if not variadic:
        return [(index,) for index in given]
    place, after = variadic[0], len(formal) - variadic[0] - 1
    middle = given[place : len(given) - after]
    return [*((i,) for i in given[:place]), middle, *((i,) for i in given[len(given) - after :])]


@dataclass
class _Translation:
    """Renames everything in a called layer to what it is in the caller."""

    arguments: dict[str, Argument]
    names: dict[str, str]
    prefix: str
    dimensions: Dimensions
    letters: Letters

    def definition(self, definition: Definition) -> Definition:
        """The caller's form of a definition."""
        free = self.indices(definition.indices, {})
        taken = {index.name for index in self.flat(free.values())}
        body = self.term(definition.body, free, taken)
        return Definition(
            self.name(definition.name), tuple(self.flat(free[i] for i in definition.indices)), body, definition.text
        )

    def name(self, name: str) -> str:
        """A definition's name in the caller."""
        return self.names.get(name, f"{self.prefix}.{name}")

    @staticmethod
    def flat(groups: Iterable[tuple[Index, ...]]) -> list[Index]:
        """All indices of the groups, in order."""
        return [index for group in groups for index in group]

    def indices(self, formal: Iterable[Index], known: dict[Index, tuple[Index, ...]]) -> dict[Index, tuple[Index, ...]]:
        """The caller's letters for some of the layer's; letters in `known` are taken."""
        found: dict[Index, tuple[Index, ...]] = {}
        taken = {index.name for index in self.flat(known.values())}
        for index in formal:
            group = []
            for actual in self.dimensions[index.axis]:
                letter = fresh_letter(actual, taken)
                if letter != actual:
                    letter = fresh_letter(actual, taken.union(self.letters.parents))
                    self.letters.parents[letter.name] = self.letters.find(actual.name)
                taken.add(letter.name)
                group.append(letter)
            found[index] = tuple(group)
        return found

    def single(self, group: tuple[Index, ...]) -> Index:
        """The one index that stands for another; a comparison of places needs one."""
        if len(group) == 1:
            return group[0]
        raise InputError(
            f"{self.prefix}: a layer that compares places of an index needs one dimension for it, not {len(group)}."
        )

    def place(self, index: Index, scope: dict[Index, tuple[Index, ...]], taken: set[str]) -> tuple[Index, ...]:
        """What an index of an entry has become."""
        if not isinstance(index, Place):
            return scope[index]
        axis = self.single(self.dimensions[index.axis]).axis
        return (place_at(axis, self.term(index.value, scope, taken), index.inside),)

    def fit(self, fit: Fit) -> Fit:
        """The caller's form of a shifted entry."""
        scope = {index: self.dimensions[index.axis] for index in fit.value.free}
        padding = None if fit.padding is None else self.term(fit.padding, {}, set())
        return Fit(self.single(self.dimensions[fit.axis]).axis, self.term(fit.value, scope, set()), padding)

    def term(self, term: Term, scope: dict[Index, tuple[Index, ...]], taken: set[str]) -> Term:
        """The caller's form of a term; `scope` says what each index in it has become."""
        match term:
            case Entry(name, indices):
                actual = tuple(self.flat(self.place(index, scope, taken) for index in indices))
                if name not in self.arguments:
                    return Entry(self.name(name), actual)
                value = self.arguments[name].value
                return Num(value) if isinstance(value, Fraction) else Entry(value.name, actual)
            case Size(axis):
                return product_of_sizes(index.axis for index in self.dimensions[axis])
            case Delta(left, Place() as right):
                ((other,),) = (self.place(right, scope, taken),)
                return delta(self.single(scope[left]), other)
            case Delta(left, right):
                return mul(*(delta(a, b) for a, b in zip(scope[left], scope[right], strict=True)))
            case Position(index):
                return Position(self.single(scope[index]))
            case Binder(indices=indices, body=body):
                bound = self.indices(indices, {i: scope[i] for i in scope if i in term.free})
                inner = {**scope, **bound}
                return term.rebind(tuple(self.flat(bound[i] for i in indices)), self.term(body, inner, taken))
            case _:
                return term.rebuild(tuple(self.term(child, scope, taken) for child in term.children))
