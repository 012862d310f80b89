"""Formulas given a meaning: a syntax tree and what its names stand for, to a value."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from symgrad.algebra.terms import Call, Term, number, power
from symgrad.audit.formula import Choice, Formula, Listing, Name, Number, Operation, Text, Use, parse_formula
from symgrad.audit.helpers import Helper
from symgrad.audit.meanings import choose, is_true, tensor
from symgrad.audit.operations import CONSTANTS, OPERATIONS, log_of
from symgrad.audit.values import Meaning, NotRead, scalar
from symgrad.errors import TooLargeError

MAX_HELPERS = 12
"""How deep helpers may use helpers."""
_WORDS: dict[str, Meaning] = {
    "true": True,
    "false": False,
    "std::nullopt": None,
    "nullopt": None,
    "Reduction::None": scalar(number(0)),
    "Reduction::Mean": scalar(number(1)),
    "Reduction::Sum": scalar(number(2)),
}
"""Names that mean the same everywhere; the numbers of ATen/core/Reduction.h."""
_SIGNIFICANT = 15
"""Decimals with as many digits stand for the irrational number that they round, where there is one."""
_IRRATIONAL: tuple[tuple[str, str, Term], ...] = (
    ("3.14159265358979323846264338327950288", "pi", Call("pi", ())),
    ("0.69314718055994530941723212145817657", "log(2)", log_of(2)),
    ("2.30258509299404568401799145468436421", "log(10)", log_of(10)),
    ("1.41421356237309504880168872420969808", "sqrt(2)", CONSTANTS["M_SQRT2"]),
    ("1.77245385090551602729816748334114518", "sqrt(pi)", power(Call("pi", ()), Fraction(1, 2))),
)
"""Digits, name and term; a decimal stands for one of them where it is off by less than 1 in its last digit."""


@dataclass
class Reader:
    """Reads formulas in one scope.

    Attributes:
        scope: what names stand for.
        helpers: the table of helper functions, by name and number of arguments.
        modes: conditions that are neither data nor settings, such as "GradMode::is_enabled".
        used: the helpers that were needed.
        notes: decimals that were read as irrational numbers.
    """

    scope: Mapping[str, Meaning]
    helpers: Mapping[tuple[str, int], Helper]
    modes: Mapping[str, bool] = field(default_factory=dict)
    used: dict[str, Helper] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    depth: int = 0

    def read(self, text: str, source: str = "<formula>") -> Meaning:
        """What a formula means.

        Raises:
            InputError: it does not have the form of a formula.
            NotRead: something in it has no meaning here, which the message names.
        """
        tree = parse_formula(text, source)
        try:
            return self.meaning(tree)
        except TooLargeError as error:
            raise NotRead(str(error)) from None

    def meaning(self, tree: Formula) -> Meaning:
        """What a node means."""
        match tree:
            case Number(text):
                return scalar(self.number(text))
            case Text(text):
                return text
            case Name(name):
                return self.named(name)
            case Listing(items):
                return tuple(self.meaning(item) for item in items)
            case Choice(condition, then, otherwise):
                return self.choice(condition, then, otherwise)
            case Operation(operator, operands):
                return self.operation(operator, tuple(self.meaning(operand) for operand in operands))
            case Use(function, arguments):
                return self.use(function, arguments)

    def number(self, text: str) -> Term:
        """An exact number, or the irrational one that so many digits are meant to be."""
        whole, _, decimals = text.partition(".")
        if decimals.isdigit() and len((whole + decimals).lstrip("0")) >= _SIGNIFICANT:
            for digits, name, term in _IRRATIONAL:
                if abs(Fraction(digits) - Fraction(text)) < Fraction(1, 10 ** len(decimals)):
                    self.notes[text] = name
                    return term
        return number(text)

    def named(self, name: str) -> Meaning:
        """A variable, a word or a constant."""
        plain = name.removeprefix("at::")
        if name in self.scope:
            return self.scope[name]
        if plain in _WORDS:
            return _WORDS[plain]
        if plain in CONSTANTS:
            return scalar(CONSTANTS[plain])
        raise NotRead(f"{name} is not known here")

    def choice(self, condition: Formula, then: Formula, otherwise: Formula) -> Meaning:
        """A ? b : c; the side that is not taken is not read where the condition is known."""
        found = self.meaning(condition)
        known = is_true(found)
        if known is not None:
            return self.meaning(then if known else otherwise)
        if tensor(found).dims:
            raise NotRead("a choice by a tensor")
        return choose(found, self.meaning(then), self.meaning(otherwise))

    def operation(self, operator: str, values: tuple[Meaning, ...]) -> Meaning:
        """An operator; texts are compared as they are."""
        if len(values) == 1:
            return OPERATIONS["neg" if operator == "-" else "logical_not"](*values)
        if operator in ("==", "!=") and any(isinstance(value, str) for value in values):
            return (values[0] == values[1]) == (operator == "==")
        return OPERATIONS[_OPERATORS.get(operator, operator)](*values)

    def use(self, function: str, arguments: tuple[Formula, ...]) -> Meaning:
        """A call: of a mode, a helper, or an operation."""
        if function in self.modes:
            return self.modes[function]
        if function in ("[]", "std::get"):
            return self.picked(self.meaning(arguments[0]), self.meaning(arguments[1]))
        name = function.removeprefix("at::").removeprefix("std::")
        values = tuple(self.meaning(argument) for argument in arguments)
        helper = self.helpers.get((name, len(values)))
        if helper is not None:
            return self.helped(helper, values)
        operation = OPERATIONS.get(name) or OPERATIONS.get(name.removesuffix("_"))
        if operation is None:
            raise NotRead(
                f"no reading of {name} with {len(values)} arguments" if self.known(name) else f"helper {name}"
            )
        try:
            inspect.signature(operation).bind(*values)
        except TypeError:
            raise NotRead(f"no reading of {name} with {len(values)} arguments") from None
        return operation(*values)

    def known(self, name: str) -> bool:
        """Whether there is a helper of that name."""
        return any(name == known for known, _ in self.helpers)

    def picked(self, several: Meaning, place: Meaning) -> Meaning:
        """One of several values."""
        found = tensor(place).number
        if not isinstance(several, tuple) or found is None or not 0 <= found < len(several):
            raise NotRead("an entry of something that has none")
        chosen: Meaning = several[int(found)]
        return chosen

    def helped(self, helper: Helper, values: tuple[Meaning, ...]) -> Meaning:
        """A helper function: its formula, with the arguments in the place of its parameters."""
        if self.depth >= MAX_HELPERS:
            raise NotRead(f"helper {helper.name} is nested too deeply")
        self.used[helper.name] = helper
        scope = dict(zip(helper.parameters, values, strict=True))
        inner = Reader(scope, self.helpers, self.modes, self.used, self.notes, self.depth + 1)
        return inner.meaning(helper.tree)


_OPERATORS = {"+": "add", "-": "sub", "*": "mul", "&&": "logical_and", "&": "logical_and", "||": "logical_or",
              "|": "logical_or"}  # fmt: skip
