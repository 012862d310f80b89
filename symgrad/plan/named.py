"""Values that have a name: exponentials in a gradient expressed through a definition's own value.

From p = exp(u) / S follows exp(u) = p S. Put into a gradient, S cancels, and what stays is a formula in
the saved p: p (d_p - sum p d_p) for softmax. The same for y = u - log S (exp(u) = exp(y) S) and for
y = log S. A form is taken where it needs fewer exponentials and sums, and the prover agrees.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from symgrad.algebra.binding import transform_children
from symgrad.algebra.simplify import expand, factors_of, product_of, tidy
from symgrad.algebra.terms import (
    MINUS_ONE,
    Add,
    Binder,
    Call,
    Entry,
    Index,
    Mul,
    Sum,
    Term,
    add,
    mul,
    negative,
    power,
    walk,
)
from symgrad.notation.layer import Definition
from symgrad.plan.matching import exponents, match, replace_exponentials
from symgrad.plan.verdict import Verdict

TOKEN = "%sum"
"""The name of a sum while it waits to be cancelled."""
Form = Callable[[Term], Term]


@dataclass(frozen=True)
class Solved:
    """A definition solved for an exponential: exp(exponent) = value * total^(power).

    Attributes:
        exponent: u.
        value: with the definition's name and letters.
        total: the sum S.
        power: +1 or -1, how S multiplies the value.
        letters: the indices that may have other letters in an instance.
    """

    exponent: Term
    value: Term
    total: Sum
    power: int
    letters: tuple[Index, ...]

    def apply(self, term: Term, form: Form) -> Term | None:
        """The term through the value; None where the sum does not cancel."""
        hidden = self._hidden(term)
        token = Entry(TOKEN, tuple(sorted(self.total.free)))
        pattern = mul(self.value, power(token, self.power))

        def change(argument: Term) -> Term | None:
            letters = match(self.exponent, argument, self.letters)
            return None if letters is None else _renamed(pattern, letters)

        changed = replace_exponentials(hidden, change)
        if changed == hidden:
            return None
        settled = _factored(tidy(expand(tidy(form(tidy(expand(form(changed))))))))
        return None if TOKEN in settled.names else settled

    def _hidden(self, term: Term) -> Term:
        """The term with a token in the place of each instance of the sum."""
        if isinstance(term, Binder):
            letters = match(self.total, term, self.letters)
            if letters is not None:
                return _renamed(Entry(TOKEN, tuple(sorted(self.total.free))), letters)
        return transform_children(term, self._hidden)


def _renamed(term: Term, letters: dict[Index, Index]) -> Term:
    """Entries and numbers only, so that nothing can be captured."""
    if isinstance(term, Entry):
        return Entry(term.name, tuple(letters.get(index, index) for index in term.indices))
    return transform_children(term, lambda child: _renamed(child, letters))


def through_definitions(term: Term, definitions: Iterable[Definition], verdict: Verdict, form: Form) -> Term:
    """The term with exponentials expressed through definitions; `form` brings a term into code form."""
    if next(exponents(term), None) is None:
        return term
    for definition in definitions:
        for solved in _solved(definition):
            if solved.exponent.names <= term.names:
                found = solved.apply(term, form)
                if found is not None and _cost(found) < _cost(term) and verdict.equal(term, found):
                    term = found
    return term


def _cost(term: Term) -> int:
    """How many exponentials and sums there are."""
    return sum(isinstance(node, Binder) or (isinstance(node, Call) and node.function == "exp") for node in walk(term))


def _solved(definition: Definition) -> Iterator[Solved]:
    """The ways to solve a definition for an exponential."""
    body, entry = definition.body, definition.entry
    factors = body.factors if isinstance(body, Mul) else (body,)
    tops = [f for f in factors if isinstance(f, Call) and f.function == "exp"]
    for total in (node for node in walk(body) if isinstance(node, Sum)):
        if len(tops) == 1 and power(total, -1) in factors and len(factors) == 2:
            yield Solved(tops[0].arguments[0], entry, total, 1, definition.indices)
        log = Call("log", (total,))
        if isinstance(body, Add) and mul(MINUS_ONE, log) in body.terms:
            rest = [part for part in body.terms if part != mul(MINUS_ONE, log)]
            yield Solved(add(*rest), Call("exp", (entry,)), total, 1, definition.indices)
        if body == log:
            for argument in exponents(total.body):
                value = Call("exp", (add(argument, negative(entry)),))
                yield Solved(argument, value, total, 1, (*definition.indices, *total.indices))


def _factored(term: Term) -> Term:
    """A b + a c = a (b + c) for a factor a with all indices."""
    if not isinstance(term, Add):
        return term
    parts = [factors_of(part) for part in term.terms]
    common = [
        base for base, e in parts[0][1]
        if base.free == term.free and e == 1 and all((base, e) in factors for _, factors in parts[1:])
    ]  # fmt: skip
    if not common or not term.free:
        return term
    rest = [product_of(c, [(b, e) for b, e in factors if b not in common]) for c, factors in parts]
    return mul(*common, add(*rest))
