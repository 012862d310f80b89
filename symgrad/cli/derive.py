"""`symgrad derive`: derive by both routes, prove, check in numbers, print."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from symgrad.check.records import Check
    from symgrad.prove.study import Study

DEFAULT = "batch_norm_sigmoid_mse"


def add(commands: Any) -> None:
    """Add the command."""
    command = commands.add_parser(
        "derive", help="derive by both routes, prove, check in numbers, print",
        description="Derives every gradient of a layer by two routes, proves them equal for every size, checks the "
        "emitted kernel in numbers, and prints the derivation and the verdicts.",
    )  # fmt: skip
    command.add_argument("layer", nargs="?", default=DEFAULT, metavar="LAYER",
                         help=f"a gallery name or a path to an .sg file (default: {DEFAULT})")  # fmt: skip
    command.add_argument("--solution", type=int, choices=(1, 2), help="show one of the two solutions only")
    command.add_argument("--steps", action="store_true", help="show every step with its rules")
    command.add_argument("--latex", metavar="FILE", help="write a LaTeX document (- for standard output)")
    command.add_argument("--json", metavar="FILE", help="write the derivation as JSON (- for standard output)")
    command.add_argument("--wrt", metavar="NAME", help="the input or parameter to differentiate by (default: all)")
    command.add_argument("--mode", choices=("vjp", "jvp", "hvp"), default="vjp",
                         help="reverse mode (default), forward mode, or second order (needs --wrt)")  # fmt: skip
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Derive, prove, check and print."""
    from symgrad import pipeline
    from symgrad.cli.progress import Progress
    from symgrad.notation.library import load
    from symgrad.render.files import check_writable

    for path in (options.latex, options.json):
        if path not in (None, "-"):
            check_writable(path)
    progress = Progress()
    if options.mode != "vjp" or options.wrt:
        from symgrad.cli.modes import run_mode

        return run_mode(options.layer, options.mode, options.wrt)
    progress.say(f"deriving {options.layer} by two routes, proving them equal")
    found = pipeline.derive(load(options.layer))
    if "-" in (options.latex, options.json):
        progress.done()
        _write(options, found)
        return 0 if found.proved else 1
    progress.say("emitting the kernel, checking it in numbers")
    checks = pipeline.check_emitted(found) if found.proved else []
    progress.done()
    _print(options, found, checks)
    _write(options, found)
    return 0 if found.proved and all(check.passed for check in checks) else 1


def _solutions(options: argparse.Namespace) -> tuple[int, ...]:
    return (options.solution,) if options.solution else (1, 2)


def _print(options: argparse.Namespace, found: Study, checks: list[Check]) -> None:
    """The sections and the closing table."""
    from symgrad.article.book import article_book
    from symgrad.render.tables import columns
    from symgrad.render.terminal import Options, terminal

    shown = Options(columns(), _solutions(options), options.steps)
    for section in terminal(found, article_book(found.layer), shown):
        print(section + "\n")
    print(closing_table(found, checks))
    print(f"\n`symgrad generate {options.layer}` writes the files.")


def closing_table(found: Study, checks: list[Check]) -> str:
    """Gradient, verdict, worst error in numbers relative to the largest value, file."""
    from symgrad.render.names import Names
    from symgrad.render.tables import table
    from symgrad.render.text import text

    names = Names.of(found.layer)
    worst = {check.what: check for check in checks}
    rows = []
    for tensor in found.layer.differentiable:
        gradient = found.gradient(tensor.name)
        check = worst.get(f"d_{tensor.name}")
        error = f"{check.error:.1e}" + ("" if check.passed else " ✗") if check else "not checked"
        verdict = gradient.proof.verdict if gradient.proof is not None else "one route only"
        entry = next(g.entry for g in found.gradients if g.entry.name == f"d_{tensor.name}")
        rows.append((text(entry, names), verdict, error, f"generated/numpy/{found.layer.name}.py"))
    return table(("gradient", "verdict", "numeric error", "file"), rows)


def _write(options: argparse.Namespace, found: Study) -> None:
    """The LaTeX document and the JSON, where asked for."""
    from symgrad.article.book import article_book

    if options.latex:
        from symgrad.render.document import latex_document

        _deliver(options.latex, latex_document(found, article_book(found.layer), _solutions(options)))
    if options.json:
        from symgrad.render.data import as_data

        data = as_data(found, article_book(found.layer), _solutions(options))
        _deliver(options.json, json.dumps(data, ensure_ascii=False, indent=2) + "\n")


def _deliver(target: str, text: str) -> None:
    """Write to a file, or to standard output for `-`."""
    from symgrad.render.files import write_atomic

    if target == "-":
        sys.stdout.write(text)
        return
    write_atomic(Path(target), text)
    print(f"\nwrote {target}")
