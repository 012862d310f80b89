"""`check --against` with input that is wrong: exit status 2, the reason, and the way out."""

from __future__ import annotations

from textwrap import dedent

import numpy as np
import pytest

from symgrad.check.against.arrays import TermArrays
from symgrad.check.against.cases import rounded
from symgrad.check.against.loading import split_name
from symgrad.cli import main
from symgrad.errors import InputError
from symgrad.notation.library import load
from symgrad.prove.evaluate import Evaluator
from symgrad.prove.floats import Floats

GOOD = """
import numpy as np
print("imported")
def forward(x):
    return np.tanh(x), x
def backward(saved, d_y):
    return d_y * (1 - np.tanh(saved) ** 2)
def pair(x):
    return 1
number = 3
"""


def run(capsys, *arguments: str) -> tuple[int, str, str]:
    status = main(["check", *arguments])
    shown = capsys.readouterr()
    return status, shown.out, shown.err


@pytest.fixture
def kernel(tmp_path):
    def write(text: str) -> str:
        path = tmp_path / "kernel.py"
        path.write_text(dedent(text), encoding="utf-8")
        return str(path)

    return write


def test_a_pair_of_functions_runs_and_prints_to_standard_error(kernel, capsys, tmp_path):
    status, out, err = run(capsys, "--against", kernel(GOOD) + ":forward,backward", "tanh")
    assert status == 0
    assert "It holds in all" in out
    assert "imported" in err and "imported" not in out
    assert [path.name for path in tmp_path.iterdir()] == ["kernel.py"]


@pytest.mark.parametrize(
    ("text", "name", "words"),
    [
        (GOOD, ":forwrad,backward", "has no 'forwrad'"),
        (GOOD, ":forwrad,backward", "Did you mean forward?"),
        (GOOD, ":number", "is neither a function nor has it both forward and backward"),
        (GOOD, ":a,b,c", "names no Python file and what to run in it"),
        (GOOD, ":not a name", "names no Python file and what to run in it"),
        ("x = (", "", "SyntaxError at kernel.py:1"),
        ("def f():\n    raise ValueError('so')\nf()", "", "ValueError at kernel.py:2: so"),
        ("import no_such_module_here", "", "No module named 'no_such_module_here'"),
        ("raise SystemExit(3)", "", "SystemExit at kernel.py:1"),
        ("x = 1", "", "neither a function nor has it both forward and backward"),
        (GOOD.replace("forward(x)", "forward(x, w, b)"), "", "takes x, w, b; the layer has the tensors x"),
        (GOOD.replace("forward(x)", "forward()"), "", "takes nothing; the layer has the tensors x"),
        (GOOD.replace("np.tanh(x), x", "None, x"), "", "forward returns y as None"),
        (GOOD.replace("np.tanh(x), x", "x.sum(), x"), "", "with the shape () instead of (4,)"),
        (GOOD.replace("np.tanh(x), x", "x > 0, x"), "", "of bool, not as an array of real numbers"),
        (GOOD.replace("np.tanh(x), x", "x, x, x"), "", "forward returns 2 outputs and what was saved"),
        (GOOD.replace("return d_y * (1 - ", "return d_y, (1 - "), "", "backward returns 2 gradients instead of 1 (x)"),
        (GOOD.replace("return d_y * (1 - np.tanh(saved) ** 2)", "return {'z': d_y, 'q': 1}"), "", "no d_x"),
        (GOOD.replace("return d_y * (1", "return d_y.sum() * (1"), ":forward", "one function"),
        (
            GOOD.replace("return d_y * (1 - np.tanh(saved) ** 2)", "raise KeyError('gone')"),
            "",
            "backward raises KeyError at kernel.py:7",
        ),
    ],
)
def test_wrong_input_ends_with_status_2_and_says_what_to_do(text, name, words, kernel, capsys, monkeypatch):
    if words == "one function":
        monkeypatch.setattr("symgrad.check.against.check.find_spec", lambda _: None)
    status, out, err = run(capsys, "--against", kernel(text) + name, "tanh")
    assert status == 2
    assert out == ""
    assert err.rpartition("error: ")[2].count("\n") >= 2
    assert words in " ".join(err.split())
    assert "Traceback" not in err


