"""A block of a procedure for PyTorch on a CPU, written into buffers that the next block uses again.

The other form (torch_lines.py) has an expression for each statement, which derivatives and compilers want. It
makes a new tensor for each operation; on a CPU these go through the cache and back, and cost more than the
operations. So a CPU that only needs the numbers computes them like this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from symgrad.algebra.terms import Entry, Index, Mul, Reduce, Sum, Term, mul
from symgrad.plan.blocks import Blocks
from symgrad.plan.records import FULL, REDUCTION, KernelPlan, Procedure, Statement, is_full
from symgrad.plan.share import reduction
from symgrad.plan.weights import Weighted, weighted_sum
from symgrad.render.kernels.blocks import lengths
from symgrad.render.kernels.buffers import Buffers, reads_of
from symgrad.render.kernels.homes import with_fewest_buffers
from symgrad.render.kernels.layout import Frame, tuple_text
from symgrad.render.kernels.numpy_full import FullWriter
from symgrad.render.kernels.numpy_weighted import operands
from symgrad.render.kernels.products import scaled
from symgrad.render.kernels.records import Function
from symgrad.render.kernels.small import OWN, WIDE, mean_and_rest, raw
from symgrad.render.kernels.torch_fused import Fused, fused
from symgrad.render.kernels.torch_lines import TorchLines, frame_of
from symgrad.render.kernels.ufuncs import TORCH
from symgrad.render.kernels.words import comment, fit, fitted


@dataclass
class InPlaceLines:
    """Writes the statements of a block.

    Attributes:
        plan: the plan that they belong to.
        procedure: what is written; its results are written into arrays that are there already, where they can be.
        kinds: what the names hold that it reads.
        like: an array with the dimensions of the buffers.
        frame: these dimensions.
        used: the helper functions that the lines call.
        homes: statements that are written into the array of a result on the way to it.
        lines: what has been written.
    """

    plan: KernelPlan
    procedure: Procedure
    kinds: Mapping[str, str]
    like: str
    frame: Frame
    used: set[str]
    homes: Mapping[str, str] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.small = TorchLines(
            self.plan, self.procedure, self.kinds, self.like, self.used, is_forward=True, is_narrow=True
        )
        results = [name for _, name in self.procedure.results]
        self.buffers = Buffers.of(self.procedure, results)
        names = {s.name for s in self.procedure.statements} | set(self.procedure.reads)
        full = [s for s in self.procedure.statements if s.kind == FULL and s.indices == self.frame]
        self.full = FullWriter(
            self.small.smalls, self.buffers, self.lines, "", self.used, names,
            {s.name for s in full if s.name in results}, self.frame, words=TORCH, homes=self.homes,
        )  # fmt: skip
        self.into = tuple(s.name for s in full if s.name in results)

    def write(self) -> list[str]:
        """All lines."""
        waiting = list(self.procedure.statements)
        while waiting:
            found = fused(waiting, self.buffers.uses)
            if found is not None and found.result.indices == self.frame:
                self._fused(found)
                del waiting[: len(found.statements)]
                continue
            statement = waiting.pop(0)
            if waiting and self._centred(statement, waiting[0]):
                waiting.pop(0)
            else:
                self._statement(statement)
        return [part for line in self.lines for part in fitted(line)]

    @property
    def outs(self) -> tuple[str, ...]:
        """The results that are written into arrays which are there already."""
        return tuple(name for name in self.into if name not in self.full.outs)

    def _statement(self, statement: Statement) -> None:
        if statement.kind == FULL:
            self.lines += comment(statement.formula)
            self.small.smalls.kinds[statement.name] = OWN
            self.full.assign(statement.name, statement.term, statement.indices)
            return
        self.lines += comment(statement.formula)
        if (weighted := weighted_sum(statement)) is not None and set(self.frame) == _letters(weighted):
            self._weighted(statement, weighted)
            return
        if statement.kind == REDUCTION:
            statement = self._of_an_array(statement)
        self.lines += self.small.written(statement)
        for name in reads_of(statement.term):
            self.buffers.read(name)
            self.buffers.release(name, self.frame)
        if is_full(statement.indices, self.plan.layer):
            self.buffers.owned[statement.name] = statement.indices

    def _fused(self, found: Fused) -> None:
        """Write some statements as one function of PyTorch."""
        name = found.result.name
        for statement in found.statements:
            for read in reads_of(statement.term):
                self.buffers.read(read)
        self.small.smalls.kinds[name] = OWN
        self.full.begin(name, self.frame)
        target = self.full.buffer(self.frame)
        self.full.renamed(target, name)
        arrays = [array.name for array in found.arrays]
        self.lines += comment(found.result.formula)
        self.lines.append(f"{name} = {found.call.format(*arrays, dim=self.frame.index(found.along), out=target)}")
        self.buffers.own(name, self.frame)
        for array in arrays:
            self.buffers.release(array, self.frame)

    def _weighted(self, statement: Statement, weighted: Weighted) -> None:
        """Write a sum of rows or columns, each times a number, as a product of a matrix and a vector."""
        found = reduction(statement.term)
        assert found is not None
        matrix, vector = operands(weighted, self.frame, self.full)
        turned = ".T" if weighted.letter == self.frame[0] else ""
        is_wide = statement.name in self.small.wide
        text = f"torch.mv({matrix}{turned}, {vector})"  # unlike @, autocast leaves it in its dtype
        text += ".to(wide)" if is_wide else ""
        self.small.smalls.kinds[statement.name] = WIDE if is_wide else OWN
        self.lines.append(f"{statement.name} = {self.small.smalls.text(scaled(raw(text), found[1]), ())}")

    def _of_an_array(self, statement: Statement) -> Statement:
        """A reduction of an array, after the lines that compute it."""
        found = reduction(statement.term)
        assert found is not None
        total = found[0]
        assert isinstance(total, (Sum, Reduce))
        frame = frame_of(total, statement.indices)
        if isinstance(total.body, Entry) or frame != self.frame or total.body.free != frozenset(frame):
            return statement
        operand = self.full.temporary(total.body, frame)
        self.buffers.uses[operand.name] += 1
        body: Term = Entry(operand.name, frame)
        of_it = Sum(total.indices, body) if isinstance(total, Sum) else replace(total, body=body)
        factors = statement.term.factors if isinstance(statement.term, Mul) else (statement.term,)
        return replace(statement, term=mul(*(of_it if factor == total else factor for factor in factors)))

    def _centred(self, mean: Statement, shifted: Statement) -> bool:
        """Write the mean of a given array and the array minus its mean together, where two statements are that."""
        found = mean_and_rest(mean, shifted, self.small.given)
        if found is None or is_full(mean.indices, self.plan.layer) or shifted.indices != self.frame:
            return False
        array, bound = found
        self.used.update(["centred", "centre"])
        self.small.smalls.kinds.update({mean.name: WIDE, shifted.name: OWN})
        for name in (array.name, array.name, mean.name):
            self.buffers.read(name)
        self.full.begin(shifted.name, self.frame)
        target = self.full.buffer(self.frame)
        self.full.renamed(target, shifted.name)
        axes = tuple_text([str(place) for place, index in enumerate(self.frame) if index in bound])
        self.lines += [*comment(mean.formula), *comment(shifted.formula)]
        self.lines.append(f"{mean.name}, {shifted.name} = _centred({array.name}, {axes}, wide, out={target})")
        self.buffers.own(shifted.name, self.frame)
        return True


def _letters(weighted: Weighted) -> frozenset[Index]:
    return weighted.matrix[0].free


@dataclass(frozen=True)
class InPlace:
    """The function of a block that writes into buffers.

    Attributes:
        name: what it is called.
        reads: the lines that read lengths and cast arrays, before the body.
        body: its lines.
        missing: the lengths that no array tells.
        outs: the results that it writes into arrays which are there already, as its last arguments.
        like: an array with their dimensions.
    """

    name: str
    reads: tuple[str, ...]
    body: tuple[str, ...]
    missing: tuple[str, ...]
    outs: tuple[str, ...]
    like: str

    def function(self, blocks: Blocks, arguments: Sequence[str]) -> Function:
        """Its text; it takes the arguments of the function that computes a block in the other form, and more."""
        results = [name for _, name in blocks.inside.results]
        returned = f"return {', '.join(results)}{',' if len(results) == 1 else ''}"
        doc = f"The same as `{self.name.removesuffix('_in_place')}_block`, into buffers and tensors that are there."
        signature = ", ".join([*arguments, "buffers", *self.outs])
        return Function(self.name, signature, (doc,), fit([*self.reads, "", *self.body, "", returned]))

    def given(self, blocks: Blocks, has_needs: bool) -> list[str]:
        """What the call of `_in_blocks` says of it."""
        like = tuple_text([self.like if name in self.outs else "None" for _, name in blocks.inside.results])
        condition = " if all(needs) else None" if has_needs else ""
        return [f"in_place={self.name}{condition}", f"like={like}", "dtype=dtype"]


def in_place(
    plan: KernelPlan, blocks: Blocks, name: str, kinds: Mapping[str, str], arrays: Sequence[tuple[str, Frame]],
    like: str, cast: Sequence[str], used: set[str],
) -> InPlace:  # fmt: skip
    """The function that computes one block into buffers.

    Args:
        plan: the plan that the block belongs to.
        blocks: what a block computes.
        name: what the function is called.
        kinds: what the names hold that it reads.
        arrays: the dimensions of what it reads.
        like: an array of full size among them.
        cast: the arrays that it brings into the dtype to compute in.
        used: the helper functions that the lines call.
    """
    frame = dict(arrays)[like]

    def write(homes: Mapping[str, str]) -> tuple[tuple[InPlaceLines, list[str]], FullWriter]:
        lines = InPlaceLines(plan, blocks.inside, kinds, like, frame, used, homes)
        return (lines, lines.write()), lines.full

    into = InPlaceLines(plan, blocks.inside, kinds, like, frame, used).into
    writer, body = with_fewest_buffers(blocks.inside, frame, into, write)
    reads, missing = lengths(body, arrays)
    reads += [f"{each} = {each}.to(dtype)" for each in cast]
    if writer.full.count:
        used.add("buffers")
        names = [f"buffer_{n + 1}" for n in range(writer.full.count)]
        left = f"({names[0]},)" if len(names) == 1 else ", ".join(names)
        reads.append(f"{left} = _buffers(buffers, {len(names)}, {like})")
    return InPlace(name, tuple(reads), tuple(body), tuple(missing), writer.outs, like)
