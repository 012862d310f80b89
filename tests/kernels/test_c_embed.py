"""The plain C that people embed: it compiles without a warning as C and its header as C++, and computes the same."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import symgrad
from symgrad import pipeline
from symgrad.check.kernels import load_kernel
from symgrad.cli import main
from symgrad.notation.library import from_text, load
from symgrad.render.kernels.c_prelude import prelude, pruned
from symgrad.render.kernels.records import Rendered

COMPILERS = [name for name in ("gcc", "clang") if shutil.which(name)]
pytestmark = pytest.mark.skipif(not COMPILERS, reason="no gcc or clang: apt-get install gcc")
NAMES = ("batch_norm_sigmoid_mse", "layer_norm", "softmax", "gelu", "prelu", "cosine_similarity", "instance_norm")
STRICT = ("-std=c99", "-pedantic", "-Wall", "-Wextra", "-Wmissing-declarations", "-Werror", "-fopenmp")
PROGRAM = """
#include <stdio.h>
#include "layer_norm.h"
int main(void) {
    REAL x[6] = {1, 2, 4, -1, 0, 3}, w[3] = {1, 2, 3}, beta[3] = {0, 1, 0}, y[6], d_x[6], d_w[3], d_beta[3];
    double mu[2], var[2];
    if (FORWARD(x, w, beta, 1e-5, 2, 3, y, mu, var)) return 1;
    if (BACKWARD(x, w, 1e-5, mu, var, x, 2, 3, d_x, d_w, d_beta)) return 2;
    for (int i = 0; i < 6; i++) printf("%.17g %.17g\\n", (double)y[i], (double)d_x[i]);
    for (int i = 0; i < 3; i++) printf("%.17g %.17g\\n", (double)d_w[i], (double)d_beta[i]);
    return 0;
}
"""


def files(name: str) -> Rendered:
    return pipeline.emit(pipeline.derive(load(name)), ["c"])[0]


def written(name: str, folder: Path) -> Path:
    for file in files(name).beside:
        (folder / Path(file.path).name).write_text(file.text, encoding="utf-8")
    return folder / f"{name}.c"


def run(*command: object, **more: object) -> str:
    done = subprocess.run([str(each) for each in command], capture_output=True, text=True, check=False, **more)
    assert done.returncode == 0, done.stderr[:3000] + done.stdout[:1000]
    return done.stdout


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("name", NAMES)
def test_it_compiles_without_a_warning(name, compiler, tmp_path):
    path = written(name, tmp_path)
    for flags in ((), ("-DREAL=double", "-DREAL_IS_FLOAT=0"), ("-DBFLOAT16=1",), ("-DFLOAT16=1",), ("-DLAST=1",)):
        run(compiler, *STRICT, *flags, "-O1", "-c", path, "-o", tmp_path / "made.o")
    run(compiler, *STRICT, "-fno-openmp", "-Wno-unknown-pragmas", "-fsyntax-only", path)


@pytest.mark.parametrize("real", ["float", "double"])
def test_a_c_program_gets_the_numbers_that_python_gets(real, tmp_path):
    path, suffix = written("layer_norm", tmp_path), "f32" if real == "float" else "f64"
    program = tmp_path / "main.c"
    names = (f"-DFORWARD=layer_norm_forward_{suffix}", f"-DBACKWARD=layer_norm_backward_{suffix}")
    flags = (f"-DREAL={real}", f"-DREAL_IS_FLOAT={int(real == 'float')}", *names)
    sanitized = ("-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
    program.write_text(PROGRAM, encoding="utf-8")
    run(COMPILERS[0], *STRICT, *flags, *sanitized, program, path, "-o", tmp_path / "program", "-lm")
    printed = run(tmp_path / "program", env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"})
    found = np.array(printed.split(), float).reshape(9, 2)
    x = np.array([[1, 2, 4], [-1, 0, 3]], real.replace("float", "float32").replace("double", "float64"))
    kernel = load_kernel(pipeline.emit(pipeline.derive(load("layer_norm")), ["numpy"])[0])
    y, saved = kernel.forward(x, np.array([1, 2, 3], x.dtype), np.array([0, 1, 0], x.dtype))
    gradients = kernel.backward(saved, x)
    limit = 1e-5 if real == "float" else 1e-13
    assert np.allclose(found[:6], np.stack([y.ravel(), gradients.x.ravel()], 1), rtol=limit, atol=limit)
    assert np.allclose(found[6:], np.stack([gradients.w, gradients.beta], 1), rtol=limit, atol=limit)


@pytest.mark.skipif(shutil.which("g++") is None, reason="no g++: apt-get install g++")
def test_cpp_links_with_it(tmp_path):
    path = written("softmax", tmp_path)
    program = tmp_path / "main.cpp"
    call = "float x[2] = {1, 1}, p[2]; return softmax_forward_f32(x, 1, 2, p) || p[0] != 0.5f;"
    program.write_text(f'#include "softmax.h"\n#include "softmax.h"\nint main() {{ {call} }}\n', encoding="utf-8")
    run("gcc", *STRICT, "-c", path, "-o", tmp_path / "softmax.o")
    flags = ("-std=c++11", "-Wall", "-Wextra", "-Werror")
    run("g++", *flags, program, tmp_path / "softmax.o", "-fopenmp", "-o", tmp_path / "program")
    run(tmp_path / "program")


def test_the_header_says_what_each_argument_is():
    _, header = files("layer_norm").beside
    for line in ("x: x[b, d], given; n_b * n_d numbers.", "eps: eps, a constant.", "n_b: how many places b has.",
                 "y: y[b, d], computed; n_b * n_d numbers.", "mu: mu[b], computed for the backward pass; n_b numbers.",
                 "d_y: d_y[b, d], the gradient of y; n_b * n_d numbers.",
                 "mu: mu[b], what the forward pass computed for it; n_b numbers."):  # fmt: skip
        assert f" * {line}\n" in header.text
    declared = re.findall(r"int (\w+)\(", header.text)
    types = ("f32", "f64", "bf16", "f16")
    assert declared == [f"layer_norm_{what}_{each}" for what in ("forward", "backward") for each in types]
    assert "int layer_norm_forward_bf16(const uint16_t *x, const float *w, const float *beta, double" in header.text


def test_words_of_a_layer_cannot_end_a_comment():
    text = '"""Ends */ int evil; /* here."""\ninput x[i...]\ny[i] = x[i]**2 / 3\noutput y'
    for file in pipeline.emit(pipeline.derive(from_text(text, "evil")), ["c"])[0].beside:
        outside = re.sub(r"/\*.*?\*/", "", file.text, flags=re.S)
        assert "int evil;" not in outside
        assert "Ends" not in outside


