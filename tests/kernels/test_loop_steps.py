"""What loops do once instead of for each element, and where they must not: columns, kept rows, labels, few rows."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from functools import cache
from types import ModuleType

import numpy as np
import pytest

from symgrad import pipeline
from symgrad.algebra.terms import Index
from symgrad.check.kernels import load_kernel, relative_error
from symgrad.notation.library import from_text, load
from symgrad.plan.sweeps import Sweep, all_sweeps
from symgrad.prove.study import Study
from symgrad.render.kernels.loop_keep import without_causes, worth_keeping
from symgrad.render.kernels.loop_labels import at, elsewhere, picked

TWO_LABELS = """
input x[b, v]
label s[b] in v, t[b] in v

z[b] = log(sum[v](exp(x[b, v])))
L = sum[b](2*z[b] - x[b, s[b]] - x[b, t[b]])
output L
"""
MOVED = """
input x[b, v]
parameter a[v]

u[b, v] = x[b, v]*a[v]
m[v] = mean[b](u[b, v])
y[b, v] = (u[b, v] - m[v])**2
output y
"""
"""A mean over rows of what is computed, and subtracted from the same."""


@pytest.fixture(autouse=True, scope="module")
def private_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@cache
def derived(text: str) -> Study:
    return pipeline.derive(from_text(text) if "\n" in text else load(text))


@cache
def source(text: str) -> str:
    """The plain C of a layer."""
    (file,) = pipeline.emit(derived(text), ["c"])
    return next(each.text for each in file.beside if each.path.endswith(".c"))


def sweeps(text: str, backward: bool = False) -> list[Sweep]:
    found = pipeline.plan(derived(text))
    return list(all_sweeps(found)[backward].sweeps)


def loops(text: str) -> list[str]:
    """The vectorized loops."""
    return re.findall(r"#pragma omp simd[^\n]*\n.*?\n *\}\n", source(text), re.DOTALL)


def compiled(text: str) -> list[ModuleType]:
    if shutil.which("cc") is None:
        pytest.skip("no C compiler: apt-get install gcc")
    return [load_kernel(file) for file in pipeline.emit(derived(text), ["c", "numpy"])]


def test_an_exponential_is_kept_for_the_row():
    names = worth_keeping(sweeps("softmax"))
    assert len(names) == 1
    (last,) = [sweep for sweep in sweeps("softmax") if sweep.arrays]
    assert [s.name for s in last.each] == list(names)
    assert sum("sg_exp(" in loop for loop in loops("softmax")) == 1


def test_what_a_multiplication_makes_is_computed_again():
    found = sweeps("layer_norm")
    assert sum(s.name == "x_minus_mu" for sweep in found for s in sweep.each) > 1
    assert worth_keeping(found) == ()
    assert "row_" not in source("layer_norm")


def test_one_sweep_keeps_nothing():
    assert all(worth_keeping([sweep]) == () for sweep in sweeps("softmax"))


def test_causes_of_what_is_kept_are_left_out_and_others_stay():
    (last,) = [sweep for sweep in sweeps("layer_norm") if sweep.arrays]
    (each,) = last.each
    assert without_causes(last, [each.name]) == last
    apart = type(last)(last.kind, last.axes, (each,), (), (), last.before, last.reads)
    assert without_causes(apart, []).each == ()


def test_a_label_is_compared_with_nothing_in_the_loop():
    code = [re.sub(r"/\*.*?\*/", "", loop) for loop in loops(TWO_LABELS)]
    assert code
    assert not [loop for loop in code if "==" in loop]
    assert source(TWO_LABELS).count("once more") == 4  # by the backward pass and by both at once, for each label


@pytest.mark.parametrize("same", [False, True])
def test_two_labels_of_a_row_are_right_also_where_they_are_one(same):
    c, numpy = compiled(TWO_LABELS)
    random = np.random.default_rng(0)
    x, s, t = random.normal(size=(6, 5)), random.integers(0, 5, 6), random.integers(0, 5, 6)
    t = s if same else t
    found, wanted = (kernel.backward(kernel.forward(x, s, t)[1]) for kernel in (c, numpy))
    assert relative_error(found.x, wanted.x) <= 1e-14


def test_a_label_that_changes_along_the_row_or_beside_a_sum_is_compared():
    (sweep,) = [s for s in sweeps("cross_entropy_labels", backward=True) if s.arrays]
    labels, v, k = {"t": "label"}, Index("v", "v"), Index("k", "k")
    assert picked(sweep, v, labels)
    assert picked(sweep, k, labels) == ()  # t[b, k] changes with k
    assert picked(replace(sweep, reductions=sweep.arrays), v, labels) == ()


def test_the_delta_is_0_elsewhere_and_1_at_the_label():
    (sweep,) = [s for s in sweeps(TWO_LABELS, backward=True) if s.arrays]
    places = picked(sweep, sweep.arrays[0].indices[-1], {"s": "label", "t": "label"})
    assert len(places) == 2
    assert picked(sweep, sweep.arrays[0].indices[-1], {}) == ()
    assert "δ" not in repr(elsewhere(sweep, places)) and "Delta" not in repr(elsewhere(sweep, places))
    assert repr(at(sweep, places[0])).count("Delta") == repr(sweep).count("Delta") - 1


def test_what_is_the_same_in_all_rows_is_a_column():
    last = source("batch_norm").split("#if LAST")[1].split("#else")[0]
    assert re.search(r"column\d\[i_c\] = \(REAL\)\(+\(double\)w\[i_c\] / exact_sqrt", last)
    assert "sg_sqrt(" not in "".join(re.findall(r"#pragma omp simd.*?\n *\}\n", last, re.DOTALL))


def test_a_number_from_memory_is_no_column():
    assert "column" not in source("layer_norm")
    assert "w[i_d]" in source("layer_norm")


def test_a_mean_that_is_subtracted_is_added_up_in_double():
    assert "few_m" not in source(MOVED)
    assert "part_m[" in source(MOVED)


def test_other_sums_over_rows_go_through_the_type_of_the_elements():
    text = source("layer_norm")
    assert "few_d_w[chunk * n_d + i_d] +=" in text
    assert "few_d_beta[chunk * n_d + i_d] +=" in text


@pytest.mark.parametrize("rows", [1, 3, 4, 5, 17, 64, 257, 1030])
def test_any_number_of_rows(rows):
    c, numpy = compiled("layer_norm")
    random = np.random.default_rng(rows)
    x, d_y = random.normal(size=(2, rows, 7)) + 3
    w, beta = random.normal(size=(2, 7))
    found, wanted = (kernel.backward(kernel.forward(x, w, beta)[1], d_y) for kernel in (c, numpy))
    for name in ("x", "w", "beta"):
        assert relative_error(getattr(found, name), getattr(wanted, name)) <= 1e-12


def test_a_few_rows_in_float32_are_as_exact_as_doubles():
    c, numpy = compiled("layer_norm")
    random = np.random.default_rng(0)
    x, d_y = random.normal(size=(2, 20000, 3)).astype(np.float32)
    w, beta = np.ones((2, 3), np.float32)
    found = c.backward(c.forward(x, w, beta)[1], d_y + 1)
    wanted = numpy.backward(numpy.forward(*(v.astype(float) for v in (x, w, beta)))[1], (d_y + 1).astype(float))
    assert relative_error(found.beta, wanted.beta) <= 2e-7


def test_a_sum_over_all_is_spread_over_short_rows_beside_sums_that_are():
    last, first = source("batch_norm_sigmoid_mse").split("#if LAST")[1].split("#else")[:2]
    assert "few_L[chunk * n_c + i_c] +=" in last
    assert "add_L +=" in first.split("return 0;")[1]  # rows in order: a variable, which is faster
    assert "few_L" not in source("mse")


def test_a_spread_sum_is_right():
    c, numpy = compiled("batch_norm_sigmoid_mse")
    random = np.random.default_rng(0)
    for rows in (1, 2, 17, 300):
        x, t = random.normal(size=(2, rows, 5))
        w, beta = random.normal(size=(2, 5))
        found, wanted = (kernel.forward(x, w, beta, t)[0] for kernel in (c, numpy))
        assert relative_error(found, wanted) <= 1e-12
