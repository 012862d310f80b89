"""One formula in one setting of its operator: the two sides of a claim about the operator's layer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import product

from symgrad.algebra.binding import fresh_letters, substitute
from symgrad.algebra.simplify import separate_letters
from symgrad.algebra.terms import Diff, Term, add, mul, sum_over
from symgrad.algebra.terms import Entry as Node
from symgrad.audit.comparisons import unfolded
from symgrad.audit.entries import Entry
from symgrad.audit.meanings import tensor
from symgrad.audit.operators import Operator, number_of
from symgrad.audit.reading import Reader
from symgrad.audit.records import GRADIENT
from symgrad.audit.values import Meaning, NotRead, Value, WrongDimensions, at, summed_to
from symgrad.derive.tangents import PREFIX
from symgrad.notation.layer import Layer, Tensor
from symgrad.notation.unparse import unparse

ELEMENTWISE, LINEAR = "auto_element_wise", "auto_linear"
"""Words in the place of a forward-mode formula; torchgen/packaged/autograd/load_derivatives.py says what they mean."""
MODES = ("GradMode::is_enabled",)
"""Conditions in formulas whose both sides have to hold."""


def written(entry: Entry, text: str) -> str:
    """The formula that auto_element_wise repeats: that of the only gradient."""
    return next(iter(entry.gradients.values()))[0] if text == ELEMENTWISE and entry.gradients else text


Given = tuple[bool, ...]
"""Which of the results have an upstream gradient; () where the formula does not ask."""


def cases(entry: Entry, text: str) -> list[tuple[dict[str, bool], Given]]:
    """Every combination of what a formula asks for apart from values: modes, and upstream gradients."""
    named = [mode for mode in MODES if mode in text]
    modes = [dict.fromkeys(named, value) for value in (True, False)] if named else [{}]
    count = len(entry.signature.returns) if re.search(r"grads\[\d+\]\.defined", text) else 0
    given = [each for each in product((True, False), repeat=count) if any(each) or not count]
    return [(mode, each) for mode in modes for each in given]


def shown_case(modes: Mapping[str, bool], given: Given) -> list[str]:
    """A case in words."""
    absent = [f"grads[{place}] undefined" for place, there in enumerate(given) if not there]
    return [f"{mode} {'yes' if value else 'no'}" for mode, value in modes.items()] + absent


@dataclass(frozen=True)
class Question:
    """One formula in one setting: the two sides of the claim, built when they are asked for."""

    entry: Entry
    operator: Operator
    reader: Reader
    target: str
    text: str
    place: int
    mode: str
    given: Given = ()

    @property
    def varying(self) -> list[str]:
        """The arguments with a gradient that the row gives to the layer."""
        return [name for name in self.entry.gradients if name in self.operator.names and self._is_tensor(name)]

    def _is_tensor(self, argument: str) -> bool:
        return self.operator.layer.tensor(self.operator.names[argument]) is not None

    @property
    def output(self) -> str:
        """The layer's name of the result that a forward-mode formula is for."""
        place = self.entry.signature.returns.index(self.target)
        if place >= len(self.operator.returns):
            raise NotRead(f"the operator's row has no {self.target}")
        return self.operator.returns[place]

    @property
    def layer(self) -> Layer:
        """The operator's layer; in forward mode with the tangents as further tensors."""
        layer = self.operator.layer
        if self.mode == GRADIENT:
            present = (name for name, there in zip(layer.outputs, self.given, strict=False) if there)
            return replace(layer, outputs=tuple(present) or layer.outputs)
        names = [self.operator.names[name] for name in self.varying]
        moved = tuple(Tensor(PREFIX + name, layer.entry(name).indices, "target") for name in names)
        return replace(
            layer,
            tensors=(*layer.tensors, *moved),
            outputs=(self.output,),
            order=(*layer.order, *(tensor.name for tensor in moved)),
        )

    @property
    def left(self) -> Term:
        """The gradient, or sum over the arguments x of (d result / d x) dot_x."""
        layer = self.operator.layer
        if self.mode == GRADIENT:
            if self.target not in self.varying:
                raise NotRead(f"the operator's row has no tensor {self.target}")
            entry = layer.entry(self.operator.names[self.target])
            return Node(f"d_{entry.name}", entry.indices)
        result = layer.entry(self.output)
        terms = []
        for name in self.varying:
            own = layer.entry(self.operator.names[name])
            letters = fresh_letters(own.indices, {i.name for i in result.indices} | {a.name for a in layer.axes})
            moved = Node(own.name, tuple(letters[index] for index in own.indices))
            slope = Diff(result, moved, total=True)
            terms.append(sum_over(moved.indices, mul(slope, Node(PREFIX + moved.name, moved.indices))))
        return add(*terms)

    @property
    def right(self) -> Term:
        """What the formula says."""
        if self.mode == GRADIENT:
            return self._fitted(self._read(self.text, self._gradient_scope()), self.operator.names[self.target])
        if self.text == LINEAR:
            return self._at_the_tangents()
        text, scope = self.text, self._forward_scope()
        if text == ELEMENTWISE:
            if len(self.varying) != 1:
                raise NotRead(f"{ELEMENTWISE} needs one argument with a gradient")
            text = written(self.entry, text)
            scope = {**scope, "grad": scope[f"{self.varying[0]}_t"]}
        return self._fitted(self._read(text, scope), self.output)

    def _fitted(self, found: Meaning, name: str) -> Term:
        """The entry of a value that has the dimensions of a name of the layer."""
        if isinstance(found, tuple) and 0 <= self.place < len(found):
            found = found[self.place]
        value, like = tensor(found), self.operator.value(name)
        value = summed_to(value, like.dims) if self.mode == GRADIENT else value
        if [index is None for index in value.dims] != [index is None for index in like.dims]:
            have, want = (", ".join(i.axis if i else "1" for i in dims) for dims in (value.dims, like.dims))
            raise WrongDimensions(f"the formula has the dimensions [{have}], not [{want}]")
        bare = Value(tuple(index for index in value.dims if index is not None), value.term)
        return separate_letters(at(bare, tuple(index for index in like.dims if index is not None)))

    def _read(self, text: str, scope: dict[str, Meaning]) -> Meaning:
        reader = replace(self.reader, scope=scope)
        return reader.read(text, self.entry.name)

    def _scope(self) -> dict[str, Meaning]:
        """Arguments and results under the names of the signature."""
        operator, layer = self.operator, self.operator.layer
        scope = dict(operator.scope)
        for argument, name in operator.names.items():
            scope[argument] = operator.value(name) if layer.tensor(name) else number_of(operator, argument)
        for place, (name, own) in enumerate(zip(self.entry.signature.returns, operator.returns, strict=False)):
            scope[name] = scope[f"result{place}"] = operator.value(own)
        return scope

    def _gradient_scope(self) -> dict[str, Meaning]:
        scope = self._scope()
        outputs = self.operator.layer.outputs
        there = self.given or (True,) * len(outputs)
        given = tuple(
            self.operator.value(name, "d_") if present else None for name, present in zip(outputs, there, strict=False)
        )
        scope |= {"grad": given[0], "grads": given, "grad_input_mask": ()}
        scope |= {f"grad_{name}": value for name, value in zip(self.entry.signature.returns, given, strict=False)}
        return scope

    def _forward_scope(self) -> dict[str, Meaning]:
        scope = self._scope()
        for argument, name in self.operator.names.items():
            scope[f"{argument}_p"] = scope[argument]
            if argument in self.varying:
                scope[f"{argument}_t"] = self.operator.value(name, PREFIX)
        return scope

    def _at_the_tangents(self) -> Term:
        """auto_linear: the forward pass itself, at the tangents."""
        layer = self.operator.layer
        moved = {self.operator.names[name] for name in self.varying}
        term = unfolded(layer.entry(self.output), layer)
        return substitute(term, lambda e: Node(PREFIX + e.name, e.indices) if e.name in moved else None)

    @property
    def left_text(self) -> str:
        """The left side in words: a gradient, or the tangent of the result."""
        if self.mode == GRADIENT:
            return unparse(self.left, self.layer)
        result = self.operator.layer.entry(self.output)
        return unparse(Node(PREFIX + result.name, result.indices), self.layer)
