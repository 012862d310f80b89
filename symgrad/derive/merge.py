"""Axes that always go together, treated as one index: (s, k) becomes i with N_i = N_s N_k.

The pairs (s, k) and the values of i correspond one to one, so every equation, sum and size keeps
its meaning. Derivations are shorter and read like the article; `split` leads back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from symgrad.algebra.binding import LETTERS, fresh_letter, in_place, in_places, rename_bound_apart
from symgrad.algebra.terms import (
    Binder,
    Delta,
    Diff,
    Entry,
    Index,
    Mul,
    Place,
    Position,
    Pow,
    Size,
    Term,
    delta,
    mul,
    power,
    walk,
)
from symgrad.notation.layer import Axis, Definition, Layer

Groups = tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Merge:
    """A layer with axes merged, and the way back.

    Attributes:
        original: the layer as written.
        layer: the same with merged axes; `original` itself where nothing can be merged.
    """

    original: Layer
    layer: Layer

    @property
    def merged(self) -> tuple[Axis, ...]:
        """The axes that stand for several."""
        return tuple(axis for axis in self.layer.axes if axis.parts)

    def split(self, term: Term) -> Term:
        """A term about the merged layer as a term about the original one."""
        if not self.merged:
            return term
        scope = {index: self._expand(index) for index in sorted(term.free)}
        return rename_bound_apart(self._split(term, scope), {part.name for parts in scope.values() for part in parts})

    def _expand(self, index: Index) -> tuple[Index, ...]:
        """The original letters for a merged index: its parts' own where they are free."""
        parts = self.layer.axis(index.axis).parts
        if not parts:
            return (index,)
        if index.name == index.axis:
            return tuple(Index(part, part) for part in parts)
        return tuple(Index(f"{part}_{index.name}", part) for part in parts)

    def _split(self, term: Term, scope: dict[Index, tuple[Index, ...]]) -> Term:
        match term:
            case Entry():
                return self._entry(term, scope)
            case Delta(left, Place() as right):
                return delta(scope[left][0], in_place(right, lambda value: self._split(value, scope)))
            case Size(axis):
                parts = self.layer.axis(axis).parts
                return mul(*(Size(part) for part in parts)) if parts else term
            case Delta(left, right):
                return mul(*(delta(a, b) for a, b in zip(scope[left], scope[right], strict=True)))
            case Binder(indices=indices, body=body):
                inner = dict(scope)
                for index in indices:
                    inner[index] = self._expand(index)
                return term.rebind(tuple(i for index in indices for i in inner[index]), self._split(body, inner))
            case Diff(body, wrt, total):
                by = self._entry(wrt, scope)
                return Diff(self._split(body, scope), by, total)
            case _:
                return term.rebuild(tuple(self._split(child, scope) for child in term.children))

    def _entry(self, entry: Entry, scope: dict[Index, tuple[Index, ...]]) -> Entry:
        """The entry with the original order of dimensions."""
        name = entry.name
        indices = tuple(in_place(index, lambda value: self._split(value, scope)) for index in entry.indices)
        plain = name.removeprefix("d_") if self.original.indices(name) is None else name
        original = self.original.indices(plain)
        assert original is not None
        every = [part for index in indices for part in scope.get(index, (index,))]
        given = {part.axis: part for part in every}
        if len(given) != len(every):
            return Entry(name, tuple(every))
        return Entry(name, tuple(given[index.axis] for index in original))


def merge_axes(layer: Layer) -> Merge:
    """Merge every group of axes that always stand together."""
    groups = _groups(layer)
    if not groups:
        return Merge(layer, layer)
    names = _names(layer, groups)
    return Merge(layer, _Merger(layer, groups, names).layer())


def _groups(layer: Layer) -> Groups:
    """Maximal groups of two or more axes that stand together in every tensor, sum and size."""
    rest = [axis.name for axis in layer.axes]
    groups = []
    while rest:
        first = rest.pop(0)
        group = [first]
        for other in list(rest):
            if all(_together(layer, one, other) for one in group):
                group.append(other)
                rest.remove(other)
        if len(group) > 1:
            groups.append(tuple(group))
    return tuple(groups)


def _together(layer: Layer, one: str, other: str) -> bool:
    """Whether two axes stand side by side, once each, wherever one of them stands."""
    pairs: dict[tuple[str, str], str] = {}
    shapes = [t.indices for t in layer.tensors] + [d.indices for d in layer.definitions]
    if not all(_once(indices, one, other) for indices in shapes):
        return False
    for definition in layer.definitions:
        pairs.clear()
        for node in walk(definition.body):
            if not _node_together(node, one, other, pairs):
                return False
        if not _sizes_together(definition.body, one, other):
            return False
    return True


def _once(indices: tuple[Index, ...], one: str, other: str) -> bool:
    axes = [index.axis for index in indices]
    return axes.count(one) == axes.count(other) <= 1


