"""From equations to a procedure: statements in order, nothing computed twice, all of it proved."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import cached_property

from symgrad.algebra.binding import in_places, transform_children
from symgrad.algebra.terms import ZERO, Binder, Delta, Entry, Index, Pow, Term, mul, walk
from symgrad.errors import SymgradError
from symgrad.notation.layer import Definition, Layer
from symgrad.plan.cancel import without_poles
from symgrad.plan.choices import chosen, guarded
from symgrad.plan.formula import equation, formula
from symgrad.plan.log_sums import without_logarithms
from symgrad.plan.named import through_definitions
from symgrad.plan.names import describing_name, free_name, python_names
from symgrad.plan.placed import Placer, gathered, scattered
from symgrad.plan.records import FULL, GATHER, REDUCTION, SCATTER, SMALL, Procedure, Statement, is_full
from symgrad.plan.rules import code_form
from symgrad.plan.share import (
    Places,
    Sums,
    outside_choices,
    reduction,
    register,
    repeated_roots,
    replace_term,
    with_canonical_letters,
    with_root,
)
from symgrad.plan.shift import shifted
from symgrad.plan.verdict import Body, Verdict, unfold

SHORT = 60
"""An equation of at most this length stands in comments as it is."""


class Builder:
    """Builds one procedure.

    Args:
        layer: whose names the equations use.
        equations: for each name that the procedure may compute, its equation, in order.
        given: names that are read; a definition among them is saved.
        verdict: the prover, knowing the equations of the adjoints.
    """

    def __init__(self, layer: Layer, equations: Mapping[str, Body], given: Sequence[str], verdict: Verdict) -> None:
        self.layer, self.original, self.given, self.verdict = layer, dict(equations), given, verdict
        self.constants = {constant.name for constant in layer.constants}
        self.bodies: dict[str, Body] = {}
        self.sums = Sums(verdict)
        self.shifts: set[str] = set()
        self.invented: dict[Term, Entry] = {}

    def build(self, results: Sequence[tuple[str, str]]) -> Procedure:
        """The procedure that returns `results`: for each what it is, and the name that holds it."""
        for name in self._reachable(name for _, name in results):
            self._require(name)
        needed = self._ordered([name for _, name in results])
        self.bodies = {name: self.bodies[name] for name in self.bodies if name in set(needed)}
        self.bodies = {name: (indices, chosen(body)) for name, (indices, body) in self.bodies.items()}
        self._gather()
        self._share_sums()
        self.bodies = without_logarithms(self.bodies)
        self._share_roots()
        self._share_terms()
        wanted = sorted((name for _, name in results), key=lambda name: is_full(self._indices(name), self.layer))
        order = self._ordered(wanted)
        for name in order:
            self._prove(name)
        return self._procedure(order, results)

    def _reachable(self, results: Iterable[str]) -> list[str]:
        """The equations that the results may need, in their order, so that none is brought in deep inside another."""
        found, waiting = set[str](), list(results)
        while waiting:
            name = waiting.pop()
            if name not in found and name not in self.given:
                found.add(name)
                waiting.extend(self.original[name][1].names if name in self.original else ())
        return [*(n for n in self.original if n in found), *sorted(found - self.original.keys())]

    def _require(self, name: str) -> None:
        """Bring the equation of `name`, and of all that it uses, into code form."""
        if name in self.bodies or name in self.given:
            return
        if name not in self.original:
            raise SymgradError(f"layer {self.layer.name}: the plan needs {name}, which has no equation.")
        indices, body = self.original[name]
        body = with_canonical_letters(self._without_zeros(code_form(self._with_names(body, name), self.verdict)))
        body = through_definitions(body, self._solvable(name), self.verdict, lambda t: code_form(t, self.verdict))
        body = code_form(without_poles(body, self.original, self.verdict), self.verdict)
        body = shifted(body, self.verdict, self.shifts, self._largest, self._logarithm)
        body = self._own(name, indices, body)
        for used in sorted(body.names):
            self._require(used)
        self.bodies[name] = (indices, code_form(self._without_zeros(body), self.verdict))

    def _with_names(self, body: Term, own: str) -> Term:
        """The body's code form with subterms that are a definition's code form replaced by its name."""
        return self._named(code_form(body, self.verdict), own)

    def _named(self, term: Term, own: str) -> Term:
        found = self._by_form.get(term)
        if found is not None and found != own:
            return self.layer.entry(found)
        return transform_children(term, lambda child: self._named(child, own))

    @cached_property
    def _by_form(self) -> dict[Term, str]:
        """The first definition with each code form."""
        return {form: name for name, form in reversed(self._forms.items())}

    def _solvable(self, own: str) -> list[Definition]:
        """The definitions whose values the equation of `own` may use."""
        usable = {*self.original, *self.given} - {own}
        found = [d for d in reversed(self.layer.definitions) if d.name in usable and d.body.binds]
        return [replace(d, body=self._forms.get(d.name, d.body)) for d in found]

    def _largest(self, extreme: Term) -> Entry:
        """The name of the largest exponent of a sum of exponentials."""
        entry = self._invented_once(with_canonical_letters(extreme), "largest")
        self.shifts.add(entry.name)
        return entry

    def _logarithm(self, body: Term) -> Entry:
        """The name of the logarithm of a sum of exponentials."""
        return self._invented_once(body, "log_sum_exp")

    def _own(self, name: str, indices: tuple[Index, ...], body: Term) -> Term:
        """The body, where it is nothing but the name of a new statement: that statement's own."""
        if not isinstance(body, Entry) or body not in self.invented.values() or set(body.indices) != set(indices):
            return body
        if body.name in self.original:  # it is another equation's already, and stays that
            return body
        found = self.bodies.pop(body.name)[1]
        self.invented[found] = Entry(name, indices)
        return found

    def _invented_once(self, body: Term, otherwise: str) -> Entry:
        """A statement for a term, the same one each time."""
        if body not in self.invented:
            self.invented[body] = self._new(body, otherwise)
        return self.invented[body]

    @cached_property
    def _forms(self) -> dict[str, Term]:
        """The code forms of the definitions that may be used, but for those that are only names."""
        usable = {*self.original, *self.given}
        forms = {d.name: code_form(d.body, self.verdict) for d in self.layer.definitions if d.name in usable}
        return {name: form for name, form in forms.items() if form.children}

    def _without_zeros(self, body: Term) -> Term:
        """The body with names replaced by 0 whose equation is 0."""
        if isinstance(body, Entry) and body.name in self.bodies and self.bodies[body.name][1] == ZERO:
            return ZERO
        return transform_children(body, self._without_zeros)

    def _gather(self) -> None:
        """Give what lies at computed places arrays of its own, and what is added up there."""
        placer = Placer(self._new)
        for name, (indices, body) in list(self.bodies.items()):
            self.bodies[name] = (indices, placer.placed(body, name, indices))

    def _share_sums(self) -> None:
        """Give each sum inside an equation a statement of its own, once."""
        for name in self.given:
            definition = self.layer.definition(name)
            if definition is not None:
                register(self.sums, definition.entry, with_canonical_letters(definition.body))
        for name, (indices, body) in list(self.bodies.items()):
            if set(indices) <= body.free:
                register(self.sums, Entry(name, indices), body)
        for name, (indices, body) in list(self.bodies.items()):
            self.bodies[name] = (indices, code_form(self._extract(body, name), self.verdict))

    def _extract(self, term: Term, own: str = "") -> Term:
        """The term with its reductions replaced by names.

        One that is a whole equation stays, unless its result is spread over further indices.
        """
        if scattered(term) is not None or gathered(term) is not None:
            return term
        if own and reduction(term) is not None and set(self.bodies[own][0]) <= term.free:
            found = self._shared_elsewhere(term, own)
            return found if found is not None else self._extract_below(term)
        if not isinstance(term, Binder):
            return transform_children(term, self._extract)
        total = term.rebind(term.indices, self._extract(term.body))
        if not isinstance(total, Binder):
            return self._extract(total)
        found = self.sums.find(total)
        if found is not None:
            return found
        entry = self._new(total, "total")
        self.sums.add(total, entry)
        return entry

    def _shared_elsewhere(self, term: Term, own: str) -> Term | None:
        """What already holds the sum of a whole equation, if that is not the equation itself."""
        found = reduction(term)
        assert found is not None
        value = self.sums.find(found[0])
        if value is None or own in value.names:
            return None
        return mul(found[1], value)

    def _extract_below(self, term: Term) -> Term:
        """The same reduction with the sums inside its body replaced by names."""
        if isinstance(term, Binder):
            return term.rebind(term.indices, self._extract(term.body))
        return transform_children(term, lambda c: self._extract_below(c) if isinstance(c, Binder) else c)

    def _new(self, body: Term, otherwise: str, indices: tuple[Index, ...] | None = None) -> Entry:
        """A new statement for a term, with a name that says what it is; `otherwise`, where the indices are given."""
        wanted = otherwise if indices else describing_name(body, self.constants | self.shifts, otherwise)
        name = free_name(wanted.replace(".", "_"), self._taken)
        self._taken.add(name)
        indices = self._in_order(body) if indices is None else indices
        self.bodies[name] = (indices, body)
        return Entry(name, indices)

    @cached_property
    def _taken(self) -> set[str]:
        """The Python names that are in use."""
        return set(python_names(self._all_names()).values())

    def _all_names(self) -> list[str]:
        declared = [t.name for t in self.layer.tensors] + [c.name for c in self.layer.constants]
        return [*declared, *(d.name for d in self.layer.definitions), *self.given, *self.original]

    def _in_order(self, body: Term) -> tuple[Index, ...]:
        """The free indices of a term in the order of the layer's axes."""
        places = {axis.name: place for place, axis in enumerate(self.layer.axes)}
        return tuple(sorted(body.free, key=lambda index: (places[index.axis], index.name)))

    def _share_roots(self) -> None:
        """Name reciprocal roots that occur more than once."""
        for base in repeated_roots(body for _, body in self.bodies.values()):
            root = self._new(Pow(base, Fraction(-1, 2)), "root")
            for name, (indices, body) in list(self.bodies.items()):
                if name != root.name:
                    self.bodies[name] = (indices, with_root(body, base, root))

    def _share_terms(self) -> None:
        """Name sums of terms, calls and choices that occur more than once, the largest first."""
        places = Places()
        for name, (_, body) in self.bodies.items():
            places.add(name, body, self._worth_a_name)
        for term in places.candidates():
            names = [name for name in places.of(term) if term in set(outside_choices(self.bodies[name][1]))]
            if sum(list(outside_choices(self.bodies[name][1])).count(term) for name in names) < 2:
                continue
            entry = self._new(term, "shared")
            places.add(entry.name, term, self._worth_a_name)
            for name in names:
                indices, body = self.bodies[name]
                self.bodies[name] = (indices, replace_term(body, term, entry))

    def _worth_a_name(self, term: Term) -> bool:
        return is_full(tuple(term.free), self.layer) or (bool(term.names) and not term.free)

    def _ordered(self, results: Sequence[str]) -> list[str]:
        """What is computed for the results, each after what it uses."""
        order: dict[str, None] = {}
        for result in results:
            stack = [(result, False)]
            while stack:
                name, is_ready = stack.pop()
                if is_ready:
                    order[name] = None
                elif name not in order and name in self.bodies:
                    stack.append((name, True))
                    stack.extend((used, False) for used in reversed(self._used_in_order(self.bodies[name][1])))
        return list(order)

    def _indices(self, name: str) -> tuple[Index, ...]:
        return self.bodies[name][0] if name in self.bodies else self.layer.entry(name).indices

    def _used_in_order(self, body: Term) -> list[str]:
        return list(dict.fromkeys(node.name for node in walk(body) if isinstance(node, Entry)))

    def _prove(self, name: str) -> None:
        """Require that what is computed for an equation of the layer is proved equal to it.

        Names of other equations stay: each of them is proved by itself.
        """
        if name in self.original:
            composed = unfold(self.bodies[name][1], self._invented())  # shifts stay free variables
            self.verdict.require(composed, self.original[name][1], name)

    def _procedure(self, order: list[str], results: Sequence[tuple[str, str]]) -> Procedure:
        """The record, with Python names."""
        used = {name for statement in order for name in self.bodies[statement][1].names}
        used.update(name for _, name in results)
        reads = [name for name in dict.fromkeys(self.given) if name in used]
        names = python_names(dict.fromkeys([*self._all_names(), *self.bodies]))
        needs = {name: self._needs(name) for _, name in results}
        statements = tuple(
            self._statement(name, names, tuple(what for what, result in results if name in needs[result]))
            for name in order
        )
        return Procedure(
            tuple(names[name] for name in reads), statements, tuple((what, names[name]) for what, name in results)
        )

    def _needs(self, name: str) -> Collection[str]:
        """Everything that a result needs, itself included."""
        return set(self._ordered([name]))

    def _statement(self, name: str, names: Mapping[str, str], needed_by: tuple[str, ...]) -> Statement:
        indices, body = self.bodies[name]
        shown = with_names(self._shown(name, unfold(body, self._invented())), names)
        kind = _kind(indices, body, self.layer)
        return Statement(
            names[name], indices, with_names(guarded(body), names), kind,
            equation(names[name], indices, shown), needed_by, name in self.shifts,
        )  # fmt: skip

    def _shown(self, name: str, computed: Term) -> Term:
        """What the comment says: the equation, or what is computed for it where that is far shorter."""
        if name not in self.original:
            return computed
        equation = self.original[name][1]
        shorter = len(formula(computed)) / len(formula(equation))
        fewer = _sums_and_deltas(computed) < _sums_and_deltas(equation)
        return computed if shorter < (1 if fewer else 2 / 3) and len(formula(equation)) > SHORT else equation

    def _invented(self) -> dict[str, Body]:
        """The statements that are not equations of the layer, but for shifts, which may have any value."""
        return {n: body for n, body in self.bodies.items() if n not in self.original and n not in self.shifts}


def _kind(indices: tuple[Index, ...], body: Term, layer: Layer) -> str:
    """What kind of statement an equation is."""
    if gathered(body) is not None:
        return GATHER
    if scattered(body) is not None:
        return SCATTER
    return REDUCTION if reduction(body) is not None else FULL if is_full(indices, layer) else SMALL


def _sums_and_deltas(term: Term) -> int:
    return sum(isinstance(node, (Binder, Delta)) for node in walk(term))


def with_names(term: Term, names: Mapping[str, str]) -> Term:
    """The term with its tensors renamed; the indices stay."""
    term = in_places(term, lambda value: with_names(value, names))
    if isinstance(term, Entry):
        return Entry(names.get(term.name, term.name), term.indices)
    return transform_children(term, lambda child: with_names(child, names))
