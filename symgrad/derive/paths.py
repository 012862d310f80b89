"""Route "paths" (the article's Solution 2): keep every intermediate, add up contribution paths.

d_v = sum over the definitions u that use v of sum_k d_u[k] du[k]/dv, with all other definitions
held fixed in du/dv. The intermediates' gradients are then substituted.

It shares with the other route only `algebra` and the scalar rules.
"""

from __future__ import annotations

from dataclasses import dataclass

from symgrad.algebra.binding import instantiate, substitute
from symgrad.algebra.simplify import settle
from symgrad.algebra.terms import Entry, Term, add, mul, sum_over
from symgrad.derive.dependence import derivative_of, direct_alignment, open_indices, segments, separated, users_of
from symgrad.derive.local import derive_local
from symgrad.derive.recorder import Recorder
from symgrad.derive.records import Derivation, Gradient
from symgrad.derive.rules import Context, known_derivatives
from symgrad.notation.layer import Definition, Layer

PULL = ("delta picks one term", "constant out of the sum")


def derive_by_paths(layer: Layer) -> tuple[Gradient, ...]:
    """The gradients of all definitions and differentiable tensors, in the order of computation.

    Each body is written with the layer's names and with gradients that stand before it; its
    derivation goes on to eliminate the gradients of intermediates that are not outputs of a call.
    """
    return _Paths(layer).run()


@dataclass
class _Paths:
    layer: Layer

    def __post_init__(self) -> None:
        self.definitions = separated(self.layer)
        self.by_name = {d.name: d for d in self.definitions}
        self.live = _live(self.layer)
        self.users = users_of(d for d in self.definitions if d.name in self.live)
        self.axes = [axis.name for axis in self.layer.axes]
        self.context = Context(self.by_name, {})
        self.gradients: dict[str, Gradient] = {}
        self.public = {name for part in segments(self.layer) for name in part.exports}

    def run(self) -> tuple[Gradient, ...]:
        for definition in reversed(self.definitions):
            if definition.name in self.live and definition.name not in self.layer.outputs:
                self.derive(definition.entry)
        for tensor in self.layer.differentiable:
            self.derive(tensor.entry)
        return tuple(self.gradients.values())

    def consumers(self, name: str) -> list[Definition]:
        """The definitions that use `name`; those that end a layer call come first."""
        users = [self.by_name[user] for user in self.users.get(name, ())]
        return sorted(users, key=lambda d: d.name not in self.public)

    def derive(self, entry: Entry) -> None:
        """Derive d_entry and keep it."""
        gradient = Entry(f"d_{entry.name}", entry.indices)
        lemmas, terms = [], []
        for user in self.consumers(entry.name):
            alignment = direct_alignment(user, entry.name)
            assert alignment is not None
            derivative = derivative_of(user, entry, alignment, total=False, axes=self.axes)
            assert isinstance(derivative.body, Entry)
            upstream = Entry(f"d_{user.name}", derivative.body.indices)
            terms.append(sum_over(open_indices(derivative), mul(upstream, derivative)))
            lemmas.append(derive_local(derivative, self.context, f"how {user.name} depends on {entry.name}"))
        recorder = Recorder(gradient, self.context)
        recorder.note(("contribution paths",), add(*terms), _reason(entry.name, self.consumers(entry.name)))
        self._use(recorder, lemmas)
        recorder.apply(*PULL)
        body = recorder.term
        self._close(recorder)
        derivation = recorder.finish("paths", f"the gradient of {entry.name}", tuple(lemmas))
        self.gradients[gradient.name] = Gradient(gradient, body, derivation)

    def _use(self, recorder: Recorder, lemmas: list[Derivation]) -> None:
        """Put the derived local derivatives in their places."""
        recorder.context = Context(self.by_name, {}, known_derivatives(lemmas))
        recorder.apply("derived before", reason="each factor was derived on its own")

    def _close(self, recorder: Recorder) -> None:
        """Substitute the gradients of intermediates inside a layer call."""

        def replace(entry: Entry) -> Term | None:
            found = self.gradients.get(entry.name)
            if found is None or entry.name.removeprefix("d_") in self.public:
                return None
            return instantiate(found.derivation.result, found.entry.indices, entry.indices)

        closed = substitute(recorder.term, replace)
        recorder.note(("derived before",), settle(closed), "the gradients of the intermediates were derived before")
        recorder.apply(*PULL)


def _live(layer: Layer) -> frozenset[str]:
    """The definitions on which an output depends."""
    live = set(layer.outputs)
    for definition in reversed(layer.definitions):
        if definition.name in live:
            live |= definition.body.names
    return frozenset(live)


def _reason(name: str, users: list[Definition]) -> str:
    if len(users) == 1:
        return f"{name} contributes only through {users[0].name}"
    return f"{name} contributes directly to " + ", ".join(user.name for user in users)
