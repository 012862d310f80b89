"""exp(u - z) where z = m + log(s) is computed in the same procedure: exp(u - m) / s.

The exponentials exp(u - m) are there already where s is their sum. So softmax that is written with a logarithm, as
the gradient of a cross entropy has it, takes one exponential for each element instead of two.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from symgrad.algebra.binding import instantiate, transform_children
from symgrad.algebra.terms import MINUS_ONE, Add, Call, Entry, Mul, Pow, Sum, Term, add, mul, negative
from symgrad.plan.verdict import Body


def without_logarithms(bodies: Mapping[str, Body]) -> dict[str, Body]:
    """The equations with each exp(u - z) as a quotient, where z = m + log(s) and s is a sum of exponentials."""
    return {name: (indices, _rewritten(body, bodies)) for name, (indices, body) in bodies.items()}


def _rewritten(term: Term, bodies: Mapping[str, Body]) -> Term:
    if isinstance(term, Call) and term.function == "exp":
        argument = term.arguments[0]
        parts = argument.terms if isinstance(argument, Add) else (argument,)
        for part in parts:
            found = _logarithm(part, bodies)
            if found is not None:
                rest, total = found
                others = [other for other in parts if other is not part]
                exponent = add(*others, negative(rest))
                return mul(Call("exp", (exponent,)), Pow(total, Fraction(-1)))
    return transform_children(term, lambda child: _rewritten(child, bodies))


def _logarithm(part: Term, bodies: Mapping[str, Body]) -> tuple[Term, Entry] | None:
    """M and s of -z where z = m + log(s) and s is a sum of exponentials."""
    if not isinstance(part, Mul) or len(part.factors) != 2 or part.factors[0] != MINUS_ONE:
        return None
    value = part.factors[1]
    if not isinstance(value, Entry) or value.name not in bodies:
        return None
    letters, body = bodies[value.name]
    body = instantiate(body, letters, value.indices)
    parts = body.terms if isinstance(body, Add) else ()
    for term in parts:
        total = term.arguments[0] if isinstance(term, Call) and term.function == "log" else None
        if isinstance(total, Entry) and total.name in bodies and _is_sum_of_exponentials(bodies[total.name][1]):
            return add(*(other for other in parts if other is not term)), total
    return None


def _is_sum_of_exponentials(body: Term) -> bool:
    return isinstance(body, Sum) and isinstance(body.body, Call) and body.body.function == "exp"