def _node_together(node: Term, one: str, other: str, pairs: dict[tuple[str, str], str]) -> bool:
    """Whether a node keeps the two axes together, with the same pairs of letters throughout."""
    if not all(_node_together(inner, one, other, pairs) for inner in _inside_places(node)):
        return False
    if isinstance(node, Delta):
        return node.left.axis not in (one, other)
    if isinstance(node, Position):
        return node.index.axis not in (one, other)
    if isinstance(node, (Entry, Binder)):
        placed = any(isinstance(index, Place) and index.axis in (one, other) for index in node.indices)
        if placed or not _once(node.indices, one, other):
            return False
        letters = {index.axis: index.name for index in node.indices if index.axis in (one, other)}
        if letters:
            a, b = letters[one], letters[other]
            return pairs.setdefault((one, a), b) == b and pairs.setdefault((other, b), a) == a
    return True


def _inside_places(node: Term) -> list[Term]:
    """The nodes in the computed places of an entry or a delta."""
    indices = node.indices if isinstance(node, Entry) else (node.right,) if isinstance(node, Delta) else ()
    return [inner for index in indices if isinstance(index, Place) for inner in walk(index.value)]


def _sizes_together(term: Term, one: str, other: str) -> bool:
    """Whether sizes stand only as products with both axes, to equal powers."""
    if isinstance(term, Size):
        return term.axis not in (one, other)
    if isinstance(term, Mul):
        sizes = [f.axis for f in term.factors if isinstance(f, Size)]
        rest = [f for f in term.factors if not isinstance(f, Size)]
        return sizes.count(one) == sizes.count(other) and all(_sizes_together(f, one, other) for f in rest)
    return all(_sizes_together(child, one, other) for child in term.children)


def _names(layer: Layer, groups: Groups) -> dict[tuple[str, ...], str]:
    """A letter for each group that no other axis has, and that is no name of the layer."""
    taken = {axis.name for axis in layer.axes if not any(axis.name in group for group in groups)}
    taken |= {*layer.order, *(d.name for d in layer.definitions)}
    names = {}
    for group in groups:
        names[group] = next((letter for letter in LETTERS if letter not in taken), f"{group[0]}{group[1]}")
        taken.add(names[group])
    return names


@dataclass
class _Merger:
    """Rewrites a layer with merged axes; a merged index comes last among the dimensions."""

    original: Layer
    groups: Groups
    names: dict[tuple[str, ...], str]

    def layer(self) -> Layer:
        """The merged layer."""
        kept = [axis for axis in self.original.axes if self.group(axis.name) is None]
        merged = [Axis(self.names[group], parts=group) for group in self.groups]
        return replace(
            self.original,
            axes=(*kept, *merged),
            tensors=tuple(replace(t, indices=self.indices(t.indices, {})) for t in self.original.tensors),
            definitions=tuple(self.definition(d) for d in self.original.definitions),
        )

    def group(self, axis: str) -> tuple[str, ...] | None:
        """The group of an axis, or None."""
        return next((group for group in self.groups if axis in group), None)

    def definition(self, definition: Definition) -> Definition:
        """A definition with merged indices."""
        indices = self.indices(definition.indices, {})
        return replace(definition, indices=indices, body=self.term(definition.body, {}, {i.name for i in indices}))

    def indices(self, indices: Iterable[Index], letters: Mapping[Index, Index]) -> tuple[Index, ...]:
        """Indices with each group replaced by one index, which stands last."""
        kept, merged = [], []
        for index in indices:
            group = self.group(index.axis)
            if group is None:
                kept.append(index)
            elif index.axis == group[0]:
                name = self.names[group]
                merged.append(letters.get(index, Index(name, name)))
        return (*kept, *merged)

    def term(self, term: Term, letters: dict[Index, Index], taken: set[str]) -> Term:
        """A term with merged indices."""
        term = in_places(term, lambda value: self.term(value, letters, taken))
        match term:
            case Entry(name, indices):
                return Entry(name, self.indices(indices, letters))
            case Binder(indices=indices, body=body):
                inner = dict(letters)
                for index in indices:
                    if (group := self.group(index.axis)) and index.axis == group[0]:
                        inner[index] = self._bound(group, taken)
                bound = self.indices(indices, inner)
                return term.rebind(bound, self.term(body, inner, taken | {i.name for i in bound}))
            case Size(axis):
                return self._size(axis)
            case Pow(base, exponent):
                return power(self.term(base, letters, taken), exponent)
            case _:
                return term.rebuild(tuple(self.term(child, letters, taken) for child in term.children))

    def _bound(self, group: tuple[str, ...], taken: set[str]) -> Index:
        """A bound letter: the third fresh one, since the first two are for outputs and inputs."""
        name = self.names[group]
        if name not in taken:
            return Index(name, name)
        others = {axis.name for axis in self.original.axes} - set(group)
        return fresh_letter(Index(name, name), taken | others | {LETTERS[1]})

    def _size(self, axis: str) -> Term:
        """N_s N_k becomes N_i: the first axis of the group carries it, the others vanish."""
        group = self.group(axis)
        if group is None:
            return Size(axis)
        return Size(self.names[group]) if axis == group[0] else mul()
