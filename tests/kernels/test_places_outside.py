"""Comparisons with places that need not lie on their axis: nothing is taken from a sum where no entry is."""

from __future__ import annotations

import pytest

from symgrad import pipeline
from symgrad.check.kernels import check_kernel, load_kernel, sizes_of
from symgrad.errors import SymgradError
from symgrad.notation.library import from_text

HEAD = "input x[b, h], v[i], u[b, c]\nparameter w[j]\nlabel t[b] in c\n"
LAYERS = (
    "y[b, i] = sum[j, h](w[j]*where(h != i + j, x[b, h], 0))*v[i]\noutput y",
    "y[b] = sum[i, h](where(h != i - 1, x[b, h]**2*v[i], x[b, h]))*w[0]\noutput y",
    "y[b, h] = sum[g](where(g != 2*h + 1, x[b, g], 0))*x[b, h]*w[0]\noutput y",
    "y[b] = sum[h](where(h != t[b], x[b, h]*w[0], x[b, h]))\noutput y",
)


@pytest.mark.parametrize("text", LAYERS)
def test_what_lies_outside_is_no_entry(text: str) -> None:
    layer = from_text(HEAD + text)
    study = pipeline.derive(layer)
    assert [each.name for each in study.found if each.jacobian is not None and not each.proved] == []
    (numpy,) = pipeline.emit(study, ["numpy"])
    for start in (1, 2):
        checks = check_kernel(layer, load_kernel(numpy), sizes_of(layer, start))
        assert [(check.what, check.error) for check in checks if not check.passed] == []


@pytest.mark.parametrize("stride", [0, -1])
def test_a_step_that_does_not_go_forward_fits_nowhere(stride: int) -> None:
    text = f"input x[h]\nparameter w[j]\nconstant s = {stride}\ny[i] = sum[j](w[j]*x[s*i + j])\noutput y"
    with pytest.raises(SymgradError, match="no small lengths fit"):
        pipeline.check_emitted(pipeline.derive(from_text(text)))
