"""What operations do with values: arguments as tensors, numbers, conditions and shapes; reductions and products."""

from __future__ import annotations

from collections.abc import Callable

from symgrad.algebra.terms import (
    MINUS_ONE,
    ONE,
    ZERO,
    Add,
    Compare,
    Delta,
    Mul,
    Num,
    Position,
    Size,
    Term,
    add,
    compare,
    divide,
    mul,
    negative,
    where,
)
from symgrad.audit.values import (
    Ignored,
    Meaning,
    NotRead,
    Shape,
    Value,
    apply,
    filled,
    fresh,
    place_of,
    product,
    reduced,
    scalar,
    transposed,
    unsqueezed,
)

Operation = Callable[..., Meaning]


def tensor(meaning: Meaning) -> Value:
    """What stands for a tensor or a number.

    Raises:
        NotRead: it is neither.
    """
    match meaning:
        case Value():
            return meaning
        case bool():
            return scalar(ONE if meaning else ZERO)
        case Shape((index,)):
            return scalar(Size(index.axis) if index is not None else ONE)
        case Ignored(what):
            raise NotRead(f"{what} stands where a number is needed")
        case _:
            raise NotRead(f"{'nothing' if meaning is None else meaning!r} stands where a number is needed")


def whole_number(meaning: Meaning) -> int:
    """A number that is known, such as a dimension's place."""
    found = tensor(meaning).number
    if found is None or found.denominator != 1:
        raise NotRead("a dimension is not a known whole number")
    return int(found)


def truth(term: Term) -> Term:
    """A condition as an indicator: a mask holds where it is greater than 0."""
    return term if _indicator(term) else compare("<", ZERO, term)


def _indicator(term: Term) -> bool:
    match term:
        case Compare() | Delta():
            return True
        case Num(value):
            return value in (0, 1)
        case Mul(factors):
            return all(map(_indicator, factors))
        case Add((first, Mul((sign, *rest)))):
            return first == ONE and sign == MINUS_ONE and all(map(_indicator, rest))
        case _:
            return False


def is_true(meaning: Meaning) -> bool | None:
    """Whether a condition is known to hold; None where that depends on values."""
    if isinstance(meaning, bool):
        return meaning
    found = tensor(meaning).number
    return None if found is None else found != 0


def elementwise(function: Callable[..., Term]) -> Operation:
    """An operation on entries, with just as many arguments as the function has."""
    arity = function.__code__.co_argcount

    def compute(*given: Meaning) -> Meaning:
        if len(given) != arity:
            raise NotRead(f"an operation on {arity} values is given {len(given)}")
        return apply(function, *map(tensor, given))

    return compute


def choose(condition: Meaning, then: Meaning, otherwise: Meaning) -> Meaning:
    """at::where."""
    return apply(lambda c, a, b: where(truth(c), a, b), tensor(condition), tensor(then), tensor(otherwise))


def both(left: Term, right: Term) -> Term:
    """Left and right."""
    return mul(truth(left), truth(right))


def either(left: Term, right: Term) -> Term:
    """Left or right."""
    return opposite(mul(opposite(left), opposite(right)))


def opposite(term: Term) -> Term:
    """The opposite of a condition."""
    match truth(term):
        case Add((first, Mul((sign, *rest)))) if first == ONE and sign == MINUS_ONE:
            return mul(*rest)
        case asked:
            return add(ONE, negative(asked))


def dimensions(value: Value, dims: Meaning) -> list[int]:
    """The places of the dimensions that an argument names; all of them for none or an empty list."""
    if dims is None or dims == () or dims == Shape(()):
        return list(range(len(value.dims)))
    return several(dims)


def several(dims: Meaning) -> list[int]:
    """One known whole number or a list of them."""
    return [whole_number(dim) for dim in dims] if isinstance(dims, tuple) else [whole_number(dims)]


def reduction(operation: str) -> Operation:
    """x.sum(dim, keepdim) and its like."""

    def reduce(x: Meaning, dims: Meaning = None, keep: Meaning = False, *_: Meaning) -> Meaning:
        value = tensor(x)
        return reduced(value, dimensions(value, dims), bool(is_true(keep)), operation)

    return reduce


