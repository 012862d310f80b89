"""The installed derivatives.yaml, read and judged once."""

from __future__ import annotations

import pytest

from symgrad.audit.entries import Entry, installed_file, read_entries
from symgrad.audit.judge import audit_entries
from symgrad.audit.records import Audit
from symgrad.errors import InputError


@pytest.fixture(scope="session")
def entries() -> dict[str, Entry]:
    """The entries by name; skips where the torch wheel is not installed."""
    try:
        found = read_entries(installed_file())
    except InputError as error:
        pytest.skip(f"there is nothing to audit: {error}")
    return {entry.name: entry for entry in found}


@pytest.fixture(scope="session")
def audit(entries) -> Audit:
    """Every entry, judged."""
    return Audit("derivatives.yaml", audit_entries(entries.values()))
