"""Hand-written kernels: the wrong ones are caught and their mistake named, the right ones pass."""

from __future__ import annotations

from functools import cache

import pytest
from wrong_kernels import HAND, WRONG

from symgrad import pipeline
from symgrad.check.against.records import Verdict
from symgrad.cli.against import show
from symgrad.notation.library import load

torch = pytest.importorskip("torch")


@cache
def studied(name: str):
    return pipeline.derive(load(name))


def checked(kernel: str, layer: str) -> Verdict:
    return pipeline.check_against(studied(layer), kernel)


@pytest.mark.parametrize("row", WRONG, ids=lambda row: f"{row.layer}: {row.new[:40]}")
def test_a_wrong_kernel_is_caught_and_its_mistake_named(row, tmp_path):
    verdict = checked(row.written(tmp_path), row.layer)
    assert not verdict.passed
    (finding,) = (finding for finding in verdict.findings if finding.what == row.what)
    found = finding.explanation
    assert found is not None
    assert any(words in found.mistake for words in row.words)
    assert found.refuted
    assert found.sizes >= 3
    assert found.agreement < 1e-8
    assert found.mistake.split(":")[-1].split()[-1] in " ".join(show(verdict, studied(row.layer).layer).split())


def test_there_are_enough_wrong_kernels():
    assert len(WRONG) >= 25
    assert len({row.layer for row in WRONG}) >= 9


RIGHT = (
    ("batch_norm_np.py", "batch_norm"),
    ("layer_norm_torch.py:LayerNorm", "layer_norm"),
    ("numpy_kernels.py:Softmax", "softmax"),
    ("numpy_kernels.py:Linear", "linear"),
    ("numpy_kernels.py:Mse", "mse"),
    ("numpy_kernels.py:CrossEntropy", "cross_entropy"),
    ("numpy_kernels.py:Attention", "attention"),
    ("numpy_kernels.py:Relu", "relu"),
    ("torch_kernels.py:layer_norm", "layer_norm"),
    ("torch_kernels.py:batch_norm", "batch_norm"),
    ("torch_kernels.py:softmax", "softmax"),
    ("torch_kernels.py:own_softmax", "softmax"),
    ("torch_kernels.py:own_layer_norm", "layer_norm"),
    ("torch_kernels.py:own_gelu", "gelu"),
    ("torch_kernels.py:own_attention", "attention"),
    ("torch_kernels.py:own_cross_entropy", "cross_entropy"),
    ("torch_kernels.py:mse", "mse"),
    ("torch_kernels.py:attention", "attention"),
    ("torch_kernels.py:focal_like_bce", "bce_with_logits"),
    ("torch_kernels.py:network", "batch_norm_sigmoid_mse"),
    ("torch_kernels.py:Silu", "silu"),
    ("torch_kernels.py:RmsNorm", "rms_norm"),
    ("torch_kernels.py:Gelu", "gelu"),
)


@pytest.mark.parametrize(("kernel", "layer"), RIGHT)
def test_a_right_kernel_passes(kernel, layer):
    verdict = checked(str(HAND / kernel), layer)
    assert verdict.findings == verdict.faults == verdict.conduct == ()
    assert verdict.passed
    assert verdict.cases > 30
    assert [order.verdict for order in verdict.orders] == (["holds"] * 2 if ".py:" in kernel and "np.py" not in kernel
                                                           and "numpy" not in kernel else [])  # fmt: skip


OWN = (
    "batch_norm",
    "cross_entropy",
    "group_norm",
    "gelu_tanh",
    "gru_cell",
    "huber",
    "lstm_cell",
    "rope",
    "weight_norm",
)


@pytest.mark.parametrize("backend", ["numpy", "torch"])
@pytest.mark.parametrize("name", OWN)
def test_symgrads_own_kernels_pass(name, backend, root):
    path = root / "generated" / backend / f"{name}.py"
    verdict = checked(f"{path}:{name}" if backend == "torch" else str(path), name)
    assert verdict.passed, show(verdict, studied(name).layer)


def test_several_outputs_have_several_upstream_gradients(root):
    assert checked(str(root / "generated" / "numpy" / "lstm_cell.py"), "lstm_cell").passed


def test_saved_intermediate_results_are_right_once_and_wrong_at_the_second_order():
    verdict = checked(str(HAND / "layer_norm_torch.py:SavedLayerNorm"), "layer_norm")
    assert verdict.findings == ()
    assert not verdict.passed
    assert {order.name: order.verdict for order in verdict.orders} == {"gradcheck": "holds", "gradgradcheck": "fails"}
    said = " ".join(show(verdict, studied("layer_norm").layer).split())
    assert "the first order is right, the second order silently wrong" in said
    assert "Save the inputs and compute from them in backward" in said


def test_the_second_order_waits_for_the_first(tmp_path):
    (row,) = (row for row in WRONG if row.new.startswith("xhat * (g * xhat).sum(") and row.layer == "layer_norm")
    verdict = checked(row.written(tmp_path), row.layer)
    assert {order.name: order.verdict for order in verdict.orders} == {"gradcheck": "fails", "gradgradcheck": "not run"}
