"""Random terms over two axes, and random rewritings that keep their value, for tests of the prover."""

from __future__ import annotations

import random
from collections.abc import Callable
from fractions import Fraction

from symgrad.algebra.binding import rename
from symgrad.algebra.terms import (
    MINUS_ONE,
    ONE,
    TWO,
    Add,
    Call,
    Delta,
    Entry,
    Index,
    Mul,
    Num,
    Pow,
    Size,
    Sum,
    Term,
    add,
    mul,
    negative,
    number,
    power,
    sum_over,
)
from symgrad.notation.library import from_text

LAYER = from_text("""
input x[i], u[j], m[i, j], a, b
parameter w[i]
constant e = 1e-5
y[i] = a*b*e*x[i]*w[i]*sum[j](m[i, j]*u[j])
output y
""")
FREE = (Index("i", "i"), Index("p", "i"), Index("j", "j"))
LETTERS = {"i": ("i", "p", "q"), "j": ("j", "r")}
FUNCTIONS = ("exp", "sigmoid", "tanh", "sinh", "cosh", "sin", "cos")
Scope = tuple[Index, ...]


def entry(rng: random.Random, scope: Scope) -> Term:
    found: list[Term] = [Entry("a"), Entry("b")]
    for index in scope:
        found += [Entry("x", (index,)), Entry("w", (index,))] if index.axis == "i" else [Entry("u", (index,))]
        found += [Entry("m", (index, other)) for other in scope if (index.axis, other.axis) == ("i", "j")]
    return rng.choice(found)


def bound(rng: random.Random, scope: Scope, body: Callable[[Scope], Term]) -> Term:
    """A sum over a random letter, which may hide one that is in scope."""
    axis = rng.choice("ij")
    index = Index(rng.choice(LETTERS[axis]), axis)
    return sum_over((index,), body((*(other for other in scope if other != index), index)))


def positive(rng: random.Random, depth: int, scope: Scope) -> Term:
    """A term that is positive for all values, for roots, logarithms and divisors."""
    match rng.randrange(5) if depth > 0 else 0:
        case 0:
            return Call("exp", (entry(rng, scope),))
        case 1:
            return add(ONE, power(anything(rng, depth - 1, scope), 2))
        case 2:
            return add(positive(rng, depth - 1, scope), positive(rng, depth - 1, scope))
        case 3:
            return mul(rng.choice((Size("i"), Size("j"), number(rng.randint(1, 12)))), positive(rng, depth - 1, scope))
        case _:
            return bound(rng, scope, lambda inner: positive(rng, depth - 1, inner))


def anything(rng: random.Random, depth: int, scope: Scope) -> Term:
    """A term that has a value everywhere."""
    if depth <= 0:
        constants = (Num(Fraction(rng.randint(-4, 5), rng.randint(1, 3))), Size("i"), Size("j"))
        return entry(rng, scope) if rng.random() < 0.8 else rng.choice(constants)
    match rng.randrange(12):
        case 0 | 1 | 2:
            return add(anything(rng, depth - 1, scope), anything(rng, depth - 1, scope))
        case 3 | 4 | 5:
            return mul(anything(rng, depth - 1, scope), anything(rng, depth - 1, scope))
        case 6 | 7:
            return bound(rng, scope, lambda inner: anything(rng, depth - 1, inner))
        case 8:
            exponent = Fraction(rng.choice((-3, -2, -1, 1, 3)), rng.choice((1, 1, 2, 3)))
            return power(positive(rng, depth - 1, scope), exponent)
        case 9:
            return Call(rng.choice(FUNCTIONS), (anything(rng, min(depth - 1, 1), scope),))
        case 10:
            root = power(power(entry(rng, scope), rng.choice((2, 4))), Fraction(1, 2))
            return rng.choice((root, Call("log", (positive(rng, depth - 1, scope),))))
        case _:
            pairs = [(p, q) for p in scope for q in scope if p.axis == q.axis and p < q]
            rest = anything(rng, depth - 1, scope)
            return mul(Delta(*rng.choice(pairs)), rest) if pairs else power(rest, 2)


