"""Small identities on terms that keep the order in which things were written.

These are the steps that a person does without a second thought: merging powers of one factor,
collecting like terms, multiplying out, taking constant factors out of sums. Each function returns
an equal term on the domain where the given one is defined, and the same object where it has
nothing to do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from functools import lru_cache

from symgrad.algebra.binding import alpha_equal, fresh_letters, rename, rename_bound_apart, transform_children
from symgrad.algebra.reading import inequality
from symgrad.algebra.terms import (
    ONE,
    Add,
    Binder,
    Delta,
    Entry,
    Index,
    Mul,
    Num,
    Place,
    Pow,
    Size,
    Sum,
    Term,
    add,
    mul,
    negative,
    power,
    sum_over,
)

Factors = list[tuple[Term, Fraction]]


def factors_of(term: Term) -> tuple[Fraction, Factors]:
    """A product as its number and its factors with exponents, equal bases merged, in order.

    A whole power of a product is a product of powers; `(a^2)^(1/2)` stays, because it is |a|.
    """
    coefficient = Fraction(1)
    found: Factors = []
    stack: list[tuple[Term, Fraction]] = [(term, Fraction(1))]
    while stack:
        base, exponent = stack.pop()
        if isinstance(base, Pow) and exponent.denominator == 1:
            stack.append((base.base, base.exponent * exponent))
        elif isinstance(base, Mul) and exponent.denominator == 1:
            stack.extend((factor, exponent) for factor in reversed(base.factors))
        elif isinstance(base, Num) and isinstance(folded := power(base, exponent), Num):
            coefficient *= folded.value
        else:
            _merge(found, base, exponent)
    return coefficient, [(base, e) for base, e in found if e]


def _merge(found: Factors, base: Term, exponent: Fraction) -> None:
    for place, (known, e) in enumerate(found):
        if known == base or alpha_equal(known, base):
            found[place] = (known, e + exponent)
            return
    found.append((base, exponent))


def product_of(coefficient: Fraction, factors: Iterable[tuple[Term, Fraction]]) -> Term:
    """The product that `factors_of` took apart."""
    return mul(Num(coefficient), *(power(base, exponent) for base, exponent in factors))


def terms_of(term: Term) -> tuple[Term, ...]:
    """The addends; a single term is one."""
    return term.terms if isinstance(term, Add) else (term,)


@lru_cache(maxsize=16_384)
def tidy(term: Term) -> Term:
    """Merge powers of equal factors and collect equal terms, everywhere, from the inside out."""
    term = transform_children(term, tidy)
    if isinstance(term, (Mul, Pow)):
        return product_of(*factors_of(term))
    if isinstance(term, Add):
        return collect_equal(term.terms)
    return term


def collect_equal(terms: Iterable[Term]) -> Term:
    """The sum with terms that differ by a number only put together, at the first one's place."""
    found: list[tuple[Factors, Fraction]] = []
    for term in terms:
        coefficient, factors = factors_of(term)
        for place, (known, value) in enumerate(found):
            if same_factors(known, factors):
                found[place] = (known, value + coefficient)
                break
        else:
            found.append((factors, coefficient))
    return add(*(product_of(value, factors) for factors, value in found if value))


def same_factors(left: Factors, right: Factors) -> bool:
    """Whether two products have the same factors, in any order."""
    if len(left) != len(right):
        return False
    rest = list(right)
    for base, exponent in left:
        for place, (other, e) in enumerate(rest):
            if e == exponent and alpha_equal(base, other):
                del rest[place]
                break
        else:
            return False
    return True


def expand(term: Term, into: Callable[[Term], bool] = lambda _: True) -> Term:
    """Multiply a product out over those of its factors that are sums and satisfy `into`."""
    if isinstance(term, Add):
        return add(*(expand(part, into) for part in term.terms))
    if not isinstance(term, Mul):
        return term
    for place, factor in enumerate(term.factors):
        if isinstance(factor, Add) and into(factor):
            before = term.factors[:place]
            after = term.factors[place + 1 :]
            return add(*(expand(mul(*before, part, *after), into) for part in factor.terms))
    return term


