"""What is computed once: equal sums, multiples of sums, and subterms that occur more than once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction

from symgrad.algebra.binding import rename, transform_children
from symgrad.algebra.terms import (
    MINUS_ONE,
    ONE,
    Add,
    Binder,
    Call,
    Entry,
    Index,
    Mul,
    Pow,
    Reduce,
    Sum,
    Term,
    Where,
    divide,
    mul,
    walk,
)
from symgrad.plan.verdict import Verdict

Key = tuple[str, tuple[str, ...], frozenset[tuple[Term, int]]]


@dataclass(frozen=True)
class KnownSum:
    """A sum or other reduction that something already holds: `total` equals `value`."""

    total: Binder
    value: Term


@dataclass
class Sums:
    """The reductions of a procedure; asks the prover where two sums are not equal as written."""

    verdict: Verdict
    _known: dict[Key, KnownSum] = field(default_factory=dict)

    def add(self, total: Binder, value: Term) -> None:
        """Remember that `value` holds the sum; the first to hold it stays."""
        self._known.setdefault(_key(total), KnownSum(total, value))

    def find(self, total: Binder) -> Term | None:
        """What holds the reduction; a sum, up to its sign."""
        found = self._known.get(_key(total))
        if found is not None or not isinstance(total, Sum):
            return None if found is None else found.value
        for known in self._known.values():
            if known.total.free != total.free or known.total.names != total.names or isinstance(known.total, Reduce):
                continue
            for sign in (ONE, MINUS_ONE):
                if self.verdict.equal(total, mul(sign, known.total)):
                    return mul(sign, known.value)
        return None


def reduction(term: Term) -> tuple[Binder, Term] | None:
    """The reduction and its coefficient, where a term is a reduction times numbers and sizes."""
    factors = term.factors if isinstance(term, Mul) else (term,)
    sums = [factor for factor in factors if isinstance(factor, Binder)]
    rest = [factor for factor in factors if not isinstance(factor, Binder)]
    if len(sums) != 1 or any(factor.names or factor.free or factor.binds for factor in rest):
        return None
    return sums[0], mul(*rest)


def register(sums: Sums, entry: Entry, body: Term) -> None:
    """Remember the reduction of which `entry`, with this body, is a known multiple."""
    found = reduction(body)
    if found is not None:
        sums.add(found[0], divide(entry, found[1]))


def _key(total: Binder) -> Key:
    """The same for reductions that are equal up to bound letters and the order of factors."""
    ordered = sorted(total.indices, key=lambda index: (index.axis, index.name))
    body = rename(total.body, {i: Index(f"%{n}", i.axis) for n, i in enumerate(ordered)})
    factors = body.factors if isinstance(body, Mul) else (body,)
    operation = total.operation if isinstance(total, Reduce) else "sum"
    return operation, tuple(i.axis for i in ordered), frozenset(Counter(factors).items())


def with_canonical_letters(term: Term) -> Term:
    """The term with each bound letter the name of its axis, where that letter is free."""
    term = transform_children(term, with_canonical_letters)
    if not isinstance(term, Binder):
        return term
    indices, body = list(term.indices), term.body
    for place, index in enumerate(indices):
        taken = {i.name for i in body.free if i != index} | {i.name for i in indices if i != index}
        wanted = Index(index.axis, index.axis)
        if wanted.name not in taken:
            body, indices[place] = rename(body, {index: wanted}), wanted
    return term.rebind(tuple(indices), body)


def replace_term(term: Term, old: Term, new: Term) -> Term:
    """The term with every occurrence of `old` replaced."""
    if term == old:
        return new
    return transform_children(term, lambda child: replace_term(child, old, new))


def with_root(term: Term, base: Term, root: Entry) -> Term:
    """Every base**(-n/2), n odd, as a power of `root`, which is base**(-1/2)."""
    if isinstance(term, Pow) and term.base == base and is_root(term):
        power = -2 * term.exponent
        return root if power == 1 else Pow(root, power)
    return transform_children(term, lambda child: with_root(child, base, root))


def is_root(term: Term) -> bool:
    """Whether a term is a power -1/2, -3/2, ..."""
    return isinstance(term, Pow) and term.exponent < 0 and term.exponent.denominator == 2


def repeated_roots(bodies: Iterable[Term]) -> list[Term]:
    """The bases of reciprocal roots that occur more than once, in order of appearance."""
    counts = Counter[Term]()
    for body in bodies:
        for node in walk(body):
            if isinstance(node, Pow) and is_root(node) and node.names:
                counts[node.base] += 1 if node.exponent == Fraction(-1, 2) else 2
    return [base for base, count in counts.items() if count > 1]


@dataclass
class Places:
    """In which statements subterms stand, for those that occur more than once."""

    _names: dict[Term, list[str]] = field(default_factory=dict)

    def add(self, name: str, body: Term, wanted: Callable[[Term], bool]) -> None:
        """Note the sums, calls, arguments of calls and choices in a statement."""
        for node in outside_choices(body):
            arguments = [a for a in node.children if isinstance(a, Mul)] if isinstance(node, Call) else []
            for found in (*([node] if isinstance(node, (Add, Call, Where)) else []), *arguments):
                if wanted(found):
                    self._names.setdefault(found, []).append(name)

    def of(self, term: Term) -> list[str]:
        """The statements that held the term, each once."""
        return list(dict.fromkeys(self._names[term]))

    def candidates(self) -> list[Term]:
        """What occurs more than once, the largest first."""
        found = [term for term, names in self._names.items() if len(names) > 1]
        return sorted(found, key=lambda term: -sum(1 for _ in walk(term)))


def outside_choices(term: Term) -> Iterator[Term]:
    """Every node but those below a choice: there a value may exist in one branch only."""
    yield term
    for child in () if isinstance(term, Where) else term.children:
        yield from outside_choices(child)
