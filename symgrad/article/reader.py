"""The article's equations from their file: one record for each line of each chain."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from symgrad.errors import InputError, Origin
from symgrad.notation.lines import Statement, split

EQUATIONS = Path(__file__).resolve().parent / "equations.claims"
LAST_UNMERGED = 4
"""Up to this equation the network is about x[s, c, k]; after it s and k are one index, i."""

_CLAIM = re.compile(r"\s*(?P<number>\(E?\d+\))(?:\.(?P<line>\d+))?\s+(?P<text>.*)", re.DOTALL)
_CONDITION = re.compile(r",\s*(?P<condition>[a-z]\s*[!=]=\s*[a-z])\s*$")


@dataclass(frozen=True)
class ArticleClaim:
    """One line of one chain of equalities.

    Attributes:
        number: the equation, as the article prints it: "(20)"; "(E1)" in its section "Extra".
        line: the place in its chain, from 1.
        text: the claim in symgrad's notation, "left = right"; misprints are the article's.
        condition: when it is claimed, "k != i"; empty where it always is.
        merged: whether samples and positions are one index, i.
        origin: where the claim's text begins in the file.
    """

    number: str
    line: int
    text: str
    condition: str
    merged: bool
    origin: Origin

    @property
    def label(self) -> str:
        """The number with the line: "(20).2"."""
        return f"{self.number}.{self.line}"

    @property
    def left(self) -> str:
        """The side that every line of the chain shares."""
        return self.text.split(" = ", 1)[0].strip()

    @property
    def right(self) -> str:
        """What this line says it equals."""
        return self.text.split(" = ", 1)[1].strip()


def read_claims(path: Path = EQUATIONS) -> tuple[ArticleClaim, ...]:
    """All lines of all equations, in the article's order.

    Raises:
        InputError: a line has no number or no equality, or does not follow the one before it.
    """
    _, statements = split(path.read_text(encoding="utf-8"), path.name)
    claims: list[ArticleClaim] = []
    for statement in statements:
        claim = _read(statement)
        _check_order(claim, claims)
        claims.append(claim)
    return tuple(claims)


def _read(statement: Statement) -> ArticleClaim:
    """The claim of one statement."""
    match = _CLAIM.fullmatch(statement.text)
    if not match or " = " not in match["text"]:
        raise InputError("this is no numbered claim.", statement.origin(0), "Write: (20).2  left = right")
    text = match["text"].strip()
    condition = _CONDITION.search(text)
    return ArticleClaim(
        number=match["number"],
        line=int(match["line"] or 1),
        text=text[: condition.start()] if condition else text,
        condition=condition["condition"] if condition else "",
        merged=_is_merged(match["number"]),
        origin=statement.origin(match.start("text")),
    )


def _is_merged(number: str) -> bool:
    """Whether an equation is about the network with one index i."""
    digits = number.strip("()")
    return not digits.isdigit() or int(digits) > LAST_UNMERGED


def _check_order(claim: ArticleClaim, before: list[ArticleClaim]) -> None:
    """A chain's lines follow one another, from 1, with one left side."""
    last = before[-1] if before and before[-1].number == claim.number else None
    expected = last.line + 1 if last else 1
    if claim.line != expected or any(other.label == claim.label for other in before):
        raise InputError(f"{claim.label} stands where line {expected} of {claim.number} is expected.", claim.origin)
    if last and claim.left != last.left:
        raise InputError(
            f"the left side of {claim.label} is not that of the line before.",
            claim.origin,
            f"Every line of the chain begins with {last.left} = …",
        )
