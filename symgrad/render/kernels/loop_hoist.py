"""What does not change along a row, or from row to row: computed once before, in double, and kept.

The first is a variable before the row's loops, the second an array before all rows: w[c] / sqrt(var[c] + eps) where
c is the innermost axis.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING

from symgrad.algebra.binding import transform_children
from symgrad.algebra.terms import Add, Call, Entry, Index, Mul, Num, Pow, Term, walk
from symgrad.render.kernels.loop_language import DOUBLE, END, REAL
from symgrad.render.kernels.loop_terms import LoopTerms, counter
from symgrad.render.kernels.small import centred

if TYPE_CHECKING:
    from symgrad.render.kernels.loop_rows import Rows
    from symgrad.render.kernels.loops import Loops


@dataclass
class Columns:
    """What depends on the place in a row but not on the row: small arrays, computed before all rows of a nest."""

    loops: Loops
    rows: Rows
    found: dict[Term, tuple[str, str]] = field(default_factory=dict)
    """A term's array and how its elements are computed in double."""

    def has(self, term: Term) -> bool:
        """Whether a term is the same in all rows, and more than a number from memory."""
        own = {index.axis for index in term.free} == {self.rows.inner.axis} and bool(self.rows.around)
        kinds = {self.loops.kinds.get(name) for name in term.names}
        return own and not kinds & {"local", "label"} and ("wide" in kinds or any(map(_is_work, walk(term))))

    def at(self, term: Term, value: str = "") -> str:
        """The element of a term's array; `value`: its element in double, where it is not the term's."""
        if term not in self.found:
            self.found[term] = f"column{len(self.found) + 1}", value or self.loops.exact(term)
        return f"{self.found[term][0]}[{counter(self.rows.inner)}]"

    @property
    def names(self) -> list[str]:
        """Of the arrays, each as long as a row."""
        return [name for name, _ in self.found.values()]

    def lines(self) -> list[str]:
        """The lines that compute them."""
        language, size = self.loops.language, f"n_{self.rows.inner.axis}"
        values = [language.set(self.at(term), language.cast(REAL, value)) for term, (_, value) in self.found.items()]
        return [language.loop(counter(self.rows.inner), "0", size), *values, END] if values else []

    def freed(self) -> list[str]:
        """The lines that give their memory back."""
        return [line for name in self.names for line in self.loops.language.free(name)]


@dataclass
class Hoist:
    """Gives what does not change along a row a variable before the row's loop, computed in double."""

    loops: Loops
    inner: Index
    terms: LoopTerms
    columns: Columns
    values: dict[str, str] = field(default_factory=dict)
    """The variables, in order, with the lines that set them."""

    def lines(self, users: Iterable[str]) -> list[str]:
        """The lines that set the variables which these lines use, directly or through others."""
        text, found = "\n".join(users), list[str]()
        for name, line in reversed(self.values.items()):
            if re.search(rf"\b{name}\b", text):
                found.append(line)
                text += f"\n{line}"
        return found[::-1]

    def term(self, term: Term) -> Term:
        """The term; its parts without the row's index are kept under names of their own."""
        found = centred(term, {n: "wide" for n, kind in self.loops.kinds.items() if kind == "wide"})
        if found is not None and self._moves(found[0]):
            return self._in_double(term, *found) if self._moves(found[1]) else self._split(*found)
        if not self._moves(term):
            return self._kept(term)
        if self.columns.has(term):
            return self._column(term)
        if isinstance(term, Add) and self._is_of_statistics(term):
            self.terms.kept[term] = self.loops.language.cast(REAL, self.loops.exact(term))
            return term
        if isinstance(term, (Add, Mul)):
            parts = self._gathered(term)
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

    def _is_of_statistics(self, term: Term) -> bool:
        """Whether a term is of small arrays in double alone: what cancels in it is not rounded before."""
        return {self.loops.kinds.get(name) for name in term.names} <= {"wide", "number"}

    def _kept(self, term: Term) -> Term:
        """A variable for a term; numbers stay."""
        if isinstance(term, Num) or not (term.names or any(True for _ in walk(term))):
            return term
        if term not in self.terms.kept:
            name = f"c{len(self.terms.kept)}"
            self._let(name, f"({self.loops.exact(term)})")
            self.terms.kept[term] = name
        return term

    def _column(self, term: Term, value: str = "") -> Term:
        """An array's element for a term that is the same in all rows."""
        self.terms.kept[term] = self.columns.at(term, value)
        return term

    def _gathered(self, term: Add | Mul) -> tuple[Term, ...]:
        """The parts of a sum or product, with those that are the same in all rows as one."""
        parts = term.terms if isinstance(term, Add) else term.factors
        same = [part for part in parts if self._moves(part) and {i.axis for i in part.free} == {self.inner.axis}]
        whole = type(term)(tuple(same)) if len(same) > 1 else None
        if whole is None or not self.columns.has(whole):
            return parts
        place = parts.index(same[0])
        return (*(p for p in parts[:place] if p not in same), whole, *(p for p in parts[place:] if p not in same))

    def _in_double(self, term: Term, array: Entry, statistic: Entry) -> Term:
        """Array - mean where the mean varies along the row too, in two parts or as doubles: nothing of it is lost."""
        if self.columns.has(statistic):
            return self._split_column(array, statistic)
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
        return _less(array, high, low)

    def _split_column(self, array: Entry, statistic: Entry) -> Term:
        """Array - mean, with a column for each of the mean's two parts."""
        language, exact = self.loops.language, self.loops.exact(statistic)
        high = Entry(f"high_{statistic.name}", statistic.indices)
        low = Entry(f"low_{statistic.name}", statistic.indices)
        self._column(high, exact)
        self._column(low, f"({exact} - {language.cast(DOUBLE, language.cast(REAL, exact))})")
        return _less(array, high, low)

    def _let(self, name: str, value: str) -> None:
        """A variable of the element's type for a double."""
        language = self.loops.language
        self.values[name] = language.let(REAL, {name: language.cast(REAL, value)})


def _less(array: Entry, high: Entry, low: Entry) -> Term:
    """(array - high) - low: the parts of a mean, one after the other."""
    minus = Num(Fraction(-1))
    return Add((Add((array, Mul((minus, high)))), Mul((minus, low))))


def _is_work(term: Term) -> bool:
    """Whether a node takes more than a few additions."""
    return isinstance(term, Call) or (isinstance(term, Pow) and term.exponent.denominator + abs(term.exponent) > 3)
