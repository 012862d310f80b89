"""Passes over memory: which statements of a procedure are computed in one sweep over the same loop nest.

A sweep computes reductions and arrays for each element of its nest, from what earlier sweeps have left.
A sum can be used only after the sweep that adds it up, so the number of sweeps over one nest is the
length of the longest chain of sums, plus one for arrays that need the last of them. What is computed
for each element from arrays and finished sums is computed again in every sweep that uses it, unless
another nest needs it: arithmetic is cheaper than memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from symgrad.algebra.terms import Binder, Sum, walk
from symgrad.notation.layer import Layer
from symgrad.plan.placed import gathered, scattered
from symgrad.plan.records import GATHER, REDUCTION, SCATTER, Axes, KernelPlan, Procedure, Statement, is_full
from symgrad.plan.share import reduction

SWEEP, PRODUCT, PLACES = "sweep", "product", "places"


@dataclass(frozen=True)
class Sweep:
    """One pass over memory.

    Attributes:
        kind: "sweep" (a loop nest), "product" (a contraction, for a matrix product), or "places" (entries
            gathered or added up at computed places).
        axes: the loop nest, sorted; a statement with other letters over the same axes belongs to it.
        each: what is computed for each element and not kept, in order.
        reductions: what is added up, or reduced otherwise.
        arrays: what is written for each element.
        before: the small statements computed once, before it, which is the first that needs them.
        reads: the arrays with all of the nest's axes, and smaller ones, that it reads, in order.
    """

    kind: str
    axes: Axes
    each: tuple[Statement, ...]
    reductions: tuple[Statement, ...]
    arrays: tuple[Statement, ...]
    before: tuple[Statement, ...]
    reads: tuple[str, ...]


@dataclass(frozen=True)
class Sweeps:
    """A procedure as sweeps in order, and the small statements that come after the last."""

    sweeps: tuple[Sweep, ...]
    after: tuple[Statement, ...]


def sweeps_of(procedure: Procedure, layer: Layer) -> Sweeps:
    """The fewest sweeps in which a procedure's statements can be computed, in order."""
    return _Schedule(procedure, layer).made()


