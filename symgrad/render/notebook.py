"""Records as the parts that a notebook shows."""

from __future__ import annotations

from collections.abc import Iterator

from symgrad.algebra.terms import Diff
from symgrad.derive.records import Derivation, Gradient
from symgrad.notation.claim import Claim
from symgrad.notation.layer import Layer
from symgrad.prove.study import Found, Study
from symgrad.prove.verdict import Proof
from symgrad.render.aligned import chain, chains, condition, equations
from symgrad.render.names import Names
from symgrad.render.parts import Code, Formula, Heading, Judged, Part, Words
from symgrad.render.presentation import presented
from symgrad.render.terminal import SOLUTIONS, takes_two_solutions
from symgrad.render.verdicts import counterexample


def layer_parts(layer: Layer) -> Iterator[Part]:
    """The name, what it is, and the equations."""
    yield Heading(layer.name)
    if layer.doc:
        yield Words(layer.doc)
    names = Names.of(layer)
    yield Formula(equations(((d.entry, d.body) for d in layer.definitions), names))


def study_parts(study: Study) -> Iterator[Part]:
    """The equations, every gradient and what is proved."""
    yield from layer_parts(study.merge.layer)
    for found in study.found:
        if found.jacobian is not None:
            yield from gradient_parts(study, found.name)


def gradient_parts(study: Study, name: str) -> Iterator[Part]:
    """One gradient by both solutions, where they differ, and the verdict on their equality."""
    shown = presented(study)
    names = Names.of(shown.merge.layer)
    found = shown.gradient(name)
    routes = {2: found.paths, 1: found.jacobian} if takes_two_solutions(found) else {2: found.paths}
    for number, route in sorted(routes.items()):
        assert route is not None
        solution = f", Solution {number}: {SOLUTIONS[number]}" if len(routes) > 1 else ""
        yield Heading(f"The gradient of {name}{solution}")
        inner = (
            {each.name: each.paths.derivation for each in shown.found if each.jacobian is None} if number == 2 else {}
        )
        yield from (Formula(each) for each in _with_intermediates(route.derivation, inner, names))
        yield from (Formula(chain(form, names)) for form in found.forms)
    yield _agreement(found)


def derivation_parts(derivation: Derivation, names: Names) -> Iterator[Part]:
    """The chains of a derivation, those that it uses first."""
    yield from (Formula(each) for each in chains(derivation, names))


def _with_intermediates(derivation: Derivation, inner: dict[str, Derivation], names: Names) -> Iterator[str]:
    """A derivation by paths; the gradient of an intermediate stands before the first path that it is on."""
    for lemma in derivation.lemmas:
        assert isinstance(lemma.target, Diff)
        for name in sorted(lemma.target.body.names & inner.keys()):
            yield from _with_intermediates(inner.pop(name), inner, names)
        yield from chains(lemma, names)
    yield chain(derivation, names)


def _agreement(found: Found) -> Part:
    if found.proof is None:
        return Judged("one route", f"d_{found.name} lies inside the layer: the other route eliminates {found.name}.")
    return Judged(found.proof.verdict, "Solution 1 = Solution 2, for every size and value.")


def verdict_parts(claim: Claim, proof: Proof, layer: Layer, nearest: tuple[str, str] | None) -> Iterator[Part]:
    """The claim, its verdict and what belongs to it."""
    names = Names.of(layer)
    apart = r",\ ".join(r" \ne ".join(sorted(index.name for index in pair)) for pair in claim.distinct)
    yield Formula(equations([(claim.left, claim.right)], names) + (rf"\qquad ({apart})" if apart else ""))
    yield Judged(proof.verdict, "for every size and value." if proof.proved else proof.left_over)
    if proof.assumptions:
        yield Words("assuming")
        yield Formula(r",\ ".join(condition(each, names) for each in proof.assumptions))
    if proof.counterexample is not None:
        yield Code("\n".join(counterexample(proof.counterexample, margin=0)))
    if nearest is not None:
        yield Words(f"nearest right form (changed: {nearest[1]})")
        yield Code(nearest[0])


def tangents_parts(layer: Layer, tangents: tuple[Gradient, ...], proof: Proof | None) -> Iterator[Part]:
    """The equations of tangents; for forward mode that it is adjoint to reverse mode."""
    names = Names.of(layer)
    yield Heading("Tangents")
    if tangents:
        yield Formula(equations(((each.entry, each.body) for each in tangents), names))
    else:
        yield Words("every tangent is 0")
    if proof is not None:
        yield Judged(proof.verdict, "<d, J v> = <Jᵀ d, v>")
