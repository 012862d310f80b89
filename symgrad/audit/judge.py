"""Entries judged: each formula becomes a claim about its operator's layer, and the prover decides."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from symgrad.algebra.binding import fresh_letters, instantiate, substitute
from symgrad.algebra.simplify import separate_letters
from symgrad.algebra.terms import Diff, Term, add, mul, sum_over
from symgrad.algebra.terms import Entry as Node
from symgrad.audit.comparisons import away, compared, settled, with_bodies
from symgrad.audit.entries import Entry
from symgrad.audit.helpers import Helper, known_helpers
from symgrad.audit.operators import Operator, Row, build_operator, known_rows, number_of
from symgrad.audit.reading import Reader
from symgrad.audit.records import FORWARD, GRADIENT, KINK, MISFIT, NOT_READ, PROVED, REFUTED, UNDECIDED, Audited, Claimed, Judged
from symgrad.audit.scope import NO_LAYER, reason_of
from symgrad.audit.values import Meaning, NotRead, Value, WrongDimensions, at, expanded, summed_to, tidy_letters
from symgrad.audit.operations import tensor
from symgrad.derive.tangents import PREFIX
from symgrad.errors import InputError
from symgrad.notation.layer import Layer, Tensor
from symgrad.notation.unparse import unparse
from symgrad.prove.conditions import conditions_of
from symgrad.prove.counterexample import Counterexample, find_counterexample
from symgrad.prove.study import study
from symgrad.prove.verdict import Proof, Prover

ELEMENTWISE, LINEAR = "auto_element_wise", "auto_linear"
"""Words in the place of a forward-mode formula; torchgen/packaged/autograd/load_derivatives.py says what they mean."""
MODES = ("GradMode::is_enabled",)
"""Conditions in formulas whose both sides have to hold."""
CORNER_TRIES = 24
"""Points tried for a difference at a corner."""
Helpers = Mapping[tuple[str, int], Helper]
Rows = Mapping[str, tuple[Row, ...]]


def audit_entries(
    entries: Iterable[Entry],
    say: Callable[[str], None] = lambda _: None,
    rows: Rows | None = None,
    helpers: Helpers | None = None,
) -> tuple[Audited, ...]:
    """Every entry: judged, or with the reason why it is out of scope."""
    judge = Judge(known_rows() if rows is None else rows, known_helpers() if helpers is None else helpers)
    found = []
    for entry in entries:
        say(f"judging {entry.name}")
        found.append(judge.entry(entry))
    return tuple(found)


@dataclass
class Judge:
    """The tables that judging needs, and what was built from them."""

    rows: Rows
    helpers: Helpers
    provers: dict[Layer, Prover] = field(default_factory=dict)

    def entry(self, entry: Entry) -> Audited:
        """One entry."""
        reason = reason_of(entry)
        if reason:
            return Audited(entry.name, reason)
        rows = self.rows.get(entry.name)
        if not rows:
            return Audited(entry.name, NO_LAYER)
        formulas = [self.formula(entry, rows, name, GRADIENT) for name in entry.gradients]
        formulas += [self.formula(entry, rows, name, FORWARD) for name in entry.forwards]
        unread = [each for each in formulas if each.mode == GRADIENT and each.verdict == NOT_READ]
        if formulas and len(unread) == len(entry.gradients):
            reasons = sorted({claim.reason for each in unread for claim in each.claims if claim.reason})
            return Audited(entry.name, "formula not read", "; ".join(reasons))
        return Audited(entry.name, "", "", tuple(formulas))

    def formula(self, entry: Entry, rows: Sequence[Row], target: str, mode: str) -> Judged:
        """One formula, in every setting of its operator."""
        text, place = (entry.gradients if mode == GRADIENT else entry.forwards)[target]
        used: dict[str, Helper] = {}
        notes: dict[str, str] = {}
        claims = []
        for row in rows:
            for modes in _modes(_written(entry, text)):
                reader = Reader({}, self.helpers, modes, used, notes)
                settings = ", ".join([*filter(None, [row.settings]), *(f"{k} {v}" for k, v in modes.items())])
                try:
                    question = _Question(entry, build_operator(row, entry), reader, target, text, place, mode)
                    claims.append(self.decide(question, settings))
                except WrongDimensions as error:
                    claims.append(Claimed(settings, "", MISFIT, str(error)))
                except (NotRead, InputError) as error:
                    claims.append(Claimed(settings, "", NOT_READ, str(error)))
        words = tuple(f"{written} is read as {meant}" for written, meant in notes.items())
        return Judged(entry.name, target, mode, text, tuple(claims), tuple(used), words)

    def decide(self, question: _Question, settings: str) -> Claimed:
        """The verdict on a claim: as it stands, with its comparisons in one form, away from corners."""
        layer, left, right = question.layer, question.left, tidy_letters(question.right)
        text = f"{_shown(left, question)} = {unparse(right, layer)}"
        prover, pairs = self.prover(layer), compared(right, *(definition.body for definition in layer.definitions))
        proved = Claimed(settings, text, PROVED, "", Proof(PROVED, left, right, conditions_of((right,), layer)), layer)
        if prover.equal(left, right):
            return proved
        if pairs and self.prover(with_bodies(layer, strict=False)).equal(left, settled(right, layer)):
            return proved
        if pairs and self.prover(with_bodies(layer, strict=True)).equal(left, away(right, layer)):
            differ = ", ".join(f"{unparse(a, layer)} != {unparse(b, layer)}" for a, b in pairs)
            found = find_counterexample(left, right, layer, tries=CORNER_TRIES)
            return Claimed(settings, text, KINK, differ, _proof_of(left, right, found), layer)
        proof = prover.decide(left, right)
        return Claimed(settings, text, proof.verdict, proof.left_over, proof, layer)

    def prover(self, layer: Layer) -> Prover:
        """The prover for a layer and its gradients."""
        if layer not in self.provers:
            self.provers[layer] = Prover(layer, study(layer).gradients)
        return self.provers[layer]


def _proof_of(left: Term, right: Term, found: Counterexample | None) -> Proof:
    """What is known of a claim as it stands where it holds away from corners."""
    return Proof(REFUTED if found else UNDECIDED, left, right, counterexample=found)


def _written(entry: Entry, text: str) -> str:
    """The formula that auto_element_wise repeats: that of the only gradient."""
    return next(iter(entry.gradients.values()))[0] if text == ELEMENTWISE and entry.gradients else text


def _modes(text: str) -> list[dict[str, bool]]:
    named = [mode for mode in MODES if mode in text]
    return [{mode: value for mode in named} for value in (True, False)] if named else [{}]


@dataclass(frozen=True)
class _Question:
    """One formula in one setting: the two sides of the claim, built when they are asked for."""

    entry: Entry
    operator: Operator
    reader: Reader
    target: str
    text: str
    place: int
    mode: str

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
            return layer
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
            text = _written(self.entry, text)
            scope = {**scope, "grad": scope[f"{self.varying[0]}_t"]}
        return self._fitted(self._read(text, scope), self.output)

    def _fitted(self, found: Meaning, name: str) -> Term:
        """The entry of a value that has the dimensions of a name of the layer."""
        if isinstance(found, tuple) and 0 <= self.place < len(found):
            found = found[self.place]
        value, like = tensor(found), self.operator.value(name)
        value = summed_to(value, like.dims) if self.mode == GRADIENT else value
        if not value.dims or not value.term.free:  # a 0 is a tensor of zeros
            value = expanded(value, like.dims) if len(value.dims) <= len(like.dims) else value
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
        given = tuple(self.operator.value(name, "d_") for name in self.operator.layer.outputs)
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
        term = layer.definition(self.output).body  # type: ignore[union-attr]
        for definition in reversed(layer.definitions):
            name, indices, body = definition.name, definition.indices, definition.body

            def opened(entry: Node, name: str = name, indices=indices, body: Term = body) -> Term | None:  # type: ignore[no-untyped-def]
                return instantiate(body, indices, entry.indices) if entry.name == name else None

            term = separate_letters(substitute(term, opened))
        return substitute(term, lambda e: Node(PREFIX + e.name, e.indices) if e.name in moved else None)


def _shown(left: Term, question: _Question) -> str:
    """The left side in words: a gradient, or the tangent of the result."""
    if question.mode == GRADIENT:
        return unparse(left, question.layer)
    result = question.operator.layer.entry(question.output)
    return unparse(result, question.layer).replace(result.name, PREFIX + result.name, 1)
