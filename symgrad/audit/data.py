"""An audit as plain data, for `--json`."""

from __future__ import annotations

from typing import Any

from symgrad.audit.records import FORWARD, GRADIENT, Audit, Claimed, Judged, verdicts


def as_data(audit: Audit) -> dict[str, Any]:
    """Counts, then every entry with its reason or its formulas."""
    return {
        "file": audit.source,
        "entries": len(audit.entries),
        "in_scope": len(audit.in_scope),
        "out_of_scope": audit.reasons,
        "verdicts": {mode: verdicts(audit.formulas(mode)) for mode in (GRADIENT, FORWARD)},
        "operators": [
            {"operator": entry.operator, "out_of_scope": entry.reason, "detail": entry.detail}
            if entry.reason
            else {"operator": entry.operator, "formulas": [_formula(each) for each in entry.formulas]}
            for entry in audit.entries
        ],
    }


def _formula(judged: Judged) -> dict[str, Any]:
    return {
        "target": judged.target,
        "mode": judged.mode,
        "formula": judged.formula,
        "verdict": judged.verdict,
        "helpers": list(judged.helpers),
        "notes": list(judged.notes),
        "claims": [_claim(each) for each in judged.claims],
    }


def _claim(claimed: Claimed) -> dict[str, Any]:
    found = claimed.proof.counterexample if claimed.proof is not None else None
    data: dict[str, Any] = {
        "settings": claimed.settings,
        "claim": claimed.text,
        "verdict": claimed.verdict,
        "reason": claimed.reason,
        "assuming": list(claimed.assuming),
    }
    if found is not None:
        data["counterexample"] = {
            "sizes": dict(found.sizes),
            "at": {index.name: place for index, place in found.assignment.items()},
            "values": {name: [str(v) for _, v in sorted(entries.items())] for name, entries in found.values.items()},
            "left": found.left,
            "right": found.right,
        }
    return data
