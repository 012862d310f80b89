"""Labels along a row: the one element that a label picks is computed apart from all others.

In d_x[b, v] = exp(x[b, v] - z[b]) - [v = t[b]], the delta is 0 in all of a row but at one place. The loop along the row
takes it for 0, which is nothing to compute; then the element at that place is computed again with it as 1. So a row
has no comparison of whole numbers, which are twice as wide as its elements.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from symgrad.algebra.binding import transform_children
from symgrad.algebra.terms import ONE, ZERO, Delta, Entry, Index, Place, Term, walk
from symgrad.plan.sweeps import Sweep


def picked(sweep: Sweep, inner: Index, kinds: Mapping[str, str]) -> tuple[Place, ...]:
    """The places in a row that labels pick, if all that the sweep does with a row's elements is write them.

    Where a label changes along the row too, or elements are added up, there are none.
    """
    if sweep.reductions:
        return ()
    terms = [statement.term for statement in (*sweep.each, *sweep.arrays)]
    deltas = (node for term in terms for node in walk(term) if isinstance(node, Delta))
    places = dict.fromkeys(each.right for each in deltas if each.left == inner and isinstance(each.right, Place))
    return tuple(place for place in places if _is_label(place, inner, kinds))


def elsewhere(sweep: Sweep, places: Collection[Place]) -> Sweep:
    """The sweep for the elements that no label picks."""
    return _with(sweep, dict.fromkeys(places, ZERO))


def at(sweep: Sweep, place: Place) -> Sweep:
    """The sweep for the element that one label picks."""
    return _with(sweep, {place: ONE})


def _is_label(place: Place, inner: Index, kinds: Mapping[str, str]) -> bool:
    label = place.value
    return isinstance(label, Entry) and kinds.get(label.name) == "label" and inner not in label.free


def _with(sweep: Sweep, values: Mapping[Place, Term]) -> Sweep:
    def known(term: Term) -> Term:
        if isinstance(term, Delta) and isinstance(term.right, Place) and term.right in values:
            return values[term.right]
        return transform_children(term, known)

    each, arrays = (tuple(replace(s, term=known(s.term)) for s in group) for group in (sweep.each, sweep.arrays))
    return replace(sweep, each=each, arrays=arrays)
