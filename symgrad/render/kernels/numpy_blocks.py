"""A procedure for NumPy in lines: as a whole, or block by block."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from symgrad.algebra.terms import Index
from symgrad.plan.blocks import Blocks
from symgrad.plan.records import FULL, KernelPlan, Procedure, is_full
from symgrad.render.kernels.blocks import blocks_for, call, finished, lengths
from symgrad.render.kernels.homes import with_fewest_buffers
from symgrad.render.kernels.layout import Frame, is_whole, tuple_text
from symgrad.render.kernels.numpy_full import FullWriter
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
    kinds: dict[str, str], indices: Mapping[str, Frame], outs: Mapping[str, str], used: set[str],
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
        outs: for each result what a user may have given to write it into.
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
    results = [result for _, result in blocks.inside.results]
    for result in inside.outs:
        given = outs.get(result, "None")
        used.update(["buffer"])
        lines.append(f"{result} = _buffer({given}, {inside.like})")
    outs_text = tuple_text([result if result in inside.outs else "None" for result in results])
    lines += call(blocks, name, inside.arguments, [f"out={outs_text}"] if inside.outs else [])
    totals = {each.name: WIDE for each in blocks.added}
    after = NumpyLines(plan, blocks.after, tuple(kept), "", used)
    after.smalls.kinds.update(before.smalls.kinds | dict(inside.kinds) | totals)
    for each in blocks.added:
        lines += finished(each, after.smalls)
    lines += after.write({})
    return Written(lines, after.smalls.kinds, (inside.function,))


@dataclass(frozen=True)
class _Inside:
    """The function of a block.

    Attributes:
        function: its text.
        arguments: the names of its arguments, without the buffers.
        outs: the results that it writes into arrays which are there already.
        like: an array with their shape.
        kinds: what its names hold.
    """

    function: Function
    arguments: tuple[str, ...]
    outs: tuple[str, ...]
    like: str
    kinds: Mapping[str, str]


def _function(
    plan: KernelPlan, blocks: Blocks, name: str, kinds: dict[str, str], known: Mapping[str, tuple[Index, ...]],
    used: set[str],
) -> _Inside:  # fmt: skip
    """The function that computes one block."""
    results = [result for _, result in blocks.inside.results]
    arrays = [(n, known.get(n, ())) for n in blocks.inside.reads]
    own = [(n, indices) for n, indices in arrays if indices and kinds.get(n) == OWN]
    like, frame = next(((n, i) for n, i in own if n in blocks.cut and is_full(i, plan.layer)), ("", None))
    outs = [s.name for s in blocks.inside.statements if s.name in results and s.kind == FULL and s.indices == frame]

    def attempt(homes: Mapping[str, str]) -> tuple[tuple[NumpyLines, list[str]], FullWriter]:
        lines = NumpyLines(plan, blocks.inside, tuple(results), "", used)
        lines.full.work, lines.full.outs, lines.full.homes = frame, set(outs), homes
        return (lines, lines.write(kinds)), lines.full

    writer, body = with_fewest_buffers(blocks.inside, frame or (), outs, attempt)
    outs = [result for result in outs if result not in writer.full.outs]
    read, missing = lengths(body, arrays)
    if any("dtype)" in line for line in body):
        read, missing = (read, [*missing, "dtype"]) if not own else ([*read, f"dtype = {own[0][0]}.dtype"], missing)
    if writer.full.count:
        used.add("buffers")
        names = tuple_text([f"buffer_{n + 1}" for n in range(writer.full.count)])
        read.append(
            f"{names if writer.full.count == 1 else names[1:-1]} = _buffers(buffers, {writer.full.count}, {like})"
        )
    arguments = (*blocks.inside.reads, *missing)
    returned = f"return {', '.join(results)}{',' if len(results) == 1 else ''}"
    doc = f"Compute {', '.join(results)} of a block of {blocks.axis}"
    doc += f"; {blocks.count} is the whole length." if blocks.count in arguments else "."
    lines = fit([*read, *([""] if read else []), *body, "", returned])
    signature = ", ".join([*arguments, "buffers", *outs])
    return _Inside(Function(name, signature, (doc,), lines), arguments, tuple(outs), like, writer.smalls.kinds)
