"""The terms of the index calculus: a closed set of nodes, immutable and ordered as written.

symgrad keeps terms of its own instead of SymPy's because two things matter here that SymPy
does not keep: bound indices (`Sum.diff` and `Sum.subs` capture them) and the order in which a
person wrote a formula (`x - mu`, never `-mu + x`), which every printed step preserves.

The smart constructors `add`, `mul`, `power`, `sum_over` do only what is always right and what a
reader would not count as a step: they flatten, drop neutral elements and fold numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from symgrad.errors import TooLargeError

MAX_POWER_BITS = 4096
"""Numbers are folded only up to this many bits, so that `9**9**9` costs nothing."""


@dataclass(frozen=True)
class Index:
    """A letter that runs over an axis: `i` in x[c, i]."""

    name: str
    axis: str

    @property
    def free(self) -> frozenset[Index]:
        """The letters in it: itself."""
        return frozenset((self,))

    def __lt__(self, other: Index) -> bool:
        return (self.name, self.axis) < (other.name, other.axis)


class Term:
    """Base of all nodes. Terms are values: equal when written the same, bound letters included."""

    @property
    def children(self) -> tuple[Term, ...]:
        """The terms directly below this one."""
        return ()

    def rebuild(self, children: tuple[Term, ...]) -> Term:
        """The same node over other children, through its smart constructor."""
        return self

    @cached_property
    def free(self) -> frozenset[Index]:
        """The free indices."""
        return frozenset().union(*(child.free for child in self.children))

    @cached_property
    def names(self) -> frozenset[str]:
        """The names of all tensors and constants below."""
        return frozenset().union(*(child.names for child in self.children))

    @cached_property
    def binds(self) -> bool:
        """Whether there is a sum in the term, whose letters are bound."""
        return any(child.binds for child in self.children)

    @cached_property
    def of_indices(self) -> bool:
        """Whether it is made of indices and numbers only; labels in places count as indices."""
        return all(child.of_indices for child in self.children)

    @cached_property
    def letters(self) -> frozenset[str]:
        """Every index letter below, free or bound."""
        own = frozenset(index.name for index in self.free)
        return own.union(*(child.letters for child in self.children))


def _hash_once(cls: type) -> type:
    """Cache a node's hash: terms are deep, and are looked up in dictionaries all the time."""
    compute = cls.__hash__

    def __hash__(self: Term) -> int:
        found = self.__dict__.get("_hash")
        if found is None:
            found = compute(self)  # type: ignore[call-arg]
            object.__setattr__(self, "_hash", found)
        return int(found)

    cls.__hash__ = __hash__  # type: ignore[method-assign,assignment]
    return cls


@_hash_once
@dataclass(frozen=True)
class Num(Term):
    """An exact rational number."""

    value: Fraction


@_hash_once
@dataclass(frozen=True)
class Size(Term):
    """The length of an axis, at least 1: N_c."""

    axis: str


@_hash_once
@dataclass(frozen=True)
class Entry(Term):
    """An entry of a tensor, x[c, i]; a constant or scalar has no indices. An index may be a `Place`."""

    name: str
    indices: tuple[Index, ...] = ()

    @cached_property
    def free(self) -> frozenset[Index]:
        return frozenset().union(*(index.free for index in self.indices))

    @cached_property
    def names(self) -> frozenset[str]:
        return frozenset((self.name,)).union(*(at.value.names for at in self.indices if isinstance(at, Place)))

    @cached_property
    def of_indices(self) -> bool:
        return False

    @cached_property
    def is_plain(self) -> bool:
        """Whether every index is a letter."""
        return not any(isinstance(index, Place) for index in self.indices)


@_hash_once
@dataclass(frozen=True)
class Add(Term):
    """A sum of terms, in the order written. Make it with `add`."""

    terms: tuple[Term, ...]

    @property
    def children(self) -> tuple[Term, ...]:
        return self.terms

    def rebuild(self, children: tuple[Term, ...]) -> Term:
        return add(*children)


@_hash_once
@dataclass(frozen=True)
class Mul(Term):
    """A product of factors, in the order written. Make it with `mul`."""

    factors: tuple[Term, ...]

    @property
    def children(self) -> tuple[Term, ...]:
        return self.factors

    def rebuild(self, children: tuple[Term, ...]) -> Term:
        return mul(*children)


