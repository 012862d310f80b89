"""What does not change along a row: computed once before it, in double, and kept in a variable."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING

from symgrad.algebra.binding import transform_children
from symgrad.algebra.terms import Add, Entry, Index, Mul, Num, Term, walk
from symgrad.render.kernels.loop_language import DOUBLE, REAL
from symgrad.render.kernels.loop_terms import LoopTerms
from symgrad.render.kernels.small import centred

if TYPE_CHECKING:
    from symgrad.render.kernels.loops import Loops


@dataclass
class Hoist:
    """Gives what does not change along a row a variable before the row's loop, computed in double."""

    loops: Loops
    inner: Index
    terms: LoopTerms
    lines: list[str] = field(default_factory=list)

    def term(self, term: Term) -> Term:
        """The term; its parts without the row's index are kept under names of their own."""
        found = centred(term, {n: "wide" for n, kind in self.loops.kinds.items() if kind == "wide"})
        if found is not None and self._moves(found[0]):
            return self._in_double(term, *found) if self._moves(found[1]) else self._split(*found)
        if not self._moves(term):
            return self._kept(term)
        if isinstance(term, (Add, Mul)):
            parts = term.terms if isinstance(term, Add) else term.factors
            still = [part for part in parts if not self._moves(part)]
            moving = [self.term(part) for part in parts if self._moves(part)]
            if len(still) > 1 or (still and not isinstance(still[0], Num)):
                rest = self._kept(
                    Add(tuple(still))
                    if isinstance(term, Add) and len(still) > 1
                    else Mul(tuple(still))
                    if len(still) > 1
                    else still[0]
                )
                return type(term)((*moving, rest))
            return type(term)((*still, *moving))
        return transform_children(term, self.term)

    def _moves(self, term: Term) -> bool:
        """Whether a term varies along the row."""
        inner = self.inner.axis
        return any(index.axis == inner for index in term.free) or any(
            self.loops.kinds.get(name) == "local" for name in term.names
        )

    def _kept(self, term: Term) -> Term:
        """A variable for a term; numbers stay."""
        if isinstance(term, Num) or not (term.names or any(True for _ in walk(term))):
            return term
        if term not in self.terms.kept:
            name = f"c{len(self.terms.kept)}"
            self._let(name, f"({self.loops.exact(term)})")
            self.terms.kept[term] = name
        return term

    def _in_double(self, term: Term, array: Entry, statistic: Entry) -> Term:
        """Array - mean where the mean varies along the row too: subtracted in double, so that nothing of it is lost."""
        load = self.terms.load
        gap = f"({load(array, DOUBLE)} - {load(statistic, DOUBLE)})"
        self.terms.kept[term] = self.loops.language.cast(REAL, gap)
        return term

    def _split(self, array: Entry, statistic: Entry) -> Term:
        """Array - mean, with the mean in two parts, so that nothing of it is lost."""
        high, low = Entry(f"high_{statistic.name}"), Entry(f"low_{statistic.name}")
        if high not in self.terms.kept:
            place = self.loops.load(statistic, DOUBLE)
            self._let(high.name, place)
            self._let(low.name, f"({place} - {self.loops.language.cast(DOUBLE, high.name)})")
            self.terms.kept[high], self.terms.kept[low] = high.name, low.name
        minus = Num(Fraction(-1))
        return Add((Add((array, Mul((minus, high)))), Mul((minus, low))))

    def _let(self, name: str, value: str) -> None:
        """A variable of the element's type for a double."""
        language = self.loops.language
        self.lines.append(language.let(REAL, {name: language.cast(REAL, value)}))
