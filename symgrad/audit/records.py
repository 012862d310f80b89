"""What an audit finds: a verdict on each formula, a place for each entry."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from symgrad.notation.layer import Layer
from symgrad.notation.unparse import unparse
from symgrad.prove.verdict import Proof

PROVED, KINK, REFUTED, UNDECIDED, NOT_READ = "proved", "proved away from corners", "refuted", "undecided", "not read"
CORNER, MISFIT = "refuted at a corner", "wrong dimensions"
WORST_FIRST = (REFUTED, MISFIT, CORNER, UNDECIDED, NOT_READ, KINK, PROVED)
"""Verdicts. Away from corners: where no two values that are compared are equal. One that is refuted at a
corner holds elsewhere; where it is merely proved away from corners, no difference was found there either."""
GRADIENT, FORWARD = "gradient", "forward"


@dataclass(frozen=True)
class Claimed:
    """A formula as a claim about one setting of its operator.

    Attributes:
        settings: what this setting is: "reduction=1"; "" where there is one.
        text: the claim in the notation; "" where the formula is not read.
        verdict: one of `WORST_FIRST`.
        reason: why it is not read or undecided; for a corner, what has to differ.
        proof: the prover's answer; for a corner, that on the claim as it stands.
        layer: the operator as a layer.
    """

    settings: str
    text: str
    verdict: str
    reason: str = ""
    proof: Proof | None = None
    layer: Layer | None = None

    @property
    def assuming(self) -> tuple[str, ...]:
        """What the claim needs beyond the domain of the forward pass: "w[i] != 0"."""
        if self.proof is None or self.layer is None:
            return ()
        signs = {"nonzero": "!= 0", "positive": "> 0"}
        return tuple(f"{unparse(each.term, self.layer)} {signs[each.kind]}" for each in self.proof.assumptions)


@dataclass(frozen=True)
class Judged:
    """One formula of the file.

    Attributes:
        operator: "add.Tensor".
        target: the argument or the result that it is for.
        mode: "gradient" or "forward".
        formula: as written in the file.
        claims: one for each setting.
        helpers: the helper functions whose reading is symgrad's own.
        notes: how decimals were read.
    """

    operator: str
    target: str
    mode: str
    formula: str
    claims: tuple[Claimed, ...]
    helpers: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        """The worst verdict among the settings."""
        found = {claim.verdict for claim in self.claims}
        return next(verdict for verdict in WORST_FIRST if verdict in found)


@dataclass(frozen=True)
class Audited:
    """One entry of the file.

    Attributes:
        operator: its name with overload.
        reason: why it is out of scope; "" where it is in scope.
        detail: more of that reason, such as the name of a helper function.
        formulas: the verdicts, for an entry in scope.
    """

    operator: str
    reason: str
    detail: str = ""
    formulas: tuple[Judged, ...] = ()


@dataclass(frozen=True)
class Audit:
    """A whole file."""

    source: str
    entries: tuple[Audited, ...]

    @property
    def in_scope(self) -> tuple[Audited, ...]:
        """The entries that were judged."""
        return tuple(entry for entry in self.entries if not entry.reason)

    @property
    def reasons(self) -> dict[str, int]:
        """How many entries are out of scope for each reason, the most frequent first."""
        return dict(Counter(entry.reason for entry in self.entries if entry.reason).most_common())

    def formulas(self, mode: str) -> tuple[Judged, ...]:
        """The judged formulas of one mode."""
        return tuple(each for entry in self.entries for each in entry.formulas if each.mode == mode)


def verdicts(formulas: Iterable[Judged]) -> dict[str, int]:
    """How many formulas have each verdict; every verdict has a number."""
    counted = Counter(each.verdict for each in formulas)
    return {verdict: counted[verdict] for verdict in reversed(WORST_FIRST)}
