"""Long chains: no limit of recursion is met, and the work grows no faster than the chain."""

from __future__ import annotations

import sys

import pytest

from symgrad import pipeline
from symgrad.derive.dependence import segments
from symgrad.derive.jacobian import derive_by_jacobian
from symgrad.derive.paths import derive_by_paths
from symgrad.notation.library import from_text
from symgrad.prove.conditions import domain_of
from symgrad.prove.verdict import REFUTED, Prover

FORMS = ("tanh({0})", "sigmoid({0})", "{0}*sigmoid({0})")


def elementwise(length: int, h: str = "h", forms=FORMS):
    lines = [f"{h}{n}[i] = " + forms[n % len(forms)].format(f"{h}{n - 1}[i]" if n else "x[i]") for n in range(length)]
    text = ["input x[i]", *lines, f"L = mean[i]({h}{length - 1}[i]**2)", "output L", ""]
    return from_text("\n".join(text), "chain")


def norms(length: int, h: str = "h"):
    parameters = ", ".join(f"w{h}{n}[d], b{h}{n}[d]" for n in range(length))
    lines = [f"{h}{n} = layer_norm({f'{h}{n - 1}' if n else 'x'}, w{h}{n}, b{h}{n}, eps)" for n in range(length)]
    loss = f"L = mean[s, d]({h}{length - 1}[s, d]**2)"
    declared = ["input x[s, d]", f"parameter {parameters}", "constant eps = 1e-5"]
    return from_text("\n".join([*declared, *lines, loss, "output L", ""]), "chain")


def calls(work) -> int:
    """How many Python functions were called: a measure of work that does not depend on the machine."""
    counted = 0

    def count(_frame, event, _argument):
        nonlocal counted
        counted += event == "call"

    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
    return counted


def everything(layer):
    paths = derive_by_paths(layer)
    jacobians = {g.entry.name: g for g in derive_by_jacobian(layer)}
    prover = Prover(layer, paths)
    for gradient in paths:
        if gradient.entry.name in jacobians:
            assert prover.equal(jacobians[gradient.entry.name].body, gradient.derivation.result)


@pytest.mark.parametrize("chain", [elementwise, norms], ids=["elementwise", "norms"])
def test_the_work_is_linear_in_the_length_of_the_chain(chain):
    short, long = chain(6, "short"), chain(24, "long")  # other names, so that nothing is remembered
    growth = calls(lambda: everything(long)) / calls(lambda: everything(short))
    assert growth < 4 * 1.25


def test_four_hundred_layers_are_derived_and_proved():
    found = pipeline.derive(elementwise(400))
    assert found.proved
    right, wrong = pipeline.prove(found, ["d_h0[i] = d_h1[i]*h1[i]*(1 - h1[i])", "h2[i] = h1[i]*sigmoid(h0[i])"])
    assert right[1].proved
    assert wrong[1].verdict == REFUTED


def test_values_at_the_end_of_a_long_chain():
    """A refutation evaluates the whole chain, without nesting as deeply as the chain is long."""
    found = pipeline.derive(elementwise(400, forms=("{0}/2 + 1",)))
    ((_, proof),) = pipeline.prove(found, ["x[i] = h399[i]"])
    assert proof.verdict == REFUTED


def test_a_chain_falls_into_short_pieces_and_its_domain_is_found():
    layer = norms(40)
    parts = segments(layer)
    assert max(len(part.definitions) for part in parts) <= 4
    assert [part.exports for part in parts[:2]] == [("h0",), ("h1",)]
    assert len(domain_of(layer)) == 40
