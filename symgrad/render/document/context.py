"""What every part of a document needs to know: the study, how names look, the numbers so far."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from symgrad.algebra.terms import Diff, Entry, Term
from symgrad.article.book import EquationBook
from symgrad.derive.records import Derivation
from symgrad.notation.layer import Layer
from symgrad.prove.study import Found, Study
from symgrad.render.document.markup import math
from symgrad.render.document.numbers import Numbering
from symgrad.render.latex import latex
from symgrad.render.names import Names


@dataclass
class Context:
    """The document as far as it is written. Make it with `Context.of`.

    Attributes:
        study: what the document is about, as a reader sees it.
        names: how names are displayed.
        numbering: of equations.
        definitions: the number of each definition's equation.
        results: the number of each equality derived so far, by its two sides.
        chains: the number of each chain that was shown, by its terms.
        forms: the numbers of each gradient's other forms, by name.
        tagged: the book's numbers under which each gradient was shown, by name.
    """

    study: Study
    names: Names
    numbering: Numbering
    definitions: dict[str, str] = field(default_factory=dict)
    results: dict[tuple[str, str], str] = field(default_factory=dict)
    chains: dict[tuple[str, ...], str] = field(default_factory=dict)
    forms: dict[str, list[str]] = field(default_factory=dict)
    tagged: dict[str, list[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, study: Study, book: EquationBook | None) -> Context:
        """The context in which a document begins."""
        return cls(study, Names.of(study.merge.layer), Numbering(book))

    @property
    def layer(self) -> Layer:
        """The layer that the derivations are about, with axes merged."""
        return self.study.merge.layer

    def latex(self, term: Term) -> str:
        """A term in math mode."""
        return latex(term, self.names)

    def inline(self, term: Term) -> str:
        """A term in a line of text."""
        return math(self.latex(term))

    def name(self, name: str) -> str:
        """A name without indices, in a line of text."""
        return math(self.latex(Entry(name, ())))

    def gradient(self, name: str) -> str:
        """A gradient without indices: ∂L/∂x."""
        return self.latex(Entry(f"d_{name}", ()))

    def result(self, derivation: Derivation) -> str:
        """The number of what a derivation ends in; empty where it was not shown."""
        return self.results.get(self._key(derivation.target, derivation.result), "")

    def remember(self, target: Term, result: Term, number: str) -> None:
        """Keep the number of an equality, for references."""
        self.results.setdefault(self._key(target, result), number)

    def shown(self, derivation: Derivation) -> str:
        """The number of a derivation that was shown step by step; empty where it was not."""
        return self.chains.get(self._terms(derivation), "")

    def keep(self, derivation: Derivation, number: str) -> None:
        """Keep that a derivation was shown, and the number of its result."""
        self.chains.setdefault(self._terms(derivation), number)
        self.remember(derivation.target, derivation.result, number)

    def distinct(self, derivations: Iterable[Derivation]) -> tuple[Derivation, ...]:
        """The derivations, each one that reads the same once."""
        return tuple({self._terms(derivation): derivation for derivation in derivations}.values())

    def reads_like(self, first: Derivation, second: Derivation) -> bool:
        """Whether two derivations and what they use read the same."""
        one, other = (list(map(self._terms, self.distinct((*d.lemmas, d)))) for d in (first, second))
        return one == other

    def _terms(self, derivation: Derivation) -> tuple[str, ...]:
        return self.latex(derivation.target), *(self.latex(step.after) for step in derivation.steps)

    def found(self, name: str) -> Found | None:
        """What was found for the gradient of a name, or None for a name without one."""
        return next((found for found in self.study.found if found.name == name), None)

    def public(self, name: str) -> bool:
        """Whether a name is a layer's output or the result of a layer call."""
        return name in self.layer.outputs or any(call.result == name for call in self.layer.calls)

    def _key(self, target: Term, result: Term) -> tuple[str, str]:
        kind = "total " if isinstance(target, Diff) and target.total else ""
        return kind + self.latex(target), self.latex(result)
