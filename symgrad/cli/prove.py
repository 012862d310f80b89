"""`symgrad prove`: whether a formula is right."""

from __future__ import annotations

import argparse
from typing import Any

STATUS = {"proved": 0, "refuted": 1, "undecided": 3}


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
    from symgrad.errors import InputError
    from symgrad.notation.claim import read_claims
    from symgrad.notation.library import load, read_claims_file
    from symgrad.notation.lines import Statement
    from symgrad.render.verdicts import show

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
    nearest = [pipeline.nearest(found, claim, proof) for claim, proof in verdicts]
    progress.done()
    for (claim, proof), correction in zip(verdicts, nearest, strict=True):
        print(show(claim, proof, found.layer, correction))
    statuses = {STATUS[proof.verdict] for _, proof in verdicts}
    return next(status for status in (1, 3, 0) if status in statuses)
