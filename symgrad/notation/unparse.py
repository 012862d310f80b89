"""Terms printed back in symgrad's own notation: parsing the text gives the same again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from symgrad.algebra.binding import fresh_letter, rename, transform_children
from symgrad.algebra.reading import inequality, padded_entry, signed_terms, with_padding_apart
from symgrad.algebra.terms import (
    ONE,
    Add,
    Binder,
    Call,
    Compare,
    Delta,
    Diff,
    Entry,
    Index,
    Mul,
    Num,
    Position,
    Pow,
    Reduce,
    Size,
    Sum,
    Term,
    Where,
    mul,
    negative,
    power,
    product_of_sizes,
    sum_over,
    walk,
)
from symgrad.errors import SymgradError
from symgrad.notation.layer import Layer


def unparse(term: Term, layer: Layer) -> str:
    """A term over `layer` in the notation of claims.

    Bound letters that the layer uses for another dimension are renamed, because in the notation a
    letter belongs to one dimension throughout.
    """
    return write(Letters.of(layer).settle(term))


@dataclass
class Letters:
    """Which axis each letter of a text runs over."""

    axes: dict[str, str]

    @classmethod
    def of(cls, layer: Layer) -> Letters:
        """The letters of a layer; an axis' own name is taken for that axis."""
        letters = cls({axis.name: axis.name for axis in layer.axes})
        for tensor in layer.tensors:
            letters.claim(tensor.indices)
        for definition in layer.definitions:
            letters.claim(definition.indices)
            for node in walk(definition.body):
                letters.claim(node.indices if isinstance(node, Binder) else ())
        return letters

    def claim(self, indices: Iterable[Index]) -> None:
        """Note letters; the first axis that takes a letter keeps it."""
        for index in indices:
            self.axes.setdefault(index.name, index.axis)

    def own(self, index: Index) -> Index:
        """The index under a letter that belongs to its axis."""
        if self.axes.setdefault(index.name, index.axis) == index.axis:
            return index
        found = fresh_letter(index, self.axes)
        self.axes[found.name] = found.axis
        return found

    def settle(self, term: Term) -> Term:
        """The term with each bound letter used for one axis only."""
        self.claim(sorted(term.free))
        if isinstance(term, Binder):
            mapping = {index: self.own(index) for index in term.indices}
            body = self.settle(rename(term.body, mapping))
            return term.rebind(tuple(mapping[index] for index in term.indices), body)
        return transform_children(term, self.settle)


def write(term: Term) -> str:
    """A term."""
    if inequality(term):
        return _product(term)
    (minus, first), *rest = signed_terms(term)
    line = ("-" if minus else "") + _product(first)
    for minus, part in rest:
        line += f" {'-' if minus else '+'} {_product(part)}"
    return line


def _product(term: Term) -> str:
    """A term after its sign, its factors in order: a*b/c."""
    factors = term.factors if isinstance(term, Mul) else (term,)
    text = "".join(operator + factor for operator, factor in _operations(factors))
    return text[1:] if text.startswith("*") else f"1{text}"


def _operations(factors: tuple[Term, ...]) -> Iterator[tuple[str, str]]:
    """Each factor behind its operator, * or /.

    A condition goes around all that follows it, and a sum over its length is a mean.
    """
    rest = list(factors)
    while rest:
        factor = rest.pop(0)
        if (same := inequality(factor)) is not None:
            yield "*", f"where({same.left.name} != {same.right.name}, {write(mul(*rest))}, 0)"
            return
        if rest and isinstance(total := rest[0], Sum) and factor == _inverse_length(total):
            del rest[0]
            yield "*", f"{indexed('mean', total.indices)}({write(total.body)})"
        elif isinstance(factor, Pow) and factor.exponent < 0:
            yield "/", _factor(power(factor.base, -factor.exponent))
        else:
            yield "*", _factor(factor)


def _inverse_length(total: Sum) -> Term:
    """1/(N_s N_k) for a sum over s and k; 1, which no factor is, where a letter is bound twice."""
    if len(set(total.indices)) < len(total.indices):
        return ONE
    return power(product_of_sizes(index.axis for index in total.indices), -1)


def _factor(term: Term) -> str:
    """One factor, which binds at least as tightly as a product."""
    match term:
        case Add() | Mul():
            return write(term) if inequality(term) else f"({write(term)})"
        case Num(value):
            return str(value) if value >= 0 else f"({value})"
        case Entry(name, indices):
            return indexed(name, indices)
        case Size(axis):
            return f"size[{axis}]"
        case Delta(left, right):
            return f"where({left.name} == {right.name}, 1, 0)"
        case Pow(base, exponent):
            return _power(base, str(exponent))
        case Call(function, ()):
            return function
        case Call(function, arguments):
            return f"{function}({', '.join(map(write, arguments))})"
        case Sum() if (entry := padded_entry(term)) is not None:
            return f"pad({_factor(entry)})"
        case Sum() if (apart := with_padding_apart(term)) != term:
            return _factor(apart)
        case Sum():
            return _sum(term)
        case Reduce(operation, indices, body):
            return f"{indexed(operation, indices)}({write(body)})"
        case Where(condition, then, otherwise):
            return f"where({_condition(condition)}, {write(then)}, {write(otherwise)})"
        case Compare():
            return f"where({_condition(term)}, 1, 0)"
        case Position(index):
            return index.name
        case Diff(body, wrt, total):
            return f"{'total' if total else 'partial'}({write(body)}, {write(wrt)})"
    raise SymgradError(f"a {type(term).__name__} has no form in the notation; add one to {__name__}")


def _condition(term: Term) -> str:
    """A condition: comparisons joined by and, their opposites by not."""
    if isinstance(term, Compare):
        return f"{write(term.left)} {term.relation} {write(term.right)}"
    if isinstance(term, Delta):
        return f"{term.left.name} == {term.right.name}"
    if (same := inequality(term)) is not None:
        return f"{same.left.name} != {same.right.name}"
    if isinstance(term, Mul):
        return " and ".join(f"({_condition(factor)})" for factor in term.factors)
    if isinstance(term, Add) and len(term.terms) == 2 and term.terms[0] == ONE:
        return f"not ({_condition(negative(term.terms[1]))})"
    raise SymgradError(f"a {type(term).__name__} is no condition of the notation; add one to {__name__}")


def _sum(term: Sum) -> str:
    """sum[s, k](body); a letter that is bound twice needs a sum of its own inside."""
    indices = term.indices
    first = next((place for place, index in enumerate(indices) if index in indices[:place]), len(indices))
    return f"{indexed('sum', indices[:first])}({write(sum_over(indices[first:], term.body))})"


def _power(base: Term, exponent: str) -> str:
    """base**n, sqrt(base), base**(3/2)."""
    if exponent == "1/2":
        return f"sqrt({write(base)})"
    needs_parentheses = isinstance(base, Pow) or (isinstance(base, Num) and base.value.denominator != 1)
    text = f"({write(base)})" if needs_parentheses else _factor(base)
    return f"{text}**{exponent if exponent.isdigit() else f'({exponent})'}"


def indexed(name: str, indices: Iterable[Index]) -> str:
    """name[c, i], or the bare name of a scalar."""
    letters = ", ".join(index.name for index in indices)
    return f"{name}[{letters}]" if letters else name
