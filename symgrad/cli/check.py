"""`symgrad check`: run emitted kernels against their references."""

from __future__ import annotations

import argparse
import textwrap
from typing import TYPE_CHECKING, Any

from symgrad.render.lines import width
from symgrad.render.tables import columns, table

if TYPE_CHECKING:
    from symgrad.check.records import Check, Report

WORST = "worst of all"


def add(commands: Any) -> None:
    """Add the command."""
    command = commands.add_parser(
        "check", help="run emitted kernels against their references, and print a table",
        description="Emits each layer's kernels, runs them against the layer's own equations (complex step) and, for "
        "layers that PyTorch has, against PyTorch's; prints the worst error of each result. The torch kernels need "
        "torch.",
    )  # fmt: skip
    command.add_argument("layers", nargs="*", metavar="LAYER", help="a gallery name or a path (default: the gallery)")
    command.add_argument("--all", action="store_true", help="a line for each place, not only the worst of all")
    command.add_argument(
        "--against", metavar="FILE.py:NAME", help="run your own kernel against the derived gradients of one LAYER: an "
        "autograd.Function, a torch function, or a NumPy forward and backward. FILE.py is imported and run.",
    )  # fmt: skip
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Check and print."""
    from symgrad import pipeline
    from symgrad.cli.progress import Progress
    from symgrad.notation.library import gallery, load

    if options.against is not None:
        return _against(options)
    progress = Progress()
    passed = True
    for name in options.layers or gallery():
        progress.say(f"checking {name}")
        report = pipeline.check(pipeline.derive(load(name)))
        progress.done()
        print(show(report, options.all) + "\n")
        passed = passed and report.passed
    return 0 if passed else 1


def _against(options: argparse.Namespace) -> int:
    """Check a person's own kernel."""
    from symgrad import pipeline
    from symgrad.cli import against
    from symgrad.cli.progress import Progress
    from symgrad.errors import InputError
    from symgrad.notation.library import load

    if len(options.layers) != 1:
        raise InputError("--against needs one LAYER.", hint="symgrad check --against FILE.py:NAME LAYER")
    layer = load(options.layers[0])
    progress = Progress()
    progress.say(f"deriving {layer.name}")
    verdict = pipeline.check_against(pipeline.derive(layer), options.against, progress.say)
    progress.done()
    print(against.show(verdict, layer))
    return 0 if verdict.passed else 1


def show(report: Report, every: bool) -> str:
    """The report: for each reference a table, a line for each kernel, a column for each result."""
    words = "all within their limits" if report.passed else "NOT ALL WITHIN THEIR LIMITS"
    lines = [f"{report.layer}: {len(report.checks)} comparisons, {words}"]
    references: dict[str, list[Check]] = {}
    for check in report.checks:
        references.setdefault(check.reference, []).append(check)
    for reference, checks in references.items():
        limits = {check.limit for check in checks}
        limit = f"limit {min(limits):.0e}" if len(limits) == 1 else "limit: the reference's own float32 error"
        head = f"against {reference}; worst error relative to the largest value ({limit})"
        lines += ["", textwrap.fill(head, columns()), _tables(checks, every)]
    lines += ["\n" + textwrap.fill(f"not run: {reason}", columns()) for reason in report.skipped]
    return "\n".join(lines)


def _tables(checks: list[Check], every: bool) -> str:
    """Subjects and places down, results across; a table for each place where that is too wide."""
    results = list(dict.fromkeys(check.what for check in checks))
    rows: dict[tuple[str, str], dict[str, Check]] = {}
    for check in checks:
        apart = every or "float32" in check.where
        row = rows.setdefault((check.subject, check.where if apart else WORST), {})
        known = row.get(check.what)
        if known is None or check.error > known.error:
            row[check.what] = check
    cells = {key: [_cell(row.get(result)) for result in results] for key, row in rows.items()}
    whole = table(("kernel", "at", *results), [(*key, *line) for key, line in cells.items()])
    if max(map(width, whole.split("\n"))) <= columns():
        return whole
    parts = []
    for place in dict.fromkeys(place for _, place in cells):
        lines = [(subject, *line) for (subject, where), line in cells.items() if where == place]
        parts.append((place if place == WORST else f"at {place}") + ":\n" + table(("kernel", *results), lines))
    return "\n".join(parts)


def _cell(check: Check | None) -> str:
    if check is None:
        return ""
    return f"{check.error:.1e}" + ("" if check.passed else f" ✗ > {check.limit:.0e}")
