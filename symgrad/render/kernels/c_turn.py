"""A second memory layout: arrays x[s, c, k...] that lie with c innermost, as PyTorch's channels_last.

The loops are written again for arrays whose dimensions are in that order; nothing else changes. A layer has this
layout where its largest arrays have one frame of three indices, of which the last is variadic.
"""

from __future__ import annotations

from dataclasses import replace

from symgrad.algebra.binding import in_places, transform_children
from symgrad.algebra.terms import Entry, Term
from symgrad.plan.records import KernelPlan, Procedure
from symgrad.render.kernels.layout import Frame

Axes = tuple[str, ...]


def turned_axes(plan: KernelPlan) -> Axes | None:
    """The axes of the arrays that have a second layout, in order; None where there are none."""
    layer = plan.layer
    if len(plan.full_axes) != 1 or layer.labels:
        return None
    frames = {tuple(i.axis for i in t.indices) for t in layer.tensors if len(t.indices) == len(plan.full_axes[0])}
    if len(frames) != 1:
        return None
    (axes,) = frames
    fits = len(axes) == 3 and len(set(axes)) == 3 and layer.axis(axes[-1]).variadic
    return axes if fits else None


def turned_frame(indices: Frame, axes: Axes) -> Frame:
    """The dimensions as they lie in memory: s, k, c for s, c, k."""
    if tuple(index.axis for index in indices) != axes:
        return indices
    return indices[0], indices[2], indices[1]


def turned_procedure(procedure: Procedure, axes: Axes) -> Procedure:
    """A procedure on arrays in the second layout."""
    statements = tuple(
        replace(s, indices=turned_frame(s.indices, axes), term=_turned(s.term, axes)) for s in procedure.statements
    )
    return replace(procedure, statements=statements)


def _turned(term: Term, axes: Axes) -> Term:
    term = in_places(term, lambda value: _turned(value, axes))
    if isinstance(term, Entry):
        return Entry(term.name, turned_frame(term.indices, axes))
    return transform_children(term, lambda child: _turned(child, axes))
