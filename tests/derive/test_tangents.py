"""Forward mode and second order."""

from __future__ import annotations

from dataclasses import replace

import pytest

from symgrad import pipeline
from symgrad.algebra.terms import Entry, mul, number
from symgrad.derive.tangents import adjoint_identity, derive_tangents
from symgrad.notation.library import from_text, gallery, load
from symgrad.prove.verdict import Prover


@pytest.mark.parametrize("name", gallery())
def test_forward_and_reverse_mode_are_adjoint(name):
    motion = pipeline.jvp(pipeline.derive(load(name)))
    assert motion.proof is not None
    assert motion.proof.proved, motion.proof.left_over


@pytest.mark.parametrize("name", ["batch_norm", "softmax", "batch_norm_sigmoid_mse"])
def test_a_wrong_gradient_or_tangent_is_not_adjoint(name):
    found = pipeline.derive(load(name))
    layer = found.merge.layer
    moving = [tensor.name for tensor in layer.differentiable]
    gradients, tangents = tuple(f.paths for f in found.found), derive_tangents(layer, moving)
    assert Prover(layer).equal(*adjoint_identity(layer, gradients, tangents, moving))
    for place, right in enumerate(gradients):
        if f"{right.body}" == f"{number(0)}":
            continue
        wrong = replace(right, body=mul(number(2), right.body))
        changed = (*gradients[:place], wrong, *gradients[place + 1 :])
        assert not Prover(layer).equal(*adjoint_identity(layer, changed, tangents, moving)), right.entry.name
    wrong = replace(tangents[-1], body=mul(number(2), tangents[-1].body))
    assert not Prover(layer).equal(*adjoint_identity(layer, gradients, (*tangents[:-1], wrong), moving))


def test_the_second_derivative_of_a_cube():
    found = pipeline.derive(from_text("input x[i]\ny[i] = x[i]**3\noutput y"))
    motion = pipeline.hvp(found, "x")
    (tangent,) = motion.tangents
    x, upstream, direction = (Entry(name, tangent.entry.indices) for name in ("x", "d_y", "dot_x"))
    assert Prover(motion.layer).equal(tangent.body, mul(number(6), x, upstream, direction))
    assert not Prover(motion.layer).equal(tangent.body, mul(number(3), x, upstream, direction))


def test_only_what_depends_on_the_moving_tensor_moves():
    motion = pipeline.jvp(pipeline.derive(load("batch_norm")), ["w"])
    assert [tangent.entry.name for tangent in motion.tangents] == ["dot_y"]
