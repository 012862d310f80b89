"""Forms that do not overflow: exponentials recognized as rows of the primitives, by proof."""

from __future__ import annotations

from fractions import Fraction

from symgrad.algebra.terms import MINUS_ONE, ZERO, Add, Call, Entry, Mul, Num, Pow, Term, add, mul, power, walk
from symgrad.plan.verdict import Verdict
from symgrad.primitives import PRIMITIVES, Primitive

FACTORS = tuple(Num(Fraction(text)) for text in ("-1", "1", "-1/2", "1/2"))
"""What the argument of a row may be, times the argument of the exponential in its place."""


def safe_form(term: Term, verdict: Verdict) -> Term | None:
    """The product with its factors in exp(u) replaced by f(u) or f'(u), where that is proved."""
    if not isinstance(term, (Mul, Pow)):
        return None
    factors = term.factors if isinstance(term, Mul) else (term,)
    argument = next((u for factor in factors for u in _exponents(factor)), None)
    if argument is None:
        return None
    mixed = [factor for factor in factors if isinstance(factor, Add) and _has_exp(factor, argument)]
    mixed = [factor for factor in mixed if not _only_through(factor, argument, verdict)]
    if mixed:
        return _distributed(factors, mixed[0], argument, verdict)
    group = [factor for factor in factors if _only_through(factor, argument, verdict)]
    found = _row(mul(*group), argument, verdict) if group else None
    return None if found is None else _with_factor(factors, group, found)


def _distributed(factors: tuple[Term, ...], mixed: Term, argument: Term, verdict: Verdict) -> Term | None:
    """(e + 1 + x e) / (e + 1)^2 as two fractions, of which each has a safe form; None where one has not."""
    below = [f for f in factors if f != mixed and _only_through(f, argument, verdict)]
    outside = [f for f in factors if f != mixed and f not in below]
    parts = mixed.children
    alone = [part for part in parts if not part.names or _only_through(part, argument, verdict)]
    summands = [add(*alone), *(part for part in parts if part not in alone)]
    safe = [safe_form(mul(part, *below), verdict) for part in summands if part != ZERO]
    if any(form is None for form in safe):
        return None
    return mul(add(*(form for form in safe if form is not None)), *outside)


def _has_exp(term: Term, argument: Term) -> bool:
    """Whether exp(±argument) stands in a term."""
    both = (argument, mul(MINUS_ONE, argument))
    return any(isinstance(node, Call) and node.function == "exp" and node.arguments[0] in both for node in walk(term))


def _exponents(factor: Term) -> list[Term]:
    """The arguments of exponentials below a negative power, where such a form can overflow."""
    if not isinstance(factor, Pow) or factor.exponent >= 0:
        return []
    return [node.arguments[0] for node in walk(factor.base) if isinstance(node, Call) and node.function == "exp"]


def _only_through(term: Term, argument: Term, verdict: Verdict) -> bool:
    """Whether a factor depends on anything only through exp(±argument)."""
    if isinstance(term, Call):
        return term.function == "exp" and term.arguments[0] in (argument, mul(MINUS_ONE, argument))
    if isinstance(term, Entry):
        definition = verdict.layer.definition(term.name)
        return definition is not None and term == definition.entry and argument in _exponents(definition.body)
    if not term.names or not term.children:
        return False
    return all(not child.names or _only_through(child, argument, verdict) for child in term.children)


def _row(term: Term, argument: Term, verdict: Verdict) -> Term | None:
    """f(u), a power of it, or f'(u), for the first row and u that are proved equal to the term."""
    exponent = -term.exponent if isinstance(term, Pow) else Fraction(1)
    for row in filter(_saturates, PRIMITIVES.values()):
        for factor in FACTORS:
            u = mul(factor, argument)
            for form in (power(Call(row.name, (u,)), exponent), row.derivative(u)):
                if verdict.equal(term, form):
                    return form
    return None


def _saturates(row: Primitive) -> bool:
    """Whether a row's elementary form is a fraction of exponentials, which it computes safely."""
    form = row.elementary(Entry("u")) if row.elementary is not None else None
    return form is not None and any(_exponents(node) for node in walk(form))


def _with_factor(factors: tuple[Term, ...], group: list[Term], found: Term) -> Term:
    """The factors with `found` in the place of the first of `group`."""
    first = factors.index(group[0])
    return mul(*(found if n == first else f for n, f in enumerate(factors) if n == first or f not in group))
