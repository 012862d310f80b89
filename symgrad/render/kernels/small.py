"""Small expressions: what has fewer axes than the full-size arrays, written as plain Python."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from fractions import Fraction

from symgrad.algebra.binding import transform_children
from symgrad.algebra.terms import (
    Add,
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
    Term,
    Where,
    mul,
    power,
    walk,
)
from symgrad.errors import UnsupportedError
from symgrad.plan.formula import mean_of
from symgrad.plan.infix import Spelling, condition, infix
from symgrad.plan.records import KernelPlan, Statement
from symgrad.primitives import POWER
from symgrad.render.kernels.layout import Frame, einsum_text, place

PYTHON, OWN, WIDE, LABEL = "python", "own", "wide", "label"
"""What a name holds: a Python number, an array in the kernel's own dtype, one in the wider type, labels."""


@dataclass
class Smalls:
    """Writes small expressions, and knows which of them are in the wider type.

    Attributes:
        plan: whose names are written.
        library: the name of the backend's module.
        function: the spelling of a scalar function call in this backend.
        permute: the spelling of a permutation of dimensions.
        cast: the spelling of a cast to the kernel's own dtype.
        eye: the spelling of an identity matrix.
        arange: the spelling of the places of an index, 0, 1, ...
        choice: the spelling of a choice by a condition.
        numbers: the same where both values are numbers: the libraries would take a dtype of their own.
        fixed: the spelling of a condition that is the same for all elements, where a choice needs an array.
        truth: the spelling of a condition as a number.
        kinds: for each name PYTHON, OWN or WIDE.
    """

    plan: KernelPlan
    library: str
    function: Callable[[str, str], str]
    permute: Callable[[str, tuple[int, ...]], str]
    cast: Callable[[str], str]
    eye: Callable[[str], str]
    arange: Callable[[str], str]
    choice: str
    numbers: str
    fixed: str
    truth: str
    kinds: dict[str, str] = field(default_factory=dict)

    def kind(self, term: Term) -> str:
        """What a small expression is made of."""
        kinds = {self.kinds.get(name, PYTHON) for name in term.names}
        if any(isinstance(node, (Position, Delta, Compare)) for node in walk(term)):
            kinds.add(OWN)
        return WIDE if WIDE in kinds else OWN if OWN in kinds else PYTHON

    def text(self, term: Term, frame: Frame) -> str:
        """The expression, its arrays broadcast to the frame."""
        return infix(self.plain(term), self.spelling(frame))

    def plain(self, term: Term) -> Term:
        """The term with functions and roots of mere numbers written for Python's own floats."""
        if self._is_plain(term):
            below = isinstance(term, Pow) and term.exponent < 0
            return power(raw(infix(power(term, -1) if below else term, PLAIN)), -1 if below else 1)
        if isinstance(term, Where):
            return Where(term.condition, self.plain(term.then), self.plain(term.otherwise))
        return transform_children(term, self.plain)

    def _is_plain(self, term: Term) -> bool:
        """Whether a term is a function, a root or a choice of mere numbers."""
        if not isinstance(term, (Call, Pow, Where, Compare)) or term.free:
            return False
        whole = isinstance(term, Pow) and term.exponent.denominator == 1
        return not whole and all(self.kinds.get(name) == PYTHON for name in term.names)

    def coefficient(self, term: Term, frame: Frame) -> str:
        """The expression as a coefficient of full-size arrays: in their dtype, broadcast."""
        own = tuple(index for index in frame if index in term.free)
        where = place(own, frame)
        text = self.text(term, own)
        if self.kind(term) == WIDE:
            return self.cast(_bracketed(text)) + where.suffix
        return _bracketed(text) + where.suffix if where.suffix else text

    def spelling(self, frame: Frame) -> Spelling:
        """How the pieces of an expression are written, broadcast to a frame."""
        return Spelling(
            entry=lambda item: self.placed(item, frame), size=lambda s: f"n_{s.axis}", call=self.function,
            fraction=fraction_text, delta=lambda item: self.identity(item, frame),
            position=lambda item: self.position(item, frame), where=self.where, truth=self.number,
        )  # fmt: skip

    def condition(self, term: Term, frame: Frame) -> str:
        """A term that is 1 or 0, as a condition."""
        return condition(self.plain(term), self.spelling(frame))

    def identity(self, item: Delta, frame: Frame) -> str:
        """Kronecker's delta as an identity matrix, or a comparison with computed places."""
        if isinstance(item.right, Place):
            return self.truth.format(condition(item, self.spelling(frame)))
        return self.eye(f"n_{item.left.axis}") + place((item.left, item.right), frame).suffix

    def position(self, item: Position, frame: Frame) -> str:
        """The places of an index, broadcast."""
        return self.arange(f"n_{item.index.axis}") + place((item.index,), frame).suffix

    def where(self, term: Term, text: str, then: str, otherwise: str) -> str:
        """A choice for each element, by a condition on some of the arrays or on constants."""
        condition, *values = term.children
        if all(self.kind(value) == PYTHON for value in values):
            return self.numbers.format(self._for_all(condition, text), then, otherwise)
        return self.array_where(term, text, then, otherwise)

    def array_where(self, term: Term, text: str, then: str, otherwise: str) -> str:
        """A choice of which one value at least is known to be an array."""
        return self.choice.format(self._for_all(term.children[0], text), then, otherwise)

    def _for_all(self, condition: Term, text: str) -> str:
        """A condition's text; as an array where it is the same for all elements."""
        return self.fixed.format(text) if self.kind_of_condition(condition) == PYTHON else text

    def number(self, condition: Term, text: str) -> str:
        """A condition as 1 or 0."""
        return f"float({text})" if self.kind_of_condition(condition) == PYTHON else self.truth.format(text)

    def kind_of_condition(self, condition: Term) -> str:
        """PYTHON for a condition on constants alone; else OWN."""
        placed = any(isinstance(node, (Position, Delta)) for node in walk(condition))
        return PYTHON if not placed and all(self.kinds.get(n) == PYTHON for n in condition.names) else OWN

    def placed(self, item: Entry, frame: Frame) -> str:
        """An array's name, seen in a frame; of one with an index twice, its diagonal."""
        name, indices = item.name, tuple(dict.fromkeys(item.indices))
        if len(indices) < len(item.indices):
            name = f'{self.library}.einsum("{einsum_text([item.indices], indices)}", {name})'
        where = place(indices, frame)
        return (name if where.order is None else self.permute(name, where.order)) + where.suffix


