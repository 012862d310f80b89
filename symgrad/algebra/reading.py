"""How a term reads: its sign, the condition in it. Shared by everything that prints terms."""

from __future__ import annotations

from symgrad.algebra.terms import ONE, Add, Delta, Entry, Index, Mul, Num, Place, Sum, Term, mul, negative


def signed_terms(term: Term) -> list[tuple[bool, Term]]:
    """The terms at the top level, in order: whether each is subtracted, and the term without its sign.

    a - 2 b gives (False, a), (True, 2 b).
    """
    parts = term.terms if isinstance(term, Add) else (term,)
    return [(True, negative(part)) if is_negative(part) else (False, part) for part in parts]


def is_negative(term: Term) -> bool:
    """Whether the term is written with a leading minus."""
    first = term.factors[0] if isinstance(term, Mul) else term
    return isinstance(first, Num) and first.value < 0


def inequality(term: Term) -> Delta | None:
    """The delta in 1 - δ, which is 1 where the indices differ and else 0; None for another term."""
    match term:
        case Add((one, Mul((minus_one, Delta() as same)))) if one == ONE and minus_one == negative(ONE):
            return same
    return None


def padded_entry(term: Term) -> Entry | None:
    """X at places that may lie outside, for sum_h [h = i + j - 1] x[b, h]; None for another term."""
    if not isinstance(term, Sum):
        return None
    factors = list(term.body.factors) if isinstance(term.body, Mul) else [term.body]
    places: dict[Index, Index] = {}
    for factor in list(factors):
        if isinstance(factor, Delta) and isinstance(factor.right, Place) and factor.left in term.indices:
            places[factor.left] = factor.right
            factors.remove(factor)
    entries = [factor for factor in factors if isinstance(factor, Entry) and places.keys() <= set(factor.indices)]
    if set(places) != set(term.indices) or len(entries) != 1 or len(factors) != 1:
        return None
    found = Entry(entries[0].name, tuple(places.get(index, index) for index in entries[0].indices))
    return None if set(places) & found.free else found


def with_padding_apart(term: Term) -> Term:
    """sum_mh [h = i + m] x[h] c as sum_m c sum_h [h = i + m] x[h]: zeros around x in a sum of their own.

    Of several such entries each gets its own sum: a place is met by one h at most.
    """
    if not isinstance(term, Sum):
        return term
    factors = term.body.factors if isinstance(term.body, Mul) else (term.body,)
    deltas = [f for f in factors if isinstance(f, Delta) and isinstance(f.right, Place) and f.left in term.indices]
    bound = {same.left for same in deltas}
    entries = [f for f in factors if isinstance(f, Entry) and bound and bound & f.free]
    if not entries or not bound < set(term.indices):
        return term
    rest = [factor for factor in factors if factor not in deltas and factor not in entries]
    if any(not bound <= entry.free for entry in entries) or any(bound & factor.free for factor in rest):
        return term
    ended = tuple(index for index in term.indices if index in bound)
    inner = [Sum(ended, mul(*deltas, entry)) for entry in entries]
    return Sum(tuple(index for index in term.indices if index not in bound), mul(*rest, *inner))
