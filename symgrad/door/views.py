"""What `Layer` returns: records of the pipeline that show themselves."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from types import ModuleType
from typing import Any

from symgrad import pipeline
from symgrad.algebra.terms import Entry, Term
from symgrad.check.kernels import load_kernel
from symgrad.derive import records
from symgrad.door.shown import Shown
from symgrad.door.words import gradient_named
from symgrad.notation.claim import Claim
from symgrad.notation.unparse import unparse
from symgrad.prove.counterexample import Counterexample
from symgrad.prove.study import Found, split_gradient
from symgrad.prove.study import Study as StudyRecord
from symgrad.prove.verdict import PROVED, REFUTED, UNDECIDED, Proof
from symgrad.render import notebook
from symgrad.render.files import write_atomic
from symgrad.render.kernels.records import Rendered
from symgrad.render.names import Names
from symgrad.render.parts import Code, Part, Words
from symgrad.render.tables import columns
from symgrad.render.terminal import Options, gradient_section, tangent_sections, terminal
from symgrad.render.text import text
from symgrad.render.verdicts import show


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
        """What it equals, written with the layer's names and the upstream gradients only."""
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


@dataclass(frozen=True, repr=False)
class Verdict(Shown):
    """Whether a claim is right for every size and value; true in a condition only if it is proved.

    Attributes:
        claim: as it was read.
        proof: proved, refuted with a counterexample, or undecided with what is left over.
        study: of the layer that it is about.
    """

    claim: Claim
    proof: Proof
    study: StudyRecord

    def __bool__(self) -> bool:
        return self.proved

    @property
    def verdict(self) -> str:
        """One of "proved", "refuted" and "undecided"."""
        return self.proof.verdict

    @property
    def proved(self) -> bool:
        """Whether it holds for every size and value, under the stated assumptions."""
        return self.verdict == PROVED

    @property
    def refuted(self) -> bool:
        """Whether there are sizes and values at which the sides differ."""
        return self.verdict == REFUTED

    @property
    def undecided(self) -> bool:
        """Whether it was neither proved nor refuted."""
        return self.verdict == UNDECIDED

    @property
    def counterexample(self) -> Counterexample | None:
        """For a refutation sizes, exact values and both sides."""
        return self.proof.counterexample

    @cached_property
    def nearest(self) -> tuple[str, str] | None:
        """For a refuted claim the nearest right form and the edit to it; None where none is found."""
        return pipeline.nearest(self.study, self.claim, self.proof)

    def __repr__(self) -> str:
        return f"<Verdict {self.verdict}: {' '.join(self.claim.text.split())}>"

    def __str__(self) -> str:
        return show(self.claim, self.proof, self.study.layer, self.nearest)

    def _parts(self) -> Iterable[Part]:
        return notebook.verdict_parts(self.claim, self.proof, self.study.layer, self.nearest)


@dataclass(frozen=True, repr=False)
class Kernel(Shown):
    """An emitted file: standalone source that needs its backend only.

    Attributes:
        record: path, text and what it was made from.
    """

    record: Rendered

    @property
    def text(self) -> str:
        """The source."""
        return self.record.text

    @property
    def path(self) -> str:
        """Where it belongs: <backend>/<layer>.py."""
        return self.record.path

    def module(self) -> ModuleType:
        """The source as a module, ready to be called.

        It is symgrad's own output, made of checked names, that is run; no text of a layer is.
        """
        return load_kernel(self.record)

    def write(self, out: Any) -> None:
        """Write `out`/<backend>/<layer>.py, whole or not at all.

        Raises:
            InputError: the folder cannot be made or written to.
        """
        from pathlib import Path

        write_atomic(Path(out) / self.path, self.text)

    def __repr__(self) -> str:
        return f"<Kernel {self.path}: {len(self.text.splitlines())} lines>"

    def __str__(self) -> str:
        return self.text

    def _parts(self) -> Iterable[Part]:
        return (Words(self.path), Code(self.text))
