"""ATen's operations in formulas, for real numbers: one row each, as a function and as a method alike.

Real and dense is what the rows take for granted: a conjugate is the number itself, nothing is NaN,
and dtypes, layouts and memory formats do not matter.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from symgrad.algebra.terms import (
    ONE,
    TWO,
    ZERO,
    Call,
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
from symgrad.audit.meanings import (
    Operation,
    both,
    choose,
    constant,
    divided,
    either,
    elementwise,
    matmul,
    mean,
    of_rank,
    opposite,
    outer,
    reduction,
    running,
    several,
    sizes,
    swapped,
    tensor,
    triangle,
    truth,
    whole_number,
)
from symgrad.audit.values import (
    Ignored,
    Meaning,
    Shape,
    apply,
    expanded,
    place_of,
    scalar,
    squeezed,
    unsqueezed,
)
from symgrad.notation.conditions import larger, raised, smaller
from symgrad.primitives import ALIASES, PRIMITIVES


def _same(x: Meaning, *_: Meaning) -> Meaning:
    return x


def _ignored(what: str) -> Operation:
    return lambda *_: Ignored(what)


def _function(name: str) -> Operation:
    build: Callable[[Term], Term] = ALIASES[name] if name in ALIASES else lambda u: Call(name, (u,))
    return lambda x: apply(build, tensor(x))


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
    "logical_or": either,
    "logical_not": opposite,
    "isnan": lambda _: ZERO,
    "isfinite": lambda _: ONE,
    "==": lambda a, b: compare("==", a, b),
    "!=": lambda a, b: compare("!=", a, b),
    "<": lambda a, b: compare("<", a, b),
    "<=": lambda a, b: compare("<=", a, b),
    ">": lambda a, b: compare("<", b, a),
    ">=": lambda a, b: compare("<=", b, a),
}
_SAME = (
    *("IntArrayRef", "conj", "conj_physical", "resolve_conj", "real", "contiguous", "clone", "to", "type_as", "detach"),
    *("toDouble", "toFloat", "value", "optional", "scalar_tensor"),
)
"""What changes nothing about a real number."""
_IGNORED = ("scalar_type", "options", "dtype", "layout", "sym_strides", "device", "suggest_memory_format")
"""What says how a tensor is stored."""

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
    "mm": of_rank(2, 2),
    "bmm": of_rank(3, 3),
    "matmul": matmul,
    "mv": of_rank(2, 1),
    "dot": of_rank(1, 1),
    "vdot": of_rank(1, 1),
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

CONSTANTS: dict[str, Term] = {
    "M_PI": Call("pi", ()),
    "M_LN2": log_of(2),
    "M_LN10": log_of(10),
    "M_SQRT2": power(TWO, Fraction(1, 2)),
    "M_SQRT1_2": power(TWO, Fraction(-1, 2)),
    "M_2_SQRTPI": mul(TWO, power(Call("pi", ()), Fraction(-1, 2))),
}
"""Constants of C's <math.h>, as the numbers that they stand for."""
