"""Layers printed back in symgrad's own notation: parsing the text gives the same again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import count, groupby

from symgrad.algebra.binding import in_place, in_places, rename, transform_children
from symgrad.algebra.reading import padded_entry, with_padding_apart
from symgrad.algebra.simplify import tidy
from symgrad.algebra.terms import (
    Call,
    Entry,
    Index,
    Place,
    Term,
    add,
    negative,
)
from symgrad.notation.layer import Constant, Definition, Fit, Layer, Tensor
from symgrad.notation.unparse import Letters, indexed, write


def unparse_layer(layer: Layer) -> str:
    """The text of an `.sg` file that defines `layer`, with every use of another layer written out.

    What a used layer defines, `y.mu`, becomes `y_mu`.
    """
    names = undotted(layer)
    letters = Letters.of(layer)
    lines = [f'"""{layer.doc.replace(_QUOTES, _OTHER_QUOTES)}\n"""'] if layer.doc else []
    lines += [*_declarations(layer), ""]
    lines += [_definition(definition, names, letters, layer.fits) for definition in layer.definitions]
    lines += ["", f"output {', '.join(names[name] for name in layer.outputs)}"]
    return "\n".join(lines) + "\n"


_QUOTES, _OTHER_QUOTES = '"""', "'''"


def undotted(layer: Layer) -> dict[str, str]:
    """For each name of the layer one without dots: y_mu for y.mu, numbered where that is taken."""
    known = [*(t.name for t in layer.tensors), *(c.name for c in layer.constants), *(d.name for d in layer.definitions)]
    names = {name: name for name in known if "." not in name}
    for name in known:
        if name not in names:
            plain = name.replace(".", "_")
            choices = (plain if number == 1 else f"{plain}{number}" for number in count(1))
            names[name] = next(choice for choice in choices if choice not in names.values())
    return names


def _declarations(layer: Layer) -> list[str]:
    """The declared tensors and constants in the order of the layer's arguments."""
    declared: dict[str, Tensor | Constant] = {tensor.name: tensor for tensor in layer.tensors}
    declared |= {constant.name: constant for constant in layer.constants}
    order = layer.order or tuple(declared)
    lines = []
    for role, group in groupby((declared[name] for name in order), key=_role):
        lines.append(f"{role} " + ", ".join(_declared(item, layer) for item in group))
    lengths = [f"{axis.name} = {write(axis.length)}" for axis in layer.axes if axis.length is not None]
    return [*lines, *([f"index {', '.join(lengths)}"] if lengths else [])]


def _role(item: Tensor | Constant) -> str:
    return item.role if isinstance(item, Tensor) else "constant"


def _declared(item: Tensor | Constant, layer: Layer) -> str:
    """x[s, c, k...], or eps = 1e-5."""
    if isinstance(item, Constant):
        return f"{item.name} = {item.text or float(item.default)!s}"
    dimensions = [_dimension(index, layer) for index in item.indices]
    into = f" in {item.into}" if item.into else ""
    return item.name + (f"[{', '.join(dimensions)}]" if dimensions else "") + into


def _dimension(index: Index, layer: Layer) -> str:
    """k, k..., or k=j for a second letter of the dimension j."""
    if index.name != index.axis:
        return f"{index.name}={index.axis}"
    return index.name + ("..." if layer.axis(index.axis).variadic else "")


def _definition(definition: Definition, names: Mapping[str, str], letters: Letters, fits: Iterable[Fit]) -> str:
    """One equation."""
    mapping = {index: letters.own(index) for index in definition.indices}
    body = letters.settle(rename(_renamed(_padded(definition.body, fits), names), mapping))
    return f"{indexed(names[definition.name], mapping.values())} = {write(body)}"


def _padded(term: Term, fits: Iterable[Fit]) -> Term:
    """The term with pad(x[b, i + j], 1) for each entry that may lie outside, as the layer has it."""
    term = with_padding_apart(term)
    entry = padded_entry(term)
    if entry is None:
        return transform_children(term, lambda child: _padded(child, fits))
    for fit in fits:
        padding = fit.padding
        if padding is not None and Place(fit.axis, add(fit.value, negative(padding)), inside=False) in entry.indices:
            moved = (_shifted(index, padding) for index in entry.indices)
            return Call("pad", (Entry(entry.name, tuple(moved)), padding))
    return term


def _shifted(index: Index, padding: Term) -> Index:
    if isinstance(index, Place) and index.inside:
        return index
    return in_place(index, lambda value: tidy(add(value, padding)))


def _renamed(term: Term, names: Mapping[str, str]) -> Term:
    """The term with tensors under other names."""
    term = in_places(term, lambda value: _renamed(value, names))
    if isinstance(term, Entry):
        return Entry(names.get(term.name, term.name), term.indices)
    return transform_children(term, lambda child: _renamed(child, names))
