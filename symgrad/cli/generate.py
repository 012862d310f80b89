"""`symgrad generate`: emit kernels, or compare them with what would be emitted."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from symgrad.cli import saving

DEFAULT = Path("generated")


def add(commands: Any) -> None:
    """Add the command."""
    command = commands.add_parser(
        "generate", help="emit kernels (or --check them)",
        description="Emits standalone kernels DIR/<backend>/<layer>.py. Without LAYER: the whole gallery.",
    )  # fmt: skip
    command.add_argument("layers", nargs="*", metavar="LAYER", help="a gallery name or a path to an .sg file")
    command.add_argument("--backend", action="append", default=[], metavar="B", help="a backend; may be repeated")
    command.add_argument(
        "--shard", default="", metavar="AXIS",
        help="a torch function for torch.distributed, with this axis sharded over processes: DIR/torch/<layer>_sharded_"
        "<axis>.py; only sums over the axis are exchanged",
    )  # fmt: skip
    saving.add(command)
    command.add_argument("--out", type=Path, default=DEFAULT, metavar="DIR", help="the folder (default: generated)")
    command.add_argument("--check", action="store_true", help="write nothing; fail, with a diff, on any difference")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Emit, or compare."""
    from symgrad import pipeline
    from symgrad.cli.progress import Progress
    from symgrad.errors import InputError
    from symgrad.notation.library import gallery, load
    from symgrad.render.files import check_folder, compare, write_all
    from symgrad.render.kernels import BACKENDS

    names = _names(options.layers)
    saving.check(options)
    if options.shard and not options.layers:
        raise InputError(
            "--shard needs a LAYER.", hint="Each layer has axes of its own: generate batch_norm --shard s."
        )
    if not options.check and not options.shard:
        backends = set(options.backend or BACKENDS) & set(BACKENDS)
        check_folder(options.out, [f"{backend}/{name}.py" for backend in sorted(backends) for name in names])
    progress = Progress()
    files = []
    left_out: list[str] = []
    for name in options.layers or gallery():
        progress.say(f"deriving, proving and emitting {name}")
        if options.shard:
            chosen, studied = saving.of(options), pipeline.derive(load(name))
            files.append(pipeline.emit_sharded(studied, options.shard, options.backend, chosen))
        else:
            reasons = None if options.layers and options.backend else left_out
            files += pipeline.generate([name], options.backend, saving.of(options), reasons)
    progress.done()
    for reason in left_out:
        print(reason, file=sys.stderr)
    if options.check:
        stale = not options.layers and not options.backend and not options.shard
        differences = compare(files, options.out, stale=stale)
        for difference in differences:
            sys.stdout.write(difference)
        if differences:
            again = "symgrad generate" + ("" if options.out == DEFAULT else f" --out {options.out}")
            print(f"{_files(len(differences))} of {options.out} out of date: `{again}` writes what is missing or")
            print("differs; remove what is stale.")
        else:
            print(f"{_files(len(files))} in {options.out} up to date.")
        return 1 if differences else 0
    for path in write_all(files, options.out):
        print(path)
    return 0


def _names(layers: list[str]) -> list[str]:
    """The names of the layers that were asked for; two of one name would write the same files."""
    from symgrad.errors import InputError
    from symgrad.notation.library import gallery, load

    found: dict[str, str] = {}
    for each in layers:
        name = load(each).name
        if name in found:
            raise InputError(
                f"{found[name]!r} and {each!r} are both named {name}, and would write the same files.",
                hint="Rename one, or generate them into different folders: --out DIR.",
            )
        found[name] = each
    return list(found or gallery())


def _files(number: int) -> str:
    return "1 file" if number == 1 else f"{number} files"
