"""What the backward pass reads and what it computes again: by cost, or as a person wants it."""

from __future__ import annotations

import numpy as np
import pytest

from symgrad import pipeline
from symgrad.cli import main
from symgrad.errors import InputError
from symgrad.notation.library import from_text, gallery, load
from symgrad.plan.saving import Saving

COSTLY = """
input x[i]
a[i] = exp(sin(exp(x[i]))) * tanh(x[i])
b[i] = sin(a[i]) * exp(a[i]) * cos(a[i])
y[i] = sin(b[i]**2)
output y
"""


def saving(save: str = "", recompute: str = "") -> Saving:
    return Saving(frozenset(save.split()), frozenset(recompute.split()))


def saved(text: str, choice: Saving) -> set[str]:
    layer = from_text(text) if "\n" in text else load(text)
    return set(pipeline.plan(pipeline.derive(layer), choice).saved)


def test_a_choice_changes_what_is_saved():
    name = "batch_norm_sigmoid_mse"
    default = saved(name, Saving())
    assert "z" not in default
    assert {"mu", "var"} <= default
    assert "z" in saved(name, saving(save="z"))
    assert "mu" not in saved(name, saving(recompute="y.mu"))
    assert saved(name, saving(recompute="mu var")) <= default - {"mu", "var"}


def test_what_costs_more_than_memory_is_saved():
    assert saved(COSTLY, Saving()) == {"x", "b"}
    assert saved(COSTLY, saving(recompute="b")) == {"x"}


def test_the_gallery_saves_only_outputs_and_reductions():
    for name in gallery():
        layer = load(name)
        for definition in layer.definitions:
            if definition.name not in layer.outputs and not definition.body.binds:
                assert not Saving().keeps(definition, layer)


@pytest.mark.parametrize("backend", ["numpy", "torch", "c"])
@pytest.mark.parametrize("choice", [saving(save="z"), saving(recompute="mu"), saving(recompute="mu var")], ids=str)
def test_the_numbers_stay_the_same(backend, choice):
    from symgrad.check.kernels import load_kernel

    study = pipeline.derive(load("batch_norm_sigmoid_mse"))
    random = np.random.default_rng(0)
    given = [random.normal(size=(5, 3, 4)), *random.random((2, 3)), random.random((5, 3, 4))]
    found = []
    for each in (Saving(), choice):
        kernel = load_kernel(pipeline.emit(study, [backend], each)[0])
        if backend == "torch":
            torch = pytest.importorskip("torch")
            tensors = [torch.tensor(array, requires_grad=True) for array in given]
            found.append([kernel.batch_norm_sigmoid_mse(*tensors), *torch.autograd.grad(
                kernel.batch_norm_sigmoid_mse(*tensors), tensors[:3])])  # fmt: skip
        else:
            loss, kept = kernel.forward(*given)
            found.append([loss, *kernel.backward(kept)])
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(np.asarray(one.detach() if backend == "torch" else one),
                                   np.asarray(other.detach() if backend == "torch" else other), rtol=1e-11)  # fmt: skip


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        (saving(save="q"), "does not define q"),
        (saving(recompute="muu"), "does not define muu"),
        (saving(save="mu", recompute="y.mu"), "y.mu cannot be both"),
        (saving(save="x"), "does not define x"),
    ],
    ids=str,
)
def test_a_wrong_name_is_refused(choice, message):
    with pytest.raises(InputError, match=message):
        saved("batch_norm_sigmoid_mse", choice)


def test_the_command_line_takes_them(tmp_path, capsys):
    assert main(["plan", "batch_norm_sigmoid_mse", "--save", "z", "--recompute", "mu"]) == 0
    assert "z[s, c, k...]" in capsys.readouterr().out.split("\n\n")[0]
    out = ["--out", str(tmp_path)]
    assert main(["generate", "silu", "--backend", "numpy", "--recompute", "y", *out]) == 0
    assert main(["generate", "--save", "z", *out]) == 2
    assert "need a layer" in capsys.readouterr().err
