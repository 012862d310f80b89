"""The variables of a Triton kernel: each is loaded or computed where it is first used, with its formula above it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from symgrad.algebra.terms import Delta, Entry, Index, Place, Term, walk
from symgrad.plan.records import Statement
from symgrad.render.kernels.small import centred
from symgrad.render.kernels.triton_records import Axes, axes_of
from symgrad.render.kernels.triton_terms import TritonTerms
from symgrad.render.kernels.words import assignment, comment

TOP, ROW, INNER = "top", "row", "inner"
"""Where a line stands: before everything, once for each tile of rows, or for each tile of elements."""


@dataclass(frozen=True)
class Names:
    """What the names of a procedure are.

    Attributes:
        indices: the dimensions of each.
        statements: what is computed, by name.
        given: the tensors.
        strided: arrays that come and go with strides: tensors, cotangents, full-size arrays.
        labels: the tensors of whole numbers.
        constants: numbers.
        stored: for each value that is stored, the number of the stage that does it.
        results: what is stored in the dtype of a tensor, and read by no other kernel.
    """

    indices: Mapping[str, tuple[Index, ...]]
    statements: Mapping[str, Statement]
    given: frozenset[str]
    strided: frozenset[str]
    labels: frozenset[str]
    constants: frozenset[str]
    stored: Mapping[str, int]
    results: frozenset[str]


@dataclass
class Parameters:
    """The parameters of a kernel, in the order in which it uses them, each with what is handed over for it."""

    given: dict[str, str] = field(default_factory=dict)

    def array(self, name: str, axes: tuple[str, ...] = ()) -> str:
        """A pointer, with strides for these axes."""
        self.given.setdefault(f"{name}_ptr", name)
        for place, axis in enumerate(axes):
            self.given.setdefault(f"{name}_stride_{axis}", "" if place else f"*{name}.stride()")
        return f"{name}_ptr"

    def number(self, name: str, text: str, kind: str = "") -> str:
        """A number."""
        self.given.setdefault(f"{name}: {kind}" if kind else name, text)
        return name


@dataclass
class Scope:
    """The variables of one kernel.

    Attributes:
        known: what the names of the procedure are.
        stage: the number of the stage that the kernel belongs to.
        rows: the axes of a tile's rows.
        cols: those of its columns.
        real: the type to compute in.
        parts: reductions that this kernel does not finish: they have no variable.
        used: the helper functions that lines call.
    """

    known: Names
    stage: int
    rows: Axes
    cols: Axes
    real: str
    parts: frozenset[str]
    used: set[str]
    parameters: Parameters = field(default_factory=Parameters)
    lines: dict[str, list[str]] = field(default_factory=lambda: {TOP: [], ROW: [], INNER: []})
    places: dict[str, str] = field(default_factory=dict)
    """Where each variable has been defined."""
    wide: set[str] = field(default_factory=set)
    centres: frozenset[str] = frozenset()
    """Statistics that something is centred by in this kernel."""
    cols_on_top: bool = False
    """Whether there is but one block of columns, so that what belongs to columns alone is read once."""

    def __post_init__(self) -> None:
        self.terms = TritonTerms(
            self._variable, lambda term: axes_of(term.free) <= self.rows, self.wide, self.real, self.used, self.size
        )

    def text(self, term: Term) -> str:
        """A term, after the lines that its variables need."""
        self.require(term)
        return self.terms.text(term)

    def size(self, axis: str) -> str:
        """The length of an axis as a number in formulas."""
        return self.constant(f"size_{axis}", f"float(n_{axis})")

    def constant(self, name: str, text: str) -> str:
        """A number that is handed over, in the type to compute in."""
        if name not in self.places:
            self.parameters.number(name, text, '"fp64"')
            self.lines[TOP].append(f"{name} = tl.full((), {name}, {self.real})")
            self.places[name] = TOP
        return name

    def length(self, axis: str) -> str:
        """The length of an axis as a whole number."""
        return self.parameters.number(f"n_{axis}", f"n_{axis}")

    def level(self, axes: Axes) -> str:
        """Where a value with these axes is computed."""
        if not axes:
            return TOP
        if axes <= self.rows:
            return ROW
        return TOP if self.cols_on_top and axes <= self.cols else INNER

    def inside(self, axes: Axes) -> str:
        """The mask of what exists, for a value with these axes."""
        if not axes:
            return ""
        if not self.rows or axes <= self.cols:
            return "col_inside"
        return "row_inside" if not self.cols or axes <= self.rows else "inside"

    def require(self, term: Term) -> None:
        """Define the variables of a term."""
        for name in _names(term):
            self.define(name)

    def define(self, name: str) -> None:
        """Define a variable, if it is not yet there."""
        if name in self.places:
            return
        if name in self.known.constants:
            self.constant(name, f"float({name})")
            return
        statement = self.known.statements.get(name)
        if statement is None or self.known.stored.get(name, self.stage) < self.stage:
            self._load(name)
        elif statement.kind == "gather":
            self._gather(statement)
        else:
            self.assign(statement, self.text(statement.term))

    def assign(self, statement: Statement, text: str) -> None:
        """`name = text`, with the formula above it."""
        level = self._level_of(statement.name, axes_of(statement.indices) | axes_of(statement.term.free))
        self.lines[level] += [*comment(statement.formula), *assignment(statement.name, text)]
        self.places[statement.name] = level

    def _level_of(self, name: str, axes: Axes) -> str:
        """Where a value is computed: where all that it uses has been."""
        statement = self.known.statements.get(name)
        used = [self.places[n] for n in _names(statement.term) if n in self.places] if statement is not None else []
        return max([self.level(axes), *used], key=(TOP, ROW, INNER).index)

    def _load(self, name: str) -> None:
        axes = axes_of(self.known.indices[name])
        is_label = name in self.known.labels
        text = f"tl.load({self.place(name)}{self._mask(axes, other='0' if is_label else '0.0')})"
        level = self.level(axes)
        own = name in self.known.statements or name not in self.known.strided
        if own and name in self.centres and self.real == "real":
            self.used.add("split")
            self.wide.add(name)
            self.lines[level].append(f"{name}, {name}_low = _split({text}, real)")
        else:
            self.lines[level].append(f"{name} = {text}.to({'index' if is_label else self.real})")
        self.places[name] = level

    def _mask(self, axes: Axes, more: str = "", other: str = "0.0") -> str:
        mask = self.inside(axes)
        return f", {mask}{more}, {other}" if mask else f", {more.removeprefix(' & ')}, {other}" if more else ""

    def _gather(self, statement: Statement) -> None:
        """An entry at a label's place; NaN for a label that lies outside, which no sum can hide."""
        entry = statement.term
        assert isinstance(entry, Entry)
        axes, more = axes_of(statement.indices), ""
        for index in entry.indices:
            if isinstance(index, Place):
                (label,) = index.value.names
                self.define(label)
                more += f" & ({label} >= 0) & ({label} < {self.length(index.axis)})"
        text = f"tl.load({self._offset(entry.name, entry.indices)}{self._mask(axes, more, _NAN)}).to({self.real})"
        level = self._level_of(statement.name, axes)
        self.lines[level] += [*comment(statement.formula), f"{statement.name} = {text}"]
        self.places[statement.name] = level

    def place(self, name: str) -> str:
        """The address of an array's entries."""
        return self._offset(name, self.known.indices[name])

    def _offset(self, name: str, indices: tuple[Index, ...]) -> str:
        if name not in self.known.strided:
            return self._flat(self.parameters.array(name), indices)
        dims = tuple(index.axis for index in indices)
        text = self.parameters.array(name, dims)
        for index in indices:
            place = next(iter(index.value.names)) if isinstance(index, Place) else f"i_{index.axis}"
            text += f" + {place} * {name}_stride_{index.axis}"
        return text

    def _flat(self, pointer: str, indices: tuple[Index, ...]) -> str:
        """The address in an array that lies in one piece."""
        text = ""
        for index in indices:
            before = f"({text})" if " " in text else text
            text = f"{before} * {self.length(index.axis)} + i_{index.axis}" if text else f"i_{index.axis}"
        return f"{pointer} + {text}" if text else pointer

    def store(self, name: str, value: str) -> list[str]:
        """The line that stores a value."""
        mask = self.inside(axes_of(self.known.indices[name]))
        if self.real == "tl.float64" and name in self.known.results:
            self.used.add("narrow")
            value = f"_narrow({value}, {self.parameters.array(name)})"
        return [f"tl.store({self.place(name)}, {value}{f', {mask}' if mask else ''})"]

    def forget(self) -> None:
        """Forget the values of single elements: the next loop computes its own."""
        self.lines[INNER] = []
        self.places = {name: level for name, level in self.places.items() if level != INNER}

    def _variable(self, name: str) -> str:
        return name


