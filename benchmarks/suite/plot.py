"""A picture of a result: how many times as fast as torch.compile each contestant is."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from suite.tables import YARDSTICK, heading, ratio


def bars(run: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """For each contestant its ratio to torch.compile on each work, step."""
    found: dict[str, dict[str, float]] = {}
    for measured in run["works"]:
        for name in measured["entries"]:
            value = ratio(measured["entries"], name, YARDSTICK, "step")
            if value is not None and name != YARDSTICK:
                found.setdefault(name, {})[measured["work"]["name"]] = value
    return found


def plot(result: Mapping[str, Any], path: Path) -> str:
    """Draw the runs under the default allocator; returns why not, or nothing."""
    if importlib.util.find_spec("matplotlib") is None:
        return "no plot: matplotlib is not installed (pip install 'symgrad[bench]')"
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    runs = [run for run in result["runs"] if run["allocator"] == "default"]
    figure, axes = plt.subplots(1, len(runs), figsize=(6 * len(runs), 8), squeeze=False, layout="constrained")
    for axis, run in zip(axes[0], runs, strict=True):
        _panel(axis, run)
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4 if len(runs) > 1 else 3, fontsize=8)
    figure.savefig(path, dpi=80, bbox_inches="tight")
    return ""


def _panel(axis: Any, run: Mapping[str, Any]) -> None:
    found = bars(run)
    names = sorted((m["work"] for m in run["works"]), key=lambda work: work["layer"])
    works = [work["name"] for work in names if any(work["name"] in each for each in found.values())]
    height = 0.8 / max(len(found), 1)
    for row, (name, values) in enumerate(found.items()):
        places = [works.index(work) + row * height for work in values]
        own = name.startswith("symgrad")
        axis.barh(places, [v - 1 for v in values.values()], height, left=1, label=name, alpha=1 if own else 0.35)
    axis.axvline(1, color="black", linewidth=1)
    axis.set_xscale("log")
    axis.set_yticks([place + 0.4 for place in range(len(works))], works)
    axis.invert_yaxis()
    axis.set_xlabel("times as fast as torch.compile, forward + loss + backward")
    axis.set_title(heading(run))
