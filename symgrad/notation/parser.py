"""Text to `Layer`: declarations, equations, uses of other layers."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from symgrad.algebra.terms import Entry, Index, Num, Size, Term, walk
from symgrad.errors import InputError, Origin
from symgrad.notation.expression import Reader, Scope
from symgrad.notation.inline import Argument, inline
from symgrad.notation.layer import ROLES, Axis, Constant, Definition, Fit, Layer, LayerCall, Tensor
from symgrad.notation.lengths import derived_axes, whole_value
from symgrad.notation.letters import Letters
from symgrad.notation.lines import QUOTES, Statement, normalized, split
from symgrad.notation.names import NOT_YET, RESERVED, check_name, did_you_mean
from symgrad.notation.numbers import exact_number
from symgrad.notation.places import Places, read_value
from symgrad.primitives import ALIASES, PRIMITIVES

MAX_DEFINITIONS = 2_000
MAX_DECLARED = 2_000
MAX_DIMENSIONS = 16
Lookup = Callable[[str], "Layer | None"]

_WORD = re.compile(r"\s*([A-Za-z]\w*)\b(?=\s*$|\s+[^\s=(\[.,*/+:-])")
_TENSOR = re.compile(r"\s*(?P<name>[^\W\d][\w.]*)\s*(?:\[(?P<indices>[^\[\]]*)\])?\s*")
_LABEL = re.compile(
    r"\s*(?P<name>[^\W\d][\w.]*)\s*(?:\[(?P<indices>[^\[\]]*)\])?\s*(?P<in>in\s+(?P<into>[^\W\d]\w*))?\s*"
)
_LENGTH = re.compile(r"\s*(?P<name>[^\W\d]\w*)\s*(?P<equals>=)?\s*(?P<value>[^\s,=][^,=]*)?\s*")
_CONSTANT = re.compile(r"\s*(?P<name>[^\W\d]\w*)\s*(?P<equals>=)?\s*(?P<value>-?\s*[\w.]+(?:(?<=[eE])[+-]\w+)?)?\s*")
_LEFT = re.compile(r"\s*(?P<name>[^\W\d][\w.]*)\s*(?:\[(?P<indices>[^\[\]]*)\])?\s*=(?!=)")
_RESULTS = re.compile(r"\s*(?P<names>[^\W\d]\w*(?:\s*,\s*[^\W\d]\w*)*)\s*=(?!=)\s*")
_CALL = re.compile(r"(?P<layer>[^\W\d]\w*)\s*\((?P<arguments>[^()]*)\)\s*$")
_ARGUMENT = re.compile(r"[A-Za-z_][\w.]*|-?[0-9.][\w.+-]*")


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
    reader = _LayerReader(name, doc, normalized(text), find_layer)
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
    places: Places = field(default_factory=Places)
    lengths: dict[str, Term] = field(default_factory=dict)

    def statement(self, statement: Statement) -> None:
        """Read one statement."""
        word = _WORD.match(statement.text)
        if word:
            self._worded(statement, word)
        elif not self._call(statement):
            self._equation(statement)
        if len(self.definitions) > MAX_DEFINITIONS:
            raise InputError(f"more than {MAX_DEFINITIONS} definitions.", statement.first(), "Split the network.")

    def _worded(self, statement: Statement, word: re.Match[str]) -> None:
        """A statement that begins with a word of its own."""
        origin, handler = statement.origin(word.start(1)), _STATEMENTS.get(word.group(1))
        if handler is None:
            raise InputError(
                f"{word.group(1)[:40]} begins no statement.",
                origin,
                f"A line is an equation, name[i] = …, or begins with one of: {', '.join(_STATEMENTS)}.",
            )
        handler(self, statement, word.end())

    def _declare_tensors(self, statement: Statement, base: int) -> None:
        role = statement.text[:base].strip()
        assert role in ROLES
        for match in self._list(statement, base, _TENSOR, "a name such as x or x[i, j]"):
            origin = statement.origin(match.start("name"))
            name = self._new_name(match.group("name"), origin)
            indices = self._dimensions(statement, match, name, declares=True)
            self.tensors[name] = Tensor(name, indices, role, origin)
            self.order.append(name)

    def _declare_labels(self, statement: Statement, base: int) -> None:
        for match in self._list(statement, base, _LABEL, "a label such as t[b] in v"):
            origin = statement.origin(match.start("name"))
            name = self._new_name(match.group("name"), origin)
            into = match.group("into")
            if into is None:
                here = statement.origin(match.end())
                raise InputError(f"into which dimension {name} points is missing.", here, f"Write {name}[b] in v.")
            if into not in self.letters.declared or self.letters.find(into) in self.letters.variadic:
                place = statement.origin(match.start("into"))
                hint = did_you_mean(into, self.letters.declared) or "Declare x[b, v] on a line before."
                raise InputError(f"no tensor has a dimension {into} to point into.", place, hint)
            indices = self._dimensions(statement, match, name, declares=True)
            self.tensors[name] = Tensor(name, indices, "label", origin, into)
            self.places.labels[name] = into
            self.order.append(name)

    def _declare_lengths(self, statement: Statement, base: int) -> None:
        """`index j = 3`, `index j = window`: a letter whose length no tensor tells."""
        for match in self._list(statement, base, _LENGTH, "an index such as j = window"):
            letter, origin = match.group("name"), statement.origin(match.start("name"))
            check_name(letter, origin, "index")
            value = match.group("value")
            if match.group("equals") is None or value is None:
                raise InputError(f"the length of {letter} is missing.", origin, f"Write {letter} = 3, say.")
            if letter in self.letters.parents:
                raise InputError(f"{letter} is an index already.", origin, "Its length is that of its dimension.")
            self.lengths[letter] = self._length(statement, match.start("value"), match.end("value"))
            self.letters.declare(letter, f"index {letter}")

    def _length(self, statement: Statement, start: int, end: int) -> Term:
        """A length made of whole numbers and whole constants, at least 1 by default."""
        scope = Scope(self._indices, self._known, self.letters, places=self.places)
        reader = Reader(statement, start, scope)
        length = read_value(reader, reader.parse(end))
        defaults = {name: constant.default for name, constant in self.constants.items()}
        if length.free or any(isinstance(node, Size) for node in walk(length)) or whole_value(length, {}, defaults) < 1:
            hint = "A length is made of whole numbers and constants, and at least 1 by default."
            raise InputError("this is no length.", statement.origin(start), hint)
        return length

    def _list(self, statement: Statement, base: int, pattern: re.Pattern[str], what: str) -> Iterator[re.Match[str]]:
        """The matches of a comma-separated list, up to the end of the statement."""
        text, place = statement.text, base
        while match := pattern.match(text, place):
            place = match.end()
            if place < len(text) and text[place] != ",":
                raise InputError(
                    f"{text[place]!r} does not fit here.",
                    statement.origin(place),
                    f"Expected a comma and {what}, or the end of the line.",
                )
            yield match
            if place == len(text):
                return
            place += 1
        place += len(text[place:]) - len(text[place:].lstrip())
        raise InputError(f"expected {what} here.", statement.origin(place), "Names are separated by commas.")

    def _dimensions(
        self, statement: Statement, match: re.Match[str], what: str, declares: bool = False
    ) -> tuple[Index, ...]:
        """The indices of a declaration or a left side; `k...` is variadic."""
        text = match.group("indices")
        if text is None:
            return ()
        names: list[str] = []
        several: list[str] = []
        place = match.start("indices")
        for part in text.split(","):
            letter, origin = part.strip(), statement.origin(place + len(part) - len(part.lstrip()))
            place += len(part) + 1
            dots = letter.endswith("...")
            if dots:
                letter = letter[:-3].strip()
            if declares and "=" in letter:
                letter = self._second_letter(letter, names, origin)
            if dots:
                several.append(letter)
            check_name(letter, origin, "index")
            if letter in names:
                raise InputError(f"index {letter} stands twice in {what}[…].", origin, "Each dimension has its own.")
            names.append(letter)
            if dots:
                self._variadic(letter, origin, len(several), declares)
            if len(names) > MAX_DIMENSIONS:
                raise InputError(f"{what} has more than {MAX_DIMENSIONS} dimensions.", origin, "Use fewer.")
        if declares:
            for letter in names:
                if self.letters.parents.get(letter, letter) == letter:
                    self.letters.declare(letter, what)
        return tuple(self.letters.index(letter) for letter in names)

    def _second_letter(self, text: str, before: Collection[str], origin: Origin) -> str:
        """`g = h` in a declaration: g is another letter for the dimension that h names."""
        letter, _, known = (part.strip() for part in text.partition("="))
        check_name(letter, origin, "index")
        check_name(known, origin, "index")
        if known not in self.letters.parents and known not in before:
            raise InputError(f"no tensor has an index {known}.", origin, did_you_mean(known, self.letters.parents))
        if letter in self.letters.parents and self.letters.find(letter) != self.letters.find(known):
            raise InputError(f"index {letter} names another dimension already.", origin, "Choose a new letter.")
        self.letters.declare(known, letter)
        self.letters.parents.setdefault(letter, self.letters.find(known))
        return letter

    def _variadic(self, letter: str, origin: Origin, count: int, declares: bool) -> None:
        """`k...` in a declaration makes k stand for any number of dimensions."""
        known = letter in self.letters.parents
        if known and self.letters.find(letter) not in self.letters.variadic:
            raise InputError(
                f"{letter} stands for one dimension, and {letter}... for any number.",
                origin,
                f"Write {letter} here, or {letter}... where {letter} stands first.",
            )
        if declares:
            if count > 1:
                raise InputError(
                    f"{letter}... is the second index here that stands for any number of dimensions.",
                    origin,
                    "One is the most that a declared tensor can have: where does one end, and the next begin?",
                )
            self.letters.variadic.add(self.letters.find(letter))

    def _new_name(self, name: str, origin: Origin) -> str:
        """A name that may be defined now."""
        if len(self.order) >= MAX_DECLARED:
            raise InputError(f"more than {MAX_DECLARED} tensors and constants.", origin, "Split the network.")
        check_name(name, origin)
        if self._indices(name) is not None:
            before = self.tensors.get(name) or self.constants.get(name) or self.definitions.get(name)
            line = f" (first in line {before.origin.line})" if before and before.origin else ""
            raise InputError(f"{name} is defined twice{line}.", origin, "Give each quantity a name of its own.")
        return name

    def _declare_constants(self, statement: Statement, base: int) -> None:
        for match in self._list(statement, base, _CONSTANT, "a constant such as eps = 1e-5"):
            origin = statement.origin(match.start("name"))
            name = self._new_name(match.group("name"), origin)
            if match.group("equals") is None or match.group("value") is None:
                here = statement.origin(match.end())
                raise InputError(f"the default of {name} is missing.", here, f"Write {name} = 1e-5, say.")
            text = "".join(match.group("value").split())
            value = exact_number(text.lstrip("-"), statement.origin(match.start("value")))
            self.constants[name] = Constant(name, -value if text.startswith("-") else value, text, origin)
            self.places.constants[name] = self.constants[name].default
            self.order.append(name)

    def _declare_outputs(self, statement: Statement, base: int) -> None:
        for match in self._list(statement, base, _TENSOR, "the name of a definition"):
            origin = statement.origin(match.start("name"))
            name = match.group("name")
            if "." in name and name in self.definitions:
                raise InputError(f"{name} cannot be an output itself.", origin, "Give it a name: m[c] = y.mu[c].")
            if self._indices(name) is not None and name not in self.definitions:
                problem = f"{name} is declared, and an output is what an equation defines."
                raise InputError(problem, origin, f"Write y[i] = … with {name} in it, and: output y")
            if name not in self.definitions:
                hint = did_you_mean(name, self.definitions) or "Write its equation on a line before."
                raise InputError(f"{name} is not defined by an equation.", origin, hint)
            if match.group("indices") is not None:
                place = statement.origin(match.start("indices") - 1)
                raise InputError("an output is named without its indices.", place, f"Write: output {name}")
            if name in self.outputs:
                raise InputError(f"{name} is an output twice.", origin, "Name each output once.")
            self.outputs[name] = origin

    def _equation(self, statement: Statement) -> None:
        match = _LEFT.match(statement.text)
        if not match:
            late = statement.text.lstrip().startswith(QUOTES)
            hint = "Write an equation, y[i] = …, or a declaration such as: input x[i]."
            raise InputError(
                "this is not a statement.",
                statement.first(),
                "A docstring stands before everything else." if late else hint,
            )
        origin = statement.origin(match.start("name"))
        name = self._new_name(match.group("name"), origin)
        indices = self._dimensions(statement, match, name)
        scope = Scope(self._indices, self._known, self.letters, places=self.places)
        reader = Reader(statement, match.end(), scope)
        body = reader.read()
        indices = tuple(self.letters.index(index.name) for index in indices)
        body = self.letters.resolve(body)
        self._same_indices(statement, match, name, indices, body, reader.places)
        self.definitions[name] = Definition(name, indices, body, statement.text.strip(), origin=origin)

    def _same_indices(
        self,
        statement: Statement,
        match: re.Match[str],
        name: str,
        indices: tuple[Index, ...],
        body: Term,
        places: dict[str, Origin],
    ) -> None:
        """Both sides of an equation have the same free indices."""
        left, right = {index.name for index in indices}, {index.name for index in body.free}
        if only := sorted(right - left):
            raise InputError(
                f"index {only[0]} stands only on the right side of the equation for {name}.",
                places.get(only[0], statement.origin(match.end())),
                f"Add it on the left, or reduce over it: sum[{only[0]}](…).",
            )
        if only := sorted(left - right):
            raise InputError(
                f"index {only[0]} stands only on the left side of the equation for {name}.",
                statement.origin(_find_letter(statement.text, only[0], match.start("indices"))),
                f"The right side is always {body.value}: it has no indices."
                if isinstance(body, Num)
                else "Each index on the left must stand on the right, free of any reduction over it.",
            )

    def _call(self, statement: Statement) -> bool:
        """Read `y = layer(x, w)`; False where the statement is something else."""
        results = _RESULTS.match(statement.text)
        call = _CALL.match(statement.text, results.end()) if results else None
        if not results or not call:
            return False
        name, origin = call.group("layer"), statement.origin(call.start("layer"))
        function = name in PRIMITIVES or name in ALIASES
        if name in RESERVED and not (function and self._names_only(call)):
            return False
        try:
            layer = self.find_layer(name)
        except InputError as error:
            raise error if error.origin else InputError(error.message, origin, error.hint) from None
        if layer is None and function:
            return False
        if layer is None:
            where = f"A layer is looked up as {name}.sg beside the file, then in the gallery (symgrad list)."
            problem = f"{name} is not supported yet." if name in NOT_YET else f"there is no function or layer {name}."
            raise InputError(problem, origin, where)
        self._inline(statement, results, call, layer)
        return True

    @staticmethod
    def _names_only(call: re.Match[str]) -> bool:
        """Whether all arguments are names or numbers, as a layer's are."""
        return all(_ARGUMENT.fullmatch(part.strip()) for part in call.group("arguments").split(","))

    def _inline(self, statement: Statement, results: re.Match[str], call: re.Match[str], layer: Layer) -> None:
        place = results.start("names")
        names: list[str] = []
        for part in results.group("names").split(","):
            names.append(self._new_name(part.strip(), statement.origin(place + len(part) - len(part.lstrip()))))
            place += len(part) + 1
        origin = statement.origin(results.start("names"))
        if len(names) != len(layer.outputs):
            count = f"{len(layer.outputs)} output{'s' if len(layer.outputs) > 1 else ''}"
            hint = f"One name for each of {', '.join(layer.outputs)}, separated by commas."
            raise InputError(f"{layer.name} has {count}, and {len(names)} names stand here.", origin, hint)
        if len(set(names)) < len(names):
            raise InputError("a name stands twice on the left side.", origin, "Give each output a name of its own.")
        arguments = self._arguments(statement, call, layer)
        self._whole_arguments(layer, arguments)
        added = inline(layer, names, arguments, self.letters, statement.origin(call.start("layer")))
        for label, letter in added.into.items():
            handed = arguments[label].value
            own = self.places.labels[handed.name] if isinstance(handed, Entry) else letter
            self.letters.join(letter, own, arguments[label].origin, layer.name)
        self.places.fits += added.fits
        self.lengths |= added.lengths
        for definition in added.definitions:
            self.definitions[definition.name] = Definition(
                definition.name, definition.indices, definition.body, definition.text, names[0], origin
            )
        given = tuple(part.strip() for part in call.group("arguments").split(",") if part.strip())
        self.calls.append(LayerCall(names[0], layer.name, given))

    def _whole_arguments(self, layer: Layer, arguments: Mapping[str, Argument]) -> None:
        """Whole numbers are handed over for whole constants, and labels for labels."""
        for constant in layer.constants:
            argument = arguments[constant.name]
            value = argument.value
            if constant.is_whole and isinstance(value, Entry) and value.name in self.places.constants:
                self.places.whole.add(value.name)
                value = self.places.constants[value.name]
            if constant.is_whole and (isinstance(value, Entry) or value.denominator != 1):
                problem = f"{constant.name} of {layer.name} is a whole number, and something else stands here."
                raise InputError(problem, argument.origin, "Hand over 2, or a constant with such a default.")
        for tensor in layer.tensors:
            value = arguments[tensor.name].value
            is_label = isinstance(value, Entry) and value.name in self.places.labels
            if is_label != (tensor.role == "label"):
                problem = f"{tensor.name} of {layer.name} is {'a' if tensor.role == 'label' else 'no'} label."
                hint = "A label is declared: label t[b] in v." if tensor.role == "label" else "Hand over a tensor."
                raise InputError(problem, arguments[tensor.name].origin, hint)

    def _arguments(self, statement: Statement, call: re.Match[str], layer: Layer) -> dict[str, Argument]:
        """What stands for each of the layer's tensors and constants."""
        found: dict[str, Argument] = {}
        place = call.start("arguments")
        text, at_layer = call.group("arguments"), statement.origin(call.start("layer"))
        order = f"In this order: {layer.name}({', '.join(layer.order)})."
        if "[" in text:
            offset = place + text.index("[")
            raise InputError("a layer takes whole tensors.", statement.origin(offset), "Write x, without its indices.")
        parts = text.split(",") if text.strip() else []
        for name, part in zip(layer.order, parts, strict=False):
            found[name] = self._argument(part.strip(), statement.origin(place + len(part) - len(part.lstrip())))
            place += len(part) + 1
        missing = [t.name for t in layer.tensors if t.name not in found]
        if len(parts) > len(layer.order) or missing:
            count = f"{len(layer.order)} argument{'s' if len(layer.order) != 1 else ''}"
            raise InputError(f"{layer.name} takes {count}, and {len(parts)} stand here.", at_layer, order)
        for constant in layer.constants:
            given = found.setdefault(constant.name, Argument(constant.default, (), at_layer))
            if given.indices:
                problem = f"{constant.name} of {layer.name} is a number, and a tensor with indices stands here."
                raise InputError(problem, given.origin, order)
        return found

    def _argument(self, text: str, origin: Origin) -> Argument:
        if re.fullmatch(r"-?[0-9.][\w.+-]*", text):
            value = exact_number(text.lstrip("-"), origin)
            return Argument(-value if text.startswith("-") else value, (), origin)
        if "=" in text:
            raise InputError("arguments are given by position.", origin, "Write the value without a name before it.")
        if not _ARGUMENT.fullmatch(text):
            hint = "Give the formula a name, on a line before, and hand that over."
            raise InputError("a layer takes names and numbers, separated by commas.", origin, hint)
        indices = self._indices(text)
        if indices is None:
            raise InputError(f"{text} is not defined.", origin, did_you_mean(text, self._known()))
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
        rows = self.text.rstrip().split("\n")
        where = Origin(source, len(rows), 1, rows[-1])
        if not self.definitions:
            raise InputError("this layer defines nothing.", where, "Write at least one equation: y[i] = ….")
        if not self.outputs:
            last = list(self.definitions)[-1]
            raise InputError("this layer has no output.", where, f"Say what it returns: output {last}")
        if not any(tensor.role in ("input", "parameter") for tensor in self.tensors.values()):
            hint = "Declare what gets gradients: input x[i], or parameter w."
            raise InputError("this layer has no input and no parameter.", where, hint)
        fits = tuple(replace(f, axis=self.letters.find(f.axis), value=self._resolved(f)) for f in self.places.fits)

        def resolved(indices: tuple[Index, ...]) -> tuple[Index, ...]:
            return tuple(self.letters.index(index.name) for index in indices)

        return Layer(
            name=self.name,
            doc=self.doc,
            axes=self._axes(fits, where),
            tensors=tuple(
                replace(t, indices=resolved(t.indices), into=self.letters.find(t.into) if t.into else "")
                for t in self.tensors.values()
            ),
            constants=tuple(replace(c, is_whole=name in self.places.whole) for name, c in self.constants.items()),
            definitions=tuple(
                Definition(d.name, resolved(d.indices), self.letters.resolve(d.body), d.text, d.call, d.origin)
                for d in self.definitions.values()
            ),
            outputs=tuple(self.outputs),
            text=self.text,
            calls=tuple(self.calls),
            order=tuple(self.order),
            fits=tuple(dict.fromkeys(fits)),
        )

    def _resolved(self, fit: Fit) -> Term:
        return self.letters.resolve(fit.value)

    def _axes(self, fits: Sequence[Fit], where: Origin) -> tuple[Axis, ...]:
        """The dimensions, in the order of their first appearance, each with a length that something tells."""
        dimensions = [t.indices for t in self.tensors.values()] + [d.indices for d in self.definitions.values()]
        names = [self.letters.find(index.name) for indices in dimensions for index in indices]
        names += [self.letters.find(letter) for letter in self.lengths]
        names += sorted(index.axis for fit in fits for index in fit.value.free)
        lengths = {self.letters.find(letter): length for letter, length in self.lengths.items()}
        axes = tuple(Axis(n, n in self.letters.variadic, (), lengths.get(n)) for n in dict.fromkeys(names))
        given = {self.letters.find(index.name) for t in self.tensors.values() for index in t.indices} | lengths.keys()
        known = given | {axis for axis, _ in derived_axes(fits, given)}
        for axis in axes:
            if axis.name not in known:
                hint = f"Declare it, index {axis.name} = 3, or use it in x[b, i + {axis.name}] with a known i."
                raise InputError(f"nothing tells the length of the index {axis.name}.", where, hint)
        return axes


def _find_letter(text: str, letter: str, start: int) -> int:
    """Where an index letter first stands in brackets after `start`."""
    match = re.compile(rf"\b{re.escape(letter)}\b").search(text, start)
    return match.start() if match else start


_STATEMENTS: dict[str, Callable[[_LayerReader, Statement, int], None]] = {
    "input": _LayerReader._declare_tensors,
    "parameter": _LayerReader._declare_tensors,
    "target": _LayerReader._declare_tensors,
    "label": _LayerReader._declare_labels,
    "index": _LayerReader._declare_lengths,
    "constant": _LayerReader._declare_constants,
    "output": _LayerReader._declare_outputs,
}
