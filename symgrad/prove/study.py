"""`Study`: a layer with both derivations of every gradient, their proof and their forms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from symgrad.algebra.binding import instantiate, substitute
from symgrad.algebra.simplify import separate_letters, tidy
from symgrad.algebra.terms import ZERO, Entry, Term
from symgrad.derive.express import through_output
from symgrad.derive.jacobian import derive_by_jacobian
from symgrad.derive.merge import Merge, merge_axes
from symgrad.derive.paths import derive_by_paths
from symgrad.derive.records import Condition, Derivation, Gradient, Step
from symgrad.notation.layer import Definition, Layer
from symgrad.notation.outputs import with_separate_outputs
from symgrad.prove.conditions import domain_of
from symgrad.prove.verdict import Proof, Prover


@dataclass(frozen=True)
class Found:
    """One gradient, found twice.

    Attributes:
        name: of the tensor or definition: "x".
        paths: by adding up contribution paths (Solution 2).
        jacobian: by contracting the Jacobian (Solution 1); None for intermediates inside a layer
            call, which that route eliminates.
        proof: that both are equal; None where there is one only.
        forms: the result expressed in other ways, each a derivation from the result.
    """

    name: str
    paths: Gradient
    jacobian: Gradient | None
    proof: Proof | None
    forms: tuple[Derivation, ...] = ()

    @property
    def proved(self) -> bool:
        """Whether two independent routes are proved equal."""
        return self.proof is not None and self.proof.proved


@dataclass(frozen=True)
class Study:
    """Everything derived from a layer's forward pass.

    Attributes:
        merge: the layer as written, and with axes that go together merged.
        found: the gradients, in the order of computation.
        domain: what the forward pass itself needs (var + eps > 0).
    """

    merge: Merge
    found: tuple[Found, ...]
    domain: tuple[Condition, ...]

    @property
    def layer(self) -> Layer:
        """The layer as written."""
        return self.merge.original

    @property
    def proved(self) -> bool:
        """Whether every gradient with two derivations is proved."""
        return all(found.proved for found in self.found if found.jacobian is not None)

    def gradient(self, name: str) -> Found:
        """The gradient of the tensor or definition `name`."""
        return next(found for found in self.found if found.name == name)

    @property
    def gradients(self) -> tuple[Gradient, ...]:
        """The gradients by paths, about the layer as written, in the order of computation."""
        return tuple(split_gradient(self.merge, found.paths) for found in self.found)


def study(layer: Layer) -> Study:
    """Derive every gradient of a layer by both routes, and prove them equal."""
    merge = merge_axes(with_separate_outputs(layer))
    paths = derive_by_paths(merge.layer)
    jacobians = {g.entry.name: g for g in derive_by_jacobian(merge.layer)}
    prover = Prover(merge.layer, paths)
    found = tuple(_found(merge.layer, prover, gradient, jacobians.get(gradient.entry.name)) for gradient in paths)
    return Study(merge, found, domain_of(merge.layer))


def _found(layer: Layer, prover: Prover, gradient: Gradient, jacobian: Gradient | None) -> Found:
    name = gradient.entry.name.removeprefix("d_")
    proof = prover.decide(jacobian.body, gradient.derivation.result) if jacobian is not None else None
    forms = _forms(layer, prover, gradient) if jacobian is not None else ()
    return Found(name, gradient, jacobian, proof, forms)


def _forms(layer: Layer, prover: Prover, gradient: Gradient) -> tuple[Derivation, ...]:
    """The result expressed through an output: x-hat as (y - beta)/w, where w != 0."""
    parameters = frozenset(t.name for t in layer.tensors if t.role == "parameter")
    result = gradient.derivation.result
    forms = []
    for definition in _results(layer):
        changed = through_output(result, definition, parameters)
        if changed is None:
            continue
        after, condition = separate_letters(changed[0]), changed[1]
        if prover.same(result, _opened(after, definition)):
            step = Step(("express through the output",), result, after, f"{definition.name} solved for its core",
                        (condition,))  # fmt: skip
            forms.append(Derivation("form", gradient.entry, (step,), after, f"through {definition.name}"))
    return tuple(forms)


def _opened(term: Term, definition: Definition) -> Term:
    """The term with one definition replaced by its body."""

    def replaced(entry: Entry) -> Term | None:
        return (
            instantiate(definition.body, definition.indices, entry.indices) if entry.name == definition.name else None
        )

    return substitute(term, replaced)


def _results(layer: Layer) -> list[Definition]:
    """The definitions that are outputs or results of layer calls."""
    calls = {call.result for call in layer.calls}
    return [d for d in layer.definitions if d.name in layer.outputs or d.name in calls]


def split_gradient(merge: Merge, gradient: Gradient) -> Gradient:
    """A gradient of the merged layer as one of the original layer, with the tensor's own letters."""
    if not merge.merged:
        return gradient
    name = gradient.entry.name
    indices = merge.original.entry(name.removeprefix("d_")).indices
    body = merge.split(gradient.body)
    return replace(gradient, entry=Entry(name, indices), body=body)


def statistics_gradients(layer: Layer, names: Sequence[str]) -> tuple[Gradient, ...]:
    """The gradients of the inputs where only the definitions `names` have upstream gradients.

    Where a definition u among them gets a gradient from others too, `d_u.u_total` is both. Gradients that
    are 0 are left out of the others (that of mu from var, because the deviations sum to 0).
    """
    merge = merge_axes(with_separate_outputs(replace(layer, outputs=tuple(names)), "total"))
    gradients = [split_gradient(merge, gradient) for gradient in derive_by_paths(merge.layer)]
    totals = {f"{name}.{name}_total": name for name in names}
    found: list[Gradient] = []
    plain: dict[str, Term] = {}  # gradients that are 0, or those that come in
    for gradient in gradients:
        body = tidy(substitute(gradient.body, lambda entry: _plainly(entry, plain, totals)))
        name = gradient.entry.name
        if body == ZERO or (isinstance(body, Entry) and name.removeprefix("d_") in totals):
            plain[name] = body
        if name not in plain or name.removeprefix("d_") not in totals:
            found.append(replace(gradient, body=body))
    return tuple(found)


def _plainly(entry: Entry, plain: Mapping[str, Term], totals: Mapping[str, str]) -> Term | None:
    """What an entry is called where nothing is added to it; None where it keeps its name."""
    if entry.name in totals:
        return Entry(totals[entry.name], entry.indices)
    if entry.name not in plain:
        return None
    value = plain[entry.name]
    return Entry(value.name, entry.indices) if isinstance(value, Entry) else value
