"""Formulas with one constant or one sign changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from symgrad.audit.entries import Entry
from symgrad.audit.formula import tokens

SWAPPED = {"+": "-", "-": "+", "*": "/", "/": "*"}
NAMED = {"M_PI": "3", "M_LN2": "0.7"}


def changed_texts(text: str) -> Iterator[str]:
    """The formula with each number made larger, each sign and each * or / turned round, one at a time."""
    for kind, token, place in tokens(text):
        if kind == "number":
            new = f"({token} + 1)" if "." in token else str(int(token) + 1)
        elif kind == "mark" and token in SWAPPED:
            new = SWAPPED[token]
        elif kind == "name" and token in NAMED:
            new = NAMED[token]
        else:
            continue
        yield text[:place] + new + text[place + len(token) :]


def changed_entries(entry: Entry) -> Iterator[tuple[str, str, Entry]]:
    """For each change of each formula: what the formula is for, its new text, the entry with it."""
    for key, text in entry.formulas.items():
        for new in changed_texts(text):
            yield key, new, replace(entry, formulas={**entry.formulas, key: new})
