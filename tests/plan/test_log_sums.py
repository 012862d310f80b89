"""exp(u - log sum exp) as a quotient of exponentials that are there, and where it has to stay."""

from __future__ import annotations

import pytest

from symgrad import pipeline
from symgrad.algebra.terms import Call, walk
from symgrad.notation.library import from_text
from symgrad.plan.records import KernelPlan

SOFTMAX = "input x[b, v]\nz[b] = log(sum[v](exp(x[b, v])))\np[b, v] = exp(x[b, v] - z[b])\noutput p"
OTHER_LETTERS = """
input x[b, v], y[b, w]

z[b] = log(sum[v](exp(x[b, v])))
p[b, w] = exp(y[b, w] - z[b])
output p
"""
NO_EXPONENTIALS = "input x[b, v]\nz[b] = log(sum[v](x[b, v]**2))\np[b, v] = exp(x[b, v] - z[b])\noutput p"
TWICE = "input x[b, v]\nz[b] = log(sum[v](exp(x[b, v])))\np[b, v] = exp(x[b, v] - 2*z[b])\noutput p"

AN_OUTPUT_THAT_IS_READ = "input x[b, v]\nz[b] = log(sum[v](exp(x[b, v])))\np[b, v] = x[b, v]*z[b]\noutput p, z"
THE_SAME_TWICE = """
input x[b, v]

a[b] = log(sum[v](exp(x[b, v])))
z[b] = log(sum[v](exp(x[b, v])))
p[b, v] = exp(x[b, v] - z[b])*a[b]
output p
"""


def plan(text: str) -> KernelPlan:
    return pipeline.plan(pipeline.derive(from_text(text)))


def exponentials(text: str) -> set[Call]:
    """The different exponentials of the forward pass."""
    nodes = (node for statement in plan(text).forward.statements for node in walk(statement.term))
    return {node for node in nodes if isinstance(node, Call) and node.function == "exp"}


def logarithms_inside(text: str) -> bool:
    return any({"z"} & node.names for node in exponentials(text))


def test_an_exponential_is_computed_once():
    assert len(exponentials(SOFTMAX)) == 1
    assert not logarithms_inside(SOFTMAX)


@pytest.mark.parametrize("text", [NO_EXPONENTIALS, TWICE])
def test_what_is_no_such_quotient_stays(text):
    assert logarithms_inside(text)


@pytest.mark.parametrize(
    "text", [SOFTMAX, OTHER_LETTERS, NO_EXPONENTIALS, TWICE, AN_OUTPUT_THAT_IS_READ, THE_SAME_TWICE]
)
def test_the_numbers_are_right(text):
    checks = pipeline.check_emitted(pipeline.derive(from_text(text)))
    assert checks
    assert all(check.passed for check in checks)
