"""Names of a person's own in claims: `xhat[s, c, k] := (x[s, c, k] - mu[c]) / sqrt(var[c] + eps)`.

Such a name is an abbreviation. Wherever it stands, its formula stands for it, with the letters of
that place; a letter that is bound there captures nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from symgrad.algebra.binding import instantiate, substitute
from symgrad.algebra.terms import Entry, Index, Term, walk
from symgrad.errors import InputError, Origin, TooLargeError
from symgrad.notation.claim_names import ClaimNames, resolve_name
from symgrad.notation.expression import MAX_NESTING, Reader
from symgrad.notation.layer import Layer
from symgrad.notation.letters import Letters
from symgrad.notation.lines import Statement
from symgrad.notation.names import check_name, did_you_mean

MAX_WRITTEN_OUT = 5_000
"""How many parts a formula may have when every name of the person's own is written out."""
_LEFT = re.compile(r"\s*(?P<name>[^\W\d][\w.]*)\s*(?:\[(?P<indices>[^\[\]]*)\])?\s*:=")


@dataclass(frozen=True)
class OwnName:
    """A name that a person defined before a claim.

    Attributes:
        name: as written.
        indices: its dimensions, in order.
        body: its formula, in the layer's names only.
        uses: the own names that its formula was written with.
        nodes: how many nodes the body has.
        depth: how deep they are nested.
        origin: where it was defined.
    """

    name: str
    indices: tuple[Index, ...]
    body: Term
    uses: frozenset[str]
    nodes: int
    depth: int
    origin: Origin


Own = Mapping[str, OwnName]


def defines_name(statement: Statement) -> bool:
    """Whether a statement is a definition, `name[indices] := formula`, and not a claim."""
    return _LEFT.match(statement.text) is not None


def read_own_name(statement: Statement, layer: Layer, own: Own) -> OwnName:
    """The definition that stands in a statement; it may use the names in `own`, which came before.

    Raises:
        InputError: the name is taken, or used in its own formula; an index that the formula does
            not have or the name does not have; too large a formula.
    """
    match = _LEFT.match(statement.text)
    assert match is not None
    name, origin = match.group("name"), statement.origin(match.start("name"))
    _check_new(name, origin, layer, own)
    names = ClaimNames(layer, {each.name: each.indices for each in own.values()})
    scope = names.scope()
    reader = Reader(statement, match.end(), scope)
    body = scope.letters.resolve(_read(reader, name))
    check_letters(scope.letters, layer, reader)
    letters = _letters(statement, match, name)
    for letter, place in letters.items():
        if letter not in scope.letters.parents:
            way_out = did_you_mean(letter, scope.letters.parents)
            raise InputError(f"index {letter} of {name} does not stand on the right side.", place, way_out)
    if extra := sorted(body.free - {scope.letters.index(letter) for letter in letters}):
        place = reader.places.get(extra[0].name, statement.first())
        way_out = f"Add it on the left, or reduce over it: sum[{extra[0].name}](…)."
        raise InputError(f"index {extra[0].name} stands only on the right side of {name}.", place, way_out)
    body = names.full(body)
    nodes, depth = measure(body, own, origin)
    indices = tuple(scope.letters.index(letter) for letter in letters)
    whole = written_out_at(origin, body, own)
    return OwnName(name, indices, whole, body.names & own.keys(), nodes, depth, origin)


def _check_new(name: str, origin: Origin, layer: Layer, own: Own) -> None:
    """Refuse a name that means something already."""
    check_name(name, origin)
    if name in own:
        line = own[name].origin.line
        raise InputError(f"{name} is defined twice (first in line {line}).", origin, "Choose another name.")
    if resolve_name(name, layer) is not None or any(axis.name == name for axis in layer.axes):
        raise InputError(f"{name} is a name of {layer.name} itself.", origin, "Choose another name.")


def _read(reader: Reader, name: str) -> Term:
    """The formula; a name that stands in its own formula has a message of its own."""
    for found in re.finditer(r"(?<![\w.])[A-Za-z_]\w*", reader.statement.text[reader.base :]):
        if found.group() == name:
            place = reader.statement.origin(reader.base + found.start())
            raise InputError(f"{name} stands in its own definition.", place, "A definition uses what is known before.")
    return reader.read()


def check_letters(letters: Letters, layer: Layer, reader: Reader) -> None:
    """Each letter runs over a dimension of the layer; one that stands in computed places only may run over none."""
    known = {axis.name for axis in layer.axes}
    for letter in letters.parents:
        if letters.find(letter) not in known:
            place = reader.places.get(letter, reader.statement.first())
            way_out = "Use the layer's own letter, or one that stands in an entry too."
            raise InputError(f"index {letter} runs over no dimension that {layer.name} has.", place, way_out)


def _letters(statement: Statement, match: re.Match[str], name: str) -> dict[str, Origin]:
    """The letters on the left, with their places."""
    letters: dict[str, Origin] = {}
    place = match.start("indices")
    for part in (match.group("indices") or "").split(",") if match.group("indices") is not None else ():
        letter, origin = part.strip(), statement.origin(place + len(part) - len(part.lstrip()))
        place += len(part) + 1
        check_name(letter, origin, "index")
        if letter in letters:
            raise InputError(f"index {letter} stands twice in {name}[…].", origin, "Each dimension has its own.")
        letters[letter] = origin
    return letters


def written_out(term: Term, own: Own) -> Term:
    """The term with every own name replaced by its formula."""

    def replaced(entry: Entry) -> Term | None:
        found = own.get(entry.name)
        return instantiate(found.body, found.indices, entry.indices) if found is not None else None

    return term if term.names.isdisjoint(own) else substitute(term, replaced)


def written_out_at(origin: Origin, term: Term, own: Own) -> Term:
    """The same for a term that stands at `origin`.

    Raises:
        InputError: a number in it becomes too large.
    """
    try:
        return written_out(term, own)
    except TooLargeError as error:
        hint = "Use smaller numbers, or exp and log."
        raise InputError(f"with your own names written out: {error}.", origin, hint) from None


def measure(term: Term, own: Own, origin: Origin) -> tuple[int, int]:
    """How many nodes a term has with its own names written out, and how deep they are nested.

    Raises:
        InputError: more than the limits, counted before anything is written out.
    """
    nodes = sum(own[node.name].nodes if isinstance(node, Entry) and node.name in own else 1 for node in walk(term))
    depth = _depth(term, own)
    if nodes > MAX_WRITTEN_OUT or depth > MAX_NESTING:
        what = f"has more than {MAX_WRITTEN_OUT} parts" if nodes > MAX_WRITTEN_OUT else f"is nested {depth} deep"
        raise InputError(f"with your own names written out this {what}.", origin, "Claim a part of it first.")
    return nodes, depth


def _depth(term: Term, own: Own) -> int:
    if isinstance(term, Entry):
        return own[term.name].depth if term.name in own else 1
    return 1 + max((_depth(child, own) for child in term.children), default=0)


def used_in(names: frozenset[str], own: Own) -> tuple[OwnName, ...]:
    """The own names among `names` and those that they use, in the order in which they were defined."""
    found = set(names & own.keys())
    for each in reversed(list(own.values())):
        if each.name in found:
            found |= each.uses
    return tuple(each for each in own.values() if each.name in found)
