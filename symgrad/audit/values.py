"""Tensors of unknown size, as terms: what the operations of a formula mean, broadcasting included.

A value is a term together with the order of its dimensions. Its letters are its own: two values that
meet are renamed until their dimensions agree, so that nothing is captured.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import count

from symgrad.algebra.binding import fresh_letter, rename
from symgrad.algebra.terms import Binder, Entry, Index, Num, Reduce, Size, Term, mul, sum_over
from symgrad.errors import SymgradError

_NUMBERS = count(1)


class NotRead(SymgradError):  # noqa: N818 - an answer of the reader, not a fault
    """A formula that is not read, with the reason."""


class WrongDimensions(NotRead):
    """A formula whose dimensions are not those of what it is for."""


@dataclass(frozen=True)
class Value:
    """A tensor.

    Attributes:
        dims: the index of each dimension; None for one of length 1.
        term: an entry at those indices.
    """

    dims: tuple[Index | None, ...]
    term: Term

    def __post_init__(self) -> None:
        letters = [index for index in self.dims if index is not None]
        if len(set(letters)) != len(letters) or not self.term.free <= set(letters):
            raise SymgradError(f"a value with dimensions {self.dims} cannot be {self.term}")

    @property
    def number(self) -> Fraction | None:
        """The exact number that this is, or None."""
        return self.term.value if isinstance(self.term, Num) and not self.dims else None


@dataclass(frozen=True)
class Shape:
    """The sizes of a tensor."""

    dims: tuple[Index | None, ...]


@dataclass(frozen=True)
class Ignored:
    """What does not matter for dense real tensors: a dtype, a layout, strides."""

    what: str


Meaning = Value | Shape | Ignored | str | bool | None | tuple  # type: ignore[type-arg]
"""What a formula, an argument or a setting stands for; a tuple for several."""


def scalar(term: Term) -> Value:
    """A value without dimensions."""
    return Value((), term)


def whole(entry: Entry) -> Value:
    """A tensor with the entry's own dimensions."""
    return Value(entry.indices, entry)


def fresh(value: Value) -> Value:
    """The same value with letters that stand nowhere else."""
    new = {index: Index(f"{index.axis}_{next(_NUMBERS)}", index.axis) for index in value.dims if index is not None}
    return Value(tuple(new.get(index) if index else None for index in value.dims), rename(value.term, new))


def filled(dims: Sequence[Index | None], term: Term) -> Value:
    """A tensor of one number, with these lengths; two dimensions may have the same one."""
    return Value(tuple(Index(f"{i.axis}_{next(_NUMBERS)}", i.axis) if i else None for i in dims), term)


def apply(function: Callable[..., Term], *values: Value) -> Value:
    """An elementwise function of values, broadcast from the right.

    Raises:
        NotRead: dimensions that differ meet.
    """
    rank = max(len(value.dims) for value in values)
    dims: list[Index | None] = [None] * rank
    parts = [fresh(value) for value in values]
    for part in parts:
        for place, index in enumerate(part.dims, rank - len(part.dims)):
            dims[place] = dims[place] or index
    return Value(tuple(dims), function(*(_aligned(part, dims) for part in parts)))


def _aligned(value: Value, dims: Sequence[Index | None]) -> Term:
    """The value's term with the letters of `dims`."""
    mapping = {}
    for own, other in zip(value.dims, dims[len(dims) - len(value.dims) :], strict=True):
        if own is not None and other is not None:
            if own.axis != other.axis:
                raise NotRead(f"a dimension of {own.axis} meets one of {other.axis}")
            mapping[own] = other
    return rename(value.term, mapping)


def expanded(value: Value, dims: tuple[Index | None, ...]) -> Value:
    """The value spread over given dimensions.

    Raises:
        NotRead: it has a dimension that is not there, or another one in its place.
    """
    if len(value.dims) > len(dims):
        raise NotRead("a tensor is expanded to fewer dimensions than it has")
    shape = apply(lambda a, _: a, value, filled(dims, Num(Fraction(1))))
    if any(have is not None and want is None for have, want in zip(shape.dims, dims, strict=True)):
        raise NotRead("a tensor is expanded to a dimension of length 1, and has more")
    return shape


