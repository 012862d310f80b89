"""The domain: what must be positive or not zero for terms to mean something."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from symgrad.algebra.binding import alpha_equal, rename
from symgrad.algebra.terms import ONE, Add, Call, Delta, Mul, Num, Pow, Size, Sum, Term, add, negative, power, walk
from symgrad.derive.records import Condition
from symgrad.notation.layer import Layer


def conditions_of(terms: Iterable[Term], layer: Layer, own: Conditions | None = None) -> tuple[Condition, ...]:
    """What the terms need beyond the layer's own domain; sizes are at least 1 by definition.

    `own` is that domain where it is known already.
    """
    known = Conditions(domain_of(layer)) if own is None else own
    found = Conditions()
    for term in terms:
        for condition in _needs(term):
            if not known.imply(condition):
                found.add(condition)
    return found.all()


def domain_of(layer: Layer) -> tuple[Condition, ...]:
    """What the layer's own equations need: var + eps > 0."""
    found = Conditions()
    for definition in layer.definitions:
        for condition in _needs(definition.body):
            found.add(condition)
    return found.all()


class Conditions:
    """Conditions, none of which gives another; looked up by the names in them."""

    def __init__(self, conditions: Iterable[Condition] = ()) -> None:
        self.order: dict[Condition, None] = {}
        self.by_names: dict[frozenset[str], list[Condition]] = {}
        for condition in conditions:
            self.add(condition)

    def imply(self, condition: Condition) -> bool:
        """Whether one of them gives this one."""
        return any(_implied(condition, known) for known in self.by_names.get(condition.term.names, ()))

    def add(self, condition: Condition) -> None:
        """Add one, unless it is given already; what it gives itself goes."""
        if self.imply(condition):
            return
        alike = self.by_names.setdefault(condition.term.names, [])
        for known in [each for each in alike if _implied(each, condition)]:
            alike.remove(known)
            del self.order[known]
        alike.append(condition)
        self.order[condition] = None

    def all(self) -> tuple[Condition, ...]:
        """All, in the order in which they were added."""
        return tuple(self.order)


def _implied(condition: Condition, known: Condition) -> bool:
    """Whether a known condition gives this one; letters do not matter."""
    if condition.kind == "positive" and known.kind == "nonzero":
        return False
    left, right = condition.term, known.term
    if left.names != right.names:
        return False
    mapping = dict(zip(sorted(left.free), sorted(right.free), strict=False))
    return len(left.free) == len(right.free) and alpha_equal(rename(left, mapping), right)


def _needs(term: Term) -> Iterator[Condition]:
    """A condition for each power and logarithm whose base is not positive by itself."""
    for node in walk(term):
        if isinstance(node, Pow) and (node.exponent < 0 or node.exponent.denominator != 1):
            yield from _power_needs(node)
        if isinstance(node, Call) and node.function in _NEEDS:
            kind, of = _NEEDS[node.function]
            if not always_positive(of(node.arguments[0])):
                yield Condition(kind, of(node.arguments[0]))


_NEEDS: dict[str, tuple[str, Callable[[Term], Term]]] = {
    "log": ("positive", lambda u: u),
    "pow": ("positive", lambda u: u),
    "log1p": ("positive", lambda u: add(ONE, u)),
    "tan": ("nonzero", lambda u: Call("cos", (u,))),
    "asin": ("positive", lambda u: add(ONE, negative(power(u, 2)))),
    "acos": ("positive", lambda u: add(ONE, negative(power(u, 2)))),
    "acosh": ("positive", lambda u: add(u, negative(ONE))),
    "atanh": ("positive", lambda u: add(ONE, negative(power(u, 2)))),
}
"""What a function of u needs."""


def _power_needs(node: Pow) -> Iterator[Condition]:
    if node.exponent.denominator != 1:
        if not always_positive(node.base):
            yield Condition("positive", node.base)
        return
    factors = node.base.factors if isinstance(node.base, Mul) else (node.base,)
    for factor in factors:
        base = factor.base if isinstance(factor, Pow) and factor.exponent > 0 else factor
        if not always_positive(base):
            kind = "positive" if isinstance(factor, Pow) and factor.exponent.denominator != 1 else "nonzero"
            yield Condition(kind, base)


def always_positive(term: Term) -> bool:
    """Whether a term is positive for all values, as far as its form shows.

    A root or a whole power of a term is positive where it is defined and the term is not 0.
    """
    match term:
        case Num(value):
            return value > 0
        case Size():
            return True
        case Call(function, _):
            return function in ("exp", "pow", "sigmoid", "cosh", "softplus", "pi")
        case Add(terms):
            return any(map(always_positive, terms)) and all(map(never_negative, terms))
        case Mul(factors):
            return all(map(always_positive, factors))
        case Pow(base, _):
            return always_positive(base)
        case Sum(_, body):
            return always_positive(body)
        case _:
            return False


def never_negative(term: Term) -> bool:
    """Whether a term is at least 0 wherever it is defined, as far as its form shows."""
    match term:
        case Num(value):
            return value >= 0
        case Delta():
            return True
        case Call("abs" | "relu", _):
            return True
        case Add(terms):
            return all(map(never_negative, terms))
        case Mul(factors):
            return all(map(never_negative, factors))
        case Pow(base, exponent):
            return exponent.denominator != 1 or exponent % 2 == 0 or never_negative(base)
        case Sum(_, body):
            return never_negative(body)
        case _:
            return always_positive(term)
