"""A kernel's plan for the terminal: its sweeps, what it keeps, what it moves and how much must be moved."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator

from symgrad.plan.cost import Moved, groups_of, least, moved, operations
from symgrad.plan.records import Axes, KernelPlan, Procedure, Statement
from symgrad.plan.sweeps import PLACES, PRODUCT, Sweep, Sweeps, sweeps_of
from symgrad.render.kernels.layout import shown

BYTES = 4
"""A number in float32."""


def plan_text(plan: KernelPlan, columns: int) -> Iterator[str]:
    """The lines of the plan, each no longer than `columns` where it can be broken."""
    yield plan.layer.name
    yield "═" * len(plan.layer.name)
    kept = ", ".join(shown(name, plan.indices(name), plan.layer) for name in plan.saved)
    yield from textwrap.wrap(f"The forward pass keeps {kept or 'nothing'}.", columns)
    computed = {statement.name for statement in plan.backward.statements}
    again = [plan.names[d.name] for d in plan.layer.definitions if plan.names[d.name] in computed]
    if again and plan.tangents is None:
        names = ", ".join(shown(name, plan.indices(name), plan.layer) for name in again)
        yield from textwrap.wrap(f"The backward pass computes {names} again.", columns)
    for title, procedure in _procedures(plan):
        found = sweeps_of(procedure, plan.layer)
        yield ""
        yield f"{title}: {_counted(found)}"
        yield "─" * len(f"{title}: {_counted(found)}")
        yield from _procedure(plan, procedure, found, columns)


def _procedures(plan: KernelPlan) -> Iterator[tuple[str, Procedure]]:
    """The parts of a plan with their titles."""
    yield "Forward", plan.forward
    yield ("Backward", plan.backward) if plan.tangents is None else ("Tangents", plan.tangents)
    if plan.at_once is not None:
        yield "Both at once, where gradients will be asked for", plan.at_once


def _counted(found: Sweeps) -> str:
    kinds = Counter(sweep.kind for sweep in found.sweeps)
    names = {"sweep": "sweep", PRODUCT: "contraction", PLACES: "step at computed places"}
    parts = [f"{count} {names[kind]}{'s' if count > 1 else ''}" for kind, count in kinds.items()]
    return ", ".join(parts).replace("step at computed placess", "steps at computed places") or "nothing to compute"


def _procedure(plan: KernelPlan, procedure: Procedure, found: Sweeps, columns: int) -> Iterator[str]:
    number = 0
    for group in groups_of(found):
        if group.rows:
            yield f"  for each {', '.join(_ordered(group.rows, plan))}, one after the other, in cache:"
        for sweep in group.sweeps:
            number += 1
            yield from _sweep(sweep, number, plan, columns)
    if found.after:
        yield from _wrapped(f"     then {_names(found.after)}", columns, "          ")
    yield from _wrapped(
        f"  memory: {_moved(moved(plan, procedure, found), plan)}; at least {_moved(least(plan, procedure), plan)}",
        columns,
        "          ",
    )


def _sweep(sweep: Sweep, number: int, plan: KernelPlan, columns: int) -> Iterator[str]:
    what = {"sweep": "over ", PRODUCT: "contraction over ", PLACES: "at places of "}[sweep.kind] + "·".join(
        _ordered(sweep.axes, plan)
    )
    parts = [
        f"once before: {_names(sweep.before)}" if sweep.before else "",
        f"reads {', '.join(sweep.reads)}" if sweep.reads else "",
        f"for each element {_names(sweep.each)}" if sweep.each else "",
        f"adds up {_names(sweep.reductions)}" if sweep.reductions else "",
        f"writes {_names(sweep.arrays)}" if sweep.arrays else "",
        _operations(operations(sweep)) if sweep.kind == "sweep" else "",
    ]
    yield from _wrapped(f"  {number}  {what}: " + "; ".join(part for part in parts if part), columns, "     ")


def _ordered(axes: Axes, plan: KernelPlan) -> list[str]:
    """The axes in the order of the layer."""
    places = {axis.name: place for place, axis in enumerate(plan.layer.axes)}
    return sorted(axes, key=places.__getitem__)


def _operations(count: int) -> str:
    return f"{count} operation{'' if count == 1 else 's'} an element"


def _names(statements: tuple[Statement, ...]) -> str:
    return ", ".join(f"{s.name}[{', '.join(i.name for i in s.indices)}]" if s.indices else s.name for s in statements)


def _moved(found: Moved, plan: KernelPlan) -> str:
    """3 N_c·N_k·N_s numbers, 12 bytes an element in float32."""
    if not found.every:
        return "nothing large"
    counts: Counter[Axes] = Counter(found.every)
    sizes = [
        f"{f'{count} ' if count > 1 else ''}{'·'.join(f'N_{axis}' for axis in _ordered(axes, plan))}"
        for axes, count in counts.items()
    ]
    bytes_each = f" ({BYTES * len(found.every)} bytes an element in float32)" if len(counts) == 1 else ""
    return " + ".join(sizes) + f" numbers{bytes_each}"


def _wrapped(text: str, columns: int, indent: str) -> list[str]:
    """A line with what does not fit below it."""
    return textwrap.wrap(text, columns, subsequent_indent=indent, break_on_hyphens=False, drop_whitespace=True)