def pull_out(term: Term) -> Term:
    """sum_i c f_i = c sum_i f_i for factors c without the index i; sum_i 1 = N."""
    if not isinstance(term, Sum):
        return term
    coefficient, factors = factors_of(term.body)
    bound = set(term.indices)
    outside = [(base, e) for base, e in factors if bound.isdisjoint(base.free)]
    inside = [(base, e) for base, e in factors if not bound.isdisjoint(base.free)]
    used = frozenset().union(*(base.free for base, _ in inside))
    idle = [index for index in term.indices if index not in used]
    if coefficient == 1 and not outside and not idle:
        return term
    body = product_of(Fraction(1), inside)
    rest = sum_over((i for i in term.indices if i in used), body)
    return mul(product_of(coefficient, outside), *(Size(index.axis) for index in idle), rest)


def split_sum(term: Term) -> Term:
    """Sum (a + b) = sum a + sum b."""
    if isinstance(term, Sum) and isinstance(term.body, Add):
        return add(*(sum_over(term.indices, part) for part in term.body.terms))
    return term


def collapse_delta(term: Term) -> Term:
    """sum_k delta_ki f_k = f_i: i lies in the range of k, because both run over one axis.

    A place may stand for i where it is known to lie inside.
    """
    if not isinstance(term, Sum):
        return term
    if isinstance(term.body, Add) and any(_bound_delta(term, part) for part in term.body.terms):
        return add(*(collapse_delta(sum_over(term.indices, part)) for part in term.body.terms))
    found = _bound_delta(term, term.body)
    if found is None:
        return term
    factor, drop, keep = found
    factors = [f for f in getattr(term.body, "factors", (term.body,)) if f != factor]
    body = rename(mul(*factors), {drop: keep})
    return collapse_delta(sum_over((i for i in term.indices if i != drop), body))


def _bound_delta(total: Sum, body: Term) -> tuple[Delta, Index, Index] | None:
    """A delta among the factors of `body` that picks one term of the sum: the index that goes, what it becomes."""
    for factor in getattr(body, "factors", (body,)):
        if isinstance(factor, Delta):
            for drop, keep in picks(factor):
                if drop in total.indices:
                    return factor, drop, keep
    return None


def picks(same: Delta) -> Iterator[tuple[Index, Index]]:
    """Which index a delta determines whatever the other letters are, and what it is then."""
    if not isinstance(same.right, Place):
        yield from ((same.left, same.right), (same.right, same.left))
    elif same.right.inside and same.left not in same.right.free:
        yield same.left, same.right


def delta_first(term: Term) -> Term:
    """sum_h a_h sum_k [h = p_k] b_k = sum_k b_k sum_h [h = p_k] a_h: the sum that a delta ends stands inside."""
    if not isinstance(term, Sum) or not isinstance(term.body, Mul):
        return term
    for place, factor in enumerate(term.body.factors):
        if isinstance(factor, Sum) and any(_is_crossing(part, term, factor) for part in _factors(factor.body)):
            others = mul(*term.body.factors[:place], *term.body.factors[place + 1 :])
            taken = others.letters | {index.name for index in term.indices}
            clashing = [index for index in factor.indices if index.name in taken]
            fresh = fresh_letters(clashing, taken | factor.letters)
            inner = Sum(tuple(fresh.get(index, index) for index in factor.indices), rename(factor.body, fresh))
            return _with_delta_first(term, others, inner)
    return term