@_hash_once
@dataclass(frozen=True)
class Pow(Term):
    """A rational power: 1/v is v^-1, sqrt(v) is v^(1/2). Make it with `power`."""

    base: Term
    exponent: Fraction

    @property
    def children(self) -> tuple[Term, ...]:
        return (self.base,)

    def rebuild(self, children: tuple[Term, ...]) -> Term:
        return power(children[0], self.exponent)


@_hash_once
@dataclass(frozen=True)
class Call(Term):
    """A scalar function from the table of primitives, applied: exp(y)."""

    function: str
    arguments: tuple[Term, ...]

    @property
    def children(self) -> tuple[Term, ...]:
        return self.arguments

    def rebuild(self, children: tuple[Term, ...]) -> Term:
        return Call(self.function, children)


class Binder(Term):
    """Base of the nodes that bind indices in a body: sums and other reductions."""

    indices: tuple[Index, ...]
    body: Term

    @property
    def children(self) -> tuple[Term, ...]:
        return (self.body,)

    def rebuild(self, children: tuple[Term, ...]) -> Term:
        return self.rebind(self.indices, children[0])

    def rebind(self, indices: tuple[Index, ...], body: Term) -> Term:
        """The same reduction with other letters and another body."""
        raise NotImplementedError

    @cached_property
    def free(self) -> frozenset[Index]:
        return self.body.free.difference(self.indices)

    @cached_property
    def binds(self) -> bool:
        return True

    @cached_property
    def letters(self) -> frozenset[str]:
        return self.body.letters.union(index.name for index in self.indices)


@_hash_once
@dataclass(frozen=True)
class Sum(Binder):
    """A sum over whole axes; `indices` are bound in `body`. Make it with `sum_over`."""

    indices: tuple[Index, ...]
    body: Term

    def rebind(self, indices: tuple[Index, ...], body: Term) -> Term:
        return sum_over(indices, body)


@_hash_once
@dataclass(frozen=True)
class Reduce(Binder):
    """Another reduction over whole axes: "max", "min" or "prod"."""

    operation: str
    indices: tuple[Index, ...]
    body: Term

    def rebind(self, indices: tuple[Index, ...], body: Term) -> Term:
        return Reduce(self.operation, indices, body) if indices else body


@_hash_once
@dataclass(frozen=True)
class Position(Term):
    """The place of an index, counted from 0, as a number; stands in comparisons only."""

    index: Index

    @cached_property
    def free(self) -> frozenset[Index]:
        return frozenset((self.index,))


@_hash_once
@dataclass(frozen=True)
class Compare(Term):
    """1 where the relation ("<", "<=", "==" or "!=") holds, else 0. Make it with `compare`."""

    relation: str
    left: Term
    right: Term

    @property
    def children(self) -> tuple[Term, ...]:
        return (self.left, self.right)

    def rebuild(self, children: tuple[Term, ...]) -> Term:
        return compare(self.relation, *children)


@_hash_once
@dataclass(frozen=True)
class Where(Term):
    """`then` where the condition is 1, `otherwise` where it is 0. Make it with `where`."""

    condition: Term
    then: Term
    otherwise: Term

    @property
    def children(self) -> tuple[Term, ...]:
        return (self.condition, self.then, self.otherwise)

    def rebuild(self, children: tuple[Term, ...]) -> Term:
        return where(*children)


@_hash_once
@dataclass(frozen=True, init=False)
class Place(Index):
    """A place on an axis that is computed: i + j in x[b, i + j], the label t[b] in x[b, t[b]].

    Attributes:
        value: a whole number, counted from 0: positions, labels, constants and sizes, added and multiplied.
        inside: whether it lies on the axis for all values of its letters, by declaration. One that may lie
            outside stands in deltas only, which are 0 there.
    """

    value: Term
    inside: bool = True

    def __init__(self, axis: str, value: Term, inside: bool = True) -> None:
        object.__setattr__(self, "name", place_text(value))
        object.__setattr__(self, "axis", axis)
        object.__setattr__(self, "value", value)
        object.__setattr__(self, "inside", inside)

    @property
    def free(self) -> frozenset[Index]:
        """The letters in it."""
        return self.value.free


def place_at(axis: str, value: Term, inside: bool = True) -> Index:
    """The place with this value; a letter of the axis itself stays a letter."""
    if isinstance(value, Position) and value.index.axis == axis:
        return value.index
    return Place(axis, value, inside)


