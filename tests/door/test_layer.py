"""The Python door: where layers come from, what they return, what they say when something is wrong."""

from __future__ import annotations

import doctest
import os
import subprocess
import sys

import numpy as np
import pytest

import symgrad
import symgrad.door.layer
from symgrad import pipeline
from symgrad.door.answers import Kernel
from symgrad.door.views import Gradient, Motion, Study
from symgrad.errors import InputError
from symgrad.notation.library import load

TEXT = "input x[i]\nparameter a\ny[i] = a * tanh(x[i])\nz = sum[i](x[i]**2)\noutput y, z\n"
BATCH = "d_beta[c] = sum[s, k](d_y[s, c, k])"


@pytest.fixture(scope="module")
def layer() -> symgrad.Layer:
    return symgrad.layer("batch_norm")


@pytest.fixture(scope="module")
def two() -> symgrad.Layer:
    return symgrad.Layer(TEXT, name="two")


@pytest.fixture(autouse=True)
def _eighty_columns(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")


def test_importing_the_package_imports_nothing_large(root):
    script = (
        "import sys, symgrad; large = {'numpy', 'torch', 'sympy', 'mpmath'}; assert not large & set(sys.modules)\n"
        "layer = symgrad.layer('batch_norm'); layer.gradient('x'); layer.generate('torch'); str(layer); layer.html()\n"
        "assert not {'sympy', 'torch'} & set(sys.modules)"
    )
    environment = os.environ | {"PYTHONPATH": str(root)}
    subprocess.run([sys.executable, "-c", script], check=True, env=environment, timeout=120)


def test_without_sympy_the_error_says_what_to_install(monkeypatch, layer):
    monkeypatch.setitem(sys.modules, "sympy", None)
    for ask in (layer.to_sympy, lambda: symgrad.Layer.from_sympy([]), layer.gradient("w").to_sympy):
        with pytest.raises(InputError, match="SymPy is not installed") as error:
            ask()
        assert "symgrad[sympy]" in str(error.value)


def test_three_doors_lead_to_one_record(tmp_path, layer):
    path = tmp_path / "batch_norm.sg"
    path.write_text(layer.text)
    record = load("batch_norm")
    text = symgrad.Layer(layer.text, "batch_norm")
    assert layer.record == record
    assert symgrad.Layer.from_gallery("batch_norm") == layer
    assert hash(symgrad.Layer.from_gallery("batch_norm")) == hash(layer)
    for other in (text, symgrad.Layer.from_text(layer.text, "batch_norm"), symgrad.Layer.from_file(path)):
        assert [(d.entry, d.body) for d in other.record.definitions] == [(d.entry, d.body) for d in record.definitions]
        assert (other.record.order, other.outputs) == (record.order, record.outputs)
    assert layer != symgrad.layer("relu") and layer != "batch_norm"


def test_a_layer_says_what_it_has(layer, two):
    assert (layer.name, layer.inputs, layer.parameters, layer.outputs) == ("batch_norm", ("x",), ("w", "beta"), ("y",))
    assert symgrad.layer("mse").targets == ("t",)
    assert layer.doc.startswith("Batch normalization")
    assert repr(layer) == "<Layer batch_norm: x[s, c, k...], w[c], beta[c], eps → y[s, c, k...]>"
    assert repr(two) == "<Layer two: x[i], a → y[i], z>"
    assert "σ²[c] = 1/N_i·Σ_i (x[c,i] − μ[c])²" in str(layer)


def test_the_pipelines_functions_take_both_kinds_of_layer(layer):
    assert symgrad.derive(layer) == symgrad.derive(layer.record) == layer.derive().record


def test_a_gradient_is_proved_and_shows_its_formula(layer):
    gradient = layer.gradient("beta")
    assert isinstance(gradient, Gradient) and gradient.proved
    assert gradient.notation == "d_beta[c] = sum[s, k](d_y[s, c, k])"
    assert repr(gradient) == "<Gradient ∂ℒ/∂β[c]: proved>"
    assert [d.record.route for d in layer.gradient("x").derivations] == ["paths", "jacobian"]
    assert "Solution 2" in str(layer.gradient("x"))
    assert str(layer.gradient("x").derivations[0]).endswith("[the gradients of the intermediates were derived before]")
    assert all(layer.prove(each.notation) for each in layer.derive().gradients)


def test_an_intermediate_has_one_route_and_does_not_claim_a_proof(layer):
    gradient = layer.gradient("mu")
    assert not gradient.proved and gradient.proof is None
    assert repr(gradient) == "<Gradient ∂ℒ/∂μ[c]: one route>"
    assert "∂ℒ/∂μ[c] = −w[c]" not in str(gradient).split("\n")[0]
    assert "lies inside the layer" in gradient.html()
    assert layer.prove(gradient.notation).proved


def test_the_gradient_of_one_output_leaves_the_others_out(two):
    assert two.gradient("x").notation == "d_x[i] = a*(1 - tanh(x[i])**2)*d_y[i] + 2*x[i]*d_z"
    assert two.gradient("x", of="z").notation == "d_x[i] = 2*x[i]*d_z"
    assert two.gradient("x", of="y").proved


def test_every_mode(layer, two):
    assert isinstance(layer.derive(), Study) and layer.derive().proved
    assert isinstance(layer.derive(wrt="x"), Gradient)
    motion = layer.derive("jvp", "x")
    assert isinstance(motion, Motion) and motion.proved
    assert "dot_mu[c] = 1/N_i·Σ_i dot_x[c,i]" in str(motion) and "proved" in str(motion)
    second = two.derive("hvp", "x")
    assert "dot_d_x" in repr(second) and not second.proved
    assert "every tangent is 0" in str(layer.derive("hvp", "w"))
    assert [g.entry.name for g in layer.derive("jvp").record.tangents] == ["dot_mu", "dot_var", "dot_y"]


def test_a_study_is_whole(layer):
    study = layer.derive()
    assert [gradient.name for gradient in study.gradients] == ["x", "w", "beta"]
    assert study.document().startswith("% ") or r"\documentclass" in study.document()
    assert "Proof: Solution 1 = Solution 2" in str(study)
    assert repr(study) == "<Study of batch_norm: proved>"


def test_verdicts_say_yes_no_and_do_not_know(layer):
    right = layer.prove(BATCH)
    assert right and right.proved and right.nearest is None and right.counterexample is None
    wrong = layer.prove(BATCH.replace("sum", "mean"))
    assert not wrong and wrong.refuted and wrong.counterexample.left != wrong.counterexample.right
    assert wrong.nearest[0] == BATCH
    assert repr(wrong) == "<Verdict refuted: d_beta[c] = mean[s, k](d_y[s, c, k])>"
    assert "nearest right form" in str(wrong)
    circle = symgrad.Layer("input x[i]\na[i] = sin(2 * x[i])\noutput a\n")
    unknown = circle.prove("a[i] = 2 * sin(x[i]) * cos(x[i])")
    assert not unknown and unknown.undecided and not unknown.refuted


def test_generate_writes_only_where_it_is_asked_to(layer, tmp_path, monkeypatch, root):
    monkeypatch.chdir(tmp_path)
    kernel = layer.generate("numpy")
    assert isinstance(kernel, Kernel) and list(tmp_path.iterdir()) == []
    layer.generate("torch", out=tmp_path / "made")
    assert [p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*.py")] == ["made/torch/batch_norm.py"]
    assert kernel.text == str(kernel) == (root / "generated/numpy/batch_norm.py").read_text()
    assert kernel.path == "numpy/batch_norm.py"


def test_a_kernel_runs(two):
    module = two.kernel("numpy")
    x = np.array([0.5, -1.0, 2.0])
    (y, z), saved = module.forward(x, np.float64(3.0))
    np.testing.assert_allclose(y, 3 * np.tanh(x))
    gradients = module.backward(saved, np.ones(3), 2.0)
    np.testing.assert_allclose(gradients.x, 3 * (1 - np.tanh(x) ** 2) + 4 * x)
    assert z == pytest.approx(5.25)


def test_a_torch_kernel_is_differentiable(layer):
    torch = pytest.importorskip("torch")
    x = torch.randn(4, 3, 5, dtype=torch.float64, requires_grad=True)
    w, beta = (torch.randn(3, dtype=torch.float64, requires_grad=True) for _ in range(2))
    function = layer.kernel("torch").batch_norm
    assert torch.autograd.gradcheck(lambda *t: function(*t), (x, w, beta))


WRONG = {
    "unknown": (lambda a: a.gradient("betta"), "batch_norm has nothing called betta.\nDid you mean beta?"),
    "output": (lambda a: a.gradient("y"), "d_y is the upstream gradient; it comes in from outside."),
    "constant": (lambda a: a.gradient("eps"), "eps is a constant, which gets no gradient."),
    "of an input": (lambda a: a.gradient("x", of="x"), "batch_norm defines nothing called x."),
    "not a name": (lambda a: a.gradient(3), "the name of a tensor is a text, and a int stands here."),
    "mode": (lambda a: a.derive("jpv"), "there is no mode 'jpv'."),
    "hvp by nothing": (lambda a: a.derive("hvp"), "second order needs one name: by what?\nGive wrt= one of"),
    "jvp by nothing known": (lambda a: a.derive("jvp", ["x", "v"]), "batch_norm has no input or parameter v."),
    "jvp by a number": (lambda a: a.derive("jvp", 3), "names are texts, and a int stands here."),
    "backend": (lambda a: a.generate("cobol"), "there is no backend 'cobol'.\nThe backends are numpy, torch, "),
    "claim": (lambda a: a.prove("d_beta[c] ="), "<claim>:1:12: a formula is missing here."),
    "claim of nothing": (lambda a: a.prove(None), "'None' is not a SymPy object but a NoneType."),
    "gallery": (lambda _: symgrad.layer("batchnorm"), "the gallery has no layer 'batchnorm'.\nDid you mean batch"),
    "text": (lambda _: symgrad.Layer(3), "a layer's text is a string, and a int stands here."),
    "file": (lambda _: symgrad.Layer.from_file("mine.txt"), "'mine.txt' is not an .sg file."),
    "no file": (lambda _: symgrad.Layer.from_file("nowhere.sg"), "there is no file 'nowhere.sg'."),
    "a name that is code": (lambda _: symgrad.Layer(TEXT, name="os.system"), "'os.system' cannot be a layer's name."),
    "a syntax error": (lambda _: symgrad.Layer("input x[i]\ny[i] = x[i] +\noutput y"), "<text>:2:14: "),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_said(name, layer):
    ask, message = WRONG[name]
    with pytest.raises(InputError) as error:
        ask(layer)
    assert str(error.value).startswith(message)


def test_a_target_gets_no_gradient():
    with pytest.raises(InputError, match="t is a target, which gets no gradient"):
        symgrad.layer("mse").gradient("t")


def test_nothing_unproved_is_emitted(monkeypatch, two):
    from dataclasses import replace

    from symgrad.errors import SymgradError

    study = pipeline.derive(two.record)
    broken = replace(study, found=tuple(replace(f, proof=None) for f in study.found))
    fresh = symgrad.Layer(TEXT)
    monkeypatch.setattr(pipeline, "derive", lambda _: broken)
    with pytest.raises(SymgradError, match="are not proved"):
        fresh.generate("numpy")


def test_the_example_in_the_docstring_is_right():
    found = doctest.testmod(symgrad.door.layer, globs={"Layer": symgrad.Layer})
    assert found.failed == 0 and found.attempted >= 3


def test_a_torch_kernel_without_torch_is_an_error_that_says_what_to_install(layer, monkeypatch):
    monkeypatch.setattr("symgrad.door.answers.find_spec", lambda _: None)
    with pytest.raises(symgrad.InputError, match="PyTorch is not installed"):
        layer.kernel("torch")
    assert layer.kernel("numpy").forward
