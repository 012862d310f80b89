"""Equalities by cases: the last resort where comparisons, or roots of unknown sign, are left.

A term that should be 0 is looked at in each case P > 0, P = 0, P < 0 of what its comparisons compare.
In a case the comparison is 0 or 1, P = 0 is solved for an entry or makes two indices one, and roots
use the signs (roots.py). It is 0 where it is 0 in every case; cases that contradict each other are
passed over (inequalities.py). Each step keeps the value, and the cases are all there are, so this
proves; it does not refute.

Sums over the same axes are put together first: if the bodies are equal at each place, the sums are
equal. That is sufficient and not necessary.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from itertools import count, islice

from symgrad.algebra.binding import rename, transform_children
from symgrad.algebra.terms import (
    ONE,
    ZERO,
    Binder,
    Call,
    Compare,
    Entry,
    Index,
    Term,
    add,
    negative,
    walk,
)
from symgrad.errors import DerivationError, TooLargeError
from symgrad.primitives import PRIMITIVES
from symgrad.prove.canonical import Canonical
from symgrad.prove.clear import vanishes
from symgrad.prove.inequalities import Fact, contradictory, fact, sign_of, zero
from symgrad.prove.modulo import reduced
from symgrad.prove.monomials import Poly, position_atom
from symgrad.prove.pointwise import collapsed, pointwise
from symgrad.prove.powers import ceiling
from symgrad.prove.roots import Known, divisors_of, has_roots, known_of, replaced, solution, split_roots, with_squares

MOST_CASES = 150
LARGEST = 600
"""Terms with more nodes are left alone."""
Pairs = frozenset[frozenset[Index]]


def zero_by_cases(term: Term, distinct: Pairs = frozenset()) -> bool:
    """Whether a term is 0 for all values for which it has one; False where that is not found out."""
    if is_large(term):
        return False
    term = collapsed(opened(term))
    if not has_roots(term) and not any(isinstance(node, Compare) for node in walk(term)):
        return False
    letters = (f"~c{number}" for number in count())
    try:
        search = _Search(distinct)
        return all(search.zero(each) for each in pointwise(term, letters))
    except (DerivationError, TooLargeError, ZeroDivisionError, RecursionError):
        return False


def is_large(term: Term) -> bool:
    """Whether a term has too many nodes to be looked at case by case; counted no further than needed."""
    return sum(1 for _ in islice(walk(term), LARGEST + 1)) > LARGEST


def opened(term: Term) -> Term:
    """The term with relu, abs and sign as the cases that they are, and one way to write logarithms."""
    term = transform_children(term, opened)
    if isinstance(term, Call) and (term.function in CASES or term.function == "log1p"):
        elementary = PRIMITIVES[term.function].elementary
        assert elementary is not None
        return elementary(*term.arguments)
    return term


def _by_cases(name: str) -> bool:
    elementary = PRIMITIVES[name].elementary
    return name != "pi" and elementary is not None and any(isinstance(n, Compare) for n in walk(elementary(Entry("u"))))


CASES = frozenset(name for name in PRIMITIVES if _by_cases(name))


@dataclass(frozen=True)
class _Case:
    """What is assumed: facts; terms with a known sign, that are not 0, that are 0; indices that differ."""

    facts: tuple[Fact, ...]
    known: tuple[Known, ...]
    divisors: tuple[Term, ...]
    zeros: tuple[Term, ...]
    distinct: Pairs


class _Search:
    """Looks at one case after the other, up to a limit."""

    def __init__(self, distinct: Pairs) -> None:
        self.distinct = distinct
        self.left = MOST_CASES
        self.canonicals: dict[Pairs, Canonical] = {}

    def zero(self, term: Term) -> bool:
        """Whether a term is 0 in all cases."""
        known = tuple(each for each in known_of(term) if not any(isinstance(n, Compare) for n in walk(each.term)))
        facts = tuple(fact(self.poly(each.term, self.distinct), each.strict) for each in known)
        return self.holds(term, _Case(facts, known, tuple(divisors_of(term)), (), self.distinct))

    def holds(self, term: Term, case: _Case) -> bool:
        """Whether a term is 0 in this case."""
        self.left -= 1
        if self.left < 0:
            raise TooLargeError(f"there are more than {MOST_CASES} cases")
        comparison = _first(term)
        if comparison is None:
            return self.vanishes(term, case)
        return all(self.holds(each, inner) for each, inner in self.cases(term, comparison, case))

    def cases(self, term: Term, comparison: Compare, case: _Case) -> Iterator[tuple[Term, _Case]]:
        """The term in each case of a comparison that does not contradict what is assumed."""
        difference = add(comparison.left, negative(comparison.right))
        poly = self.cleared(self.poly(difference, case.distinct), case)
        for sign in (1, -1, 0):
            facts = zero(poly) if sign == 0 else (fact({m: c * sign for m, c in poly.items()}, True),)
            inner = (*case.facts, *facts)
            if contradictory(inner):
                continue
            chosen = replaced(term, comparison, _decided(comparison.relation, sign))
            if sign:
                known = Known(difference if sign > 0 else negative(difference), True)
                distinct = case.distinct | _apart(poly)
                yield chosen, replace(case, facts=inner, known=(*case.known, known), distinct=distinct)
            else:
                yield from self.equal(chosen, difference, poly, replace(case, facts=inner))

    def equal(self, term: Term, difference: Term, poly: Poly, case: _Case) -> Iterator[tuple[Term, _Case]]:
        """The case in which a difference is 0, with the equation put to use where it can be solved."""
        for pair in _apart(poly):
            if pair not in case.distinct:
                one, other = sorted(pair)
                yield _changed(term, case, partial(rename, mapping={other: one}))
            return
        found = solution(difference, lambda each: self.poly(each, case.distinct))
        factors = _factors(poly)
        solutions = [found] if found is not None else [(entry, ZERO) for entry in factors]
        if not solutions:
            yield term, replace(case, zeros=(*case.zeros, difference))
        for entry, value in solutions:
            changed, inner = _changed(term, case, partial(replaced, target=entry, value=value))
            if all(self.poly(each, case.distinct) for each in inner.divisors):
                yield changed, inner

    def vanishes(self, term: Term, case: _Case) -> bool:
        """Whether a term without comparisons is 0, by the canonical form and then with known signs."""
        if self.zero_form(term, case):
            return True
        if not has_roots(term):
            return False
        known = [*case.known, *known_of(term)]

        def poly(each: Term) -> Poly:
            return self.poly(each, case.distinct)

        split = split_roots(term, known, poly)
        return (split != term and self.zero_form(split, case)) or self.zero_form(with_squares(split, known, poly), case)

    def zero_form(self, term: Term, case: _Case) -> bool:
        """Whether the canonical form is 0, with what is 0 in this case."""
        canonical = self.canonical(case.distinct)
        form = reduced(canonical, canonical.poly(term), map(canonical.poly, case.zeros))
        return vanishes(canonical, form)

    def cleared(self, poly: Poly, case: _Case) -> Poly:
        """A polynomial times divisors that are positive, or the opposite of negative ones."""
        divisors = {atom: -e for m in poly for atom, e in m if atom.kind == "pow" and e <= -1 and not atom.positive}
        for atom, exponent in sorted(divisors.items()):
            sign = sign_of(atom, case.facts)
            if sign:
                canonical = self.canonical(case.distinct)
                base = {m: c * sign for m, c in dict(atom.data[0]).items()}
                poly = canonical.product(poly, canonical.power(base, ceiling(exponent)))
        return poly

    def poly(self, term: Term, distinct: Pairs) -> Poly:
        """The canonical form."""
        return self.canonical(distinct).poly(term)

    def canonical(self, distinct: Pairs) -> Canonical:
        """Canonical forms where these pairs of indices differ."""
        return self.canonicals.setdefault(distinct, Canonical(distinct))


def _changed(term: Term, case: _Case, change: Callable[[Term], Term]) -> tuple[Term, _Case]:
    """A term and what is assumed of it, rewritten in the same way."""
    known = tuple(Known(change(each.term), each.strict) for each in case.known)
    divisors, zeros = (tuple(map(change, each)) for each in (case.divisors, case.zeros))
    return change(term), replace(case, known=known, divisors=divisors, zeros=zeros)


def _factors(poly: Poly) -> list[Entry]:
    """The entries of which one is 0 where a single product of them is; none where it is something else."""
    ((monomial, _), *others) = poly.items() if poly else (((), 0),)
    entries = [Entry(*atom.data) for atom, e in monomial if atom.kind in ("entry", "symbol") and e > 0]
    return entries if not others and len(entries) == len(monomial) else []


def _decided(relation: str, sign: int) -> Term:
    """A comparison of two sides whose difference has this sign."""
    holds = {"<": sign < 0, "<=": sign <= 0, "==": sign == 0, "!=": sign != 0}[relation]
    return ONE if holds else ZERO


def _apart(poly: Poly) -> Pairs:
    """The two indices over one axis whose places a polynomial compares, as a set of one pair or none."""
    letters = [monomial[0][0].data[0] for monomial in poly if len(monomial) == 1 and monomial[0][0].kind == "position"]
    if len(letters) == 2 and len(poly) == 2 and sum(poly.values()) == 0 and letters[0].axis == letters[1].axis:
        one, other = (position_atom(letter) for letter in letters)
        if {((one, Fraction(1)),), ((other, Fraction(1)),)} == poly.keys():
            return frozenset((frozenset(letters),))
    return frozenset()


def _first(term: Term, bound: frozenset[Index] = frozenset()) -> Compare | None:
    """A comparison without bound letters whose sides hold no other comparison."""
    if isinstance(term, Binder):
        bound = bound.union(term.indices)
    for child in term.children:
        found = _first(child, bound)
        if found is not None:
            return found
    inner = any(isinstance(node, Compare) for child in term.children for node in walk(child))
    return term if isinstance(term, Compare) and not inner and term.free.isdisjoint(bound) else None
