"""A procedure for PyTorch in lines: as a whole, or block by block.

`_in_blocks` decides how it is computed, and cuts only where that gains something: on a CPU, outside of
`torch.compile`, where nothing is differentiated or batched. There a function of its own computes a block into
buffers (torch_in_place.py); where some gradients are not wanted, it is the function that computes the whole.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from symgrad.plan.blocks import Blocks
from symgrad.plan.records import KernelPlan, Procedure, Statement, is_full
from symgrad.render.kernels.blocks import blocks_for, call, finished, lengths
from symgrad.render.kernels.layout import Frame
from symgrad.render.kernels.records import Function
from symgrad.render.kernels.small import OWN, PYTHON
from symgrad.render.kernels.torch_in_place import in_place
from symgrad.render.kernels.torch_lines import TorchLines
from symgrad.render.kernels.words import call_lines, fit


@dataclass(frozen=True)
class Written:
    """A procedure as lines.

    Attributes:
        lines: the body.
        blocks: the function of a block, where the body calls one.
        cast: the arrays that this function brings into the dtype to compute in; the body need not.
        kinds: what each name holds.
    """

    lines: list[str]
    kinds: Mapping[str, str]
    blocks: tuple[Function, ...] = ()
    cast: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Writer:
    """What the parts of a procedure have in common.

    Attributes:
        plan: the plan that the procedure belongs to.
        procedure: what is written.
        name: what the function of a block is called.
        indices: the dimensions of the arrays that it reads.
        like: a full-size array, after which others are made.
        wanted: the results of which each may be unwanted; none where all are computed always.
        used: the helper functions that the lines call.
        in_blocks: whether blocks are made where they can be.
        is_narrow: whether sums of computed values are not widened.
    """

    plan: KernelPlan
    procedure: Procedure
    name: str
    indices: Mapping[str, Frame]
    like: str
    wanted: tuple[str, ...]
    used: set[str]
    in_blocks: bool
    is_narrow: bool

    def write(self, kinds: Mapping[str, str]) -> Written:
        """The lines of the procedure; `kinds` says what the names hold that it reads."""
        often = self.in_blocks and any(self.procedure is each for each in (self.plan.forward, self.plan.backward))
        blocks = blocks_for(self.plan, self.procedure) if often else None
        if blocks is None:
            writer = self._writer(self.procedure, kinds, self.like)
            return Written(self._lines(writer), writer.smalls.kinds)
        self.used.add("in_blocks")
        before = self._writer(blocks.before, kinds, self.like)
        lines = before.write()  # small, and read by every block
        inside = self._function(blocks, {**before.smalls.kinds, blocks.count: PYTHON})
        lines += call(blocks, self.name, inside.arguments, inside.given)
        kinds = {**before.smalls.kinds, **inside.kinds}
        after = self._writer(blocks.after, kinds, self.like)
        by_name = {statement.name: statement for statement in blocks.inside.statements}
        for each in blocks.added:
            condition = self._condition(by_name[each.name])
            found = finished(each, after.smalls)
            lines += [f"if {condition}:", *(f"    {line}" for line in found)] if condition and found else found
        lines += self._lines(after)
        return Written(lines, after.smalls.kinds, inside.functions, inside.cast)

    def _writer(self, procedure: Procedure, kinds: Mapping[str, str], like: str) -> TorchLines:
        is_forward = self.procedure is self.plan.forward
        ahead = {frozenset(index.axis for index in indices) for _, indices in self.plan.ahead}
        return TorchLines(
            self.plan, procedure, kinds, like, self.used, is_forward=is_forward, is_narrow=self.is_narrow,
            kept=next(iter(ahead)) if len(ahead) == 1 else frozenset(),
        )  # fmt: skip

    def _lines(self, writer: TorchLines) -> list[str]:
        return writer.write_as_needed(self.wanted) if len(self.wanted) > 1 else writer.write()

    def _condition(self, statement: Statement) -> str:
        """When a statement is computed; empty: always."""
        if len(self.wanted) < 2 or set(statement.needed_by) == set(self.wanted):
            return ""
        return " or ".join(f"need_{what}" for what in self.wanted if what in statement.needed_by)

    def _function(self, blocks: Blocks, kinds: Mapping[str, str]) -> _Inside:
        """The function that computes one block."""
        known = {**self.indices, **{s.name: s.indices for s in blocks.before.statements}}
        arrays = [(name, known.get(name, ())) for name in blocks.inside.reads]
        like = next(name for name, indices in arrays if name in blocks.cut and is_full(indices, self.plan.layer))
        writer = self._writer(blocks.inside, kinds, like)
        body = self._lines(writer)
        read, missing = lengths(body, arrays)
        outside = {name for part in (blocks.before, blocks.after) for s in part.statements for name in s.term.names}
        own = [name for name, indices in arrays if name in blocks.cut and is_full(indices, self.plan.layer)]
        cast = [name for name in own if name in self.indices and name not in outside and kinds.get(name) == OWN]
        read += [f"{name} = {name}.to(dtype)" for name in cast]
        text = "\n".join([*read, *body])
        fast = in_place(
            self.plan, blocks, f"{self.name.removesuffix('_block')}_in_place", kinds, arrays, like, cast, self.used
        )
        missing += [name for name in fast.missing if name not in missing]
        text = "\n".join([text, *fast.reads, *fast.body])
        missing += [name for name in ("dtype", "wide") if re.search(rf"\b{name}\b(?!=)", text)]
        if len(self.wanted) > 1:
            read.insert(0, f"{', '.join(f'need_{what}' for what in self.wanted)} = needs")
            missing.append("needs")
        by_name = {statement.name: statement for statement in blocks.inside.statements}
        results = [result for _, result in blocks.inside.results]
        given = [
            f"{name} if {condition} else None" if (condition := self._condition(by_name[name])) else name
            for name in results
        ]
        arguments = (*blocks.inside.reads, *missing)
        returned = call_lines("return ", given) if len(given) > 1 else [f"return ({given[0]},)"]
        doc = f"Compute {', '.join(results)} of a block of {blocks.axis}"
        doc += f"; {blocks.count} is the whole length." if blocks.count in arguments else "."
        lines = fit([*read, "", *body, "", *returned])
        function = Function(self.name, ", ".join(arguments), (doc,), lines)
        given = fast.given(blocks, len(self.wanted) > 1)
        functions = (function, fast.function(blocks, arguments))
        return _Inside(functions, arguments, given, frozenset(cast), writer.smalls.kinds)


@dataclass(frozen=True)
class _Inside:
    """The functions of a block, their arguments, what else a call says, the arrays that they cast, and the kinds."""

    functions: tuple[Function, ...]
    arguments: Sequence[str]
    given: Sequence[str]
    cast: frozenset[str]
    kinds: Mapping[str, str]
