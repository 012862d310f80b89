"""The functions of the C backend, each over its whole range: polynomials with a stated error."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import mpmath
import numpy as np
import pytest

from symgrad.render.kernels.templates import environment

COMPILER = shutil.which("gcc")
pytestmark = pytest.mark.skipif(COMPILER is None, reason="no gcc: apt-get install gcc")


def applied(function: str, real: str, folder: Path) -> Callable[[np.ndarray], np.ndarray]:
    """A function of the prelude, over arrays."""
    loop = f"for (ptrdiff_t i = 0; i < n; i++) y[i] = sg_{function}(x[i]);"
    every = f"void every(const REAL *x, REAL *y, ptrdiff_t n) {{ {loop} }}"
    flags = (f"-DREAL={real}", f"-DREAL_IS_FLOAT={int(real == 'float')}", "-std=c99", "-O3", "-march=native")
    path = folder / "every.so"
    command = (
        COMPILER,
        *flags,
        "-fno-math-errno",
        "-fno-trapping-math",
        "-fPIC",
        "-shared",
        "-x",
        "c",
        "-",
        "-o",
        path,
    )
    text = environment().get_template("c/prelude.c.jinja").render() + every
    subprocess.run((*command, "-lm"), input=text, text=True, check=True)
    library = ctypes.CDLL(str(path))

    def apply(x: np.ndarray) -> np.ndarray:
        y = np.empty_like(x)
        library.every(ctypes.c_void_p(x.ctypes.data), ctypes.c_void_p(y.ctypes.data), ctypes.c_ssize_t(x.size))
        return y

    return apply


def erf(x: np.ndarray) -> np.ndarray:
    """Erf to 25 digits."""
    return np.array([np.longdouble(mpmath.nstr(mpmath.erf(mpmath.mpf(float(v))), 25)) for v in x], np.longdouble)


WHOLE = {
    # its range in float32 and float64, units in the last place, and what it is at NaN, inf, -inf, 0, 1e30, -1e30
    "exp": (np.exp, (-87, 88.7), (-708, 709.7), 2, (np.nan, np.inf, 0, 1, np.inf, 0)),
    "exp_normal": (np.exp, (-87, 88), (-708, 709), 2, (np.nan, None, None, 1, None, None)),
    "expm1": (np.expm1, (-30, 88.7), (-50, 709.7), 3, (np.nan, np.inf, -1, 0, np.inf, -1)),
    "log": (np.log, (1e-38, 3e38), (1e-308, 1e308), 2, (np.nan, np.inf, np.nan, -np.inf, None, np.nan)),
    "log1p": (np.log1p, (-0.999, 3e38), (-0.999, 1e308), 4, (np.nan, np.inf, np.nan, 0, None, np.nan)),
    "tanh": (np.tanh, (-12, 12), (-25, 25), 4, (np.nan, 1, -1, 0, 1, -1)),
    "erf": (erf, (-5, 5), (-7, 7), 5, (np.nan, 1, -1, 0, 1, -1)),
}


@pytest.mark.parametrize("real", ["float", "double"])
@pytest.mark.parametrize("function", WHOLE)
def test_a_function_is_right_over_its_whole_range(function, real, tmp_path):
    """By values spread over the range, over its powers of ten, and near 0."""
    exact, *ranges, units, at_edges = WHOLE[function]
    dtype, (low, high) = (np.float32, ranges[0]) if real == "float" else (np.float64, ranges[1])
    count = 2_001 if function == "erf" else 200_001
    powers = np.geomspace(1e-30, high, count)
    x = np.concatenate([np.linspace(low, high, count), np.linspace(max(low, -1), 1, count), powers, -powers]).astype(
        dtype
    )
    x = x[(x >= low) & (x <= high) & (x != 0)]
    apply = applied(function, real, tmp_path)
    values = exact(x.astype(np.longdouble))
    spacing = np.spacing(np.abs(values).astype(dtype)).astype(np.longdouble)
    errors = np.abs(apply(x).astype(np.longdouble) - values) / spacing
    assert float(errors.max()) <= units, (x[errors.argmax()], errors.max())
    edges = apply(np.array([np.nan, np.inf, -np.inf, 0, 1e30, -1e30], dtype))
    for found, wanted in zip(edges, at_edges, strict=True):
        assert wanted is None or found == wanted or (np.isnan(wanted) and np.isnan(found)), (edges, at_edges)


@pytest.mark.parametrize("real", ["float", "double"])
def test_exp_goes_down_to_0_through_the_numbers_below_the_normal_ones(real, tmp_path):
    dtype, low, high = (np.float32, -103.9, -87) if real == "float" else (np.float64, -745, -708)
    x = np.linspace(low, high, 100_001).astype(dtype)
    least = np.finfo(dtype).smallest_subnormal
    errors = np.abs(applied("exp", real, tmp_path)(x).astype(np.longdouble) - np.exp(x.astype(np.longdouble)))
    assert np.all(errors <= 2 * np.longdouble(least))
