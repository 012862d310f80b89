"""A verdict in words: the assumptions, or the counterexample with sizes, values and both sides."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from symgrad.cli.tables import columns, table
from symgrad.derive.records import Condition
from symgrad.notation.claim import Claim
from symgrad.notation.layer import Layer
from symgrad.pipeline import seed_of
from symgrad.prove.counterexample import Counterexample
from symgrad.prove.verdict import PROVED, REFUTED, Proof
from symgrad.render.names import Names
from symgrad.render.text import text

MARKS = {PROVED: "✓ proved", REFUTED: "✗ refuted"}
MOST_VALUES = 24


def show(claim: Claim, proof: Proof, layer: Layer) -> str:
    """The claim, its verdict, and what belongs to it."""
    names = Names.of(layer)
    lines = [f"{MARKS.get(proof.verdict, '? undecided')}  {' '.join(claim.text.split())}"]
    seed = seed_of(layer, claim)
    lines += [f"    where {name} = {value}, the final scalar's own gradient" for name, value in seed.items()]
    for pair in claim.distinct:
        lines.append("    for " + " ≠ ".join(index.name for index in sorted(pair)))
    if proof.assumptions:
        lines.append(f"    assuming {', '.join(condition(c, names) for c in proof.assumptions)}")
    if proof.verdict == PROVED:
        lines.append("    for every size and value")
    if proof.counterexample is not None:
        lines += counterexample(proof.counterexample)
    if proof.left_over:
        if proof.verdict != REFUTED:
            lines.append(f"    neither proved nor refuted: {proof.left_over}")
    return "\n".join(lines)


def condition(found: Condition, names: Names) -> str:
    """w[c] ≠ 0, or σ²[c] + ε > 0."""
    return text(found.term, names) + (" ≠ 0" if found.kind == "nonzero" else " > 0")


def counterexample(found: Counterexample) -> list[str]:
    """Sizes, values and both sides, indented."""
    sizes = ", ".join(f"N_{name} = {length}" for name, length in found.sizes.items())
    place = ", ".join(f"{index.name} = {value}" for index, value in sorted(found.assignment.items()))
    lines = [f"    counterexample: {sizes}" + (f"; at {place} (counted from 0)" if place else "")]
    lines.append(f"        left  side = {found.left}")
    lines.append(f"        right side = {found.right}")
    rows = [(name, _values(entries)) for name, entries in sorted(found.values.items())]
    lines += ["        " + line for line in table(("name", "value"), rows).split("\n")]
    return lines


def _values(entries: Mapping[tuple[int, ...], Fraction]) -> str:
    """An array's entries in order, cut where they are many."""
    values = [str(value) for _, value in sorted(entries.items())]
    limit = max(20, columns() - 24)
    shown = " ".join(values[:MOST_VALUES])
    if len(values) > MOST_VALUES or len(shown) > limit:
        shown = shown[:limit].rpartition(" ")[0] + " …"
    return shown
