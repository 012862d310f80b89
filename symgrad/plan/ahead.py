"""Sums of the backward pass that are known in the forward pass, up to the scalar that comes in.

Where a layer's output is a loss L, sum_s d_y[s, c] = d_L sum_s (d_y[s, c] for d_L = 1). The forward pass
reads all that this sum needs anyway; so it adds it up and keeps it, and the backward pass is left with one
sweep less, often with one alone. Each sum that is moved is proved to be d_L times what is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from symgrad.algebra.binding import substitute
from symgrad.algebra.terms import ONE, Entry, Term, mul
from symgrad.plan.build import with_names
from symgrad.plan.names import free_name
from symgrad.plan.records import REDUCTION, SMALL, KernelPlan, Procedure, Statement
from symgrad.plan.verdict import Body, unfold

Proves = Callable[[Term, Term], bool]


def sums_ahead(plan: KernelPlan, proves: Proves) -> KernelPlan:
    """The plan with every sum moved into the forward pass that can be; the same plan where none can.

    Args:
        plan: of a layer whose only output is a scalar; others stay as they are.
        proves: the prover, for terms in the layer's own names.
    """
    if not plan.layer.scalar_output:
        return plan
    seed = f"d_{plan.names[plan.layer.outputs[0]]}"
    moved = [s for s in plan.backward.statements if _can_move(s, plan, seed, proves)]
    if not moved:
        return plan
    forward, units = _forward(plan, moved, seed)
    backward = _backward(plan, units, seed)
    kept = (*(name for name in plan.saved), *(unit.name for unit in units.values()))
    return replace(
        plan, forward=forward, backward=backward, ahead=tuple((u.name, u.indices) for u in units.values()),
        saved=tuple(name for name in kept if name in _needed_names(backward, plan)), whole=plan,
    )  # fmt: skip


def _needed_names(backward: Procedure, plan: KernelPlan) -> set[str]:
    """What the backward pass reads, and the tensors without which it would not know the lengths of results."""
    read = set(backward.reads)
    known = {i.axis for name, python in plan.names.items() if python in read for i in plan.layer.indices(name) or ()}
    for tensor in plan.layer.tensors:
        axes = {index.axis for index in tensor.indices}
        if not axes <= known:
            read.add(plan.names[tensor.name])
            known |= axes
    return read | {plan.names[constant.name] for constant in plan.layer.constants if constant.is_whole}


def _can_move(statement: Statement, plan: KernelPlan, seed: str, proves: Proves) -> bool:
    """Whether a statement is a sum of the first sweep, and d_L times what it is for d_L = 1."""
    needed = plan.backward.needed_for([statement.name])
    if statement.kind != REDUCTION or any(s.kind == REDUCTION for s in needed[:-1]):
        return False
    read = {name for s in needed for name in s.term.names} - {s.name for s in needed}
    if seed not in read or any(name.startswith("d_") and name != seed for name in read):
        return False
    bodies: Mapping[str, Body] = {s.name: (s.indices, s.term) for s in needed}
    whole = _own_names(unfold(statement.term, bodies), plan)
    own_seed = Entry(f"d_{plan.layer.outputs[0]}")
    return proves(whole, mul(own_seed, _with_one(whole, own_seed.name)))


def _own_names(term: Term, plan: KernelPlan) -> Term:
    """A term in the layer's own names."""
    back = {python: name for name, python in plan.names.items()}
    return with_names(term, back | {f"d_{python}": f"d_{name}" for python, name in back.items()})


def _with_one(term: Term, seed: str) -> Term:
    """The term for an upstream gradient of 1."""
    return substitute(term, lambda entry: ONE if entry.name == seed else None)


def _forward(plan: KernelPlan, moved: list[Statement], seed: str) -> tuple[Procedure, dict[str, Statement]]:
    """The forward pass with the sums, and for each of them the statement that adds it up there."""
    known = {statement.name: statement for statement in plan.forward.statements}
    taken = {*known, *plan.names.values(), *(s.name for s in plan.backward.statements)}
    names: dict[str, str] = {}
    added: list[Statement] = []
    for statement in plan.backward.needed_for([s.name for s in moved]):
        same = known.get(statement.name)
        if same is not None and same.formula == statement.formula and same.indices == statement.indices:
            continue
        name = free_name(f"unit_{statement.name}", taken)
        taken.add(name)
        names[statement.name] = name
        term = with_names(_with_one(statement.term, seed), names)
        formula = f"{statement.formula.replace(statement.name, name, 1)}, for {seed} = 1"
        added.append(replace(statement, name=name, term=term, formula=formula, needed_by=(name,)))
    units = {s.name: next(a for a in added if a.name == names[s.name]) for s in moved}
    computed = {*known, *(s.name for s in added)}
    reads = dict.fromkeys([*plan.forward.reads, *(n for s in added for n in sorted(s.term.names - computed))])
    results = (*((unit.name, unit.name) for unit in units.values()), *plan.forward.results)
    return Procedure(tuple(reads), (*plan.forward.statements, *added), results), units


def _backward(plan: KernelPlan, units: Mapping[str, Statement], seed: str) -> Procedure:
    """The backward pass with each moved sum as d_L times what was kept; what is not needed any more is gone."""
    statements = []
    for statement in plan.backward.statements:
        unit = units.get(statement.name)
        if unit is not None:
            term = mul(Entry(seed), Entry(unit.name, unit.indices))
            statement = replace(statement, term=term, kind=SMALL)
        statements.append(statement)
    whole = Procedure(
        (*plan.backward.reads, *(unit.name for unit in units.values())), tuple(statements), plan.backward.results
    )
    needed = whole.needed_for([name for _, name in whole.results])
    used = {name for statement in needed for name in statement.term.names}
    used |= {name for _, name in whole.results}
    return Procedure(tuple(name for name in whole.reads if name in used), tuple(needed), whole.results)
