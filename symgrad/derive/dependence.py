"""Who depends on whom in a layer, and through which indices."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from symgrad.algebra.binding import fresh_letter
from symgrad.algebra.simplify import separate_letters
from symgrad.algebra.terms import Diff, Entry, Index, entries
from symgrad.notation.layer import Definition, Layer

Alignment = tuple["Index | None", ...]
"""For each index place of v: the index of u that always stands there, or None."""


def separated(layer: Layer) -> tuple[Definition, ...]:
    """The definitions with bound letters that differ from the free ones."""
    return tuple(
        Definition(
            d.name,
            d.indices,
            separate_letters(d.body, {index.name for index in d.indices}),
            d.text,
            d.call,
            d.origin,
        )
        for d in layer.definitions
    )


@dataclass(frozen=True)
class Segment:
    """Definitions that belong together: one layer call, or a stretch of a layer's own equations.

    Attributes:
        definitions: in order.
        exports: names that are used outside, or are outputs.
        imports: names from outside that are used here, in order of their first use.
    """

    definitions: tuple[Definition, ...]
    exports: tuple[str, ...]
    imports: tuple[str, ...]


def segments(layer: Layer) -> tuple[Segment, ...]:
    """The layer's definitions, cut where the layer call changes and at bottlenecks.

    After a bottleneck d nothing that was defined before d is used any more, nor anything from outside
    that d depends on: whatever came before reaches the outputs through d alone. Long chains fall into
    short pieces there, and the length of a derivation stays linear in that of the chain.
    """
    groups: list[list[Definition]] = []
    for definition in separated(layer):
        if groups and groups[-1][-1].call == definition.call:
            groups[-1].append(definition)
        else:
            groups.append([definition])
    fixed = {c.name for c in layer.constants} | {t.name for t in layer.tensors if t.role == "target"}
    pieces = [piece for group in groups for piece in _cut_at_bottlenecks(fixed, group)]
    users = users_of(layer.definitions)
    order = {
        name: place
        for place, name in enumerate([*(t.name for t in layer.tensors), *(d.name for d in layer.definitions)])
    }
    return tuple(_segment(layer, piece, users, order) for piece in pieces)


def users_of(definitions: Iterable[Definition]) -> dict[str, list[str]]:
    """For each name, the definitions in which it stands, in order."""
    found: dict[str, list[str]] = {}
    for definition in definitions:
        for name in definition.body.names:
            found.setdefault(name, []).append(definition.name)
    return found


def _cut_at_bottlenecks(fixed: Collection[str], group: list[Definition]) -> list[list[Definition]]:
    """A stretch of definitions, cut after each bottleneck; `fixed` names do not vary."""
    inside = {definition.name for definition in group}
    last_use = {name: place for place, d in enumerate(group) for name in d.body.names}
    pieces: list[list[Definition]] = [[]]
    earlier: set[str] = set()
    reach = -1
    for place, definition in enumerate(group):
        pieces[-1].append(definition)
        moving = [n for n in definition.body.names if n in earlier or not (n in inside or n in fixed)]
        earlier.add(definition.name)
        reach = max([reach, *(last_use[name] for name in moving)])
        if reach <= place and place + 1 < len(group):
            pieces.append([])
    return [piece for piece in pieces if piece]


def _segment(
    layer: Layer, group: list[Definition], users: Mapping[str, list[str]], order: Mapping[str, int]
) -> Segment:
    """The record of one piece, from the users of each name and its place in the layer."""
    inside = {d.name for d in group}
    exports = tuple(d.name for d in group if d.name in layer.outputs or not inside.issuperset(users.get(d.name, ())))
    names = {name for d in group for name in d.body.names if name not in inside and name in order}
    return Segment(tuple(group), exports, tuple(sorted(names, key=order.__getitem__)))


def dependents(definitions: Sequence[Definition]) -> dict[str, frozenset[str]]:
    """For each name, the definitions that vary with it, directly or not."""
    found: dict[str, set[str]] = {}
    reach: dict[str, set[str]] = {}
    for definition in definitions:
        sources = set(definition.body.names)
        for name in definition.body.names:
            sources |= reach.get(name, set())
        reach[definition.name] = sources
        for name in sources:
            found.setdefault(name, set()).add(definition.name)
    return {name: frozenset(users) for name, users in found.items()}


def direct_alignment(definition: Definition, name: str) -> Alignment | None:
    """How the explicit uses of `name` in a definition are aligned; None where there is none."""
    uses = entries(definition.body, name)
    if not uses:
        return None
    return _merge(tuple(i if i in definition.indices else None for i in use.indices) for use in uses)


def total_alignment(definitions: Sequence[Definition], what: str, name: str) -> Alignment | None:
    """How `what` depends on `name` along all paths through `definitions`; None where it does not."""
    known: dict[str, Alignment | None] = {}
    for definition in definitions:
        paths = [direct_alignment(definition, name)]
        for middle, inner in list(known.items()):
            outer = direct_alignment(definition, middle)
            if outer is not None and inner is not None:
                paths.append(_compose(definitions, middle, outer, inner))
        found = [path for path in paths if path is not None]
        known[definition.name] = _merge(found) if found else None
    return known.get(what)


def _compose(definitions: Sequence[Definition], middle: str, outer: Alignment, inner: Alignment) -> Alignment:
    """The alignment of u with v through m, from those of u with m and of m with v."""
    letters = next(d.indices for d in definitions if d.name == middle)
    through = dict(zip(letters, outer, strict=True))
    return tuple(through[index] if index is not None else None for index in inner)


def _merge(paths: Iterable[Alignment]) -> Alignment:
    """What holds along every path."""
    columns = zip(*paths, strict=True)
    return tuple(column[0] if len(set(column)) == 1 else None for column in columns)


def derivative_of(what: Definition, by: Entry, alignment: Alignment, total: bool, axes: Iterable[str]) -> Diff:
    """du/dv with v's own letters; an aligned index of u takes v's letter, any other a fresh one."""
    chosen: dict[Index, Index] = {}
    for place, index in enumerate(alignment):
        if index is not None and index not in chosen:
            chosen[index] = by.indices[place]
    taken = {index.name for index in by.indices}
    for index in what.indices:
        if index not in chosen:
            chosen[index] = fresh_letter(index, taken | (set(axes) - {index.axis} if index.name in taken else taken))
        taken.add(chosen[index].name)
    return Diff(Entry(what.name, tuple(chosen[index] for index in what.indices)), by, total)


def open_indices(derivative: Diff) -> tuple[Index, ...]:
    """The indices of u that v does not share: the chain rule sums over them."""
    assert isinstance(derivative.body, Entry)
    return tuple(index for index in derivative.body.indices if index not in derivative.wrt.indices)
