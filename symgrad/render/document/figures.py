"""The drawings: the network from bottom to top, and the paths by which a tensor contributes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from symgrad.algebra.terms import Entry, Term
from symgrad.derive.dependence import Alignment, Segment, derivative_of, direct_alignment, segments, total_alignment
from symgrad.notation.layer import Definition, LayerCall
from symgrad.render.document.blocks import Edge, Node, Picture
from symgrad.render.document.context import Context
from symgrad.render.document.layout import lay_out
from symgrad.render.document.markup import code, listed
from symgrad.render.latex import latex
from symgrad.render.names import letter
from symgrad.render.pieces import letters_in

_ROW = 1.45
"""Centimetres from row to row."""
_LETTER = 0.19
"""About the width of a letter, in centimetres."""


@dataclass
class _Graph:
    """A drawing on its way: nodes with label, style, width and row; edges with a style."""

    labels: dict[str, str] = field(default_factory=dict)
    styles: dict[str, str] = field(default_factory=dict)
    widths: dict[str, float] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    edges: dict[tuple[str, str], str] = field(default_factory=dict)

    def node(self, key: str, label: str, style: str, letters: int, least: float = 0.8) -> None:
        """Add a node; its row is one above all that lead to it."""
        self.labels[key], self.styles[key] = label, style
        self.widths[key] = max(least, _LETTER * letters + 0.6)
        self.rows[key] = 0

    def edge(self, start: str, end: str, style: str) -> None:
        """Add an edge to the last node."""
        if start in self.rows and (start, end) not in self.edges:
            self.edges[start, end] = style
            self.rows[end] = max(self.rows[end], self.rows[start] + 1)

    def lower(self, keys: Iterable[str]) -> None:
        """Move nodes to which nothing leads up to just below their first user."""
        for key in keys:
            users = [self.rows[end] for start, end in self.edges if start == key]
            self.rows[key] = min(users, default=1) - 1

    def picture(self, caption: str, label: str) -> Picture:
        """The drawing, laid out."""
        layout = lay_out(self.rows, self.widths, list(self.edges))
        names = {key: f"n{place}" for place, key in enumerate(self.labels)}
        nodes = tuple(
            Node(names[key], self.labels[key], self.styles[key], *_point(*layout.places[key])) for key in self.labels
        )
        edges = tuple(
            Edge(names[start], names[end], style, tuple(", ".join(_point(*at)) for at in layout.routes[start, end]))
            for (start, end), style in self.edges.items()
        )
        return Picture(nodes, edges, caption, label)


def _point(across: float, row: int) -> tuple[str, str]:
    return f"{across:.2f}", f"{row * _ROW:.2f}"


def network(context: Context) -> Picture:
    """The layer as written: its tensors, the layers that it calls or its definitions, its outputs."""
    layer, graph = context.study.layer, _Graph()
    calls = {call.result: call for call in layer.calls}
    for tensor in layer.tensors:
        _quantity(context, graph, tensor.entry, "given")
    for definition in layer.definitions:
        if definition.name in calls:
            _call(context, graph, definition, calls[definition.name])
        elif not definition.call:
            style = "result" if definition.name in layer.outputs else "quantity"
            _quantity(context, graph, definition.entry, style)
            for name in definition.body.names:
                graph.edge(_inside(name), definition.name, "flow")
    graph.lower(tensor.name for tensor in layer.tensors if tensor.name in graph.rows)
    what = (
        "layers are boxes; tensors stand on the arrows between them"
        if calls
        else "each arrow leads to what is computed"
    )
    return graph.picture(f"{code(layer.name)}, from bottom to top: {what}.", "figure:network")


def _call(context: Context, graph: _Graph, definition: Definition, call: LayerCall) -> None:
    """A box for a layer call, and its result above it."""
    box = f"call {call.result}"
    graph.node(box, code(call.layer), "layercall", len(call.layer), 2.6)
    for name in call.arguments:
        graph.edge(_inside(name), box, "flow")
    _quantity(context, graph, definition.entry, "result" if call.result in context.layer.outputs else "quantity")
    graph.edge(box, call.result, "flow")


def _inside(name: str) -> str:
    """The node for a name: what a layer call defines inside stands for its result."""
    return name.partition(".")[0]


def _quantity(context: Context, graph: _Graph, entry: Entry, style: str) -> None:
    formula = latex(entry, context.names)
    graph.node(entry.name, f"${formula}$", style, letters_in(formula))


def paths(context: Context, name: str) -> Picture:
    """How an entry of the tensor `name` contributes to the loss: direct paths are highlighted."""
    layer, graph = context.layer, _Graph()
    entry = layer.entry(name)
    _quantity(context, graph, entry, "result")
    direct: list[Term] = []
    for part in segments(layer):
        if name in part.imports:
            direct += _part(context, graph, part, entry)
    ends = [key for key in graph.rows if key != name and not any(start == key for start, _ in graph.edges)]
    graph.node("loss", f"${context.names.loss.latex}$", "quantity", 2)
    for key in ends:
        graph.edge(key, "loss", "rest")
    ways = listed(context.inline(term) for term in direct)
    count = "a direct path" if len(direct) == 1 else "direct paths"
    return graph.picture(
        f"Contribution paths from {context.inline(entry)}. It has {count} (bold) to {ways}; what lies above follows.",
        f"figure:paths-{len(context.results)}",
    )


def _part(context: Context, graph: _Graph, part: Segment, entry: Entry) -> list[Term]:
    """The definitions of one segment that depend on an entry; those that use it directly are returned."""
    reached: dict[str, list[str]] = {entry.name: [entry.name]}
    direct: list[Term] = []
    for definition in part.definitions:
        every = total_alignment(part.definitions, definition.name, entry.name)
        if every is None:
            continue
        own = direct_alignment(definition, entry.name)
        copies = _copies(context, definition, entry, own, every)
        reached[definition.name] = [key for key, _ in copies]
        for key, term in copies:
            formula = context.latex(term)
            label = f"${formula}$" + (_elsewhere(copies) if key != definition.name else "")
            graph.node(key, label, "quantity", letters_in(label))
            if own is not None and key == definition.name:
                graph.edge(entry.name, key, "direct")
                direct.append(term)
            for used in definition.body.names - {entry.name}:
                for start in reached.get(used, ()):
                    graph.edge(start, key, "onward")
    return direct


def _elsewhere(copies: Sequence[tuple[str, Term]]) -> str:
    """In what the second of two nodes differs: k ≠ i."""
    (_, same), (_, rest) = copies
    assert isinstance(same, Entry) and isinstance(rest, Entry)
    pairs = [(a, b) for a, b in zip(rest.indices, same.indices, strict=True) if a != b]
    return "".join(rf",\, ${letter(a.name).latex} \ne {letter(b.name).latex}$" for a, b in pairs)


def _copies(
    context: Context, definition: Definition, entry: Entry, own: Alignment | None, every: Alignment
) -> Sequence[tuple[str, Term]]:
    """The node of a definition; two where its entry with the same indices is reached in more ways than the rest."""
    axes = [axis.name for axis in context.layer.axes]
    rest = (definition.name, derivative_of(definition, entry, every, total=True, axes=axes).body)
    if own is None or own == every:
        return (rest,)
    same = derivative_of(definition, entry, own, total=True, axes=axes).body
    return ((definition.name, same), (f"{definition.name} elsewhere", rest[1]))
