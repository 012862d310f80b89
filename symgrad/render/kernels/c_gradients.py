"""The lines of a Python function around loops that compute gradients: room for them, the call, and what is returned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from symgrad.render.kernels.layout import tuple_text, unpacked
from symgrad.render.kernels.loop_function import LoopFunction
from symgrad.render.kernels.shapes import Shapes
from symgrad.render.kernels.words import call_lines

if TYPE_CHECKING:
    from symgrad.render.kernels.c_door import Door


def gradients(
    door: Door,
    function: LoopFunction,
    results: Sequence[tuple[str, str]],
    shapes: Shapes,
    read: Sequence[str],
    end: str,
) -> list[str]:
    """The lines that make room for gradients, call the function that computes them, and return them."""
    lines = [f"{unpacked([f'out_{what}_' for what, _ in results])} = _several(out, {len(results)})"]
    made = {name: what for what, name in reversed(results) if name in function.stored}
    copied = [(what, name) for what, name in results if made.get(name) != what]
    lines.append(f"read_ = {tuple_text(list(read))}")
    rooms = {}
    for what, _ in results:
        indices = door.plan.layer.entry(what).indices
        room = f'"out.{what}", out_{what}_, {shapes.shape(indices)}, {door.dtype(dict(results)[what])}'
        rooms[what] = room, f"read_{door.turn(indices)}"
    order = [what for what, _ in results]
    for name, what in sorted(made.items(), key=lambda pair: order.index(pair[1])):
        lines.append(f"{name} = _result({', '.join(rooms[what])})")
    lines += door.call(function) if made else []
    lines += [f"copy_{what}_ = _copied({rooms[what][0]}, {name}, {rooms[what][1]})" for what, name in copied]
    door.used.update(["copied"] if copied else [])
    returned = [f"{what}={name if made.get(name) == what else f'copy_{what}_'}" for what, name in results]
    return [*lines, *call_lines(end, returned)]
