"""One SymPy expression in the notation's spelling."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NoReturn

import sympy

from symgrad.door.letters import Letters, is_reduction, range_of
from symgrad.door.over import MaxOver, MinOver
from symgrad.door.sympy_checks import place, shown
from symgrad.door.sympy_functions import KNOWN, NAMES, decimal, is_division, is_minus, one_plus_exp
from symgrad.errors import InputError
from symgrad.notation.names import check_name

_SPELLED = {cls: name for name, cls in NAMES.items()}
_REDUCTIONS = {sympy.Sum: "sum", sympy.Product: "prod", MaxOver: "max", MinOver: "min"}
_RELATIONS = {
    sympy.StrictLessThan: "<", sympy.LessThan: "<=", sympy.StrictGreaterThan: ">", sympy.GreaterThan: ">=",
    sympy.Equality: "==", sympy.Unequality: "!=",
}  # fmt: skip
MAX_BITS = 4096
"""A longer number is refused by its length, before it is written out."""
MAX_NESTING = 100
"""As in text: what is nested deeper is not read."""


@dataclass
class Writer:
    """Writes the expressions of one equation.

    Attributes:
        equation: for messages.
        number: of the equation.
        letters: of the whole text.
        names: what a SymPy name is called in the notation, where that differs.
        scope: the letters of the indices that are free here, or bound around here.
    """

    equation: Any
    number: int
    letters: Letters
    names: dict[str, str] = field(default_factory=dict)
    scope: dict[Any, str] = field(default_factory=dict)
    depth: int = 0

    def fail(self, node: Any, message: str, hint: str = "") -> NoReturn:
        """Raise an input error at a node."""
        raise InputError(message, place(self.equation, node, self.number), hint)

    def left(self, node: Any) -> str:
        """The left side: y[i], or a scalar."""
        if isinstance(node, sympy.Indexed):
            return self.entry(node)
        if not isinstance(node, sympy.Symbol):
            self.fail(node, f"{shown(node)} cannot stand on the left side.", "Define an entry: Eq(y[i], …).")
        return self.symbol(node)

    def expression(self, node: Any) -> str:
        """A sum of terms, each with its sign."""
        if not node.is_Add:
            return self.signed(node, first=True)
        terms = sorted(node.as_ordered_terms(), key=is_minus)  # a - b reads better than -b + a
        return "".join(self.signed(term, first=place == 0) for place, term in enumerate(terms))

    def signed(self, term: Any, first: bool) -> str:
        """A term behind its sign."""
        minus = is_minus(term)
        sign = ("-" if minus else "") if first else (" - " if minus else " + ")
        return sign + self.product(-term if minus else term)

    def product(self, term: Any) -> str:
        """Factors, divisions last."""
        factors = term.as_ordered_factors() if term.is_Mul else [term]
        above, below = [], []
        for factor in factors:
            if factor.is_Rational and not factor.is_Integer and term.is_Mul:
                above += [self.integer(factor.p)] if factor.p != 1 else []
                below.append(self.integer(factor.q))
            elif is_division(factor):
                below.append(self.factor(1 / factor))
            else:
                above.append(self.factor(factor))
        return "/".join(["*".join(above) or "1", *below])

    def factor(self, node: Any) -> str:
        """What binds at least as tightly as a power."""
        self.depth += 1
        if self.depth > MAX_NESTING:
            self.fail(self.equation, f"this expression is nested more than {MAX_NESTING} deep.", "Split it.")
        text = self._factor(node)
        self.depth -= 1
        return text

    def _factor(self, node: Any) -> str:
        if node.is_Add or node.is_Mul:
            return f"({self.expression(node)})"
        if node.is_Pow:
            return self.power(node)
        for kinds, write in _WRITERS:
            if isinstance(node, kinds):
                return write(self, node)
        name = type(node).__name__
        return self.fail(node, f"{name} has no form in the notation.", f"Known: {', '.join(KNOWN)}; {_NODES}.")

    def power(self, node: Any) -> str:
        """sqrt(a), a**n, 1/(1 + exp(-u)) as sigmoid(u)."""
        base, exponent = node.as_base_exp()
        if exponent == sympy.Rational(1, 2):
            return f"sqrt({self.expression(base)})"
        if is_division(node):
            return f"(1/{self.factor(1 / node)})"
        inside = one_plus_exp(base) if exponent.is_Rational and exponent.is_negative else None
        if inside is not None:
            text = f"sigmoid({self.expression(-inside)})"
            return text if exponent == -1 else f"{text}**{self.exponent(-exponent)}"
        text = self.factor(base)
        text = f"({text})" if base.is_Pow else text
        return f"{text}**{self.exponent(exponent)}"

    def exponent(self, node: Any) -> str:
        """n, or a formula in brackets."""
        return self.integer(node.p) if node.is_Integer and node >= 0 else f"({self.expression(node)})"

    def integer(self, value: int) -> str:
        """A whole number of moderate length."""
        if abs(value).bit_length() > MAX_BITS:
            self.fail(self.equation, "a number here is too long.", "Write a shorter one.")
        return str(value)

    def numeral(self, node: Any) -> str:
        """A number; a float stands for the decimal that SymPy shows."""
        if node.is_Integer:
            return self.integer(node.p) if node.p >= 0 else f"({self.integer(node.p)})"
        if node.is_Rational:
            return f"({self.integer(node.p)}/{self.integer(node.q)})"
        if not node.is_Float:
            self.fail(node, f"{shown(node)} is no number of the notation.", "Numbers are exact rationals, or decimals.")
        text = decimal(node)
        return f"({text})" if node.is_negative else text

    def symbol(self, node: Any) -> str:
        """An index, the length of an axis, or a scalar."""
        if node in self.scope:
            return self.scope[node]
        if isinstance(node, sympy.Dummy):
            self.fail(node, f"{shown(node)} is a Dummy, which has no name of its own.", "Take a Symbol.")
        if node in self.letters.own:
            return f"size[{self.letters.own[node]}]"
        return self.name(node)

    def name(self, node: Any) -> str:
        """The checked name of a scalar or a tensor."""
        name = str(node.name)
        known = self.names.get(name)
        if known is None and not name.startswith("d_"):
            check_name(name, place(self.equation, name, self.number))
        return known or name

    def entry(self, node: Any) -> str:
        """x[s, c], with a letter for each index."""
        shape = node.base.shape or [None] * len(node.indices)
        letters = [self.index(index, size, node) for index, size in zip(node.indices, shape, strict=True)]
        return f"{self.name(node.base)}[{', '.join(letters)}]"

    def index(self, index: Any, size: Any, node: Any) -> str:
        """The letter of one index of an entry."""
        if not isinstance(index, (sympy.Symbol, sympy.Idx)):
            self.fail(node, f"{shown(index)} is no index letter.", "An entry has a letter for each dimension: x[i, j].")
        size = self.letters.length(size, node) or range_of(index, self.letters, node)
        if index not in self.scope:
            if isinstance(index, sympy.Dummy):
                self.fail(node, f"{shown(index)} is a Dummy, which has no name of its own.", "Take a Symbol.")
            self.scope[index] = self.letters.letter(index, size, node)
        letter = self.scope[index]
        if size is not None and self.letters.sizes[letter] is not None:
            self.letters.declare(letter, size, letter, node)
        return letter

    def reduction(self, node: Any) -> str:
        """sum[s, k](…): the letters are bound in the body only."""
        outer = dict(self.scope)
        letters, lengths = [], []
        for index, low, high in node.limits:
            size = self.letters.whole(index, low, high, node)
            if isinstance(node, sympy.Sum) and index not in node.function.free_symbols:
                lengths.append(f"size[{self.letters.own[size]}]*")  # the letter need not stand anywhere
                continue
            self.scope[index] = self.letters.letter(index, size, node)
            letters.append(self.scope[index])
        body = self.expression(node.function)
        self.scope = outer
        return "".join(lengths) + (
            f"{_REDUCTIONS[type(node)]}[{', '.join(letters)}]({body})" if letters else f"({body})"
        )

    def function(self, node: Any) -> str:
        """exp(…)."""
        name = _SPELLED.get(node.func)
        if name is None or len(node.args) != 1:
            self.fail(node, f"{shown(node.func)} is no function of the notation.", f"Known: {', '.join(KNOWN)}.")
        inside = one_plus_exp(node.args[0]) if name == "log" else None
        return (
            f"softplus({self.expression(inside)})" if inside is not None else f"{name}({self.expression(node.args[0])})"
        )

    def digamma(self, node: Any) -> str:
        """The logarithmic derivative of the gamma function, which SymPy calls polygamma(0, u)."""
        if node.args[0] != 0:
            self.fail(node, "polygamma of a higher order is no function of the notation.")
        return f"digamma({self.expression(node.args[1])})"

    def pair(self, node: Any) -> str:
        """Max(a, b, c) as maximum(a, maximum(b, c))."""
        name = "maximum" if isinstance(node, sympy.Max) else "minimum"
        *first, last = [self.expression(argument) for argument in sorted(node.args, key=sympy.default_sort_key)]
        for text in reversed(first):
            last = f"{name}({text}, {last})"
        return last

    def step(self, node: Any) -> str:
        """Heaviside(u), which is 1/2 at 0, or what its second argument says there."""
        inside, middle = node.args[0], node.args[1] if len(node.args) > 1 else sympy.Rational(1, 2)
        if middle == sympy.Rational(1, 2):
            return f"((1 + sign({self.expression(inside)}))/2)"
        if middle not in (0, 1):
            self.fail(node, "Heaviside with this value at 0 has no form here.", "Write a Piecewise.")
        below = [-term for term in inside.as_ordered_terms() if is_minus(term)]
        above = [term for term in inside.as_ordered_terms() if not is_minus(term)]
        one, other = sympy.Add(*below), sympy.Add(*above)  # j <= k for two indices, whose difference is no value
        self._counted(node, one, other)
        return f"where({self.expression(one)} {'<=' if middle else '<'} {self.expression(other)}, 1, 0)"

    def delta(self, node: Any) -> str:
        """KroneckerDelta(i, j)."""
        self._counted(node, *node.args[:2])
        one, other = (self.expression(side) for side in node.args[:2])
        return f"where({one} == {other}, 1, 0)"

    def piecewise(self, node: Any) -> str:
        """Piecewise((a, condition), (b, True)) as where(condition, a, b)."""
        *cases, (last, always) = node.args
        if always != sympy.true:
            self.fail(node, "this Piecewise has no value elsewhere.", "End it with (…, True).")
        text = self.expression(last)
        for value, chosen in reversed(cases):
            text = f"where({self.condition(chosen)}, {self.expression(value)}, {text})"
        return text

    def condition(self, node: Any) -> str:
        """Comparisons with and, or, not."""
        if isinstance(node, (sympy.And, sympy.Or)):
            word = " and " if isinstance(node, sympy.And) else " or "
            return word.join(f"({self.condition(part)})" for part in sorted(node.args, key=sympy.default_sort_key))
        if isinstance(node, sympy.Not):
            return f"not ({self.condition(node.args[0])})"
        if type(node) not in _RELATIONS:
            self.fail(node, f"{shown(node)} is no condition of the notation.", "Compare two values or two indices.")
        self._counted(node, node.lhs, node.rhs)
        return f"{self.expression(node.lhs)} {_RELATIONS[type(node)]} {self.expression(node.rhs)}"

    def _counted(self, node: Any, *sides: Any) -> None:
        """Places count from 0 in the notation: one that counts from 1 may be compared to another only."""
        letters = all(side in self.scope for side in sides)
        if self.letters.first == 1 and not letters and any(map(self._is_place, sides)):
            self.fail(node, "an index that counts from 1 is compared to a number.", "Let the sums run from 0 to N - 1.")

    def _is_place(self, node: Any) -> bool:
        """Whether an index stands in an expression as a number, and not as that of an entry."""
        if node in self.scope:
            return True
        inner = isinstance(node, (sympy.Indexed, *_RELATIONS)) or is_reduction(node)
        return not inner and any(map(self._is_place, node.args))

    def derivative(self, node: Any) -> str:
        """Not read: what is derived is symgrad's own work."""
        return self.fail(node, "a derivative is not read.", "Name a gradient d_x[i], or call doit() first.")


_NODES = "Add, Mul, Pow, Sum, Product, MaxOver, MinOver, Piecewise, KroneckerDelta"
_WRITERS: tuple[tuple[Any, Callable[[Writer, Any], str]], ...] = (
    (sympy.Number, Writer.numeral),
    (sympy.Indexed, Writer.entry),
    ((sympy.Symbol, sympy.Idx), Writer.symbol),
    (type(sympy.pi), lambda *_: "pi"),
    (type(sympy.E), lambda *_: "exp(1)"),
    (tuple(_REDUCTIONS), Writer.reduction),
    ((sympy.Max, sympy.Min), Writer.pair),
    (sympy.Piecewise, Writer.piecewise),
    (sympy.KroneckerDelta, Writer.delta),
    (sympy.Heaviside, Writer.step),
    (sympy.polygamma, Writer.digamma),
    (sympy.Derivative, Writer.derivative),
    (sympy.Function, Writer.function),
)  # fmt: skip
"""What writes each kind of node; the first that fits."""
