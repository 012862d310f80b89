"""The numeric checks say no: every emitted kernel with one wrong place is refused."""

from __future__ import annotations

import warnings
from dataclasses import replace
from fractions import Fraction

import pytest
from edits import edited

from symgrad import pipeline
from symgrad.check import kernels
from symgrad.check.kernels import (
    check_kernel,
    check_kernels,
    complex_step,
    load_kernel,
    relative_error,
    sizes_of,
    telling_point,
)
from symgrad.check.records import Check, Report
from symgrad.check.report import report
from symgrad.notation.library import from_text, load
from symgrad.render.kernels.records import Rendered


def emitted(root, name: str, backend: str = "numpy") -> Rendered:
    """A checked-in kernel; that it is what would be emitted, tests/test_generated.py says.

    Its blocks are as small as can be, so that small arrays have many, and how they are cut is checked as well.
    """
    path = f"{backend}/{name}.py"
    text = (root / "generated" / path).read_text(encoding="utf-8")
    for large, small in (
        ("BLOCK = 65536", "BLOCK = 1"),
        ("BLOCK = 131072", "BLOCK = 1"),
        ("spread < 64", "spread < 1"),
    ):
        text = text.replace(large, small)
    return Rendered(path, text, "")


def failed(layer, rendered: Rendered, sizes) -> bool:
    """Whether the check of a NumPy kernel says no, or the kernel does not even run."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return not all(check.passed for check in check_kernel(layer, load_kernel(rendered), sizes))
        except Exception:
            return True


@pytest.mark.parametrize(
    ("name", "sizes", "least"),
    [
        ("batch_norm", {"s": 2, "c": 3, "k": 2}, 25),
        ("sigmoid", {"i": 3}, 2),
        ("mse", {"i": 3}, 4),
        ("batch_norm_sigmoid_mse", {"s": 1, "c": 2, "k": 3}, 40),
    ],
)
def test_every_edit_of_a_numpy_kernel_is_refused(name, sizes, least, root, monkeypatch):
    known = {}

    def once(layer, point, tensor, indices):
        """The reference is the same for every edit."""
        if tensor not in known:
            known[tensor] = complex_step(layer, point, tensor, indices)
        return known[tensor]

    monkeypatch.setattr(kernels, "complex_step", once)
    layer, right = load(name), emitted(root, name)
    assert not failed(layer, right, sizes)
    edits = list(edited(right.text, ("forward", "_forward_block", "backward", "_backward_block")))
    assert len(edits) >= least
    assert [what for what, text in edits if not failed(layer, replace(right, text=text), sizes)] == []


def test_a_forgotten_upstream_gradient_is_refused(root):
    """The article's own code ignores it; with d_L = 1 nobody would see."""
    right = emitted(root, "batch_norm_sigmoid_mse")
    wrong = right.text.replace("2 * d_L / ", "2 / ")
    assert wrong != right.text
    assert failed(load(right.path[6:-3]), replace(right, text=wrong), {"s": 3, "c": 2, "k": 1})


@pytest.mark.parametrize("seed", range(8))
def test_no_upstream_gradient_is_zero_or_one(seed):
    layer = load("mse")
    point = telling_point(layer, sizes_of(layer), seed)
    assert abs(point.value("d_L", ())) not in (0, 1)


def test_a_wrong_forward_in_the_layer_itself_is_not_seen_by_the_equations(batch_norm):
    """What this check is blind to: both sides read the same equations. PyTorch's modules see it."""
    pytest.importorskip("torch")
    from symgrad.check.torch_kernels import torch_checks
    from symgrad.notation.library import from_text

    text = batch_norm.layer.text.replace("var[c]     = mean", "var[c] = 2*mean")
    assert text != batch_norm.layer.text
    found = pipeline.derive(from_text(text, "batch_norm"))
    (rendered,) = pipeline.emit(found, ["numpy"])
    module = load_kernel(rendered)
    assert all(check.passed for check in check_kernel(found.layer, module, {"s": 2, "c": 3, "k": 1}))
    assert not next(check for check in torch_checks(found.layer, {"numpy": module}, {}) if check.what == "d_x").passed


WHOLE = ("_forward_block", "_gradients_block")
BLOCKS = ("forward", "_forward_in_place", "_gradients", "_gradients_in_place")


