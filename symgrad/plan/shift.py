"""Sums of exponentials with the largest exponent taken out: exp(x_v) / sum exp(x_k), log sum exp(x_k).

exp(x_v - m) / sum exp(x_k - m) does not depend on m. So m is a free variable in the proof, and then the
largest exponent, which keeps every exponential at most 1 and their sum at least 1.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from symgrad.algebra.binding import transform_children
from symgrad.algebra.terms import Call, Entry, Reduce, Sum, Term, add, negative, walk
from symgrad.plan.matching import exponents, match, replace_exponentials
from symgrad.plan.verdict import Verdict

FREE = "%shift"
"""The name of the shift in proofs."""
Name = Callable[[Term], Entry]
"""Gives a term that is computed by itself a name."""


@dataclass(frozen=True)
class _Family:
    """The exponents u of a sum of exponentials, and the name m of what is taken out of them."""

    total: Sum
    exponent: Term
    shift: Entry
    logarithm: Callable[[Term], Term]

    def apply(self, term: Term, outside: bool) -> Term:
        """exp(u - m) for exp(u) and m + log(..) for logarithms of sums of them; `outside` of those as well."""
        if isinstance(term, Call) and term.function == "log" and any(map(self._has, exponents(term))):
            return self.logarithm(add(self.shift, replace_exponentials(term, self._change)))
        if outside and isinstance(term, Call) and term.function == "exp":
            return self._change(term.arguments[0]) or term
        return transform_children(term, lambda child: self.apply(child, outside))

    def _has(self, argument: Term) -> bool:
        return match(self.exponent, argument, self.total.indices) is not None

    def _change(self, argument: Term) -> Term | None:
        return Call("exp", (add(argument, negative(self.shift)),)) if self._has(argument) else None


def shifted(term: Term, verdict: Verdict, shifts: Collection[str], largest: Name, logarithm: Name) -> Term:
    """The term with every sum of exponentials shifted, where the prover agrees for any shift.

    Args:
        term: the code form of an equation.
        verdict: the prover.
        shifts: the names of shifts that there are already.
        largest: names the largest exponent.
        logarithm: names the logarithm of a sum of exponentials.
    """
    family = next(_families(term, shifts), None)
    if family is None:
        return term
    total, exponent, extreme = family
    free = _Family(total, exponent, Entry(FREE, tuple(sorted(extreme.free))), lambda log: log)
    for outside in (True, False):
        form = free.apply(term, outside)
        if form != term and verdict.equal(term, form):
            found = _Family(total, exponent, largest(extreme), logarithm)
            return shifted(found.apply(term, outside), verdict, {*shifts, found.shift.name}, largest, logarithm)
    return transform_children(term, lambda child: shifted(child, verdict, shifts, largest, logarithm))


def _families(term: Term, shifts: Collection[str]) -> Iterator[tuple[Sum, Term, Reduce]]:
    """The sums of exponentials in a term, an exponent in each, and the largest value that it has."""
    for node in walk(term):
        if not isinstance(node, Sum):
            continue
        for argument in _own_exponents(node.body):
            if not argument.free.isdisjoint(node.indices) and argument.names.isdisjoint(shifts):
                yield node, argument, Reduce("max", node.indices, argument)


def _own_exponents(body: Term) -> Iterator[Term]:
    """The arguments of the exponentials in a sum's body that stand in no sum inside it."""
    if isinstance(body, Call) and body.function == "exp":
        yield body.arguments[0]
    for child in () if isinstance(body, Sum) else body.children:
        yield from _own_exponents(child)
