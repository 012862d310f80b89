"""`symgrad prove`: whether a formula is right."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from symgrad.notation.claim import Claim
    from symgrad.prove.study import Study
    from symgrad.prove.verdict import Proof

STATUS = {"proved": 0, "refuted": 1, "undecided": 3}
LARGEST = 400
"""Layers with more nodes in their equations and gradients get no search for the nearest right form."""


def add(commands: Any) -> None:
    """Add the command."""
    command = commands.add_parser(
        "prove", help="judge claims: proved, refuted with a counterexample, or undecided",
        description="Judges claims about a layer, for every size and value. "
        "A claim is one equation in the notation of layer files; d_y is the gradient with respect to y. "
        "name[i] := formula before a claim gives it a name of your own. "
        "A refutation shows sizes and values at which both sides differ, and the nearest right form where one "
        "small correction repairs the claim. "
        "Example: symgrad prove batch_norm 'd_beta[c] = sum[s, k](d_y[s, c, k])'",
    )  # fmt: skip
    command.add_argument("layer", metavar="LAYER", help="a gallery name or a path to an .sg file")
    command.add_argument(
        "claims",
        nargs="*",
        metavar="CLAIM",
        help="one equation in the notation, or name[i] := formula for what follows",
    )
    command.add_argument("--claims", dest="file", metavar="FILE", help="a file of claims, one a line, # for comments")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Judge each claim; the worst verdict is the exit status."""
    from symgrad import pipeline
    from symgrad.cli.progress import Progress
    from symgrad.cli.verdicts import show
    from symgrad.errors import InputError
    from symgrad.notation.claim import read_claims
    from symgrad.notation.library import load, read_claims_file
    from symgrad.notation.lines import Statement

    layer = load(options.layer)
    statements = [Statement("<claim>", line, text) for line, text in enumerate(options.claims, start=1)]
    statements += read_claims_file(options.file) if options.file else []
    if not read_claims(statements, layer):  # before the long work
        raise InputError("there is no claim to judge.", hint="Give one, or a file of them with --claims FILE.")
    progress = Progress()
    progress.say(f"deriving {options.layer}")
    found = pipeline.derive(layer)
    progress.say("judging")
    verdicts = pipeline.prove_statements(found, statements)
    progress.say("looking for the nearest right form")
    nearest = [_nearest(found, claim, proof) for claim, proof in verdicts]
    progress.done()
    for (claim, proof), correction in zip(verdicts, nearest, strict=True):
        print(show(claim, proof, found.layer, correction))
    statuses = {STATUS[proof.verdict] for _, proof in verdicts}
    return next(status for status in (1, 3, 0) if status in statuses)


def _nearest(found: Study, claim: Claim, proof: Proof) -> tuple[str, str] | None:
    """For a refuted claim the nearest right form and the edit that makes it; None where none is found."""
    from symgrad.algebra.terms import walk
    from symgrad.cli.verdicts import equation
    from symgrad.pipeline import seed_of
    from symgrad.prove.nearest import nearest_form
    from symgrad.prove.verdict import REFUTED, Prover

    if proof.verdict != REFUTED:
        return None
    prover = Prover(found.layer, found.gradients)
    if sum(1 for _, body in prover.bodies.values() for _ in walk(body)) > LARGEST:
        return None
    correction = nearest_form(claim, prover, seed_of(found.layer, claim))
    return (equation(claim.left, correction.term, found.layer), correction.what) if correction is not None else None
