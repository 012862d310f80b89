"""Computed places: shifted entries x[b, i + j], labels x[b, t[b]], zeros around an array: pad(x[b, i + j], 1)."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING

from symgrad.algebra.terms import (
    ZERO,
    Add,
    Delta,
    Entry,
    Index,
    Num,
    Position,
    Term,
    add,
    compare,
    delta,
    mul,
    negative,
    place_at,
    product_of_sizes,
    rename_axes,
    walk,
)
from symgrad.notation.layer import Fit
from symgrad.notation.shifts import Part, affine, letters_of, lies_outside, opened, without

if TYPE_CHECKING:
    from symgrad.notation.expression import Reader

SHIFTS = "A place is made of letters, whole numbers, size[k], whole constants and labels: x[b, 2*i + j - 1]."
PAD = "Write pad(x[b, i + j], 1): x with one zero at each end of its dimension."
_LARGEST = 10_000


@dataclass
class Places:
    """What a file says of places while it is read.

    Attributes:
        labels: for each label the letter of the dimension that it points into.
        constants: the defaults of constants, which say whether they are whole.
        whole: the constants that stand in places, or are lengths.
        fits: the shifted entries, in order.
        closed: whether only fits that are known may stand in entries (in claims).
    """

    labels: dict[str, str] = field(default_factory=dict)
    constants: dict[str, Fraction] = field(default_factory=dict)
    whole: set[str] = field(default_factory=set)
    fits: list[Fit] = field(default_factory=list)
    closed: bool = False


def read_place(reader: Reader, node: ast.expr, declared: Index, padding: Term | None = None) -> Index:
    """The place that an expression in an entry's brackets says, on the dimension of `declared`."""
    letters, places = reader.scope.letters, reader.scope.places
    value = _value(reader, node)
    axis = letters.find(declared.name)
    if isinstance(value, Entry) and value.name in places.labels:
        if letters.find(places.labels[value.name]) != axis:
            letter = places.labels[value.name]
            reader.fail(node, f"{value.name} points into the dimension {letter}.", f"Here stands {declared.name}.")
        return place_at(axis, value)
    if any(isinstance(atom, Entry) and atom.name in places.labels for atom in walk(value)):
        reader.fail(node, "a label stands alone in its place.", "Write x[t[b]]; shifted labels are not supported.")
    fit = Fit(axis, value, padding)
    if padding is not None:
        outside = place_at(axis, add(value, negative(padding)), inside=False)
        if not places.closed:
            places.fits.append(fit)
        return outside
    if lies_outside(axis, value):
        hint = f"Places count from 0; the last one is size[{declared.name}] - 1. In pad(…) there are zeros outside."
        reader.fail(node, "this place lies outside of the dimension.", hint)
    if places.closed and not is_inside(reader, axis, value):
        reader.fail(node, "this place may lie outside.", "Write pad(x[b, i + j]), which is 0 there.")
    if not places.closed:
        places.fits.append(fit)
    return place_at(axis, value)


def is_inside(reader: Reader, axis: str, value: Term) -> bool:
    """Whether a shifted entry of the layer says that such a place lies on the axis."""
    found = _pattern(value, reader)
    letters = reader.scope.letters
    fits = (fit for fit in reader.scope.places.fits if fit.padding is None)
    return any(letters.find(fit.axis) == letters.find(axis) and _pattern(fit.value, reader) == found for fit in fits)


def _pattern(value: Term, reader: Reader) -> list[Part]:
    """A place with the axes of its letters instead of the letters; equal parts stand in it as often as in the place."""
    letters = reader.scope.letters
    resolved = rename_axes(value, {letter: letters.find(letter) for letter in letters.parents})
    parts = (
        (tuple(Position(Index("", f.index.axis)) if isinstance(f, Position) else f for f in factors), number)
        for factors, number in affine(resolved)
    )
    return sorted(parts, key=repr)


def is_place(reader: Reader, node: ast.expr) -> bool:
    """Whether an expression in a condition is a place: a letter, a label, or these shifted."""
    match node:
        case ast.Name(name):
            return reader.is_letter(name) or name in reader.scope.places.labels
        case ast.Subscript(ast.Name(name)):
            return name in reader.scope.places.labels
        case ast.BinOp(left, ast.Add() | ast.Sub() | ast.Mult(), right):
            one, other = is_place(reader, left), is_place(reader, right)
            return (one or other) and all(
                given or is_whole(reader, side) for given, side in ((one, left), (other, right))
            )
        case ast.UnaryOp(ast.USub(), inner):
            return is_place(reader, inner)
    return False


def is_whole(reader: Reader, node: ast.expr) -> bool:
    """Whether an expression is a whole number, a whole constant or a length."""
    match node:
        case ast.Constant(value):
            return isinstance(value, int) and not isinstance(value, bool)
        case ast.Name(name):
            return reader.scope.places.constants.get(name, Fraction(1, 2)).denominator == 1
        case ast.Subscript(ast.Name("size")):
            return True
        case ast.BinOp(left, ast.Add() | ast.Sub() | ast.Mult(), right):
            return is_whole(reader, left) and is_whole(reader, right)
    return False


