"""How a term is written, up to the order of terms and factors: a key to compare lines by."""

from __future__ import annotations

from collections.abc import Mapping

from symgrad.algebra.simplify import factors_of
from symgrad.algebra.terms import (
    Add,
    Call,
    Compare,
    Delta,
    Diff,
    Entry,
    Index,
    Mul,
    Num,
    Place,
    Position,
    Pow,
    Reduce,
    Sum,
    Term,
    Where,
)

Letters = Mapping[Index, str]


def shape(term: Term, letters: Letters | None = None) -> str:
    """Equal for two terms that differ only in order, in bound letters, and in how powers are split.

    Nothing is multiplied out, so the lines of one chain of equalities keep different shapes. The
    shape does not tell total from partial derivatives.
    """
    letters = letters or {}
    match term:
        case Num(value):
            return str(value)
        case Entry(name, indices):
            return f"{name}[{','.join(_letter(i, letters) for i in indices)}]"
        case Add(terms):
            return "(+ " + " ".join(sorted(shape(part, letters) for part in terms)) + ")"
        case Mul() | Pow():
            return _product(term, letters)
        case Call(function, arguments):
            return f"({function} {' '.join(shape(a, letters) for a in arguments)})"
        case Delta(left, right):
            return f"(delta {' '.join(sorted(_letter(i, letters) for i in (left, right)))})"
        case Diff(body, wrt, _):
            return f"(d {shape(body, letters)} {shape(wrt, letters)})"
        case Sum(indices, body):
            while isinstance(body, Sum):
                indices, body = (*indices, *body.indices), body.body
            return _bound("sum", indices, body, letters)
        case Reduce(operation, indices, body):
            return _bound(operation, indices, body, letters)
        case Position(index):
            return f"(position {_letter(index, letters)})"
        case Compare(relation, left, right):
            return f"({relation} {shape(left, letters)} {shape(right, letters)})"
        case Where(condition, then, otherwise):
            return f"(where {' '.join(shape(part, letters) for part in (condition, then, otherwise))})"
        case _:
            return repr(term)


def _letter(index: Index, letters: Letters) -> str:
    if isinstance(index, Place):
        return shape(index.value, letters)
    return letters.get(index, index.name)


def _product(term: Term, letters: Letters) -> str:
    coefficient, factors = factors_of(term)
    parts = [f"(^ {shape(base, letters)} {e})" if e != 1 else shape(base, letters) for base, e in factors]
    if not parts:
        return str(coefficient)
    return parts[0] if coefficient == 1 and len(parts) == 1 else f"(* {coefficient} {' '.join(sorted(parts))})"


def _bound(operation: str, indices: tuple[Index, ...], body: Term, letters: Letters) -> str:
    """The bound letters are numbered by axis, after all that are bound around them.

    A letter that hides one from outside takes its place in `letters`, so the numbers, and not how many there
    are, say which comes next.
    """
    depth = 1 + max((int(number[1:]) for number in letters.values()), default=-1)
    inner = dict(letters)
    ordered = sorted(indices, key=lambda index: index.axis)
    for place, index in enumerate(ordered):
        inner[index] = f"%{depth + place}"
    return f"({operation} {' '.join(index.axis for index in ordered)} {shape(body, inner)})"
