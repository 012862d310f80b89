"""What the kernels are to reach, as data, and whether a result does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Result = Mapping[str, Any]
Entry = Mapping[str, Any]


@dataclass(frozen=True)
class Goal:
    """One line.

    Attributes:
        text: what is asked, in words.
        bound: the number to reach.
        measure: "faster" (rival's time by symgrad's fastest; at least `bound`), "longer" (subject's time
            by the rival's; at most), "share" (of the measured bandwidth; at least), "error" (of d_x, the
            worst of symgrad's kernels; at most) or "cold" (seconds of a cold start; at most).
        works: where; none for every timed work in float32.
        operation: "step", "backward" or "backward into".
        threads: how many; several mean that it must hold with each.
        allocator: "default" or "huge pages".
        subject: how the names of symgrad's contestants begin that count.
        through: "arrays" or "torch", where only these count.
        against: the rival.
    """

    text: str
    bound: float
    measure: str
    works: tuple[str, ...] = ()
    operation: str = "step"
    threads: tuple[int, ...] = (1, 2)
    allocator: str = "default"
    subject: str = "symgrad"
    through: str = ""
    against: str = "torch.compile"


@dataclass(frozen=True)
class Outcome:
    """What a result says to a goal.

    Attributes:
        goal: the line.
        measured: the number; None where nothing was measured.
        where: by whom and where it was found.
        reached: None where nothing was measured.
    """

    goal: Goal
    measured: float | None
    where: str
    reached: bool | None


def _faster(text: str, bound: float, work: str, **more: Any) -> Goal:
    return Goal(text, bound, "faster", (work,), **more)


MEDIUM, LARGE, SMALL = "network medium", "network large", "network small"
GOALS = (
    _faster("network (32, 64, 56, 56), 1 thread, step", 2.5, MEDIUM, threads=(1,)),
    _faster("the same, backward", 3.5, MEDIUM, threads=(1,), operation="backward"),
    _faster("network (32, 64, 56, 56), 2 threads, step", 2.3, MEDIUM, threads=(2,)),
    _faster("the same, backward", 3.2, MEDIUM, threads=(2,), operation="backward"),
    _faster("network (64, 128, 56, 56), step", 4, LARGE),
    _faster("the same, backward into given arrays", 7, LARGE, operation="backward into"),
    _faster("network (8, 3, 16, 16), through NumPy", 9, SMALL, through="arrays"),
    _faster("the same, through torch", 4, SMALL, through="torch"),
    _faster("network float64", 2, "network float64"),
    _faster("network bfloat16", 2.3, "network bfloat16"),
    _faster("network channels_last", 2.2, "network channels_last"),
    _faster("rms_norm, nothing faulting", 2.4, "rms_norm medium", allocator="huge pages"),
    _faster("softmax and cross entropy, nothing faulting", 3.5, "cross_entropy medium", allocator="huge pages"),
    _faster("layer_norm, nothing faulting", 2.2, "layer_norm medium", allocator="huge pages"),
    _faster("layer_norm against torch eager", 1.1, "layer_norm medium", allocator="huge pages", against="torch eager"),
    Goal("backward, share of the bandwidth, 1 thread", 0.85, "share", (MEDIUM,), "backward", (1,)),
    Goal("backward, share of the bandwidth, 2 threads", 0.90, "share", (MEDIUM,), "backward", (2,)),
    Goal("error of d_x at mean 1e4, standard deviation 1", 2e-6, "error", ("network mean 1e4",)),
    Goal("cold start of a c kernel, seconds", 0.5, "cold", subject="c"),
    Goal("torch backend against torch eager", 1.3, "longer", (MEDIUM,), subject="symgrad torch", against="torch eager"),
    Goal("the same on every work in float32", 1.3, "longer", subject="symgrad torch", against="torch eager"),
    Goal(
        "NumPy backend against NumPy by equations",
        0.35,
        "longer",
        (MEDIUM,),
        subject="symgrad numpy",
        against="NumPy by equations",
    ),
    Goal(
        "the same on every work in float32",
        0.35,
        "longer",
        subject="symgrad numpy",
        against="NumPy by equations",
    ),
)
"""For "faster": how many times as fast as torch.compile, unless another rival is named."""

AT_LEAST = ("faster", "share")


def outcomes(result: Result) -> list[Outcome]:
    """Every goal, held against a result."""
    return [outcome(goal, result) for goal in GOALS]


def outcome(goal: Goal, result: Result) -> Outcome:
    """One goal: the least favourable of the configurations and works that it names."""
    found = list(_cold(goal, result) if goal.measure == "cold" else _numbers(goal, result))
    if not found:
        return Outcome(goal, None, "no such kernel, or not in this run", None)
    value, where = min(found) if goal.measure in AT_LEAST else max(found)
    return Outcome(goal, value, where, value >= goal.bound if goal.measure in AT_LEAST else value <= goal.bound)


def _cold(goal: Goal, result: Result) -> Iterator[tuple[float, str]]:
    seconds = result.get("cold", {}).get(goal.subject)
    if isinstance(seconds, float):
        yield seconds, goal.subject


def _numbers(goal: Goal, result: Result) -> Iterator[tuple[float, str]]:
    """For each configuration and work what the best (or the worst, for errors) kernel reaches."""
    for run in result["runs"]:
        if run["threads"] not in goal.threads or run["allocator"] != goal.allocator:
            continue
        for measured in run["works"]:
            if not counts(goal, measured["work"]):
                continue
            found = list(_of_work(goal, measured["entries"]))
            if found:
                value, name = (max if goal.measure in (*AT_LEAST, "error") else min)(found)
                clock = ", processor time" if run["clock"] == "processor" else ""
                yield value, f"{name}, {measured['work']['name']}, {threads_of(run['threads'])}{clock}"


def counts(goal: Goal, work: Mapping[str, Any]) -> bool:
    """Whether a goal speaks of a work."""
    return work["name"] in goal.works if goal.works else work["timed"] and work["dtype"] == "float32"


def _of_work(goal: Goal, entries: Mapping[str, Entry]) -> Iterator[tuple[float, str]]:
    # a backward into given arrays has no counterpart among the rivals: it is held against their backward
    against = entries.get(goal.against, {}).get(goal.operation.removesuffix(" into"))
    for name, entry in entries.items():
        if not named(goal, name) or goal.through not in ("", entry.get("through")):
            continue
        if goal.measure == "error" and "error" in entry:
            yield entry["error"]["x"], name
        time = entry.get(goal.operation)
        if time is None:
            continue
        if goal.measure == "share" and time["share"] is not None:
            yield time["share"], name
        if goal.measure == "faster" and against is not None:
            yield against["median"] / time["median"], name
        if goal.measure == "longer" and against is not None:
            yield time["median"] / against["median"], name


def named(goal: Goal, name: str) -> bool:
    """Whether a contestant counts: any of symgrad's, or exactly the one that is named."""
    return name.startswith("symgrad ") if goal.subject == "symgrad" else name == goal.subject


def threads_of(count: int) -> str:
    """In words."""
    return f"{count} thread" + ("s" if count > 1 else "")
