"""`symgrad plan`: the passes over memory of a layer's kernel."""

from __future__ import annotations

import argparse
from typing import Any

from symgrad.cli import saving


def add(commands: Any) -> None:
    """Add the command."""
    command = commands.add_parser(
        "plan", help="the passes over memory of a layer's kernel, and what they cost",
        description="Prints in which sweeps a kernel's forward and backward pass can be computed, what is kept "
        "between them, how much memory they move, and the least that any algorithm must move.",
    )  # fmt: skip
    command.add_argument("layer", metavar="LAYER", help="a gallery name or a path to an .sg file")
    command.add_argument("--backend", default="c", help="as this backend computes it (default: %(default)s)")
    saving.add(command)
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Derive, prove, plan and print."""
    from symgrad import pipeline
    from symgrad.cli.progress import Progress
    from symgrad.notation.library import load
    from symgrad.render.plan import plan_text
    from symgrad.render.tables import columns

    layer = load(options.layer)
    progress = Progress()
    progress.say(f"deriving, proving and planning {layer.name}")
    found, chosen = pipeline.derive(layer), saving.of(options)
    made = pipeline.plan_for(pipeline.plan(found, chosen), found, options.backend, chosen)
    progress.done()
    for line in plan_text(made, columns()):
        print(line)
    return 0
