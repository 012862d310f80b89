"""The functions that NumPy lacks and kernels bring with them, against mpmath over their whole range."""

from __future__ import annotations

import math

import numpy as np
import pytest
from nodes import module_of

mpmath = pytest.importorskip("mpmath")
EPSILON = 2.0**-52


def helper(name):
    source = module_of("small_functions" if name.startswith("erf") else "functions", "numpy")
    return getattr(source, f"_{name}")


def exact(name, argument):
    with mpmath.workdps(40):
        value = mpmath.mpf(float(argument))
        if name == "lgamma":
            return mpmath.log(abs(mpmath.gamma(value))) if abs(value) < 1e4 else mpmath.loggamma(value)
        return getattr(mpmath, name)(value)


def errors(name, arguments, relative):
    """The errors of a helper; relative to the value, or to the value where it is larger than 1."""
    found = helper(name)(arguments)
    wanted = [exact(name, a) for a in arguments]
    least = 0 if relative else 1
    return max(
        float(abs(float(f) - w) / max(least, abs(w)))
        for f, w in zip(found, wanted, strict=True)
        if abs(w) > np.finfo(arguments.dtype).tiny
    )


LINE = np.concatenate([np.linspace(-6, 6, 2401), np.linspace(-27, 27, 301), [0.0, 1e-300, 1e-20, 0.46875, 4.0, 1e4]])


@pytest.mark.parametrize("name, limit", [("erf", 2), ("erfc", 4)])
def test_the_error_functions_are_right_to_a_few_units(name, limit):
    assert errors(name, LINE, relative=True) <= limit * EPSILON
    assert errors(name, LINE.astype(np.float32), relative=True) <= 6 * 2.0**-23
    assert helper(name)(LINE.astype(np.float32)).dtype == np.float32


GAMMA = np.concatenate([
    np.linspace(-9.97, 20, 1501), 10 ** np.random.default_rng(0).uniform(-10, 8, 300),
    -(10 ** np.random.default_rng(1).uniform(-10, 1, 100)),
])  # fmt: skip


@pytest.mark.parametrize("name", ["lgamma", "digamma"])
def test_the_gamma_functions_are_right_to_1e_14(name):
    assert errors(name, GAMMA, relative=False) <= 1e-14
    assert helper(name)(np.array([1.5], np.float32)).dtype == np.float32


def test_limits_and_poles():
    infinite = np.array([np.inf, -np.inf, np.nan])
    assert np.array_equal(helper("erf")(infinite), [1, -1, np.nan], equal_nan=True)
    assert np.array_equal(helper("erfc")(infinite), [0, 2, np.nan], equal_nan=True)
    assert helper("lgamma")(np.array([0.0, -3.0, np.inf])).tolist() == [math.inf] * 3
    assert helper("erf")(np.array(0.5)).shape == ()


def test_softplus_and_sigmoid_do_not_overflow():
    module = module_of("small_functions", "numpy")
    far = np.array([-1e4, 0.0, 1e4], np.float32)
    assert module._sigmoid(far).tolist() == [0, 0.5, 1]
    assert np.logaddexp(0, far).tolist() == [0, pytest.approx(math.log(2)), 1e4]
