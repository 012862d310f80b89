"""Proofs by cases: what they decide, and a random attack on what they claim."""

from __future__ import annotations

import itertools
import random
from fractions import Fraction

import pytest
from plain import Plain

from symgrad.algebra.terms import Index, Num, Term, add, negative
from symgrad.errors import InputError
from symgrad.notation.claim import parse_claim
from symgrad.notation.library import from_text
from symgrad.prove.canonical import Canonical
from symgrad.prove.cases import zero_by_cases
from symgrad.prove.inequalities import contradictory, fact, zero
from symgrad.prove.modulo import reduced
from symgrad.prove.monomials import UNIT, position_atom
from symgrad.prove.mutations import mutations

LAYER = from_text("input a, b, c, x[i], m[i, j=i]\ny = a*b*c*sum[i](x[i])*sum[i, j](m[i, j])\noutput y\n")


def difference(text: str) -> Term:
    claim = parse_claim(text, LAYER)
    return add(claim.left, negative(claim.right))


def poly(text: str):
    return Canonical().poly(parse_claim(f"{text} = 0", LAYER).left)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("where(a > 0 and a > 1, 1, 0) = where(a > 1, 1, 0)", "where(a > 0 and a > 1, 1, 0) = where(a > 0, 1, 0)"),
        ("where(a <= b, a, b) = where(a < b, a, b)", "where(a <= b, a, c) = where(a < b, a, c)"),
        ("maximum(a, b)*minimum(a, b) = a*b", "maximum(a, b)*minimum(a, b) = abs(a*b)"),
        ("abs(a*b) = abs(a)*abs(b)", "abs(a*b) = a*abs(b)"),
        ("abs(a/b) = abs(a)/abs(b)", "abs(a/b) = abs(a)/b"),
        ("sqrt(a*b)*sqrt(a) = a*sqrt(b)", "sqrt(a**2*b) = a*sqrt(b)"),
        ("sqrt(a*b) = sqrt(a)*sqrt(b)", "sqrt(a*b)*c = sqrt(-a)*sqrt(-b)*abs(c)"),
        ("sqrt(1 - a**2) = sqrt(1 - a)*sqrt(1 + a)", "sqrt(1 + a**2) = sqrt(1 - a)*sqrt(1 + a)"),
        ("log(a*b) = log(a) + log(b)", "log(a**2) = 2*log(b)"),
        ("log(a**2) = 2*log(abs(a))", "log(a**2) + sqrt(b) = 2*log(abs(b)) + sqrt(b)"),
        # sqrt(a) has a value for a = 0 too, where a > 0 is false
        ("sqrt(a)*where(a >= 0, 1, 2) = sqrt(a)", "where(a > 0, 1, 2) + sqrt(a) = 1 + sqrt(a)"),
        ("where(a > 0, 1, 2) + log(a) = 1 + log(a)", "where(a > 1, 1, 2) + log(a) = 1 + log(a)"),
        # what stands in a branch says nothing about the whole
        ("where(a > 0, sqrt(a**2), 0) = relu(a)",
         "where(b > 0, sqrt(a), 0) + sqrt(a**2) = where(b > 0, sqrt(a), 0) + a"),
        ("sum[i](sqrt(x[i]**2)) = sum[i](abs(x[i]))",
         "sum[i](x[i]*sqrt(a)) + sqrt(a) = sum[i](abs(x[i])*sqrt(a)) + sqrt(a)"),
        # a letter that a sum binds is not the free one
        ("sqrt(x[i])*abs(x[i]) = sqrt(x[i])*x[i]", "sqrt(x[i]) + sum[i](abs(x[i])) = sqrt(x[i]) + sum[i](x[i])"),
        ("where(i <= j, m[i, j], 0) = m[i, j] - where(j < i, m[i, j], 0)",
         "where(i <= j, m[i, j], 0) = where(i < j, m[i, j], 0)"),
        ("x[i] + sum[j](where(j < i, x[j], 0)) = sum[j](where(j <= i, x[j], 0))",
         "sum[j](where(j < i, x[j], 0)) = sum[j](where(j <= i, x[j], 0))"),
        ("where(i < j and j < i, a, b) = b", "where(i <= j and j <= i, a, b) = b"),
        ("where(a*b > 0, where(a > 0, where(b > 0, 1, 2), 3), 4) = where(a*b > 0, where(a > 0, 1, 3), 4)",
         "where(a*b > 0, where(a > 0, where(b > 0, 1, 2), 3), 4) = where(a*b > 0, 1, 4)"),
        ("where(a + b > 2, where(a < 1 and b < 1, 5, 1), 1) = 1",
         "where(a + b > 2, where(a < 1 and b < 2, 5, 1), 1) = 1"),
        ("where(a == b, a**2 - b**2, 0) = 0", "where(a == b, a**2 + b**2, 0) = 0"),
        ("where(a*b == c, a*b*x[i] - c*x[i], 0) = 0", "where(a*b == c, a*b*x[i] - c, 0) = 0"),
        ("where(exp(a) == b, exp(a) - b, 0) = 0", "where(exp(a) == b, exp(2*a) - b, 0) = 0"),
    ],
)  # fmt: skip
def test_right_claims_and_their_wrong_neighbours(right, wrong):
    assert zero_by_cases(difference(right))
    assert not zero_by_cases(difference(wrong))


