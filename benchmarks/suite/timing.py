"""Times of several contestants, interleaved, and what is said of them: median, quartiles, ratios."""

from __future__ import annotations

import gc
import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

FEWEST, MOST = 3, 60
TURN = 2e-3
"""Seconds: what is faster is repeated within a turn, up to 50 times, and the mean of the turn is one sample."""


@dataclass(frozen=True)
class Sample:
    """One turn: seconds for one run on the clock, and the processor time of all threads."""

    wall: float
    processor: float

    def by(self, clock: str) -> float:
        """The one or the other, "wall" or "processor"."""
        return self.processor if clock == "processor" else self.wall


@dataclass(frozen=True)
class Summary:
    """What is said of the samples of one contestant: seconds, but for `turns`, `cores` and `clock`.

    Attributes:
        median: of the times by `clock`.
        lower: their first quartile.
        upper: their third quartile.
        turns: how many samples there are.
        cores: the median of processor time by time; more than the threads allowed would be cheating,
            far less than one means that others held the processor.
        clock: "wall", or "processor" for the processor time of all threads.
    """

    median: float
    lower: float
    upper: float
    turns: int
    cores: float
    clock: str = "wall"


def summary(samples: Sequence[Sample], clock: str = "wall") -> Summary:
    """Median and quartiles.

    Raises:
        ValueError: there are no samples.
    """
    if not samples:
        raise ValueError("there are no samples to summarize.")
    times = [sample.by(clock) for sample in samples]
    quarters = statistics.quantiles(times, n=4, method="inclusive") if len(times) > 1 else times * 3
    cores = statistics.median(sample.processor / sample.wall for sample in samples)
    return Summary(statistics.median(times), quarters[0], quarters[2], len(times), cores, clock)


def as_data(said: Summary) -> dict[str, Any]:
    """A summary for JSON."""
    return asdict(said)


def repeated(run: Callable[[], Any], times: int) -> Sample:
    """The mean of several runs; what a run returns is freed within its time, as in a training loop."""
    processor, wall = time.process_time(), time.perf_counter()
    for _ in range(times):
        run()
    return Sample((time.perf_counter() - wall) / times, (time.process_time() - processor) / times)


def repeated_after(before: Callable[[], Any], run: Callable[[Any], Any], times: int) -> Sample:
    """The mean of several runs, each on what `before` returns, which is not timed."""
    wall = processor = 0.0
    for _ in range(times):
        state = before()
        started, at = time.process_time(), time.perf_counter()
        run(state)
        wall += time.perf_counter() - at
        processor += time.process_time() - started
        del state
    return Sample(wall / times, processor / times)


Turn = Callable[[int], Sample]
"""One turn of so many runs."""


def participates(place: int, turns: int, rounds: int) -> bool:
    """Whether a contestant with so many turns has one in this round: they are spread evenly."""
    return (place + 1) * turns // rounds > place * turns // rounds


def interleave(
    turns: Mapping[str, Turn], budget: float, most: int = MOST, clock: str = "wall"
) -> dict[str, list[Sample]]:
    """The samples of every contestant, taken in rounds.

    Each contestant (warm already: its results were compared) runs once to see how long it takes; that
    gives the number of its turns (about `budget` seconds, at least FEWEST, at most `most`). Every round
    starts with another contestant, so that nobody always runs behind the same one.
    """
    runs, wanted = {}, {}
    for name, turn in turns.items():
        cost = max(turn(1).by(clock), 1e-7)
        runs[name] = max(1, min(50, math.ceil(TURN / cost)))
        wanted[name] = max(FEWEST, min(most, int(budget / (cost * runs[name]))))
    rounds = max(wanted.values(), default=0)
    samples: dict[str, list[Sample]] = {name: [] for name in turns}
    names = list(turns)
    gc.collect()
    gc.disable()
    try:
        for place in range(rounds):
            start = place % len(names)
            for name in names[start:] + names[:start]:
                if participates(place, wanted[name], rounds):
                    samples[name].append(turns[name](runs[name]))
    finally:
        gc.enable()
    return samples


def times_faster(subject: float, rival: float) -> float:
    """How many times as fast the subject is as the rival, from their times."""
    return rival / subject