def random_term(rng: random.Random, depth: int) -> Term:
    return anything(rng, depth, tuple(index for index in FREE if rng.random() < 0.6))


def rewritten(rng: random.Random, term: Term) -> Term:
    """An equal term: one identity applied somewhere."""
    if term.children and rng.random() < 0.6:
        place = rng.randrange(len(term.children))
        changed = rewritten(rng, term.children[place])
        return term.rebuild((*term.children[:place], changed, *term.children[place + 1 :]))
    rules = [rule for rule in RULES if rule(rng, term) is not None]
    found = rng.choice(rules)(rng, term) if rules else None
    return term if found is None else found


def _reordered(rng: random.Random, term: Term) -> Term | None:
    if not isinstance(term, (Add, Mul)):
        return None
    parts = list(term.children)
    rng.shuffle(parts)
    return type(term)(tuple(parts))


def _distributed(rng: random.Random, term: Term) -> Term | None:
    """(a + b) c = a c + b c."""
    places = [p for p, factor in enumerate(term.children) if isinstance(term, Mul) and isinstance(factor, Add)]
    if not places:
        return None
    place = rng.choice(places)
    before, after = term.children[:place], term.children[place + 1 :]
    return add(*(mul(*before, part, *after) for part in term.children[place].children))


def _split(rng: random.Random, term: Term) -> Term | None:
    """A sum of a sum is a sum of sums."""
    if not isinstance(term, Sum) or not isinstance(term.body, Add):
        return None
    return add(*(sum_over(term.indices, part) for part in term.body.terms))


def _renamed(rng: random.Random, term: Term) -> Term | None:
    """A bound letter under another name."""
    if not isinstance(term, Sum):
        return None
    old, *others = term.indices
    new = Index(rng.choice("fgh"), old.axis)
    return None if new.name in term.letters else Sum((new, *others), rename(term.body, {old: new}))


def _pulled(rng: random.Random, term: Term) -> Term | None:
    """Factors without the bound index leave the sum."""
    if not isinstance(term, Sum) or not isinstance(term.body, Mul):
        return None
    outside = [factor for factor in term.body.factors if factor.free.isdisjoint(term.indices)]
    inside = [factor for factor in term.body.factors if not factor.free.isdisjoint(term.indices)]
    return mul(*outside, sum_over(term.indices, mul(*inside)))


def _taken_apart(rng: random.Random, term: Term) -> Term | None:
    """B^e = B^(e-1) B."""
    if not isinstance(term, Pow) or isinstance(term.base, Pow):
        return None
    return mul(power(term.base, term.exponent - 1), term.base)


def _unfolded(rng: random.Random, term: Term) -> Term | None:
    """A function through another one."""
    if not isinstance(term, Call):
        return None
    (u,) = term.arguments
    if term.function == "sigmoid":
        return power(add(ONE, Call("exp", (negative(u),))), -1)
    if term.function == "tanh":
        return add(mul(TWO, Call("sigmoid", (mul(TWO, u),))), MINUS_ONE)
    if term.function == "exp" and isinstance(u, Add):
        return mul(*(Call("exp", (part,)) for part in u.terms))
    return None


def _over_itself(rng: random.Random, term: Term) -> Term | None:
    """t = t p / p."""
    divisor = positive(random.Random(rng.random()), 1, tuple(sorted(term.free)))
    return mul(term, divisor, power(divisor, -1))


def _in_two_parts(rng: random.Random, term: Term) -> Term | None:
    """t = t / (1 + p) + t p / (1 + p)."""
    part = positive(random.Random(rng.random()), 1, tuple(sorted(term.free)))
    share = power(add(ONE, part), -1)
    return add(mul(term, share), mul(term, part, share))


def _meaned(rng: random.Random, term: Term) -> Term | None:
    """The mean of a constant."""
    return mul(power(Size("i"), -1), Sum((Index("z", "i"),), term)) if "z" not in term.letters else None


RULES = (
    _reordered, _distributed, _split, _renamed, _pulled, _taken_apart, _unfolded, _over_itself, _in_two_parts, _meaned,
)  # fmt: skip
