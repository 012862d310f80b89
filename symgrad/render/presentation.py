"""What a reader sees of a study: the final scalar's own upstream gradient is 1 and is not written."""

from __future__ import annotations

from dataclasses import replace

from symgrad.algebra.binding import substitute
from symgrad.algebra.simplify import settle
from symgrad.algebra.terms import ONE, Diff, Entry, Term
from symgrad.derive.records import Derivation, Gradient
from symgrad.notation.layer import Layer
from symgrad.prove.study import Found, Study


def presented(study: Study) -> Study:
    """The study with d_L = 1 where the layer's only output is a scalar L; else the study itself."""
    if not study.layer.scalar_output:
        return study
    return replace(study, found=tuple(_found(found, study.layer) for found in study.found))


def without_seed(term: Term, layer: Layer) -> Term:
    """The term with the upstream gradient of the layer's scalar output set to 1."""
    seed = f"d_{layer.outputs[0]}"
    if not layer.scalar_output or seed not in term.names:
        return term
    if isinstance(term, Diff):
        return term
    return settle(substitute(term, lambda entry: ONE if entry.name == seed else None))


def _found(found: Found, layer: Layer) -> Found:
    return replace(
        found,
        paths=_gradient(found.paths, layer),
        jacobian=None if found.jacobian is None else _gradient(found.jacobian, layer),
        forms=tuple(_derivation(form, layer) for form in found.forms),
    )


def _gradient(gradient: Gradient, layer: Layer) -> Gradient:
    return replace(
        gradient,
        body=without_seed(gradient.body, layer),
        derivation=_derivation(gradient.derivation, layer),
    )


def _derivation(derivation: Derivation, layer: Layer) -> Derivation:
    return derivation.mapped(lambda term: term if isinstance(term, Entry) else without_seed(term, layer))
