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


def resolve_derivatives(term: Term, layer: Layer) -> Term:
    """The term with every `total(…)` and `partial(…)` taken, inner ones first."""
    if not has_derivative(term):
        return term
    if isinstance(term, Diff):
        return _taken(Diff(resolve_derivatives(term.body, layer), term.wrt, term.total), layer)
    return transform_children(term, lambda child: resolve_derivatives(child, layer))


def _taken(derivative: Diff, layer: Layer) -> Term:
    """One derivative of a term that holds no other."""
    for node in walk(derivative.body):
        if isinstance(node, Entry) and node.name.startswith("d_"):
            raise DerivationError("a derivative of a gradient is of second order, which is not derived yet.")
    if derivative.total:
        context = TotalDerivatives(layer, separated(layer)).context_for(layer.entry(derivative.wrt.name))
    else:
        context = Context({}, {})
        derivative = Diff(_opened(derivative, layer), derivative.wrt, total=False)
    recorder = Recorder(derivative, context)
    recorder.differentiate()
    return recorder.term


def _opened(derivative: Diff, layer: Layer) -> Term:
    """`partial(y[c, k], mu[c])` differentiates y's equation; any other body stands for itself."""
    body = derivative.body
    definition = layer.definition(body.name) if isinstance(body, Entry) else None
    if definition is None or definition.name == derivative.wrt.name:
        return body
    assert isinstance(body, Entry)
    return instantiate(definition.body, definition.indices, body.indices)
