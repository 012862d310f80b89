"""Forward mode: tangents of all definitions from tangents of some inputs (Jacobian-vector products).

dot_u[i] = sum over the names v in the body of u of sum_j du[i]/dv[j] dot_v[j], with every other name
held. Applied to the equations of a backward pass it gives Hessian-vector products.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace

from symgrad.algebra.binding import fresh_letter
from symgrad.algebra.terms import ZERO, Diff, Entry, Index, Term, add, mul, sum_over
from symgrad.derive.dependence import Alignment, direct_alignment, separated
from symgrad.derive.local import derive_local
from symgrad.derive.recorder import Recorder
from symgrad.derive.records import Gradient
from symgrad.derive.rules import Context, known_derivatives
from symgrad.notation.layer import Definition, Layer, Tensor

PREFIX = "dot_"
"""`dot_x` is the tangent of x: the direction in which x moves."""


def tangent(entry: Entry) -> Entry:
    """dot_x[s, c, k] for x[s, c, k]."""
    return Entry(PREFIX + entry.name, entry.indices)


def derive_tangents(layer: Layer, moving: Collection[str]) -> tuple[Gradient, ...]:
    """The tangents of all definitions that depend on the tensors in `moving`, in order.

    Each body is written with the layer's names, the tangents of the moving tensors and earlier
    tangents.
    """
    return _Tangents(layer, set(moving)).run()


@dataclass
class _Tangents:
    layer: Layer
    moving: set[str]
    found: dict[str, Gradient] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.definitions = separated(self.layer)
        self.by_name = {d.name: d for d in self.definitions}
        self.context = Context(self.by_name, {})

    def run(self) -> tuple[Gradient, ...]:
        for definition in self.definitions:
            sources = [name for name in self._names() if name in self.moving and name in definition.body.names]
            if sources:
                self._derive(definition, sources)
        return tuple(self.found.values())

    def _names(self) -> list[str]:
        return [*(t.name for t in self.layer.tensors), *(d.name for d in self.definitions)]

    def _derive(self, definition: Definition, sources: list[str]) -> None:
        """Derive the tangent of one definition."""
        lemmas, terms = [], []
        for name in sources:
            alignment = direct_alignment(definition, name)
            assert alignment is not None
            derivative = _derivative(definition, self.layer.entry(name), alignment, self.layer)
            opened = tuple(i for i in derivative.wrt.indices if i not in definition.indices)
            terms.append(sum_over(opened, mul(derivative, tangent(derivative.wrt))))
            lemmas.append(derive_local(derivative, self.context, f"how {definition.name} depends on {name}"))
        recorder = Recorder(tangent(definition.entry), self.context)
        recorder.note(("tangent",), add(*terms), f"{definition.name} moves with {', '.join(sources)}")
        recorder.context = Context(self.by_name, {}, known_derivatives(lemmas))
        recorder.apply("derived before", reason="each factor was derived on its own")
        recorder.expand()
        recorder.apply("delta first", "delta picks one term", "split the sum", "constant out of the sum")
        if recorder.term != ZERO:
            self.moving.add(definition.name)
        derivation = recorder.finish("tangents", f"the tangent of {definition.name}", tuple(lemmas))
        entry = tangent(definition.entry)
        self.found[entry.name] = Gradient(entry, recorder.term, derivation)


def _derivative(what: Definition, by: Entry, alignment: Alignment, layer: Layer) -> Diff:
    """du/dv with u's own letters; an aligned index of v takes u's letter, any other a fresh one."""
    axes = {axis.name for axis in layer.axes}
    taken = {index.name for index in what.indices}
    letters: list[Index] = []
    for place, index in enumerate(alignment):
        if index is None:
            index = fresh_letter(by.indices[place], taken | (axes - {by.indices[place].axis}))
        taken.add(index.name)
        letters.append(index)
    return Diff(what.entry, Entry(by.name, tuple(letters)), total=False)


def with_backward(layer: Layer, gradients: tuple[Gradient, ...], wanted: str) -> Layer:
    """The layer that computes the gradient of `wanted`: its forward pass and its backward pass.

    The upstream gradients of the outputs are further inputs, which do not move.
    """
    seeds = tuple(Tensor(f"d_{name}", layer.entry(name).indices, "target") for name in layer.outputs)
    backward = tuple(Definition(g.entry.name, g.entry.indices, g.body) for g in gradients)
    used = _needed(layer, backward, f"d_{wanted}")
    return replace(
        layer,
        tensors=(*layer.tensors, *seeds),
        definitions=tuple(d for d in (*layer.definitions, *backward) if d.name in used),
        outputs=(f"d_{wanted}",),
        calls=(),
        order=(*layer.order, *(seed.name for seed in seeds)),
    )


def _needed(layer: Layer, backward: tuple[Definition, ...], goal: str) -> frozenset[str]:
    """The definitions on which one depends, itself included."""
    needed = {goal}
    for definition in reversed((*layer.definitions, *backward)):
        if definition.name in needed:
            needed |= definition.body.names
    return frozenset(needed)


def adjoint_identity(
    layer: Layer, gradients: tuple[Gradient, ...], tangents: tuple[Gradient, ...], moving: Collection[str]
) -> tuple[Term, Term]:
    """Two sums that are equal exactly where forward and reverse mode are adjoint, <d, J v> = <J^T d, v>.

    Left stands sum_u <d_u, body of dot_u> over all definitions that move, right the sum of
    <body of d_v, dot_v> over the moving inputs and those definitions that are no outputs. Since
    <d_u, body of dot_u> = <d_u, dot_u> = <body of d_u, dot_u>, the intermediates cancel, and what is left
    is the identity for outputs and inputs. Every term is one step long, so a long network is no harder.
    """
    body = {gradient.entry.name: gradient for gradient in gradients}
    left, right = [], []
    for found in tangents:
        name = found.entry.name.removeprefix(PREFIX)
        if name in layer.outputs or f"d_{name}" in body:
            left.append(_pair(found.entry.indices, Entry(f"d_{name}", found.entry.indices), found.body))
    inner = [found.entry.name.removeprefix(PREFIX) for found in tangents]
    for name in [*(n for n in inner if n not in layer.outputs), *moving]:
        gradient = body.get(f"d_{name}")
        if gradient is not None:
            dot = Entry(PREFIX + name, gradient.entry.indices)
            right.append(_pair(gradient.entry.indices, gradient.body, dot))
    return add(*left), add(*right)


def _pair(indices: tuple[Index, ...], left: Term, right: Term) -> Term:
    return sum_over(indices, mul(left, right))