def _with_delta_first(outer: Sum, others: Term, inner: Sum) -> Term:
    deltas = [part for part in _factors(inner.body) if _is_crossing(part, outer, inner)]
    rest = [part for part in _factors(inner.body) if part not in deltas]
    ended = [delta.left for delta in deltas if isinstance(delta, Delta)]
    moved = [factor for factor in _factors(others) if not factor.free.isdisjoint(ended)]
    stay = [factor for factor in _factors(others) if factor.free.isdisjoint(ended)]
    picked = sum_over(ended, mul(*deltas, *moved))
    left = (index for index in outer.indices if index not in ended)
    return sum_over(left, mul(*stay, sum_over(inner.indices, mul(*rest, picked))))


def _factors(term: Term) -> tuple[Term, ...]:
    return term.factors if isinstance(term, Mul) else (term,)


def _is_crossing(part: Term, outer: Sum, inner: Sum) -> bool:
    """Whether a factor of the inner sum is a delta that sets a letter of the outer one to a place of the inner's."""
    if not isinstance(part, Delta) or not isinstance(part.right, Place) or part.left not in outer.indices:
        return False
    return not part.right.free.isdisjoint(inner.indices)


def at_delta(term: Term) -> Term:
    """[h = p] f_p = [h = p] f_h: beside a delta its place goes by the letter, and x with zeros around it is x."""
    if not isinstance(term, Mul):
        return term
    for factor in term.factors:
        if isinstance(factor, Delta) and isinstance(factor.right, Place):
            others = [f if f == factor else _at_letter(f, factor.right, factor.left) for f in term.factors]
            if tuple(others) != term.factors:
                return mul(*others)
    return term


def _at_letter(term: Term, place: Place, letter: Index) -> Term:
    """The term with `letter` for each place of an entry that is `place`."""
    if isinstance(term, Sum) and term.indices and not place.free & set(term.indices):
        factors = term.body.factors if isinstance(term.body, Mul) else (term.body,)
        for same in factors:
            if isinstance(same, Delta) and same.right == place and same.left in term.indices:
                body = rename(mul(*(f for f in factors if f != same)), {same.left: letter})
                return _at_letter(sum_over((i for i in term.indices if i != same.left), body), place, letter)
    if isinstance(term, Binder) and (place.free | {letter}) & set(term.indices):
        return term
    if isinstance(term, Entry):
        return Entry(term.name, tuple(letter if index == place else index for index in term.indices))
    return transform_children(term, lambda child: _at_letter(child, place, letter))


def everywhere(term: Term, change: Callable[[Term], Term]) -> Term:
    """Apply `change` to every node, from the inside out."""
    return change(transform_children(term, lambda child: everywhere(child, change)))


def except_index(bound: Index, other: Index) -> Term:
    """1 - delta: the factor that restricts a sum over `bound` to bound != other."""
    return add(ONE, negative(Delta(bound, other)))


def complete_sum(term: Term) -> Term:
    """sum_{k != i} f_k = sum_k f_k - f_i, where i lies in the range of k."""
    if not isinstance(term, Sum):
        return term
    factors = getattr(term.body, "factors", (term.body,))
    for factor in factors:
        same = inequality(factor)
        for bound, other in picks(same) if same is not None else ():
            if bound in term.indices:
                body = mul(*(f for f in factors if f != factor))
                rest = sum_over((i for i in term.indices if i != bound), rename(body, {bound: other}))
                return add(sum_over(term.indices, body), negative(rest))
    return term


def excluded_pair(term: Term) -> tuple[Index, Index] | None:
    """(k, i) for the factor 1 - delta_ki, else None."""
    same = inequality(term)
    return None if same is None else (same.left, same.right)


def together(term: Term) -> Term:
    """A sum over one denominator: the common factors are taken out, sizes collected inside."""
    if not isinstance(term, Add):
        return term
    parts = [factors_of(part) for part in term.terms]
    common = [(base, e) for base, e in _common(parts) if e]
    if not common:
        return term
    sign = Fraction(-1 if all(c < 0 for c, _ in parts) else 1)
    inverse = [(base, -e) for base, e in common]
    inner = [product_of(c * sign, factors_of(product_of(Fraction(1), [*fs, *inverse]))[1]) for c, fs in parts]
    return mul(Num(sign), *(power(b, e) for b, e in common), collect_sizes(add(*inner)))


