"""The article's lines, judged: holds, holds under an assumption, or does not hold."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction

from symgrad.article.book import NETWORK, parsed_claims
from symgrad.article.reader import ArticleClaim, read_claims
from symgrad.derive.merge import merge_axes
from symgrad.derive.paths import derive_by_paths
from symgrad.errors import InputError
from symgrad.notation.bind import bind_constants
from symgrad.notation.claim import Claim, parse_claim
from symgrad.notation.layer import Layer
from symgrad.notation.library import load
from symgrad.notation.unparse import unparse
from symgrad.prove.nearest import nearest_form
from symgrad.prove.verdict import PROVED, REFUTED, Proof, Prover

NO_EPS = {"eps": Fraction(0)}
SEED = {"d_L": Fraction(1)}


@dataclass(frozen=True)
class Judgement:
    """What is known of one line of the article.

    Attributes:
        claim: the line as printed.
        layer: the network that it is about, with eps = 0.
        parsed: the line read, or None where it is malformed.
        proof: the verdict; for a malformed line, that on its nearest readable form.
        malformed: what is wrong with the notation, or an empty string.
        nearest: the nearest right form found, in the notation; empty for a line that holds.
        edit: what was changed to find it.
    """

    claim: ArticleClaim
    layer: Layer
    parsed: Claim | None
    proof: Proof | None
    malformed: str = ""
    nearest: str = ""
    edit: str = ""

    @property
    def holds(self) -> bool:
        """Whether the line holds as printed, maybe under an assumption."""
        return not self.malformed and self.proof is not None and self.proof.verdict == PROVED

    @property
    def decided(self) -> bool:
        """Whether there is a verdict: malformed lines have one."""
        return bool(self.malformed) or (self.proof is not None and self.proof.verdict in (PROVED, REFUTED))


def judge_article(say: Callable[[str], None] = lambda _: None) -> Iterator[Judgement]:
    """Every line of the article, judged in order."""
    network = bind_constants(load(NETWORK), NO_EPS)
    merged = merge_axes(network).layer
    provers = {layer: Prover(layer, derive_by_paths(layer)) for layer in (network, merged)}
    for claim, parsed in parsed_claims(network, read_claims()):
        say(f"judging {claim.label}")
        prover = provers[merged if claim.merged else network]
        yield _malformed(claim, parsed, prover) if isinstance(parsed, InputError) else _judge(claim, parsed, prover)


def _judge(claim: ArticleClaim, parsed: Claim, prover: Prover) -> Judgement:
    proof = prover.decide(parsed.left, parsed.right, parsed.distinct, SEED)
    if proof.verdict == PROVED:
        return Judgement(claim, prover.layer, parsed, proof)
    found = nearest_form(parsed, prover, SEED)
    if found is None:
        return Judgement(claim, prover.layer, parsed, proof)
    left, right = (unparse(side, prover.layer) for side in (parsed.left, found.term))
    return Judgement(claim, prover.layer, parsed, proof, nearest=f"{left} = {right}", edit=found.what)


def _malformed(claim: ArticleClaim, error: InputError, prover: Prover) -> Judgement:
    """A line that cannot be read: its missing indices are filled in, and the result is judged."""
    text = _with_all_indices(claim.text, prover.layer)
    condition = f", {claim.condition}" if claim.condition else ""
    try:
        parsed = parse_claim(text + condition, prover.layer, claim.origin.source)
    except InputError:
        return Judgement(claim, prover.layer, None, None, malformed=error.message)
    inner = _judge(claim, parsed, prover)
    nearest = " ".join(text.split()) if inner.holds else inner.nearest
    edit = "the missing index" + (f"; {inner.edit}" if inner.edit else "")
    return Judgement(claim, prover.layer, parsed, inner.proof, error.message, nearest, edit)


def _with_all_indices(text: str, layer: Layer) -> str:
    """Entries with too few letters get the tensor's own letters in front: x[k] becomes x[c, k]."""

    def fill(match: re.Match[str]) -> str:
        declared = layer.indices(match["name"])
        given = [letter.strip() for letter in match["letters"].split(",")]
        if declared is None or len(given) >= len(declared):
            return match.group()
        missing = [index.name for index in declared[: len(declared) - len(given)]]
        return f"{match['name']}[{', '.join(missing + given)}]"

    return re.sub(r"\b(?P<name>[A-Za-z]\w*)\[(?P<letters>[^\[\]]*)\]", fill, text)
