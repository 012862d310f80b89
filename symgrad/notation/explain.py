"""What to say about Python that has no place in a formula, in the words of a person."""

from __future__ import annotations

import ast
import keyword
import re

from symgrad.errors import InputError, Origin

FORMULAS = "Formulas are made of + - * / **, numbers, entries x[i], functions and sum[i](…), mean[i](…)."
OPERATORS = "The operators are + - * / and ** (power)."
WHERE = "Write where(x[i] > 0, a, b), or with indices: where(k <= i, a, b)."
_ONE_LETTER = "An index is one letter, as in x[i]."

_KINDS: dict[type[ast.AST], str] = {
    ast.Lambda: "a lambda", ast.IfExp: "if … else", ast.BoolOp: "and / or", ast.Compare: "a comparison",
    ast.ListComp: "a comprehension", ast.SetComp: "a comprehension", ast.DictComp: "a comprehension",
    ast.GeneratorExp: "a comprehension", ast.NamedExpr: "an assignment in a formula", ast.JoinedStr: "an f-string",
    ast.Starred: "a star", ast.Tuple: "a list of values", ast.List: "a list", ast.Set: "a set",
    ast.Dict: "a dictionary", ast.Slice: "a slice", ast.Await: "await", ast.Yield: "yield", ast.YieldFrom: "yield",
    ast.FloorDiv: "//", ast.Mod: "%", ast.MatMult: "@", ast.BitXor: "^", ast.BitOr: "|", ast.BitAnd: "&",
    ast.LShift: "<<", ast.RShift: ">>", ast.Invert: "~", ast.Not: "not",
}  # fmt: skip
_HINTS: dict[type[ast.AST], str] = {
    ast.IfExp: WHERE,
    ast.Compare: WHERE,
    ast.BoolOp: WHERE,
    ast.Tuple: "One formula stands on a line.",
    ast.BitXor: OPERATORS,
}
_INDEX_PROBLEMS: dict[type[ast.AST], tuple[str, str]] = {
    ast.BinOp: ("an index letter is expected here, and no computed place.", _ONE_LETTER),
    ast.Constant: ("an index letter is expected here, and no number or text.", _ONE_LETTER),
    ast.Slice: ("an index is a letter; slices are not supported.", _ONE_LETTER),
}
_SYNTAX_HINTS = {
    "=": "A line holds one equation; indices are compared with ==.",
    "==": "An equation has one =.",
    ";": "One statement stands on a line.",
    ",": "One formula stands on a line.",
    "\\": "A statement goes on to the next line while a bracket is open.",
}


def kind(node: ast.AST) -> str:
    """What a person calls a piece of Python."""
    return _KINDS.get(type(node), "this piece of Python")


def hint(node: ast.AST) -> str:
    """What to write instead of it."""
    return _HINTS.get(type(node), OPERATORS if isinstance(node, (ast.operator, ast.unaryop)) else FORMULAS)


def index_problem(node: ast.AST) -> tuple[str, str]:
    """What is wrong with something that stands where an index letter is expected, and what to do."""
    return _INDEX_PROBLEMS.get(type(node), ("an index letter is expected here.", _ONE_LETTER))


def missing_operator(text: str) -> int | None:
    """Where two things stand side by side, as in 2 x; None where they do not."""
    found = re.match(r"[\w\s()\[\],.+*/-]*?(?:[)\]]\s*|\w\s+|(?<!\w)\d+(?=[A-Za-df-z]))(?=(\w+))", text)
    return found.start(1) if found and not keyword.iskeyword(found[1]) else None


def breaks_off(text: str) -> bool:
    """Whether the text ends where a value should follow."""
    return bool(re.search(r"[-+*/,<>=&|^~]\s*$", text))


def syntax_error(origin: Origin) -> InputError:
    """What stands where nothing can be understood any more."""
    found = re.match(r"\w+|\*\*|[<>=!]=|.", origin.text[origin.column - 1 :].strip())
    if not found:
        return InputError("the formula breaks off here.", origin, "A name, a number or a bracket is expected next.")
    way_out = _SYNTAX_HINTS.get(found.group(), "Formulas are written as in Python: 2*x[i]**2 - exp(-x[i])/3.")
    return InputError(f"{found.group()[:40]!r} does not fit here.", origin, way_out)
