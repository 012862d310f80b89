"""Right-hand sides: Python's expression syntax, parsed through a whitelist, never evaluated."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NoReturn

from symgrad.algebra.terms import (
    ONE,
    Call,
    Diff,
    Entry,
    Index,
    Num,
    Size,
    Term,
    add,
    delta,
    divide,
    mul,
    negative,
    power,
    product_of_sizes,
    sum_over,
)
from symgrad.errors import InputError, Origin, TooLargeError
from symgrad.notation.letters import Letters
from symgrad.notation.lines import Statement
from symgrad.notation.names import REDUCTIONS, check_name, did_you_mean
from symgrad.primitives import ALIASES, PRIMITIVES

MAX_EXPONENT = 64
MAX_DIGITS = 60
MAX_NODES = 20_000
_DOTS = re.compile(r"(?<=[A-Za-z0-9_])[ \t]*\.\.\.")


@dataclass
class Scope:
    """What an expression may name.

    Attributes:
        lookup: the indices of a tensor or constant, or None where the name is unknown.
        names: every known name, for suggestions.
        letters: the file's letters.
        derivatives: whether `total(…)` and `partial(…)` may stand here (in claims).
    """

    lookup: Callable[[str], tuple[Index, ...] | None]
    names: Callable[[], Sequence[str]]
    letters: Letters
    derivatives: bool = False


@dataclass
class Reader:
    """Turns one expression of `statement`, from character `base` on, into a term."""

    statement: Statement
    base: int
    scope: Scope
    bound: list[str] = field(default_factory=list)

    def read(self, end: int | None = None) -> Term:
        """The term of the whole expression."""
        return self.term(self.parse(end))

    def parse(self, end: int | None = None) -> ast.expr:
        """Python's syntax tree of the text, with syntax errors as input errors."""
        text = self.statement.text[self.base : end]
        offset = len(text) - len(text.lstrip())
        self.base += offset
        text = _DOTS.sub(lambda dots: " " * len(dots.group()), text[offset:])
        if not text:
            raise InputError("a right-hand side is missing.", self.statement.origin(self.base))
        for place, character in enumerate(text):
            if not character.isascii():
                raise InputError(
                    f"{character!r} is not an ASCII character.",
                    self.statement.origin(self.base + place),
                    "Formulas are written in ASCII; comments and docstrings may hold anything.",
                )
        try:
            tree = ast.parse(text, mode="eval").body
        except SyntaxError as error:
            origin = self.statement.at(error.lineno or 1, (error.offset or 1) - 1, self.base)
            raise InputError("this is not a formula.", origin, "Expected Python's expression syntax.") from None
        except (ValueError, MemoryError, RecursionError):
            raise InputError("this formula cannot be read.", self.statement.origin(self.base)) from None
        if sum(1 for _ in ast.walk(tree)) > MAX_NODES:
            raise InputError(
                f"this formula has more than {MAX_NODES} parts.",
                self.statement.origin(self.base),
                "Split it: give parts names of their own, on lines before.",
            )
        return tree

    def fail(self, node: ast.AST, message: str, hint: str = "") -> NoReturn:
        """Raise an input error at `node`."""
        raise InputError(message, self.origin(node), hint)

    def origin(self, node: ast.AST) -> Origin:
        """The place of a node."""
        return self.statement.at(getattr(node, "lineno", 1), getattr(node, "col_offset", 0), self.base)

    def term(self, node: ast.expr) -> Term:
        """The term of a node; what is not in the whitelist is an error."""
        handler = _HANDLERS.get(type(node))
        if handler is None:
            self.fail(
                node,
                f"a {type(node).__name__} has no meaning here.",
                "Formulas are made of + - * / **, numbers, entries x[i], functions and sum[i](…), mean[i](…).",
            )
        try:
            return handler(self, node)
        except TooLargeError as error:
            self.fail(node, f"{error}.", "Use a smaller exponent.")
        except RecursionError:
            self.fail(node, "this formula is nested too deeply.", "Give parts of it names of their own.")

    def number(self, node: ast.Constant) -> Term:
        """An exact number: `0.5` is 1/2."""
        if isinstance(node.value, bool) or not isinstance(node.value, (int, float)):
            self.fail(node, "only numbers can stand here.")
        rows = self.statement.text[self.base :].split("\n")
        text = rows[node.lineno - 1][node.col_offset : node.end_col_offset].replace("_", "")
        return Num(exact_number(text, self.origin(node)))

    def operation(self, node: ast.BinOp) -> Term:
        """+ - * / **."""
        if isinstance(node.op, ast.Pow):
            return power(self.term(node.left), self.exponent(node.right))
        combine = _OPERATIONS.get(type(node.op))
        if combine is None:
            self.fail(node, "this operator has no meaning here.", "The operators are + - * / **.")
        left, right = self.term(node.left), self.term(node.right)
        if combine is divide and right == Num(Fraction(0)):
            self.fail(node.right, "this divides by zero.")
        return combine(left, right)

    def exponent(self, node: ast.expr) -> Fraction:
        """An exponent: a rational number of moderate size."""
        value = self.term(node)
        if not isinstance(value, Num):
            self.fail(node, "an exponent must be a number.")
        if abs(value.value) > MAX_EXPONENT or value.value.denominator > MAX_EXPONENT:
            self.fail(node, f"an exponent must lie between -{MAX_EXPONENT} and {MAX_EXPONENT}.")
        return value.value

    def sign(self, node: ast.UnaryOp) -> Term:
        """-a and +a."""
        if isinstance(node.op, ast.USub):
            return negative(self.term(node.operand))
        if isinstance(node.op, ast.UAdd):
            return self.term(node.operand)
        self.fail(node, "this operator has no meaning here.", "The operators are + - * / **.")

    def name(self, node: ast.Name | ast.Attribute) -> Term:
        """A scalar: a constant, or a tensor without indices."""
        name = self.dotted(node)
        indices = self.scope.lookup(name)
        if indices is None:
            if name in self.scope.letters.parents or name in self.bound:
                self.fail(node, f"{name} is an index, not a number.", f"Its length is size[{name}].")
            self.fail(node, f"{name} is not defined.", did_you_mean(name, self.scope.names()))
        if indices:
            letters = ", ".join(index.name for index in indices)
            self.fail(node, f"{name} has indices.", f"Write {name}[{letters}].")
        return Entry(name)

    def dotted(self, node: ast.expr) -> str:
        """`y.mu` as a name."""
        if isinstance(node, ast.Name):
            return node.id
        if isinstance(node, ast.Attribute):
            return f"{self.dotted(node.value)}.{node.attr}"
        self.fail(node, "a name is expected here.")

    def entry(self, node: ast.Subscript) -> Term:
        """x[s, c, k], or size[k]."""
        name = self.dotted(node.value)
        letters = self.index_letters(node.slice)
        if name == "size":
            return product_of_sizes(self.known_index(letter, place).axis for letter, place in letters)
        indices = self.scope.lookup(name)
        if indices is None:
            self.fail(node, f"{name} is not defined.", did_you_mean(name, self.scope.names()))
        if len(letters) != len(indices):
            declared = f"{name}[{', '.join(i.name for i in indices)}]" if indices else f"{name}, without brackets"
            self.fail(node, f"{name} has {len(indices)} indices, and {len(letters)} stand here.", f"It is {declared}.")
        for (letter, place), declared_index in zip(letters, indices, strict=True):
            self.scope.letters.join(letter, declared_index.name, self.origin(place), name)
        found = tuple(self.scope.letters.index(letter) for letter, _ in letters)
        if len(set(found)) < len(found):
            self.fail(node, f"an index stands twice in {name}[…].", "Each dimension has an index of its own.")
        return Entry(name, found)

    def index_letters(self, node: ast.expr) -> list[tuple[str, ast.expr]]:
        """The letters in brackets, with their places."""
        parts = node.elts if isinstance(node, ast.Tuple) else [node]
        letters: list[tuple[str, ast.expr]] = []
        for part in parts:
            if not isinstance(part, ast.Name):
                self.fail(part, "an index letter is expected here.")
            check_name(part.id, self.origin(part), "index")
            letters.append((part.id, part))
        return letters

    def known_index(self, letter: str, node: ast.expr) -> Index:
        """An index that some tensor has."""
        if letter not in self.scope.letters.parents:
            self.fail(node, f"no tensor has an index {letter}.", did_you_mean(letter, self.scope.letters.parents))
        return self.scope.letters.index(letter)

    def call(self, node: ast.Call) -> Term:
        """A reduction, a scalar function, `where`, or a derivative in a claim."""
        if node.keywords:
            self.fail(node, "arguments are given by position here.")
        if isinstance(node.func, ast.Subscript):
            return self.reduction(node, node.func)
        name = self.dotted(node.func)
        if name == "where":
            return self.where(node)
        if name in ("total", "partial") and self.scope.derivatives:
            return self.derivative(node, total=name == "total")
        if name in REDUCTIONS:
            self.fail(node, f"{name} needs the indices that it runs over.", f"Write {name}[i](…).")
        if name not in PRIMITIVES and name not in ALIASES:
            self.fail(node, f"{name} is not a function.", did_you_mean(name, [*PRIMITIVES, *ALIASES, *REDUCTIONS]))
        if len(node.args) != 1:
            self.fail(node, f"{name} takes one argument, and {len(node.args)} stand here.")
        argument = self.term(node.args[0])
        return ALIASES[name](argument) if name in ALIASES else Call(name, (argument,))

    def reduction(self, node: ast.Call, function: ast.Subscript) -> Term:
        """sum[s, k](…) and mean[s, k](…)."""
        name = self.dotted(function.value)
        if name not in REDUCTIONS:
            self.fail(function, f"{name} is not a reduction.", f"The reductions are {' and '.join(REDUCTIONS)}.")
        if len(node.args) != 1:
            self.fail(node, f"{name} takes one expression, and {len(node.args)} stand here.")
        letters = self.index_letters(function.slice)
        names = [letter for letter, _ in letters]
        if len(set(names)) < len(names):
            self.fail(function, f"an index stands twice in {name}[…].")
        self.bound += names
        body = self.term(node.args[0])
        del self.bound[len(self.bound) - len(names) :]
        indices = [self.known_index(letter, place) for letter, place in letters]
        total = sum_over(indices, body)
        if name == "mean":
            return mul(power(product_of_sizes(index.axis for index in indices), -1), total)
        return total

    def where(self, node: ast.Call) -> Term:
        """where(k == i, a, b) and where(k != i, a, b), for indices over one axis."""
        if len(node.args) != 3:
            self.fail(node, f"where takes a condition and two values, and {len(node.args)} stand here.")
        then, otherwise = self.term(node.args[1]), self.term(node.args[2])
        same, equal = self.comparison(node.args[0])  # after the values, which say what the letters are
        if not equal:
            then, otherwise = otherwise, then
        return add(mul(same, then), mul(add(ONE, negative(same)), otherwise))

    def comparison(self, node: ast.expr) -> tuple[Term, bool]:
        """The delta of two compared indices, and whether they are to be equal."""
        if not (isinstance(node, ast.Compare) and len(node.ops) == 1 and isinstance(node.ops[0], (ast.Eq, ast.NotEq))):
            self.fail(node, "a condition compares two indices.", "Write k == i or k != i.")
        sides = [self.index_letters(side)[0] for side in (node.left, node.comparators[0])]
        for letter, place in sides:
            self.known_index(letter, place)
        (left, _), (right, _) = sides
        self.scope.letters.join(left, right, self.origin(node), "the other side")
        letters = self.scope.letters
        return delta(letters.index(left), letters.index(right)), isinstance(node.ops[0], ast.Eq)

    def derivative(self, node: ast.Call, total: bool) -> Term:
        """total(y[c, k], x[c, i]) and partial(y[c, i], mu[c])."""
        if len(node.args) != 2:
            self.fail(node, f"a derivative takes what and by what, and {len(node.args)} stand here.")
        wrt = self.term(node.args[1])
        if not isinstance(wrt, Entry):
            self.fail(node.args[1], "a derivative is taken by an entry, such as x[c, i].")
        return Diff(self.term(node.args[0]), wrt, total)


