"""Operators as layers: a table of small forward passes, one row each (`operators.txt`).

A row is `name(arguments): equations`. Its arguments stand in the order of the operator's signature:

    x[i, k]        a tensor with these dimensions
    alpha          a number
    keepdim=false  a setting, by its own name
    _              not used

    y[i, 1] = …    an equation of the notation; a 1 marks a dimension that is kept with length 1

The last equation is what is returned, or `-> y, mean` says what. Several rows for one operator are
several settings; a formula has to hold for each.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from symgrad.audit.entries import Entry
from symgrad.audit.helpers import rows_of
from symgrad.audit.reading import Reader
from symgrad.audit.signature import Argument, split_outside
from symgrad.audit.values import Ignored, Meaning, NotRead, Value, scalar
from symgrad.errors import SymgradError
from symgrad.notation.layer import Layer
from symgrad.notation.library import from_text

TABLE = Path(__file__).with_name("operators.txt")
_ROW = re.compile(r"(?P<name>[\w.]+)\((?P<arguments>.*?)\):\s*(?P<body>.+)", re.DOTALL)
_LEFT = re.compile(r"\s*(?P<name>\w+)(?:\[(?P<dims>[^\]]*)\])?\s*=(?!=)(?P<right>.+)", re.DOTALL)


@dataclass(frozen=True)
class Row:
    """One row of the table, in parts.

    Attributes:
        name: the operator with its overload.
        arguments: as written, in the order of the signature.
        equations: as written.
        returns: the names of what is returned; the last equation's where none are given.
    """

    name: str
    arguments: tuple[str, ...]
    equations: tuple[str, ...]
    returns: tuple[str, ...] = ()

    @property
    def settings(self) -> str:
        """What tells this row from others of the operator: `reduction=1`."""
        return ", ".join(part for part in self.arguments if "=" in part and "[" not in part)


@dataclass(frozen=True)
class Operator:
    """An operator as a layer.

    Attributes:
        row: where it comes from.
        layer: the forward pass.
        names: the layer's name for each tensor or number among the operator's arguments.
        scope: what the operator's own names stand for in formulas.
        returns: the layer's names for what is returned.
        dims: the dimensions of each returned value, with None where one is kept with length 1.
    """

    row: Row
    layer: Layer
    names: Mapping[str, str]
    scope: Mapping[str, Meaning]
    returns: tuple[str, ...]
    dims: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    def value(self, name: str, prefix: str = "") -> Value:
        """A tensor or definition of the layer, or with a prefix its gradient or tangent."""
        entry = self.layer.entry(name)
        dims: list[object] = list(entry.indices)
        for place in self.dims.get(name, ()):
            dims.insert(place, None)
        return Value(tuple(dims), type(entry)(prefix + name, entry.indices))  # type: ignore[arg-type]


@lru_cache(maxsize=1)
def known_rows() -> Mapping[str, tuple[Row, ...]]:
    """The table, by operator."""
    return parse_rows(TABLE.read_text(encoding="utf-8"), TABLE.name)


def parse_rows(text: str, source: str) -> dict[str, tuple[Row, ...]]:
    """The rows of a table of operators.

    Raises:
        SymgradError: a row has another form.
    """
    found: dict[str, tuple[Row, ...]] = {}
    for line in rows_of(text):
        match = _ROW.fullmatch(line)
        if match is None:
            raise SymgradError(f"{source}: this is no row of the table: {line}")
        body, _, returned = match["body"].partition("->")
        equations = tuple(part for part in split_outside(body, ";") if part)
        returns = tuple(name.strip() for name in returned.split(",") if name.strip())
        row = Row(match["name"], tuple(split_outside(match["arguments"])), equations, returns)
        found[row.name] = (*found.get(row.name, ()), row)
    return found


def build_operator(row: Row, entry: Entry) -> Operator:
    """The layer of a row, for the operator as an entry declares it.

    Raises:
        NotRead: the row does not fit the signature.
        InputError: an equation cannot be read.
    """
    arguments = entry.signature.arguments
    if len(row.arguments) > len(arguments):
        raise NotRead("the signature has fewer arguments than the operator's row")
    names: dict[str, str] = {}
    scope: dict[str, Meaning] = {}
    lines: list[str] = []
    for argument, written in zip(arguments, row.arguments, strict=False):
        if written == "_":
            scope[argument.name] = Ignored(argument.name)
        elif "=" in written and "[" not in written:
            scope[argument.name] = _setting(argument, written)
        else:
            names[argument.name] = written.partition("[")[0]
            lines.append(_declaration(argument, written, argument.name in entry.gradients))
    for argument in arguments[len(row.arguments) :]:
        scope[argument.name] = _default(argument)
    equations, kept = _equations(row)
    returns = row.returns or (list(kept)[-1],)
    text = "\n".join([*lines, *equations, f"output {', '.join(returns[: _outputs(entry)])}"])
    return Operator(row, from_text(text + "\n", "operator"), names, scope, returns, kept)


def _outputs(entry: Entry) -> int:
    """How many results get an upstream gradient: the first one where formulas say `grad`."""
    texts = " ".join(formula for formula, _ in entry.gradients.values())
    return len(entry.signature.returns) if re.search(r"\bgrads\b|\bgrad_(?!input_mask|output)", texts) else 1


def _setting(argument: Argument, written: str) -> Meaning:
    name, _, value = written.partition("=")
    if name.strip() != argument.name:
        raise NotRead(f"the operator's row says {name.strip()} where the signature has {argument.name}")
    return Reader({}, {}).read(value.strip(), TABLE.name)


def _default(argument: Argument) -> Meaning:
    """The meaning of an argument that the row leaves out."""
    text = argument.default.strip("'")
    if re.fullmatch(r"-?[\d.]+(e-?\d+)?|True|False", text):
        return Reader({}, {}).read(text.lower(), TABLE.name)
    return None if text in ("None", "", "[]") else Ignored(argument.name)


def _declaration(argument: Argument, written: str, varies: bool) -> str:
    """A tensor gets a gradient where the entry has a formula for it; a number is a constant."""
    if argument.tensor:
        return f"{'input' if varies else 'target'} {written}"
    return f"constant {written} = 1"


def _equations(row: Row) -> tuple[list[str], dict[str, tuple[int, ...]]]:
    """The equations without the marks of kept dimensions, and where those stand."""
    lines, kept = [], {}
    for equation in row.equations:
        match = _LEFT.fullmatch(equation)
        if match is None:
            raise SymgradError(f"{TABLE.name}: {row.name} has an equation of another form: {equation}")
        dims = [part.strip() for part in (match["dims"] or "").split(",") if part.strip()]
        kept[match["name"]] = tuple(place for place, letter in enumerate(dims) if letter == "1")
        letters = ", ".join(letter for letter in dims if letter != "1")
        lines.append(f"{match['name']}{f'[{letters}]' if letters else ''} = {match['right'].strip()}")
    return lines, kept


def number_of(operator: Operator, argument: str) -> Value:
    """A number among the operator's arguments."""
    return scalar(operator.layer.entry(operator.names[argument]))
