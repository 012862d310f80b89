"""One configuration (threads, allocator) in a process of its own: all its works, one after the other."""

from __future__ import annotations

import gc
import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from suite import article_functions, bandwidth, emitted, jax_rival, numpy_equations, torch_rivals
from suite.problem import LIMITS, Problem, errors, problem_of
from suite.runners import CannotRunError, Contestant, Runner, results
from suite.timing import Sample, Turn, as_data, interleave, repeated, repeated_after, summary
from suite.works import WORKS, Work, least_bytes

STREAMED = 1_000_000
"""Works with fewer numbers live in the cache; memory says nothing about them."""


@dataclass(frozen=True)
class Request:
    """What a worker is to do.

    Attributes:
        works: their names.
        without: contestants whose name starts with one of these stay out.
        threads: how many it may use.
        budget: seconds for each contestant in each operation, about.
        clock: "wall" or "processor".
        kernels: the folder of emitted kernels, and of the compiled triad.
        answer: where its JSON goes.
    """

    works: Sequence[str]
    without: Sequence[str]
    threads: int
    budget: float
    clock: str
    kernels: str
    answer: str


def environment(threads: int, huge_pages: bool, caches: Path) -> dict[str, str]:
    """The variables of a worker's process: threads of everybody, PyTorch's allocator, where compilers keep things."""
    count = str(threads)
    found = {key: value for key, value in os.environ.items() if key != "THP_MEM_ALLOC_ENABLE"}
    for name in ("OMP", "MKL", "OPENBLAS", "NUMBA"):
        found[f"{name}_NUM_THREADS"] = count
    # JAX takes the size of its pool of threads from NPROC
    found |= {"NPROC": count, "TORCHINDUCTOR_CACHE_DIR": str(caches / "inductor"), "JAX_PLATFORMS": "cpu"}
    return found | ({"THP_MEM_ALLOC_ENABLE": "1"} if huge_pages else {})


def run(request: Request, say: Callable[[str], None] = lambda _: None) -> list[dict[str, Any]]:
    """Measure each work; the answer is written after each, so that a kernel that crashes takes one work along."""
    import torch

    torch.set_num_threads(request.threads)
    named = {work.name: work for work in WORKS}
    found = []
    for name in request.works:
        say(f"  {name}")
        found.append(measure(named[name], request))
        Path(request.answer).write_text(json.dumps(found), encoding="utf-8")
        gc.collect()
    return found


def all_contestants(layer: str, folder: Path) -> tuple[list[Contestant], dict[str, str]]:
    """Everybody, symgrad first; and who is missing and why."""
    own, skipped = emitted.contestants(layer, folder)
    rivals = torch_rivals.contestants(layer) + numpy_equations.contestants()
    return own + rivals + article_functions.contestants() + jax_rival.contestants(), skipped


def measure(work: Work, request: Request) -> dict[str, Any]:
    """All that is said of a work: each contestant's errors and times, or why it has none."""
    folder = Path(request.kernels)
    torch_rivals.forget()
    problem = problem_of(work)
    wanted, skipped = all_contestants(work.layer, folder)
    entries = {name: {"family": "symgrad", "skipped": reason} for name, reason in skipped.items()}
    ready: dict[str, Runner] = {}
    for contestant in wanted:
        if any(contestant.name.startswith(left_out) for left_out in request.without):
            continue
        entry, runner = prepared(contestant, problem)
        entries[contestant.name] = entry
        if runner is not None and work.timed:
            ready[contestant.name] = runner
    found = {"work": {**asdict(work), "elements": work.elements}, "entries": entries}
    if ready:
        moved = {operation: least_bytes(work, operation) for operation in ("step", "backward")}
        found |= timed(ready, entries, moved, request, work.elements >= STREAMED)
    return found


def prepared(contestant: Contestant, problem: Problem) -> tuple[dict[str, Any], Runner | None]:
    """A contestant's entry with its errors, and its runner if it computes what it should."""
    entry: dict[str, Any] = {"family": contestant.family, "through": contestant.through}
    try:
        runner = contestant.make(problem)
        found = [errors(problem, out, gradients) for out, gradients in results(problem, runner)]
    except CannotRunError as reason:
        return entry | {"skipped": str(reason)}, None
    except Exception as failure:  # a backend that cannot run here must not stop the others
        lines = str(failure).strip().splitlines() or [""]
        return entry | {"skipped": f"{type(failure).__name__}: {lines[0][:200]}"}, None
    entry["error"] = {name: max(each[name] for each in found) for name in found[0]}
    limit = LIMITS[problem.work.dtype] if not problem.work.mean else float("inf")
    worst = max(entry["error"].values())
    if not worst <= limit:
        return entry | {"wrong": f"not timed: it is off by {worst:.1e} of the largest entry"}, None
    return entry, runner


def timed(
    ready: Mapping[str, Runner],
    entries: dict[str, dict[str, Any]],
    moved: Mapping[str, int],
    request: Request,
    streamed: bool,
) -> dict[str, Any]:
    """Put times into the entries; returns the bandwidth of each operation's rounds, in bytes a second."""
    rates: dict[str, dict[str, float]] = {}
    for operation, turns in operations(ready).items():
        ways = bandwidth.streams(Path(request.kernels)) if streamed else {}
        turns |= {f"stream {name}": _turn(way.run) for name, way in ways.items()}
        samples = interleave(turns, request.budget, clock=request.clock)
        said = {name: summary(taken, request.clock) for name, taken in samples.items()}
        rates[operation] = {name: way.moved / said[f"stream {name}"].median for name, way in ways.items()}
        roof = next((rates[operation][name] for name in bandwidth.ROOF if name in rates[operation]), None)
        for name in ready:
            if name in said:
                entry = entries[name][operation] = as_data(said[name])
                least = moved["step" if operation == "step" else "backward"]
                entry["share"] = bandwidth.share(least, said[name].median, roof) if roof else None
    return {"bytes": dict(moved), "bandwidth": rates}


def operations(ready: Mapping[str, Runner]) -> dict[str, dict[str, Turn]]:
    """The turns of every operation: the step, the backward alone, and the backward into given arrays."""
    found: dict[str, dict[str, Turn]] = {
        "step": {name: _turn(runner.step) for name, runner in ready.items()},
        "backward": {n: _turn_after(r.forward, r.backward) for n, r in ready.items() if r.backward is not None},
    }
    doors = {n: _turn_after(r.forward, r.into) for n, r in ready.items() if r.into is not None}
    return found | ({"backward into": doors} if doors else {})


def _turn(action: Callable[[], Any]) -> Turn:
    return lambda times: repeated(action, times)


def _turn_after(before: Callable[[], Any], action: Callable[[Any], Any]) -> Turn:
    def turn(times: int) -> Sample:
        return repeated_after(before, action, times)

    return turn


def main(arguments: Iterable[str]) -> None:
    """A worker's process: reads the request that its argument holds, writes the answer."""
    request = Request(**json.loads(next(iter(arguments))))
    speaking = sys.stderr.isatty()
    run(request, (lambda text: print(text, file=sys.stderr)) if speaking else (lambda _: None))


if __name__ == "__main__":
    main(sys.argv[1:])
