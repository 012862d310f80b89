"""Terms to one line of plain text, for a terminal: w[c]·(x[c,i] − μ[c])/√(σ²[c] + ε) + β[c]."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

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
from symgrad.render.fractions import Range, is_quotient, ranges, reaches_on, split
from symgrad.render.names import Names, Symbol, escape_text, gradient_of, letter

_UNICODE = {"minus": "−", "times": "·", "root": "√", "sum": "Σ", "delta": "δ", "d": "∂", "unequal": "≠"}
_ASCII = {"minus": "-", "times": "*", "root": "sqrt", "sum": "sum", "delta": "delta", "d": "d", "unequal": "!="}
_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def text(term: Term, names: Names, unicode: bool = True) -> str:
    """A term on one line; `unicode=False` keeps to ASCII."""
    return _Printer(names, unicode).term(term)


@dataclass(frozen=True)
class _Printer:
    names: Names
    unicode: bool

    @property
    def signs(self) -> Mapping[str, str]:
        """How the operators are spelled."""
        return _UNICODE if self.unicode else _ASCII

    def term(self, term: Term) -> str:
        """A term with its signs."""
        (minus, first), *rest = signed_terms(term)
        line = (self.signs["minus"] if minus else "") + self.unsigned(first)
        for minus, part in rest:
            line += f" {self.signs['minus'] if minus else '+'} {self.unsigned(part)}"
        return line

    def unsigned(self, term: Term) -> str:
        """A term after its sign; an `Add` stands here only after a minus."""
        if isinstance(term, Add):
            return f"({self.term(term)})"
        product = split(term)
        above = self.product(product.numerator, product.top)
        if not product.is_fraction:
            return above
        alone = len(product.bottom) + (product.denominator != 1) == 1
        below = self.product(product.denominator, product.bottom, below=True)
        fraction = f"{above}/{below if alone else f'({below})'}"
        before, after = (self.factors(factors) for factors in (product.before, product.after))
        return self.signs["times"].join([*before, fraction, *after])

    def product(self, number: int, factors: tuple[Term, ...], below: bool = False) -> str:
        """A number, where it is not a mere 1, times factors."""
        head = [str(number)] if number != 1 or not factors else []
        return self.signs["times"].join([*head, *self.factors(factors, below)])

    def factors(self, factors: tuple[Term, ...], below: bool = False) -> list[str]:
        """Factors, each in parentheses where a neighbour could be taken for a part of it.

        A sum reaches to the end of a product, so the last one needs none, except below a slash.
        """
        last = len(factors) - 1
        return [self.factor(factor, below, place == last) for place, factor in enumerate(factors)]

    def factor(self, term: Term, below: bool, last: bool) -> str:
        """One of several factors."""
        open_ended = isinstance(term, (Add, Mul)) or is_negative(term) or (below and _has_slash(term))
        if open_ended or (reaches_on(term) and (below or not last)):
            return f"({self.term(term)})"
        return self.atom(term)

    def atom(self, term: Term) -> str:
        """A node that is no sum or product of terms."""
        match term:
            case Num() | Pow() if isinstance(term, Num) or term.exponent < 0:
                return self.term(term)
            case Entry():
                return self.entry(term)
            case Size(axis):
                return f"N_{self.show(letter(axis))}"
            case Delta(left, right):
                return f"{self.signs['delta']}[{self.letters((left, right))}]"
            case Pow():
                return self.power(term)
            case Call(function, ()):
                return "π" if function == "pi" and self.unicode else escape_text(function)
            case Call(function, arguments):
                return f"{escape_text(function)}({', '.join(map(self.term, arguments))})"
            case Sum():
                return self.sum(term)
            case Reduce() | Where() | Compare() | Position():
                return self.cases(term)
            case Diff():
                return self.derivative(term)
        raise SymgradError(f"a {type(term).__name__} has no text form; add one to {__name__}")

    def show(self, symbol: Symbol) -> str:
        """A symbol in the alphabet at hand."""
        return symbol.unicode if self.unicode else symbol.plain

    def letters(self, indices: tuple[Index, ...]) -> str:
        """The letters of indices: c,i."""
        return ",".join(map(self.index, indices))

    def index(self, index: Index) -> str:
        """A letter, or a computed place: i + j."""
        return self.term(index.value) if isinstance(index, Place) else self.show(letter(index.name))

    def entry(self, term: Entry) -> str:
        """x[c,i], or a gradient: ∂L/∂y[c,i]."""
        target = gradient_of(term.name)
        if target is not None:
            d = self.signs["d"]
            return f"{d}{self.show(self.names.loss)}/{d}{self.entry(Entry(target, term.indices))}"
        symbol = self.show(self.names.symbol(term.name))
        return f"{symbol}[{self.letters(term.indices)}]" if term.indices else symbol

    def power(self, term: Pow) -> str:
        """A root, or a power: (x − μ)², (…)^(3/2)."""
        exponent = term.exponent
        inner = self.term(term.base)
        if exponent.denominator == 2 and exponent.numerator == 1:
            return f"{self.signs['root']}({inner})"
        bare = isinstance(term.base, (Entry, Size, Delta, Call)) and not _has_slash(term.base)
        base = inner if bare else f"({inner})"
        if exponent.denominator != 1:
            return f"{base}^({exponent})"
        return base + str(exponent).translate(_SUPERSCRIPTS) if self.unicode else f"{base}^{exponent}"

    def sum(self, term: Sum) -> str:
        """Σ_s Σ_k body; Σ_{k≠i} body."""
        signs, body = ranges(term)
        inner = self.term(body)
        closed = isinstance(body, Add) or is_negative(body)
        return " ".join([*map(self.range, signs), f"({inner})" if closed else inner])

    def range(self, sign: Range) -> str:
        """Σ_k, or Σ_{k≠i}."""
        own = self.letters((sign.index,))
        if not sign.excluded:
            return f"{self.signs['sum']}_{own}"
        conditions = (f"{own}{self.signs['unequal']}{self.letters((other,))}" for other in sign.excluded)
        return f"{self.signs['sum']}_{{{','.join(conditions)}}}"

    def cases(self, term: Reduce | Where | Compare | Position) -> str:
        """max_k (body), where(condition, a, b), an indicator in brackets, the place of an index."""
        match term:
            case Reduce(operation, indices, body):
                return f"{operation}_{self.letters(indices)} ({self.term(body)})"
            case Where(condition, then, otherwise):
                return f"where({self.condition(condition)}, {self.term(then)}, {self.term(otherwise)})"
            case Compare():
                return f"[{self.condition(term)}]"
            case Position(index):
                return self.show(letter(index.name))

    def condition(self, term: Term) -> str:
        """A relation; anything else as the number that it is."""
        if isinstance(term, Compare):
            sign = (
                {"<=": "≤", "!=": "≠", "==": "="}.get(term.relation, term.relation) if self.unicode else term.relation
            )
            return f"{self.term(term.left)} {sign} {self.term(term.right)}"
        if isinstance(term, Delta):
            return f"{self.index(term.left)} = {self.index(term.right)}"
        return self.term(term)

    def derivative(self, term: Diff) -> str:
        """∂y[c,k]/∂x[c,i], or ∂/∂x[c,i](body)."""
        d = self.signs["d"]
        below = f"{d}{self.entry(term.wrt)}"
        if is_quotient(term):
            return f"{d}{self.term(term.body)}/{below}" + ("|direct" if self.names.is_direct(term) else "")
        return f"{d}/{below}({self.term(term.body)})"


def _has_slash(term: Term) -> bool:
    """Whether a term is a derivative, printed with a slash of its own."""
    return isinstance(term, Diff) or (isinstance(term, Entry) and gradient_of(term.name) is not None)
