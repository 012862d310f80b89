"""A claim: one equation about a layer, such as `d_beta[c] = sum[s, k](d_y[s, c, k])`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from symgrad.algebra.terms import Index, Term, add
from symgrad.errors import InputError, Origin
from symgrad.notation.claim_names import ClaimNames
from symgrad.notation.expression import Reader
from symgrad.notation.layer import Layer
from symgrad.notation.letters import Letters
from symgrad.notation.lines import Statement, split
from symgrad.notation.names import did_you_mean
from symgrad.notation.own import (
    Own,
    OwnName,
    check_letters,
    defines_name,
    measure,
    read_own_name,
    used_in,
    written_out,
    written_out_at,
)

_CONDITION = re.compile(r"\s*([A-Za-z]\w*)\s*!=\s*([A-Za-z]\w*)\s*")


@dataclass(frozen=True)
class Claim:
    """An equation that somebody claims, for every size and value.

    Attributes:
        text: as written.
        left: the left side.
        right: the right side, with the same free indices.
        distinct: pairs of indices that are claimed to differ (`…, k != i`).
        own: the names of the person's own on which it depends; `left` and `right` have their
            formulas instead.
        written: the right side with these names.
    """

    text: str
    left: Term
    right: Term
    distinct: tuple[frozenset[Index], ...] = ()
    own: tuple[OwnName, ...] = ()
    written: Term | None = None

    def opened(self, term: Term) -> Term:
        """A term with the formulas of the claim's own names in their place."""
        return written_out(term, {each.name: each for each in self.own})


def read_claims(statements: Iterable[Statement], layer: Layer) -> list[Claim]:
    """The claims among statements; `name[…] := formula` holds for the claims that follow it.

    Raises:
        InputError: with the place, what was expected and what to do.
    """
    own: dict[str, OwnName] = {}
    claims = []
    for statement in statements:
        if defines_name(statement):
            found = read_own_name(_only(statement), layer, own)
            own[found.name] = found
        else:
            claims.append(parse_claim(statement.text, layer, statement.source, statement.line, own))
    return claims


def parse_claim(text: str, layer: Layer, source: str = "<claim>", line: int = 1, own: Own | None = None) -> Claim:
    """The claim that `text` makes about `layer`.

    Both sides may name the layer's tensors and definitions (`y.mu`, or `mu` where only one layer
    call has it), gradients `d_v`, derivatives `total(y[c, k], x[c, i])`, in which everything that
    depends on x follows, and `partial(y[c, i], mu[c])`, in which every other name is held, and the
    names in `own`.

    Raises:
        InputError: with the place, what was expected and what to do.
    """
    own = own or {}
    statement = _only(Statement(source, line, text))
    equals, commas = _marks(statement)
    if not statement.text[:equals].strip():
        raise InputError("the left side is missing.", statement.first(), "Write the claim as d_x[i] = ….")
    names = ClaimNames(layer, {each.name: each.indices for each in own.values()})
    scope = names.scope()
    left = Reader(statement, 0, scope).read(equals)
    reader = Reader(statement, equals + 1, scope)
    right = reader.read(commas[0] if commas else None)
    letters = scope.letters
    check_letters(letters, layer, reader)
    distinct = tuple(_condition(statement, start, end, letters) for start, end in _spans(statement, commas))
    left, right = (names.full(letters.resolve(side)) for side in (left, right))
    _same_free(statement, left, right, distinct, reader.places)
    if own:
        measure(add(left, right), own, statement.first())
    used = used_in(left.names | right.names, own)
    whole = [written_out_at(statement.first(), side, own) for side in (left, right)]
    return Claim(text.strip(), whole[0], whole[1], distinct, used, right)


def seed_of(layer: Layer, claim: Claim) -> dict[str, Fraction]:
    """{"d_L": 1} where the layer's only output is a scalar L and the claim does not name d_L."""
    seed = f"d_{layer.outputs[0]}"
    named = claim.left.names | claim.right.names
    return {seed: Fraction(1)} if layer.scalar_output and seed not in named else {}


def _only(given: Statement) -> Statement:
    """The one statement in a text, its comments removed."""
    _, statements = split(given.text, given.source)
    if len(statements) != 1:
        first = Origin(given.source, given.line, 1, given.text.split("\n")[0])
        origin = statements[1].first() if statements else first
        raise InputError(f"expected one claim, and {len(statements)} stand here.", origin, "Write d_x[i] = ….")
    return Statement(given.source, given.line + statements[0].line - 1, statements[0].text)


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
