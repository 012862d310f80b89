"""The rules that turn proved equations into code form: each a row with its reason to end.

Where a rule guesses (a sum that may vanish, a form that may equal a safe one) the prover decides,
and a guess that it does not prove is dropped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from symgrad.algebra.binding import rename, transform_children
from symgrad.algebra.simplify import picks
from symgrad.algebra.terms import ZERO, Add, Delta, Mul, Pow, Size, Sum, Term, add, mul, power, sum_over, walk
from symgrad.plan.choices import masked_exponential, masked_sum
from symgrad.plan.placed import nested
from symgrad.plan.safe import safe_form
from symgrad.plan.stable import difference_form, log_form
from symgrad.plan.verdict import Verdict


@dataclass(frozen=True)
class Rule:
    """A rewrite rule of the planner, for one node.

    Attributes:
        name: for messages and tables.
        statement: what is equal to what.
        ends: why it cannot be applied forever.
        apply: the rewritten node, or None where the rule does not fit.
    """

    name: str
    statement: str
    ends: str
    apply: Callable[[Term, Verdict], Term | None]


def code_form(term: Term, verdict: Verdict) -> Term:
    """The term with every rule applied: safe forms from the outside in, then sums from the inside out."""
    return _upward(_downward(term, verdict), verdict)


def _downward(term: Term, verdict: Verdict) -> Term:
    for rule in DOWNWARD:
        changed = rule.apply(term, verdict)
        if changed is not None:
            term = changed
    return transform_children(term, lambda child: _downward(child, verdict))


def _upward(term: Term, verdict: Verdict) -> Term:
    term = transform_children(term, lambda child: _upward(child, verdict))
    for rule in UPWARD:
        changed = rule.apply(term, verdict)
        if changed is not None:
            return _upward(changed, verdict)
    return term


def _hoist(term: Term, _: Verdict) -> Term | None:
    if not isinstance(term, Sum) or not isinstance(term.body, Mul):
        return None
    bound = set(term.indices)
    outside = [factor for factor in term.body.factors if not bound & factor.free]
    if not outside:
        return None
    inside = mul(*(factor for factor in term.body.factors if bound & factor.free))
    return mul(*outside, sum_over(term.indices, inside))


def _count(term: Term, _: Verdict) -> Term | None:
    if not isinstance(term, Sum):
        return None
    idle = tuple(index for index in term.indices if index not in term.body.free)
    if not idle:
        return None
    busy = tuple(index for index in term.indices if index in term.body.free)
    return mul(*(Size(index.axis) for index in idle), sum_over(busy, term.body))


def _cancel(term: Term, _: Verdict) -> Term | None:
    if not isinstance(term, Mul):
        return None
    factors = [f for g in term.factors for f in _without_brackets(g)]
    above = [factor for factor in factors if isinstance(factor, Size) and power(factor, -1) in factors]
    if not above:
        return None
    for factor in {above[0], power(above[0], -1)}:
        factors.remove(factor)
    return mul(*factors)


def _without_brackets(factor: Term) -> tuple[Term, ...]:
    """(N_s N_k)^-1 as two factors; other factors stay."""
    if isinstance(factor, Pow) and isinstance(factor.base, Mul):
        parts = factor.base.factors
        if factor.exponent == -1 and all(isinstance(part, Size) for part in parts):
            return tuple(power(part, -1) for part in parts)
    return (factor,)


def _pick(term: Term, _: Verdict) -> Term | None:
    if not isinstance(term, Sum):
        return None
    factors = term.body.factors if isinstance(term.body, Mul) else (term.body,)
    for delta in factors:
        if isinstance(delta, Delta):
            for bound, other in picks(delta):
                if bound in term.indices:
                    rest = mul(*(factor for factor in factors if factor is not delta))
                    return sum_over((i for i in term.indices if i != bound), rename(rest, {bound: other}))
    return None


def _split(term: Term, _: Verdict) -> Term | None:
    if not isinstance(term, Sum):
        return None
    factors = term.body.factors if isinstance(term.body, Mul) else (term.body,)
    for factor in factors:
        if isinstance(factor, Add) and any(isinstance(node, Delta) for node in walk(factor)):
            rest = [other for other in factors if other is not factor]
            return add(*(sum_over(term.indices, mul(part, *rest)) for part in factor.terms))
    return None


def _square(term: Term, _: Verdict) -> Term | None:
    if not isinstance(term, Mul) or len(set(term.factors)) == len(term.factors):
        return None
    counts = Counter(term.factors)
    return mul(*(power(factor, count) for factor, count in counts.items()))


def _vanish(term: Term, verdict: Verdict) -> Term | None:
    if not isinstance(term, Sum) or not any(isinstance(node, Add) for node in (term.body, *term.body.children)):
        return None
    if isinstance(term.body, Pow):
        return None  # worth no proof: it vanishes only where its base does
    if any(name.startswith("d_") for name in term.names):
        return None  # a cotangent is arbitrary: no sum over it vanishes
    return ZERO if verdict.equal(term, ZERO) else None


def _collect(term: Term, _: Verdict) -> Term | None:
    if not isinstance(term, Add):
        return None
    parts: dict[tuple[Term, ...], list[Term]] = {}
    for summand in term.terms:
        factors = summand.factors if isinstance(summand, Mul) else (summand,)
        large = tuple(factor for factor in factors if factor.free >= term.free)
        parts.setdefault(large, []).append(mul(*(factor for factor in factors if factor not in large)))
    if not term.free or all(len(found) == 1 or not large for large, found in parts.items()):
        return None
    return add(*(mul(add(*coefficients), *large) for large, coefficients in parts.items()))


DOWNWARD = (
    Rule(
        "safe form",
        "a product of powers in exp(u) that equals f(u) or f'(u) is computed through f",
        "Shrinks: fewer exponentials.",
        safe_form,
    ),
    Rule(
        "logarithm",
        "log(exp(u) a / b) = u + log(a) - log(b), log(1 + exp(u)) = softplus(u), log(1 + u) = log1p(u)",
        "Shrinks: an exponential leaves the logarithm, or the logarithm of a sum is gone.",
        log_form,
    ),
    Rule("difference", "exp(u) - 1 = expm1(u)", "Shrinks: one exponential less.", difference_form),
)
UPWARD = (
    Rule(
        "masked exponential",
        "where(c, exp(u) a, 0) = exp(where(c, u, -inf)) a",
        "Shrinks: the choice moves inwards.",
        masked_exponential,
    ),
    Rule("hoist", "Σ_k a b_k = a Σ_k b_k", "Shrinks: the sum's body loses a factor.", _hoist),
    Rule("count", "Σ_k a = N_k a", "Shrinks: a sum loses an index.", _count),
    Rule("cancel", "N_k a / N_k = a", "Shrinks: two factors less.", _cancel),
    Rule("mask", "Σ_k where(c, a, 0) b = Σ_k [c] a b", "Shrinks: one choice less.", masked_sum),
    Rule("square", "a a = a^2", "Shrinks: one factor less.", _square),
    Rule("nested", "Σ_i a Σ_k [h = i + k] b = Σ_ik [h = i + k] a b", "Shrinks: one sum less.", nested),
    Rule("pick", "Σ_i δ_ij a_i = a_j", "Shrinks: a sum loses an index.", _pick),
    Rule("split", "Σ_i (a δ_ij + b) c = Σ_i a δ_ij c + Σ_i b c", "Shrinks: δ leaves an Add, then the sum.", _split),
    Rule("vanish", "Σ_k (x_k - mean(x)) = 0, and any sum proved zero", "Shrinks: a sum disappears.", _vanish),
    Rule("collect", "a u + b u = (a + b) u for a large u", "Shrinks: one term with u less.", _collect),
)
