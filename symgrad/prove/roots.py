"""Roots whose sign follows from what is known: sqrt(a b) = sqrt(a) sqrt(b) where a >= 0.

What is known comes from the formulas themselves (sqrt(a) has a value for a >= 0 only, log(a) for
a > 0 only) and from the case that is looked at (cases.py). Two rewritings use it:

* a factor that is known not to be negative leaves a root;
* x is replaced by (u^2 - r)/c where c x + r >= 0 is known, for a number c and an r without x: for
  each such x there is a u, so what holds for all u holds for all such x.

Where one factor f is 0 and the other g is negative, sqrt(f g) = 0 = sqrt(f) s for any s with s^2 = g, so
that the first one needs no more than f >= 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction

from symgrad.algebra.binding import transform_children
from symgrad.algebra.terms import (
    ONE,
    ZERO,
    Binder,
    Call,
    Compare,
    Delta,
    Diff,
    Entry,
    Index,
    Mul,
    Num,
    Pow,
    Term,
    Where,
    add,
    divide,
    mul,
    negative,
    power,
    walk,
)
from symgrad.prove.monomials import Poly, entry_atom


@dataclass(frozen=True)
class Known:
    """A term that is positive where `strict`, else at least not negative."""

    term: Term
    strict: bool


ToPoly = Callable[[Term], Poly]


def has_roots(term: Term) -> bool:
    """Whether a root or a logarithm stands in a term: what signs are needed for."""
    return any(
        (isinstance(node, Pow) and node.exponent.denominator != 1)
        or (isinstance(node, Call) and node.function in ("log", "log1p"))
        for node in walk(term)
    )


def known_of(term: Term) -> Iterator[Known]:
    """What must hold for the term to have a value, wherever it is evaluated.

    Not of the branches of a choice, nor of what a factor without names may switch off, nor of
    what stands below a bound letter.
    """
    for node in _evaluated(term):
        if isinstance(node, Pow) and node.exponent.denominator != 1:
            yield Known(node.base, node.exponent < 0)
        if isinstance(node, Call) and node.function in ("log", "log1p"):
            (argument,) = node.arguments
            yield Known(argument if node.function == "log" else add(ONE, argument), True)


def divisors_of(term: Term) -> Iterator[Term]:
    """What must not be 0 for the term to have a value, wherever it is evaluated."""
    for node in _evaluated(term):
        if isinstance(node, Pow) and node.exponent < 0:
            yield node.base


def _evaluated(term: Term) -> Iterator[Term]:
    """The nodes that have a value wherever the term has one."""
    if isinstance(term, (Where, Compare, Binder, Diff)) or (isinstance(term, Mul) and any(map(_switch, term.factors))):
        return
    yield term
    for child in term.children:
        yield from _evaluated(child)


def _switch(factor: Term) -> bool:
    """Whether a factor may be 0 whatever the values are, so that the others need none."""
    return factor.of_indices and any(isinstance(node, (Delta, Compare, Where)) for node in walk(factor))


def split_roots(term: Term, known: list[Known], poly: ToPoly) -> Term:
    """The term with factors that are known not to be negative taken out of roots."""
    return _split(term, [(each.term.free, poly(each.term)) for each in known], poly)


def _split(term: Term, forms: list[tuple[frozenset[Index], Poly]], poly: ToPoly) -> Term:
    if isinstance(term, Binder):  # below, a letter that it binds is another one
        forms = [each for each in forms if each[0].isdisjoint(term.indices)]
    term = transform_children(term, lambda child: _split(child, forms, poly))
    if not (isinstance(term, Pow) and term.exponent.denominator != 1 and isinstance(term.base, Mul)):
        return term
    known = [form for _, form in forms]
    leaving = [factor for factor in term.base.factors if not isinstance(factor, Num) and poly(factor) in known]
    staying = [factor for factor in term.base.factors if factor not in leaving]
    return mul(*(power(factor, term.exponent) for factor in leaving), power(mul(*staying), term.exponent))


def with_squares(term: Term, known: list[Known], poly: ToPoly) -> Term:
    """The term with (u^2 - r)/c for each x of which c x + r >= 0 is known."""
    waiting = [each.term for each in known]
    for place in range(len(waiting)):
        found = linear_entry(waiting[place], poly)
        if found is None:
            continue
        entry, coefficient = found
        root = power(Entry(f"√{place}", tuple(sorted(waiting[place].free))), 2)
        value = _solved(entry, coefficient, waiting[place], root)
        term = replaced(term, entry, value)
        waiting = [replaced(each, entry, value) for each in waiting]
    return term


def _solved(entry: Entry, coefficient: Fraction, term: Term, value: Term) -> Term:
    """The x for which the term, linear in x, has a value: x + (value - term)/c, in which x cancels."""
    rest = replaced(term, entry, ZERO)
    return divide(add(value, negative(rest)), Num(coefficient))


def solution(term: Term, poly: ToPoly) -> tuple[Entry, Term] | None:
    """An entry and the value for which the term, linear in it, is 0; None where there is none."""
    found = linear_entry(term, poly)
    if found is None:
        return None
    entry, coefficient = found
    return entry, _solved(entry, coefficient, term, ZERO)


def linear_entry(term: Term, poly: ToPoly) -> tuple[Entry, Fraction] | None:
    """An entry with all indices of the term, in which it is linear with a number as coefficient."""
    form = poly(term)
    for entry in dict.fromkeys(node for node in walk(term) if isinstance(node, Entry)):
        monomial = ((entry_atom(entry.name, entry.indices), Fraction(1)),)
        if monomial not in form or entry.free != term.free:
            continue
        rest = replaced(term, entry, ZERO)
        if entry.name not in rest.names and poly(rest) == {m: c for m, c in form.items() if m != monomial}:
            return entry, form[monomial]
    return None


def replaced(term: Term, target: Term, value: Term) -> Term:
    """The term with another in the place of `target`, except where one of its letters is bound.

    `value` has no free letters but those of `target`, so nothing is captured.
    """
    if term == target:
        return value
    if not target.names <= term.names or (isinstance(term, Binder) and not target.free.isdisjoint(term.indices)):
        return term
    return transform_children(term, lambda child: replaced(child, target, value))