def test_linear_contradictions():
    a, b = poly("a - 1"), poly("b - a")
    assert contradictory([fact(a, True), fact(poly("0 - a"), False)])
    assert contradictory([fact(a, True), fact(b, False), fact(poly("1 - b"), False)])
    assert not contradictory([fact(a, True), fact(b, False), fact(poly("2 - b"), False)])
    assert not contradictory([fact(a, False), fact(poly("1 - a"), False)])
    assert contradictory([fact(a, True), fact(poly("1 - a"), False)])
    assert contradictory([*zero(a), fact(poly("a - 2"), False)])
    assert contradictory([fact(poly("0 - a**2"), True)])
    assert not contradictory([fact(poly("0 - a**2"), False)])
    assert contradictory([fact(poly("1 - size[i]"), True)])
    assert not contradictory([fact(poly("2 - size[i]"), True)])


def test_whole_numbers_have_nothing_between_them():
    one, two = (Index(letter, "i") for letter in "pq")
    p, q = (((position_atom(index), Fraction(1)),) for index in (one, two))
    between = [
        fact({q: Fraction(1), p: Fraction(-1)}, True),
        fact({p: Fraction(1), q: Fraction(-1), UNIT: Fraction(1)}, True),
    ]
    assert contradictory(between)
    assert not contradictory(between[:1])


def test_an_equation_replaces_one_monomial():
    canonical = Canonical()
    assert reduced(canonical, poly("a**2*c - b**2*c"), [poly("a - b")]) == {}
    assert reduced(canonical, poly("a**2*c - b*c"), [poly("a - b")]) != {}
    assert reduced(canonical, poly("a*b*c"), [poly("a*b - 2")]) == poly("2*c")


FORMS = (
    "{a}",
    "{a}",
    "-{a}",
    "{a} + {b}",
    "{a} - {b}",
    "{a}*{b}",
    "2*{a}",
    "maximum({a}, {b})",
    "minimum({a}, {b})",
    "abs({a})",
    "relu({a})",
    "sign({a})",
    "where({a} > {b}, {c}, {a})",
    "where({a} <= {b}, {c}, {b})",
    "where({a} == {b}, {a}, {c})",
    "sqrt({a})",
    "sqrt({a}*{b})",
    "sqrt({a}**2)",
    "{a}/(1 + abs({b}))",
    "where({a} < 1 and {b} > 0, {a}, {c})",
)
LEAVES = ("a", "b", "c", "0", "1", "2")


def formula(rng: random.Random, depth: int) -> str:
    if not depth or rng.random() < 0.2:
        return rng.choice(LEAVES)
    parts = {name: f"({formula(rng, depth - 1)})" for name in "abc"}
    return rng.choice(FORMS).format(**parts)


def disagreement(term: Term) -> dict[str, float] | None:
    """A point at which a term has a value that is not 0; ties and zeros among them."""
    for values in itertools.product((0, 1, -1, 2, Fraction(1, 2), -3), repeat=3):
        point = {name: {(): Fraction(value)} for name, value in zip("abc", values, strict=True)}
        try:
            found = Plain(LAYER, {"i": 2}, point).value(term, {})
        except (ZeroDivisionError, ValueError, OverflowError):
            continue
        if abs(found) > 1e-9:
            return dict(zip("abc", values, strict=True))
    return None


@pytest.mark.parametrize("seed", range(4))
def test_nothing_that_differs_somewhere_is_proved(seed):
    """Random formulas against edited ones: what is proved equal is equal at 216 points."""
    rng = random.Random(seed)
    proved = 0
    for _ in range(60):
        text = formula(rng, 3)
        try:
            term = parse_claim(f"{text} = 0", LAYER).left
        except InputError:
            continue
        edits = [edit.term for edit in mutations(term, LAYER) if edit.term != term]
        for other in rng.sample(edits, min(4, len(edits))):
            gap = add(term, negative(other))
            if not isinstance(gap, Num) and zero_by_cases(gap):
                proved += 1
                assert disagreement(gap) is None, (text, disagreement(gap))
    assert proved > 3
