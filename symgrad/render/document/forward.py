"""The first section: what goes in, the equations as written, and with axes merged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from symgrad.algebra.terms import Size, Term, divide
from symgrad.notation.layer import Axis, Definition, Layer, Tensor
from symgrad.notation.lengths import derived_axes, given_axes
from symgrad.render.document.blocks import Block, Items, Section, Text
from symgrad.render.document.chains import equalities
from symgrad.render.document.context import Context
from symgrad.render.document.figures import network
from symgrad.render.document.markup import code, counted, listed, math, prose
from symgrad.render.document.reasons import condition
from symgrad.render.names import letter

_ROLES = {
    "input": ("Input", "gets a gradient"),
    "parameter": ("Parameter", "trainable; gets a gradient"),
    "target": ("Target", "given; gets no gradient"),
    "label": ("Labels", "given whole numbers that pick entries"),
}


def forward_section(context: Context) -> Section:
    """The network: its tensors, its equations, its domain."""
    layer = context.study.layer
    blocks: list[Block] = [Text(_opening(layer)), Items((*_tensors(context), *_constants(context), _outputs(context)))]
    blocks += [Text(_ranges(context, layer)), network(context)]
    blocks += _as_written(context)
    if context.study.merge.merged:
        blocks += _merged(context)
    blocks.append(Text(domain(context)))
    title = "The network" if layer.calls else "The layer"
    return Section("section", title, title, tuple(blocks))


def _opening(layer: Layer) -> str:
    if not layer.calls:
        return rf"The layer {code(layer.name)} is shown in Figure~\ref{{figure:network}}. It works on these quantities:"
    calls = listed(code(call.layer) for call in layer.calls)
    kinds = counted(layer.calls, "one layer", f"{len(layer.calls)} layers")
    return (
        rf"The network {code(layer.name)} is shown in Figure~\ref{{figure:network}}. It consists of {kinds}, {calls}, "
        "and works on these quantities:"
    )


def _tensors(context: Context) -> Iterator[str]:
    for tensor in context.study.layer.tensors:
        title, words = _ROLES.get(tensor.role, (tensor.role.capitalize(), ""))
        yield f"{title} {_family(context, tensor)}{'; ' + words if words else ''}."


def _family(context: Context, tensor: Tensor) -> str:
    r"""\vec x = \{x_{s,c,k}\}, or the name of a scalar."""
    if not tensor.indices:
        return context.inline(tensor.entry)
    return math(rf"{context.names.symbol(tensor.name).latex} = \{{{context.latex(tensor.entry)}\}}")


def _constants(context: Context) -> Iterator[str]:
    for constant in context.study.layer.constants:
        yield f"Constant {context.name(constant.name)}; {prose(constant.text)} unless something else is given."


def _outputs(context: Context) -> str:
    layer = context.study.layer
    names = listed(context.inline(layer.entry(name)) for name in layer.outputs)
    if layer.scalar_output:
        return f"Output {names}, a single number: the loss, of which all gradients are taken."
    loss = math(context.names.loss.latex)
    upstream = listed(context.inline(context.study.layer.entry(name)) for name in layer.outputs)
    return (
        f"{counted(layer.outputs, 'Output', 'Outputs')} {names}. All gradients are those of a scalar {loss} that is "
        f"computed from {upstream} further on; its gradients with respect to the outputs come in from there."
    )


def _ranges(context: Context, layer: Layer) -> str:
    """Over what the indices run."""
    if not layer.axes:
        return "All of these are single numbers."
    runs = listed(_range(context, axis) for axis in layer.axes)
    text = f"Here {runs}."
    variadic = [axis for axis in layer.axes if axis.variadic]
    for axis in variadic:
        text += (
            f" The index {_letter(axis)} stands for any number of dimensions, also none, counted through together: "
            f"{_size(axis)} is the product of their sizes."
        )
    return text + _lengths(context, layer) + _labels(context, layer) + " All sizes are at least 1."


def _lengths(context: Context, layer: Layer) -> str:
    """The lengths that no tensor tells."""
    text = ""
    for axis in layer.axes:
        if axis.length is not None:
            text += f" {math(rf'{context.latex(Size(axis.name))} = {context.latex(axis.length)}')}."
    known = {*given_axes(layer), *(axis.name for axis in layer.axes if axis.length is not None)}
    for name, lengths in derived_axes(layer.fits, known):
        fits = [rf"\left\lfloor {context.latex(divide(room, step))} \right\rfloor + 1" for room, step in lengths]
        count = fits[0] if len(fits) == 1 else rf"\min\left({', '.join(fits)}\right)"
        equation = rf"{context.latex(Size(name))} = {count}"
        text += f" The index {math(letter(name).latex)} runs over every position that fits: {math(equation)}."
    return text


def _labels(context: Context, layer: Layer) -> str:
    """Into which dimensions labels point."""
    return "".join(
        f" The labels {context.inline(layer.entry(name))} lie in {math(_interval(context, axis))}."
        for name, axis in layer.labels.items()
    )


def _range(context: Context, axis: Axis) -> str:
    return math(rf"{letter(axis.name).latex} \in {_interval(context, axis.name)}")


def _interval(context: Context, axis: str) -> str:
    """[1, N], or [0, N - 1] where indices are counted from 0."""
    length = rf"N_{{{letter(axis).latex}}}"
    return rf"[0,\, {length} - 1]" if context.names.from_zero else rf"[1,\, {length}]"


def _letter(axis: Axis) -> str:
    return math(letter(axis.name).latex)


def _size(axis: Axis) -> str:
    return math(f"N_{{{letter(axis.name).latex}}}")


def _as_written(context: Context) -> Iterator[Block]:
    """The forward equations about the layer as written."""
    layer = context.study.layer
    yield Text("The forward pass computes" if not layer.calls else "From bottom to top the forward pass computes")
    yield from _equations(context, layer, final=not context.study.merge.merged)


def _merged(context: Context) -> Iterator[Block]:
    """The sentence that axes are combined, and the equations again."""
    merged = context.study.merge.merged
    for axis in merged:
        parts = [letter(part).latex for part in axis.parts]
        sizes = r" \times ".join(f"N_{{{part}}}" for part in parts)
        own = letter(axis.name).latex
        yield Text(
            f"All computation is across the dimensions of {listed(map(math, parts))} together. They can therefore be "
            f"combined into a single index {_range(context, axis)} with "
            f"{math(f'N_{{{own}}} = {sizes}')}. "
        )
    yield Text("Written with it, the equations are equivalent and simpler:")
    yield from _equations(context, context.layer, final=True)
    yield Text("Other letters under a sum run over the range that stands at its sign.")


def _equations(context: Context, layer: Layer, *, final: bool) -> Iterator[Block]:
    """The definitions by layer call, each call's result before what it is made of."""
    for call, group in _groups(layer):
        results = [d for d in group if not call or d.name == call]
        inner = [d for d in group if d not in results]
        yield equalities(context, [_numbered(context, d, final=final) for d in results])
        if inner:
            yield Text("where")
            yield equalities(context, [_numbered(context, d, final=final) for d in inner])


def _groups(layer: Layer) -> Iterable[tuple[str, list[Definition]]]:
    groups: list[tuple[str, list[Definition]]] = []
    for definition in layer.definitions:
        if groups and groups[-1][0] == definition.call:
            groups[-1][1].append(definition)
        else:
            groups.append((definition.call, [definition]))
    return groups


def _numbered(context: Context, definition: Definition, *, final: bool) -> tuple[Term, Term, str]:
    """A definition with its number; the ones that derivations refer to have one in any case."""
    number = context.numbering.known(definition.entry, definition.body)
    if final:
        number = number or context.numbering.fresh()
        context.definitions[definition.name] = number
    return definition.entry, definition.body, number


def domain(context: Context) -> str:
    """What the forward pass needs."""
    sizes = [math(f"{context.latex(Size(axis.name))} \\ge 1") for axis in context.layer.axes]
    needs = [condition(context, c) for c in context.study.domain]
    if not needs:
        return "These equations make sense for all real values" + (f" and all sizes {listed(sizes)}." if sizes else ".")
    return f"These equations make sense where {listed([*sizes, *needs])}."
