"""Cold start: from the first line of an emitted file, or from `torch.compile`, to the first gradients.

What is imported already (NumPy, torch) is not counted; caches are empty.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from suite.problem import Problem, problem_of
from suite.works import WORKS

WORK = "network small"


def seconds(which: str, folder: Path, clock: str) -> float:
    """The time of one cold start by a clock: `which` is a backend, or "torch.compile"."""
    import torch

    work = next(work for work in WORKS if work.name == WORK)
    problem = problem_of(work)
    torch.zeros(1, requires_grad=True).sum().backward()
    started = now(clock)
    first_run(which, folder, problem)
    return now(clock) - started


def now(clock: str) -> float:
    """The clock, or the processor time of this process and of the compilers that it ran."""
    return time.process_time() + sum(os.times()[2:4]) if clock == "processor" else time.perf_counter()


def first_run(which: str, folder: Path, problem: Problem) -> None:
    """Load and run it once."""
    if which == "torch.compile":
        from suite.built_ins import BUILT_INS
        from suite.torch_rivals import compiled

        runner = compiled(BUILT_INS[problem.work.layer], problem)
    else:
        from suite.emitted import doors, load_file

        module = load_file(folder / which / f"{problem.work.layer}.py")
        runner = doors(module, problem.work.layer, which)[0][2](problem)
    runner.step()


if __name__ == "__main__":
    print(seconds(sys.argv[1], Path(sys.argv[2]), sys.argv[3]))
