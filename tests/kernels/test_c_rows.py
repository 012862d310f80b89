"""The division of nests into rows by the C backend: tiles, pieces, and arrays without the axes that may be absent."""

from __future__ import annotations

import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from symgrad import pipeline
from symgrad.algebra.terms import Index
from symgrad.check.kernels import load_kernel, relative_error
from symgrad.errors import UnsupportedError
from symgrad.notation.library import from_text, load
from symgrad.plan.absent import without
from symgrad.plan.sweeps import all_sweeps
from symgrad.render.kernels.loop_rows import LANES, PART, ROW, TILE, Rows

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="no gcc: apt-get install gcc")
NORM = """
input x[b, c, k]

m[b, k] = mean[c](x[b, c, k])
v[b, k] = mean[c]((x[b, c, k] - m[b, k])**2)
y[b, c, k] = (x[b, c, k] - m[b, k])/sqrt(v[b, k] + 1)
output y
"""
"""Normalized over a middle axis: rows are tiles of k."""
AFTER = """
input x[b, c]
parameter v[c], w[c]

m[b] = mean[c](x[b, c])
y[b, c] = (x[b, c] - m[b])*v[c]*w[c]
output y
"""
"""The gradients of v and w follow from one sum over b, which is finished after the rows."""


@pytest.fixture(autouse=True, scope="module")
def private_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@cache
def kernels(text: str) -> tuple[ModuleType, ModuleType]:
    layer = from_text(text) if "\n" in text else load(text)
    c, numpy = (load_kernel(file) for file in pipeline.emit(pipeline.derive(layer), ["c", "numpy"]))
    return c, numpy


def worst(text: str, shapes: list[tuple[int, ...]], dtype: type, mean: float = 0.0) -> float:
    """The worst error of the output and of all gradients, against NumPy's in float64."""
    c, numpy = kernels(text)
    random = np.random.default_rng(0)
    given = [random.normal(size=shape).astype(dtype) for shape in shapes]
    given[0] += dtype(mean)
    if text == "cross_entropy":
        given[1] = abs(given[1])
    wanted, kept = numpy.forward(*(a.astype(np.float64) for a in given))
    found, saved = c.forward(*given)
    seeds = [random.normal(size=found.shape).astype(dtype)] if found.shape else []
    ours, theirs = c.backward(saved, *seeds), numpy.backward(kept, *(a.astype(np.float64) for a in seeds))
    pairs = [(found, wanted), *zip(ours, theirs, strict=True)]
    return max(relative_error(one, other) for one, other in pairs)


@pytest.mark.parametrize(
    ("text", "shapes"),
    [
        ("cross_entropy", [(3, 5, 300), (3, 5, 300)]),
        ("cross_entropy", [(3, 5), (3, 5)]),
        ("cross_entropy", [(2, 700, 1), (2, 700, 1)]),
        ("cross_entropy", [(1, 1, 128), (1, 1, 128)]),
        ("batch_norm", [(37, 19), (19,), (19,)]),
        ("batch_norm", [(7, 3, 2, 150), (3,), (3,)]),
        ("gelu", [(40_000,)]),
        ("mse", [(40_000,), (40_000,)]),
        (NORM, [(3, 4, 257)]),
        (NORM, [(1, 9, 1)]),
        (AFTER, [(70, 33), (33,), (33,)]),
    ],
    ids=str,
)
def test_any_division_gives_the_same_numbers(text, shapes):
    assert worst(text, shapes, np.float64) <= 1e-12
    assert worst(text, shapes, np.float32) <= 2e-5


@pytest.mark.parametrize(("text", "shapes"), [("batch_norm", [(64, 19), (19,), (19,)]), (NORM, [(3, 40, 33)])], ids=str)
def test_a_large_mean_costs_nothing_there_either(text, shapes):
    assert worst(text, shapes, np.float32, mean=1e4) <= 5e-6


def test_a_nan_in_a_lane_stays_in_its_lane():
    c, _ = kernels("cross_entropy")
    x, q = np.ones((2, 3, 5), np.float32), np.ones((2, 3, 5), np.float32)
    x[1, 2, 4] = np.nan
    d_x = c.backward(c.forward(x, q)[1]).x
    assert np.isnan(d_x[1, :, 4]).all()
    d_x[1, :, 4] = 0
    assert not np.isnan(d_x).any()


def divisions(text: str) -> list[tuple[Rows, list[str]]]:
    """How the sums of a forward pass are divided, with the rows for each sweep by itself."""
    layer = from_text(text) if "\n" in text else load(text)
    forward, _ = all_sweeps(pipeline.plan(pipeline.derive(layer)))
    order = layer.tensors[0].indices
    found = [Rows.of(order, sweep.reductions, ()) for sweep in forward.sweeps]
    return [
        (rows, [rows.place(s) for s in sweep.reductions]) for rows, sweep in zip(found, forward.sweeps, strict=True)
    ]


def test_what_becomes_of_each_sum():
    (mean, mean_places), (_, var_places), (outputs, _) = divisions(NORM)
    assert (mean.tile, [i.axis for i in mean.middle], mean_places, var_places) == (TILE, ["c"], [LANES], [LANES])
    assert (outputs.tile, outputs.middle) == ("", ())
    assert [places for _, places in divisions("layer_norm")][:2] == [[ROW], [ROW]]
    assert [places for _, places in divisions("mse")][-1] == [PART]


def test_sums_that_are_not_nested_cannot_share_rows():
    order = tuple(Index(axis, axis) for axis in "bck")
    with pytest.raises(UnsupportedError, match="sums over b"):
        Rows.of(order, (), ("c",))


def test_without_an_axis_there_must_be_something_left_to_add_up():
    batch, instance = (pipeline.plan(pipeline.derive(load(f"{name}_norm"))) for name in ("batch", "instance"))
    found = without(batch.forward, "k")
    assert found is not None
    assert all(index.axis != "k" for s in found.statements for index in s.indices)
    assert without(instance.forward, "k") is None


RACE = """
import sys
import numpy as np
sys.path.insert(0, {folder!r})
import cross_entropy as kernel
random = np.random.default_rng(0)
x = random.normal(size=(3, 7, 500)).astype(np.float32)
L, saved = kernel.forward(x, abs(x))
print(L.tobytes().hex(), hash(kernel.backward(saved).x.tobytes()))
"""


def test_tiles_give_the_same_bits_for_any_number_of_threads(tmp_path: Path):
    (file,) = pipeline.emit(pipeline.derive(load("cross_entropy")), ["c"])
    (tmp_path / "cross_entropy.py").write_text(file.text, encoding="utf-8")
    command = [sys.executable, "-c", RACE.format(folder=str(tmp_path))]
    found = set()
    for threads in ("1", "2", "3"):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("OMP_NUM_THREADS", threads)
            patch.setenv("PYTHONHASHSEED", "0")
            found.add(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert len(found) == 1
