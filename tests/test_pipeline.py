"""The page: text to study, study to plan, plan to files; only what is proved goes on."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from symgrad import pipeline
from symgrad.errors import InputError, SymgradError
from symgrad.notation.claim import parse_claim
from symgrad.notation.library import from_text, load


def test_derive_finds_every_gradient_twice_and_proves_it(network):
    assert network.proved
    twice = [found.name for found in network.found if found.jacobian is not None]
    assert twice == ["z", "y", "x", "w", "beta"]
    assert all(found.proof.verdict == "proved" for found in network.found if found.jacobian is not None)
    assert [found.name for found in network.found if found.jacobian is None] == ["y.var", "y.mu"]


def test_gradients_are_about_the_layer_as_written(network):
    assert [axis.name for axis in network.merge.layer.axes] == ["c", "i"]
    x = next(g for g in network.gradients if g.entry.name == "d_x")
    assert [index.name for index in x.entry.indices] == ["s", "c", "k"]
    assert {index.name for index in x.body.free} <= {"s", "c", "k"}


def test_prove_judges_claims_in_order(batch_norm):
    verdicts = pipeline.prove(batch_norm, ["d_beta[c] = sum[s, k](d_y[s, c, k])", "d_beta[c] = 0"])
    assert [proof.verdict for _, proof in verdicts] == ["proved", "refuted"]
    assert [claim.text for claim, _ in verdicts] == ["d_beta[c] = sum[s, k](d_y[s, c, k])", "d_beta[c] = 0"]


def test_a_wrong_claim_is_numbered(batch_norm):
    with pytest.raises(InputError, match=r"paper:2:\d+: "):
        pipeline.prove(batch_norm, ["d_beta[c] = sum[s, k](d_y[s, c, k])", "d_beta[c] = nothing[c]"], "paper")


def test_the_seed_is_one_only_where_a_scalar_loss_is_not_named(network, batch_norm):
    free = parse_claim("d_beta[c] = sum[s, k](d_y[s, c, k])", network.layer)
    named = parse_claim("d_z[s, c, k] = d_L * z[s, c, k]", network.layer)
    assert pipeline.seed_of(network.layer, free) == {"d_L": Fraction(1)}
    assert pipeline.seed_of(network.layer, named) == {}
    assert pipeline.seed_of(batch_norm.layer, parse_claim("d_beta[c] = 0", batch_norm.layer)) == {}


def test_what_is_not_proved_is_not_emitted(network):
    found = network.gradient("w")
    proof = replace(found.proof, verdict="undecided", left_over="2 terms are left over")
    open_ = replace(network, found=tuple(replace(f, proof=proof) if f is found else f for f in network.found))
    assert not open_.proved
    for stage in (pipeline.plan, lambda study: pipeline.emit(study, ["numpy"]), pipeline.check_emitted):
        with pytest.raises(SymgradError, match="the gradients of w in batch_norm_sigmoid_mse are not proved"):
            stage(open_)


def test_emit_takes_any_layer():
    study = pipeline.derive(from_text("input x[i]\nparameter g\ny[i] = g * x[i]\noutput y", "scaled"))
    files = pipeline.emit(study, ["numpy", "torch"])
    assert [file.path for file in files] == ["numpy/scaled.py", "torch/scaled.py"]
    assert all(check.passed for check in pipeline.check_emitted(study))


def test_generate_takes_names_paths_and_backends(tmp_path):
    path = tmp_path / "twice.sg"
    path.write_text("input x[i]\ny[i] = 2 * x[i]\noutput y\n")
    files = pipeline.generate(["sigmoid", str(path)], ["torch"])
    assert [file.path for file in files] == ["torch/sigmoid.py", "torch/twice.py"]
    with pytest.raises(InputError, match="there is no backend"):
        pipeline.generate(["sigmoid"], ["fortran"])


def test_a_network_is_checked_layer_by_layer_only_where_every_part_is_in_the_gallery(tmp_path):
    pytest.importorskip("torch")
    (tmp_path / "half.sg").write_text("input x[i]\ny[i] = x[i] / 2\noutput y\n")
    path = tmp_path / "net.sg"
    path.write_text("input x[i]\ny = half(x)\nz = sigmoid(y)\noutput z\n")
    report = pipeline.check(pipeline.derive(load(path)))
    assert report.passed
    assert not any("layer by layer" in check.subject for check in report.checks)
