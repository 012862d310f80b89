"""Gradients that divide by a value which can be 0, where the division cancels one step further on.

With L = -sum t log p and p = softmax(x), d_p = -t d_L / p; but d_x = p (d_p - sum p d_p) needs no division.
"""

from __future__ import annotations

from collections.abc import Mapping

from symgrad.algebra.simplify import everywhere, expand, tidy
from symgrad.algebra.terms import Add, Pow, Term, walk
from symgrad.notation.layer import Layer
from symgrad.plan.matching import exponents
from symgrad.plan.verdict import Body, Verdict, unfold


def without_poles(term: Term, adjoints: Mapping[str, Body], verdict: Verdict) -> Term:
    """The term with gradients put in that divide by a value of exponentials, where that cancels."""
    for name in sorted(term.names & adjoints.keys()):
        indices, body = adjoints[name]
        if not name.startswith("d_") or not _poles(body, verdict.layer):
            continue
        inlined = unfold(term, {name: (indices, body)})
        found = everywhere(tidy(inlined), lambda node: _multiplied_out(node, verdict.layer))
        if not _poles(found, verdict.layer) and verdict.equal(found, inlined):
            term = found
    return term


def _multiplied_out(node: Term, layer: Layer) -> Term:
    """A product over sums that hold such a division, multiplied out."""
    return tidy(expand(node, lambda factor: isinstance(factor, Add) and bool(_poles(factor, layer))))


def _poles(term: Term, layer: Layer) -> list[Term]:
    """The bases of negative powers that hold a definition made of exponentials."""
    bases = (node.base for node in walk(term) if isinstance(node, Pow) and node.exponent < 0)
    return [base for base in bases if any(_saturates(name, layer) for name in base.names)]


def _saturates(name: str, layer: Layer) -> bool:
    definition = layer.definition(name)
    return definition is not None and next(exponents(definition.body), None) is not None