@pytest.mark.parametrize("functions", [WHOLE, BLOCKS])
def test_a_wrong_torch_kernel_is_refused(batch_norm, root, functions):
    """A CPU computes in place; a GPU, and derivatives of derivatives, need the other functions for everything."""
    pytest.importorskip("torch")
    from symgrad.check.torch_kernels import torch_checks

    numpy, right = emitted(root, "batch_norm"), emitted(root, "batch_norm", "torch")
    if functions == WHOLE:
        whole = right.text.replace("    if step is None or ", "    if True or ")
        assert whole != right.text
        right = replace(right, text=whole)
    assert report(batch_norm, [numpy, right], {}).passed
    edits = list(edited(right.text, functions))
    assert len(edits) > 20
    for what, text in edits[::5]:
        modules = {"torch": load_kernel(replace(right, text=text))}
        try:
            refused = any(not check.passed for check in torch_checks(batch_norm.layer, modules, {}))
        except (RuntimeError, ValueError, IndexError, TypeError):
            continue  # it does not even run
        assert refused, what


def test_the_articles_own_data_and_every_other(network):
    """Output, loss and gradients of all implementations, against PyTorch's own modules."""
    pytest.importorskip("torch")
    found = pipeline.check(network)
    assert found.passed
    assert found.skipped == ()
    own = [check for check in found.checks if check.where.startswith("article's data")]
    assert {check.subject for check in own} == {
        f"{backend}, {how}" for backend in ("numpy", "torch") for how in ("fused", "layer by layer")
    }
    assert {check.what for check in own} == {"y", "z", "L", "d_x", "d_w", "d_beta"}
    assert max(check.error for check in own) < 1e-12


def test_far_from_zero_float32_errs_less_than_torch(network):
    """Mean 1e4, standard deviation 1: each result is held against the error of PyTorch's own."""
    pytest.importorskip("torch")
    far = [check for check in pipeline.check(network).checks if check.where.startswith("mean 1e4")]
    own = {check.what: check.error for check in far if check.subject == "PyTorch itself"}
    assert set(own) >= {"L", "d_x", "d_w", "d_beta"}
    for check in far:
        assert check.error <= own[check.what]


def test_without_torch_the_report_says_what_was_not_run(batch_norm, root, monkeypatch):
    from symgrad.check import report as module

    monkeypatch.setattr(module, "HAS_TORCH", False)
    found = report(batch_norm, [emitted(root, "batch_norm"), emitted(root, "batch_norm", "torch")], {})
    assert found.passed
    assert "torch is not installed" in found.skipped[0]
    assert all("torch" not in check.reference for check in found.checks)


def test_nan_another_shape_and_no_comparison_are_no_success():
    assert not Check("d_x", "numpy", "", "", float("nan"), 1e-10).passed
    assert relative_error([1.0, 2.0], [[1.0], [2.0]]) == float("inf")
    assert relative_error([0.0], [0.0]) == 0
    assert relative_error([1.0, 2.0], [1.0, 4.0]) == 0.5
    assert not Report("empty", ()).passed


def test_the_worst_is_the_largest_share_of_its_limit():
    near, far = Check("d", "", "", "", 0.5, 1.0), Check("d", "", "", "", 0.2, 0.25)
    nan = Check("d", "", "", "", float("nan"), 1.0)
    assert Report("r", (near, far)).worst("d") is far
    assert Report("r", (near, nan, far)).worst("d") is nan
    assert Report("r", (near,)).worst("e") is None


def test_exact_fractions_stay_what_they_are():
    layer = load("sigmoid")
    point = telling_point(layer, {"i": 4}, 1, positive=True)
    assert all(isinstance(value, Fraction) for values in point.values.values() for value in values.values())


OWN = """
input     x[b, i]
parameter w[i]
label     t[b] in i
y[b] = w[t[b]] * tanh(x[b, t[b]])
output y
"""


def test_the_torch_kernel_of_a_layer_without_reference_is_run_and_may_be_refused():
    pytest.importorskip("torch")
    study = pipeline.derive(from_text(OWN, "own"))
    found = pipeline.check(study)
    assert found.passed
    assert {check.subject for check in found.checks} >= {"numpy", "torch"}
    (rendered,) = pipeline.emit(study, ["torch"])
    assert "torch.tanh(x_at) * d_y" in rendered.text
    wrong = Rendered(rendered.path, rendered.text.replace("torch.tanh(x_at) * d_y", "torch.sin(x_at) * d_y"), "")
    checks = check_kernels(study.layer, {"torch": load_kernel(wrong)}, sizes_of(study.layer))
    assert not all(check.passed for check in checks)


def test_the_header_of_a_file_names_what_emits_it_again(tmp_path):
    (tmp_path / "own.sg").write_text(OWN, encoding="utf-8")
    (own,) = pipeline.emit(pipeline.derive(load(tmp_path / "own.sg")), ["numpy"])
    assert "python -m symgrad generate own.sg --backend numpy" in own.text
    (text,) = pipeline.emit(pipeline.derive(from_text(OWN, "own")), ["numpy"])
    assert "python -m symgrad generate own --backend numpy" in text.text
    (known,) = pipeline.emit(pipeline.derive(load("tanh")), ["numpy"])
    assert "python -m symgrad generate tanh --backend numpy" in known.text
