"""The figures in README and docs/audit.md are those of the audit."""

from __future__ import annotations

import re

from symgrad.audit.records import FORWARD, GRADIENT, PROVED
from symgrad.cli import audited


def test_the_documented_summary_is_what_is_printed(audit, root, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    text = (root / "docs" / "audit.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"<!-- summary -->\n```\n(.*?)\n```\n", text, re.DOTALL)
    assert shown == audited.summary(audit, verbose=False)


def test_the_readme_has_the_numbers_of_proved_formulas(audit, root):
    text = " ".join((root / "README.md").read_text(encoding="utf-8").split())
    gradients, forwards = ([f for f in audit.formulas(mode) if f.verdict == PROVED] for mode in (GRADIENT, FORWARD))
    assert f"{len(gradients)} gradient formulas and {len(forwards)} forward-mode formulas are proved" in text
