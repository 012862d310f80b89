"""The prover's verdicts during planning, on terms in which names of adjoints are free variables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from symgrad.algebra.binding import instantiate, substitute, transform_children
from symgrad.algebra.terms import Entry, Index, Sum, Term, walk
from symgrad.errors import SymgradError
from symgrad.notation.layer import Layer
from symgrad.plan.choices import as_choice
from symgrad.plan.guess import Guess
from symgrad.plan.records import Equal

Body = tuple[tuple[Index, ...], Term]
"""The right-hand side of an equation, with the indices of its left-hand side."""


class PlanError(SymgradError):
    """A plan could not be proved equal to what it was made from; nothing is emitted."""


@dataclass
class Verdict:
    """Asks the prover, in terms of the layer's own names.

    Attributes:
        layer: whose names the prover knows.
        check_equal: the prover.
        known: equations for names that are not the layer's: adjoints, statements of the plan.
        guess: numbers that rule out wrong guesses before the prover is asked.
    """

    layer: Layer
    check_equal: Equal
    known: Mapping[str, Body]
    guess: Guess = field(default_factory=lambda: Guess())
    asked: dict[tuple[Term, Term], bool] = field(default_factory=dict)

    def knowing(self, known: Mapping[str, Body]) -> Verdict:
        """The same prover, with what it has answered, for other equations."""
        return replace(self, known=known)

    def equal(self, left: Term, right: Term) -> bool:
        """Whether both terms are proved equal, whatever the adjoints in them are."""
        pair = left, right = (as_choice(left), as_choice(right))
        if pair not in self.asked:
            differ = left != right and self.guess.differ(self.layer, left, right)
            self.asked[pair] = left == right or (not differ and self.check_equal(left, right, self.layer))
        return self.asked[pair]

    def require(self, left: Term, right: Term, what: str) -> None:
        """Raise unless both terms are proved equal; adjoints are replaced by their equations only if needed."""
        if self.equal(left, right) or self.equal(left, self._with_sums_of(left, right)):
            return
        if not self.equal(unfold(left, self.known), unfold(right, self.known)):
            raise PlanError(f"layer {self.layer.name}: the code form of {what} is not proved equal to its equation.")

    def _with_sums_of(self, left: Term, right: Term) -> Term:
        """The right term with its sums replaced by those of the left that are equal term by term."""
        if isinstance(right, Sum):
            for node in walk(left):
                if isinstance(node, Sum) and self._equal_term_by_term(node, right):
                    return node
        return transform_children(right, lambda child: self._with_sums_of(left, child))

    def _equal_term_by_term(self, left: Sum, right: Sum) -> bool:
        """Whether two sums over the same letters have bodies that are proved equal."""
        same = set(left.indices) == set(right.indices) and left.free == right.free
        return same and self.equal(left.body, right.body)


def unfold(term: Term, known: Mapping[str, Body]) -> Term:
    """The term with every name in `known` replaced by its equation, until none is left."""

    def replace(entry: Entry) -> Term | None:
        if entry.name not in known:
            return None
        indices, body = known[entry.name]
        return instantiate(unfold(body, known), indices, entry.indices)

    return substitute(term, replace) if term.names & known.keys() else term
