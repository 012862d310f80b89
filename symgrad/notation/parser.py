"""Text to `Layer`: declarations, equations, uses of other layers."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction

from symgrad.algebra.terms import Entry, Index
from symgrad.errors import InputError, Origin
from symgrad.notation.expression import Reader, Scope, exact_number
from symgrad.notation.inline import Argument, inline
from symgrad.notation.layer import ROLES, Axis, Constant, Definition, Layer, LayerCall, Tensor
from symgrad.notation.letters import Letters
from symgrad.notation.lines import Statement, split
from symgrad.notation.names import check_name, did_you_mean
from symgrad.primitives import ALIASES, PRIMITIVES

MAX_DEFINITIONS = 2_000
Lookup = Callable[[str], "Layer | None"]

_WORD = re.compile(r"\s*([A-Za-z]\w*)\b(?=\s+[^\s=(\[.,*/+-])")
_TENSOR = re.compile(r"\s*(?P<name>[^\W\d]\w*)\s*(?:\[(?P<indices>[^\[\]]*)\])?\s*(?P<sep>,|$)")
_LEFT = re.compile(r"\s*(?P<name>[^\W\d][\w.]*)\s*(?:\[(?P<indices>[^\[\]]*)\])?\s*=(?!=)")
_RESULTS = re.compile(r"\s*(?P<names>[^\W\d]\w*(?:\s*,\s*[^\W\d]\w*)*)\s*=(?!=)\s*")
_CALL = re.compile(r"(?P<layer>[^\W\d]\w*)\s*\((?P<arguments>[^()]*)\)\s*$")


def parse(text: str, name: str, source: str, find_layer: Lookup) -> Layer:
    """The layer that `text` defines.

    Args:
        text: the notation.
        name: the layer's name, a Python identifier.
        source: what error messages call the text: a path, or "<text>".
        find_layer: gives the layer of a name that is used as a function, or None.

    Raises:
        InputError: with the place, what was expected and what to do.
    """
    doc, statements = split(text, source)
    reader = _LayerReader(name, doc, text, find_layer)
    for statement in statements:
        reader.statement(statement)
    return reader.finish(source)


@dataclass
class _LayerReader:
    """The layer as far as it is read."""

    name: str
    doc: str
    text: str
    find_layer: Lookup
    letters: Letters = field(default_factory=Letters)
    tensors: dict[str, Tensor] = field(default_factory=dict)
    constants: dict[str, Constant] = field(default_factory=dict)
    definitions: dict[str, Definition] = field(default_factory=dict)
    calls: list[LayerCall] = field(default_factory=list)
    order: list[str] = field(default_factory=list)
    outputs: dict[str, Origin] = field(default_factory=dict)

    def statement(self, statement: Statement) -> None:
        """Read one statement."""
        word = _WORD.match(statement.text)
        if word:
            handler = _STATEMENTS.get(word.group(1))
            if handler is None:
                known = ", ".join(_STATEMENTS)
                raise InputError(
                    f"{word.group(1)} begins no statement.",
                    statement.origin(word.start(1)),
                    f"A line is an equation, name[i] = …, or begins with one of: {known}.",
                )
            handler(self, statement, word.end())
        elif not self._call(statement):
            self._equation(statement)
        if len(self.definitions) > MAX_DEFINITIONS:
            raise InputError(f"more than {MAX_DEFINITIONS} definitions.", statement.origin(0), "Split the network.")

    def _declare_tensors(self, statement: Statement, base: int) -> None:
        role = statement.text[:base].strip()
        assert role in ROLES
        for match in self._list(statement, base, _TENSOR, "name or name[i, j]"):
            origin = statement.origin(match.start("name"))
            name = self._new_name(match.group("name"), origin)
            indices = self._dimensions(statement, match, name)
            self.tensors[name] = Tensor(name, indices, role, origin)
            self.order.append(name)

    def _list(self, statement: Statement, base: int, pattern: re.Pattern[str], what: str) -> list[re.Match[str]]:
        """The matches of a comma-separated list, up to the end of the statement."""
        found, place = [], base
        while True:
            match = pattern.match(statement.text, place)
            if not match:
                place += len(statement.text[place:]) - len(statement.text[place:].lstrip())
                raise InputError(f"expected {what} here.", statement.origin(min(place, len(statement.text))))
            found.append(match)
            place = match.end()
            if match.group("sep") != ",":
                return found

    def _dimensions(self, statement: Statement, match: re.Match[str], what: str) -> tuple[Index, ...]:
        """The indices of a declaration or a left side; `k...` is variadic."""
        text = match.group("indices")
        if text is None:
            return ()
        names, place = [], match.start("indices")
        for part in text.split(","):
            letter, variadic = part.strip(), False
            if letter.endswith("..."):
                letter, variadic = letter[:-3].strip(), True
            origin = statement.origin(place + len(part) - len(part.lstrip()))
            check_name(letter, origin, "index")
            if letter in names:
                raise InputError(f"index {letter} stands twice in {what}[…].", origin, "Each dimension has its own.")
            if variadic:
                self.letters.variadic.add(letter)
            names.append(letter)
            place += len(part) + 1
        if not match.re is _LEFT:
            for letter in names:
                self.letters.declare(letter, what)
        return tuple(self.letters.index(letter) for letter in names)

    def _new_name(self, name: str, origin: Origin) -> str:
        """A name that may be defined now."""
        check_name(name, origin)
        if self._indices(name) is not None:
            raise InputError(f"{name} is defined twice.", origin, "Give each quantity a name of its own.")
        return name

    def _declare_constants(self, statement: Statement, base: int) -> None:
        for match in self._list(statement, base, _CONSTANT, "NAME = number"):
            origin = statement.origin(match.start("name"))
            name = self._new_name(match.group("name"), origin)
            text = match.group("value")
            value = exact_number(text.lstrip("-"), statement.origin(match.start("value")))
            self.constants[name] = Constant(name, -value if text.startswith("-") else value, text, origin)
            self.order.append(name)

    def _declare_outputs(self, statement: Statement, base: int) -> None:
        for match in self._list(statement, base, _TENSOR, "the name of a definition"):
            origin = statement.origin(match.start("name"))
            name = match.group("name")
            if name not in self.definitions:
                raise InputError(f"{name} is not defined by an equation.", origin, did_you_mean(name, self.definitions))
            if name in self.outputs:
                raise InputError(f"{name} is an output twice.", origin)
            self.outputs[name] = origin

    def _equation(self, statement: Statement) -> None:
        match = _LEFT.match(statement.text)
        if not match:
            raise InputError(
                "this is not a statement.",
                statement.origin(len(statement.text) - len(statement.text.lstrip())),
                "Write an equation, y[i] = …, or a declaration such as: input x[i].",
            )
        origin = statement.origin(match.start("name"))
        name = self._new_name(match.group("name"), origin)
        indices = self._dimensions(statement, match, name)
        scope = Scope(self._indices, self._known, self.letters)
        body = Reader(statement, match.end(), scope).read()
        indices = tuple(self.letters.index(index.name) for index in indices)
        body = self.letters.resolve(body)
        self._same_indices(statement, match, name, indices, body.free)
        self.definitions[name] = Definition(name, indices, body, statement.text.strip(), origin=origin)

    def _same_indices(
        self,
        statement: Statement,
        match: re.Match[str],
        name: str,
        indices: tuple[Index, ...],
        free: frozenset[Index],
    ) -> None:
        """Both sides of an equation have the same free indices."""
        left, right = {index.name for index in indices}, {index.name for index in free}
        origin = statement.origin(match.start("name"))
        if only := sorted(right - left):
            raise InputError(
                f"index {only[0]} stands only on the right side of the equation for {name}.",
                statement.origin(_find_letter(statement.text, only[0], match.end())),
                f"Add it on the left, or reduce over it: sum[{only[0]}](…).",
            )
        if only := sorted(left - right):
            raise InputError(
                f"index {only[0]} stands only on the left side of the equation for {name}.",
                origin,
                "Each index on the left must stand on the right, free of any reduction over it.",
            )

    def _call(self, statement: Statement) -> bool:
        """Read `y = layer(x, w)`; False where the statement is something else."""
        results = _RESULTS.match(statement.text)
        call = _CALL.match(statement.text, results.end()) if results else None
        if not results or not call:
            return False
        name = call.group("layer")
        layer = self.find_layer(name)
        if layer is None and name in (*PRIMITIVES, *ALIASES):
            return False
        if layer is None:
            raise InputError(
                f"there is no function or layer {name}.",
                statement.origin(call.start("layer")),
                f"A layer is looked up as {name}.sg beside the file, then in the gallery (symgrad list).",
            )
        self._inline(statement, results, call, layer)
        return True

    def _inline(self, statement: Statement, results: re.Match[str], call: re.Match[str], layer: Layer) -> None:
        names = [part.strip() for part in results.group("names").split(",")]
        origin = statement.origin(results.start("names"))
        if len(names) != len(layer.outputs):
            raise InputError(f"{layer.name} has {len(layer.outputs)} outputs, not {len(names)}.", origin)
        for name in names:
            self._new_name(name, origin)
        arguments = self._arguments(statement, call, layer)
        added = inline(layer, names, arguments, self.letters, statement.origin(call.start("layer")))
        for definition in added:
            self.definitions[definition.name] = Definition(
                definition.name, definition.indices, definition.body, definition.text, names[0], origin
            )
        given = tuple(part.strip() for part in call.group("arguments").split(",") if part.strip())
        self.calls.append(LayerCall(names[0], layer.name, given))

    def _arguments(self, statement: Statement, call: re.Match[str], layer: Layer) -> dict[str, Argument]:
        """What stands for each of the layer's tensors and constants."""
        found: dict[str, Argument] = {}
        place = call.start("arguments")
        parts = call.group("arguments").split(",") if call.group("arguments").strip() else []
        for name, part in zip(layer.order, parts, strict=False):
            origin = statement.origin(place + len(part) - len(part.lstrip()))
            found[name] = self._argument(part.strip(), origin)
            place += len(part) + 1
        missing = [t.name for t in layer.tensors if t.name not in found]
        if len(parts) > len(layer.order) or missing:
            raise InputError(
                f"{layer.name} takes {len(layer.order)} arguments, and {len(parts)} stand here.",
                statement.origin(call.start("layer")),
                f"In this order: {layer.name}({', '.join(layer.order)}).",
            )
        for constant in layer.constants:
            found.setdefault(constant.name, Argument(constant.default, (), statement.origin(call.start("layer"))))
        return found

    def _argument(self, text: str, origin: Origin) -> Argument:
        if re.fullmatch(r"-?[\d.][\w.+-]*", text):
            value = exact_number(text.lstrip("-"), origin)
            return Argument(-value if text.startswith("-") else value, (), origin)
        indices = self._indices(text)
        if indices is None:
            raise InputError(f"{text or 'nothing'} is not defined.", origin, did_you_mean(text, self._known()))
        return Argument(Entry(text, indices), indices, origin)

    def _indices(self, name: str) -> tuple[Index, ...] | None:
        found = self.tensors.get(name) or self.definitions.get(name)
        if found is not None:
            return found.indices
        return () if name in self.constants else None

    def _known(self) -> list[str]:
        return [*self.tensors, *self.constants, *self.definitions]

    def finish(self, source: str) -> Layer:
        """The layer, all letters resolved."""
        where = Origin(source, max(1, self.text.count("\n")), 1, self.text.rstrip().rpartition("\n")[2])
        if not self.definitions:
            raise InputError("this layer defines nothing.", where, "Write at least one equation: y[i] = ….")
        if not self.outputs:
            last = list(self.definitions)[-1]
            raise InputError("this layer has no output.", where, f"Say what it returns: output {last}")
        axes = dict.fromkeys(
            self.letters.find(index.name) for t in (*self.tensors.values(), *self.definitions.values()) for index in t.indices
        )

        def resolved(indices: tuple[Index, ...]) -> tuple[Index, ...]:
            return tuple(self.letters.index(index.name) for index in indices)

        return Layer(
            name=self.name,
            doc=self.doc,
            axes=tuple(Axis(name, name in self.letters.variadic) for name in axes),
            tensors=tuple(Tensor(t.name, resolved(t.indices), t.role, t.origin) for t in self.tensors.values()),
            constants=tuple(self.constants.values()),
            definitions=tuple(
                Definition(d.name, resolved(d.indices), self.letters.resolve(d.body), d.text, d.call, d.origin)
                for d in self.definitions.values()
            ),
            outputs=tuple(self.outputs),
            text=self.text,
            calls=tuple(self.calls),
            order=tuple(self.order),
        )


def _find_letter(text: str, letter: str, start: int) -> int:
    """Where an index letter first stands in brackets after `start`."""
    match = re.compile(rf"\b{re.escape(letter)}\b").search(text, start)
    return match.start() if match else start


_CONSTANT = re.compile(r"\s*(?P<name>[^\W\d]\w*)\s*=\s*(?P<value>-?[\w.]+(?:(?<=[eE])[+-]\d+)?)\s*(?P<sep>,|$)")

_STATEMENTS: dict[str, Callable[[_LayerReader, Statement, int], None]] = {
    "input": _LayerReader._declare_tensors,
    "parameter": _LayerReader._declare_tensors,
    "target": _LayerReader._declare_tensors,
    "constant": _LayerReader._declare_constants,
    "output": _LayerReader._declare_outputs,
}
