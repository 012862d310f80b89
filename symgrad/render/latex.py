"""Terms to LaTeX, as a textbook prints them, in the order in which they are written."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

from symgrad.algebra.reading import is_negative, signed_terms
from symgrad.algebra.terms import (
    Add,
    Call,
    Compare,
    Delta,
    Diff,
    Entry,
    Index,
    Mul,
    Num,
    Place,
    Position,
    Pow,
    Reduce,
    Size,
    Sum,
    Term,
    Where,
)
from symgrad.errors import SymgradError
from symgrad.primitives import POWER, PRIMITIVES
from symgrad.render.fractions import Range, is_quotient, ranges, reaches_on, split
from symgrad.render.names import Names, escape_latex, gradient_of, letter


def latex(term: Term, names: Names) -> str:
    r"""A term, for math mode: x_{c,i} - \mu_{c}."""
    return " ".join(latex_terms(term, names))


def latex_terms(term: Term, names: Names) -> list[str]:
    """The terms at the top level, each with its sign, so that a line can break between them."""
    return Printer(names).terms(term)


def equation(left: Term, right: Term, names: Names) -> str:
    """Left = right."""
    return f"{latex(left, names)} = {latex(right, names)}"


@dataclass(frozen=True)
class Printer:
    """Prints terms of one layer; render/pieces.py cuts what it prints."""

    names: Names

    def terms(self, term: Term) -> list[str]:
        """Each top-level term with its sign; the first one has none where it is added."""
        return [sign + self.unsigned(part) for sign, part in self.signed(term)]

    def signed(self, term: Term) -> list[tuple[str, Term]]:
        """Each top-level term after its sign."""
        (minus, first), *rest = signed_terms(term)
        return [("-" if minus else "", first), *(("- " if minus else "+ ", part) for minus, part in rest)]

    def term(self, term: Term) -> str:
        """A term on one line."""
        return " ".join(self.terms(term))

    def unsigned(self, term: Term) -> str:
        """A term after its sign; an `Add` stands here only after a minus."""
        if isinstance(term, Add):
            return _parentheses(self.term(term))
        product = split(term)
        above = self.factors(product.numerator, product.top)
        if not product.is_fraction:
            return above
        fraction = rf"\frac{{{above}}}{{{self.factors(product.denominator, product.bottom)}}}"
        return _side_by_side([*self.sequence(product.before), fraction, *self.sequence(product.after)])

    def factors(self, number: int, factors: tuple[Term, ...]) -> str:
        """A number times factors; a lone factor needs no parentheses."""
        if number == 1 and len(factors) == 1:
            return self.term(factors[0]) if isinstance(factors[0], (Add, Mul)) else self.atom(factors[0])
        head = [str(number)] if number != 1 or not factors else []
        return _side_by_side([*head, *self.sequence(factors)])

    def sequence(self, factors: tuple[Term, ...]) -> list[str]:
        """Factors side by side; only the last one may reach on without parentheses."""
        return [self.factor(factor, last=place == len(factors)) for place, factor in enumerate(factors, start=1)]

    def factor(self, term: Term, *, last: bool) -> str:
        """One of several factors."""
        if isinstance(term, (Add, Mul)) or is_negative(term) or (reaches_on(term) and not last):
            return _parentheses(self.term(term))
        return self.atom(term)

    def atom(self, term: Term) -> str:
        """A node that is no sum or product of terms."""
        match term:
            case Num() | Pow() if isinstance(term, Num) or term.exponent < 0:
                return self.term(term)
            case Entry():
                return self.entry(term)
            case Size(axis):
                return f"N_{{{letter(axis).latex}}}"
            case Delta(left, right):
                return rf"\delta_{{{self.letters((left, right))}}}"
            case Pow():
                return self.power(term)
            case Call(function, ()):
                return PRIMITIVES[function].latex
            case Call():
                return self.call(term)
            case Sum():
                return self.sum(term)
            case Reduce() | Where() | Compare() | Position():
                return self.cases(term)
            case Diff():
                return self.derivative(term)
        raise SymgradError(f"a {type(term).__name__} has no LaTeX form; add one to {__name__}")

    def entry(self, term: Entry) -> str:
        r"""x_{c,i}, \sigma_{c}^{2}, or a gradient."""
        target = gradient_of(term.name)
        if target is not None:
            return rf"\frac{{\partial {self.names.loss.latex}}}{{\partial {self.entry(Entry(target, term.indices))}}}"
        symbol = self.names.symbol(term.name)
        subscript = f"_{{{','.join(map(self.index, term.indices))}}}" if term.indices else ""
        superscript = r"\,".join(part for part in ("2" if symbol.squared else "", symbol.owner) if part)
        return symbol.latex + subscript + (f"^{{{superscript}}}" if superscript else "")

    def index(self, index: Index) -> str:
        """A letter, or a computed place: i + j."""
        if isinstance(index, Place):
            return re.sub(r"(?<=\}) (?=[a-z])", r"\\, ", self.term(index.value))  # a word and a letter stand apart
        return letter(index.name).latex

    def letters(self, indices: tuple[Index, ...]) -> str:
        """Letters side by side; with commas where one of them is a word, or a computed place."""
        plain = all(len(index.name) == 1 for index in indices)
        return ("" if plain else ",").join(map(self.index, indices))

    def power(self, term: Pow) -> str:
        """A square, a root, or a power of a root."""
        exponent, degree = term.exponent.numerator, term.exponent.denominator
        if degree == 1:
            return self.whole_power(term.base, exponent)
        root = rf"\sqrt{'' if degree == 2 else f'[{degree}]'}{{{self.term(term.base)}}}"
        return root if exponent == 1 else f"{_parentheses(root)}^{{{exponent}}}"

    def whole_power(self, base: Term, exponent: int) -> str:
        """base^n, with parentheses where the base is more than one letter; tanh^n(u)."""
        if isinstance(base, Call) and base.function != "exp":
            return self.call(base, f"^{{{exponent}}}")
        bare = isinstance(base, (Size, Delta)) or (isinstance(base, Entry) and self.is_letter(base))
        text = self.term(base)
        return f"{text if bare else _parentheses(text)}^{{{exponent}}}"

    def is_letter(self, term: Entry) -> bool:
        """Whether an entry has its place for a power free."""
        return gradient_of(term.name) is None and not self.names.symbol(term.name).has_superscript

    def call(self, term: Call, exponent: str = "") -> str:
        r"""e^{u}, \tanh\left(u\right)."""
        if term.function == POWER:
            base, to = term.arguments
            bare = isinstance(base, (Size, Delta)) or (isinstance(base, Entry) and self.is_letter(base))
            return f"{self.term(base) if bare else _parentheses(self.term(base))}^{{{self.term(to)}}}"
        arguments = ", ".join(map(self.term, term.arguments))
        if term.function == "exp":
            return f"e^{{{arguments}}}"
        row = PRIMITIVES.get(term.function)
        name = row.latex if row else rf"\operatorname{{{escape_latex(term.function)}}}"
        return f"{name}{exponent}{_parentheses(arguments)}"

    def sum(self, term: Sum) -> str:
        r"""\sum_{k=1}^{N_{i}} body, with a sign for each letter."""
        signs, body = ranges(term)
        closed = isinstance(body, Add) or is_negative(body)
        text = self.term(body)
        return " ".join([*map(self.sign, signs), _parentheses(text) if closed else text])

    def sign(self, sign: Range) -> str:
        r"""\sum_{k=1}^{N_{i}}, or \sum_{k \ne i}."""
        own = letter(sign.index.name).latex
        if sign.excluded:
            conditions = r",\, ".join(rf"{own} \ne {letter(other.name).latex}" for other in sign.excluded)
            return rf"\sum_{{{conditions}}}"
        length = rf"N_{{{letter(sign.index.axis).latex}}}"
        first, last = (0, f"{length} - 1") if self.names.from_zero else (1, length)
        return rf"\sum_{{{own}={first}}}^{{{last}}}"

    def cases(self, term: Reduce | Where | Compare | Position) -> str:
        r"""\max_{k} body, a choice in braces, an indicator in brackets, the place of an index."""
        match term:
            case Reduce(operation, indices, body):
                sign = {"max": r"\max", "min": r"\min", "prod": r"\prod"}[operation]
                letters = ",".join(letter(index.name).latex for index in indices)
                return rf"{sign}_{{{letters}}} {_parentheses(self.term(body))}"
            case Where(condition, then, otherwise):
                first = rf"{self.term(then)} & \text{{if }} {self.condition(condition)}"
                second = rf"{self.term(otherwise)} & \text{{else}}"
                return rf"\begin{{cases}} {first} \\ {second} \end{{cases}}"
            case Compare():
                return rf"\left[{self.condition(term)}\right]"
            case Position(index):
                return letter(index.name).latex

    def condition(self, term: Term) -> str:
        """A relation; anything else as the number that it is."""
        if isinstance(term, Compare):
            sign = {"<": "<", "<=": r"\le", "==": "=", "!=": r"\ne"}[term.relation]
            return f"{self.term(term.left)} {sign} {self.term(term.right)}"
        if isinstance(term, Delta):
            return f"{self.index(term.left)} = {self.index(term.right)}"
        return f"{self.term(term)} = 1"

    def derivative(self, term: Diff) -> str:
        """∂y/∂x, or ∂/∂x (body)."""
        below = rf"{{\partial {self.entry(term.wrt)}}}"
        if is_quotient(term):
            whole = rf"\frac{{\partial {self.term(term.body)}}}{below}"
            return rf"\left.{whole}\right|_{{\mathrm{{direct}}}}" if self.names.is_direct(term) else whole
        return rf"\frac{{\partial}}{below}{_parentheses(self.term(term.body))}"


def _side_by_side(factors: list[str]) -> str:
    """Factors next to each other, with a thin space where the line of a fraction or root would touch."""
    line = ""
    for left, right in pairwise([*factors, ""]):
        touches = left.startswith((r"\frac", r"\sqrt")) and right and not right.startswith((r"\left", r"\sum"))
        line += left + (r" \, " if touches else " ")
    return line.strip()


def _parentheses(text: str) -> str:
    return rf"\left({text}\right)"