def read_value(reader: Reader, node: ast.expr) -> Term:
    """A place in a condition, as a number."""
    return _value(reader, node)


def _value(reader: Reader, node: ast.expr) -> Term:
    """The number that a place is."""
    reader.enter(node)
    found = _read(reader, node)
    reader.depth -= 1
    return found


def _read(reader: Reader, node: ast.expr) -> Term:
    match node:
        case ast.Name(name) if reader.is_letter(name) and name not in reader.scope.places.labels:
            (letter, place), *_ = reader.index_letters(node)
            reader.note(letter, place)
            reader.scope.letters.find(letter)
            return Position(reader.scope.letters.index(letter))
        case ast.Name(name):
            return _whole_constant(reader, node, name)
        case ast.Constant():
            number = reader.number(node)
            if not isinstance(number, Num) or number.value.denominator != 1 or abs(number.value) > _LARGEST:
                reader.fail(node, f"a place is a whole number of at most {_LARGEST}.", SHIFTS)
            return number
        case ast.Subscript(value, inner):
            return _label_or_size(reader, node, value, inner)
        case ast.UnaryOp(ast.USub(), inner):
            return negative(_value(reader, inner))
        case ast.BinOp(left, ast.Add() | ast.Sub() | ast.Mult() as operator, right):
            one, other = _value(reader, left), _value(reader, right)
            if isinstance(operator, ast.Mult):
                return _product(reader, node, one, other)
            return add(one, negative(other) if isinstance(operator, ast.Sub) else other)
        case _:
            return reader.fail(node, "this is no place in a dimension.", SHIFTS)


def _product(reader: Reader, node: ast.expr, one: Term, other: Term) -> Term:
    """A number times a place; a bracket is multiplied out."""
    if all(any(isinstance(atom, Position) for atom in walk(side)) for side in (one, other)):
        reader.fail(node, "two index letters are multiplied here.", SHIFTS)
    sides = [side.terms if isinstance(side, Add) else (side,) for side in (one, other)]
    return add(*(mul(a, b) for a in sides[0] for b in sides[1]))


def _whole_constant(reader: Reader, node: ast.Name, name: str) -> Term:
    places = reader.scope.places
    if name in places.labels:
        return reader.label(node, name, ())
    if name not in places.constants:
        reader.fail(node, f"{name} is no whole number.", SHIFTS)
    if places.constants[name].denominator != 1:
        reader.fail(node, f"{name} stands in a place, and its default is no whole number.", "Write stride = 1, say.")
    places.whole.add(name)
    return Entry(name)


def _label_or_size(reader: Reader, node: ast.Subscript, value: ast.expr, inner: ast.expr) -> Term:
    name = reader.dotted(value)
    if name == "size":
        return product_of_sizes(reader.known_index(a, place).axis for a, place in reader.index_letters(inner))
    if name not in reader.scope.places.labels:
        problem = f"{name} is no label, and only labels point into a dimension."
        reader.fail(node, problem, "Declare it after what it points into: label t[b] in v.")
    return reader.label(node, name, reader.index_letters(inner))


def padded(reader: Reader, node: ast.Call) -> Term:
    """pad(x[b, i + j], 1): the entry of x with zeros around it."""
    if not 1 <= len(node.args) <= 2 or not isinstance(node.args[0], ast.Subscript):
        reader.fail(node, "pad takes a shifted entry and how many zeros stand at each end.", PAD)
    padding = _value(reader, node.args[1]) if len(node.args) == 2 else ZERO
    if any(isinstance(atom, Position) for atom in walk(padding)) or _is_negative(padding):
        reader.fail(node.args[1], "the number of zeros is a whole number or a whole constant.", PAD)
    entry = reader.shifted_entry(node.args[0], padding)
    if entry.is_plain:
        reader.fail(node.args[0], "no index is shifted here, so that nothing lies outside.", PAD)
    return opened(entry, lambda left, right: equal_places(reader, left, right))


def _is_negative(term: Term) -> bool:
    return isinstance(term, Num) and term.value < 0


def equal_places(reader: Reader, left: Term, right: Term) -> Term:
    """[n = i + j]: a delta where one side is, or can be made, a letter that the other side determines."""
    if isinstance(left, Position) and isinstance(right, Position):
        return compare("==", left, right)
    difference = add(left, negative(right)) if not isinstance(right, Add) else add(left, *map(negative, right.terms))
    options = [(part.index, number) for part, number in letters_of(difference) if abs(number) == 1]
    for letter, number in options:
        rest = without(difference, letter, number)
        if is_inside(reader, letter.axis, rest):
            return Delta(letter, place_at(letter.axis, rest))
    for one, other in ((left, right), (right, left)):
        if isinstance(one, Position) and one.index not in other.free:
            points = isinstance(other, Entry) and _points_into(reader, other.name, one.index.axis)
            return delta(one.index, place_at(one.index.axis, other, inside=points))
    return compare("==", left, right)


def _points_into(reader: Reader, name: str, axis: str) -> bool:
    """Whether a name is that of a label whose values lie on this axis."""
    letter, letters = reader.scope.places.labels.get(name), reader.scope.letters
    return letter is not None and letters.find(letter) == letters.find(axis)
