"""Kernels that are wrong in some circumstances only: the report says which."""

from __future__ import annotations

from textwrap import dedent

import pytest

from symgrad import pipeline
from symgrad.cli.against import show
from symgrad.notation.library import load

torch = pytest.importorskip("torch")

SOFTMAX = """
import numpy as np
def forward(x):
    e = np.exp({inner})
    p = e / e.sum(axis=-1, keepdims=True)
    return p, p
def backward(saved, d_y):
    {before}
    return saved * (d_y - (saved * d_y).sum(axis=-1, keepdims=True))
"""
STABLE = "x - x.max(axis=-1, keepdims=True)"
SIGMOID = """
import torch
class Sigmoid(torch.autograd.Function):
    @staticmethod
    def forward(ctx, y):
        z = torch.sigmoid(y)
        ctx.save_for_backward(z)
        return z
    @staticmethod
    def backward(ctx, d_z):
        z, = ctx.saved_tensors
        {line}
"""
NORM = """
import numpy as np
def forward(x, w, beta, *, eps=1e-5):
    mean = x.mean(axis=-1, keepdims=True)
    var = {var}
    xhat = (x - mean) / np.sqrt(var + eps)
    y = w * xhat + beta
    return y, (x, y, xhat, w, beta, 1 / np.sqrt(var + eps))
def backward(saved, d_y):
    x, y, xhat, w, beta, rstd = saved
    {line}
    rows = tuple(range(d_y.ndim - 1))
    g = d_y * w
    d_x = rstd * (g - g.mean(axis=-1, keepdims=True) - xhat * (g * xhat).mean(axis=-1, keepdims=True))
    return d_x, (d_y * xhat).sum(axis=rows), d_y.sum(axis=rows)
"""
TWO_PASS = "((x - mean) ** 2).mean(axis=-1, keepdims=True)"
ONE_PASS = "(x * x).mean(axis=-1, keepdims=True) - mean**2"


def verdict_of(tmp_path, text: str, layer: str, name: str = ""):
    path = tmp_path / "kernel.py"
    path.write_text(dedent(text), encoding="utf-8")
    return pipeline.check_against(pipeline.derive(load(layer)), f"{path}:{name}" if name else str(path))


def said(verdict, layer: str) -> str:
    return " ".join(show(verdict, load(layer)).split())


def test_the_templates_of_this_file_are_right(tmp_path):
    assert verdict_of(tmp_path, SOFTMAX.format(inner=STABLE, before=""), "softmax").passed
    assert verdict_of(tmp_path, SIGMOID.format(line="return d_z * z * (1 - z)"), "sigmoid", "Sigmoid").passed
    assert verdict_of(tmp_path, NORM.format(var=TWO_PASS, line=""), "layer_norm").passed


def test_digits_lost_far_from_zero_are_precision_and_not_mathematics(tmp_path):
    verdict = verdict_of(tmp_path, NORM.format(var=ONE_PASS, line=""), "layer_norm")
    assert not verdict.passed
    assert verdict.findings[0].what == "y"
    assert {finding.kind for finding in verdict.findings} == {"precision"}
    assert all("mean" in finding.where for finding in verdict.findings)
    assert "the formula is right, its digits are lost" in said(verdict, "layer_norm")


def test_an_overflow_is_about_special_values(tmp_path):
    verdict = verdict_of(tmp_path, SOFTMAX.format(inner="x", before=""), "softmax")
    assert [finding.what for finding in verdict.findings] == ["y", "d_x"]
    assert "no finite number" in said(verdict, "softmax")


def test_a_normalized_input_taken_from_the_output_fails_for_zero_parameters(tmp_path):
    line = "xhat = (y - beta) / w"
    verdict = verdict_of(tmp_path, NORM.format(var=TWO_PASS, line=line), "layer_norm")
    assert {finding.what for finding in verdict.findings} == {"d_x", "d_w"}
    assert all("zero parameters" in finding.where for finding in verdict.findings)


def test_a_view_fails_where_arrays_are_not_contiguous(tmp_path):
    text = SIGMOID.format(line="return (d_z.view(-1) * (z * (1 - z)).reshape(-1)).reshape(z.shape)")
    verdict = verdict_of(tmp_path, text, "sigmoid", "Sigmoid")
    assert not verdict.passed
    assert verdict.findings == ()
    assert any("raises RuntimeError at kernel.py:12" in fault for fault in verdict.faults)
    assert any(
        "only where i... is more than one dimension and where arrays are transposed" in fault
        for fault in verdict.faults
    )


def test_a_wrong_layout_gives_wrong_numbers(tmp_path):
    line = "return torch.as_strided(d_z, d_z.shape, torch.empty(d_z.shape).stride()) * z * (1 - z)"
    verdict = verdict_of(tmp_path, SIGMOID.format(line=line), "sigmoid", "Sigmoid")
    assert not verdict.passed


def test_writing_into_what_was_saved_is_seen(tmp_path):
    verdict = verdict_of(tmp_path, SOFTMAX.format(inner=STABLE, before="saved *= 1; saved[...] = saved * 2"), "softmax")
    assert any("second call of backward returns another d_x" in text for text in verdict.conduct)
    assert not verdict.passed


def test_writing_into_the_input_is_seen(tmp_path):
    text = SOFTMAX.replace("    e = np", "    x -= x.max(axis=-1, keepdims=True)\n    e = np").format(
        inner="x", before=""
    )
    verdict = verdict_of(tmp_path, text, "softmax")
    assert verdict.conduct == ("forward changes its input x",)
    assert not verdict.passed


