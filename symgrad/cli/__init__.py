"""The command line: speaks to people, holds no logic.

Exit status: 0 done and everything holds; 1 something does not hold; 2 the input is wrong;
3 undecided. Results go to standard output, progress to standard error where that is a terminal.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from symgrad.cli import article, audit, check, derive, generate, listing, plan, prove
from symgrad.errors import InputError, SymgradError

COMMANDS = (derive, generate, prove, check, plan, article, audit, listing)
WRONG_INPUT = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given:
        parser().print_help(sys.stderr)
        return WRONG_INPUT
    options = parser().parse_args(given)
    _unicode()
    try:
        status = int(options.run(options))
        sys.stdout.flush()
        return status
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return WRONG_INPUT
    except SymgradError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader (head, less) has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = argparse.ArgumentParser(
        prog="symgrad",
        description="Derives, proves, explains and emits the backward pass of any layer from its forward equations.",
        epilog="LAYER is a name from the gallery (symgrad list) or a path to an .sg file. "
        "Exit status: 0 everything holds; 1 something does not; 2 the input is wrong; 3 undecided.",
    )
    top.add_argument("--version", action="version", version=_version())
    commands = top.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add(commands)
    return top


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f"symgrad {version('symgrad')}"
    except PackageNotFoundError:
        return "symgrad (not installed)"


def _unicode() -> None:
    """Formulas hold Greek letters: write UTF-8 even where the locale says otherwise."""
    for stream in (sys.stdout, sys.stderr):
        encoding = (getattr(stream, "encoding", None) or "").lower().replace("-", "")
        if encoding != "utf8" and hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="replace")
