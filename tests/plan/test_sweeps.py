"""Passes over memory: how many there are, what each does, what is moved at least."""

from __future__ import annotations

from functools import cache

import pytest

from symgrad import pipeline
from symgrad.cli import main
from symgrad.notation.library import from_text, gallery, load
from symgrad.plan.cost import groups_of, least, moved, operations
from symgrad.plan.records import KernelPlan
from symgrad.plan.sweeps import PLACES, PRODUCT, SWEEP, all_sweeps, sweeps_of


@cache
def plan(name: str) -> KernelPlan:
    return pipeline.plan(pipeline.derive(load(name)))


def counts(name: str) -> tuple[int, int]:
    forward, backward = all_sweeps(plan(name))
    return len(forward.sweeps), len(backward.sweeps)


@pytest.mark.parametrize("name", gallery())
def test_every_statement_is_computed_after_what_it_reads(name):
    made = pipeline.plan_for(plan(name), pipeline.derive(load(name)), "c")
    procedures = [made.forward, made.backward, *((made.at_once,) if made.at_once else ())]
    for procedure, found in ((each, sweeps_of(each, made.layer)) for each in procedures):
        known = set(procedure.reads)
        computed: set[str] = set()
        for sweep in found.sweeps:
            for small in sweep.before:
                assert small.term.names <= known
                known.add(small.name)
            inside = set(known)
            for each in (*sweep.each, *sweep.arrays):
                inside.add(each.name)
            for statement in (*sweep.each, *sweep.reductions, *sweep.arrays):
                assert statement.term.names <= inside, statement.name
            for reduction in sweep.reductions:
                assert not any(reduction.name in s.term.names for s in (*sweep.each, *sweep.arrays, *sweep.reductions))
            known.update(s.name for s in (*sweep.reductions, *sweep.arrays))
            computed.update(s.name for s in (*sweep.before, *sweep.each, *sweep.reductions, *sweep.arrays))
        for small in found.after:
            assert small.term.names <= known
            known.add(small.name)
        assert computed | {s.name for s in found.after} == {s.name for s in procedure.statements}
        assert {result for _, result in procedure.results} <= known


def test_chains_of_sums_need_a_sweep_each():
    assert counts("batch_norm_sigmoid_mse") == (3, 2)
    assert counts("layer_norm") == (3, 2)
    assert counts("rms_norm") == (2, 2)
    assert counts("softmax") == (3, 2)
    assert counts("sigmoid") == (1, 1)
    assert counts("mse") == (1, 1)


def test_sums_of_one_sweep_are_added_up_together():
    backward = all_sweeps(plan("layer_norm"))[1].sweeps
    assert {s.name for s in backward[0].reductions} >= {"d_w", "d_beta"}
    assert [s.name for s in backward[1].arrays] == ["d_x"]


def test_contractions_and_places_stand_alone():
    assert [s.kind for s in all_sweeps(plan("attention"))[0].sweeps] == [PRODUCT, SWEEP, SWEEP, SWEEP, PRODUCT]
    assert all_sweeps(plan("conv1d"))[0].sweeps[0].kind == PLACES


@pytest.mark.parametrize(("name", "forward", "backward"), [("batch_norm_sigmoid_mse", 2, 3), ("layer_norm", 2, 3)])
def test_row_by_row_no_more_is_moved_than_must_be(name, forward, backward):
    made = plan(name)
    for procedure, found, count in zip(
        (made.forward, made.backward), all_sweeps(made), (forward, backward), strict=True
    ):
        assert len(groups_of(found)) == 1
        assert len(moved(made, procedure, found).every) == count == len(least(made, procedure).every)


def test_sweeps_over_one_nest_follow_each_other():
    """The loss, which nobody needs, is added up after the gradient, so that a row is read once for all."""
    study = pipeline.derive(load("cross_entropy_labels"))
    made = pipeline.plan_for(plan("cross_entropy_labels"), study, "c")
    assert made.at_once is not None
    found = sweeps_of(made.at_once, made.layer)
    assert [sweep.axes for sweep in found.sweeps][1:] == [("b", "k", "v")] * 3 + [("b", "k")]
    assert [len(group.sweeps) for group in groups_of(found)] == [1, 3, 1]


def test_what_needs_a_sum_over_less_comes_after_it():
    layer = from_text("input x[b, d]\na[b] = sum[d](x[b, d])\nm = sum[b](a[b]**2)\ny[b, d] = x[b, d]*m\noutput y")
    found = sweeps_of(pipeline.plan(pipeline.derive(layer)).forward, layer)
    assert [sweep.axes for sweep in found.sweeps] == [("b", "d"), ("b",), ("b", "d")]


def test_the_plan_of_a_loss_shows_both_passes_at_once(capsys):
    assert main(["plan", "mse"]) == 0
    assert "Both at once" in capsys.readouterr().out
    assert main(["plan", "mse", "--backend", "numpy"]) == 0
    assert "Both at once" not in capsys.readouterr().out
    assert main(["plan", "softmax", "--backend", "jax"]) == 0
    assert "Tangents" in capsys.readouterr().out
    assert main(["plan", "softmax", "--backend", "fortran"]) == 2
    assert "triton" in capsys.readouterr().err


def test_a_sum_over_everything_ends_a_group():
    layer = from_text("input x[b, d]\nm = mean[b, d](x[b, d])\ny[b, d] = x[b, d] - m\noutput y")
    made = pipeline.plan(pipeline.derive(layer))
    found = sweeps_of(made.forward, layer)
    assert [group.rows for group in groups_of(found)] == [(), ()]
    assert len(moved(made, made.forward, found).read) == 2
    assert len(least(made, made.forward).read) == 1


def test_operations_are_counted_for_each_element():
    layer = from_text("input x[i]\nparameter a\ny[i] = exp(x[i])*a + x[i]*x[i]*3\noutput y")
    made = pipeline.plan(pipeline.derive(layer))
    (sweep,) = sweeps_of(made.forward, layer).sweeps
    assert operations(sweep) == 5  # exp, * a, square, * 3, +


def test_the_command_prints_the_plan(capsys):
    assert main(["plan", "batch_norm_sigmoid_mse"]) == 0
    out = capsys.readouterr().out
    assert "Forward: 3 sweeps" in out
    assert "adds up mu[c]; 1 operation an element" in out
    assert "at least 2 N_s·N_c·N_k numbers (8 bytes an element in float32)" in " ".join(out.split()).replace(
        "2 N_", "2 N_"
    )
    assert main(["plan", "nothing_like_it"]) == 2
