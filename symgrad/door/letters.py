"""Which index letter stands for which SymPy index, and which length belongs to it."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count
from typing import Any

import sympy

from symgrad.door.sympy_checks import place, shown
from symgrad.errors import InputError
from symgrad.notation.names import check_name

WHOLE = "A sum runs over a whole axis: (k, 0, N - 1) or (k, 1, N) with a Symbol N. For a part of it use Piecewise."


class Letters:
    """The letters of one text: each belongs to one dimension, as the notation wants it.

    In SymPy a letter is bound where it stands, so one may run over two axes in turn; the second is
    then written with a letter of its own.
    """

    def __init__(self, variadic: set[str]) -> None:
        self.variadic = variadic
        self.sizes: dict[str, Any] = {}
        self.own: dict[Any, str] = {}
        self.first: int | None = None
        self.aliases: dict[tuple[Any, Any], str] = {}

    def declared(self, index: Any, size: Any, where: Any) -> str:
        """A letter of a declaration: k, k..., or g=h where two letters share a length."""
        name = index_name(index, where)
        size = self.length(size, where) or range_of(index, self, where)
        known = self.own.get(size)
        self.declare(name, size, name, where)
        if known is not None and known != name:
            return f"{name}={shown(known)}"
        return name + ("..." if name in self.variadic else "")

    def declare(self, letter: str, size: Any, owner: str, where: Any) -> None:
        """Say that a letter runs over a dimension of a length, which may be unknown (None)."""
        known = self.sizes.get(letter)
        if size is not None and known is not None and known != size:
            raise InputError(
                f"index {letter} runs to {shown(known)}, and to {shown(size)} here.",
                place(where),
                "Take two letters, or one length.",
            )
        self.sizes[letter] = size if size is not None else known
        if size is not None:
            self.own.setdefault(size, owner)

    def length(self, size: Any, where: Any) -> Any:
        """A length that is a symbol; None where none is given."""
        if size is None:
            return None
        if not isinstance(size, sympy.Symbol):
            hint = "What is proved holds for every size: make each length a Symbol."
            raise InputError(f"the length {shown(size)} is no symbol.", place(where, size), hint)
        return size

    def read(self, equations: Iterable[Any]) -> None:
        """Learn the lengths of declared letters from the ranges of sums."""
        for equation in equations:
            for node in sympy.preorder_traversal(equation):
                for index, low, high in node.limits if is_reduction(node) else ():
                    self.learn(index, self.whole(index, low, high, node), node)

    def learn(self, index: Any, size: Any, where: Any) -> None:
        """Note that an index runs over a length."""
        name = str(index.name)
        if self.sizes.get(name, size) is None:
            self.declare(name, size, name, where)
        elif size not in self.own:
            self.own[size] = self.letter(index, size, where)

    def whole(self, index: Any, low: Any, high: Any, where: Any) -> Any:
        """The length of a range (k, 0, N - 1) or (k, 1, N)."""
        size = sympy.expand(high - low + 1)
        if low not in (0, 1) or not isinstance(size, sympy.Symbol):
            raise InputError(f"{shown(index)} runs from {shown(low)} to {shown(high)}.", place(where), WHOLE)
        if self.first not in (None, int(low)):
            raise InputError("some indices count from 0 and some from 1.", place(where), "Count all from 0.")
        self.first = int(low)
        return size

    def letter(self, index: Any, size: Any, where: Any) -> str:
        """The letter for an index over a length (None where it is not known)."""
        name = index_name(index, where)
        dummy = isinstance(index, sympy.Dummy)
        if not dummy and (name not in self.sizes or size is None or self.sizes[name] in (None, size)):
            self.declare(name, size, name, where)
            return name
        key = (index if dummy else name, size)
        if key not in self.aliases:
            free = (f"{name[0]}{number}" for number in count(1))
            self.aliases[key] = next(letter for letter in free if letter not in self.sizes)
            self.declare(self.aliases[key], size, self.aliases[key], where)
        return self.aliases[key]


def index_name(index: Any, where: Any) -> str:
    """The checked name of an index; a Dummy's is only the beginning of one."""
    name = str(index.name).lstrip("_") or "i" if isinstance(index, sympy.Dummy) else str(index.name)
    check_name(name, place(where, index), "index")
    return name


def range_of(index: Any, letters: Letters, where: Any) -> Any:
    """The length over which an Idx runs; None for a plain symbol."""
    if not isinstance(index, sympy.Idx) or index.upper is None:
        return None
    return letters.whole(index, index.lower, index.upper, where)


def is_reduction(node: Any) -> bool:
    """Whether a node binds indices over ranges."""
    from symgrad.door.over import MaxOver, MinOver

    return isinstance(node, (sympy.Sum, sympy.Product, MaxOver, MinOver))
