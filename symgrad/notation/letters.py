"""Which dimension each index letter runs over, found by unification."""

from __future__ import annotations

from dataclasses import dataclass, field

from symgrad.algebra.terms import Index, Term, rename_axes
from symgrad.errors import InputError, Origin


@dataclass
class Letters:
    """Letters of one file, joined where they stand in the same dimension of the same tensor.

    While a file is read each letter is its own axis; `resolve` gives the axes their final names.
    """

    parents: dict[str, str] = field(default_factory=dict)
    declared: dict[str, str] = field(default_factory=dict)
    variadic: set[str] = field(default_factory=set)

    def declare(self, letter: str, tensor: str) -> None:
        """A letter of a declared tensor: it names a dimension."""
        self.parents.setdefault(letter, letter)
        self.declared.setdefault(letter, tensor)

    def find(self, letter: str) -> str:
        """The letter that names this one's axis."""
        parent = self.parents.setdefault(letter, letter)
        while parent != self.parents[parent]:
            self.parents[letter] = self.parents[parent]  # shorter for the next time
            letter, parent = parent, self.parents[parent]
        return parent

    def join(self, used: str, place: str, origin: Origin, what: str) -> None:
        """Say that letter `used` stands in the dimension that `place` names."""
        one, other = self.find(used), self.find(place)
        if one == other:
            return
        if one in self.declared and other in self.declared:
            means = "" if used == one else f" ({used} has run over the dimension {one} before)"
            raise InputError(
                f"index {used} stands where {what} has {place}{means}.",
                origin,
                f"{one} and {other} are declared as two dimensions, which need not agree in size. Write the indices "
                "in the declared order, take a letter of its own for each, or declare both with one letter.",
            )
        keep, drop = (other, one) if other in self.declared or one not in self.declared else (one, other)
        self.parents[drop] = keep
        if drop in self.variadic:
            self.variadic.add(keep)

    def index(self, letter: str) -> Index:
        """The letter as an index over its axis, as far as known now."""
        return Index(letter, self.find(letter))

    def resolve(self, term: Term) -> Term:
        """The term with every axis under its final name."""
        return rename_axes(term, {letter: self.find(letter) for letter in self.parents})