def test_a_missing_file_and_a_missing_layer(capsys, kernel):
    status, _, err = run(capsys, "--against", "nowhere.py:f", "tanh")
    assert status == 2
    assert "there is no file 'nowhere.py'" in err
    status, _, err = run(capsys, "--against", kernel(GOOD))
    assert status == 2
    assert "--against needs one LAYER" in err


def test_a_transposed_gradient_is_named(capsys, kernel):
    text = """
        def forward(x, w, bias):
            return x @ w.T + bias, (x, w)
        def backward(saved, d_y):
            x, w = saved
            rows = d_y.reshape(-1, d_y.shape[-1])
            return d_y @ w, x.reshape(-1, x.shape[-1]).T @ rows, rows.sum(0)
    """
    status, _, err = run(capsys, "--against", kernel(text), "linear")
    assert status == 2
    assert "d_w with the shape (3, 2) instead of (2, 3): transposed" in " ".join(err.split())


def test_paths_with_colons_and_without_names():
    assert split_name("a.py") == ("a.py", ())
    assert split_name("C:/b/a.py:F") == ("C:/b/a.py", ("F",))
    assert split_name("a.py:f, g") == ("a.py", ("f", "g"))
    assert split_name("a.py:kernels.F") == ("a.py", ("kernels.F",))
    with pytest.raises(InputError):
        split_name("a.txt:F")


def test_a_wrong_kernel_ends_with_status_1(capsys, kernel):
    status, out, _ = run(capsys, "--against", kernel(GOOD.replace("** 2", "** 3")), "tanh")
    assert status == 1
    assert "✗ d_x is wrong" in out
    assert all(len(line) <= 80 for line in out.split("\n"))


@pytest.mark.parametrize("name", ["batch_norm", "softmax", "attention", "causal_attention", "huber", "gelu", "rope"])
def test_terms_as_arrays_are_what_the_evaluator_says(name):
    from symgrad import pipeline
    from symgrad.check.kernels import array_of, sizes_of
    from symgrad.check.samples import sensible_point

    study = pipeline.derive(load(name))
    layer = study.layer
    point = sensible_point(layer, sizes_of(layer), 3)
    values = {tensor.name: array_of(point, tensor.indices, tensor.name) for tensor in layer.tensors}
    values |= {f"d_{o}": array_of(point, layer.entry(o).indices, f"d_{o}") for o in layer.outputs}
    values |= {constant.name: np.asarray(float(constant.default)) for constant in layer.constants}
    arrays, evaluator = TermArrays(layer, point.sizes, values), Evaluator(layer, point, Floats())
    for gradient in study.gradients:
        arrays.define(gradient.entry.name, gradient.entry.indices, gradient.body)
    for tensor in layer.differentiable:
        found = arrays.values[f"d_{tensor.name}"]
        for key in np.ndindex(*found.shape):
            assert found[key] == pytest.approx(evaluator.entry(f"d_{tensor.name}", key), rel=1e-10, abs=1e-12)


def test_numbers_are_rounded_as_torch_rounds_them():
    torch = pytest.importorskip("torch")
    values = np.random.default_rng(0).normal(size=200) * 10.0 ** np.arange(-10, 10).repeat(10)
    for dtype in ("float32", "bfloat16", "float16"):
        with np.errstate(over="ignore"):
            own = rounded(values[:150], dtype)
        assert np.array_equal(own, torch.from_numpy(values[:150]).to(getattr(torch, dtype)).double().numpy())
    assert rounded(np.asarray(1.1), "bfloat16").shape == ()
