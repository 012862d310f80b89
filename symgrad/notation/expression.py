"""Right-hand sides: Python's expression syntax, parsed through a whitelist, never evaluated."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import chain, islice
from typing import NoReturn

from symgrad.algebra.terms import (
    Call,
    Diff,
    Entry,
    Index,
    Num,
    Reduce,
    Term,
    add,
    divide,
    mul,
    negative,
    power,
    product_of_sizes,
    sum_over,
    walk,
)
from symgrad.errors import InputError, Origin, TooLargeError
from symgrad.notation.conditions import PAIRS, choice, condition, raised
from symgrad.notation.explain import (
    FORMULAS,
    OPERATORS,
    WHERE,
    breaks_off,
    hint,
    index_problem,
    kind,
    missing_operator,
    syntax_error,
)
from symgrad.notation.letters import Letters
from symgrad.notation.lines import Statement
from symgrad.notation.names import NAME, NOT_YET, REDUCTIONS, check_name, did_you_mean
from symgrad.notation.numbers import MAX_DIGITS, MAX_EXPONENT, exact_number, no_value, too_large
from symgrad.notation.places import PAD, Places, padded, read_place
from symgrad.primitives import ALIASES, PI, PRIMITIVES

MAX_PARTS = 10_000
MAX_OPERATIONS = 2_000
MAX_CASES = 1_000
"""The largest arguments of maximum and minimum, which repeat them in their cases."""
MAX_NESTING = 100
_DOTS = re.compile(r"(?<=[A-Za-z0-9_])[ \t]*\.\.\.(?=\s*[\],])")
_LONG_NUMBER = re.compile(rf"(?<!\w)\d{{{MAX_DIGITS + 1},}}")
_OPERATION = re.compile(r"\*\*|[-+*/%@&|^~]")
_PART = re.compile(r"\w+|[^\w\s]")
_SPLIT = "Split it: give parts names of their own, on lines before."


@dataclass
class Scope:
    """What an expression may name.

    Attributes:
        lookup: the indices of a tensor or constant, or None where the name is unknown.
        names: every known name, for suggestions.
        letters: the file's letters.
        derivatives: whether `total(…)` and `partial(…)` may stand here (in claims).
        places: what is known of labels and shifted entries.
        own: names that stand for formulas; no derivative is taken by them.
    """

    lookup: Callable[[str], tuple[Index, ...] | None]
    names: Callable[[], Sequence[str]]
    letters: Letters
    derivatives: bool = False
    places: Places = field(default_factory=Places)
    own: Collection[str] = ()


@dataclass
class Reader:
    """Turns one expression of `statement`, from character `base` on, into a term."""

    statement: Statement
    base: int
    scope: Scope
    bound: list[str] = field(default_factory=list)
    depth: int = 0
    places: dict[str, Origin] = field(default_factory=dict)
    """Where each letter first stands free, for messages."""

    def read(self, end: int | None = None) -> Term:
        """The term of the whole expression."""
        return self.term(self.parse(end))

    def parse(self, end: int | None = None) -> ast.expr:
        """Python's syntax tree of the text, with syntax errors as input errors."""
        text = self.statement.text[self.base : end]
        offset = len(text) - len(text.lstrip())
        self.base += offset
        text = _DOTS.sub(lambda dots: " " * len(dots.group()), text[offset:])
        start = self.statement.origin(self.base)
        if not text.strip():
            raise InputError("a formula is missing here.", start, FORMULAS)
        if long := _LONG_NUMBER.search(text):
            raise too_large(self.statement.origin(self.base + long.start()))
        if sum(1 for _ in _PART.finditer(text)) > MAX_PARTS:
            raise InputError(f"this formula has more than {MAX_PARTS} parts.", start, _SPLIT)
        if sum(1 for _ in _OPERATION.finditer(text)) > MAX_OPERATIONS:
            raise InputError(f"this formula has more than {MAX_OPERATIONS} operations.", start, _SPLIT)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Python's remarks on style
                return ast.parse(text, mode="eval").body
        except SyntaxError as error:
            if (place := missing_operator(text)) is not None:
                origin = self.statement.origin(self.base + place)
                raise InputError("an operator is missing here.", origin, OPERATORS) from None
            if breaks_off(text):
                raise syntax_error(self.statement.origin(self.base + len(text.rstrip()))) from None
            raise syntax_error(self.statement.at(error.lineno or 1, (error.offset or 1) - 1, self.base)) from None
        except (ValueError, MemoryError, RecursionError):
            raise InputError("this formula is nested too deeply to be read.", start, _SPLIT) from None

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
            self.fail(node, f"{kind(node)} has no meaning here.", hint(node))
        self.enter(node)
        try:
            found = handler(self, node)
        except TooLargeError as error:
            self.fail(node, f"{error}.", "Use a smaller exponent.")
        self.depth -= 1
        return self.valued(found, node)

    def enter(self, node: ast.expr) -> None:
        """One step deeper; whoever enters takes one off `depth` again."""
        if self.depth >= MAX_NESTING:
            self.fail(node, f"this formula is nested more than {MAX_NESTING} deep.", _SPLIT)
        self.depth += 1

    def valued(self, term: Term, node: ast.expr) -> Term:
        """The term, unless it has no value whatever the tensors are."""
        if reason := no_value(term):
            self.fail(node, reason, "Change the numbers that stand here.")
        return term

    def number(self, node: ast.Constant) -> Term:
        """An exact number: `0.5` is 1/2."""
        if isinstance(node.value, bool) or not isinstance(node.value, (int, float)):
            self.fail(node, "only numbers can stand here.", FORMULAS)
        rows = self.statement.text[self.base :].split("\n")
        text = rows[node.lineno - 1][node.col_offset : node.end_col_offset].replace("_", "")
        return Num(exact_number(text, self.origin(node)))

    def operation(self, node: ast.BinOp) -> Term:
        """+ - * / **; a long chain a + b + c + … is read in a loop, not by recursion."""
        chain: list[ast.BinOp] = []
        first: ast.expr = node
        while isinstance(first, ast.BinOp) and type(first.op) in _OPERATIONS:
            chain.append(first)
            first = first.left
        if not chain:
            return self.power(node)
        found = self.term(first)
        for part in reversed(chain):
            right = self.term(part.right)
            if isinstance(part.op, ast.Div) and right == Num(Fraction(0)):
                self.fail(part.right, "this divides by zero.", "Change the numbers that stand here.")
            found = self.valued(_OPERATIONS[type(part.op)](found, right), part)
        return found

    def power(self, node: ast.BinOp) -> Term:
        """a**n, with a number n."""
        if not isinstance(node.op, ast.Pow):
            self.fail(node, f"{kind(node.op)} has no meaning here.", hint(node.op))
        return self.raised(node, self.term(node.left), self.exponent(node.right))

    def raised(self, node: ast.expr, base: Term, exponent: Term) -> Term:
        """The power, unless a number that is not positive is raised to what is no number."""
        if isinstance(base, Num) and base.value <= 0 and not isinstance(exponent, Num):
            hint = "a**b is exp(b*log(a)) where b is no number."
            self.fail(node, "this power has no value: its base is not positive.", hint)
        return raised(base, exponent)

    def exponent(self, node: ast.expr) -> Term:
        """An exponent: a rational number of moderate size, or a formula (for a positive base)."""
        value = self.term(node)
        if isinstance(value, Num) and max(abs(value.value), Fraction(value.value.denominator)) > MAX_EXPONENT:
            way_out = "Use a smaller one, or exp(b*log(a))."
            self.fail(node, f"an exponent, and its denominator, must not go beyond {MAX_EXPONENT}.", way_out)
        return value

    def sign(self, node: ast.UnaryOp) -> Term:
        """-a and +a."""
        if not isinstance(node.op, (ast.USub, ast.UAdd)):
            self.fail(node, f"{kind(node.op)} has no meaning here.", hint(node.op))
        value = self.term(node.operand)
        return negative(value) if isinstance(node.op, ast.USub) else value

    def name(self, node: ast.Name | ast.Attribute) -> Term:
        """A scalar: a constant, or a tensor without indices."""
        name = self.dotted(node)
        if name in self.scope.places.labels:
            self.fail(node, f"{name} is a label, which points into a dimension and is no value.", f"Write x[{name}].")
        indices = self.scope.lookup(name)
        if indices is None:
            if name == "pi":
                return PI
            if name in self.scope.letters.parents or name in self.bound:
                self.fail(node, f"{name} is an index, not a number.", f"Its length is size[{name}].")
            self.undefined(node, name)
        if indices:
            letters = ", ".join(index.name for index in indices)
            self.fail(node, f"{name} has indices.", f"Write {name}[{letters}].")
        return Entry(name)

    def undefined(self, node: ast.expr, name: str) -> NoReturn:
        """A name that stands for nothing: perhaps a function without its argument."""
        if name in REDUCTIONS:
            self.fail(node, f"{name} needs what it runs over and what it adds up.", f"Write {name}[i](…).")
        if name == "size":
            self.fail(node, "size needs an index.", "The length of the dimension of k is size[k].")
        if name == "where":
            self.fail(node, "where needs a condition and two values.", WHERE)
        if name == "pad":
            self.fail(node, "pad needs a shifted entry.", PAD)
        if name in PRIMITIVES or name in ALIASES or name in PAIRS:
            self.fail(node, f"{name} is a function.", f"Write {name}(…).")
        self._not_yet(node, name)
        self.fail(node, f"{name} is not defined.", did_you_mean(name, self.scope.names()))

    def _not_yet(self, node: ast.expr, name: str) -> None:
        """A function that people expect: say that it is not there, not that it is unknown."""
        if name in NOT_YET:
            known = f"Functions: {', '.join(sorted([*PRIMITIVES, *ALIASES]))}. Reductions: {', '.join(REDUCTIONS)}."
            self.fail(node, f"{name} is not supported yet.", known)

    def dotted(self, node: ast.expr) -> str:
        """`y.mu` as a name."""
        parts: list[str] = []
        value = node
        while isinstance(value, ast.Attribute):
            parts.append(value.attr)
            value = value.value
        if isinstance(node, ast.Subscript):
            self.fail(node, "an entry has one pair of brackets.", "Write x[i, j].")
        if not isinstance(value, ast.Name):
            self.fail(node, "a name is expected here.", "A name, or y.mu for mu in what the layer call y = … defines.")
        return ".".join([value.id, *reversed(parts)])

    def entry(self, node: ast.Subscript) -> Term:
        """x[s, c, k], or size[k]; x[b, i + j] and x[b, t[b]] at computed places."""
        name = self.dotted(node.value)
        if name in self.scope.places.labels:
            hint = f"Write x[{name}[…]], or where(v == {name}[…], …, …)."
            self.fail(node, f"{name} is a label, which points into a dimension and is no value.", hint)
        if self.scope.lookup(name) is None:
            if name != "size":
                self.undefined(node, name)
            letters = self.index_letters(node.slice)
            return product_of_sizes(self.known_index(letter, place).axis for letter, place in letters)
        return self.shifted_entry(node)

    def shifted_entry(self, node: ast.Subscript, padding: Term | None = None) -> Entry:
        """An entry whose places may be computed; `padding` is how many zeros stand around the array."""
        name = self.dotted(node.value)
        indices = self.scope.lookup(name)
        if indices is None:
            self.undefined(node, name)
        parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        self.count(node, name, indices, len(parts))
        seen: set[str] = set()
        found: list[Index] = []
        for part, declared in zip(parts, indices, strict=True):
            if _is_computed(part) or (isinstance(part, ast.Name) and part.id in self.scope.places.labels):
                found.append(read_place(self, part, declared, padding))
            else:
                ((letter, place),) = self.index_letters(part)
                found.append(self.letter(letter, place, declared.name, name, seen))
        return Entry(name, tuple(found))

    def letter(self, letter: str, place: ast.expr, declared: str, name: str, seen: set[str]) -> Index:
        """One letter in the brackets of `name`, where that was declared with another."""
        if letter in seen:
            self.fail(place, f"index {letter} stands twice in {name}[…].", "Each dimension has its own.")
        seen.add(letter)
        self.scope.letters.join(letter, declared, self.origin(place), name)
        self.note(letter, place)
        return self.scope.letters.index(letter)

    def count(self, node: ast.expr, name: str, indices: tuple[Index, ...], given: int) -> None:
        """Raise unless as many indices stand in brackets as declared."""
        if given != len(indices):
            declared = f"{name}[{', '.join(i.name for i in indices)}]" if indices else f"{name}, without brackets"
            count = f"{len(indices)} {'index' if len(indices) == 1 else 'indices'}"
            self.fail(node, f"{name} has {count}, and {given} stand here.", f"It is {declared}.")

    def label(self, node: ast.expr, name: str, letters: Sequence[tuple[str, ast.expr]]) -> Entry:
        """A label's entry, t[b], whose value is a place."""
        indices = self.scope.lookup(name) or ()
        self.count(node, name, indices, len(letters))
        pairs = zip(letters, indices, strict=True)
        seen: set[str] = set()
        return Entry(name, tuple(self.letter(letter, place, i.name, name, seen) for (letter, place), i in pairs))

    def note(self, letter: str, node: ast.expr) -> None:
        """Remember where a letter that no reduction binds stands first."""
        if letter not in self.bound and letter not in self.places:
            self.places[letter] = self.origin(node)

    def index_letters(self, node: ast.expr) -> list[tuple[str, ast.expr]]:
        """The letters in brackets, with their places."""
        parts = node.elts if isinstance(node, ast.Tuple) else [node]
        if not parts:
            self.fail(node, "an index letter is expected here.", "A scalar is written without brackets.")
        letters: list[tuple[str, ast.expr]] = []
        for part in parts:
            if not isinstance(part, ast.Name):
                self.fail(part, *index_problem(part))
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
            value = node.keywords[0].value
            self.fail(value, "arguments are given by position.", "Write the value without a name before it.")
        if isinstance(node.func, ast.Subscript):
            return self.reduction(node, node.func)
        name = self.dotted(node.func)
        if name == "where":
            return self.where(node)
        if name == "pad":
            return padded(self, node)
        if name in ("total", "partial") and self.scope.derivatives:
            return self.derivative(node, total=name == "total")
        if name in REDUCTIONS:
            self.fail(node, f"{name} needs the indices that it runs over.", f"Write {name}[i](…).")
        if name in PAIRS:
            return self.pair(node, name)
        if name not in PRIMITIVES and name not in ALIASES:
            self.no_function(node.func, name)
        if name == "pi":
            self.fail(node.func, "pi is a number, not a function.", "Write it without brackets.")
        if len(node.args) != 1:
            self.fail(node, f"{name} takes one argument, and {len(node.args)} stand here.", f"Write {name}(…).")
        argument = self.term(node.args[0])
        return ALIASES[name](argument) if name in ALIASES else Call(name, (argument,))

    def pair(self, node: ast.Call, name: str) -> Term:
        """maximum(a, b), minimum(a, b) and pow(a, b)."""
        if len(node.args) != 2:
            self.fail(node, f"{name} takes two arguments, and {len(node.args)} stand here.", f"Write {name}(a, b).")
        one = self.term(node.args[0])
        if name == "pow":
            return self.raised(node, one, self.exponent(node.args[1]))
        other = self.term(node.args[1])
        if sum(1 for _ in islice(chain(walk(one), walk(other)), MAX_CASES + 1)) > MAX_CASES:
            self.fail(node, f"the arguments of {name} are too long, or nested too deeply.", _SPLIT)
        return PAIRS[name](one, other)

    def no_function(self, node: ast.expr, name: str) -> NoReturn:
        """A call of something that is no function."""
        if self.scope.lookup(name) is not None:
            self.fail(node, f"{name} is not a function.", f"For a product write {name}*(…).")
        if name == "size" or name in NOT_YET:
            self.undefined(node, name)
        if name in ("total", "partial"):
            self.fail(node, f"{name}(…) stands in claims only.", "A layer says the forward pass only.")
        way_out = did_you_mean(name, [*PRIMITIVES, *ALIASES, *PAIRS, *REDUCTIONS])
        if not self.scope.derivatives and NAME.fullmatch(name) and not way_out.startswith("Did you"):
            way_out = f"A layer is used on a line of its own, with whole tensors: y = {name}(x). {way_out}"
        self.fail(node, f"{name} is not a function.", way_out)

    def reduction(self, node: ast.Call, function: ast.Subscript) -> Term:
        """sum[s, k](…) and mean[s, k](…)."""
        name = self.dotted(function.value)
        if name not in REDUCTIONS:
            self._not_yet(function, name)
            self.fail(function, f"{name} is not a reduction.", f"The reductions are {' and '.join(REDUCTIONS)}.")
        if len(node.args) != 1:
            self.fail(node, f"{name} takes one formula, and {len(node.args)} stand here.", f"Write {name}[i](…).")
        letters = self.index_letters(function.slice)
        names = [letter for letter, _ in letters]
        if len(set(names)) < len(names):
            self.fail(function, f"an index stands twice in {name}[…].", "It runs over each dimension once.")
        self.bound += names
        body = self.term(node.args[0])
        del self.bound[len(self.bound) - len(names) :]
        indices = [self.known_index(letter, place) for letter, place in letters]
        if name in ("max", "min", "prod"):
            return Reduce(name, tuple(indices), body)
        total = sum_over(indices, body)
        if name == "mean":
            return mul(power(product_of_sizes(index.axis for index in indices), -1), total)
        return total

    def where(self, node: ast.Call) -> Term:
        """A choice by two indices over one axis, which are compared by == or !=."""
        if len(node.args) != 3:
            self.fail(node, f"where takes a condition and two values, and {len(node.args)} stand here.", WHERE)
        then, otherwise = self.term(node.args[1]), self.term(node.args[2])
        chosen = condition(self, node.args[0])  # after the values, which say what the letters are
        return choice(chosen, then, otherwise)

    def is_letter(self, name: str) -> bool:
        """Whether a bare name in a condition is an index rather than a value."""
        return name in self.scope.letters.parents or self.scope.lookup(name) is None

    def meet(self, left: ast.expr, right: ast.expr, same: bool) -> None:
        """Two letters are compared: a new one runs over the other's axis; equal ones over the same."""
        sides = [self.index_letters(side)[0] for side in (left, right)]
        new = [letter not in self.scope.letters.parents for letter, _ in sides]
        if all(new):
            self.known_index(*sides[0])
        if any(new) or same:
            self.scope.letters.join(sides[0][0], sides[1][0], self.origin(left), "the other side")

    def derivative(self, node: ast.Call, total: bool) -> Term:
        """total(y[c, k], x[c, i]) and partial(y[c, i], mu[c])."""
        if len(node.args) != 2:
            way_out = "Write total(y[c, k], x[c, i])."
            self.fail(node, f"a derivative takes what and by what, and {len(node.args)} stand here.", way_out)
        wrt = self.term(node.args[1])
        if not isinstance(wrt, Entry):
            self.fail(node.args[1], "a derivative is taken by an entry.", "Write total(y[c, k], x[c, i]).")
        if wrt.name.startswith("d_") or wrt.name in self.scope.own:
            what = "a gradient" if wrt.name.startswith("d_") else "a name of your own"
            self.fail(node.args[1], f"a derivative by {what} has no meaning.", "Write total(y[c, k], x[c, i]).")
        return Diff(self.term(node.args[0]), wrt, total)


def _is_computed(node: ast.expr) -> bool:
    """Whether what stands in brackets is a computed place rather than a letter."""
    whole = isinstance(node, ast.Constant) and type(node.value) is int
    return whole or isinstance(node, (ast.BinOp, ast.UnaryOp, ast.Subscript))


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