_NAN = 'float("nan")'


def _names(term: Term) -> Iterator[str]:
    """The names in a term, in order."""
    for node in walk(term):
        if isinstance(node, Entry):
            yield node.name
        if isinstance(node, Delta) and isinstance(node.right, Place):
            yield from sorted(node.right.value.names)


def centres_of(terms: Iterator[Term], wide: Mapping[str, str]) -> frozenset[str]:
    """The statistics that arrays are centred by."""
    found = set()
    for term in terms:
        for node in walk(term):
            pair = centred(node, dict(wide))
            if pair is not None:
                found.add(pair[1].name)
    return frozenset(found)


def indent(lines: list[str]) -> list[str]:
    """The lines, one level deeper."""
    return [f"    {line}" if line else line for line in lines]


def decoded(variable: str, frame: tuple[Index, ...], scope: Scope) -> list[str]:
    """The lines that find the places on some axes from the number of a row or column."""
    lines, rest = [], variable
    for place, index in reversed(list(enumerate(frame))):
        text = rest if place == 0 else f"{rest} % {scope.length(index.axis)}"
        lines.append(f"i_{index.axis} = {text}")
        rest = f"{rest} // n_{index.axis}" if re.fullmatch(r"\w+", rest) else f"({rest}) // n_{index.axis}"
    return lines
