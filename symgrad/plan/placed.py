"""Computed places in code: entries are gathered into arrays of their own, and added up into them again.

x[b, i + k] becomes x_at[b, i, k], which is then an array like any other. A sum with [h = i + k] in it,
the adjoint of that, becomes the array of what is added, d_x_at[b, i, k], and one statement that adds it up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from symgrad.algebra.binding import fresh_letters, rename, transform_children
from symgrad.algebra.reading import padded_entry, with_padding_apart
from symgrad.algebra.terms import ONE, Binder, Delta, Entry, Index, Mul, Place, Position, Sum, Term, mul, sum_over, walk

New = Callable[[Term, str, tuple[Index, ...]], Entry]
"""Gives a term a statement: the term, a name, its indices."""


def gathered(term: Term) -> Entry | None:
    """The entry at computed places that a statement gathers, or None where it does something else."""
    if isinstance(term, Entry):
        return None if term.is_plain else term
    return padded_entry(term)


def scattered(term: Term) -> tuple[dict[Index, Place], Entry] | None:
    """What a statement adds up, and at which places; None where it does something else."""
    if not isinstance(term, Sum) or not isinstance(term.body, Mul):
        return None
    found = _places(term)
    rest = [f for f in term.body.factors if not (isinstance(f, Delta) and f.left in found)]
    if not found or len(rest) != 1 or not isinstance(rest[0], Entry) or not rest[0].is_plain:
        return None
    letters = frozenset().union(*(place.free for place in found.values()))
    return (found, rest[0]) if set(term.indices) <= letters else None


def _places(total: Sum) -> dict[Index, Place]:
    """The free letters that a sum's deltas set to places with bound letters."""
    factors = total.body.factors if isinstance(total.body, Mul) else (total.body,)
    return {
        f.left: f.right
        for f in factors
        if isinstance(f, Delta) and isinstance(f.right, Place) and f.left not in total.indices
        and not f.right.free.isdisjoint(total.indices)
    }  # fmt: skip


def nested(term: Term, _: object) -> Term | None:
    """sum_i a sum_k [h = i + k] b = sum_ik [h = i + k] a b, so that it is added up in one go."""
    if not isinstance(term, Sum) or not isinstance(term.body, Mul):
        return None
    for place, factor in enumerate(term.body.factors):
        if isinstance(factor, Sum) and any(not p.free.isdisjoint(term.indices) for p in _places(factor).values()):
            others = mul(*term.body.factors[:place], *term.body.factors[place + 1 :])
            clashing = [index for index in factor.indices if index.name in others.letters | _names(term.indices)]
            fresh = fresh_letters(clashing, others.letters | factor.letters | _names(term.indices))
            inner = tuple(fresh.get(index, index) for index in factor.indices)
            return sum_over((*term.indices, *inner), mul(others, rename(factor.body, fresh)))
    return None


def _names(indices: tuple[Index, ...]) -> frozenset[str]:
    return frozenset(index.name for index in indices)