def exact_number(text: str, origin: Origin) -> Fraction:
    """The exact value of a decimal literal, refused where it is absurdly large or long."""
    match = re.fullmatch(r"(\d*\.?\d*)(?:[eE]([+-]?\d+))?", text)
    if not match or not match.group(1).strip("."):
        raise InputError(f"{text[:40]!r} is not a decimal number.", origin, "Write it as 2, 0.5 or 1e-5.")
    if len(match.group(1)) > MAX_DIGITS or len(match.group(2) or "") > 4 or abs(int(match.group(2) or 0)) > 400:
        raise InputError("this number is too long or too large.", origin)
    return Fraction(text)


_OPERATIONS: dict[type[ast.operator], Callable[[Term, Term], Term]] = {
    ast.Add: lambda a, b: add(a, b),
    ast.Sub: lambda a, b: add(a, negative(b)),
    ast.Mult: lambda a, b: mul(a, b),
    ast.Div: divide,
}
_HANDLERS: dict[type[ast.expr], Callable[[Reader, ast.expr], Term]] = {
    ast.Constant: Reader.number,  # type: ignore[dict-item]
    ast.BinOp: Reader.operation,  # type: ignore[dict-item]
    ast.UnaryOp: Reader.sign,  # type: ignore[dict-item]
    ast.Name: Reader.name,  # type: ignore[dict-item]
    ast.Attribute: Reader.name,  # type: ignore[dict-item]
    ast.Subscript: Reader.entry,  # type: ignore[dict-item]
    ast.Call: Reader.call,  # type: ignore[dict-item]
}
