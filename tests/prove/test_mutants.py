"""Wrong variants of the backward, made by editing the derived expressions, and who sees them.

Two checkers with foundations of their own: the proof (no numbers), and numbers (no algebra) with
random upstream gradients, N unlike C, and random parameters.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import pytest

from symgrad import pipeline
from symgrad.algebra.terms import Add, Mul, Num, Term, add, mul, negative, number, walk
from symgrad.notation.layer import Layer
from symgrad.notation.library import load
from symgrad.prove.evaluate import Evaluator, random_point
from symgrad.prove.floats import Floats
from symgrad.prove.mutations import mutations
from symgrad.prove.numbers import Undefined
from symgrad.prove.verdict import Prover

LAYERS = ("batch_norm", "batch_norm_sigmoid_mse")
SIZES = tuple({"s": n, "i": n, "c": 2, "k": 1} for n in (3, 4, 7))
EVERY = {"batch_norm": 1, "batch_norm_sigmoid_mse": 3}
"""Of how many mutants one is taken."""


@dataclass(frozen=True)
class Mutant:
    name: str
    what: str
    right: Term
    wrong: Term


@cache
def studied(name: str):
    found = pipeline.derive(load(name))
    layer = found.merge.layer
    return found, layer, Prover(layer, tuple(f.paths for f in found.found))


def mutants(name: str) -> list[Mutant]:
    """Every single edit of every closed result, of both routes where they are written differently."""
    found, layer, _ = studied(name)
    seen: dict[Term, Mutant] = {}
    for each in found.found:
        results = {each.paths.body, *([] if each.jacobian is None else [each.jacobian.body])}
        for right in sorted(results, key=repr):
            for edit in mutations(right, layer):
                if edit.term.free <= right.free and edit.term != right:
                    seen.setdefault(edit.term, Mutant(each.name, edit.what, right, edit.term))
    return list(seen.values())[:: EVERY[name]]


def values(name: str) -> Iterator[tuple[Evaluator, random.Random]]:
    """The points at which mutants are evaluated."""
    _, layer, _ = studied(name)
    for sizes in SIZES:
        rng = random.Random(sizes["s"])
        yield Evaluator(layer, random_point(layer, sizes, rng), Floats()), rng


def seen_by_numbers(name: str, left: Term, right: Term) -> bool:
    """Whether two terms differ at some random point, or only the left one has a value there."""
    for evaluator, rng in values(name):
        for _ in range(4):
            at = {index: rng.randrange(evaluator.point.sizes[index.axis]) for index in sorted(left.free | right.free)}
            one = evaluator.value(left, at)
            try:
                other = evaluator.value(right, at)
            except Undefined:
                return True
            if abs(one - other) > 1e-9 * max(1.0, abs(one), abs(other)):
                return True
    return False


@pytest.mark.parametrize("name", LAYERS)
def test_there_are_enough_mutants_of_many_kinds(name):
    found = mutants(name)
    assert len(found) >= 40
    assert len({mutant.what.split(" of ")[0] for mutant in found}) >= 5
    assert {"x", "w"} <= {mutant.name for mutant in found}


@pytest.mark.parametrize("name", LAYERS)
def test_all_mutants_are_refuted_by_the_proof_and_seen_by_numbers(name):
    _, _, prover = studied(name)
    equal = []
    for mutant in mutants(name):
        proof = prover.decide(mutant.right, mutant.wrong)
        numbers = seen_by_numbers(name, mutant.right, mutant.wrong)
        assert proof.verdict != "undecided", (mutant.name, mutant.what, proof.left_over)
        assert (proof.verdict == "refuted") == numbers, (mutant.name, mutant.what, proof.verdict)
        if proof.proved:
            equal.append(mutant)
    assert len(equal) < 0.05 * len(mutants(name)), [(m.name, m.what) for m in equal]


@pytest.mark.parametrize("name", LAYERS)
def test_equal_variants_are_neither_refuted_nor_seen(name):
    """The checkers do not simply say no: the results rewritten, terms turned round, times 2 over 2."""
    found, _, prover = studied(name)
    for each in found.found:
        right = each.paths.body
        for same in (turned(right), mul(number(2), right, number("1/2")), add(right, right, negative(right))):
            assert prover.decide(right, same).proved
            assert not seen_by_numbers(name, right, same)


def turned(term: Term) -> Term:
    """The same term with every sum and product written the other way round."""
    children = tuple(turned(child) for child in term.children)
    if isinstance(term, (Add, Mul)):
        return type(term)(children[::-1])
    return term.rebuild(children) if children else term


def test_a_poor_numeric_check_misses_mutants_that_this_one_sees():
    """With N = C = 4, w = 1 and an upstream gradient of ones, as a quick test would have it."""
    _, layer, _ = studied("batch_norm")
    missed = 0
    for mutant in mutants("batch_norm"):
        if mutant.name in ("x", "w", "beta"):
            missed += not poorly_seen(layer, mutant)
    assert missed > 10


def poorly_seen(layer: Layer, mutant: Mutant) -> bool:
    point = random_point(layer, {"i": 4, "c": 4}, random.Random(1))
    for name in ("w", "d_y"):
        point.values[name].update(dict.fromkeys(point.values[name], number(1).value))  # type: ignore[attr-defined]
    evaluator = Evaluator(layer, point, Floats())
    at = dict.fromkeys(mutant.right.free | mutant.wrong.free, 1)
    one = evaluator.value(mutant.right, at)
    try:
        other = evaluator.value(mutant.wrong, at)
    except Undefined:
        return True
    return bool(abs(one - other) > 1e-9 * max(1.0, abs(one), abs(other)))


def test_the_results_hold_what_can_be_mutated():
    found, _, _ = studied("batch_norm")
    nodes = [node for each in found.found for node in walk(each.paths.body)]
    assert sum(isinstance(node, Num) for node in nodes) > 3
