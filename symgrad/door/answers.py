"""Answers about a layer: verdicts on claims, and emitted kernels."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from symgrad import pipeline
from symgrad.check.kernels import load_kernel
from symgrad.door.shown import Shown
from symgrad.errors import InputError
from symgrad.notation.claim import Claim
from symgrad.prove.counterexample import Counterexample
from symgrad.prove.study import Study as StudyRecord
from symgrad.prove.verdict import PROVED, REFUTED, UNDECIDED, Proof
from symgrad.render import notebook
from symgrad.render.files import write_set
from symgrad.render.kernels.records import Rendered
from symgrad.render.parts import Code, Part, Words
from symgrad.render.verdicts import show


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

        Raises:
            InputError: it is a torch kernel, and torch is not installed.
        """
        if self.record.path.startswith("torch/") and find_spec("torch") is None:
            raise InputError("PyTorch is not installed.", hint="Install it: python -m pip install 'symgrad[torch]'")
        return load_kernel(self.record, kept=True)

    def write(self, out: Any) -> None:
        """Write `out`/<backend>/<layer>.py, and what belongs beside it (the plain C of C), all or nothing.

        Raises:
            InputError: the folder cannot be made or written to.
        """
        from pathlib import Path

        write_set([(Path(out) / file.path, file.text) for file in (self.record, *self.record.beside)])

    def __repr__(self) -> str:
        return f"<Kernel {self.path}: {len(self.text.splitlines())} lines>"

    def __str__(self) -> str:
        return self.text

    def _parts(self) -> Iterable[Part]:
        return (Words(self.path), Code(self.text))
