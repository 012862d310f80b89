"""Which statements are written into the array of a result already: the fewer buffers, the more of them in the cache."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from symgrad.plan.records import FULL, Procedure
from symgrad.render.kernels.layout import Frame
from symgrad.render.kernels.numpy_full import FullWriter

Lines = TypeVar("Lines")
Write = Callable[[Mapping[str, str]], tuple[Lines, FullWriter]]


def with_fewest_buffers(procedure: Procedure, frame: Frame, outs: Sequence[str], write: Write[Lines]) -> Lines:
    """What `write` makes of a procedure, with the statements on the way to each result where that saves a buffer.

    Args:
        procedure: what is written.
        frame: the dimensions of the buffers.
        outs: the results that may be written into arrays which are there already.
        write: writes everything anew; its argument says in which result's array a statement is to be kept.
    """
    best: Mapping[str, str] = {}
    lines, full = write(best)
    for result in outs:
        before: list[str] = []
        for statement in procedure.statements:
            if statement.name == result:
                break
            if statement.kind == FULL and statement.indices == frame and statement.name not in outs:
                before.append(statement.name)
        for name in before:
            homes = {**best, name: result}
            tried, found = write(homes)
            if found.is_right and found.count < full.count and len(found.outs) <= len(full.outs):
                best, lines, full = homes, tried, found
                break
    return lines
