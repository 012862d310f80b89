"""What several test files share."""

from __future__ import annotations

from pathlib import Path

import pytest

from symgrad import pipeline
from symgrad.article.judge import judge_article
from symgrad.notation.library import load

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def network():
    """The study of the article's network."""
    return pipeline.derive(load("batch_norm_sigmoid_mse"))


@pytest.fixture(scope="session")
def batch_norm():
    """The study of batch normalization."""
    return pipeline.derive(load("batch_norm"))


@pytest.fixture(scope="session")
def judgements():
    """Every line of the article, judged."""
    return tuple(judge_article())


@pytest.fixture(autouse=True)
def same_numbers_every_time():
    """Seed every source of random numbers that is loaded: a failure can be repeated."""
    import random
    import sys

    random.seed(0)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(0)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)
