"""`symgrad prove`: is this formula right?"""

from __future__ import annotations

import argparse
from typing import Any

STATUS = {"proved": 0, "refuted": 1, "undecided": 3}


def add(commands: Any) -> None:
    """Add the command."""
    command = commands.add_parser(
        "prove", help="judge claims: proved, refuted with a counterexample, or undecided",
        description="Judges claims about a layer, for every size and value. "
        "Example: symgrad prove batch_norm 'd_beta[c] = sum[s, k](d_y[s, c, k])'",
    )  # fmt: skip
    command.add_argument("layer", metavar="LAYER", help="a gallery name or a path to an .sg file")
    command.add_argument("claims", nargs="+", metavar="CLAIM", help="one equation in the notation")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Judge each claim; the worst verdict is the exit status."""
    from symgrad import pipeline
    from symgrad.cli.progress import Progress
    from symgrad.cli.verdicts import show
    from symgrad.notation.library import load

    progress = Progress()
    progress.say(f"deriving {options.layer}")
    found = pipeline.derive(load(options.layer))
    progress.say("judging")
    verdicts = pipeline.prove(found, options.claims)
    progress.done()
    for claim, proof in verdicts:
        print(show(claim, proof, found.layer))
    statuses = {STATUS[proof.verdict] for _, proof in verdicts}
    return next(status for status in (1, 3, 0) if status in statuses)
