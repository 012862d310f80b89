"""A result as text: a table for each configuration and work, ratios to every rival, and the goals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from suite.goals import AT_LEAST, Outcome, outcomes, threads_of
from suite.timing import times_faster

YARDSTICK = "torch.compile"
RIVALS = ("torch eager", "torch.compile", "NumPy by equations", "article's Functions", "JAX jit")
CONTENDED = 0.9
"""Below so many cores in use, others held the processor, and the time says little."""
Rows = Sequence[Sequence[str]]


def aligned(rows: Rows) -> list[str]:
    """Rows as lines with columns below each other, the first to the left and the others to the right."""
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    lines = []
    for row in rows:
        _, *others = (cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        lines.append("  ".join([row[0].ljust(widths[0]), *others]).rstrip())
    return lines


def markdown(rows: Rows) -> list[str]:
    """Rows as a Markdown table; the first is its head."""
    head, *body = ["| " + " | ".join(row) + " |" for row in rows]
    return [head, "|" + "---|" * len(rows[0]), *body]


def milliseconds(said: Mapping[str, Any] | None) -> str:
    """A median with its quartiles; "~" where others held the processor meanwhile."""
    if said is None:
        return "–"
    median, lower, upper = (1e3 * said[key] for key in ("median", "lower", "upper"))
    digits = 3 if median < 1 else 2 if median < 10 else 1 if median < 1000 else 0
    mark = "~" if said["cores"] < CONTENDED and said["clock"] == "wall" else ""
    return f"{mark}{median:.{digits}f} [{lower:.{digits}f} {upper:.{digits}f}]"


def ratio(entries: Mapping[str, Any], name: str, rival: str, operation: str) -> float | None:
    """How many times as fast as a rival; None where one of both was not timed."""
    own = entries.get(name, {}).get(operation)
    other = entries.get(rival, {}).get(operation.removesuffix(" into"))
    return times_faster(own["median"], other["median"]) if own and other else None


def said(value: float | None, digits: int = 2) -> str:
    """A ratio, or a dash."""
    return "–" if value is None else f"{value:.{digits}f}"


def percent(time: Mapping[str, Any] | None) -> str:
    """The share of the bandwidth, or a dash."""
    return f"{100 * time['share']:.0f}%" if time and time.get("share") is not None else "–"


HEAD = ("", "step, ms", "×", "of roof", "backward, ms", "×", "of roof", "worst error")


def work_rows(measured: Mapping[str, Any]) -> list[list[str]]:
    """The contestants of a work that computed it, symgrad's first."""
    rows = [list(HEAD)]
    entries = measured["entries"]
    for name, entry in entries.items():
        if "error" not in entry:
            continue
        row = [name]
        for operation in ("step", "backward"):
            time = entry.get(operation)
            row += [milliseconds(time), said(ratio(entries, name, YARDSTICK, operation)), percent(time)]
        rows.append([*row, f"{max(entry['error'].values()):.0e}"])
        into = entry.get("backward into")
        if into is not None:
            faster = said(ratio(entries, name, YARDSTICK, "backward into"))
            rows.append([f"{name}, out=", "–", "–", "–", milliseconds(into), faster, percent(into), ""])
    return rows


def heading(run: Mapping[str, Any]) -> str:
    """The configuration in words."""
    allocator = "default allocator" if run["allocator"] == "default" else "huge pages (THP_MEM_ALLOC_ENABLE=1)"
    clock = ", by processor time" if run["clock"] == "processor" else ""
    return f"{threads_of(run['threads'])}, {allocator}{clock}"


def text(result: Mapping[str, Any]) -> Iterator[str]:
    """Everything, line by line."""
    yield from (f"{key}: {value}" for key, value in result["machine"].items())
    if result.get("no triad"):
        yield f"no triad in C, so that the roof is NumPy's copy: {result['no triad']}"
    for run in result["runs"]:
        yield f"\n{heading(run)}"
        if run["failed"]:
            yield run["failed"]
        for measured in run["works"]:
            work = measured["work"]
            yield f"\n{work['name']}: {work['layer']} {tuple(work['shape'])} {work['dtype']}{roof(measured)}"
            yield from aligned(work_rows(measured))
            yield from (f"  ({name}: {why})" for name, why in left_out(measured["entries"]))
        yield "\nHow many times as fast as each rival, step / backward:"
        yield from aligned(ratio_rows(run))
    if result.get("cold"):
        yield f"\nCold start, seconds of the {result['options']['clock']} clock (network small, empty caches):"
        yield from aligned([[name, str(value)] for name, value in result["cold"].items()])
    yield "\nGoals:"
    yield from aligned(goal_rows(outcomes(result)))


def left_out(entries: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Who has no time, and why."""
    return [(n, e.get("skipped") or e["wrong"]) for n, e in entries.items() if "skipped" in e or "wrong" in e]


def roof(measured: Mapping[str, Any]) -> str:
    """The bandwidths beside a work's steps, in words."""
    rates = measured.get("bandwidth", {}).get("step", {})
    return "".join(f"; {name} {rate / 1e9:.1f} GB/s" for name, rate in rates.items())


def ratio_rows(run: Mapping[str, Any]) -> list[list[str]]:
    """A row for each work and symgrad's kernel, a column for each rival."""
    rows = [["", *RIVALS]]
    for measured in run["works"]:
        entries = measured["entries"]
        for name, entry in entries.items():
            if entry["family"] == "symgrad" and "step" in entry:
                cells = [" / ".join(said(ratio(entries, name, r, o)) for o in ("step", "backward")) for r in RIVALS]
                rows.append([f"{measured['work']['name']}: {name.removeprefix('symgrad ')}", *cells])
    return rows


def goal_rows(found: Sequence[Outcome]) -> list[list[str]]:
    """A row for each goal."""
    rows = [["goal", "asked", "measured", "reached", "by and where"]]
    for each in found:
        sign = "≥" if each.goal.measure in AT_LEAST else "≤"
        reached = "?" if each.reached is None else "yes" if each.reached else "no"
        rows.append([each.goal.text, f"{sign} {each.goal.bound:g}", number(each.measured), reached, each.where])
    return rows


def number(value: float | None) -> str:
    """Two digits behind the point, or few digits in all for what is tiny."""
    return "–" if value is None else f"{value:.1e}" if abs(value) < 1e-3 else f"{value:.2f}"


def document(result: Mapping[str, Any]) -> list[str]:
    """The part of docs/benchmarks.md that a result fills."""
    machine = result["machine"]
    versions = ", ".join(f"{p} {machine[p]}" for p in ("numpy", "torch", "jax") if machine.get(p))
    lines = [
        f"{machine['processor']}, {machine['cores']} cores, last-level cache {machine['last-level cache']}; "
        f"Python {machine['python']}, {versions}, gcc {machine['gcc']}.",
        "",
        "### Goals",
        "",
        *markdown(goal_rows(outcomes(result))),
    ]
    for run in result["runs"]:
        lines += [
            "",
            f"### Times as fast as each rival, step / backward: {heading(run)}",
            "",
            *markdown(ratio_rows(run)),
        ]
    lines += ["", "### Times of the network, medium", ""]
    for run in result["runs"]:
        for measured in run["works"]:
            if measured["work"]["name"] == "network medium":
                lines += [f"{heading(run)}{roof(measured)}", "", *markdown(work_rows(measured)), ""]
    if result.get("cold"):
        starts = ", ".join(f"{name} {value} s" for name, value in result["cold"].items())
        lines += [f"Cold start by the {result['options']['clock']} clock: {starts}.", ""]
    return lines
