"""Conditions in code: masks that are multiplied with, values that are chosen, branches that are safe."""

from __future__ import annotations

from collections.abc import Callable

from symgrad.algebra.binding import transform_children
from symgrad.algebra.terms import (
    ONE,
    ZERO,
    Add,
    Call,
    Compare,
    Delta,
    Mul,
    Num,
    Pow,
    Sum,
    Term,
    Where,
    add,
    mul,
    negative,
    walk,
    where,
)

RISKY = frozenset(("pow", "exp", "expm1", "sinh", "cosh", "tan", "log", "log1p", "lgamma", "digamma"))
"""Functions that overflow, or have no value, for some arguments."""


def masked_sum(term: Term, _: object) -> Term | None:
    """sum_k where(c, a, 0) b = sum_k [c] a b, where a delta stands in a, or a has fewer indices than c."""
    if not isinstance(term, Sum):
        return None
    factors = list(term.body.factors if isinstance(term.body, Mul) else (term.body,))
    for place, factor in enumerate(factors):
        if not isinstance(factor, Where):
            continue
        if _has_delta(factor.then) or _has_delta(factor.otherwise):
            kept = add(ONE, negative(factor.condition))
            parts = (mul(factor.condition, factor.then), mul(kept, factor.otherwise))
            return add(*(Sum(term.indices, _product(factors, place, part)) for part in parts if part != ZERO))
        if factor.otherwise == ZERO and not factor.then.free >= factor.condition.free and not _is_risky(factor.then):
            return Sum(term.indices, _product(factors, place, mul(factor.condition, factor.then)))
    return None


def _product(factors: list[Term], place: int, other: Term) -> Term:
    return mul(*factors[:place], other, *factors[place + 1 :])


def _has_delta(term: Term) -> bool:
    return any(isinstance(node, Delta) for node in walk(term))


def _is_risky(term: Term) -> bool:
    return any(_may_fail(node) for node in walk(term))


LOWEST = Call("log", (ZERO,))
"""-inf, whose exponential is 0."""


def masked_exponential(term: Term, _: object) -> Term | None:
    """where(c, exp(u) a, 0) = exp(where(c, u, -inf)) a, which needs no choice afterwards."""
    if isinstance(term, Where) and term.otherwise == ZERO:
        condition, factors = term.condition, list(term.then.factors if isinstance(term.then, Mul) else (term.then,))
    elif isinstance(term, Mul) and (masks := [f for f in term.factors if isinstance(f, Compare)]):
        condition, factors = mul(*masks), [f for f in term.factors if f not in masks]
    else:
        return None
    for place, factor in enumerate(factors):
        if isinstance(factor, Call) and factor.function == "exp" and condition.free <= factor.free:
            rest = [*factors[:place], *factors[place + 1 :]]
            if not any(map(_is_risky, rest)):
                masked = Call("exp", (Where(condition, factor.arguments[0], LOWEST),))
                return mul(*factors[:place], masked, *factors[place + 1 :])
    return None


def as_choice(term: Term) -> Term:
    """exp(where(c, u, -inf) + v) as where(c, exp(u + v), 0), for the prover, which knows no infinity."""
    term = transform_children(term, as_choice)
    if isinstance(term, Call) and term.function == "exp":
        (argument,) = term.arguments
        parts = argument.terms if isinstance(argument, Add) else (argument,)
        for place, part in enumerate(parts):
            if isinstance(part, Where) and part.otherwise == LOWEST:
                return where(part.condition, Call("exp", (add(*parts[:place], part.then, *parts[place + 1 :]),)), ZERO)
    return term


def chosen(term: Term) -> Term:
    """[c] a as where(c, a, 0), so that an infinite a is no NaN where c does not hold; contractions stay."""
    if isinstance(term, Sum):
        factors = term.body.factors if isinstance(term.body, Mul) else (term.body,)
        if not any(factor.free >= term.body.free for factor in factors):
            return Sum(term.indices, mul(*(chosen(factor) for factor in factors)))
    if isinstance(term, Mul):
        masks = [factor for factor in term.factors if _is_mask(factor)]
        rest = [factor for factor in term.factors if not _is_mask(factor)]
        if masks and any(factor.names or factor.free for factor in rest):
            return where(mul(*masks), chosen(mul(*rest)), ZERO)
    return transform_children(term, chosen)


def _is_mask(term: Term) -> bool:
    """[c] or 1 - [c]."""
    match term:
        case Compare():
            return True
        case Add((one, Mul((minus, Compare())))):
            return one == ONE and minus == negative(ONE)
    return False


def guarded(term: Term) -> Term:
    """where(c, f(u), b) as where(c, f(where(c, u, 1)), b): nothing fails in the branch that is not taken.

    Both are the same for every value, because u is used where c holds only. Without it an infinite f(u)
    warns in NumPy, and becomes NaN in derivatives of torch.where.
    """
    term = transform_children(term, guarded)
    if not isinstance(term, Where):
        return term
    condition = term.condition
    return Where(
        condition,
        _guard(term.then, lambda u: Where(condition, u, ONE)),
        _guard(term.otherwise, lambda u: Where(condition, ONE, u)),
    )


def _guard(term: Term, change: Callable[[Term], Term]) -> Term:
    """The term with the arguments of what may fail changed."""
    if _may_fail(term) and isinstance(term, (Call, Pow)):
        argument, *others = term.children
        guard = change(argument)
        wide = isinstance(guard, Where) and not guard.condition.free <= argument.free
        return term if wide or not argument.names else term.rebuild((guard, *others))
    if isinstance(term, (Add, Mul, Call, Pow, Where)):
        return transform_children(term, lambda child: _guard(child, change))
    return term


def _may_fail(term: Term) -> bool:
    if isinstance(term, Pow):
        return term.exponent < 1 and not isinstance(term.base, Num)
    return isinstance(term, Call) and term.function in RISKY and term != Call("log", (ZERO,))