def at(value: Value, indices: tuple[Index, ...]) -> Term:
    """The value's entry at given indices, where it has just these dimensions.

    Raises:
        NotRead: it has others.
    """
    if [index.axis if index else None for index in value.dims] != [index.axis for index in indices]:
        have = ", ".join(index.axis if index else "1" for index in value.dims)
        raise WrongDimensions(f"the formula has the dimensions [{have}], not [{', '.join(i.axis for i in indices)}]")
    return rename(value.term, dict(zip((i for i in value.dims if i is not None), indices, strict=True)))


def place_of(value: Value, dim: int) -> int:
    """A dimension's place, counted from the end where it is negative."""
    rank = max(len(value.dims), 1)
    if not -rank <= dim < rank:
        raise NotRead(f"there is no dimension {dim}")
    return dim % rank


def reduced(value: Value, dims: Sequence[int], keep: bool, operation: str = "sum") -> Value:
    """The sum, product, largest or smallest value over dimensions."""
    places = {place_of(value, dim) for dim in dims}
    bound = tuple(index for place, index in enumerate(value.dims) if place in places and index is not None)
    if operation == "sum":  # what does not depend on a letter is added up that many times
        term = sum_over([index for index in bound if index in value.term.free], value.term)
        term = mul(term, *(Size(index.axis) for index in bound if index not in value.term.free))
    else:
        term = Reduce(operation, bound, value.term) if bound else value.term
    kept = tuple(None if place in places else index for place, index in enumerate(value.dims))
    left = tuple(index for place, index in enumerate(value.dims) if place not in places)
    return Value(kept if keep else left, term)


def unsqueezed(value: Value, *dims: int) -> Value:
    """With dimensions of length 1 put in, at places of the result."""
    kept: list[Index | None] = list(value.dims)
    rank = len(value.dims) + len(dims)
    if not all(-rank <= dim < rank for dim in dims):
        raise NotRead(f"a dimension is put in at one of {list(dims)}, which is not there")
    for place in sorted(dim % rank for dim in dims):
        kept.insert(place, None)
    return Value(tuple(kept), value.term)


def summed_to(value: Value, dims: tuple[Index | None, ...]) -> Value:
    """Summed over what broadcasting had added, as autograd does with a gradient before it hands it on."""
    extra = len(value.dims) - len(dims)
    if extra > 0:
        value = reduced(value, range(extra), keep=False)
    places = [place for place, index in enumerate(dims) if index is None and len(value.dims) == len(dims)]
    return reduced(value, places, keep=True)


def squeezed(value: Value, dim: int) -> Value:
    """Without a dimension of length 1; where it is longer nothing happens."""
    place = place_of(value, dim)
    return Value(value.dims[:place] + value.dims[place + 1 :], value.term) if value.dims[place] is None else value


def transposed(value: Value, one: int, other: int) -> Value:
    """With two dimensions exchanged."""
    if not value.dims:
        return value
    dims = list(value.dims)
    one, other = place_of(value, one), place_of(value, other)
    dims[one], dims[other] = dims[other], dims[one]
    return Value(tuple(dims), value.term)


def product(left: Value, right: Value) -> Value:
    """The matrix product over the last dimension of `left` and the last but one of `right`, as torch.matmul.

    Vectors are taken as a row and as a column; leading dimensions are broadcast.
    """
    if not left.dims or not right.dims:
        raise NotRead("a matrix product of a number")
    row, column = len(left.dims) == 1, len(right.dims) == 1
    left = unsqueezed(left, 0) if row else left
    right = unsqueezed(right, 1) if column else right
    spread = apply(mul, unsqueezed(left, -1), unsqueezed(right, -3))
    found = reduced(spread, [-2], keep=False)
    found = squeezed(found, -2) if row else found
    return squeezed(found, -1) if column else found


def tidy_letters(term: Term, taken: frozenset[str] = frozenset()) -> Term:
    """The term with bound letters that a reader would choose: an axis' own name where it is free."""
    if isinstance(term, Binder):
        used = set(taken) | {index.name for index in term.free}
        mapping = {}
        for index in term.indices:
            mapping[index] = fresh_letter(Index(index.axis, index.axis), used)
            used.add(mapping[index].name)
        body = rename(term.body, mapping)
        return term.rebind(tuple(mapping.values()), tidy_letters(body, taken | {i.name for i in mapping.values()}))
    return term.rebuild(tuple(tidy_letters(child, taken) for child in term.children))