def test_the_command_writes_the_c_beside_the_python(tmp_path, capsys):
    assert main(["generate", "relu", "--backend", "c", "--out", str(tmp_path)]) == 0
    assert sorted(path.name for path in (tmp_path / "c").iterdir()) == ["relu.c", "relu.h", "relu.py"]
    assert main(["generate", "relu", "--backend", "c", "--out", str(tmp_path), "--check"]) == 0
    (tmp_path / "c" / "relu.h").write_text("", encoding="utf-8")
    assert main(["generate", "relu", "--backend", "c", "--out", str(tmp_path), "--check"]) == 1
    assert "relu.h" in capsys.readouterr().out


def test_the_door_in_python_writes_all_three_files(tmp_path):
    symgrad.layer("relu").generate("c", out=tmp_path)
    assert sorted(path.name for path in (tmp_path / "c").iterdir()) == ["relu.c", "relu.h", "relu.py"]


def test_helpers_that_nothing_uses_are_not_there():
    helpers = re.compile(r"static inline \w+ \*?(\w+)\(")
    for name in NAMES:
        text = files(name).beside[0].text
        for helper in helpers.findall(text):
            assert len(re.findall(rf"\b{helper}\b", text)) > text.count(f" {helper}(REAL x) {{"), helper
    assert "exp_tail(" in "\n".join(prelude(["sg_sigmoid(x)"]))
    assert not any("sg_" in line for line in prelude(["x + y"]))


def test_pruning_keeps_what_is_used_by_what_is_used():
    text = """#include <math.h>
#define USED 1
#define UNUSED 2
#if SOMETHING
/* about a
   and more */
static inline float a(float x) {
    return x + USED;
}
#else
static inline double a(double x) { return x; }
#endif
/* nobody needs these */
#if SOMETHING
static inline float c(float x) { return c(x); }
#endif

static inline float b(float x) { return a(x); }
static inline float d(float x) { return UNUSED + x; }"""
    lines = pruned(text, "b(1)")
    kept = text[: text.index("/* nobody")].replace("#define UNUSED 2\n", "") + "\n" + text.splitlines()[-2]
    assert lines == [line.rstrip() for line in kept.splitlines()]
    assert pruned(text, "") == ["#include <math.h>"]
