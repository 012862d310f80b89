"""Claims with names of a person's own, judged, and what is printed of them."""

from __future__ import annotations

from symgrad import pipeline
from symgrad.cli import main
from symgrad.prove.own_values import values_of

XHAT = "xhat[s, c, k] := (x[s, c, k] - mu[c])/sqrt(var[c] + eps)"


def test_right_and_wrong_formulas_with_names_of_ones_own(batch_norm):
    claims = [
        XHAT, "d_w[c] = sum[s, k](d_y[s, c, k]*xhat[s, c, k])",
        "m[c] := mean[s, k](d_y[s, c, k])", "n[c] := mean[s, k](d_y[s, c, k]*xhat[s, c, k])",
        "d_x[s, c, k] = w[c]/sqrt(var[c] + eps)*(d_y[s, c, k] - m[c] - xhat[s, c, k]*n[c])",
        "d_x[s, c, k] = w[c]/sqrt(var[c] + eps)*(d_y[s, c, k] - m[c] - n[c])",
        "total(xhat[s, c, k], w[c]) = 0", "partial(xhat[s, c, k], mu[c]) = -1/sqrt(var[c] + eps)",
        "partial(xhat[s, c, k], mu[c]) = 1/sqrt(var[c] + eps)",
    ]  # fmt: skip
    verdicts = pipeline.prove(batch_norm, claims)
    expected = ["proved", "proved", "refuted", "proved", "proved", "refuted"]
    assert [proof.verdict for _, proof in verdicts] == expected


def test_a_counterexample_has_the_values_of_the_names_that_matter(batch_norm):
    claims = ["two[c] := 2*w[c]", "none[c] := eps*w[c]", "d_beta[c] = two[c]"]
    ((claim, proof),) = pipeline.prove(batch_norm, claims)
    assert proof.counterexample is not None
    assert [each.name for each in claim.own] == ["two"]
    (own,) = claim.own
    w = proof.counterexample.values["w"]
    assert values_of(own, batch_norm.layer, proof.counterexample) == [str(2 * w[key]) for key in sorted(w)]


def test_a_name_without_a_value_at_some_place_shows_a_dash(batch_norm):
    texts = ["p[c] := sqrt(w[c] - beta[c])", "d_beta[c] = where(w[c] < 0, 1, where(beta[c] < w[c], p[c], 1))"]
    for shift in ("- 100", "+ 100"):
        changed = [
            texts[0].replace("beta[c])", f"beta[c] {shift})"),
            texts[1].replace("< w[c]", f"+ 100 < w[c] {shift}"),
        ]
        ((claim, proof),) = pipeline.prove(batch_norm, changed)
        assert proof.counterexample is not None
        values = values_of(claim.own[0], batch_norm.layer, proof.counterexample)
        assert len(values) == len(proof.counterexample.values["w"])
        assert [value == "–" for value in values] == [shift == "- 100"] * len(values)


def test_the_command_prints_the_claim_as_written(capsys):
    status = main(["prove", "batch_norm", XHAT, "d_w[c] = mean[s, k](d_y[s, c, k]*xhat[s, c, k])"])
    shown = capsys.readouterr().out
    assert status == 1
    assert "✗ refuted  d_w[c] = mean[s, k](d_y[s, c, k]*xhat[s, c, k])" in shown
    assert "\n        xhat " in shown
    assert "nearest right form: d_w[c] = sum[s, k](d_y[s, c, k]*xhat[s, c, k])" in shown


def test_a_file_of_claims_with_names(tmp_path, capsys):
    file = tmp_path / "right.claims"
    file.write_text(f"# of one's own\n{XHAT}\n\nd_w[c] = sum[s, k](d_y[s, c, k]*xhat[s, c, k])  # yes\n")
    assert main(["prove", "batch_norm", "--claims", str(file)]) == 0
    file.write_text(f"d_w[c] = xhat[c]\n{XHAT}\n")
    assert main(["prove", "batch_norm", "--claims", str(file)]) == 2
    file.write_text(f"{XHAT}\n")
    assert main(["prove", "batch_norm", "--claims", str(file)]) == 2
    assert "there is no claim to judge" in capsys.readouterr().err
