"""The right forms of a layer's gradients, as people write them: what mistakes are made in.

The same gradient is written in several ways, and one slip makes a different formula in each: with
the gradients of the statistics kept, as the emitted kernels write it; with everything eliminated,
as the two routes found it; and through the output, with (y - beta)/w for the normalized input.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from symgrad.algebra.binding import instantiate
from symgrad.algebra.terms import Index, Term
from symgrad.check.against.reference import Body
from symgrad.errors import InputError
from symgrad.notation.claim import parse_claim
from symgrad.notation.layer import Layer
from symgrad.plan.records import KernelPlan
from symgrad.prove.study import Study, split_gradient


@dataclass(frozen=True)
class Form:
    """A way to write the gradients: each in terms of the layer's names and of those before it.

    Attributes:
        what: "as the kernels compute it".
        bodies: by name, in the order of computation.
    """

    what: str
    bodies: tuple[Body, ...]

    def chain(self, name: str) -> tuple[Body, ...]:
        """The gradients that `name` is made of, itself last."""
        needed, found = {name}, []
        for body in reversed(self.bodies):
            if body[0] in needed:
                needed |= body[2].names
                found.append(body)
        return tuple(reversed(found))


def forms(study: Study, plan: KernelPlan) -> list[Form]:
    """All forms, those that read best first."""
    found = [
        Form("with the intermediate gradients kept, as kernels compute it", tuple(_planned(plan, study))),
        Form("with the intermediate gradients kept, as derived", tuple(_kept(study))),
        Form("with everything eliminated", tuple(_eliminated(study))),
    ]
    found += [Form("through the output", (body,)) for body in _through_output(study)]
    return [form for form in found if form.bodies]


def derived_bodies(study: Study) -> tuple[Body, ...]:
    """The gradients as derived, in the order of computation."""
    return tuple(_kept(study))


def _planned(plan: KernelPlan, study: Study) -> Iterator[Body]:
    """The statements of the emitted backward pass that are gradients."""
    for statement in plan.backward.statements:
        if not statement.name.startswith("d_"):
            continue
        try:
            claim = parse_claim(" ".join(statement.formula.split()), study.layer)
        except InputError:
            continue  # a statement that the plan made for itself
        left = claim.left
        if hasattr(left, "indices") and hasattr(left, "name"):
            yield left.name, left.indices, claim.right


def _kept(study: Study) -> Iterator[Body]:
    for gradient in study.gradients:
        yield gradient.entry.name, gradient.entry.indices, gradient.body


def _eliminated(study: Study) -> Iterator[Body]:
    """By the route that eliminates the intermediates."""
    for found in study.found:
        if found.jacobian is not None:
            gradient = split_gradient(study.merge, found.jacobian)
            yield gradient.entry.name, gradient.entry.indices, gradient.body


def _through_output(study: Study) -> Iterator[Body]:
    for found in study.found:
        for form in found.forms:
            yield at_declared_letters(study, found.paths.entry.indices, found.name, form.result)


def at_declared_letters(study: Study, indices: tuple[Index, ...], name: str, result: Term) -> Body:
    """A result about the merged layer as one about the layer as written."""
    own = study.layer.entry(name).indices
    term = study.merge.split(result)
    if study.merge.merged:
        return f"d_{name}", own, term
    return f"d_{name}", own, instantiate(term, indices, own)


def definitions(layer: Layer) -> tuple[Body, ...]:
    """The forward pass in the same shape: what mistakes in it are made in."""
    return tuple((d.name, d.indices, d.body) for d in layer.definitions)
