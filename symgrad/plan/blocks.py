"""Blocks: a procedure cut along one axis, so that what is computed for each element stays in the cache.

Where every full-size statement can be computed for a few channels, or a few rows, at a time, a kernel takes
one block of them after the other through all its statements, instead of each array as a whole from memory
and back. A sum over the cut axis itself is added up from the blocks; it is known only behind the last one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from symgrad.algebra.binding import transform_children
from symgrad.algebra.terms import Binder, Delta, Entry, Index, Place, Position, Size, Sum, Term, walk
from symgrad.notation.layer import Layer
from symgrad.plan.names import free_name
from symgrad.plan.partial_sums import shared_sums
from symgrad.plan.products import shared_products
from symgrad.plan.records import FULL, GATHER, REDUCTION, SCATTER, KernelPlan, Procedure, Statement, is_full
from symgrad.plan.share import reduction
from symgrad.plan.sweeps import PRODUCT, sweeps_of
from symgrad.plan.weights import shared_matrices

FEWEST = 3
"""With fewer operations for each element there is nothing to keep in the cache."""
READY, INSIDE, LATE = range(3)
"""When a value is known: before the blocks, with its block, behind the last block."""


@dataclass(frozen=True)
class Added:
    """A sum over the cut axis: its name, the coefficient that it gets at the end, and its whole formula."""

    name: str
    coefficient: Term
    formula: str


@dataclass(frozen=True)
class Blocks:
    """A procedure in three parts.

    Attributes:
        axis: the axis that is cut.
        count: the name that holds the axis' whole length inside of a block.
        before: what is computed once, before the blocks.
        inside: what is computed for each block; its results are what is needed outside.
        after: what is computed once, from the blocks' results.
        cut: for each array that `inside` reads in blocks the dimension that is cut.
        joined: for each result of `inside` the dimension in which the blocks lie; None: they are added up.
        added: the results that are added up.
    """

    axis: str
    count: str
    before: Procedure
    inside: Procedure
    after: Procedure
    cut: dict[str, int]
    joined: dict[str, int | None]
    added: tuple[Added, ...]


def blocks_of(plan: KernelPlan, procedure: Procedure) -> Blocks | None:
    """The procedure in blocks along the outermost axis along which it can be cut, or None."""
    layer = plan.layer
    if any(sweep.kind == PRODUCT for sweep in sweeps_of(procedure, layer).sweeps):
        return None
    full = [s for s in procedure.statements if is_full(_frame(s), layer)]
    if any(s.kind in (GATHER, SCATTER) for s in full) or sum(_operations(s, layer) for s in full) < FEWEST:
        return None
    read = [plan.indices(name) for name in procedure.reads if not name.startswith("d_")]
    frames = [indices for indices in (*read, *map(_frame, full)) if is_full(indices, layer)]
    for axis in dict.fromkeys(index.axis for frame in frames for index in frame):
        found = _Cut(plan, procedure, axis).made()
        if found is not None:
            return found
    return None


def _frame(statement: Statement) -> tuple[Index, ...]:
    """The letters over which a statement loops."""
    found = reduction(statement.term) if statement.kind == REDUCTION else None
    return (*statement.indices, *(found[0].indices if found is not None else ()))


def _operations(statement: Statement, layer: Layer) -> int:
    """How many operations a statement does for each element."""
    nodes = [node for node in walk(statement.term) if not isinstance(node, (Entry, Binder)) and node.children]
    each = sum(max(1, len(node.children) - 1) for node in nodes if is_full(node.free, layer))
    return each + (statement.kind == REDUCTION)


class _CannotError(Exception):
    """A statement that cannot be computed block by block."""


@dataclass
class _Cut:
    """A procedure on its way into blocks along one axis."""

    plan: KernelPlan
    procedure: Procedure
    axis: str
    state: dict[str, int] = field(default_factory=dict)
    dimension: dict[str, int | None] = field(default_factory=dict)
    twice: set[str] = field(default_factory=set)
    added: list[Added] = field(default_factory=list)

    def made(self) -> Blocks | None:
        """The parts, or None where the procedure cannot be cut along this axis."""
        for name in self.procedure.reads:
            self._know(name, READY, self._read_indices(name))
        parts: dict[int, list[Statement]] = {READY: [], INSIDE: [], LATE: []}
        try:
            for statement in self.procedure.statements:
                self._place(statement, parts)
        except _CannotError:
            return None
        self._postpone(parts)
        found = self._blocks(parts)
        full = [name for name in self.procedure.reads if is_full(self._read_indices(name), self.plan.layer)]
        return found if any(name in found.cut for name in full) else None

    def _know(self, name: str, state: int, indices: tuple[Index, ...]) -> None:
        self.state[name] = state
        places = [n for n, index in enumerate(indices) if index.axis == self.axis]
        self.dimension[name] = places[0] if len(places) == 1 else None
        if len(places) > 1:
            self.twice.add(name)

    def _read_indices(self, name: str) -> tuple[Index, ...]:
        cotangents = {f"d_{self.plan.names[o]}": self.plan.layer.entry(o).indices for o in self.plan.layer.outputs}
        statistics = {f"d_{name}": self.plan.indices(name) for name in self.plan.statistics}
        given = cotangents | statistics
        return given[name] if name in given else self.plan.indices(name)

    def _place(self, statement: Statement, parts: dict[int, list[Statement]]) -> None:
        """Put a statement into its part."""
        known = max((self.state[name] for name in statement.term.names), default=READY)
        whole = is_full(_frame(statement), self.plan.layer)
        letters = {letter for letter in _letters(statement) if letter.axis == self.axis}
        if known == LATE and whole:
            raise _CannotError
        if known == LATE or not letters or (known == READY and not whole) or statement.kind in (GATHER, SCATTER):
            part = READY if known == READY else LATE
            if whole and part == LATE:
                raise _CannotError
            parts[part].append(statement)
            self._know(statement.name, part, statement.indices)
            return
        self._know(statement.name, INSIDE, statement.indices)
        if (
            len(letters) > 1
            or self.twice & {statement.name, *statement.term.names}
            or _counts(statement.term, self.axis)
        ):
            raise _CannotError
        self._inside(statement, letters.pop(), parts[INSIDE])

    def _inside(self, statement: Statement, letter: Index, inside: list[Statement]) -> None:
        """Put a statement into the blocks; a sum over the cut axis without its coefficient."""
        bound = any(isinstance(node, Binder) and letter in node.indices for node in walk(statement.term))
        if not bound:
            if letter not in statement.indices or letter not in statement.term.free:
                raise _CannotError
            inside.append(statement)
            return
        found = reduction(statement.term) if statement.kind == REDUCTION else None
        if found is None or not isinstance(found[0], Sum) or letter not in found[0].indices:
            raise _CannotError
        total, coefficient = found
        inside.append(replace(statement, term=total, formula=f"{statement.formula}, of this block"))
        self.added.append(Added(statement.name, coefficient, statement.formula))
        self._know(statement.name, LATE, statement.indices)

    def _postpone(self, parts: dict[int, list[Statement]]) -> None:
        """Move what no full-size statement needs behind the blocks."""
        needed: set[str] = set()
        stay: list[Statement] = []
        moved: list[Statement] = []
        added = {each.name: each for each in self.added}
        for statement in reversed(parts[INSIDE]):
            if statement.name in needed or is_full(_frame(statement), self.plan.layer):
                needed |= statement.term.names
                stay.insert(0, statement)
            else:
                moved.append(statement)
        self.added = [each for each in self.added if each.name in {s.name for s in stay}]
        parts[INSIDE] = stay
        later = {s.name for s in (*moved, *parts[LATE])}
        original = [s for s in self.procedure.statements if s.name in later]
        parts[LATE] = original
        if any(s.kind == FULL and s.name in added for s in original):
            raise _CannotError

    def _blocks(self, parts: dict[int, list[Statement]]) -> Blocks:
        procedure, known = self.procedure, {s.name for part in parts.values() for s in part}
        taken = {*known, *procedure.reads, *self.plan.names.values()}
        count = free_name(f"all_{self.axis}", taken)
        constants = {c.name for c in self.plan.layer.constants}
        inside = shared_matrices(shared_sums(parts[INSIDE], taken, constants), taken, constants)
        inside = shared_products(inside, taken, constants)
        inside = [replace(s, term=_counted(s.term, self.axis, count)) for s in inside]
        outside = {name for s in parts[LATE] for name in s.term.names} | {name for _, name in procedure.results}
        results = tuple((s.name, s.name) for s in inside if s.name in outside)
        names = dict.fromkeys(name for s in inside for name in sorted(s.term.names))
        own = {s.name for s in inside}
        order = [*procedure.reads, *(s.name for s in parts[READY]), count]
        read = tuple(name for name in order if name in names and name not in own)
        before = Procedure(procedure.reads, tuple(parts[READY]), ())
        done = (*procedure.reads, *(s.name for s in parts[READY]), *(name for name, _ in results))
        after = Procedure(done, tuple(parts[LATE]), procedure.results)
        summed = {each.name for each in self.added}
        return Blocks(
            self.axis, count, before, Procedure(read, tuple(inside), results), after,
            {n: d for n in read if n != count and (d := self.dimension[n]) is not None},
            {n: None if n in summed else self.dimension[n] for n, _ in results}, tuple(self.added),
        )  # fmt: skip


def _letters(statement: Statement) -> Iterator[Index]:
    """All letters of a statement, bound ones and those in computed places too."""
    yield from statement.indices
    for node in walk(statement.term):
        yield from node.free
        if isinstance(node, Binder):
            yield from node.indices


def _counts(term: Term, axis: str) -> bool:
    """Whether a term uses the places of an axis as numbers, so that a block would have to know where it begins."""
    for node in walk(term):
        if isinstance(node, Position) and node.index.axis == axis:
            return True
        if isinstance(node, Delta) and axis in (node.left.axis, node.right.axis):
            return True
        indices = node.indices if isinstance(node, Entry) else (node.right,) if isinstance(node, Delta) else ()
        if any(isinstance(at, Place) and (at.axis == axis or _counts(at.value, axis)) for at in indices):
            return True
    return False


def _counted(term: Term, axis: str, count: str) -> Term:
    """The term with the length of an axis read from a name."""
    if term == Size(axis):
        return Entry(count)
    return transform_children(term, lambda child: _counted(child, axis, count))