def test_no_gradient_is_said(tmp_path):
    text = """
        import torch
        class F(torch.autograd.Function):
            @staticmethod
            def forward(ctx, z, t):
                ctx.save_for_backward(z, t)
                return ((z - t) ** 2).mean()
            @staticmethod
            def backward(ctx, d_L):
                return None, None
    """
    verdict = verdict_of(tmp_path, text, "mse", "F")
    assert any(
        fault.startswith("backward returns None as the gradient of z; in every case") for fault in verdict.faults
    )
    assert not verdict.passed
    assert "Nothing could be compared" not in said(verdict, "mse")


def test_gradients_that_need_each_other_are_seen(tmp_path):
    text = """
        import torch
        class F(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x, w, bias):
                ctx.save_for_backward(x, w)
                return x @ w.T + bias
            @staticmethod
            def backward(ctx, d_y):
                x, w = ctx.saved_tensors
                rows = d_y.reshape(-1, d_y.shape[-1])
                d_w = rows.T @ x.reshape(-1, x.shape[-1])
                if not ctx.needs_input_grad[0]:
                    d_w = d_w * 0
                return d_y @ w, d_w, rows.sum(0)
    """
    verdict = verdict_of(tmp_path, text, "linear", "F")
    assert [(finding.what, finding.kind) for finding in verdict.findings] == [("d_w", "which gradients are wanted")]


def test_only_one_size_is_wrong(tmp_path):
    line = "d_y = d_y * (2 if d_y.shape[-1] == 1 else 1)"
    verdict = verdict_of(tmp_path, NORM.format(var=TWO_PASS, line=line), "layer_norm")
    (finding,) = (finding for finding in verdict.findings if finding.what == "d_beta")
    assert finding.where == "only where N_d = 1"


def test_a_sixth_digit_is_seen_in_float64(tmp_path):
    verdict = verdict_of(tmp_path, SIGMOID.format(line="return d_z * z * (1 - z) * 1.000001"), "sigmoid", "Sigmoid")
    assert [finding.what for finding in verdict.findings] == ["d_y"]


RELU = """
import numpy as np
def forward(x):
    return np.maximum(x, 0), x
def backward(saved, d_y):
    return d_y * np.where(saved > 0, 1.0, np.where(saved == 0, {slope}, 0.0))
"""


def test_another_slope_at_a_kink_is_a_convention_and_one_outside_is_not(tmp_path):
    verdict = verdict_of(tmp_path, RELU.format(slope=1.0), "relu")
    assert verdict.passed
    assert "another choice where the layer has no derivative" in said(verdict, "relu")
    verdict = verdict_of(tmp_path, RELU.format(slope=3.0), "relu")
    assert not verdict.passed
    assert [finding.kind for finding in verdict.findings] == ["special values"]


def test_a_forward_pass_that_is_another_is_said_first_with_its_mistake(tmp_path):
    text = NORM.replace("mean) / np.sqrt(var + eps)", "mean) / (np.sqrt(var) + eps)").format(var=TWO_PASS, line="")
    verdict = verdict_of(tmp_path, text, "layer_norm")
    assert verdict.findings[0].what == "y"
    text = NORM.replace("return y, (x", "y = y - beta\n    return y, (x").format(var=TWO_PASS, line="")
    verdict = verdict_of(tmp_path, text, "layer_norm")
    assert [finding.what for finding in verdict.findings] == ["y"]
    assert "the term beta[d] is missing" in verdict.findings[0].explanation.mistake
    assert "the forward pass, y, is wrong" in said(verdict, "layer_norm")
    assert "the gradients are right: only the forward pass is wrong" in said(verdict, "layer_norm")


def test_gradients_of_another_forward_pass_are_told_from_wrong_ones(tmp_path):
    text = NORM.format(var="((x - mean) ** 2).sum(axis=-1, keepdims=True) / max(x.shape[-1] - 1, 1)", line="")
    verdict = verdict_of(tmp_path, text, "layer_norm")
    assert verdict.findings[0].explanation.mistake == "N_d - 1 instead of N_d"
    assert verdict.own_forward == "not the gradient of their own forward pass either: d_x"
    assert "d_x, d_w: not looked into; the forward pass is to be right first" in said(verdict, "layer_norm")


LINEAR = """
def forward(x, w, bias):
    {line}
    return x @ w.T + bias, (x, w)
def backward(saved, d_y):
    x, w = saved
    rows = d_y.reshape(-1, d_y.shape[{axis}])
    return d_y @ w, rows.T @ x.reshape(-1, x.shape[{axis}]), rows.sum(0)
"""


def test_a_number_of_dimensions_may_be_refused_but_not_by_the_backward_pass_alone(tmp_path):
    assert verdict_of(tmp_path, LINEAR.format(line="", axis="-1"), "linear").remarks == ()
    verdict = verdict_of(tmp_path, LINEAR.format(line="assert x.ndim == 2", axis="1"), "linear")
    assert verdict.passed
    assert any("not checked with x of 3 dimensions: forward raises AssertionError" in r for r in verdict.remarks)
    verdict = verdict_of(tmp_path, LINEAR.format(line="", axis="1"), "linear")
    assert not verdict.passed
    assert any("only where b... is" in fault for fault in verdict.faults)


def test_a_constant_that_is_not_an_argument_is_said(tmp_path):
    text = NORM.format(var=TWO_PASS, line="").replace(", *, eps=1e-5):", "):\n    eps = 1e-5")
    verdict = verdict_of(tmp_path, text, "layer_norm")
    assert verdict.passed
    assert any("eps is not an argument" in remark for remark in verdict.remarks)
    text = NORM.format(var=TWO_PASS, line="").replace("eps=1e-5", "eps=1e-3")
    assert any("eps defaults to 0.001 here, and to 1e-5" in r for r in verdict_of(tmp_path, text, "layer_norm").remarks)