OF_NUMBERS = {
    "sigmoid": "(0.5 * (1 + math.tanh(0.5 * {0})))",
    "softplus": "(max({0}, 0.0) + math.log1p(math.exp(-abs({0}))))",
    "relu": "max({0}, 0.0)",
    "abs": "abs({0})",
    "sign": "(({0} > 0) - ({0} < 0))",
}
"""Functions of Python's numbers that its math module does not have."""


def _python_call(function: str, arguments: str) -> str:
    """A function of a float, without a library."""
    if function == "pi" or (function, arguments) == ("log", "0"):
        return "math.pi" if function == "pi" else "-math.inf"
    if function in OF_NUMBERS:
        return OF_NUMBERS[function].format(_bracketed(arguments))
    if function in ("exp", "log", "sqrt", POWER) or hasattr(math, function):
        return f"math.{function}({arguments})"
    raise UnsupportedError(f"{function} of a constant is not computed by kernels: make {arguments} an input.")


PLAIN = Spelling(
    entry=lambda item: item.name, size=lambda s: f"n_{s.axis}", call=_python_call, fraction=lambda v: fraction_text(v),
    delta=str, position=str, where=lambda _, c, a, b: f"({a} if {c} else {b})", truth=lambda _, c: f"float({c})",
)  # fmt: skip
"""How terms in constants and lengths are written."""


def raw(text: str, frame: Frame = ()) -> Entry:
    """A node that is written as it stands."""
    return Entry(text, frame)


def _bracketed(text: str) -> str:
    """A text that a method call or an index may follow: a name or one call as it stands, others in brackets."""
    return text if text.isidentifier() or _is_one_call(text) else f"({text})"


def _is_one_call(text: str) -> bool:
    """Whether a text is a function's name and brackets that close at its end: f(a)(b) and f(a) + g(b) are not."""
    function, _, rest = text.partition("(")
    depth = 1
    for at, letter in enumerate(rest):
        depth += (letter == "(") - (letter == ")")
        if depth == 0:
            return function.isidentifier() and at == len(rest) - 1
    return False


def fraction_text(value: Fraction) -> str:
    """A decimal where it is exact and short, else a quotient."""
    decimal = repr(float(value))
    return decimal if Fraction(decimal) == value and len(decimal) < 8 else str(value)


def as_one(coefficients: list[Term], frame: Collection[Index]) -> list[Term]:
    """Coefficients as one, where together they are still smaller than what they are multiplied with.

    w[g, c] / s[b, g] is a number for each b, g and c: one pass over an array that has k as well, instead of two.
    """
    letters = frozenset(index for coefficient in coefficients for index in coefficient.free)
    return [mul(*coefficients)] if len(coefficients) > 1 and letters < frozenset(frame) else coefficients


def split_product(term: Term, is_large: Callable[[Term], bool]) -> tuple[list[Term], list[Term]]:
    """A product's coefficients and its large factors, each in order.

    Small factors are one coefficient where one of them has all their indices; g[i] / s[b] are two,
    because together they would be as large as what they are multiplied by.
    """
    factors = term.factors if isinstance(term, Mul) else (term,)
    small = [factor for factor in factors if not is_large(factor)]
    largest = [f.free for f in small if not any(f.free < other.free for other in small)]
    groups: dict[frozenset[Index], list[Term]] = {free: [] for free in largest}
    for factor in small:
        groups[next(free for free in groups if factor.free <= free)].append(factor)
    return [mul(*group) for group in groups.values()], [factor for factor in factors if is_large(factor)]


def centred(term: Term, kinds: dict[str, str]) -> tuple[Entry, Entry] | None:
    """The array and the statistic, where a term is a full-size array minus a wider statistic."""
    if not isinstance(term, Add) or len(term.terms) != 2:
        return None
    array, shift = term.terms
    if not isinstance(shift, Mul) or shift.factors[0] != Num(Fraction(-1)) or len(shift.factors) != 2:
        return None
    statistic = shift.factors[1]
    if not isinstance(array, Entry) or not isinstance(statistic, Entry) or kinds.get(statistic.name) != WIDE:
        return None
    return (array, statistic) if statistic.free < array.free else None


def mean_and_rest(mean: Statement, shifted: Statement, given: Collection[str]) -> tuple[Entry, Frame] | None:
    """The array and the indices over which its mean is taken, where two statements are that and array - mean."""
    found, apart = mean_of(mean.term), centred(shifted.term, {mean.name: WIDE})
    if found is None or found[1] or apart is None or apart[1] != mean.entry:
        return None
    array = apart[0]
    if array.name not in given or found[0].body != array or array.indices != shifted.indices:
        return None
    return array, found[0].indices
