"""`--save` and `--recompute`: what the backward pass reads, and what it computes again."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from symgrad.plan.saving import Saving


def add(command: Any) -> None:
    """Add the options."""
    command.add_argument(
        "--save", action="append", default=[], metavar="NAME",
        help="keep this definition for the backward pass, whatever it costs; may be repeated",
    )  # fmt: skip
    command.add_argument(
        "--recompute",
        action="append",
        default=[],
        metavar="NAME",
        help="compute this definition again in the backward pass, or a loss's gradient (d_x) there; may be repeated",
    )


def of(options: argparse.Namespace) -> Saving:
    """What was asked for."""
    from symgrad.plan.saving import Saving

    return Saving(frozenset(options.save), frozenset(options.recompute))


def check(options: argparse.Namespace) -> None:
    """Raise where no layer is named whose definitions these could be."""
    from symgrad.errors import InputError

    if (options.save or options.recompute) and not options.layers:
        name = (options.save or options.recompute)[0]
        raise InputError("--save and --recompute need a layer.", hint=f"symgrad generate LAYER --save {name}")
