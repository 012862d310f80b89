"""`Step` and `Derivation`: what the engine writes down while it works."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from symgrad.algebra.binding import alpha_equal
from symgrad.algebra.terms import Entry, Index, Term
from symgrad.errors import SymgradError


@dataclass(frozen=True)
class Condition:
    """A side condition of a step: `term` is "positive" or "nonzero"."""

    kind: str
    term: Term


@dataclass(frozen=True)
class Step:
    """One equality of a derivation: `before = after`, by the named rules.

    Attributes:
        rules: names of the rules that were applied, each a row of derive/rules.py.
        before: the term before.
        after: the term after.
        reason: what a reader should know, in words; may be empty.
        conditions: what the step needs beyond the layer's own domain (w != 0).
        distinct: pairs of indices that differ where the step is valid (the case k != i).
    """

    rules: tuple[str, ...]
    before: Term
    after: Term
    reason: str = ""
    conditions: tuple[Condition, ...] = ()
    distinct: tuple[frozenset[Index], ...] = ()


@dataclass(frozen=True)
class Derivation:
    """A chain of equalities `target = … = result`.

    Attributes:
        route: which way it belongs to ("paths", "jacobian", "local", "form").
        target: the left-hand side: a gradient entry, or a derivative not yet taken.
        steps: each begins where the last one ended.
        result: the last term.
        title: what is derived, in words.
        lemmas: derivations whose results this one uses, each before its use.
    """

    route: str
    target: Term
    steps: tuple[Step, ...]
    result: Term
    title: str = ""
    lemmas: tuple[Derivation, ...] = field(default=())

    def __post_init__(self) -> None:
        last = self.steps[0].before if self.steps else self.result
        for step in self.steps:
            if not alpha_equal(step.before, last):
                raise SymgradError(f"a step of {self.title!r} does not begin where the last one ended")
            last = step.after
        if not alpha_equal(last, self.result):
            raise SymgradError(f"the steps of {self.title!r} do not end in its result")

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """All side conditions, of lemmas too, each once."""
        own = [condition for step in self.steps for condition in step.conditions]
        inner = [condition for lemma in self.lemmas for condition in lemma.conditions]
        return tuple(dict.fromkeys(inner + own))

    def mapped(self, change: Callable[[Term], Term]) -> Derivation:
        """The derivation with `change` applied to every term; steps that become trivial are dropped."""
        steps = [replace(step, before=change(step.before), after=change(step.after)) for step in self.steps]
        return replace(
            self,
            target=change(self.target),
            steps=tuple(step for step in steps if not alpha_equal(step.before, step.after)),
            result=change(self.result),
            lemmas=tuple(lemma.mapped(change) for lemma in self.lemmas),
        )


@dataclass(frozen=True)
class Gradient:
    """d_name as the engine found it, in terms of the layer's names and of other gradients.

    Attributes:
        entry: `d_x[s, c, k]`.
        body: the term that it equals.
        derivation: how.
    """

    entry: Entry
    body: Term
    derivation: Derivation
