"""The article's equations are all there, line by line, as printed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from symgrad.article.reader import EQUATIONS, read_claims
from symgrad.errors import InputError

CLAIMS = read_claims()
SEVERAL_LINES = {11: 2, 13: 3, 14: 2, 15: 2, 16: 2, 18: 3, 19: 2, 20: 3, 21: 3, 22: 5, 25: 7, 27: 5, 28: 2, 29: 6}


def test_every_equation_is_there_with_every_line():
    counted = Counter(claim.number for claim in CLAIMS)
    expected = {f"({number})": SEVERAL_LINES.get(number, 1) for number in range(2, 30)}
    assert counted == {**expected, "(E1)": 1, "(E2)": 1}
    assert len(CLAIMS) == 63


def test_equations_stand_in_the_articles_order():
    numbers = list(dict.fromkeys(claim.number for claim in CLAIMS))
    assert numbers == [*(f"({number})" for number in range(2, 30)), "(E1)", "(E2)"]


def test_a_chain_has_one_left_side_and_lines_from_one():
    for number in {claim.number for claim in CLAIMS}:
        chain = [claim for claim in CLAIMS if claim.number == number]
        assert [claim.line for claim in chain] == list(range(1, len(chain) + 1))
        assert len({claim.left for claim in chain}) == 1


def test_lines_of_a_chain_are_different_claims():
    texts = [(claim.number, " ".join(claim.right.split())) for claim in CLAIMS]
    assert len(set(texts)) == len(texts)


def test_only_the_case_k_not_i_has_a_condition():
    assert {claim.number for claim in CLAIMS if claim.condition} == {"(21)"}
    assert {claim.condition for claim in CLAIMS if claim.condition} == {"k != i"}
    assert not any("!=" in claim.text for claim in CLAIMS if claim.number == "(21)")


def test_the_first_equations_have_samples_and_positions_apart():
    assert [claim.number for claim in CLAIMS if not claim.merged] == ["(2)", "(3)", "(4)"]
    assert all(("s," in claim.text) is not claim.merged for claim in CLAIMS)


def test_every_claim_has_both_sides_and_its_place():
    lines = EQUATIONS.read_text(encoding="utf-8").split("\n")
    for claim in CLAIMS:
        assert claim.left
        assert claim.right
        assert f"{claim.left} = {claim.right}" == claim.text
        assert claim.label.removesuffix(".1") in lines[claim.origin.line - 1]


WRONG = {
    "y = x\n": "no numbered claim",
    "(2) y + x\n": "no numbered claim",
    "(2).2 y = x\n": r"\(2\)\.2 stands where line 1",
    "(2) y = x\n(2).1 y = w\n": r"\(2\)\.1 stands where line 2",
    "(2).1 y = x\n(2).3 y = w\n": r"\(2\)\.3 stands where line 2",
    "(2) y = x\n(3) z = x\n(2) y = w\n": r"\(2\)\.1 stands where line 1",
    "(2).1 y = x\n(2).2 z = w\n": "left side",
    "(2) y = (x\n": "never closed",
}


@pytest.mark.parametrize("text", WRONG)
def test_a_broken_file_is_refused(text, tmp_path: Path):
    path = tmp_path / "wrong.claims"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=WRONG[text]):
        read_claims(path)


def test_a_condition_is_not_part_of_the_text(tmp_path: Path):
    path = tmp_path / "one.claims"
    path.write_text("(21).1 total(y[c, k], x[c, i]) = f[c,\n  k], k != i\n", encoding="utf-8")
    (claim,) = read_claims(path)
    assert claim.text == "total(y[c, k], x[c, i]) = f[c,\n  k]"
    assert claim.condition == "k != i"
