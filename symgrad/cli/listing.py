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
    from symgrad.notation.library import gallery, load
    from symgrad.primitives import ALIASES, PRIMITIVES
    from symgrad.render.kernels import BACKENDS, PARTIAL
    from symgrad.render.verdicts import paragraph

    print("Layers of the gallery, as a network calls them:\n")
    for name in gallery():
        layer = load(name)
        print(paragraph("", f"{', '.join(layer.outputs)} = {name}({', '.join(layer.order)})", indent=4))
        print(paragraph("    ", layer.doc.partition("\n")[0], indent=4))
    print(f"\nBackends: {', '.join(BACKENDS)}")
    print(f"For some layers, named with --backend: {', '.join(PARTIAL)}")
    print(paragraph("Scalar functions: ", ", ".join(sorted([*PRIMITIVES, *ALIASES])), indent=4))
    return 0