class _Schedule:
    """Levels: how many sweeps must have ended before a value can be computed."""

    def __init__(self, procedure: Procedure, layer: Layer) -> None:
        self.layer = layer
        self.statements = {statement.name: statement for statement in procedure.statements}
        self.results = {name for _, name in procedure.results}
        self.nests = {name: _nest(statement) for name, statement in self.statements.items()}
        self.inline = {name for name, s in self.statements.items() if s.kind == "full-size"}
        self.stored = {name for name in self.inline if name in self.results or self._elsewhere(name)}
        self.levels: dict[str, int] = {}
        for name in self.statements:
            self.levels[name] = self._level(name)

    def _elsewhere(self, name: str) -> bool:
        """Whether a full-size array is read by what cannot compute it again for each element."""
        return any(
            name in other.term.names and (self.nests[user] != self.nests[name] or _is_whole(other, self.layer))
            for user, other in self.statements.items()
        )

    def _level(self, name: str) -> int:
        """The level at which a value is computed."""
        return max((self._ready(used, name) for used in self.statements[name].term.names), default=0)

    def _ready(self, used: str, user: str) -> int:
        """The first level at which `user` can read a value."""
        if used not in self.statements:
            return 0
        statement = self.statements[used]
        whole = _is_whole(self.statements[user], self.layer)
        if statement.kind == "small":
            return self.levels[used]
        if used in self.inline and self.nests[used] == self.nests[user] and not whole:
            return self.levels[used]
        return self.levels[used] + 1

    def made(self) -> Sweeps:
        """The sweeps."""
        found = [
            Sweep(*sweep, before=(), reads=())
            for level in range(max(self.levels.values(), default=0) + 1)
            for sweep in self._at(level)
        ]
        found = self._side_by_side(found)
        places = self._places(found)
        smalls = [s for s in self.statements.values() if s.kind == "small"]
        found = [replace(f, before=tuple(s for s in smalls if places[s.name] == n)) for n, f in enumerate(found)]
        after = tuple(s for s in smalls if places[s.name] == len(found))
        return Sweeps(tuple(map(self._complete, found)), after)

    def _side_by_side(self, found: list[Sweep]) -> list[Sweep]:
        """The sweeps in an order in which those over one nest follow each other, as far as what they need allows.

        Then a row of the nest can stay in cache for all of them: the loss of each row need not be added up before its
        gradient is computed.
        """
        waiting, ordered = list(found), list[Sweep]()
        makes = [{s.name for s in (*sweep.reductions, *sweep.arrays)} for sweep in found]
        needs = {id(sweep): self._needed(sweep) for sweep in found}
        while waiting:
            missing = {name for sweep, names in zip(found, makes, strict=True) if sweep in waiting for name in names}
            ready = [s for s in waiting if not needs[id(s)] & (missing - {r.name for r in (*s.reductions, *s.arrays)})]
            last = ordered[-1] if ordered else ready[0]
            same = [s for s in ready if (s.kind, s.axes) == (last.kind, last.axes) and s.kind == SWEEP]
            ordered.append((same or ready)[0])
            waiting.remove(ordered[-1])
        return ordered

    def _needed(self, sweep: Sweep) -> set[str]:
        """What a sweep needs of the others, directly or through small statements."""
        found, waiting = set[str](), [name for s in _computed(sweep) for name in s.term.names]
        while waiting:
            name = waiting.pop()
            if name in self.statements and name not in found:
                found.add(name)
                if self.statements[name].kind == "small":
                    waiting += self.statements[name].term.names
        return found

    def _places(self, found: list[Sweep]) -> dict[str, int]:
        """Before which sweep each small statement is computed: the first that needs it; after all where none does."""
        places: dict[str, int] = {}
        for name, statement in reversed(self.statements.items()):
            if statement.kind != "small":
                continue
            used = [n for n, sweep in enumerate(found) if any(name in s.term.names for s in _computed(sweep))]
            used += [place for other, place in places.items() if name in self.statements[other].term.names]
            places[name] = min(used, default=len(found))
        return places

    def _at(
        self, level: int
    ) -> Iterator[tuple[str, Axes, tuple[Statement, ...], tuple[Statement, ...], tuple[Statement, ...]]]:
        """The sweeps of one level: one for each nest, and one for each contraction."""
        nests: dict[Axes, list[Statement]] = {}
        for name, statement in self.statements.items():
            if self.levels[name] != level or statement.kind == "small":
                continue
            if _is_whole(statement, self.layer):
                kind = PLACES if statement.kind in (GATHER, SCATTER) else PRODUCT
                yield kind, self.nests[name], (), (), (statement,)
            elif statement.kind == REDUCTION or name in self.stored:
                nests.setdefault(self.nests[name], []).append(statement)
        for axes, wanted in nests.items():
            reductions = tuple(s for s in wanted if s.kind == REDUCTION)
            arrays = tuple(s for s in wanted if s.kind != REDUCTION)
            yield SWEEP, axes, self._each(wanted, arrays), reductions, arrays

    def _each(self, wanted: list[Statement], arrays: tuple[Statement, ...]) -> tuple[Statement, ...]:
        """What has to be computed for each element on the way, in order."""
        needed: set[str] = set()
        waiting = [name for statement in wanted for name in statement.term.names]
        while waiting:
            name = waiting.pop()
            if name in self.inline and name not in needed and self.nests[name] == self.nests[wanted[0].name]:
                needed.add(name)
                waiting.extend(self.statements[name].term.names)
        written = {statement.name for statement in arrays}
        return tuple(s for name, s in self.statements.items() if name in needed and name not in written)

    def _complete(self, sweep: Sweep) -> Sweep:
        """The sweep with what it reads."""
        own = {statement.name for statement in (*sweep.each, *sweep.arrays)}
        names: dict[str, None] = {}
        for statement in _computed(sweep):
            names.update(dict.fromkeys(sorted(statement.term.names - own)))
        return Sweep(sweep.kind, sweep.axes, sweep.each, sweep.reductions, sweep.arrays, sweep.before, tuple(names))


def _computed(sweep: Sweep) -> tuple[Statement, ...]:
    """All that a sweep computes for each element."""
    return (*sweep.each, *sweep.reductions, *sweep.arrays)


def _nest(statement: Statement) -> Axes:
    """The axes over which a statement loops."""
    letters = set(statement.indices)
    found = reduction(statement.term)
    if statement.kind == REDUCTION and found is not None:
        letters |= set(found[0].indices)
    for node in walk(statement.term):
        letters |= node.free if not isinstance(node, Binder) else frozenset()
    return tuple(sorted(index.axis for index in letters))


def _is_whole(statement: Statement, layer: Layer) -> bool:
    """Whether a statement is computed as a whole: a contraction, or entries at computed places."""
    if statement.kind in (GATHER, SCATTER) or gathered(statement.term) or scattered(statement.term):
        return True
    found = reduction(statement.term) if statement.kind == REDUCTION else None
    if found is None or not isinstance(found[0], Sum):
        return False
    total = found[0]
    factors = total.body.factors if hasattr(total.body, "factors") else (total.body,)
    spread = not any(factor.free >= total.body.free for factor in factors)
    return len(factors) > 1 and (spread or is_full(statement.indices, layer))


def all_sweeps(plan: KernelPlan) -> tuple[Sweeps, Sweeps]:
    """The sweeps of a kernel's forward and of its backward pass."""
    return sweeps_of(plan.forward, plan.layer), sweeps_of(plan.backward, plan.layer)
