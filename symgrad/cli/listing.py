"""`symgrad list`: the gallery, the backends, the scalar functions."""

from __future__ import annotations

import argparse
from typing import Any


def add(commands: Any) -> None:
    """Add the command."""
    command = commands.add_parser("list", help="the gallery, the backends, the scalar functions")
    command.set_defaults(run=run)


def run(_: argparse.Namespace) -> int:
    """Print the lists."""
    from symgrad.cli.tables import table
    from symgrad.notation.library import gallery, load
    from symgrad.primitives import ALIASES, PRIMITIVES
    from symgrad.render.kernels import BACKENDS

    rows = []
    for name in gallery():
        layer = load(name)
        arguments = ", ".join(layer.order)
        rows.append((name, f"{', '.join(layer.outputs)} = {name}({arguments})", layer.doc.split("\n")[0]))
    print("Layers of the gallery\n")
    print(table(("name", "use", "what it is"), rows))
    print(f"\nBackends: {', '.join(BACKENDS)}")
    print(f"Scalar functions: {', '.join(sorted([*PRIMITIVES, *ALIASES]))}")
    return 0
