"""The article held against the derivation: what holds, what does not, and that a changed line never does."""

from __future__ import annotations

from collections import Counter

import pytest

from symgrad.article.book import NETWORK, parsed_claims
from symgrad.article.judge import NO_EPS, SEED
from symgrad.article.reader import read_claims
from symgrad.derive.merge import merge_axes
from symgrad.derive.paths import derive_by_paths
from symgrad.errors import InputError
from symgrad.notation.bind import bind_constants
from symgrad.notation.claim import parse_claim
from symgrad.notation.library import load
from symgrad.prove.counterexample import find_counterexample
from symgrad.prove.mutations import mutations
from symgrad.prove.verdict import PROVED, REFUTED, Prover

MISPRINTS = {
    "(21).2": "index k for i in x",
    "(22).2": "the factor w",
    "(25).2": "the missing index",
    "(25).3": "the missing index",
    "(25).4": "the missing index",
    "(25).5": "the missing index",
    "(28).1": "a factor dropped",
    "(E1).1": "a factor dropped",
}
"""The lines that do not hold, and the smallest change that repairs each."""
FOR_NONZERO_W = {"(15).2", "(16).2", "(22).4", "(22).5", "(29).4", "(29).5", "(29).6"}

ORIGINAL = bind_constants(load(NETWORK), NO_EPS)
MERGED = merge_axes(ORIGINAL).layer
PARSED = [(c, p) for c, p in parsed_claims(ORIGINAL, read_claims()) if not isinstance(p, InputError)]


@pytest.fixture(scope="module")
def provers():
    return {layer: Prover(layer, derive_by_paths(layer)) for layer in (ORIGINAL, MERGED)}


def layer_of(claim):
    return MERGED if claim.merged else ORIGINAL


def test_every_line_has_a_verdict(judgements):
    assert len(judgements) == 63
    assert all(judgement.decided for judgement in judgements)
    assert [j.claim.label for j in judgements] == [c.label for c in read_claims()]


def test_fifty_five_lines_hold_seven_of_them_for_nonzero_w(judgements):
    holding = [j for j in judgements if j.holds]
    assert len(holding) == 55
    assuming = {j.claim.label: j.proof.assumptions for j in holding if j.proof.assumptions}
    assert set(assuming) == FOR_NONZERO_W
    for (condition,) in assuming.values():
        assert condition.kind == "nonzero"
        assert condition.term.names == {"w"}


def test_the_misprints_are_found_each_with_its_nearest_right_form(judgements):
    assert {j.claim.label: j.edit for j in judgements if not j.holds} == MISPRINTS


def test_a_nearest_right_form_is_proved_and_differs(judgements, provers):
    for judgement in judgements:
        if judgement.holds:
            assert judgement.nearest == ""
            continue
        condition = f", {judgement.claim.condition}" if judgement.claim.condition else ""
        nearest = parse_claim(judgement.nearest + condition, judgement.layer)
        proof = provers[judgement.layer].decide(nearest.left, nearest.right, nearest.distinct, SEED)
        assert proof.verdict == PROVED, judgement.claim.label
        assert judgement.parsed is not None
        assert judgement.malformed or nearest.right != judgement.parsed.right


def test_a_malformed_line_says_what_is_wrong_and_holds_once_it_is_read(judgements):
    malformed = [j for j in judgements if j.malformed]
    assert [j.claim.number for j in malformed] == ["(25)"] * 4
    for judgement in malformed:
        assert judgement.malformed == "x has 2 indices, and 1 stand here."
        assert "x[c, k]" in judgement.nearest
        assert judgement.proof.verdict == PROVED


def test_a_line_that_is_refuted_has_values_at_which_the_sides_differ(judgements):
    refuted = [j for j in judgements if j.proof is not None and j.proof.verdict == REFUTED]
    assert [j.claim.label for j in refuted] == ["(21).2", "(22).2", "(28).1", "(E1).1"]
    for judgement in refuted:
        found = judgement.proof.counterexample
        assert found.left != found.right
        assert found.values["x"]
        assert set(found.sizes) == {axis.name for axis in judgement.layer.axes}


# --- A line changed by one edit


def test_the_edits_are_of_every_kind():
    kinds = Counter()
    for claim, parsed in PARSED:
        for edit in sample(claim, parsed):
            kinds[edit.what.partition(" of ")[0] if not edit.what.startswith("index") else "index"] += 1
    assert set(kinds) >= {
        "the sign", "a factor dropped", "a term dropped", "an exponent doubled", "a number changed",
        "index", "size", "a mean for a sum", "a sum forgotten",
    }  # fmt: skip
    assert kinds.total() > 200


def sample(claim, parsed):
    """A fifth of the edits of a line's right side, at another start for each line; all where there are few."""
    edits = [
        edit
        for edit in mutations(parsed.right, layer_of(claim), parsed.left.free)
        if edit.term.free <= parsed.left.free
    ]
    return edits if len(edits) <= 5 else edits[claim.line % 5 :: 5]


@pytest.mark.parametrize(("claim", "parsed"), PARSED, ids=[claim.label for claim, _ in PARSED])
def test_a_changed_line_is_refuted_unless_it_is_provably_right(claim, parsed, provers):
    prover = provers[layer_of(claim)]
    pairs = tuple((first, second) for first, second in map(sorted, parsed.distinct))
    edits = sample(claim, parsed)
    refuted = 0
    for edit in edits:
        found = find_counterexample(parsed.left, edit.term, prover.layer, distinct=pairs, fixed=SEED)
        if found is None:
            assert prover.equal(parsed.left, edit.term, parsed.distinct, SEED), edit.what
        refuted += found is not None
    assert refuted or len(edits) < 3


@pytest.mark.parametrize("label", ["(6).1", "(12).1", "(16).1", "(20).3", "(24).1", "(26).1", "(28).2"])
def test_the_verdict_itself_is_refuted(label, provers):
    """The prover and the search for numbers together, on every edit of some lines."""
    claim, parsed = next((c, p) for c, p in PARSED if c.label == label)
    prover = provers[layer_of(claim)]
    for edit in sample(claim, parsed)[:3]:
        proof = prover.decide(parsed.left, edit.term, parsed.distinct, SEED)
        assert proof.verdict == REFUTED, edit.what
        assert proof.counterexample is not None
