"""Forward mode in plans: what is kept and proved, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from symgrad import pipeline
from symgrad.algebra.reading import with_padding_apart
from symgrad.algebra.simplify import delta_first
from symgrad.algebra.terms import Delta, Entry, Index, Place, Position, Sum, add, mul, number
from symgrad.derive.tangents import derive_tangents
from symgrad.errors import SymgradError, UnsupportedError
from symgrad.notation.library import from_text, load
from symgrad.plan.forward_mode import with_tangents
from symgrad.plan.records import SCATTER, Adjoint
from symgrad.plan.verdict import PlanError
from symgrad.prove.verdict import Prover


def adjoints(gradients) -> list[Adjoint]:
    return [Adjoint(g.entry.name, g.entry.indices, g.body) for g in gradients]


def planned(name: str):
    found = pipeline.derive(load(name))
    return pipeline.forward_mode(pipeline.plan(found), found)


def test_the_statistics_that_tangents_read_are_kept_and_move_as_well():
    plan = planned("batch_norm")
    assert plan.statistics == ("mu", "var")
    assert [what for what, _ in plan.tangents.results] == ["y", "mu", "var"]
    assert [what for what, _ in plan.forward.results] == ["mu", "var", "y"]
    assert planned("softmax").statistics == ()


@pytest.mark.parametrize("name", ["conv1d", "conv2d", "avg_pool", "max_pool", "local_response_norm"])
def test_the_tangents_of_gathered_entries_are_gathered(name):
    kinds = [statement.kind for statement in planned(name).tangents.statements]
    assert SCATTER not in kinds


def test_a_wrong_tangent_is_not_planned():
    found = pipeline.derive(load("batch_norm"))
    plan, prover = pipeline.plan(found), Prover(found.layer)
    right = adjoints(derive_tangents(found.layer, ["x", "w", "beta"]))

    def equal(left, right, _):
        return prover.equal(left, right)

    assert with_tangents(plan, right, equal).tangents is not None
    never = lambda left, right, _: False  # noqa: E731
    with pytest.raises(PlanError, match=r"the code form of .* is not proved equal"):
        with_tangents(plan, right, never)


def test_tangents_that_are_not_adjoint_to_the_gradients_are_refused(monkeypatch):
    found = pipeline.derive(load("softmax"))
    plan = pipeline.plan(found)

    def doubled(layer, moving):
        *before, last = derive_tangents(layer, moving)
        return (*before, replace(last, body=mul(number(2), last.body)))

    assert pipeline.forward_mode(plan, found).tangents is not None
    monkeypatch.setattr(pipeline, "derive_tangents", doubled)
    with pytest.raises(SymgradError, match="the tangents of softmax are not proved to be adjoint to its gradients"):
        pipeline.forward_mode(plan, found)


def test_a_name_that_a_tangent_needs_is_refused():
    found = pipeline.derive(from_text("input x[i], dot_x[i]\ny[i] = x[i] * dot_x[i]\noutput y", "pair"))
    with pytest.raises(UnsupportedError, match="in layer pair dot_x is also the name of the tangent of x"):
        pipeline.forward_mode(pipeline.plan(found), found)
    other = pipeline.derive(from_text("input x[i], dot_z[i]\ny[i] = x[i] * dot_z[i]\noutput y", "pair"))
    assert pipeline.forward_mode(pipeline.plan(other), other).tangents is not None


WINDOW = from_text("input x[h], w[k]\ny[i] = sum[k](w[k] * x[i + k])\noutput y", "window")
h, i, k = Index("h", "h"), Index("i", "i"), Index("k", "k")
AT = Place("h", add(Position(i), Position(k)))


@pytest.mark.parametrize("others", [Entry("x", (h,)), mul(Entry("x", (h,)), Entry("w", (k,)))], ids=["plain", "clash"])
def test_the_sum_that_a_delta_ends_stands_inside(others):
    inner = Sum((k,), mul(Entry("w", (k,)), Delta(h, AT)))
    before = Sum((h,), mul(others, inner))
    after = delta_first(before)
    assert after != before
    assert isinstance(after, Sum) or any(isinstance(factor, Sum) for factor in after.factors)
    assert after.free == before.free
    assert Prover(WINDOW).equal(before, after)
    assert not Prover(WINDOW).equal(before, mul(number(2), after))


def test_each_padded_entry_gets_its_own_sum():
    outside = Place("h", add(Position(i), Position(k), number(-1)), inside=False)
    x, w = Entry("x", (h,)), Entry("w", (k,))
    before = Sum((k, h), mul(w, Delta(h, outside), x, Entry("dot_x", (h,))))
    padded = [Sum((h,), mul(Delta(h, outside), entry)) for entry in (x, Entry("dot_x", (h,)))]
    assert with_padding_apart(before) == Sum((k,), mul(w, *padded))
    spread = Sum((k, h), mul(Delta(h, outside), x, Entry("u", (h, k))))
    assert with_padding_apart(spread) == Sum(
        (k,), mul(*(Sum((h,), mul(Delta(h, outside), e)) for e in (x, Entry("u", (h, k)))))
    )
    with_choice = Sum((k, h), mul(Delta(h, outside), x, add(x, number(1))))
    assert with_padding_apart(with_choice) == with_choice