def _common(parts: list[tuple[Fraction, Factors]]) -> Factors:
    """For each base the smallest exponent that it has in any part; 0 where it is missing in one."""
    common: Factors = []
    for _, factors in parts:
        for base, _ in factors:
            if not any(alpha_equal(base, known) for known, _ in common):
                exponents = [next((e for b, e in f if alpha_equal(b, base)), Fraction(0)) for _, f in parts]
                common.append((base, min(exponents)))
    return common


def collect_sizes(term: Term) -> Term:
    """N a - a = (N - 1) a: terms that differ by numbers and sizes only, put together."""
    found: list[tuple[Factors, list[Term]]] = []
    for part in terms_of(term):
        coefficient, factors = factors_of(part)
        size = product_of(coefficient, [(b, e) for b, e in factors if isinstance(b, Size)])
        rest = [(b, e) for b, e in factors if not isinstance(b, Size)]
        for known, sizes in found:
            if same_factors(known, rest):
                sizes.append(size)
                break
        else:
            found.append((rest, [size]))
    return add(*(mul(collect_equal(sizes), product_of(Fraction(1), rest)) for rest, sizes in found))


def separate_letters(term: Term, taken: Iterable[str] = ()) -> Term:
    """The term with each bound letter different from the free ones and from those around it."""
    return rename_bound_apart(term, {index.name for index in term.free}.union(taken))


def regroup(term: Term) -> Term:
    """T var + t eps = t (var + eps), where var + eps already stands as the base of a power."""
    if not isinstance(term, Add):
        return term
    bases = [base for part in term.terms for base, e in factors_of(part)[1] if isinstance(base, Add) and e < 0]
    parts = list(term.terms)
    for base in dict.fromkeys(bases):
        for part in list(parts):
            found = _companions(part, base, parts)
            if found:
                place = parts.index(found[0])
                parts = [p for p in parts if p not in found]
                parts.insert(place, _times(part, base, base.terms[0]))
    return add(*parts) if len(parts) < len(term.terms) else term


def _times(part: Term, factor: Term, divisor: Term) -> Term:
    """Part * factor / divisor, powers merged."""
    return product_of(*factors_of(mul(part, factor, power(divisor, -1))))


def _companions(part: Term, base: Add, parts: list[Term]) -> list[Term] | None:
    """The terms that make up (part / b_0) * base, where `part` holds b_0; None unless all are there."""
    _, factors = factors_of(part)
    first = base.terms[0]
    if not any(b == first and e >= 1 for b, e in factors) or not any(b == base and e < 0 for b, e in factors):
        return None
    found = []
    for addend in base.terms:
        wanted = factors_of(_times(part, addend, first))
        match = next((p for p in parts if _same(factors_of(p), wanted)), None)
        if match is None:
            return None
        found.append(match)
    return found


def _same(left: tuple[Fraction, Factors], right: tuple[Fraction, Factors]) -> bool:
    return left[0] == right[0] and same_factors(left[1], right[1])


@lru_cache(maxsize=4_096)
def settle(term: Term) -> Term:
    """`tidy`, with the factors of each product in the order in which a person writes them."""
    return everywhere(tidy(term), _in_order)


def _in_order(term: Term) -> Term:
    """Letters, then brackets and roots, then gradients, then sums; else as they were."""
    return mul(*sorted(term.factors, key=_place)) if isinstance(term, Mul) else term


def _place(factor: Term) -> int:
    if isinstance(factor, Entry):
        return 3 if factor.name.startswith("d_") else 1
    if isinstance(factor, Sum):
        return 4
    return 0 if isinstance(factor, (Num, Size)) else 2
