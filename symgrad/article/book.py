"""An equation book: printed equations of a source, found again in derivations by how they are written."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction

from symgrad.algebra.binding import substitute
from symgrad.algebra.shape import shape
from symgrad.algebra.simplify import settle
from symgrad.algebra.terms import Diff, Num, Term
from symgrad.article.reader import ArticleClaim, read_claims
from symgrad.derive.merge import merge_axes
from symgrad.errors import InputError
from symgrad.notation.claim import Claim, parse_claim
from symgrad.notation.layer import Layer

NETWORK = "batch_norm_sigmoid_mse"
"""The gallery layer that the article's equations are about."""


@dataclass(frozen=True)
class EquationBook:
    """Equation numbers by left and right side, up to the order in which things are written.

    Attributes:
        numbers: the numbers for (shape of the left side, shape of the right side), in the source's order.
        fixed: scalars that the source leaves out (eps = 0) or sets (d_L = 1).
        order: every number, in the source's order.
    """

    fixed: dict[str, Fraction]
    numbers: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    order: dict[str, int] = field(default_factory=dict)

    def number(self, left: Term, right: Term, after: str = "") -> str:
        """The equation's number, "(22)", or an empty string where the book does not have it.

        An equation may stand in the source twice, as (22) and (29). The number seen before in the
        same derivation, `after`, tells which place is meant: the first one that is not before it.
        """
        start = self.order.get(after, 0)
        found = self.numbers.get(self._key(left, right), ())
        return next((number for number in found if self.order[number] >= start), "")

    def add(self, claim: Claim, number: str) -> None:
        """Enter a claim, after those that stand before it in the source."""
        self.order.setdefault(number, len(self.order))
        key = self._key(claim.left, claim.right)
        known = self.numbers.get(key, ())
        if number not in known:
            self.numbers[key] = (*known, number)

    def _key(self, left: Term, right: Term) -> tuple[str, str]:
        return shape(left), shape(settle(_fixed(right, self.fixed)))


def _fixed(term: Term, fixed: dict[str, Fraction]) -> Term:
    if isinstance(term, Diff):
        return Diff(_fixed(term.body, fixed), term.wrt, term.total)
    return substitute(term, lambda entry: Num(fixed[entry.name]) if entry.name in fixed else None)


def article_book(layer: Layer) -> EquationBook | None:
    """The article's equations as a book, for the layer that they are about; None for another one."""
    if layer.name != NETWORK:
        return None
    book = EquationBook({"eps": Fraction(0), "d_L": Fraction(1)})
    for claim, parsed in parsed_claims(layer, read_claims()):
        if isinstance(parsed, Claim):
            book.add(parsed, claim.number)
    return book


def parsed_claims(layer: Layer, claims: Iterable[ArticleClaim]) -> list[tuple[ArticleClaim, Claim | InputError]]:
    """Each claim read about the layer, as written or merged; or the error where it is malformed."""
    merged = merge_axes(layer).layer
    found: list[tuple[ArticleClaim, Claim | InputError]] = []
    for claim in claims:
        condition = f", {claim.condition}" if claim.condition else ""
        try:
            parsed = parse_claim(claim.text + condition, merged if claim.merged else layer, claim.origin.source)
        except InputError as error:
            found.append((claim, error))
        else:
            found.append((claim, parsed))
    return found
