"""An audit in words: each formula with its claim and verdict, and the counts."""

from __future__ import annotations

from collections.abc import Iterable

from symgrad.audit.records import (
    CORNER,
    FORWARD,
    GRADIENT,
    KINK,
    MISFIT,
    PROVED,
    REFUTED,
    Audit,
    Audited,
    Claimed,
    Judged,
    verdicts,
)
from symgrad.render.lines import wrapped
from symgrad.render.tables import columns, table
from symgrad.render.verdicts import counterexample, paragraph

MARKS = {PROVED: "✓", KINK: "✓", REFUTED: "✗", CORNER: "✗", MISFIT: "✗"}
HOLDING = (PROVED, KINK)


def formulas(audit: Audit) -> str:
    """Every formula of every entry in scope."""
    return "\n\n".join(_entry(entry, entry.formulas) for entry in audit.entries if entry.formulas or entry.reason)


def open_ones(audit: Audit) -> str:
    """The formulas that are not proved."""
    chosen = [(entry, [f for f in entry.formulas if f.verdict not in HOLDING]) for entry in audit.in_scope]
    return "\n\n".join(_entry(entry, judged) for entry, judged in chosen if judged) + "\n"


def _entry(entry: Audited, judged: Iterable[Judged]) -> str:
    if entry.reason:
        detail = f": {entry.detail}" if entry.detail else ""
        return paragraph(f"{entry.operator}: out of scope, ", entry.reason + detail, indent=4)
    return "\n".join([entry.operator, *(line for each in judged for line in _formula(each))])


def _formula(judged: Judged) -> list[str]:
    lines = [paragraph(f"  {judged.target}: ", judged.formula, indent=6)]
    for claimed in judged.claims:
        lines += _claim(claimed)
    if judged.helpers:
        lines.append(paragraph("      through ", ", ".join(judged.helpers) + ", as read here", indent=8))
    return lines + [f"      {note}" for note in judged.notes]


def _claim(claimed: Claimed) -> list[str]:
    mark = MARKS.get(claimed.verdict, "?")
    verdict = f"{mark} {claimed.verdict}" + (f" for {claimed.settings}" if claimed.settings else "")
    if not claimed.text:
        return [paragraph(f"    {verdict}: ", claimed.reason, indent=8)]
    lines = [wrapped(f"    {verdict}  ", claimed.text, columns(), indent=8)]
    if claimed.assuming:
        lines.append(paragraph("        assuming ", ", ".join(claimed.assuming), indent=10))
    if claimed.verdict in (KINK, CORNER):
        lines.append(paragraph("        holds where ", claimed.reason, indent=10))
    elif claimed.reason:
        lines.append(paragraph("        neither proved nor refuted: ", claimed.reason, indent=10))
    proof = claimed.proof
    if proof is not None and proof.counterexample is not None:
        lines += counterexample(proof.counterexample, margin=8)
    return lines


def summary(audit: Audit, verbose: bool) -> str:
    """How many entries are in scope, why the others are not, and how many formulas have each verdict."""
    gradients, forwards = audit.formulas(GRADIENT), audit.formulas(FORWARD)
    proved = [[f for f in found if f.verdict == PROVED] for found in (gradients, forwards)]
    counts = [[verdict, str(n), str(verdicts(forwards)[verdict])] for verdict, n in verdicts(gradients).items()]
    counts.insert(1, ["  as written in the file", *(str(sum(not f.helpers for f in each)) for each in proved)])
    counts.insert(2, ["  through helpers as read here", *(str(sum(bool(f.helpers) for f in each)) for each in proved)])
    rows = [(reason, str(count)) for reason, count in audit.reasons.items()]
    head = f"{audit.source}: {len(audit.entries)} entries, {len(audit.in_scope)} in scope"
    parts = [head, table(("formulas", "gradient", "forward mode"), counts), table(("out of scope", "entries"), rows)]
    parts.append("`symgrad audit --verbose` lists every formula; `symgrad audit OPERATOR` one operator.")
    return "\n\n".join(parts[:3] if verbose else parts)
