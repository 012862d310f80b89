"""What goes in decides what comes out: no line of a NumPy kernel widens float32, and none narrows float64."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from symgrad import pipeline
from symgrad.check.kernels import load_kernel, sizes_of
from symgrad.check.samples import kinds_of, ordinary, sample
from symgrad.notation.library import from_text, gallery, load
from symgrad.render.kernels.records import Rendered

DTYPES = (np.float32, np.float64)


def other_dtypes(layer, module, dtype) -> dict[str, str]:
    """The outputs and gradients of a kernel that have another dtype than its inputs."""
    lengths = {axis: (length,) for axis, length in sizes_of(layer).items()}
    arrays = sample(layer, lengths, kinds_of(layer, {}), np.random.default_rng(0), ordinary)
    given = [arrays[t.name] if t.role == "label" else arrays[t.name].astype(dtype) for t in layer.tensors]
    outputs, saved = module.forward(*given)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    gradients = module.backward(saved, *(np.ones(output.shape, dtype) for output in outputs))
    found = dict(zip(layer.outputs, outputs, strict=True))
    found |= {f"d_{name}": value for name, value in gradients._asdict().items()}
    assert len(found) == len(layer.outputs) + len(layer.differentiable)
    return {name: str(value.dtype) for name, value in found.items() if value.dtype != dtype}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", gallery())
def test_results_have_the_dtype_of_the_inputs(name, dtype, root):
    text = (root / "generated" / "numpy" / f"{name}.py").read_text(encoding="utf-8")
    assert other_dtypes(load(name), load_kernel(Rendered(f"numpy/{name}.py", text, name)), dtype) == {}


CHOICES = {
    "of constants": "input x[b, i]\nconstant a = 0.1\ny[b, i] = where(x[b, i] < 0, a, 1) * x[b, i]\noutput y",
    "of the upstream gradient": "input x[i]\nL = mean[i](where(x[i] < 1, x[i], 0))\noutput L",
    "one in the other": """input x[b, i]
constant a = 0.1
y[b, i] = x[b, i] * where(x[b, i] < 0, where(x[b, i] < -1, a, 2*a), 3*a)
output y""",
    "on a smaller array": """input x[b, i]
parameter w[i]
constant a = 0.1
y[b, i] = x[b, i] * where(w[i] < 0, a, 1)
output y""",
    "by a mean": """input x[b, i]
constant a = 0.1
m[b] = mean[i](x[b, i])
y[b, i] = x[b, i] * where(m[b] < 0, a, 1) + where(m[b] < x[b, i], a, 2)
output y""",
    "by places": "input x[b, i]\nconstant a = 0.1\ny[b, i] = x[b, i] * where(i <= b, a, 1)\noutput y",
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", CHOICES)
def test_a_choice_of_numbers_has_it_too(name, dtype):
    layer = from_text(CHOICES[name])
    study = pipeline.derive(layer)
    assert other_dtypes(layer, load_kernel(pipeline.emit(study, ["numpy"])[0]), dtype) == {}


def test_the_check_sees_a_wider_gradient():
    layer = load("leaky_relu")
    rendered = pipeline.emit(pipeline.derive(layer), ["numpy"])[0]
    wider = rendered.text.replace("np.where(0 < x, 1, slope).astype(dtype)", "np.where(0 < x, 1, slope)")
    assert wider != rendered.text
    assert other_dtypes(layer, load_kernel(replace(rendered, text=wider)), np.float32) == {"d_x": "float64"}