@dataclass
class Placer:
    """Replaces computed places in the bodies of statements by arrays of their own.

    Attributes:
        new: makes a statement.
        known: the gathered arrays, so that the same entries are gathered once.
    """

    new: New
    known: dict[Term, Entry] = field(default_factory=dict)

    def placed(self, term: Term, name: str = "", indices: tuple[Index, ...] = ()) -> Term:
        """The term with arrays for what lies at computed places; `name` is the statement whose body it is."""
        term = with_padding_apart(term)
        entry = gathered(term)
        if entry is not None:
            return term if name and indices == _frame(entry) else self._gather(term, entry)
        if isinstance(term, Sum):
            if places := _places(term):
                return self._scatter(term, places, name, indices)
            if opened := _opened(term):
                return self.placed(self._named(term, opened), name, indices)
        return transform_children(term, self.placed)

    def _gather(self, term: Term, entry: Entry) -> Entry:
        for known, array in self.known.items():
            letters = _letters_like(known, term)
            if letters is not None and rename(known, letters) == term:
                return Entry(array.name, tuple(letters[index] for index in array.indices))
        self.known[term] = self.new(term, f"{entry.name}_at", _frame(entry))
        return self.known[term]

    def _scatter(self, total: Sum, places: Mapping[Index, Place], name: str, indices: tuple[Index, ...]) -> Term:
        """The sum over all but the places' letters first, then the sum at the places."""
        assert isinstance(total.body, (Mul, Delta))
        factors = total.body.factors if isinstance(total.body, Mul) else (total.body,)
        deltas = [f for f in factors if isinstance(f, Delta) and places.get(f.left) == f.right]
        rest = rename(mul(*(factor for factor in factors if factor not in deltas)), places)
        letters = frozenset().union(*(place.free for place in places.values()))
        inside = tuple(index for index in total.indices if index not in letters)
        free = [index for index in (indices or sorted(total.free)) if index in total.free]
        frame = tuple(dict.fromkeys(a for index in free for a in letters_of(places.get(index, index)))) + tuple(
            sorted(letters - total.free - {a for i in free for a in letters_of(places.get(i, i))})
        )
        values = self.placed(sum_over(inside, rest))
        if not isinstance(values, Entry) or values.indices != frame:
            values = self.new(values, f"{name or 'values'}_at", frame)
        added = sum_over((index for index in frame if index in total.indices), mul(*deltas, values))
        if name and set(indices) == set(total.free):
            return added
        return self.new(added, "added", tuple(free))

    def _named(self, total: Sum, opened: tuple[list[Term], list[Term]]) -> Term:
        """A sum of zeros around a product, with the product as one array."""
        deltas, rest = opened
        product = self.placed(mul(*rest))
        frame = tuple(sorted(product.free))
        return total.rebind(total.indices, mul(*deltas, self.new(product, "product", frame)))


def _frame(entry: Entry) -> tuple[Index, ...]:
    """The letters of an entry, those of its places where these stand."""
    return tuple(dict.fromkeys(letter for index in entry.indices for letter in letters_of(index)))


def _opened(total: Sum) -> tuple[list[Term], list[Term]] | None:
    """The deltas and the other factors of sum_h [h = p] f_h g_h, which is 0 outside; None for another sum."""
    factors = total.body.factors if isinstance(total.body, Mul) else (total.body,)
    deltas = [f for f in factors if isinstance(f, Delta) and isinstance(f.right, Place) and f.left in total.indices]
    if {f.left for f in deltas if isinstance(f, Delta)} != set(total.indices):
        return None
    rest = [factor for factor in factors if factor not in deltas]
    return (list(deltas), rest or [ONE]) if rest and padded_entry(total) is None else None


def letters_of(index: Index) -> tuple[Index, ...]:
    """The letters of an index, those of a place in a fixed order."""
    if not isinstance(index, Place):
        return (index,)
    order = [letter for letter in _walked(index.value) if letter in index.free]
    return tuple(dict.fromkeys(order))


def _walked(value: Term) -> list[Index]:
    """The letters of a place as they stand in it."""
    found: list[Index] = []
    for node in walk(value):
        if isinstance(node, Position):
            found.append(node.index)
        elif isinstance(node, Entry):
            found.extend(node.indices)
    return found


def _letters_like(known: Term, term: Term) -> dict[Index, Index] | None:
    """Which letter of `term` runs over the axis of each of `known`; None where that is not clear."""
    if known.names != term.names or isinstance(known, Binder) != isinstance(term, Binder):
        return None
    by_axis = {index.axis: index for index in term.free}
    axes = [index.axis for index in known.free]
    if len(set(axes)) < len(axes) or len(by_axis) < len(term.free) or set(axes) != set(by_axis):
        return None
    return {index: by_axis[index.axis] for index in known.free}
