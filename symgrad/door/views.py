"""Derivations, gradients and tangents: records of the pipeline that show themselves."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from symgrad import pipeline
from symgrad.algebra.terms import Entry, Term
from symgrad.derive import records
from symgrad.door.shown import Shown
from symgrad.door.words import gradient_named
from symgrad.notation.unparse import unparse
from symgrad.prove.study import Found, split_gradient
from symgrad.prove.study import Study as StudyRecord
from symgrad.prove.verdict import Proof
from symgrad.render import notebook
from symgrad.render.names import Names
from symgrad.render.parts import Part
from symgrad.render.tables import columns
from symgrad.render.terminal import Options, gradient_section, tangent_sections, terminal
from symgrad.render.text import text


@dataclass(frozen=True, repr=False)
class Derivation(Shown):
    """One way to a gradient, step by step.

    Attributes:
        record: the chain of equalities, with the derivations that it uses.
        study: whose names it is about.
    """

    record: records.Derivation
    study: StudyRecord

    @property
    def steps(self) -> tuple[records.Step, ...]:
        """Each equality with its rules, reason and side conditions."""
        return self.record.steps

    @property
    def result(self) -> Term:
        """The last term."""
        return self.record.result

    def __repr__(self) -> str:
        return f"<Derivation of {self.record.title!r}: {len(self.steps)} steps>"

    def __str__(self) -> str:
        names = Names.of(self.study.merge.layer)
        left = text(self.record.target, names)
        lines = [
            f"{left} = {text(step.after, names)}    [{step.reason or ', '.join(step.rules)}]" for step in self.steps
        ]
        inner = [str(Derivation(lemma, self.study)) for lemma in self.record.lemmas]
        return "\n".join([*inner, *(lines or [f"{left} = {text(self.result, names)}"])])

    def _parts(self) -> Iterable[Part]:
        return notebook.derivation_parts(self.record, Names.of(self.study.merge.layer))


@dataclass(frozen=True, repr=False)
class Gradient(Shown):
    """The gradient of the final scalar with respect to one tensor, found twice and proved.

    Attributes:
        name: of the tensor.
        study: in which it was found.
    """

    name: str
    study: StudyRecord

    @property
    def record(self) -> Found:
        """Both derivations and their proof."""
        return self.study.gradient(self.name)

    @cached_property
    def entry(self) -> Entry:
        """d_x[s, c, k], with the tensor's own letters."""
        return self._split.entry

    @cached_property
    def body(self) -> Term:
        """What it equals, written with the gradients of intermediates, in the order of computation."""
        return self._split.body

    @cached_property
    def formula(self) -> Term:
        """What it equals, written with the gradients of outputs, and of what layer calls hand on, only."""
        return self.study.merge.split(self.record.paths.derivation.result)

    @property
    def _split(self) -> records.Gradient:
        return split_gradient(self.study.merge, self.record.paths)

    @property
    def proved(self) -> bool:
        """Whether two independent derivations are proved equal for every size and value."""
        return self.record.proved

    @property
    def proof(self) -> Proof | None:
        """That both are equal; None for an intermediate, which one of the routes eliminates."""
        return self.record.proof

    @property
    def derivations(self) -> tuple[Derivation, ...]:
        """By adding up contribution paths; and by contracting the Jacobian, where that route has it."""
        routes = [self.record.paths, *([self.record.jacobian] if self.record.jacobian else [])]
        return tuple(Derivation(route.derivation, self.study) for route in routes)

    @property
    def notation(self) -> str:
        """The formula as a claim in the notation: d_x[i] = …."""
        layer = self.study.layer
        return f"{unparse(self.entry, layer)} = {unparse(self.formula, layer)}"

    def to_sympy(self) -> Any:
        """`Eq(d_x[i], …)`, with the formula's names as `Layer.to_sympy` has them.

        Raises:
            InputError: SymPy is not installed.
        """
        from symgrad.door.sympy_door import to_sympy

        return to_sympy().Symbols.of(self.study.layer).equation(self.entry, self.formula)

    def __repr__(self) -> str:
        verdict = self.proof.verdict if self.proof is not None else "one route"
        return f"<Gradient {text(self.entry, Names.of(self.study.layer))}: {verdict}>"

    def __str__(self) -> str:
        return gradient_section(self.study, self.name, Options(columns()))

    def _parts(self) -> Iterable[Part]:
        return notebook.gradient_parts(self.study, self.name)


@dataclass(frozen=True, repr=False)
class Study(Shown):
    """Every gradient of a layer, by both routes, with the proof that they agree.

    Attributes:
        record: the derivations, proofs and forms.
    """

    record: StudyRecord

    @property
    def proved(self) -> bool:
        """Whether every gradient with two derivations is proved."""
        return self.record.proved

    @property
    def gradients(self) -> tuple[Gradient, ...]:
        """Those of the inputs and parameters, in the order in which they are declared."""
        return tuple(Gradient(tensor.name, self.record) for tensor in self.record.layer.differentiable)

    def gradient(self, name: str) -> Gradient:
        """The gradient of an input, a parameter or an intermediate.

        Raises:
            InputError: the layer has no gradient of that name.
        """
        return Gradient(gradient_named(self.record, name), self.record)

    def document(self) -> str:
        """The derivation as a whole LaTeX document, as `symgrad derive --latex` writes it."""
        from symgrad.article.book import article_book
        from symgrad.render.document import latex_document

        return latex_document(self.record, article_book(self.record.layer), (1, 2))

    def __repr__(self) -> str:
        return f"<Study of {self.record.layer.name}: {'proved' if self.proved else 'not proved'}>"

    def __str__(self) -> str:
        from symgrad.article.book import article_book

        return "\n\n".join(terminal(self.record, article_book(self.record.layer), Options(columns())))

    def _parts(self) -> Iterable[Part]:
        return notebook.study_parts(self.record)


@dataclass(frozen=True, repr=False)
class Motion(Shown):
    """Tangents: how everything moves when some inputs do (`dot_x` is the direction of x).

    Attributes:
        record: the tangents, and for forward mode the proof that it is adjoint to reverse mode.
    """

    record: pipeline.Motion

    @property
    def proved(self) -> bool:
        """Whether <d, J v> = <Jᵀ d, v> is proved; False for second order, where no proof is made."""
        return self.record.proof is not None and self.record.proof.proved

    def __repr__(self) -> str:
        return f"<Motion of {self.record.layer.name}: {', '.join(g.entry.name for g in self.record.tangents)}>"

    def __str__(self) -> str:
        names = Names.of(self.record.layer)
        lines = list(tangent_sections(self.record.tangents, names, Options(columns()))) or ["every tangent is 0"]
        if self.record.proof is not None:
            lines.append(f"<d_out, J dot_in> = <Jᵀ d_out, dot_in>: {self.record.proof.verdict}")
        return "\n".join(lines)

    def _parts(self) -> Iterable[Part]:
        return notebook.tangents_parts(self.record.layer, self.record.tangents, self.record.proof)