def mean(x: Meaning, dims: Meaning = None, keep: Meaning = False, *_: Meaning) -> Meaning:
    """x.mean(dim, keepdim)."""
    value = tensor(x)
    places = dimensions(value, dims)
    lengths = [Size(index.axis) for place in places if (index := value.dims[place_of(value, place)]) is not None]
    return apply(divide, reduced(value, places, bool(is_true(keep))), scalar(mul(*lengths)))


def sizes(meaning: Meaning) -> Shape:
    """A shape, also as a list of lengths."""
    if isinstance(meaning, Shape):
        return meaning
    if not isinstance(meaning, tuple):
        raise NotRead("a shape is not known")
    parts = [part if isinstance(part, Shape) else Shape((None,) * (tensor(part).number == 1)) for part in meaning]
    return Shape(tuple(index for part in parts for index in part.dims))


def constant(value: Term) -> Operation:
    """A tensor of one value, in a shape or like another tensor."""

    def build(like: Meaning = (), *_: Meaning) -> Meaning:
        return filled(like.dims if isinstance(like, Value) else sizes(like).dims, value)

    return build


def divided(left: Meaning, right: Meaning, rounding: Meaning = None) -> Meaning:
    """Left / right."""
    if rounding is not None:
        raise NotRead("a division that rounds")
    return apply(divide, tensor(left), tensor(right))


def matmul(left: Meaning, right: Meaning) -> Meaning:
    """The matrix product, for any ranks."""
    return product(tensor(left), tensor(right))


def of_rank(left_rank: int, right_rank: int) -> Operation:
    """A product of two tensors with given numbers of dimensions."""

    def compute(left: Meaning, right: Meaning) -> Meaning:
        ranks = (len(tensor(left).dims), len(tensor(right).dims))
        if ranks != (left_rank, right_rank):
            raise NotRead(f"a product of ranks {left_rank} and {right_rank} is given ranks {ranks[0]} and {ranks[1]}")
        return matmul(left, right)

    return compute


def outer(left: Meaning, right: Meaning) -> Meaning:
    """The outer product of two vectors."""
    first, second = tensor(left), tensor(right)
    if (len(first.dims), len(second.dims)) != (1, 1):
        raise NotRead("an outer product is one of two vectors")
    return apply(mul, unsqueezed(first, 1), second)


def swapped(x: Meaning, one: Meaning = None, other: Meaning = None) -> Meaning:
    """Two dimensions exchanged: the last two by default."""
    value = tensor(x)
    if len(value.dims) < 2:
        return value
    places = (-2, -1) if one is None else (whole_number(one), whole_number(other))
    return transposed(value, *places)


def running(from_end: bool) -> Operation:
    """The running sum over a dimension: x.cumsum(dim), or from the end on."""

    def compute(x: Meaning, dim: Meaning) -> Meaning:
        value, other = tensor(x), fresh(tensor(x))
        place = place_of(value, whole_number(dim))
        own, bound = value.dims[place], other.dims[place]
        if own is None or bound is None:
            return value
        ends = (Position(own), Position(bound)) if from_end else (Position(bound), Position(own))
        kept = apply(mul, Value((own, bound), compare("<=", *ends)), scalar(ONE))
        moved = unsqueezed(Value((*other.dims[:place], *other.dims[place + 1 :], bound), other.term), -2)
        summed = reduced(apply(mul, moved, kept), [-1], keep=False)
        rank = len(summed.dims)
        dims = [*summed.dims[:-1]]
        dims.insert(place, summed.dims[rank - 1])
        return Value(tuple(dims), summed.term)

    return compute


def triangle(lower: bool) -> Operation:
    """x.tril() and x.triu(), on and below or above the main diagonal."""

    def compute(x: Meaning, diagonal: Meaning = None) -> Meaning:
        value = tensor(x)
        if diagonal is not None and tensor(diagonal).number != 0:
            raise NotRead("a diagonal that is not the main one")
        row, column = value.dims[-2:] if len(value.dims) > 1 else (None, None)
        if row is None or column is None:
            raise NotRead("a triangle of a row or a column")
        ends = (column, row) if lower else (row, column)
        return Value(value.dims, where(compare("<=", *map(Position, ends)), value.term, ZERO))

    return compute
