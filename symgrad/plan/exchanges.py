"""Stages: which sums over a sharded axis are exchanged together, and what is computed between exchanges.

A sum can be exchanged as soon as what it adds up is known, and has to be before something uses it. Sums wait
for the last exchange that is early enough, so that as many as possible travel in one pack.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from symgrad.algebra.terms import Entry, Reduce, Size, Term, walk
from symgrad.plan.moments import Moments
from symgrad.plan.names import free_name
from symgrad.plan.records import Procedure, Statement
from symgrad.plan.share import reduction

SUM, MAX, MIN, MEAN, SQUARES = "sum", "max", "min", "mean", "squares"


@dataclass(frozen=True)
class Part:
    """A process's part of a value over the sharded axis.

    Attributes:
        own: the statement of the part: the reduction of this process's entries, without its coefficient. For
            "mean" the sum, which has to be divided by the number of entries; for "squares" around that mean.
        whole: the statement of the value.
        operation: how parts are put together: "sum", "max", "min"; "mean" and "squares" by Chan's rule.
    """

    own: Statement
    whole: Statement
    operation: str


@dataclass(frozen=True)
class Exchange:
    """What processes tell each other at one time.

    Attributes:
        parts: of values; the part of squares stands right behind that of their mean.
        counts: whether the lengths of the sharded axis are exchanged as well.
    """

    parts: tuple[Part, ...]
    counts: bool

    @property
    def operation(self) -> str:
        """The one operation by which all is put together; empty where there are several."""
        found = {part.operation for part in self.parts} | ({SUM} if self.counts else set())
        return found.pop() if len(found) == 1 and found <= {SUM, MAX, MIN} else ""


COUNTS = "size[]"
"""Stands for the whole length among names; no name has brackets."""
Step = Statement | Exchange
"""What a procedure over a sharded axis is made of."""


def sum_parts(statements: Sequence[Statement], taken: set[str]) -> list[Part]:
    """The parts of statements that are reductions; their names are added to those that are taken."""
    return [_part(s, s.term, "", taken) for s in statements]


def moment_parts(moments: Sequence[Moments], taken: set[str]) -> list[Part]:
    """The parts of means and of the squares around them."""
    found = []
    for each in moments:
        mean = _part(each.mean, each.mean.term, MEAN, taken)
        middle = Entry(mean.own.name, mean.own.indices)
        found += [mean, _part(each.squares, each.around(middle), SQUARES, taken)]
    return found


def _part(whole: Statement, term: Term, operation: str, taken: set[str]) -> Part:
    """The part of a reduction."""
    found = reduction(term)
    assert found is not None
    total = found[0]
    name = free_name(f"part_{whole.name}", taken)
    taken.add(name)
    how = operation or (total.operation if isinstance(total, Reduce) else SUM)
    return Part(replace(whole, name=name, term=total), whole, how)


def uses(term: Term, size: Size) -> bool:
    """Whether a length stands in a term."""
    return any(node == size for node in walk(term))


def _has_moments(parts: Sequence[Part]) -> bool:
    return any(part.operation in (MEAN, SQUARES) for part in parts)


@dataclass
class Stages:
    """Puts a procedure's statements between exchanges.

    Attributes:
        procedure: whose statements they are.
        parts: what is exchanged, in order.
        total: the length of the axis over all processes.
        counts: whether that has to be found out.
    """

    procedure: Procedure
    parts: Sequence[Part]
    total: Size
    counts: bool
    ready: dict[str, int] = field(default_factory=dict)
    stage: dict[str, int] = field(default_factory=dict)

    def steps(self) -> tuple[Step, ...]:
        """The statements and the exchanges, in order."""
        self._earliest()
        number = max(self.stage.values(), default=-1) + 1
        number = max(number, 1) if self.counts else number
        self._latest(number)
        exchanged = {part.whole.name for part in self.parts}
        waiting = [s for s in self.procedure.statements if s.name not in exchanged]
        found: list[Step] = []
        for stage in range(number):
            found += [s for s in waiting if self.ready[s.name] <= stage]
            waiting = [s for s in waiting if self.ready[s.name] > stage]
            parts = tuple(part for part in self.parts if self.stage[part.whole.name] == stage)
            found.append(Exchange(parts, self.stage.get(COUNTS) == stage or _has_moments(parts)))
        return (*found, *waiting)

    def _earliest(self) -> None:
        """After how many exchanges each value can be known, and in which each part can travel."""
        if self.counts:
            self.ready[COUNTS] = 1
        own = {part.whole.name: part.own.term for part in self.parts}
        for statement in self.procedure.statements:
            name = statement.name
            if name in own:
                self.stage[name] = self._known(own[name])
                self.ready[name] = self.stage[name] + 1
            else:
                self.ready[name] = self._known(statement.term)

    def _known(self, term: Term) -> int:
        """After how many exchanges all that a term uses is known."""
        return max((self.ready.get(name, 0) for name in self._used(term)), default=0)

    def _used(self, term: Term) -> set[str]:
        """The names in a term, and one for the whole length."""
        return {*term.names, *([COUNTS] if uses(term, self.total) else [])}

    def _latest(self, number: int) -> None:
        """Let each sum wait for the last exchange that is early enough; means and squares do not wait."""
        for part in reversed(self.parts):
            if part.operation not in (MEAN, SQUARES):
                self.stage[part.whole.name] = self._limit(part.whole.name, number)
        if self.counts:
            moments = [self.stage[p.whole.name] for p in self.parts if p.operation in (MEAN, SQUARES)]
            scaled = [self.stage[p.whole.name] for p in self.parts if uses(p.whole.term, self.total)]
            self.stage[COUNTS] = min([self._limit(COUNTS, number), *moments, *scaled])

    def _limit(self, name: str, number: int) -> int:
        """The last exchange before a value is used."""
        own = {part.whole.name: part.own.term for part in self.parts}
        limit = number - 1
        for statement in self.procedure.statements:
            if name in self._used(own.get(statement.name, statement.term)):
                user = self.stage if statement.name in own else self.ready
                limit = min(limit, user[statement.name] - 1)
        return limit
