"""Verdicts: proved by the canonical form, refuted by a counterexample, or undecided.

Names of the layer are unfolded only as far as needed: a claim is first tried with every
intermediate as a free variable (which proves more than is asked), then with the last definition
replaced by its body, and so on down to the inputs. Each attempt is sound by itself.

"Proved" comes only from equal canonical forms, in each of several cases where comparisons or roots of
unknown sign are left (cases.py; tried last, where no counterexample was found); "refuted" only from
two numbers that differ, evaluated independently of the canonical form. Everything else is
undecided, with what is left over.
A proof is blind to what both sides share: a wrong row in `primitives`, a forward pass typed wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice

from symgrad.algebra.binding import instantiate, substitute
from symgrad.algebra.shape import shape
from symgrad.algebra.simplify import separate_letters, settle
from symgrad.algebra.terms import Entry, Index, Num, Term, add, negative, walk
from symgrad.derive.dependence import segments
from symgrad.derive.recorder import has_derivative
from symgrad.derive.records import Condition, Gradient
from symgrad.errors import DerivationError, SymgradError, TooLargeError
from symgrad.notation.layer import Layer
from symgrad.prove.canonical import Canonical
from symgrad.prove.cases import is_large, zero_by_cases
from symgrad.prove.clear import vanishes
from symgrad.prove.conditions import Conditions, conditions_of, domain_of
from symgrad.prove.counterexample import Counterexample, find_counterexample
from symgrad.prove.derivatives import Derivatives
from symgrad.prove.monomials import Poly
from symgrad.prove.numbers import EvaluationError

MAX_NODES = 20_000
"""Terms with more nodes are not unfolded further."""
PROVED, REFUTED, UNDECIDED = "proved", "refuted", "undecided"
Pairs = tuple[frozenset[Index], ...]


@dataclass(frozen=True)
class Proof:
    """What is known of an equality for every size and value.

    Attributes:
        verdict: "proved", "refuted" or "undecided".
        left: the left side.
        right: the right side.
        assumptions: what it needs beyond the layer's own domain, such as w != 0.
        distinct: pairs of indices that it is about only where they differ.
        counterexample: for a refutation, sizes and values at which the sides differ.
        unfolded: the names that were replaced by their definitions.
        left_over: for an undecided one, why, or how much is left.
    """

    verdict: str
    left: Term
    right: Term
    assumptions: tuple[Condition, ...] = ()
    distinct: Pairs = ()
    counterexample: Counterexample | None = None
    unfolded: tuple[str, ...] = ()
    left_over: str = ""

    def __post_init__(self) -> None:
        if (self.verdict == REFUTED) != (self.counterexample is not None):
            raise SymgradError("a refutation has a counterexample, and nothing else has one")

    @property
    def proved(self) -> bool:
        """Whether the equality holds for every size and value, under the assumptions."""
        return self.verdict == PROVED


class Prover:
    """Decides equalities of terms about one layer.

    Args:
        layer: whose names the terms use.
        gradients: what `d_x` (or a tangent) stands for, in the order of computation.
    """

    def __init__(self, layer: Layer, gradients: tuple[Gradient, ...] = ()) -> None:
        self.layer = layer
        parts = segments(layer)
        self.upstream = frozenset(name for part in parts for name in part.exports)
        self.bodies: dict[str, tuple[tuple[Index, ...], Term]] = {}
        for definition in layer.definitions:
            self.bodies[definition.name] = (definition.indices, definition.body)
        for gradient in gradients:
            self.bodies[gradient.entry.name] = (gradient.entry.indices, gradient.body)
        self.domain = Conditions(domain_of(layer))
        self.derivatives = Derivatives(layer)
        self.canonicals: dict[Pairs, Canonical] = {}
        self.order = {name: (self._rank(name), place) for place, name in enumerate(self.bodies)}

    def _rank(self, name: str) -> int:
        """What is unfolded first: gradients, then definitions, then gradients of calls' results.

        The latter are upstream gradients for everything before them; a formula that is right for
        any upstream gradient is proved without looking into them.
        """
        if self.layer.definition(name) is not None:
            return 1
        plain = name.removeprefix("d_")
        return 0 if plain in self.upstream else 2

    def decide(
        self, left: Term, right: Term, distinct: Pairs = (), fixed: Mapping[str, Fraction] | None = None
    ) -> Proof:
        """The verdict on `left = right`.

        Args:
            left: a term about the layer; may hold gradients and derivatives.
            right: another, with the same free indices.
            distinct: pairs of free indices that differ.
            fixed: values for given names, such as 1 for the upstream gradient of a loss.
        """
        assumptions = conditions_of((left, right), self.layer, self.domain)
        unfolded, reason = self._prove(left, right, distinct, fixed or {})
        if not reason:
            return Proof(PROVED, left, right, assumptions, distinct, unfolded=unfolded)
        found = self._refute(left, right, distinct, fixed or {})
        if found is not None:
            return Proof(REFUTED, left, right, assumptions, distinct, found, unfolded)
        names = self._by_cases(left, right, distinct, fixed or {})
        if names is not None:
            return Proof(PROVED, left, right, assumptions, distinct, unfolded=names)
        return Proof(UNDECIDED, left, right, assumptions, distinct, unfolded=unfolded, left_over=reason)

    def _refute(self, left: Term, right: Term, distinct: Pairs, fixed: Mapping[str, Fraction]) -> Counterexample | None:
        """A counterexample, or None where none was found or the claim can be evaluated nowhere."""
        pairs = tuple((first, second) for first, second in map(sorted, distinct))
        try:
            return find_counterexample(left, right, self.layer, distinct=pairs, fixed=fixed)
        except (EvaluationError, RecursionError):
            return None

    def equal(self, left: Term, right: Term, distinct: Pairs = (), fixed: Mapping[str, Fraction] | None = None) -> bool:
        """Whether the equality is proved; no counterexample is looked for."""
        return not self._prove(left, right, distinct, fixed or {})[1]

    def same(self, left: Term, right: Term) -> bool:
        """Whether both sides are equal with every name as a free variable; nothing is unfolded."""
        self._canonical(()).begin()
        try:
            return not self._attempt(add(left, negative(right)), ())
        except (DerivationError, TooLargeError, ZeroDivisionError):
            return False

    def _prove(
        self, left: Term, right: Term, distinct: Pairs, fixed: Mapping[str, Fraction]
    ) -> tuple[tuple[str, ...], str]:
        """The unfolded names, and what stands in the way ("" where it is proved)."""
        if shape(settle(left)) == shape(settle(right)) and not has_derivative(left):
            return (), ""  # the same but for the order in which it is written
        self._canonical(distinct).begin()
        unfolded: list[str] = []
        reason = ""
        try:
            term = self.derivatives.resolved(add(left, negative(right)))
            while True:
                term = _fix(term, fixed)
                reason = self._attempt(term, distinct)
                name = self._latest(term)
                if not reason or name is None:
                    return tuple(unfolded), reason
                if sum(1 for _ in islice(walk(term), MAX_NODES)) == MAX_NODES:
                    return tuple(unfolded), f"with {len(unfolded)} names unfolded there are more than {MAX_NODES} parts"
                unfolded.append(name)
                term = self._unfold(term, name)
        except (DerivationError, TooLargeError) as error:
            return tuple(unfolded), str(error)
        except RecursionError:
            return tuple(unfolded), "an expression is nested too deeply"
        except ZeroDivisionError:
            return tuple(unfolded), "a side divides by zero for every value"

    def _by_cases(
        self, left: Term, right: Term, distinct: Pairs, fixed: Mapping[str, Fraction]
    ) -> tuple[str, ...] | None:
        """The names that were unfolded until the equality was proved by cases; None where it was not."""
        unfolded: list[str] = []
        try:
            term = self.derivatives.resolved(add(left, negative(right)))
            while True:
                term = _fix(term, fixed)
                if zero_by_cases(term, frozenset(distinct)):
                    return tuple(unfolded)
                name = self._latest(term)
                if name is None or is_large(term):
                    return None
                unfolded.append(name)
                term = self._unfold(term, name)
        except (DerivationError, TooLargeError, RecursionError):
            return None

    def _canonical(self, distinct: Pairs) -> Canonical:
        """Canonical forms where these pairs of indices differ; they are kept between questions."""
        return self.canonicals.setdefault(distinct, Canonical(distinct))

    def _attempt(self, term: Term, distinct: Pairs) -> str:
        """What is left over of a term that should be zero; an empty string where it is."""
        canonical = self._canonical(distinct)
        difference: Poly = canonical.poly(term)
        if vanishes(canonical, difference):
            return ""
        return f"{len(difference)} terms are left over"

    def _latest(self, term: Term) -> str | None:
        """The name in a term that is unfolded next."""
        known = [name for name in term.names if name in self.order]
        return max(known, key=self.order.__getitem__) if known else None

    def _unfold(self, term: Term, name: str) -> Term:
        """The term with a name replaced by what it stands for."""
        indices, body = self.bodies[name]

        def replace(entry: Entry) -> Term | None:
            return instantiate(body, indices, entry.indices) if entry.name == name else None

        return separate_letters(substitute(term, replace))


def _fix(term: Term, fixed: Mapping[str, Fraction]) -> Term:
    """The term with given scalars replaced by their values."""
    if term.names.isdisjoint(fixed):
        return term
    return substitute(term, lambda entry: Num(fixed[entry.name]) if entry.name in fixed else None)
