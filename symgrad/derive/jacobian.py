"""Route "jacobian" (the article's Solution 1): eliminate the intermediates, contract the Jacobian.

Within one layer call, d_v = sum over its outputs u of sum_k d_u[k] du[k]/dv, where du/dv is the
total derivative: every intermediate between v and u follows. Where v's entry reaches u's entry of
the same place in another way than the rest, the Jacobian is derived as two cases, k = i and
k != i.

It shares with the other route only `algebra` and the scalar rules.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from symgrad.algebra.binding import alpha_equal, rename
from symgrad.algebra.simplify import except_index, settle
from symgrad.algebra.terms import Diff, Entry, Index, Term, add, mul, sum_over
from symgrad.derive.dependence import (
    Segment,
    dependents,
    derivative_of,
    direct_alignment,
    open_indices,
    segments,
    total_alignment,
)
from symgrad.derive.local import derive_local
from symgrad.derive.recorder import Recorder
from symgrad.derive.records import Derivation, Gradient
from symgrad.derive.rules import Context, Known
from symgrad.notation.layer import Definition, Layer

PULL = ("delta picks one term", "split the sum", "constant out of the sum")


@dataclass(frozen=True)
class JacobianCases:
    """du/dv where the two index places k (of u) and i (of v) meet: both cases derived.

    Attributes:
        derivative: du[k]/dv[i] with different letters.
        pair: (k, i).
        equal: the derivation for k = i.
        distinct: the derivation for k != i.
    """

    derivative: Diff
    pair: tuple[Index, Index]
    equal: Derivation
    distinct: Derivation


def derive_by_jacobian(layer: Layer) -> tuple[Gradient, ...]:
    """The gradients of every call's results and of the differentiable tensors.

    Each body is written with the layer's names and the gradients of the call's outputs.
    """
    wanted = {t.name for t in layer.differentiable}
    found: dict[str, Gradient] = {}
    parts = segments(layer)
    exported = {name for part in parts for name in part.exports}
    importers: dict[str, list[Segment]] = {}
    for part in parts:
        for name in part.imports:
            importers.setdefault(name, []).append(part)
    ways = _Ways.of(layer)
    for name in [
        *reversed([d.name for d in layer.definitions if d.name in exported]),
        *(t.name for t in layer.tensors),
    ]:
        users = importers.get(name, [])
        if users and (name in wanted or name in exported) and name not in layer.outputs:
            found[name] = _gradient(layer, users, name, ways)
    return tuple(found.values())


def _gradient(layer: Layer, users: list[Segment], name: str, ways: _Ways) -> Gradient:
    """d_name, by contraction with the Jacobian of each call that uses it."""
    entry = layer.entry(name)
    gradient = Entry(f"d_{name}", entry.indices)
    jacobians = [
        TotalDerivatives(layer, part.definitions, ways.follows(part, name)).jacobian(export, entry)
        for part in users
        for export in part.exports
        if total_alignment(part.definitions, export, name) is not None
    ]
    recorder = Recorder(gradient, Context({}, {}))
    terms = [sum_over(open_indices(j.derivative), mul(_upstream(j.derivative), j.derivative)) for j in jacobians]
    recorder.note(("chain rule",), add(*terms), f"over all entries that {name} reaches")
    _split_cases(recorder, jacobians)
    _substitute(recorder, jacobians)
    _contract(recorder)
    lemmas = tuple(lemma for j in jacobians for lemma in j.lemmas)
    return Gradient(gradient, recorder.term, recorder.finish("jacobian", f"the gradient of {name}", lemmas))


@dataclass(frozen=True)
class _Ways:
    """Where names stand in a layer, looked up once.

    Attributes:
        definitions: in order.
        places: of each definition.
        first_use: the place of the first definition in which a name stands.
    """

    definitions: tuple[Definition, ...]
    places: dict[str, int]
    first_use: dict[str, int]

    @classmethod
    def of(cls, layer: Layer) -> _Ways:
        """The places in a layer."""
        first: dict[str, int] = {}
        for place, definition in enumerate(layer.definitions):
            for name in definition.body.names:
                first.setdefault(name, place)
        return cls(layer.definitions, {d.name: n for n, d in enumerate(layer.definitions)}, first)

    def follows(self, part: Segment, name: str) -> bool:
        """Whether derivatives by `name` within a part are total ones.

        They are not where the part also takes in something else that depends on `name`: that is
        held, and has a path of its own. Only what lies between the first use of `name` and the last
        thing that the part takes in is looked at, which is little in a chain.
        """
        imports = {each for each in part.imports if each != name and each in self.places}
        last = max((self.places[each] for each in imports), default=-1)
        moving = {name}
        for definition in self.definitions[self.first_use.get(name, 0) : last + 1]:
            if not moving.isdisjoint(definition.body.names):
                moving.add(definition.name)
        return imports.isdisjoint(moving)


def _upstream(derivative: Diff) -> Entry:
    assert isinstance(derivative.body, Entry)
    return Entry(f"d_{derivative.body.name}", derivative.body.indices)


@dataclass(frozen=True)
class Jacobian:
    """du/dv with the derivations that lead to it.

    Attributes:
        derivative: du[k]/dv[i].
        lemmas: what was derived on the way, cases last.
        result: the value, where there is one formula for all k.
        cases: the two cases, where there are two.
    """

    derivative: Diff
    lemmas: tuple[Derivation, ...]
    result: Term | None = None
    cases: JacobianCases | None = None


@dataclass
class TotalDerivatives:
    """Total derivatives of definitions by one entry, each derived once.

    Args:
        layer: whose definitions they are.
        definitions: those that follow when the entry varies; others are held.
        total: whether the derivative of what uses the entry directly, and only so, is a total one.
    """

    layer: Layer
    definitions: tuple[Definition, ...]
    total: bool = True
    known: dict[tuple[str, str], Known] = field(default_factory=dict)
    lemmas: list[Derivation] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.by_name = {d.name: d for d in self.definitions}
        self.dependents = dependents(self.definitions)
        self.axes = [axis.name for axis in self.layer.axes]

    def context(self) -> Context:
        """What the rules may know now."""
        return Context(self.by_name, self.dependents, dict(self.known))

    def context_for(self, by: Entry) -> Context:
        """The context in which every definition's derivative by an entry is known."""
        for definition in self.definitions:
            if definition.name != by.name:
                self._intermediate(definition, by)
        return self.context()

    def jacobian(self, what: str, by: Entry) -> Jacobian:
        """d(what)/d(by), after the intermediates between them."""
        for definition in self.definitions:
            if definition.name == what:
                break
            self._intermediate(definition, by)
        alignment = total_alignment(self.definitions, what, by.name)
        assert alignment is not None
        definition = self.by_name[what]
        direct = not any(name == by.name for _, name in self.known)
        total = self.total or not direct
        derivative = derivative_of(definition, by, alignment, total=total, axes=self.axes)
        pair = self._mixed_pair(definition, derivative, alignment)
        if pair is None:
            lemma = derive_local(derivative, self.context(), f"how {what} depends on {by.name}")
            return Jacobian(derivative, (*self.lemmas, lemma), result=lemma.result)
        cases = self._cases(derivative, pair)
        return Jacobian(derivative, (*self.lemmas, cases.equal, cases.distinct), cases=cases)

    def _intermediate(self, definition: Definition, by: Entry) -> None:
        """Derive the total derivative of an intermediate, to be used by those after it."""
        alignment = total_alignment(self.definitions, definition.name, by.name)
        if alignment is None or (definition.name, by.name) in self.known:
            return
        derivative = derivative_of(definition, by, alignment, total=True, axes=self.axes)
        lemma = derive_local(derivative, self.context(), f"how {definition.name} depends on {by.name}")
        self.lemmas.append(lemma)
        self.known[definition.name, by.name] = Known(derivative, lemma.result)

    def _mixed_pair(self, definition: Definition, derivative: Diff, alignment: object) -> tuple[Index, Index] | None:
        """(k, i) where u uses v at its own place k directly, and at all places through others."""
        direct = direct_alignment(definition, derivative.wrt.name)
        if direct is None or direct == alignment:
            return None
        assert isinstance(derivative.body, Entry)
        letters = dict(zip(definition.indices, derivative.body.indices, strict=True))
        pairs = [
            (letters[index], derivative.wrt.indices[place])
            for place, index in enumerate(direct)
            if index is not None and letters[index] != derivative.wrt.indices[place]
        ]
        return pairs[0] if len(pairs) == 1 and len(open_indices(derivative)) == 1 else None

    def _cases(self, derivative: Diff, pair: tuple[Index, Index]) -> JacobianCases:
        """The Jacobian's diagonal and the rest of it."""
        k, i = pair
        same = rename(derivative, {k: i})
        assert isinstance(same, Diff)
        context = self.context()
        equal = derive_local(same, context, f"the case {k.name} = {i.name}", compact=True)
        distinct = derive_local(
            derivative, context, f"the case {k.name} ≠ {i.name}", (frozenset((k, i)),), compact=True
        )
        return JacobianCases(derivative, pair, equal, distinct)


