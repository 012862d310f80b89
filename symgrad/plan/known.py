"""Sums of the backward pass that depend on no upstream gradient: the forward pass adds them up and keeps them.

Where an axis is sharded they travel with the forward pass's sums, and the backward pass has an exchange less. As
in ahead.py this is done where a layer's output is a loss, which nobody computes for its own sake.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from symgrad.plan.build import with_names
from symgrad.plan.names import free_name
from symgrad.plan.records import KernelPlan, Procedure, Statement
from symgrad.plan.shardable import is_sum_over


def known_in_forward(plan: KernelPlan, axis: str, apart: Collection[str]) -> KernelPlan:
    """The plan with the sums over an axis moved that depend on no upstream gradient, but for those in `apart`."""
    wanted = [
        s.name
        for s in plan.backward.statements
        if is_sum_over(s, axis) and s.name not in apart and not _upstream(plan.backward.needed_for([s.name]))
    ]
    if not wanted or not plan.layer.scalar_output:
        return plan
    forward, names = _forward(plan, wanted)
    backward = _backward(plan.backward, wanted, names)
    kept = tuple((names[s.name], s.indices) for s in plan.backward.statements if s.name in wanted)
    known = {*plan.saved, *plan.names.values()}
    ahead = (*plan.ahead, *(each for each in kept if each[0] not in known))
    return replace(
        plan, forward=forward, backward=backward, ahead=ahead,
        saved=tuple(dict.fromkeys((*plan.saved, *(name for name, _ in kept)))),
    )  # fmt: skip


def pruned(procedure: Procedure, wanted: Collection[str]) -> Procedure:
    """A procedure without what these of its results do not need."""
    results = tuple(pair for pair in procedure.results if pair[1] in wanted)
    return replace(procedure, statements=tuple(procedure.needed_for([n for _, n in results])), results=results)


def _upstream(statements: Collection[Statement]) -> bool:
    """Whether some statement reads an upstream gradient."""
    own = {statement.name for statement in statements}
    return any(name.startswith("d_") for s in statements for name in s.term.names - own)


def _forward(plan: KernelPlan, wanted: Collection[str]) -> tuple[Procedure, dict[str, str]]:
    """The forward pass with these sums, and for each name of the backward pass the one that it has there."""
    computed = {statement.name: statement for statement in plan.forward.statements}
    taken = {*computed, *plan.names.values(), *(s.name for s in plan.backward.statements if s.name not in wanted)}
    names: dict[str, str] = {}
    added: list[Statement] = []
    for statement in plan.backward.needed_for(wanted):
        term = with_names(statement.term, names)
        same = next((s for s in (*computed.values(), *added) if (s.term, s.indices) == (term, statement.indices)), None)
        name = same.name if same is not None else free_name(statement.name, taken)
        if same is None:
            taken.add(name)
            added.append(_renamed(replace(statement, term=term, needed_by=(name,)), name))
        names[statement.name] = name
    own = {*computed, *(s.name for s in added)}
    reads = dict.fromkeys([*plan.forward.reads, *(n for s in added for n in sorted(s.term.names - own))])
    results = (*((names[name], names[name]) for name in wanted), *plan.forward.results)
    return Procedure(tuple(reads), (*plan.forward.statements, *added), results), names


def _backward(procedure: Procedure, wanted: Collection[str], names: dict[str, str]) -> Procedure:
    """The backward pass that reads these sums, without what only they needed."""
    kept = {name: names[name] for name in wanted}
    others = [statement for statement in procedure.statements if statement.name not in wanted]
    taken = {*procedure.reads, *(s.name for s in procedure.statements), *kept.values()}
    clashing = {s.name: free_name(s.name, taken) for s in others if s.name in kept.values()}
    new = {**kept, **clashing}
    rest = [_renamed(replace(s, term=with_names(s.term, new)), clashing.get(s.name, s.name)) for s in others]
    results = tuple((what, new.get(name, name)) for what, name in procedure.results)
    whole = Procedure(tuple(dict.fromkeys((*procedure.reads, *kept.values()))), tuple(rest), results)
    statements = tuple(whole.needed_for([name for _, name in results]))
    used = {name for statement in statements for name in statement.term.names} | {name for _, name in results}
    return Procedure(tuple(name for name in whole.reads if name in used), statements, results)


def _renamed(statement: Statement, name: str) -> Statement:
    """A statement with another name, in its formula too."""
    formula = name + statement.formula.removeprefix(statement.name)
    return statement if name == statement.name else replace(statement, name=name, formula=formula)
