"""Small edits of a term: the mistakes that people make when they write a formula.

Used in two directions: to find the nearest right form of a wrong claim, and to make wrong formulas
that the checkers must refuse.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from symgrad.algebra.binding import rename
from symgrad.algebra.simplify import factors_of, product_of, terms_of
from symgrad.algebra.terms import Add, Diff, Entry, Index, Mul, Num, Pow, Size, Sum, Term, add, mul, negative, power
from symgrad.notation.layer import Layer


@dataclass(frozen=True)
class Mutation:
    """An edited term, and the edit in words."""

    what: str
    term: Term


def mutations(term: Term, layer: Layer, letters: frozenset[Index] = frozenset()) -> Iterator[Mutation]:
    """Every single edit of a term: a sign, factor, term, index, size, sum, number or exponent.

    `letters` are indices that may stand in it besides its own free ones.
    """
    yield from _everywhere(term, tuple(sorted(term.free | letters)), tuple(axis.name for axis in layer.axes))


def _everywhere(term: Term, scope: tuple[Index, ...], axes: tuple[str, ...]) -> Iterator[Mutation]:
    yield from _here(term, scope, axes)
    inner = (*scope, *term.indices) if isinstance(term, Sum) else scope
    for place, child in enumerate(term.children):
        if isinstance(term, Diff) and place == 1:
            continue
        for found in _everywhere(child, inner, axes):
            children = (*term.children[:place], found.term, *term.children[place + 1 :])
            yield Mutation(found.what, term.rebuild(children))


def _here(term: Term, scope: tuple[Index, ...], axes: tuple[str, ...]) -> Iterator[Mutation]:
    """The edits of one node."""
    match term:
        case Entry(name, indices):
            yield from _indices(name, indices, scope)
        case Size(axis):
            for other in axes:
                if other != axis:
                    yield Mutation(f"size of {other} for that of {axis}", Size(other))
        case Num(value) if value not in (0, -1):
            yield Mutation("a number changed", Num(value + 1))
        case Add(terms):
            for place, part in enumerate(terms):
                rest = (*terms[:place], *terms[place + 1 :])
                yield Mutation("the sign of a term", add(*terms[:place], negative(part), *terms[place + 1 :]))
                yield Mutation("a term dropped", add(*rest))
        case Mul(factors):
            for place, factor in enumerate(factors):
                if factor != Num(Fraction(-1)):
                    yield Mutation("a factor dropped", mul(*factors[:place], *factors[place + 1 :]))
        case Pow(base, exponent):
            yield Mutation("an exponent doubled", power(base, 2 * exponent))
        case Sum(indices, body):
            yield from _sums(indices, body, scope)


def _indices(name: str, indices: tuple[Index, ...], scope: tuple[Index, ...]) -> Iterator[Mutation]:
    for place, index in enumerate(indices):
        for other in dict.fromkeys(scope):
            if other.axis == index.axis and other != index:
                changed = (*indices[:place], other, *indices[place + 1 :])
                yield Mutation(f"index {other.name} for {index.name} in {name}", Entry(name, changed))


def _sums(indices: tuple[Index, ...], body: Term, scope: tuple[Index, ...]) -> Iterator[Mutation]:
    sizes = mul(*(Size(index.axis) for index in indices))
    yield Mutation("a mean for a sum", mul(power(sizes, -1), Sum(indices, body)))
    same = {index: [s for s in scope if s.axis == index.axis and s not in indices] for index in indices}
    if all(same.values()):
        yield Mutation("a sum forgotten", rename(body, {index: found[0] for index, found in same.items()}))


def corrections(term: Term, layer: Layer, letters: frozenset[Index]) -> Iterator[Mutation]:
    """Edits that may repair a formula: those above, and a factor put to or taken from one term."""
    yield from mutations(term, layer, letters)
    parts = terms_of(term)
    for place, part in enumerate(parts):
        for what, factor in _usual_factors(term, layer):
            yield Mutation(what, add(*parts[:place], times(part, factor), *parts[place + 1 :]))


def _usual_factors(term: Term, layer: Layer) -> Iterator[tuple[str, Term]]:
    """Parameters at the term's own indices, sizes, their inverses, and 2."""
    for tensor in layer.tensors:
        if tensor.role == "parameter" and set(tensor.indices) <= term.free:
            yield f"the factor {tensor.name}", tensor.entry
            yield f"the divisor {tensor.name}", power(tensor.entry, -1)
    for axis in layer.axes:
        yield f"the factor N_{axis.name}", Size(axis.name)
        yield f"the divisor N_{axis.name}", power(Size(axis.name), -1)
    yield "the factor 2", Num(Fraction(2))
    yield "the factor 1/2", Num(Fraction(1, 2))


def times(part: Term, factor: Term) -> Term:
    """The product, with a length and its inverse taken together."""
    return product_of(*factors_of(mul(factor, part)))