def _split_cases(recorder: Recorder, jacobians: list[Jacobian]) -> None:
    """sum_k f_k = f_i + sum_{k != i} f_k wherever the Jacobian has two cases."""
    terms = []
    for jacobian in jacobians:
        body = mul(_upstream(jacobian.derivative), jacobian.derivative)
        if jacobian.cases is None:
            terms.append(sum_over(open_indices(jacobian.derivative), body))
            continue
        k, i = jacobian.cases.pair
        terms += [rename(body, {k: i}), sum_over((k,), mul(except_index(k, i), body))]
    recorder.note(("split off one term",), add(*terms), "the term with equal indices stands apart")


def _substitute(recorder: Recorder, jacobians: list[Jacobian]) -> None:
    """Put the derived Jacobians in their places."""
    values: list[tuple[Diff, Term]] = []
    for jacobian in jacobians:
        if jacobian.cases is None:
            assert jacobian.result is not None
            values.append((jacobian.derivative, jacobian.result))
        else:
            equal = jacobian.cases.equal
            assert isinstance(equal.target, Diff)
            values += [(equal.target, equal.result), (jacobian.derivative, jacobian.cases.distinct.result)]
    recorder.note(("derived before",), settle(_replaced(recorder.term, values)), "the derivatives were derived before")


def _replaced(term: Term, values: list[tuple[Diff, Term]]) -> Term:
    """The term with each known derivative replaced by its value."""
    if isinstance(term, Diff):
        for target, value in values:
            if alpha_equal(target, term):
                return value
        return term
    return term.rebuild(tuple(_replaced(child, values) for child in term.children)) if term.children else term


def _contract(recorder: Recorder) -> None:
    """Carry out the sum over the Jacobian's open index."""
    recorder.expand("each product is multiplied out")
    recorder.apply(*PULL)
    if recorder.apply("complete the sum", reason="the missing term is added to each sum and subtracted again"):
        recorder.expand("the terms that were added and subtracted cancel")
        recorder.apply(*PULL)
