"""Formulas with tokens dropped, doubled or exchanged: each is read or refused with a reason, and nothing breaks."""

from __future__ import annotations

import random

import pytest

from symgrad.audit.formula import tokens
from symgrad.audit.helpers import known_helpers
from symgrad.audit.judge import Judge
from symgrad.audit.operators import build_operator, known_rows
from symgrad.audit.question import Question
from symgrad.audit.reading import Reader
from symgrad.audit.records import FORWARD, GRADIENT
from symgrad.audit.values import NotRead
from symgrad.errors import InputError

STRANGE = (
    *("0", "7", "-", "{", "self", "grad", "result", "99999999999", "true", "nullopt", '"tanh"', "grads[9]"),
    *(".sum()", ".mm(self)", ".t()", ".pow(1e300)", ".unsqueeze(3)", ".transpose(0, 5)", ".expand_symint({1})"),
)


def spoiled(text: str, rng: random.Random) -> str:
    """The text with a few tokens changed."""
    parts = [token for _, token, _ in tokens(text)]
    for _ in range(rng.randrange(1, 4)):
        place = rng.randrange(len(parts))
        parts[place : place + rng.randrange(2)] = rng.choice(([], [rng.choice(STRANGE)], [rng.choice(parts)]))
        parts = parts or ["grad"]
    return " ".join(parts)


@pytest.mark.parametrize("seed", range(10))
def test_a_spoiled_formula_is_read_or_refused(seed, entries):
    rng = random.Random(seed)
    judge = Judge(known_rows(), known_helpers())
    read = refused = 0
    for name, rows in judge.rows.items():
        entry = entries[name]
        for mode, formulas in ((GRADIENT, entry.gradients), (FORWARD, entry.forwards)):
            for target, (text, place) in formulas.items():
                changed = spoiled(text, rng)
                reader = Reader({}, judge.helpers, {"GradMode::is_enabled": True})
                question = Question(entry, build_operator(rows[0], entry), reader, target, changed, place, mode)
                try:
                    assert question.right is not None
                    read += 1
                except (NotRead, InputError) as error:
                    assert str(error)
                    refused += 1
    assert read > 20 and refused > 50
