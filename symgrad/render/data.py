"""A study as plain data, for `--json`: every step with its terms in the notation and in LaTeX."""

from __future__ import annotations

from typing import Any

from symgrad.article.book import EquationBook
from symgrad.derive.records import Condition, Derivation
from symgrad.notation.layer import Layer
from symgrad.notation.unparse import unparse
from symgrad.prove.study import Found, Study
from symgrad.render.latex import latex
from symgrad.render.names import Names

FORMAT = 1
"""Goes up by one when a key changes its meaning."""


def as_data(study: Study, book: EquationBook | None, solutions: tuple[int, ...] = (1, 2)) -> dict[str, Any]:
    """The study as dictionaries, lists and strings.

    Terms are about the layer with merged axes, whose equations stand under "definitions".
    """
    layer = study.merge.layer
    writer = _Writer(layer, Names.of(layer), book)
    return {
        "format": FORMAT,
        "layer": study.layer.name,
        "text": study.layer.text,
        "axes": [{"name": a.name, "variadic": a.variadic, "parts": list(a.parts)} for a in layer.axes],
        "definitions": [writer.equation(d.entry, d.body) for d in layer.definitions],
        "domain": [writer.condition(c) for c in study.domain],
        "gradients": [writer.found(found, solutions) for found in study.found],
        "proved": study.proved,
    }


class _Writer:
    """Terms in both spellings."""

    def __init__(self, layer: Layer, names: Names, book: EquationBook | None) -> None:
        self.layer = layer
        self.names = names
        self.book = book

    def term(self, term: Any) -> dict[str, str]:
        return {"notation": unparse(term, self.layer), "latex": latex(term, self.names)}

    def equation(self, left: Any, right: Any) -> dict[str, Any]:
        number = self.book.number(left, right) if self.book is not None else ""
        return {"left": self.term(left), "right": self.term(right), "number": number}

    def condition(self, condition: Condition) -> dict[str, Any]:
        return {"kind": condition.kind, "term": self.term(condition.term)}

    def found(self, found: Found, solutions: tuple[int, ...]) -> dict[str, Any]:
        routes = {1: found.jacobian, 2: found.paths}
        proof = found.proof
        return {
            "name": found.name,
            "verdict": proof.verdict if proof is not None else None,
            "assumptions": [self.condition(c) for c in proof.assumptions] if proof is not None else [],
            "solutions": {
                str(number): self.derivation(gradient.derivation)
                for number, gradient in routes.items()
                if gradient is not None and number in solutions
            },
            "forms": [self.derivation(form) for form in found.forms],
        }

    def derivation(self, derivation: Derivation) -> dict[str, Any]:
        return {
            "title": derivation.title,
            "route": derivation.route,
            "target": self.term(derivation.target),
            "lemmas": [self.derivation(lemma) for lemma in derivation.lemmas],
            "steps": [
                {
                    "rules": list(step.rules),
                    "reason": step.reason,
                    "after": self.term(step.after),
                    "number": self.book.number(derivation.target, step.after) if self.book is not None else "",
                    "conditions": [self.condition(c) for c in step.conditions],
                    "distinct": [sorted(index.name for index in pair) for pair in step.distinct],
                }
                for step in derivation.steps
            ],
            "result": self.term(derivation.result),
        }
