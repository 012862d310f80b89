"""Logarithms and differences that keep their digits: log of a product, softplus, log1p, expm1.

Each rule offers a form for one node; the prover decides (rules.py says when).
"""

from __future__ import annotations

from collections.abc import Iterator

from symgrad.algebra.binding import instantiate, substitute
from symgrad.algebra.terms import (
    ONE,
    Add,
    Call,
    Entry,
    Mul,
    Num,
    Pow,
    Term,
    add,
    mul,
    negative,
)
from symgrad.plan.matching import exponents
from symgrad.plan.safe import FACTORS
from symgrad.plan.verdict import Verdict
from symgrad.primitives import PRIMITIVES


def log_form(term: Term, verdict: Verdict) -> Term | None:
    """A logarithm of exponentials without an exponential that can overflow, or vanish, inside it."""
    if not (isinstance(term, Call) and term.function == "log"):
        return None
    (argument,) = term.arguments
    for form in (*_of_product(_opened(argument, verdict)), *_of_rows(_opened(argument, verdict)), *_near_one(argument)):
        if verdict.equal(term, form):
            return form
    return None


def _opened(argument: Term, verdict: Verdict) -> Term:
    """The argument with the names in it replaced by their equations, where these hold exponentials."""

    def replace(entry: Entry) -> Term | None:
        definition = verdict.layer.definition(entry.name)
        if definition is None or next(exponents(definition.body), None) is None:
            return None
        return instantiate(definition.body, definition.indices, entry.indices)

    return substitute(argument, replace)


def _of_product(argument: Term) -> Iterator[Term]:
    """log(exp(u) a / b) = u + log(a) - log(b), where one factor is an exponential or a fraction of some."""
    factors = argument.factors if isinstance(argument, Mul) else (argument,)
    outside = [f for f in factors if _leaves(f)]
    if not outside:
        return
    rest = mul(*(f for f in factors if f not in outside))
    yield add(*(_log_of(f) for f in outside), *([] if rest == ONE else [Call("log", (rest,))]))


def _leaves(factor: Term) -> bool:
    if isinstance(factor, Call) and factor.function == "exp":
        return True
    return isinstance(factor, Pow) and next(exponents(factor), None) is not None


def _log_of(factor: Term) -> Term:
    if isinstance(factor, Pow):
        return mul(Num(factor.exponent), Call("log", (factor.base,)))
    assert isinstance(factor, Call)
    return factor.arguments[0]


def _of_rows(argument: Term) -> Iterator[Term]:
    """±softplus(±u), and every other row that is a logarithm, for an exponential of u in the argument."""
    found = list(dict.fromkeys(exponents(argument)))
    rows = [row for row in PRIMITIVES.values() if row.elementary is not None and _is_log(row.elementary(Entry("u")))]
    for u in found[:2] if isinstance(argument, (Add, Pow, Mul)) else []:
        if u.free != argument.free:
            continue
        for row in rows:
            for factor in FACTORS[:2]:
                value = Call(row.name, (mul(factor, u),))
                yield from (value, negative(value))


def _is_log(term: Term) -> bool:
    """Whether a row's elementary form is the logarithm of something with an exponential."""
    return isinstance(term, Call) and term.function == "log" and next(exponents(term), None) is not None


def _near_one(argument: Term) -> Iterator[Term]:
    """log(1 + u) = log1p(u)."""
    if isinstance(argument, Add) and ONE in argument.terms:
        rest = list(argument.terms)
        rest.remove(ONE)
        yield Call("log1p", (add(*rest),))


def difference_form(term: Term, verdict: Verdict) -> Term | None:
    """C exp(u) - c = c expm1(u)."""
    if not isinstance(term, Add):
        return None
    for number in term.terms:
        for part in term.terms:
            if isinstance(number, Num) and _is_multiple(part, negative(number)):
                rest = [other for other in term.terms if other is not part and other is not number]
                form = add(mul(negative(number), Call("expm1", (next(exponents(part)),))), *rest)
                return form if verdict.equal(term, form) else None
    return None


def _is_multiple(term: Term, number: Term) -> bool:
    """Whether a term is a number times one exponential."""
    factors = term.factors if isinstance(term, Mul) else (ONE, term)
    exponential = [f for f in factors if isinstance(f, Call) and f.function == "exp"]
    return len(exponential) == 1 and mul(*(f for f in factors if f not in exponential)) == number
