"""ATen's operations in formulas, for real numbers: one row each, as a function and as a method alike.

Real and dense is what the rows take for granted: a conjugate is the number itself, nothing is NaN,
and dtypes, layouts and memory formats do not matter.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from symgrad.algebra.terms import (
    MINUS_ONE,
    ONE,
    TWO,
    ZERO,
    Add,
    Call,
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
    number,
    power,
    where,
)
from symgrad.audit.values import (
    Ignored,
    Meaning,
    NotRead,
    Shape,
    Value,
    apply,
    expanded,
    fresh,
    place_of,
    product,
    reduced,
    scalar,
    squeezed,
    transposed,
    unsqueezed,
)
from symgrad.notation.conditions import larger, raised, smaller
from symgrad.primitives import ALIASES, PRIMITIVES

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
    """A condition as an indicator: a number holds where it is not 0."""
    return term if _indicator(term) else compare("!=", term, ZERO)


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
    """An operation on entries; further arguments, such as options, do not count."""
    arity = function.__code__.co_argcount
    return lambda *given: apply(function, *(tensor(each) for each in given[:arity]))


def choose(condition: Meaning, then: Meaning, otherwise: Meaning) -> Meaning:
    """at::where."""
    return apply(lambda c, a, b: where(truth(c), a, b), tensor(condition), tensor(then), tensor(otherwise))


def both(left: Term, right: Term) -> Term:
    """left and right."""
    return mul(truth(left), truth(right))


def neither_not(left: Term, right: Term) -> Term:
    """left or right."""
    return add(ONE, negative(mul(opposite(left), opposite(right))))


def opposite(term: Term) -> Term:
    """not term."""
    return add(ONE, negative(truth(term)))


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

    def filled(like: Meaning = (), *_: Meaning) -> Meaning:
        return Value(like.dims if isinstance(like, Value) else sizes(like).dims, value)

    return filled


def divided(left: Meaning, right: Meaning, rounding: Meaning = None) -> Meaning:
    """left / right."""
    if rounding is not None:
        raise NotRead("a division that rounds")
    return apply(divide, tensor(left), tensor(right))


def outer(left: Meaning, right: Meaning) -> Meaning:
    """The outer product of two vectors."""
    return apply(mul, unsqueezed(tensor(left), 1), tensor(right))


def dot(left: Meaning, right: Meaning) -> Meaning:
    """The inner product of two vectors."""
    return product(tensor(left), tensor(right))


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
        row, column = value.dims[-2:]
        if row is None or column is None:
            raise NotRead("a triangle of a row or a column")
        ends = (column, row) if lower else (row, column)
        return Value(value.dims, where(compare("<=", *map(Position, ends)), value.term, ZERO))

    return compute


def _same(x: Meaning, *_: Meaning) -> Meaning:
    return x


def _ignored(what: str) -> Operation:
    return lambda *_: Ignored(what)


def _function(name: str) -> Operation:
    build: Callable[[Term], Term] = ALIASES[name] if name in ALIASES else lambda u: Call(name, (u,))
    return lambda x, *_: apply(build, tensor(x))


def log_of(value: int) -> Term:
    """The natural logarithm of a number."""
    return Call("log", (number(value),))


def _scaled_log(base: int) -> Callable[[Term], Term]:
    return lambda u: divide(Call("log", (u,)), log_of(base))


_ELEMENTWISE: dict[str, Callable[..., Term]] = {
    "add": lambda a, b: add(a, b),
    "sub": lambda a, b: add(a, negative(b)),
    "mul": lambda a, b: mul(a, b),
    "maybe_multiply": lambda a, b: mul(a, b),
    "pow": lambda a, b: raised(a, b),
    "neg": lambda a: negative(a),
    "sgn": lambda a: Call("sign", (a,)),
    "reciprocal": lambda a: power(a, -1),
    "log2": _scaled_log(2),
    "log10": _scaled_log(10),
    "exp2": lambda a: Call("exp", (mul(a, log_of(2)),)),
    "xlogy": lambda a, b: mul(a, Call("log", (b,))),
    "special_xlog1py": lambda a, b: mul(a, Call("log1p", (b,))),
    "lerp": lambda a, b, w: add(a, mul(w, add(b, negative(a)))),
    "maximum": lambda a, b: larger(a, b),
    "minimum": lambda a, b: smaller(a, b),
    "masked_fill": lambda a, mask, value: where(truth(mask), value, a),
    "logical_and": both,
    "logical_or": neither_not,
    "logical_not": opposite,
    "isnan": lambda a: ZERO,
    "isfinite": lambda a: ONE,
    "==": lambda a, b: compare("==", a, b),
    "!=": lambda a, b: compare("!=", a, b),
    "<": lambda a, b: compare("<", a, b),
    "<=": lambda a, b: compare("<=", a, b),
    ">": lambda a, b: compare("<", b, a),
    ">=": lambda a, b: compare("<=", b, a),
}
_SAME = (
    "IntArrayRef conj conj_physical resolve_conj real contiguous clone to toDouble toFloat value optional scalar_tensor "
    "handle_same alias detach type_as"
).split()
_IGNORED = "scalar_type options dtype layout sym_strides device suggest_memory_format sizes_ignored".split()

OPERATIONS: dict[str, Operation] = {
    **{name: _function(name) for name in (*PRIMITIVES, *ALIASES) if name != "pi"},
    **{name: elementwise(function) for name, function in _ELEMENTWISE.items()},
    **dict.fromkeys(_SAME, _same),
    **{name: _ignored(name) for name in _IGNORED},
    "handle_r_to_c": lambda _, x: x,
    "/": divided,
    "div": divided,
    "where": choose,
    "sum": reduction("sum"),
    "prod": reduction("prod"),
    "amax": reduction("max"),
    "amin": reduction("min"),
    "mean": mean,
    "mm": lambda a, b: product(tensor(a), tensor(b)),
    "bmm": lambda a, b: product(tensor(a), tensor(b)),
    "matmul": lambda a, b: product(tensor(a), tensor(b)),
    "mv": lambda a, b: product(tensor(a), tensor(b)),
    "dot": dot,
    "vdot": dot,
    "ger": outer,
    "outer": outer,
    "t": swapped,
    "mT": swapped,
    "mH": swapped,
    "transpose": swapped,
    "unsqueeze": lambda x, dims: unsqueezed(tensor(x), *several(dims)),
    "squeeze": lambda x, dim: squeezed(tensor(x), whole_number(dim)),
    "expand_symint": lambda x, shape: expanded(tensor(x), sizes(shape).dims),
    "expand_as": lambda x, other: expanded(tensor(x), tensor(other).dims),
    "expand": lambda x, shape: expanded(tensor(x), sizes(shape).dims),
    "sym_sizes": lambda x: Shape(tensor(x).dims),
    "sym_size": lambda x, dim: Shape((tensor(x).dims[place_of(tensor(x), whole_number(dim))],)),
    "sym_numel": lambda x: scalar(mul(*(Size(index.axis) for index in tensor(x).dims if index is not None))),
    "dim": lambda x: scalar(number(len(tensor(x).dims))),
    "zeros_like": constant(ZERO),
    "ones_like": constant(ONE),
    "zeros": constant(ZERO),
    "ones": constant(ONE),
    "zeros_symint": constant(ZERO),
    "new_zeros_symint": lambda _, shape, *__: constant(ZERO)(shape),
    "fill": lambda x, value: apply(lambda _, v: v, tensor(x), tensor(value)),
    "cumsum": running(from_end=False),
    "cumsum_from_end": running(from_end=True),
    "tril_symint": triangle(lower=True),
    "triu_symint": triangle(lower=False),
    "Tensor": lambda: None,
    "defined": lambda x: x is not None,
    "has_value": lambda x: x is not None,
    "value_or": lambda x, other: other if x is None else x,
    "is_complex": lambda _: False,
    "isComplex": lambda _: False,
}
"""Every operation by its name; a name that is here nowhere, nor among the helpers, is not read."""

CONSTANTS: dict[str, Any] = {
    "M_PI": Call("pi", ()),
    "M_LN2": log_of(2),
    "M_LN10": log_of(10),
    "M_SQRT2": power(TWO, Fraction(1, 2)),
    "M_SQRT1_2": power(TWO, Fraction(-1, 2)),
    "M_2_SQRTPI": mul(TWO, power(Call("pi", ()), Fraction(-1, 2))),
}
"""Constants of C's <math.h>, as the numbers that they stand for."""
