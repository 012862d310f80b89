"""A verdict in words: the assumptions, or the counterexample with sizes, values and both sides."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping, Sequence

from symgrad.algebra.terms import Term
from symgrad.derive.records import Condition
from symgrad.notation.claim import Claim, seed_of
from symgrad.notation.claim_names import resolve_name
from symgrad.notation.layer import Layer
from symgrad.notation.unparse import unparse
from symgrad.prove.counterexample import Counterexample
from symgrad.prove.own_values import values_of
from symgrad.prove.verdict import PROVED, REFUTED, Proof
from symgrad.render.lines import width, wrapped
from symgrad.render.names import Names
from symgrad.render.tables import columns, table
from symgrad.render.text import text

MARKS = {PROVED: "✓ proved", REFUTED: "✗ refuted"}
MOST_VALUES = 24


def show(claim: Claim, proof: Proof, layer: Layer, nearest: tuple[str, str] | None = None) -> str:
    """The claim, its verdict, and what belongs to it; `nearest` is a right form and the edit to it."""
    names = Names.of(layer)
    mark = MARKS.get(proof.verdict, "? undecided")
    lines = [wrapped(f"{mark}  ", " ".join(claim.text.split()), columns(), indent=len(mark) + 2)]
    if any(name.startswith("d_") for name in claim.left.names | claim.right.names):
        seed = seed_of(layer, claim)
        lines += [f"    where {name} = {value}, the final scalar's own gradient" for name, value in seed.items()]
    for pair in claim.distinct:
        lines.append("    for " + " ≠ ".join(index.name for index in sorted(pair)))
    if proof.assumptions:
        lines.append(f"    assuming {', '.join(condition(c, names) for c in proof.assumptions)}")
    if proof.verdict == PROVED:
        lines.append("    for every size and value")
    if proof.counterexample is not None:
        own = {each.name: values_of(each, layer, proof.counterexample) for each in claim.own}
        lines += counterexample(proof.counterexample, own=own)
    if nearest is not None:
        lines += correction(*nearest)
    if proof.left_over and proof.verdict != REFUTED:
        lines.append(paragraph("    neither proved nor refuted: ", proof.left_over, indent=8))
    return "\n".join(lines)


def condition(found: Condition, names: Names) -> str:
    """w[c] ≠ 0, or σ²[c] + ε > 0."""
    return text(found.term, names) + (" ≠ 0" if found.kind == "nonzero" else " > 0")


def equation(left: Term, right: Term, layer: Layer) -> str:
    """The claim `left = right` in the notation, as a person would write it."""
    return shortened(f"{unparse(left, layer)} = {unparse(right, layer)}", layer)


def shortened(formula: str, layer: Layer) -> str:
    """A formula in the notation with mu for y.mu, where a claim may say so."""
    for name in (definition.name for definition in layer.definitions):
        short = name.rpartition(".")[2]
        if short != name and resolve_name(short, layer) == name:
            formula = re.sub(rf"\b(d_)?{re.escape(name)}\b", rf"\1{short}", formula)
    return formula


def correction(nearest: str, edit: str, margin: int = 4) -> list[str]:
    """The nearest right form and what was changed, indented."""
    first = " " * margin
    return [
        wrapped(f"{first}nearest right form: ", nearest, columns(), indent=margin + 4),
        f"{first}(changed: {edit})",
    ]


def paragraph(first: str, words: str, indent: int) -> str:
    """`first` and some words, broken at spaces to the width of the terminal."""
    return textwrap.fill(
        " ".join(words.split()), columns(), initial_indent=first, subsequent_indent=" " * indent,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip


def counterexample(found: Counterexample, margin: int = 4, own: Mapping[str, Sequence[str]] | None = None) -> list[str]:
    """Sizes, values and both sides, indented; `own` are values of names of the person's own."""
    sizes = ", ".join(f"N_{name} = {length}" for name, length in found.sizes.items())
    place = ", ".join(f"{index.name} = {value}" for index, value in sorted(found.assignment.items()))
    head = f"{sizes}; at {place} (counted from 0)" if place else sizes
    lines = [paragraph(" " * margin + "counterexample: ", head, indent=margin + 4)]
    rest = [f"left  side = {found.left}", f"right side = {found.right}"]
    given = {name: [str(value) for _, value in sorted(each.items())] for name, each in sorted(found.values.items())}
    shown = {**given, **{name: values for name, values in (own or {}).items() if values}}
    room = columns() - margin - 6 - max(map(width, shown), default=0)
    rows = [(name, _values(values, room)) for name, values in shown.items()]
    rest += table(("name", "value"), rows).split("\n") if rows else []
    return lines + [" " * (margin + 4) + line for line in rest]


def _values(values: Sequence[str], room: int) -> str:
    """An array's entries in order, cut where they are many."""
    shown = " ".join(values[:MOST_VALUES])
    if len(values) > MOST_VALUES or len(shown) > room:
        shown = shown[: max(room - 2, 18)].rpartition(" ")[0] + " …"
    return shown
