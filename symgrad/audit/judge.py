"""Entries judged: each formula becomes a claim about its operator's layer, and the prover decides."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from symgrad.algebra.terms import Term
from symgrad.audit.comparisons import away, compared, settled, with_bodies
from symgrad.audit.entries import Entry
from symgrad.audit.helpers import Helper, known_helpers
from symgrad.audit.operators import Row, build_operator, known_rows
from symgrad.audit.question import Question, cases, shown_case, written
from symgrad.audit.reading import Reader
from symgrad.audit.records import (
    CORNER,
    FORWARD,
    GRADIENT,
    KINK,
    MISFIT,
    NOT_READ,
    PROVED,
    REFUTED,
    UNDECIDED,
    Audited,
    Claimed,
    Judged,
)
from symgrad.audit.scope import NO_LAYER, reason_of
from symgrad.audit.values import NotRead, WrongDimensions, tidy_letters
from symgrad.errors import InputError
from symgrad.notation.layer import Layer
from symgrad.notation.unparse import unparse
from symgrad.prove.conditions import conditions_of
from symgrad.prove.counterexample import Counterexample, find_counterexample
from symgrad.prove.study import study
from symgrad.prove.verdict import Proof, Prover

CORNER_TRIES = 24
"""Points tried for a difference at a corner."""
Helpers = Mapping[tuple[str, int], Helper]
Rows = Mapping[str, tuple[Row, ...]]


def audit_entries(
    entries: Iterable[Entry],
    say: Callable[[str], None] = lambda _: None,
    rows: Rows | None = None,
    helpers: Helpers | None = None,
) -> tuple[Audited, ...]:
    """Every entry: judged, or with the reason why it is out of scope."""
    judge = Judge(known_rows() if rows is None else rows, known_helpers() if helpers is None else helpers)
    found = []
    for entry in entries:
        say(f"judging {entry.name}")
        found.append(judge.entry(entry))
    return tuple(found)


@dataclass
class Judge:
    """The tables that judging needs, and what was built from them."""

    rows: Rows
    helpers: Helpers
    provers: dict[Layer, Prover] = field(default_factory=dict)

    def entry(self, entry: Entry) -> Audited:
        """One entry."""
        reason = reason_of(entry)
        if reason:
            return Audited(entry.name, reason)
        rows = self.rows.get(entry.name)
        if not rows:
            return Audited(entry.name, NO_LAYER)
        formulas = [self.formula(entry, rows, name, GRADIENT) for name in entry.gradients]
        formulas += [self.formula(entry, rows, name, FORWARD) for name in entry.forwards]
        unread = [each for each in formulas if each.mode == GRADIENT and each.verdict == NOT_READ]
        if formulas and len(unread) == len(entry.gradients):
            reasons = sorted({claim.reason for each in unread for claim in each.claims if claim.reason})
            return Audited(entry.name, "formula not read", "; ".join(reasons))
        return Audited(entry.name, "", "", tuple(formulas))

    def formula(self, entry: Entry, rows: Sequence[Row], target: str, mode: str) -> Judged:
        """One formula, in every setting of its operator."""
        text, place = (entry.gradients if mode == GRADIENT else entry.forwards)[target]
        used: dict[str, Helper] = {}
        notes: dict[str, str] = {}
        claims = []
        for row in rows:
            for modes, given in cases(entry, written(entry, text)):
                reader = Reader({}, self.helpers, modes, used, notes)
                settings = ", ".join(filter(None, [row.settings, *shown_case(modes, given)]))
                try:
                    operator = build_operator(row, entry)
                    question = Question(entry, operator, reader, target, text, place, mode, given)
                    claims.append(self.decide(question, settings))
                except WrongDimensions as error:
                    claims.append(Claimed(settings, "", MISFIT, str(error)))
                except (NotRead, InputError) as error:
                    claims.append(Claimed(settings, "", NOT_READ, str(error)))
        words = tuple(f"{written} is read as {meant}" for written, meant in notes.items())
        return Judged(entry.name, target, mode, text, tuple(claims), tuple(used), words)

    def decide(self, question: Question, settings: str) -> Claimed:
        """The verdict on a claim: as it stands, with its comparisons in one form, away from corners."""
        layer, left, right = question.layer, question.left, tidy_letters(question.right)
        text = f"{question.left_text} = {unparse(right, layer)}"
        prover, pairs = self.prover(layer), compared(right, *(definition.body for definition in layer.definitions))
        proved = Claimed(settings, text, PROVED, "", Proof(PROVED, left, right, conditions_of((right,), layer)), layer)
        if prover.equal(left, right):
            return proved
        if pairs and self.prover(with_bodies(layer, strict=False)).equal(left, settled(right, layer)):
            return proved
        if pairs and self.prover(with_bodies(layer, strict=True)).equal(left, away(right, layer)):
            differ = ", ".join(f"{unparse(a, layer)} != {unparse(b, layer)}" for a, b in pairs)
            found = find_counterexample(left, right, layer, tries=CORNER_TRIES)
            verdict = CORNER if found else KINK
            return Claimed(settings, text, verdict, differ, _at_corner(left, right, found), layer)
        proof = prover.decide(left, right)
        return Claimed(settings, text, proof.verdict, proof.left_over, proof, layer)

    def prover(self, layer: Layer) -> Prover:
        """The prover for a layer and its gradients."""
        if layer not in self.provers:
            self.provers[layer] = Prover(layer, study(layer).gradients)
        return self.provers[layer]


def _at_corner(left: Term, right: Term, found: Counterexample | None) -> Proof:
    """What is known of a claim as it stands where it holds away from corners."""
    return Proof(REFUTED if found else UNDECIDED, left, right, counterexample=found)
