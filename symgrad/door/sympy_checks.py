"""What is checked of SymPy objects before they are read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sympy

from symgrad.errors import InputError, Origin
from symgrad.notation.names import check_name

MOST_NODES = 20_000


def shown(node: Any, limit: int = 60) -> str:
    """An object as SymPy prints it, cut; its kind where it is too deep or too long to be printed."""
    try:
        return str(node)[:limit]
    except (RecursionError, ValueError):  # Python refuses to print whole numbers of thousands of digits
        return f"<{type(node).__name__}>"


def place(node: Any, part: Any = None, number: int = 1) -> Origin:
    """A place in an object as SymPy prints it; `part` is what the caret points at."""
    text = shown(node, 2000)
    column = text.find(shown(part, 2000)) if part is not None else 0
    return Origin("<sympy>", number, max(column, 0) + 1, text)


def checked(node: Any, what: str) -> Any:
    """The object, if it is SymPy's own and of moderate size; a text is never turned into one."""
    if not isinstance(node, sympy.Basic):
        hint = f"Give {what}, made of SymPy objects."
        if isinstance(node, str):
            hint += " Text in symgrad's notation goes to symgrad.Layer(…)."
        raise InputError(f"{shown(node)!r} is not a SymPy object but a {type(node).__name__}.", hint=hint)
    nodes = sympy.preorder_traversal(node)
    if sum(1 for _ in zip(nodes, range(MOST_NODES + 1), strict=False)) > MOST_NODES:
        raise InputError(f"this expression has more than {MOST_NODES} nodes.", hint="Split it into definitions.")
    return node


def one_object_a_name(nodes: Iterable[Any]) -> None:
    """Raise unless all that has one name is one object: SymPy tells x from a real x, and a reader does not."""
    symbols: dict[str, Any] = {}
    tensors: dict[str, Any] = {}
    for node in nodes:
        for symbol in _ordered(node.atoms(sympy.Symbol) - node.atoms(sympy.Dummy)):
            check_name_of(symbol)
            _same(symbols.setdefault(symbol.name, symbol), symbol)
        for tensor in _ordered(node.atoms(sympy.IndexedBase)):
            _same(tensors.setdefault(str(tensor.name), tensor), tensor)


def _ordered(nodes: Iterable[Any]) -> list[Any]:
    """A set in an order that is the same every time, so that a message is too."""
    return sorted(nodes, key=lambda node: (str(node.name), _described(node)))


def check_name_of(symbol: Any) -> None:
    """Raise where a name is no identifier; the rest is checked where it is known what it names."""
    plain = symbol.name.removeprefix("d_")
    if not plain.isidentifier() or not plain.isascii():
        check_name(symbol.name, place(symbol))


def _same(known: Any, found: Any) -> None:
    if known != found:
        raise InputError(
            f"two different objects are called {found.name}: {_described(known)}, and {_described(found)}.",
            place(found),
            "Make it once and use it everywhere, or give one of them another name.",
        )


def _described(node: Any) -> str:
    """How one object was made."""
    tensor = isinstance(node, sympy.IndexedBase)
    label = node.label if tensor else node
    made = getattr(label, "_assumptions_orig", None) or label.assumptions0
    given = [f"{key}={value}" for key, value in sorted(made.items()) if key != "commutative"]
    given += [f"shape={node.shape}"] if tensor and node.shape else []
    return f"one with {', '.join(given)}" if given else "one without assumptions"
