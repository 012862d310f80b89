"""The C backend: the same numbers as NumPy's, no warnings, no undefined behaviour, the same bits on any threads."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from symgrad import pipeline
from symgrad.check.kernels import argument_of, array_of, load_kernel, relative_error, sizes_of
from symgrad.check.samples import sensible_point
from symgrad.notation.library import from_text, gallery, load
from symgrad.plan.ahead import sums_ahead
from symgrad.prove.verdict import Prover
from symgrad.render.kernels.loop_terms import UnsupportedError

COMPILER = shutil.which("gcc")
pytestmark = pytest.mark.skipif(COMPILER is None, reason="no gcc: apt-get install gcc")
UNSUPPORTED = {
    "attention", "avg_pool", "bilinear", "causal_attention", "conv1d", "conv2d",
    "cumsum", "embedding", "gru_cell", "linear", "local_response_norm", "lstm_cell",
    "max_pool", "mlp_classifier", "transformer_block",
}  # fmt: skip
SUPPORTED = tuple(name for name in gallery() if name not in UNSUPPORTED)
NAMES = ("batch_norm_sigmoid_mse", "layer_norm", "softmax", "rms_norm", "gelu")


@pytest.fixture(autouse=True, scope="module")
def private_cache(tmp_path_factory):
    before = os.environ.get("XDG_CACHE_HOME")
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))
    yield
    os.environ.pop("XDG_CACHE_HOME")
    if before is not None:
        os.environ["XDG_CACHE_HOME"] = before


@cache
def modules(name: str) -> tuple[ModuleType, ModuleType]:
    study = pipeline.derive(load(name))
    c, numpy = (load_kernel(file) for file in pipeline.emit(study, ["c", "numpy"]))
    return c, numpy


def compared(name: str, dtype: type, seed: int, start: int = 2) -> float:
    """The worst error of all outputs and gradients against the NumPy kernel in float64."""
    layer, (c, numpy) = load(name), modules(name)
    point = sensible_point(layer, sizes_of(layer, start), seed)
    given = [argument_of(point, tensor) for tensor in layer.tensors]
    seeds = [array_of(point, layer.entry(o).indices, f"d_{o}") for o in layer.outputs]
    with np.errstate(all="ignore"):
        wanted, kept = numpy.forward(*given)
        gradients = numpy.backward(kept, *seeds)
        found, saved = c.forward(*(a if a.dtype == np.int64 else a.astype(dtype) for a in given))
        ours = c.backward(saved, *(a.astype(dtype) for a in seeds))
    pairs = list(zip(found, wanted, strict=True)) if len(layer.outputs) > 1 else [(found, wanted)]
    pairs += list(zip(ours, gradients, strict=True))
    assert all(np.asarray(one).dtype == dtype for one, _ in pairs)
    return max(relative_error(one, other) for one, other in pairs)


@pytest.mark.parametrize("name", SUPPORTED)
def test_the_same_numbers_as_numpys(name):
    assert compared(name, np.float64, seed=0) <= 1e-12
    assert compared(name, np.float64, seed=1, start=5) <= 1e-12
    assert compared(name, np.float32, seed=2, start=3) <= 2e-5


@pytest.mark.parametrize("name", sorted(UNSUPPORTED))
def test_what_it_cannot_do_it_says(name):
    with pytest.raises(UnsupportedError, match=name):
        pipeline.emit(pipeline.derive(load(name)), ["c"])


def source(name: str) -> str:
    return modules(name)[0].SOURCE


def built(text: str, folder: Path, *flags: str) -> Path:
    path = folder / "kernel.so"
    command = [
        COMPILER,
        "-std=c99",
        "-O2",
        "-fopenmp",
        "-fPIC",
        "-shared",
        *flags,
        "-x",
        "c",
        "-",
        "-o",
        str(path),
        "-lm",
    ]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[:3000]
    return path


@pytest.mark.parametrize("flags", [(), ("-DREAL=double", "-DREAL_IS_FLOAT=0"), ("-DBFLOAT16=1",), ("-DFLOAT16=1",)])
@pytest.mark.parametrize("name", NAMES)
def test_it_compiles_without_a_warning(name, flags, tmp_path):
    built(source(name), tmp_path, "-Wall", "-Wextra", "-Werror", *flags)


@pytest.mark.parametrize("name", ["batch_norm_sigmoid_mse", "layer_norm"])
def test_a_large_mean_costs_nothing(name):
    layer, (c, _) = load(name), modules(name)
    random = np.random.default_rng(0)
    shape = (16, 8, 14, 14) if "batch" in name else (64, 256)
    arrays = {"x": random.normal(size=shape) + 1e4, "t": random.random(shape)}
    size = shape[1]
    given = [arrays.get(t.name, random.random(size)).astype(np.float32) for t in layer.tensors]
    seeds = [] if layer.scalar_output else [random.normal(size=shape).astype(np.float32)]

    def gradients(dtype):
        saved = c.forward(*(a if a.dtype == np.int64 else a.astype(dtype) for a in given))[1]
        return c.backward(saved, *(a.astype(dtype) for a in seeds))

    for one, other in zip(gradients(np.float32), gradients(np.float64), strict=True):
        assert relative_error(one, other) <= 2e-6


THREADS = """
import sys, hashlib
import numpy as np
sys.path.insert(0, {folder!r})
import {name} as kernel
random = np.random.default_rng(0)
x = random.normal(size={shape}).astype(np.float32)
more = [random.random({size}).astype(np.float32) for _ in range(2)]
{call}
print(hashlib.sha256(b"".join(np.ascontiguousarray(a).tobytes() for a in found)).hexdigest())
"""


@pytest.mark.parametrize("name", ["batch_norm_sigmoid_mse", "layer_norm"])
def test_the_same_bits_for_any_number_of_threads(name, tmp_path):
    (file,) = pipeline.emit(pipeline.derive(load(name)), ["c"])
    (tmp_path / f"{name}.py").write_text(file.text, encoding="utf-8")
    calls = {
        "layer_norm": "y, saved = kernel.forward(x, *more)\nfound = [y, *kernel.backward(saved, y)]",
        "batch_norm_sigmoid_mse": "L, saved = kernel.forward(x, *more, abs(x))\nfound = [L, *kernel.backward(saved)]",
    }
    shape, size = ((150, 33), 33) if name == "layer_norm" else ((5, 7, 40, 40), 7)
    code = THREADS.format(folder=str(tmp_path), name=name, shape=shape, size=size, call=calls[name])
    found = set()
    for threads in ("1", "2", "3"):
        environment = {**os.environ, "OMP_NUM_THREADS": threads}
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
        found.add(done.stdout)
    assert len(found) == 1


SANITIZED = """
#include <stdio.h>
int main(void) {{
    enum {{ N = {count} }};
    ELEMENT *x = calloc(N, sizeof(ELEMENT)), *y = calloc(N, sizeof(ELEMENT)), *more_x = calloc(N, sizeof(ELEMENT));
    REAL *w = calloc(N, sizeof(REAL)), *more_w = calloc(5, sizeof(REAL));
    double *mu = calloc(6, sizeof(double));
    for (int i = 0; i < N; i++) {{ x[i] = rounded(i % 9 ? (REAL)(i % 7) : (REAL)INFINITY); w[i] = 1; }}
    int status = {call};
    free(x); free(y); free(w); free(mu); free(more_x); free(more_w);
    return status;
}}
"""


@pytest.mark.parametrize("flag", ["-DLAST=0", "-DBFLOAT16=1", "-DFLOAT16=1"])
def test_clean_under_the_sanitizers(flag, tmp_path):
    text = source("rms_norm")
    call = "NAME(forward)(x, w, 1e-6, 6, 5, y, mu) || NAME(backward)(x, w, 1e-6, mu, y, 6, 5, more_x, more_w)"
    program = text + SANITIZED.format(count=30, call=call)
    path = tmp_path / "program"
    flags = [flag, "-std=c99", "-O1", "-g", "-fopenmp", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    command = [COMPILER, *flags, "-x", "c", "-", "-o", str(path), "-lm"]
    done = subprocess.run(command, input=program, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[:2000]
    environment = {**os.environ, "ASAN_OPTIONS": "detect_leaks=0", "OMP_NUM_THREADS": "2"}
    done = subprocess.run([str(path)], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr[:3000]


def test_compiled_code_is_taken_from_a_folder_of_ones_own_only(tmp_path, monkeypatch):
    (file,) = pipeline.emit(pipeline.derive(load("relu")), ["c"])
    module = load_kernel(file)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = tmp_path / "symgrad" / "kernels"
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    with pytest.raises(RuntimeError, match="others may write"):
        module.forward(np.ones(3, np.float32))
    folder.chmod(0o700)
    assert module.forward(np.array([-1, 2], np.float32))[0].tolist() == [0, 2]
    module.prepare("float32", "float64")
    assert len(list(folder.glob("*.so"))) == 2 * 2  # forward and backward, for each dtype


def test_a_compiler_that_fails_is_quoted(tmp_path, monkeypatch):
    (file,) = pipeline.emit(pipeline.derive(load("relu")), ["c"])
    module = load_kernel(file)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    fake = tmp_path / "cc"
    fake.write_text(
        "#!/bin/sh\ncase $1 in --version) echo 1;; *) echo no such luck >&2; exit 1;; esac\n", encoding="utf-8"
    )
    fake.chmod(0o755)
    monkeypatch.setenv("CC", str(fake))
    with pytest.raises(RuntimeError, match="no such luck"):
        module.forward(np.ones(3, np.float32))


def test_sums_are_moved_ahead_only_where_they_are_multiples_of_the_loss_gradient():
    study = pipeline.derive(load("batch_norm_sigmoid_mse"))
    made = pipeline.plan(study)
    prover = Prover(study.layer)
    ahead = sums_ahead(made, prover.equal)
    assert len(ahead.ahead) == 2
    assert sum(s.kind == "reduction" for s in ahead.backward.statements) == 0
    assert sums_ahead(made, lambda left, right: False) == made
    layer = pipeline.plan(pipeline.derive(load("layer_norm")))
    assert sums_ahead(layer, prover.equal) == layer


def test_the_merging_of_rows_is_an_identity():
    """sum_sk (x - mu)^2 = sum_s (sum_k (x - m)^2 + N_k (m - mu)^2), which loop_moments.py relies on."""
    text = "input x[s, c, k]\nmu[c] = mean[s, k](x[s, c, k])\nm[s, c] = mean[k](x[s, c, k])\n"
    text += "v[c] = sum[s, k]((x[s, c, k] - mu[c])**2)\ny[s, c, k] = x[s, c, k]*v[c]*m[s, c]\noutput y"
    right = "v[c] = sum[s](sum[k]((x[s, c, k] - m[s, c])**2) + size[k]*(m[s, c] - mu[c])**2)"
    wrong = right.replace("size[k]*", "")
    verdicts = pipeline.prove(pipeline.derive(from_text(text)), [right, wrong])
    assert [proof.verdict for _, proof in verdicts] == ["proved", "refuted"]
