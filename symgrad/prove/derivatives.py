"""Derivatives that stand in a claim, taken by the engine."""

from __future__ import annotations

from symgrad.algebra.binding import instantiate, transform_children
from symgrad.algebra.terms import Diff, Entry, Term, walk
from symgrad.derive.dependence import separated
from symgrad.derive.jacobian import TotalDerivatives
from symgrad.derive.recorder import Recorder, has_derivative
from symgrad.derive.rules import Context
from symgrad.errors import DerivationError
from symgrad.notation.layer import Layer


class Derivatives:
    """Takes the derivatives that stand in claims about one layer; lemmas are derived once."""

    def __init__(self, layer: Layer) -> None:
        self.layer = layer
        self.contexts: dict[str, Context] = {}

    def resolved(self, term: Term) -> Term:
        """The term with every `total(…)` and `partial(…)` taken, inner ones first."""
        if not has_derivative(term):
            return term
        if isinstance(term, Diff):
            return self._taken(Diff(self.resolved(term.body), term.wrt, term.total))
        return transform_children(term, self.resolved)

    def _taken(self, derivative: Diff) -> Term:
        """One derivative of a term that holds no other."""
        for node in walk(derivative.body):
            if isinstance(node, Entry) and node.name.startswith("d_"):
                raise DerivationError("a derivative of a gradient is of second order, which is not derived yet.")
        context = Context({}, {})
        if derivative.total:
            context = self._context(derivative.wrt.name)
        else:
            derivative = Diff(self._opened(derivative), derivative.wrt, total=False)
        recorder = Recorder(derivative, context)
        recorder.differentiate()
        return recorder.term

    def _context(self, name: str) -> Context:
        """What is known of total derivatives by `name`."""
        if name not in self.contexts:
            derivatives = TotalDerivatives(self.layer, separated(self.layer))
            self.contexts[name] = derivatives.context_for(self.layer.entry(name))
        return self.contexts[name]

    def _opened(self, derivative: Diff) -> Term:
        """`partial(y[c, k], mu[c])` differentiates y's equation; any other body stands for itself."""
        body = derivative.body
        definition = self.layer.definition(body.name) if isinstance(body, Entry) else None
        if definition is None or definition.name == derivative.wrt.name:
            return body
        assert isinstance(body, Entry)
        return instantiate(definition.body, definition.indices, body.indices)
