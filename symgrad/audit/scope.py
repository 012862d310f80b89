"""Which entries are out of scope, and why: each gets one reason, the first that fits."""

from __future__ import annotations

from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path

from symgrad.audit.entries import Entry
from symgrad.audit.helpers import rows_of
from symgrad.errors import SymgradError

TABLE = Path(__file__).with_name("scope.txt")
NO_FORMULA = "no gradient formula: the result is not differentiable"
NOT_IMPLEMENTED = "stated as not implemented"
IN_PLACE = "in-place variant of another entry, or one that overwrites its input"
RANDOM = "random numbers"
LISTS = "lists of tensors"
NO_LAYER = "no layer is written for this operator"


def reason_of(entry: Entry) -> str:
    """Why an entry is out of scope by its form or by the table of reasons; "" where nothing says so."""
    return _by_form(entry) or _by_name(entry.name)


def _by_form(entry: Entry) -> str:
    """A reason that the entry itself shows."""
    formulas = [formula for formula, _ in entry.gradients.values()]
    if not formulas:
        return NO_FORMULA
    if all(formula.startswith("not_implemented(") for formula in formulas):
        return NOT_IMPLEMENTED
    if entry.name.partition(".")[0].endswith("_"):
        return IN_PLACE
    if any(argument.type.startswith("Generator") for argument in entry.signature.arguments):
        return RANDOM
    if any(argument.type.startswith("Tensor[") for argument in entry.signature.arguments):
        return LISTS
    return ""


def _by_name(name: str) -> str:
    return next((reason for reason, patterns in reasons() if any(fnmatchcase(name, p) for p in patterns)), "")


@lru_cache(maxsize=1)
def reasons() -> tuple[tuple[str, tuple[str, ...]], ...]:
    """The table: reasons with patterns of names, in order."""
    found = []
    for row in rows_of(TABLE.read_text(encoding="utf-8")):
        reason, colon, patterns = row.rpartition(":")
        if not colon or not patterns.split():
            raise SymgradError(f"{TABLE.name}: this is no row of the table: {row}")
        found.append((reason.strip(), tuple(patterns.split())))
    return tuple(found)
