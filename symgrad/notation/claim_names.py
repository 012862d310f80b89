"""The names that a claim may use: the layer's, their gradients, and short forms of both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from symgrad.algebra.binding import in_places, transform_children
from symgrad.algebra.terms import Diff, Entry, Index, Term
from symgrad.notation.expression import Scope
from symgrad.notation.layer import Layer
from symgrad.notation.letters import Letters
from symgrad.notation.places import Places


def resolve_name(name: str, layer: Layer) -> str | None:
    """The layer's own name for `name`: itself, or `y.mu` for `mu` where that is the only one."""
    if layer.indices(name) is not None:
        return name
    close = [d.name for d in layer.definitions if d.name.rpartition(".")[2] == name]
    return close[0] if len(close) == 1 else None


@dataclass(frozen=True)
class ClaimNames:
    """The names of claims about one layer.

    Attributes:
        layer: whose tensors, definitions and gradients have names.
        own: the dimensions of the names that the person has defined before the claim.
    """

    layer: Layer
    own: Mapping[str, tuple[Index, ...]]

    def scope(self) -> Scope:
        """What a formula of a claim may name; its letters are its own."""
        letters = Letters()
        for axis in self.layer.axes:
            letters.declare(axis.name, self.layer.name)
        return Scope(self._indices, self._known, letters, derivatives=True, places=self._places(), own=self.own)

    def _places(self) -> Places:
        """What the layer says of places; a claim may not bring in new ones."""
        constants = {constant.name: constant.default for constant in self.layer.constants if constant.is_whole}
        return Places(dict(self.layer.labels), constants, fits=list(self.layer.fits), closed=True)

    def full(self, term: Term) -> Term:
        """The term with the layer's full names: `mu` becomes `y.mu`."""
        term = in_places(term, self.full)
        if isinstance(term, Entry):
            return self._full(term)
        if isinstance(term, Diff):
            return Diff(self.full(term.body), self._full(term.wrt), term.total)
        return transform_children(term, self.full)

    def _full(self, entry: Entry) -> Entry:
        if entry.name in self.own:
            return entry
        name = resolve_name(entry.name, self.layer) or f"d_{resolve_name(entry.name[2:], self.layer)}"
        return Entry(name, entry.indices)

    def _indices(self, name: str) -> tuple[Index, ...] | None:
        """Indices of a name, under the names of their axes; gradients have those of their tensor."""
        if name in self.own:
            return tuple(Index(i.axis, i.axis) for i in self.own[name])
        plain = resolve_name(name, self.layer)
        if plain is None and name.startswith("d_"):
            plain = resolve_name(name[2:], self.layer)
        indices = self.layer.indices(plain) if plain is not None else None
        return None if indices is None else tuple(Index(i.axis, i.axis) for i in indices)

    def _known(self) -> list[str]:
        names = [*self.layer.order, *(d.name for d in self.layer.definitions)]
        return names + [f"d_{name}" for name in names] + list(self.own)
