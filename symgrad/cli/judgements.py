"""Judged lines of the article, in words."""

from __future__ import annotations

from collections.abc import Sequence

from symgrad.article.judge import Judgement
from symgrad.render.lines import wrapped
from symgrad.render.names import Names
from symgrad.render.tables import columns
from symgrad.render.verdicts import condition, correction, counterexample, paragraph, shortened

MARGIN = 10


def show(judgement: Judgement) -> str:
    """The line, its verdict, and for a misprint the counterexample and the nearest right form."""
    claim = judgement.claim
    text = " ".join(claim.text.split()) + (f", {claim.condition}" if claim.condition else "")
    lines = [wrapped(f"{claim.label:<7} {_mark(judgement)}  ", text, columns(), indent=MARGIN)]
    proof = judgement.proof
    if judgement.malformed:
        lines.append(f"{' ' * MARGIN}as printed: {judgement.malformed}")
    if proof is not None and proof.counterexample is not None:
        lines += counterexample(proof.counterexample, MARGIN)
    if judgement.nearest:
        lines += correction(shortened(judgement.nearest, judgement.layer), judgement.edit, MARGIN)
    return "\n".join(lines)


def _mark(judgement: Judgement) -> str:
    if judgement.malformed:
        return "✗ malformed"
    proof = judgement.proof
    assert proof is not None
    if not judgement.holds:
        return "✗ does not hold" if proof.counterexample else "? undecided"
    if proof.assumptions:
        names = Names.of(judgement.layer)
        return "✓ holds for " + ", ".join(condition(found, names) for found in proof.assumptions)
    return "✓ holds"


def summary(judgements: Sequence[Judgement]) -> str:
    """How many lines hold, hold under an assumption, and do not."""
    holding = [j for j in judgements if j.holds]
    assuming = [j for j in holding if j.proof is not None and j.proof.assumptions]
    wrong = [j.claim.label for j in judgements if not j.holds]
    counted = (
        f"{len(judgements)} lines: {len(holding) - len(assuming)} hold, {len(assuming)} hold under a stated "
        f"assumption, {len(wrong)} do not: {', '.join(wrong)}."
    )
    where = "Judged at ε = 0 (the article adds ε in its section 3 only), where σ² > 0, with ∂L/∂L = 1, for every size."
    return "\n".join(["", paragraph("", counted, indent=0), paragraph("", where, indent=0)])
