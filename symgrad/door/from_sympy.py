"""SymPy objects to the notation: written as text, then read by the same parser as any other layer.

So every check and limit of the notation holds here too, and nothing of a SymPy object is evaluated: its tree is
walked, its names are checked before they are written, and what has no form in the notation is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import sympy

from symgrad.door.letters import Letters, index_name
from symgrad.door.sympy_checks import checked, one_object_a_name, place, shown
from symgrad.door.sympy_layer import SympyLayer
from symgrad.door.to_sympy import Symbols
from symgrad.door.write_sympy import Writer
from symgrad.errors import InputError
from symgrad.notation.layer import Layer
from symgrad.notation.library import from_text
from symgrad.notation.names import check_layer_name, check_name
from symgrad.notation.numbers import MAX_DIGITS

SOURCE = "<sympy>"


def layer_from_sympy(given: SympyLayer) -> Layer:
    """The layer that SymPy equations define.

    Raises:
        InputError: an object that is none of SymPy's, two symbols of one name, a sum over a part of an axis, a
            function that the notation does not have, and whatever is wrong in a text.
    """
    check_layer_name(given.name)
    return from_text(_bounded(lambda: _text(given)), given.name, SOURCE)


def _bounded(write: Callable[[], str]) -> str:
    """What `write` gives; an object too deep to be walked is an input error."""
    try:
        return write()
    except RecursionError:
        raise InputError("this expression is nested too deeply to be read.", hint="Split it.") from None


def _text(given: SympyLayer) -> str:
    """The layer in the notation."""
    equations = [checked(each, "an equation, Eq(y[i], …)") for each in given.equations]
    declared = [(role, checked(each, "an entry such as x[s, c]")) for role, each in _declared(given)]
    outputs = [checked(each, "a tensor that an equation defines") for each in given.outputs]
    variadic = [checked(each, "an index") for each in given.variadic]
    constants = {checked(symbol, "a symbol"): value for symbol, value in given.constants.items()}
    lengths = {checked(size, "the symbol of a length"): _whole(value) for size, value in given.lengths.items()}
    labels = {checked(each, "an entry such as t[b]"): checked(v, "a letter") for each, v in given.labels.items()}
    one_object_a_name(
        [*(entry for _, entry in declared), *constants, *variadic, *labels, *lengths.values(), *equations]
    )
    letters = Letters({str(letter) for letter in variadic})
    names = {_name(entry): line for entry, line in ((e, _declaration(r, e, letters)) for r, e in declared)}
    names |= {_name(symbol): _constant(symbol, value) for symbol, value in constants.items()}
    names |= {_name(each): _label(each, letter, letters) for each, letter in labels.items()}
    letters.read(equations)
    lines = [names[name] for name in _order(given.order, names)]
    lines += [_length(size, value, letters) for size, value in lengths.items()]
    lines += [_equation(each, number, letters) for number, each in enumerate(equations, start=1)]
    lines += [f"output {', '.join(_name(each) for each in outputs)}"] if outputs else []
    doc = f'"""{given.doc.replace(_QUOTES, _OTHER_QUOTES)}\n"""\n' if given.doc else ""
    return doc + "\n".join(lines) + "\n"


_QUOTES, _OTHER_QUOTES = '"""', "'''"


def claim_from_sympy(claim: Any, symbols: Symbols, layer: Layer) -> str:
    """The text of a claim `Eq(d_beta[c], …)` about a layer, whose symbols are those of `to_sympy`.

    Raises:
        InputError: see `layer_from_sympy`.
    """
    equation = checked(claim, "an equation, Eq(d_x[i], …)")
    one_object_a_name([equation])
    letters = Letters(set())
    for axis in layer.axes:
        letters.declare(axis.name, symbols.sizes[axis.name], axis.name, None)
    letters.read([equation])
    own = {symbols.name(prefix + name): prefix + name for name in symbols.names for prefix in ("", "d_")}
    return _bounded(lambda: _equation(equation, 1, letters, own))


def _declared(given: SympyLayer) -> Iterable[tuple[str, Any]]:
    """Each declared entry after its role."""
    for role, entries in (("input", given.inputs), ("parameter", given.parameters), ("target", given.targets)):
        yield from ((role, entry) for entry in entries)


