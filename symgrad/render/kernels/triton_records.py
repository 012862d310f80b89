"""What a Triton kernel computes: the records between the plan's sweeps and the text."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from symgrad.algebra.terms import Index
from symgrad.plan.moments import Moments
from symgrad.plan.records import Statement
from symgrad.plan.sweeps import Sweep

Axes = frozenset[str]
PART, PROGRAM = "part", "program"
"""What a partial sum is written out for, beside axes: each part of a row, or each program."""


@dataclass(frozen=True)
class Merge:
    """A second kernel, which merges partial sums.

    Attributes:
        kept: the indices of what it computes.
        over: what the parts are counted by: PART, PROGRAM and axes.
        sums: the reductions.
        moments: the mean and the squares among them that are merged together.
        smalls: what it computes from them.
    """

    kept: tuple[Index, ...]
    over: tuple[str, ...]
    sums: tuple[Statement, ...]
    moments: Moments | None = None
    smalls: tuple[Statement, ...] = ()


@dataclass(frozen=True)
class Stage:
    """One kernel, and the kernels that merge what it leaves.

    Attributes:
        rows: the axes of a tile's rows, outermost first.
        cols: those of its columns.
        whole: whether a program takes whole rows.
        sweeps: in order; without what is merged together as moments.
        moments: a mean and the squares around it that are added up in one sweep.
        smalls: what is computed for each row in the end.
        merges: what is merged.
    """

    rows: tuple[Index, ...]
    cols: tuple[Index, ...]
    whole: bool
    sweeps: tuple[Sweep, ...]
    moments: Moments | None = None
    smalls: tuple[Statement, ...] = ()
    merges: tuple[Merge, ...] = ()

    @property
    def partial(self) -> dict[str, Merge]:
        """The reductions that are not finished in this kernel."""
        return {s.name: merge for merge in self.merges for s in merge.sums}

    def finished(self) -> Iterable[Statement]:
        """All that is known when the stage has ended, but for values of single elements."""
        for sweep in self.sweeps:
            yield from (*sweep.reductions, *sweep.arrays)
        if self.moments is not None:
            yield from (self.moments.mean, self.moments.squares)
        yield from self.smalls
        for merge in self.merges:
            yield from merge.smalls


def axes_of(indices: Iterable[Index]) -> Axes:
    """The axes of some indices."""
    return frozenset(index.axis for index in indices)
