"""Mean and variance in one sweep, by rows, by columns and in stretches, of numbers that are hard for one."""

from __future__ import annotations

import shutil
from functools import cache
from types import ModuleType

import numpy as np
import pytest

from symgrad import pipeline
from symgrad.check.kernels import load_kernel
from symgrad.notation.library import load

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler: apt-get install gcc")
SHAPES = {"columns": (5000, 9), "stretches": (6, 9, 700), "rows": (6, 3, 700), "few columns": (7, 3), "one row": (1, 5)}


@pytest.fixture(autouse=True, scope="module")
def private_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@cache
def kernel() -> ModuleType:
    return load_kernel(pipeline.emit(pipeline.derive(load("batch_norm")), ["c"])[0])


def moments(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    ones = np.ones(x.shape[1], x.dtype)
    saved = kernel().forward(x, ones, ones)[1]
    return saved.mu, saved.var


def exact(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    axes, wide = (0, *range(2, x.ndim)), x.astype(np.longdouble)
    return wide.mean(axes), wide.var(axes)


def numbers(kind: str, shape: tuple[int, ...]) -> np.ndarray:
    """Normal ones, and what is hard for a sum of squares around a guess of the mean."""
    x = np.random.default_rng(0).normal(size=shape)
    place = np.arange(shape[0]).reshape(-1, *(1 for _ in shape[1:])) / shape[0]
    return {
        "normal": x,
        "far from 0": x + 1e4,
        "a jump": x * 1e-2 + 1e3 * (place > 0.3),
        "a slope": x + 1e4 * place,
        "an outlier at first": np.where(np.arange(x.size).reshape(shape) < shape[1], 1e5, x),
        "all the same": x * 0 + 1234.567,
    }[kind].astype(np.float32)


@pytest.mark.parametrize("where", SHAPES)
@pytest.mark.parametrize("kind", ["normal", "far from 0", "a jump", "a slope", "an outlier at first", "all the same"])
def test_mean_and_variance(kind, where):
    """The mean to a millionth of the spread, or of what float32 resolves there; the variance to a few millionths."""
    x = numbers(kind, SHAPES[where])
    (mu, var), (mean, variance) = moments(x), exact(x)
    spread = np.sqrt(variance) + np.finfo(np.float32).eps * abs(mean)
    assert (abs(mu - mean) <= 1e-6 * spread).all()
    assert (abs(var - variance) <= 4e-6 * variance + (1e-6 * spread) ** 2).all()


@pytest.mark.parametrize("where", SHAPES)
def test_in_float64(where):
    x = np.random.default_rng(0).normal(size=SHAPES[where]) + 1e6
    (mu, var), (mean, variance) = moments(x), exact(x)
    assert (abs(mu - mean) <= 1e-15 * abs(mean)).all()
    assert (abs(var - variance) <= 1e-9 * variance + 1e-18).all()


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("where", SHAPES)
def test_what_is_no_number_stays_in_its_channel(where, value):
    x = numbers("normal", SHAPES[where])
    x[(0, 1, *(0 for _ in x.shape[2:]))] = value
    mu, var = moments(x)
    others = np.arange(x.shape[1]) != 1
    assert np.array_equal(mu[1], value, equal_nan=True)
    assert np.isnan(var[1])
    assert np.isfinite(mu[others]).all()
    assert np.isfinite(var[others]).all()
