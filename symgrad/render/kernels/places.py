"""The lines that gather entries at computed places, and that add values up there: the same for every backend.

Where a place stands for one dimension of an array and shares no letter with the others, that dimension
is indexed by itself; else all dimensions are, by arrays that are broadcast against each other.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from symgrad.algebra.terms import Entry, Index, Place, position
from symgrad.plan.infix import infix
from symgrad.plan.placed import gathered, letters_of, scattered
from symgrad.plan.records import Statement
from symgrad.render.kernels.layout import Frame, tuple_text
from symgrad.render.kernels.small import Smalls


@dataclass
class PlaceLines:
    """Writes statements of the kinds "gather" and "scatter".

    Attributes:
        smalls: writes the places, which are whole numbers.
        used: the helper functions that the lines call.
        known: the places that lines before these have computed, by name.
    """

    smalls: Smalls
    used: set[str]
    known: dict[str, str] = field(default_factory=dict)

    def gather(self, statement: Statement) -> list[str]:
        """The lines that compute a gathered array."""
        entry = gathered(statement.term)
        assert entry is not None
        if not _apart(entry.indices):
            self.used.update(("entries_at", "inside"))
            places = ", ".join(self._places(index, statement.indices) for index in entry.indices)
            may = any(isinstance(index, Place) and not index.inside for index in entry.indices)
            return [f"{statement.name} = _entries_at({entry.name}, {places}{', outside=True' if may else ''})"]
        self.used.add("entries")
        lines, text = [], entry.name
        for axis, index in reversed(list(enumerate(entry.indices))):
            if isinstance(index, Place):
                lines += self._named(index)
                outside = "" if index.inside else ", outside=True"
                text = f"_entries({text}, {axis}, {_name(index)}{outside})"
        return [*lines, f"{statement.name} = {text}"]

    def scatter(self, statement: Statement) -> list[str]:
        """The lines that compute an array in which values are added up."""
        found = scattered(statement.term)
        assert found is not None
        places, values = found
        targets = tuple(places.get(index, index) for index in statement.indices)
        frame = tuple(letter for index in targets for letter in letters_of(index))
        if not _apart(targets) or values.indices != frame or not set(places) <= set(statement.indices):
            return self._scatter_at(statement, targets, values)
        self.used.add("added")
        lines, text = [], values.name
        for axis, index in enumerate(targets):  # those before it have one dimension each by then
            if isinstance(index, Place):
                lines += self._named(index)
                outside = "" if index.inside else ", outside=True"
                text = f"_added({text}, {axis}, {_name(index)}, n_{index.axis}{outside})"
        return [*lines, f"{statement.name} = {text}"]

    def _scatter_at(self, statement: Statement, targets: Frame, values: Entry) -> list[str]:
        self.used.update(("added_at", "added", "inside", "math"))
        places = ", ".join(self._places(index, values.indices) for index in targets)
        shape = tuple_text([f"n_{index.axis}" for index in targets])
        return [f"{statement.name} = _added_at({values.name}, {shape}, {places})"]

    def _named(self, place: Place) -> list[str]:
        """The line that computes a place, under a name, unless it is a label's own array or is there already."""
        name, text = _name(place), self._places(place, letters_of(place))
        if text in (name, self.known.get(name)):
            return []
        self.known[name] = text
        return [f"{name} = {text}"]

    def _places(self, index: Index, frame: Frame) -> str:
        """The places of an index for all letters of a frame: an array of whole numbers."""
        return infix(position(index), self.smalls.spelling(frame))


def _name(place: Place) -> str:
    """at_h for a place on the axis h; a label's own name."""
    if isinstance(place.value, Entry) and place.value.indices == letters_of(place):
        return place.value.name
    return f"at_{place.axis}"


def _apart(indices: tuple[Index, ...]) -> bool:
    """Whether no letter stands in two of the indices, and no two places lie on one axis."""
    letters = [letter for index in indices for letter in index.free]
    axes = [index.axis for index in indices if isinstance(index, Place)]
    return len(set(letters)) == len(letters) and len(set(axes)) == len(axes)
