"""The project's own set of claims: nothing wrong is proved, nothing right is refuted, little stays open."""

from __future__ import annotations

import random
from functools import cache

import pytest
from claim_files import FILES, Labelled, labelled, layer_of
from plain import NoAnswer, Plain

from symgrad import pipeline
from symgrad.notation.claim import Claim
from symgrad.prove.evaluate import Evaluator, Point, random_point
from symgrad.prove.numbers import Real
from symgrad.prove.verdict import PROVED, REFUTED, UNDECIDED, Proof, Prover

MOST_UNDECIDED = 0.02
"""The share of right claims that may stay undecided."""


@cache
def prover(name: str) -> Prover:
    found = pipeline.derive(layer_of(name))
    return Prover(found.layer, found.gradients)


@cache
def judged(file: str) -> list[tuple[Labelled, Claim, Proof]]:
    found = []
    for each in labelled(file):
        claim = each.parsed(prover(each.layer).layer)
        found.append((each, claim, pipeline.judge(prover(each.layer), claim)))
    return found


def places(found) -> list[str]:
    return [f"{each.place} {each.text}" for each in found]


def test_the_set_is_large_and_about_many_layers():
    claims = [each for file in FILES for each in labelled(file)]
    assert sum(each.right for each in claims) >= 150
    assert sum(not each.right for each in claims) >= 150
    assert len({each.layer for each in claims}) >= 45
    assert len({(each.layer, each.text, tuple(each.own)) for each in claims}) == len(claims), "none stands twice"


@pytest.mark.parametrize("file", FILES)
def test_no_wrong_claim_is_proved_and_no_right_one_refuted(file):
    assert places(each for each, _, proof in judged(file) if not each.right and proof.verdict == PROVED) == []
    assert places(each for each, _, proof in judged(file) if each.right and proof.verdict == REFUTED) == []


def test_few_right_claims_stay_undecided():
    right = [(each, proof) for file in FILES for each, _, proof in judged(file) if each.right]
    undecided = [each for each, proof in right if proof.verdict == UNDECIDED]
    print(f"undecided: {len(undecided)} of {len(right)}", *places(undecided), sep="\n")
    assert len(undecided) <= MOST_UNDECIDED * len(right), places(undecided)


def test_nearly_all_wrong_claims_are_refuted():
    wrong = [(each, proof) for file in FILES for each, _, proof in judged(file) if not each.right]
    undecided = [each for each, proof in wrong if proof.verdict == UNDECIDED]
    assert len(undecided) <= MOST_UNDECIDED * len(wrong), places(undecided)


@pytest.mark.parametrize("file", FILES)
def test_an_evaluation_of_its_own_confirms_each_counterexample(file):
    """In floats, by difference quotients; where these are too rough, by the package's evaluation with 70 digits."""
    confirmed = 0
    for each, claim, proof in judged(file):
        if proof.counterexample is None:
            continue
        found, layer = proof.counterexample, prover(each.layer).layer
        values = {**found.values, **{name: {(): value} for name, value in pipeline.seed_of(layer, claim).items()}}
        plain = Plain(layer, found.sizes, values)
        try:
            left, right = (plain.value(side, found.assignment) for side in (claim.left, claim.right))
            if abs(left - right) < 1e-6 * max(1, abs(left)):
                raise NoAnswer("too small a difference for quotients")
            confirmed += 1
        except (NoAnswer, OverflowError):
            evaluator = Evaluator(layer, Point(found.sizes, values), Real(70))
            left, right = (evaluator.value(side, found.assignment) for side in (claim.left, claim.right))
        assert abs(left - right) > 1e-20 * max(1, abs(left)), (each.place, each.text, left, right)
    assert confirmed >= 20


def test_the_second_evaluation_knows_equal_sides():
    """It must not call everything different: right claims agree at a point."""
    agreed = 0
    for each, claim, _ in judged("normalization"):
        layer = prover(each.layer).layer
        if not each.right or "total" in each.text or "partial" in each.text:
            continue
        sizes = {axis.name: 2 + place for place, axis in enumerate(layer.axes)}
        plain = Plain(layer, sizes, random_point(layer, sizes, random.Random(5), positive=True).values)
        at = dict.fromkeys(claim.left.free, 0)
        try:
            left, right = (plain.value(side, at) for side in (claim.left, claim.right))
        except NoAnswer:
            continue
        assert abs(left - right) < 1e-3 * max(1, abs(left)), (each.place, each.text)
        agreed += 1
    assert agreed > 30