def _order(order: Sequence[str], names: Mapping[str, str]) -> list[str]:
    """The declared names in the order of the arguments; those that it leaves out follow."""
    unknown = [name for name in order if name not in names]
    if unknown:
        raise InputError(f"{unknown[0]!r} in the order of the arguments is not declared.", hint="Name what is.")
    return list(dict.fromkeys([*order, *names]))


def _name(node: Any) -> str:
    """The checked name of a tensor, an entry or a symbol."""
    node = node.base if isinstance(node, sympy.Indexed) else node
    if not isinstance(node, (sympy.IndexedBase, sympy.Symbol)) or isinstance(node, sympy.Dummy):
        hint = "Name a tensor by its entry x[s, c], its IndexedBase, or a Symbol."
        raise InputError(f"{shown(node)} has no name.", place(node), hint)
    name = str(node.name)
    check_name(name, place(node))
    return name


def _declaration(role: str, entry: Any, letters: Letters) -> str:
    """Input x[s, c, k...]."""
    name = _name(entry)
    if isinstance(entry, sympy.IndexedBase):
        raise InputError(f"the indices of {name} are missing.", place(entry), f"Give an entry with letters: {name}[i].")
    if not isinstance(entry, sympy.Indexed):
        return f"{role} {name}"
    dimensions = []
    shape = entry.base.shape or [None] * len(entry.indices)
    for index, size in zip(entry.indices, shape, strict=True):
        if not isinstance(index, (sympy.Symbol, sympy.Idx)):
            hint = "Declare with plain letters: x[i, j]."
            raise InputError(f"{shown(index)} is no index letter.", place(entry, index), hint)
        dimensions.append(letters.declared(index, size, entry))
    return f"{role} {name}[{', '.join(dimensions)}]"


def _label(entry: Any, into: Any, letters: Letters) -> str:
    """Label t[b] in v."""
    if not isinstance(into, (sympy.Symbol, sympy.Idx)):
        raise InputError(f"{shown(into)} is no index letter.", place(entry), "Name the dimension: {t[b]: v}.")
    return f"{_declaration('label', entry, letters)} in {index_name(into, entry)}"


def _whole(value: Any) -> Any:
    """A length: a number, or made of whole constants."""
    number = isinstance(value, int) and not isinstance(value, bool)
    return sympy.Integer(value) if number else checked(value, "a length")


def _length(size: Any, value: Any, letters: Letters) -> str:
    """Index k = window."""
    if size not in letters.own:
        raise InputError(f"no index runs over {shown(size)}.", place(size), "Give the length of a sum's range.")
    return f"index {letters.own[size]} = {Writer(value, 1, letters).expression(value)}"


def _constant(symbol: Any, value: Any) -> str:
    """Constant eps = 1e-5."""
    name = _name(symbol)
    if isinstance(value, bool) or not isinstance(value, (int, float, str, sympy.Number)):
        hint = 'Give a number, or a decimal as text: {eps: "1e-5"}.'
        raise InputError(f"the default of {name} is no number.", place(symbol), hint)
    text = _decimal(value) if isinstance(value, sympy.Rational) else str(value)
    if not text.isprintable() or "," in text:
        raise InputError(f"the default of {name} is no number.", place(symbol), "Write it as 2, 0.5 or 1e-5.")
    return f"constant {name} = {text}"


def _decimal(value: Any) -> str:
    """A rational number as a decimal; the nearest float's where it has no end."""
    for places in range(MAX_DIGITS):
        scaled = value * 10**places
        if scaled.is_Integer:
            return f"{scaled.p}e-{places}" if places else str(scaled.p)
    return str(float(value))


def _equation(equation: Any, number: int, letters: Letters, names: Mapping[str, str] | None = None) -> str:
    """One equation as a line."""
    if not isinstance(equation, sympy.Equality):
        what = "holds always: both sides are the same" if equation == sympy.true else "is no equation"
        raise InputError(f"{shown(equation)} {what}.", place(equation, number=number), "Give Eq(y[i], …).")
    writer = Writer(equation, number, letters, dict(names or {}))
    return f"{writer.left(equation.lhs)} = {writer.expression(equation.rhs)}"