def position(index: Index) -> Term:
    """The place of an index as a number."""
    return index.value if isinstance(index, Place) else Position(index)


def place_text(value: Term) -> str:
    """A place in the notation: "2*i + j - padding"."""
    parts = value.terms if isinstance(value, Add) else (value,)
    text = ""
    for part in parts:
        factors = part.factors if isinstance(part, Mul) else (part,)
        minus = isinstance(factors[0], Num) and factors[0].value < 0
        size = mul(MINUS_ONE, part) if minus else part
        text += (" - " if minus else " + ") if text else ("-" if minus else "")
        text += "*".join(map(_place_factor, size.factors if isinstance(size, Mul) else (size,)))
    return text


def _place_factor(term: Term) -> str:
    match term:
        case Position(index):
            return index.name
        case Size(axis):
            return f"size[{axis}]"
        case Entry(name, indices):
            return f"{name}[{', '.join(index.name for index in indices)}]" if indices else name
        case Num(value):
            return str(value)
        case Add():
            return f"({place_text(term)})"
        case _:
            return repr(term)


@_hash_once
@dataclass(frozen=True)
class Delta(Term):
    """Kronecker's delta: 1 where both indices are equal, else 0. Make it with `delta`.

    The right one may be a `Place`, the left one is a letter.
    """

    left: Index
    right: Index

    @cached_property
    def free(self) -> frozenset[Index]:
        return self.left.free | self.right.free

    @cached_property
    def names(self) -> frozenset[str]:
        return self.right.value.names if isinstance(self.right, Place) else frozenset()


@_hash_once
@dataclass(frozen=True)
class Diff(Term):
    """A derivative not yet taken, of `body` by the entry `wrt`.

    `held` names the definitions that stay fixed; a total derivative holds none.
    """

    body: Term
    wrt: Entry
    total: bool

    @property
    def children(self) -> tuple[Term, ...]:
        return (self.body, self.wrt)

    def rebuild(self, children: tuple[Term, ...]) -> Term:
        wrt = children[1]
        assert isinstance(wrt, Entry)
        return Diff(children[0], wrt, self.total)


ZERO, ONE, MINUS_ONE, TWO, HALF = (Num(Fraction(v)) for v in ("0", "1", "-1", "2", "1/2"))


def number(value: int | str | Fraction) -> Num:
    """An exact number; a decimal string keeps its exact value (`"0.1"` is 1/10)."""
    return Num(Fraction(value))


def add(*terms: Term) -> Term:
    """The sum, flattened, with numbers folded (to the place of the first one) and zeros dropped."""
    flat: list[Term] = []
    total, place = Fraction(0), -1
    for term in terms:
        for part in term.terms if isinstance(term, Add) else (term,):
            if isinstance(part, Num):
                place = len(flat) if place < 0 else place
                total += part.value
            else:
                flat.append(part)
    if total:
        flat.insert(place, Num(total))
    if not flat:
        return ZERO
    return flat[0] if len(flat) == 1 else Add(tuple(flat))


def mul(*factors: Term) -> Term:
    """The product, flattened, with numbers folded into one leading factor and ones dropped."""
    flat: list[Term] = []
    coefficient = Fraction(1)
    for factor in factors:
        for part in factor.factors if isinstance(factor, Mul) else (factor,):
            if isinstance(part, Num):
                coefficient *= part.value
            else:
                flat.append(part)
    if coefficient == 0:
        return ZERO
    if not flat:
        return Num(coefficient)
    if coefficient != 1:
        flat.insert(0, Num(coefficient))
    return flat[0] if len(flat) == 1 else Mul(tuple(flat))


def power(base: Term, exponent: Fraction | int) -> Term:
    """The power; a power of a power is merged where that is right for every sign of the base."""
    exponent = Fraction(exponent)
    if exponent == 1:
        return base
    if exponent == 0:
        return ONE
    if isinstance(base, Num):
        folded = _power_of_number(base.value, exponent)
        if folded is not None:
            return Num(folded)
    if isinstance(base, Pow) and exponent.denominator == 1:
        return power(base.base, base.exponent * exponent)
    return Pow(base, exponent)


