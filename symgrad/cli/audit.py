"""`symgrad audit`: PyTorch's hand-written derivative formulas, judged."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from symgrad.audit.entries import Entry
    from symgrad.audit.records import Audit


def add(commands: Any) -> None:
    """Add the command."""
    command = commands.add_parser(
        "audit", help="PyTorch's hand-written derivative formulas, judged",
        description="Reads the formulas of derivatives.yaml, which the torch wheel ships, turns each that is in "
        "scope into a claim about its operator, and judges it. torch itself is not imported. "
        "Exit status: 0 every judged formula is proved, maybe away from corners; 1 one is not right; 3 one is "
        "undecided or not read, when operators are named. Example: symgrad audit acosh mm",
    )  # fmt: skip
    command.add_argument("operators", nargs="*", metavar="OPERATOR", help="mm, add.Tensor, or add for every overload")
    command.add_argument("--file", metavar="PATH", help="another derivatives.yaml than that of the installed torch")
    command.add_argument("--json", metavar="FILE", help="write everything as JSON (- for standard output)")
    command.add_argument("--verbose", action="store_true", help="every formula, and every entry that is out of scope")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Judge and print."""
    from pathlib import Path

    from symgrad.audit.entries import installed_file, read_entries
    from symgrad.audit.judge import audit_entries
    from symgrad.audit.records import Audit
    from symgrad.cli import audited
    from symgrad.cli.progress import Progress

    path = Path(options.file) if options.file else installed_file()
    entries = _chosen(read_entries(path), options.operators)
    progress = Progress()
    audit = Audit(options.file or path.name, audit_entries(entries, progress.say))
    progress.done()
    if options.json != "-":
        named = bool(options.operators)
        print(audited.formulas(audit) if named or options.verbose else audited.open_ones(audit))
        if not named:
            print(audited.summary(audit, options.verbose))
    if options.json:
        _write(options.json, audit)
    return status(audit, bool(options.operators))


def _chosen(entries: tuple[Entry, ...], names: list[str]) -> tuple[Entry, ...]:
    """The entries of these operators; `add` means every overload."""
    from symgrad.errors import InputError
    from symgrad.notation.names import did_you_mean

    known = {entry.name for entry in entries} | {entry.name.partition(".")[0] for entry in entries}
    for name in names:
        if name not in known:
            raise InputError(f"the file has no operator {name!r}.", hint=did_you_mean(name, known))
    wanted = set(names)
    return tuple(e for e in entries if not names or not wanted.isdisjoint((e.name, e.name.partition(".")[0])))


def status(audit: Audit, named: bool) -> int:
    """1 where a formula is not right; 3 where a named one is open; else 0.

    The whole file always holds formulas that the prover leaves open, and says which.
    """
    from symgrad.audit.records import CORNER, FORWARD, GRADIENT, MISFIT, NOT_READ, REFUTED, UNDECIDED

    found = {each.verdict for mode in (GRADIENT, FORWARD) for each in audit.formulas(mode)}
    if found & {REFUTED, MISFIT, CORNER}:
        return 1
    return 3 if found & {UNDECIDED} or (named and NOT_READ in found) else 0


def _write(target: str, audit: Audit) -> None:
    import json
    import sys
    from pathlib import Path

    from symgrad.audit.data import as_data
    from symgrad.render.files import write_atomic

    text = json.dumps(as_data(audit), ensure_ascii=False, indent=2) + "\n"
    if target == "-":
        sys.stdout.write(text)
        return
    write_atomic(Path(target), text)
    print(f"\nwrote {target}")
