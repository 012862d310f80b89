"""The Triton backend: the same numbers as NumPy's under Triton's interpreter, and machine code for three cards.

Without a GPU nothing runs on one here: the interpreter checks the numbers, the compilers check that the kernels
can be built and spill no registers. Each needs a process of its own (triton_run.py).
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from symgrad import pipeline
from symgrad.errors import SymgradError
from symgrad.notation.library import from_text, gallery, load
from symgrad.plan.ahead import sums_ahead
from symgrad.plan.moments import moments_of
from symgrad.plan.sweeps import sweeps_of
from symgrad.prove.verdict import Prover
from symgrad.render.kernels.loop_terms import UnsupportedError

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
INSTALLED = all(importlib.util.find_spec(name) for name in ("triton", "torch"))
needs_triton = pytest.mark.skipif(
    not INSTALLED, reason="no triton: pip install 'symgrad[triton]', then pytest tests/kernels/test_triton.py"
)
UNSUPPORTED = {
    "attention", "avg_pool", "bilinear", "causal_attention", "conv1d", "conv2d", "cumsum", "embedding", "gru_cell",
    "linear", "local_response_norm", "lstm_cell", "max_pool", "mlp_classifier", "transformer_block",
}  # fmt: skip
SUPPORTED = tuple(name for name in gallery() if name not in UNSUPPORTED)
SAMPLE = ("softmax", "layer_norm", "rms_norm", "cross_entropy_labels", "batch_norm_sigmoid_mse", "gelu", "bce")
REFUSED = ("linear", "conv1d", "embedding", "cumsum")
LIMITS = {"registers": 1e-12, "blocks": 1e-12, "strides": 5e-6, "half": 3e-2}
COMPILED = ("layer_norm", "rms_norm", "cross_entropy_labels", "batch_norm_sigmoid_mse", "gelu_tanh")


@cache
def text_of(name: str) -> str:
    return pipeline.emit(pipeline.derive(load(name)), ["triton"])[0].text


def run(what: str, names: tuple[str, ...], folder: Path) -> list[dict]:
    """What triton_run.py found out about these layers."""
    for name in names:
        (folder / f"{name}.py").write_text(text_of(name), encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "TRITON_DEFAULT_FP_FUSION": "1"}
    environment |= {"TRITON_CACHE_DIR": str(folder / "cache")}
    environment.pop("TRITON_INTERPRET", None)
    command = [sys.executable, "-W", "ignore", str(HERE / "triton_run.py"), what, str(folder), *names]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


@needs_triton
@pytest.mark.parametrize("part", range(5))
def test_the_same_numbers_as_numpys(part, tmp_path):
    names = SUPPORTED[part::5]
    found = run("numbers", names, tmp_path)
    assert {(each["name"], each["what"]) for each in found} == {(name, what) for name in names for what in LIMITS}
    wrong = [each for each in found if not each["error"] <= LIMITS[each["what"]]]
    assert wrong == []


@needs_triton
def test_what_a_kernel_gets_wrong_is_seen(tmp_path, monkeypatch):
    wrong = text_of("layer_norm").replace("d_mu = -rsqrt_var", "d_mu = rsqrt_var")
    monkeypatch.setitem(globals(), "text_of", lambda name: wrong)
    errors = {each["what"]: each["error"] for each in run("numbers", ("layer_norm",), tmp_path)}
    assert all(error > LIMITS[what] for what, error in errors.items())


@needs_triton
def test_the_rules_of_autograd_hold(tmp_path):
    names = ("layer_norm", "batch_norm_sigmoid_mse", "cross_entropy_labels")
    found = {each["what"]: each["value"] for each in run("rules", names, tmp_path)}
    assert found == {"second order": True, "the same bits": True, "a large mean": True, "a label outside": True,
                     "empty": True, "expanded": True}  # fmt: skip


@needs_triton
def test_layers_that_it_cannot_do_are_refused_and_no_others():
    def refused(name: str) -> bool:
        try:
            return not text_of(name)
        except UnsupportedError:
            return True

    assert {name for name in gallery() if refused(name)} == UNSUPPORTED


@needs_triton
def test_machine_code_for_three_cards(tmp_path):
    found = run("compile", COMPILED, tmp_path)
    assert {each["name"] for each in found} == set(COMPILED)
    assert {each["capability"] for each in found} == {80, 90, 100}
    assert [each for each in found if each["stack"]] == [], "registers are spilled"


@pytest.mark.parametrize("name", REFUSED)
def test_what_it_cannot_do_it_says(name):
    with pytest.raises(UnsupportedError, match=rf"{name}.*(contraction|computed places)"):
        pipeline.emit(pipeline.derive(load(name)), ["triton"])


@pytest.mark.parametrize("name", SAMPLE)
def test_files_stand_alone_and_add_nothing_up_atomically(name):
    text = text_of(name)
    compile(text, name, "exec")
    assert "atomic" not in text
    assert not re.search(r"^(import|from) (?!torch|triton|math|os|contextlib|typing)", text, re.MULTILINE)
    assert max(map(len, text.splitlines())) <= 120


def test_one_launch_for_each_group_of_sweeps():
    launches = {name: len(re.findall(r"^    (?:kernel|\w+)\[\(", text_of(name), re.MULTILINE)) for name in SAMPLE}
    assert launches["softmax"] == 2, "one forward, one backward"
    assert launches["layer_norm"] == 3, "and one that merges the gradients of the parameters"
    assert launches["rms_norm"] == 3
    assert launches["cross_entropy_labels"] == 3, "one for all rows, one that merges the loss, one backward"
    assert launches["gelu"] == 2


def test_names_of_a_layer_never_meet_those_of_the_kernels():
    text = "input row[rows, col]\nparameter inside[col], part_x[col], tile[col]\n"
    text += "real[rows] = mean[col](row[rows, col])\n"
    text += "y[rows, col] = (row[rows, col] - real[rows])*inside[col]*part_x[col] + tile[col]\noutput y"
    (file,) = pipeline.emit(pipeline.derive(from_text(text, "names")), ["triton"])
    compile(file.text, "names", "exec")
    assert "row_ = tl.load(row__ptr" in file.text
    assert "def names(row, inside, part_x, tile):" in file.text


def test_a_function_that_no_card_has_is_refused():
    layer = from_text("input x[i]\ny[i] = lgamma(x[i])\noutput y", "gamma")
    with pytest.raises(SymgradError, match="digamma"):
        pipeline.emit(pipeline.derive(layer), ["triton"])


def test_moments_are_found_only_where_they_are():
    def first_two(square: str):
        text = f"input x[s, c, k]\nmu[c] = mean[s, k](x[s, c, k])\nv[c] = mean[s, k]({square})\n"
        text += "y[s, c, k] = (x[s, c, k] - mu[c])*v[c]\noutput y"
        made = pipeline.plan(pipeline.derive(from_text(text, "moments")))
        return sweeps_of(made.forward, made.layer).sweeps[:2]

    found = moments_of(*first_two("(x[s, c, k] - mu[c])**2"))
    assert found is not None
    assert (found.array.name, found.mean.name, found.squares.name) == ("x", "mu", "v")
    assert moments_of(*first_two("(x[s, c, k] - 2*mu[c])**2")) is None
    assert moments_of(*first_two("abs(x[s, c, k] - mu[c])")) is None


def test_a_plan_with_sums_ahead_keeps_the_one_it_came_from():
    study = pipeline.derive(load("batch_norm_sigmoid_mse"))
    made = pipeline.plan(study)
    assert sums_ahead(made, Prover(study.layer).equal).whole == made
    assert made.whole is None
