"""A claim: one equation about a layer, such as `d_beta[c] = sum[s, k](d_y[s, c, k])`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from symgrad.algebra.binding import in_places, transform_children
from symgrad.algebra.terms import Diff, Entry, Index, Term
from symgrad.errors import InputError, Origin
from symgrad.notation.expression import Reader, Scope
from symgrad.notation.layer import Layer
from symgrad.notation.letters import Letters
from symgrad.notation.lines import Statement, split
from symgrad.notation.names import did_you_mean
from symgrad.notation.places import Places

_CONDITION = re.compile(r"\s*([A-Za-z]\w*)\s*!=\s*([A-Za-z]\w*)\s*")


@dataclass(frozen=True)
class Claim:
    """An equation that somebody claims, for every size and value.

    Attributes:
        text: as written.
        left: the left side.
        right: the right side, with the same free indices.
        distinct: pairs of indices that are claimed to differ (`…, k != i`).
    """

    text: str
    left: Term
    right: Term
    distinct: tuple[frozenset[Index], ...] = ()


def parse_claim(text: str, layer: Layer, source: str = "<claim>", line: int = 1) -> Claim:
    """The claim that `text` makes about `layer`.

    Both sides may name the layer's tensors and definitions (`y.mu`, or `mu` where only one layer
    call has it), gradients `d_v`, and derivatives `total(y[c, k], x[c, i])`, in which everything
    that depends on x follows, and `partial(y[c, i], mu[c])`, in which every other name is held.

    Raises:
        InputError: with the place, what was expected and what to do.
    """
    _, statements = split(text, source)
    if len(statements) != 1:
        origin = statements[1].first() if statements else Origin(source, line, 1, text.split("\n")[0])
        raise InputError(f"expected one claim, and {len(statements)} stand here.", origin, "Write d_x[i] = ….")
    statement = Statement(source, line + statements[0].line - 1, statements[0].text)
    equals, commas = _marks(statement)
    if not statement.text[:equals].strip():
        raise InputError("the left side is missing.", statement.first(), "Write the claim as d_x[i] = ….")
    letters = Letters()
    for axis in layer.axes:
        letters.declare(axis.name, layer.name)
    scope = Scope(_Lookup(layer), lambda: _names(layer), letters, derivatives=True, places=_places(layer))
    left = Reader(statement, 0, scope).read(equals)
    reader = Reader(statement, equals + 1, scope)
    right = reader.read(commas[0] if commas else None)
    distinct = tuple(_condition(statement, start, end, letters) for start, end in _spans(statement, commas))
    left, right = (_own_names(letters.resolve(side), layer) for side in (left, right))
    _same_free(statement, left, right, distinct, reader.places)
    return Claim(text.strip(), left, right, distinct)


def _places(layer: Layer) -> Places:
    """What the layer says of places; a claim may not bring in new ones."""
    constants = {constant.name: constant.default for constant in layer.constants if constant.is_whole}
    return Places(dict(layer.labels), constants, fits=list(layer.fits), closed=True)


def resolve_name(name: str, layer: Layer) -> str | None:
    """The layer's own name for `name`: itself, or `y.mu` for `mu` where that is the only one."""
    if layer.indices(name) is not None:
        return name
    close = [d.name for d in layer.definitions if d.name.rpartition(".")[2] == name]
    return close[0] if len(close) == 1 else None


def seed_of(layer: Layer, claim: Claim) -> dict[str, Fraction]:
    """{"d_L": 1} where the layer's only output is a scalar L and the claim does not name d_L."""
    seed = f"d_{layer.outputs[0]}"
    named = claim.left.names | claim.right.names
    return {seed: Fraction(1)} if layer.scalar_output and seed not in named else {}


@dataclass(frozen=True)
class _Lookup:
    """Indices of names, under the names of their axes; gradients have those of their tensor."""

    layer: Layer

    def __call__(self, name: str) -> tuple[Index, ...] | None:
        plain = resolve_name(name, self.layer)
        if plain is None and name.startswith("d_"):
            plain = resolve_name(name[2:], self.layer)
        indices = self.layer.indices(plain) if plain is not None else None
        return None if indices is None else tuple(Index(i.axis, i.axis) for i in indices)


def _own_names(term: Term, layer: Layer) -> Term:
    """The term with the layer's own names: `mu` becomes `y.mu`."""

    def own(entry: Entry) -> Entry:
        name = resolve_name(entry.name, layer) or f"d_{resolve_name(entry.name[2:], layer)}"
        return Entry(name, entry.indices)

    def change(node: Term) -> Term:
        node = in_places(node, change)
        if isinstance(node, Entry):
            return own(node)
        if isinstance(node, Diff):
            return Diff(change(node.body), own(node.wrt), node.total)
        return transform_children(node, change)

    return change(term)


def _names(layer: Layer) -> list[str]:
    names = [*layer.order, *(d.name for d in layer.definitions)]
    return names + [f"d_{name}" for name in names]


def _marks(statement: Statement) -> tuple[int, list[int]]:
    """The places of the equation's = and of the commas after it, outside of brackets."""
    equals, commas, depth = -1, [], 0
    text = statement.text
    for place, character in enumerate(text):
        depth += (character in "([") - (character in ")]")
        if depth or character not in "=,":
            continue
        single = text[place - 1 : place] not in ("!", "<", ">") and text[place + 1 : place + 2] != "="
        if character == "=" and equals < 0 and single:
            equals = place
        elif character == "," and equals >= 0:
            commas.append(place)
    if equals < 0:
        raise InputError("a claim is an equation, and no = stands here.", statement.first(), "Write it as d_x[i] = ….")
    return equals, commas


def _spans(statement: Statement, commas: list[int]) -> list[tuple[int, int]]:
    ends = [*commas[1:], len(statement.text)]
    return [(start + 1, end) for start, end in zip(commas, ends, strict=False)]


def _condition(statement: Statement, start: int, end: int, letters: Letters) -> frozenset[Index]:
    """`k != i` after the equation."""
    match = _CONDITION.fullmatch(statement.text, start, end)
    if not match or match.group(1) == match.group(2):
        skipped = len(statement.text[start:end]) - len(statement.text[start:end].lstrip())
        raise InputError("expected a condition here.", statement.origin(start + skipped), "Write it as: …, k != i")
    for letter in match.groups():
        if letter not in letters.parents:
            place = match.start(1 if letter == match.group(1) else 2)
            raise InputError(
                f"{letter} is no index of this claim.", statement.origin(place), did_you_mean(letter, letters.parents)
            )
    left, right = (letters.index(letter) for letter in match.groups())
    if left.axis != right.axis:
        raise InputError(
            f"{left.name} and {right.name} run over different dimensions.",
            statement.origin(match.start(1)),
            "A condition compares two indices over one dimension.",
        )
    return frozenset((left, right))


def _same_free(
    statement: Statement,
    left: Term,
    right: Term,
    distinct: tuple[frozenset[Index], ...],
    places: Mapping[str, Origin],
) -> None:
    """Each free index of the right side stands on the left too."""
    extra = sorted(right.free - left.free)
    if extra:
        name = extra[0].name
        raise InputError(
            f"index {name} stands only on the right side.",
            places.get(name, statement.first()),
            f"Add it on the left, or reduce over it: sum[{name}](…).",
        )
    loose = {index.name for pair in distinct for index in pair} - {index.name for index in left.free}
    if loose:
        raise InputError(
            f"index {sorted(loose)[0]} of the condition stands nowhere on the left side.",
            statement.origin(statement.text.rindex(",") + 1),
            "A condition is about free indices of the claim: d_y[c, k] = …, k != i.",
        )
