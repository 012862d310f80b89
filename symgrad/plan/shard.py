"""A plan whose named axis is sharded: each process of a group holds a part of it.

Everything that has the axis is a part, different in each process; everything else is the same in all of them.
A sum over the axis is a part, too, until the processes have added theirs up: these exchanges are the only
communication. The whole length of the axis is such a sum itself, so that parts may be of any length.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from symgrad.algebra.terms import Size
from symgrad.plan.exchanges import Exchange, Stages, Step, moment_parts, sum_parts, uses
from symgrad.plan.known import known_in_forward, pruned
from symgrad.plan.moments import find_moments
from symgrad.plan.names import free_name
from symgrad.plan.partial import made_of, partial_sums
from symgrad.plan.records import KernelPlan, Procedure, Statement
from symgrad.plan.shardable import is_sum_over, require_shardable
from symgrad.plan.share import replace_term


@dataclass(frozen=True)
class ShardedPlan:
    """A kernel in which one axis is sharded.

    Attributes:
        plan: the kernel's plan, where `Size(total)` stands for the length of the axis.
        axis: the axis.
        total: the name of its length over all processes; empty where nothing depends on it.
        counts: the name of its lengths in each process.
        forward: the forward pass, with its exchanges.
        backward: the backward pass, with its exchanges.
        apart: the tensors whose gradient each process has a part of; the parts add up to it.
    """

    plan: KernelPlan
    axis: str
    total: str
    counts: str
    forward: tuple[Step, ...]
    backward: tuple[Step, ...]
    apart: tuple[str, ...]

    def is_replicated(self, name: str) -> bool:
        """Whether a tensor or a definition of the layer is the same in all processes."""
        return all(index.axis != self.axis for index in self.plan.layer.entry(name).indices)

    @property
    def exchanges(self) -> tuple[int, int]:
        """How many exchanges the forward and the backward pass have."""
        first, second = (sum(isinstance(s, Exchange) for s in steps) for steps in (self.forward, self.backward))
        return first, second


def shard(plan: KernelPlan, axis: str) -> ShardedPlan:
    """The plan with an axis sharded.

    Raises:
        UnsupportedError: what is computed needs entries of other processes.
    """
    require_shardable(plan, axis)
    plan = known_in_forward(plan, axis, partial_sums(plan, axis))
    saved = _saved(plan)
    outputs = [plan.names[name] for name in plan.layer.outputs]
    plan = replace(
        plan, saved=saved, from_statistics=None, forward=pruned(plan.forward, {*saved, *outputs}),
        statistics=(*plan.statistics, *(name for name, _ in plan.ahead)),
    )  # fmt: skip
    taken = {*plan.names.values(), *(s.name for p in (plan.forward, plan.backward) for s in p.statements)}
    total = Size(free_name(f"all_{axis}", {each.name for each in plan.layer.axes}))
    moments = [replace(m, squares=_statement(m.squares, axis, total)) for m in find_moments(plan.forward, axis)]
    whole = replace(
        plan, forward=_procedure(plan.forward, axis, total), backward=_procedure(plan.backward, axis, total)
    )
    apart = partial_sums(whole, axis)
    paired = {s.name for pair in moments for s in (pair.mean, pair.squares)}
    forward = [s for s in whole.forward.statements if is_sum_over(s, axis) and s.name not in {*apart, *paired}]
    backward = [s for s in whole.backward.statements if is_sum_over(s, axis) and s.name not in apart]
    is_used = bool(moments) or any(uses(s.term, total) for p in (whole.forward, whole.backward) for s in p.statements)
    made = made_of(whole, apart)
    return ShardedPlan(
        whole, axis, total.axis if is_used else "", free_name(f"part_n_{axis}", taken),
        Stages(whole.forward, [*moment_parts(moments, taken), *sum_parts(forward, taken)], total, is_used).steps(),
        Stages(whole.backward, sum_parts(backward, taken), total, False).steps(),
        tuple(what for what, result in whole.backward.results if result in made),
    )  # fmt: skip


def _saved(plan: KernelPlan) -> tuple[str, ...]:
    """What the backward pass reads, and tensors that tell it lengths; it has no second derivatives."""
    back = {python: name for name, python in plan.names.items()}
    read = {name for name in plan.saved if name in plan.backward.reads}
    seen = {index.axis for name in read for index in plan.indices(name)}
    seen |= {index.axis for name in plan.layer.outputs for index in plan.layer.entry(name).indices}
    for name in plan.saved:
        axes = {index.axis for index in plan.indices(name)}
        constant = any(c.name == back.get(name) and c.is_whole for c in plan.layer.constants)
        if constant or not axes <= seen:
            read.add(name)
            seen |= axes
    return tuple(name for name in plan.saved if name in read)


def _procedure(procedure: Procedure, axis: str, total: Size) -> Procedure:
    return replace(procedure, statements=tuple(_statement(s, axis, total) for s in procedure.statements))


def _statement(statement: Statement, axis: str, total: Size) -> Statement:
    """The statement with the length of the axis over all processes."""
    return replace(statement, term=replace_term(statement.term, Size(axis), total))
