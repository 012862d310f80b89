"""Helper functions of derivatives.yaml: what each computes, in our own reading, one row each.

The file names functions (`pow_backward`, `gelu_backward`) whose bodies stand elsewhere, in C++. The table
`helpers.txt` restates them as formulas of the same language. A verdict that rests on a row is a verdict on
the operator's formula *as read here*, and reports say so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from symgrad.audit.formula import Formula, parse_formula
from symgrad.errors import SymgradError

TABLE = Path(__file__).with_name("helpers.txt")
_ROW = re.compile(r"(?P<name>\w+)\((?P<parameters>[\w\s,]*)\)\s*=\s*(?P<formula>.+)", re.DOTALL)


@dataclass(frozen=True)
class Helper:
    """One helper function.

    Attributes:
        name: of the function.
        parameters: their names, in order.
        formula: what it returns.
        source: the file of PyTorch's sources whose body it restates.
        tree: the formula, parsed.
    """

    name: str
    parameters: tuple[str, ...]
    formula: str
    source: str
    tree: Formula


@lru_cache(maxsize=1)
def known_helpers() -> Mapping[tuple[str, int], Helper]:
    """The table, by name and number of parameters."""
    return parse_helpers(TABLE.read_text(encoding="utf-8"), TABLE.name)


def parse_helpers(text: str, source: str) -> dict[tuple[str, int], Helper]:
    """The rows of a table: `name(parameters) = formula`, indented lines go on, `[FILE]` says where from here on.

    Raises:
        SymgradError: a row has another form, or stands twice.
    """
    found: dict[tuple[str, int], Helper] = {}
    where = ""
    for row in rows_of(text):
        if row.startswith("["):
            where = row.strip("[] ")
            continue
        match = _ROW.fullmatch(row)
        if match is None:
            raise SymgradError(f"{source}: this is no row of the table: {row}")
        parameters = tuple(part.strip() for part in match["parameters"].split(",") if part.strip())
        key = (match["name"], len(parameters))
        if key in found:
            raise SymgradError(f"{source}: {match['name']} with {len(parameters)} parameters stands twice")
        formula = " ".join(match["formula"].split())
        found[key] = Helper(match["name"], parameters, formula, where, parse_formula(formula, source))
    return found


def rows_of(text: str) -> list[str]:
    """Lines without comments; an indented one belongs to the line before it."""
    rows: list[str] = []
    for line in text.split("\n"):
        line = re.sub(r"(^|\s)#.*", "", line).rstrip()
        if not line:
            continue
        if line[0].isspace() and rows:
            rows[-1] += "\n" + line
        else:
            rows.append(line)
    return rows