def _power_of_number(value: Fraction, exponent: Fraction) -> Fraction | None:
    """The exact power, or None where it is not rational."""
    if value == 1:
        return value
    if value == 0 and exponent > 0:
        return value
    if value == 0 or exponent.denominator != 1:
        return _root_of_number(value, exponent)
    bits = max(value.numerator.bit_length(), value.denominator.bit_length())
    if bits * abs(exponent) > MAX_POWER_BITS:
        raise TooLargeError(f"the power of a number with exponent {exponent} is too large to be exact")
    return value**exponent.numerator


def _root_of_number(value: Fraction, exponent: Fraction) -> Fraction | None:
    """value**exponent for a fractional exponent, where it is rational."""
    if value <= 0 or exponent.denominator != 2 or abs(exponent) > 64:
        return None
    from math import isqrt

    top, bottom = isqrt(value.numerator), isqrt(value.denominator)
    if top * top != value.numerator or bottom * bottom != value.denominator:
        return None
    return Fraction(top, bottom) ** exponent.numerator


def sum_over(indices: Iterable[Index], body: Term) -> Term:
    """The sum; over no index it is the body, and a zero body sums to zero."""
    indices = tuple(indices)
    if not indices or body == ZERO:
        return body
    if isinstance(body, Sum) and set(indices).isdisjoint(body.indices):
        return Sum(indices + body.indices, body.body)
    return Sum(indices, body)


def delta(left: Index, right: Index) -> Term:
    """Kronecker's delta; 1 where both letters are the same."""
    if left == right:
        return ONE
    if isinstance(left, Place):
        return compare("==", position(left), position(right)) if isinstance(right, Place) else Delta(right, left)
    return Delta(left, right)


RELATIONS = ("<", "<=", "==", "!=")


def compare(relation: str, left: Term, right: Term) -> Term:
    """The indicator of a relation; decided where both sides are numbers or the same term."""
    if isinstance(left, Num) and isinstance(right, Num):
        a, b = left.value, right.value
        return ONE if {"<": a < b, "<=": a <= b, "==": a == b, "!=": a != b}[relation] else ZERO
    if left == right:
        return ONE if relation in ("<=", "==") else ZERO
    if isinstance(left, Position) and isinstance(right, Position) and left.index.axis == right.index.axis:
        if relation == "==":
            return delta(left.index, right.index)
        if relation == "!=":
            return add(ONE, negative(delta(left.index, right.index)))
    return Compare(relation, left, right)


def where(condition: Term, then: Term, otherwise: Term) -> Term:
    """`then` or `otherwise`; one of them where the condition is decided or both are the same."""
    if condition == ONE or then == otherwise:
        return then
    return otherwise if condition == ZERO else Where(condition, then, otherwise)


def negative(term: Term) -> Term:
    """-term."""
    return mul(MINUS_ONE, term)


def divide(top: Term, bottom: Term) -> Term:
    """Top / bottom."""
    return mul(top, power(bottom, -1))


def sqrt(term: Term) -> Term:
    """The square root."""
    return power(term, Fraction(1, 2))


def product_of_sizes(axes: Iterable[str]) -> Term:
    """N over several axes: N_s N_k."""
    return mul(*(Size(axis) for axis in axes))


def walk(term: Term) -> Iterator[Term]:
    """Every node, each before those below it."""
    stack = [term]
    while stack:
        node = stack.pop()
        yield node
        stack.extend(reversed(node.children))


def entries(term: Term, name: str) -> list[Entry]:
    """The distinct entries of the tensor `name`, in the order in which they stand."""
    found = (node for node in walk(term) if isinstance(node, Entry) and node.name == name)
    return list(dict.fromkeys(found))


def rename_axes(term: Term, names: dict[str, str]) -> Term:
    """The term with axes renamed; letters stay."""

    def change(index: Index) -> Index:
        axis = names.get(index.axis, index.axis)
        if isinstance(index, Place):
            return place_at(axis, rename_axes(index.value, names), index.inside)
        return Index(index.name, axis)

    match term:
        case Size(axis):
            return Size(names.get(axis, axis))
        case Entry(name, indices):
            return Entry(name, tuple(map(change, indices)))
        case Delta(left, right):
            return delta(change(left), change(right))
        case Binder():
            return term.rebind(tuple(map(change, term.indices)), rename_axes(term.body, names))
        case Position(index):
            return Position(change(index))
        case _:
            return term.rebuild(tuple(rename_axes(child, names) for child in term.children))
