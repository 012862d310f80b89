"""How fast the emitted kernels are, beside PyTorch, torch.compile, NumPy, the article's Functions and JAX.

One run: every configuration (threads, allocator) in a process of its own, all contestants interleaved,
medians and quartiles, errors against float64, the share of the memory's bandwidth, and the goals.
docs/benchmarks.md says how to read it.

usage: python benchmarks/kernels.py [--quick] [--json FILE] [--plot FILE.png]
       python benchmarks/kernels.py --from FILE.json [--document docs/benchmarks.md]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from suite import bandwidth
from suite.emitted import KNOWN, emit_all
from suite.machine import machine
from suite.plot import plot
from suite.tables import document, text
from suite.worker import Request, environment
from suite.works import HUGE_PAGES, QUICK, WORKS

HERE = Path(__file__).resolve().parent
CONFIGURATIONS = ((1, False), (1, True), (2, False), (2, True))
"""Threads, and whether PyTorch's allocator asks for huge pages."""
SLOW = ("symgrad torch, compiled", "symgrad numba", "article's", "JAX")
"""Left out of a quick run: they take long to compile or to run."""
NAMES = "these only: " + ", ".join(work.name for work in WORKS)
BEGIN, END = "<!-- result -->", "<!-- end of result -->"


def options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one thread, two works; about 45 s of a free core")
    parser.add_argument("--all", action="store_true", help="every work in every configuration")
    parser.add_argument("--works", nargs="+", choices=[work.name for work in WORKS], metavar="NAME", help=NAMES)
    parser.add_argument("--without", nargs="+", default=[], help="contestants to leave out, by how their names begin")
    parser.add_argument("--threads", nargs="+", type=int, help="these only")
    parser.add_argument("--budget", type=float, default=0.3, help="seconds for each contestant and operation, about")
    parser.add_argument(
        "--clock",
        choices=("wall", "processor"),
        default="wall",
        help="processor time at one thread: for a machine that others use too",
    )
    parser.add_argument("--json", type=Path, help="write the result")
    parser.add_argument("--plot", type=Path, help="draw the result; needs matplotlib")
    parser.add_argument("--from", dest="source", type=Path, help="show this result, measure nothing")
    parser.add_argument("--document", type=Path, help="put the result's tables into this file, between its marks")
    return parser.parse_args(arguments)


def works_of(chosen: argparse.Namespace, huge_pages: bool) -> list[str]:
    """The works of a configuration."""
    names = [work.name for work in WORKS]
    if chosen.works:
        names = [name for name in names if name in chosen.works]
    elif chosen.quick:
        names = list(QUICK)
    return [name for name in names if name in HUGE_PAGES] if huge_pages and not chosen.all else names


def measure(chosen: argparse.Namespace, say: Callable[[str], None]) -> dict[str, Any]:
    """Every configuration, one after the other; what is done so far is kept in `--json`."""
    asked = {"quick": chosen.quick, "budget": chosen.budget, "without": chosen.without, "clock": chosen.clock}
    result: dict[str, Any] = {"machine": machine(), "options": asked, "runs": [], "cold": {}}
    by_name = {work.name: work for work in WORKS}
    cores = os.cpu_count() or 1
    wanted = chosen.threads or ([1] if chosen.quick else [1, 2])
    with tempfile.TemporaryDirectory() as folder:
        say("deriving, proving and emitting the kernels")
        emit_all(dict.fromkeys(by_name[name].layer for name in works_of(chosen, False)), Path(folder))
        result["no triad"] = bandwidth.build(Path(folder))
        for threads, huge_pages in CONFIGURATIONS:
            names = works_of(chosen, huge_pages)
            if threads not in wanted or threads > cores or not names or (huge_pages and chosen.quick):
                continue
            say(f"threads {threads}, huge pages {huge_pages}")
            result["runs"].append(configuration(chosen, names, threads, huge_pages, Path(folder)))
            keep(result, chosen.json)
        if not chosen.quick and not chosen.works:
            say("cold starts")
            result["cold"] = cold_starts(Path(folder), chosen.clock)
    return result


def configuration(
    chosen: argparse.Namespace, works: list[str], threads: int, huge_pages: bool, folder: Path
) -> dict[str, Any]:
    """One configuration in a process of its own; the works that it finished, if it was stopped or crashed."""
    without = [*chosen.without, *(SLOW if chosen.quick else ())]
    answer = folder / f"{threads} {huge_pages}.json"
    clock = chosen.clock if threads == 1 else "wall"
    budget = min(chosen.budget, 0.1) if chosen.quick else chosen.budget
    request = Request(works, without, threads, budget, clock, str(folder), str(answer))
    done = subprocess.run(
        [sys.executable, "-m", "suite.worker", json.dumps(asdict(request))],
        check=False,
        cwd=HERE,
        env=environment(threads, huge_pages, folder),
    )
    return {
        "threads": threads,
        "allocator": "huge pages" if huge_pages else "default",
        "clock": clock,
        "failed": f"stopped before its end, with status {done.returncode}" if done.returncode else "",
        "works": json.loads(answer.read_text(encoding="utf-8")) if answer.exists() else [],
    }


def cold_starts(folder: Path, clock: str) -> dict[str, Any]:
    """Seconds to the first gradients, each in a fresh process with empty caches; or why there are none."""
    found: dict[str, Any] = {}
    for which in ("torch.compile", *KNOWN):
        if which != "torch.compile" and not (folder / which).is_dir():
            continue
        with tempfile.TemporaryDirectory() as caches:
            places = {"XDG_CACHE_HOME": caches, "HOME": caches, "TMPDIR": caches}
            done = subprocess.run(
                [sys.executable, "-m", "suite.cold", which, str(folder), clock],
                capture_output=True,
                text=True,
                check=False,
                cwd=HERE,
                env=environment(1, False, Path(caches)) | places,
            )
        lines = (done.stdout if done.returncode == 0 else done.stderr).strip().splitlines() or ["failed"]
        found[which] = round(float(lines[-1]), 3) if done.returncode == 0 else lines[-1]
    return found


def keep(result: dict[str, Any], path: Path | None) -> None:
    """Write a result as JSON."""
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(rounded(result), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def rounded(value: Any) -> Any:
    """Numbers to five digits; a time has no more."""
    if isinstance(value, float):
        return float(f"{value:.5g}")
    if isinstance(value, dict):
        return {key: rounded(each) for key, each in value.items()}
    return [rounded(each) for each in value] if isinstance(value, list) else value


def put_into(path: Path, lines: Sequence[str]) -> None:
    """Replace what stands between the marks of a document."""
    before, _, rest = path.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    path.write_text("\n".join([before + BEGIN, *lines, END]) + after, encoding="utf-8")


def main(arguments: Sequence[str]) -> None:
    chosen = options(arguments)
    speaking = sys.stderr.isatty()
    say: Callable[[str], None] = (lambda line: print(line, file=sys.stderr)) if speaking else (lambda _: None)
    if chosen.source:
        result = json.loads(chosen.source.read_text(encoding="utf-8"))
        if chosen.threads:
            result["runs"] = [run for run in result["runs"] if run["threads"] in chosen.threads]
    else:
        result = rounded(measure(chosen, say))  # what is shown is what is saved
        keep(result, chosen.json)
    print("\n".join(text(result)))
    if chosen.document:
        put_into(chosen.document, document(result))
    if chosen.plot:
        print(plot(result, chosen.plot), end="")


if __name__ == "__main__":
    main(sys.argv[1:])
