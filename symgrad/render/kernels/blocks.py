"""The words around a procedure in blocks, the same for NumPy and PyTorch: lengths, a call, what is added up."""

from __future__ import annotations

import re
from collections.abc import Sequence

from symgrad.plan.blocks import Added, Blocks, blocks_of
from symgrad.plan.records import KernelPlan, Procedure
from symgrad.render.kernels.layout import Frame, is_whole, tuple_text
from symgrad.render.kernels.products import scaled
from symgrad.render.kernels.small import Smalls, raw
from symgrad.render.kernels.words import call_lines, comment


def blocks_for(plan: KernelPlan, procedure: Procedure) -> Blocks | None:
    """The blocks of a procedure whose arrays have dimensions to cut; None where it is computed as a whole."""
    return None if is_whole(plan.layer) else blocks_of(plan, procedure)


def lengths(body: Sequence[str], arguments: Sequence[tuple[str, Frame]]) -> tuple[list[str], list[str]]:
    """The lines that read the lengths which a block's body uses from its arrays, and the lengths that none has."""
    wanted = list(dict.fromkeys(re.findall(r"\bn_(\w+)\b", "\n".join(body))))
    has = {index.axis: (name, place) for name, indices in reversed(arguments) for place, index in enumerate(indices)}
    lines = [f"n_{axis} = {has[axis][0]}.shape[{has[axis][1]}]" for axis in wanted if axis in has]
    return lines, [f"n_{axis}" for axis in wanted if axis not in has]


def call(blocks: Blocks, function: str, names: Sequence[str], more: Sequence[str] = ()) -> list[str]:
    """The lines that call the function of a block for one block after the other."""
    results = [name for _, name in blocks.inside.results]
    given = [f"n_{blocks.axis}" if name == blocks.count else name for name in names]
    cut = [str(blocks.cut.get(name)) for name in names]
    join = [str(blocks.joined[name]) for name in results]
    left = f"({results[0]},)" if len(results) == 1 else ", ".join(results)
    arguments = [function, tuple_text(given), f"cut={tuple_text(cut)}", f"join={tuple_text(join)}", *more]
    return [f"# a block of {blocks.axis} after the other", *call_lines(f"{left} = _in_blocks", arguments)]


def finished(each: Added, smalls: Smalls) -> list[str]:
    """The lines that give a sum of all blocks its coefficient; none where it has none."""
    text = smalls.text(scaled(raw(each.name), each.coefficient), ())
    return [] if text == each.name else [*comment(each.formula), f"{each.name} = {text}"]
