"""`symgrad article`: every equation of the article, line by line, held against the derivation."""

from __future__ import annotations

import argparse
from typing import Any


def add(commands: Any) -> None:
    """Add the command."""
    command = commands.add_parser(
        "article", help="the article's equations, line by line, held against the derivation",
        description="Judges every line of equations (2) to (29) of the article as printed: holds, holds under a "
        "stated assumption, or does not hold, then with a counterexample and the nearest right form. "
        "The article contains misprints, so the exit status is 1.",
    )  # fmt: skip
    command.add_argument("--misprints", action="store_true", help="show only the lines that do not hold")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Judge and print."""
    from symgrad.article.judge import judge_article
    from symgrad.cli.judgements import show, summary
    from symgrad.cli.progress import Progress

    progress = Progress()
    judgements = []
    for judgement in judge_article(progress.say):
        judgements.append(judgement)
        if not options.misprints or not judgement.holds:
            progress.done()
            print(show(judgement))
    progress.done()
    print(summary(judgements))
    if any(judgement.decided and not judgement.holds for judgement in judgements):
        return 1
    return 0 if all(judgement.decided for judgement in judgements) else 3
