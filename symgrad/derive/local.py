"""A derivative of one definition by one entry, derived step by step."""

from __future__ import annotations

from symgrad.algebra.simplify import together
from symgrad.algebra.terms import ZERO, Add, Diff, Entry, Term, walk
from symgrad.derive.express import through_value
from symgrad.derive.recorder import Distinct, Recorder
from symgrad.derive.records import Derivation
from symgrad.derive.rules import Context

SIMPLER = ("delta picks one term", "constant out of the sum")


def derive_local(
    target: Diff, context: Context, title: str, distinct: Distinct = (), compact: bool = False
) -> Derivation:
    """The derivation of `target`, a partial or total derivative of an entry by an entry.

    Args:
        target: the derivative; its letters are used as they are.
        context: the definitions that may be unfolded and the derivatives already known.
        title: what to call the derivation.
        distinct: pairs of indices that differ.
        compact: bring the result over one denominator.
    """
    recorder = Recorder(target, context, distinct)
    recorder.apply("definition")
    recorder.differentiate()
    recorder.apply(*SIMPLER)
    _vanish(recorder)
    assert isinstance(target.body, Entry)
    definition = context.definitions[target.body.name]
    through = through_value(recorder.term, definition, target.body)
    if through is not None:
        recorder.note(("express through the value",), through, f"written with {target.body.name} itself")
    elif compact:
        recorder.expand()
        recorder.note(("common denominator",), together(recorder.term))
    return recorder.finish("local", title)


def _vanish(recorder: Recorder) -> None:
    """Sums that have a name get it, where that makes the term simpler: sum_j (x_j - mu) = 0."""
    trial = Recorder(recorder.term, recorder.context, recorder.distinct)
    trial.expand()
    trial.apply("delta picks one term", "split the sum", "constant out of the sum")
    trial.apply("a sum with a name")
    trial.expand()
    if _weight(trial.term) < _weight(recorder.term):
        recorder.steps += trial.steps
        recorder.term = trial.term


def _weight(term: Term) -> int:
    """How much there is to read: the nodes other than additions; 0 for zero."""
    return 0 if term == ZERO else sum(1 for node in walk(term) if not isinstance(node, Add))
