"""False claims that were once proved, and claims that were once no claims at all."""

from __future__ import annotations

import pytest

from symgrad import pipeline
from symgrad.errors import InputError
from symgrad.notation.library import from_text

SUMS = """input x[i, j], z[i, k=i], u[i], v[i]
y = sum[i, j](x[i, j]) + sum[i, k](z[i, k]) + sum[i](u[i]*v[i])
output y"""
LABEL = """input x[b, v], q[b, u]
label t[b] in v
L = mean[b](x[b, t[b]]) + sum[b, u](q[b, u])
output L"""
SHIFTS = """input x[b, h]
parameter w[j], v[k=j]
y[b] = sum[j, k](w[j]*v[k]*x[b, j + k])
output y"""
FALSE = (
    # a sum inside of another reduction is no part of that
    (SUMS, "max[i](sum[j](x[i, j])) = max[i, j](x[i, j])"),
    (SUMS, "prod[i](sum[j](x[i, j])) = prod[j, i](x[i, j])"),
    # a letter that hides another one does not make room for the next
    (SUMS, "sum[i](u[i]*sum[i](v[i]*sum[k](z[i, k]))) = sum[i](u[i]*sum[i](v[i]*sum[k](z[k, i])))"),
    # a label lies on the axis into which it points, and on no other
    (LABEL, "sum[u](where(u == t[b], 1, 0)) = 1"),
    (LABEL, "sum[b, u](where(u == t[b], 1, 0)) = size[b]"),
    # j + k lies inside; j + k + l over the same axis need not
    (SHIFTS, "sum[j, k](v[k]*w[j]*sum[l, h](w[l]*where(h == j + k + l, 1, 0))) = sum[j](w[j])**2*sum[k](v[k])"),
)


@pytest.mark.parametrize(("text", "claim"), FALSE, ids=[claim for _, claim in FALSE])
def test_what_is_false_is_refuted(text: str, claim: str) -> None:
    ((_, proof),) = pipeline.prove(pipeline.derive(from_text(text)), [claim])
    assert proof.verdict == "refuted"


def test_what_lies_inside_by_declaration_is_still_known() -> None:
    true = "sum[j, k](v[k]*w[j]*sum[h](where(h == j + k, 1, 0))) = sum[j](w[j])*sum[k](v[k])"
    ((_, proof),) = pipeline.prove(pipeline.derive(from_text(SHIFTS)), [true])
    assert proof.proved


@pytest.mark.parametrize("claim", ["sum[h](where(h == j + l, 1, 0)) = 1", "own[j] := sum[h](where(h == j + l, 1, 0))"])
def test_a_letter_over_no_dimension_is_an_input_error(claim: str) -> None:
    with pytest.raises(InputError, match="index l runs over no dimension"):
        pipeline.prove(pipeline.derive(from_text(SHIFTS)), [claim, "x[b, h] = x[b, h]"])
