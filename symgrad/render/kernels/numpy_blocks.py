"""A procedure for NumPy in lines: as a whole, or block by block."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from symgrad.algebra.terms import Index
from symgrad.plan.blocks import Blocks
from symgrad.plan.records import KernelPlan, Procedure
from symgrad.render.kernels.blocks import blocks_for, call, finished, lengths
from symgrad.render.kernels.layout import Frame, is_whole
from symgrad.render.kernels.numpy_lines import NumpyLines
from symgrad.render.kernels.records import Function
from symgrad.render.kernels.small import OWN, PYTHON, WIDE
from symgrad.render.kernels.words import fit


@dataclass(frozen=True)
class Written:
    """A procedure as lines.

    Attributes:
        lines: the body.
        kinds: what each name holds.
        blocks: the function of a block, where the body calls one.
    """

    lines: list[str]
    kinds: Mapping[str, str]
    blocks: tuple[Function, ...] = ()


def write(
    plan: KernelPlan, procedure: Procedure, name: str, kept: Sequence[str], like: str,
    kinds: dict[str, str], indices: Mapping[str, Frame], used: set[str],
) -> Written:  # fmt: skip
    """The lines of a procedure.

    Args:
        plan: the plan that it belongs to.
        procedure: what is written.
        name: what the function of a block is called.
        kept: names that outlive it.
        like: the array that new ones are made like, where all arrays have one free shape.
        kinds: what the names hold that it reads.
        indices: the dimensions of the arrays that it reads.
        used: the helper functions that the lines call.
    """
    blocks = blocks_for(plan, procedure)
    if blocks is None:
        writer = NumpyLines(plan, procedure, tuple(kept), like if is_whole(plan.layer) else "", used)
        return Written(writer.write(kinds), writer.smalls.kinds)
    used.add("in_blocks")
    known = {**indices, **{s.name: s.indices for s in blocks.before.statements}}
    later = (*kept, *blocks.inside.reads, *blocks.after.reads)
    before = NumpyLines(plan, blocks.before, later, "", used)
    lines = before.write(kinds)
    inside = _function(plan, blocks, name, {**before.smalls.kinds, blocks.count: PYTHON}, known, used)
    lines += call(blocks, name, inside.arguments)
    totals = {each.name: WIDE for each in blocks.added}
    after = NumpyLines(plan, blocks.after, tuple(kept), "", used)
    after.smalls.kinds.update(before.smalls.kinds | dict(inside.kinds) | totals)
    for each in blocks.added:
        lines += finished(each, after.smalls)
    lines += after.write({})
    return Written(lines, after.smalls.kinds, (inside.function,))


@dataclass(frozen=True)
class _Inside:
    """The function of a block, the names of its arguments, and what its names hold."""

    function: Function
    arguments: tuple[str, ...]
    kinds: Mapping[str, str]


def _function(
    plan: KernelPlan, blocks: Blocks, name: str, kinds: dict[str, str], known: Mapping[str, tuple[Index, ...]],
    used: set[str],
) -> _Inside:  # fmt: skip
    """The function that computes one block."""
    results = [result for _, result in blocks.inside.results]
    writer = NumpyLines(plan, blocks.inside, tuple(results), "", used)
    body = writer.write(kinds)
    arrays = [(n, known.get(n, ())) for n in blocks.inside.reads]
    read, missing = lengths(body, arrays)
    if any("dtype)" in line for line in body):
        own = next((n for n, indices in arrays if writer.smalls.kinds.get(n) == OWN and indices), None)
        read, missing = (read, [*missing, "dtype"]) if own is None else ([*read, f"dtype = {own}.dtype"], missing)
    arguments = (*blocks.inside.reads, *missing)
    returned = f"return {', '.join(results)}{',' if len(results) == 1 else ''}"
    doc = (f"Compute {', '.join(results)} of a block of {blocks.axis}; {blocks.count} is the whole length.",)
    if blocks.count not in arguments:
        doc = (f"Compute {', '.join(results)} of a block of {blocks.axis}.",)
    lines = fit([*read, *([""] if read else []), *body, "", returned])
    return _Inside(Function(name, ", ".join(arguments), doc, lines), arguments, writer.smalls.kinds)
