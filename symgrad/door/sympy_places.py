"""Shifted entries and zeros around an array, in SymPy and back.

x[b, stride*i + k] is an entry as it stands. pad(x[b, i + k], p) is a sum, Sum(KroneckerDelta(h, i + k - p)*x[b, h], h):
the number that is subtracted is the number of zeros at each end.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import sympy

from symgrad.algebra.terms import ZERO, Mul, Num, Term, place_text
from symgrad.door.sympy_functions import is_minus
from symgrad.errors import SymgradError
from symgrad.notation.layer import Layer
from symgrad.notation.lengths import derived_axes, given_axes, parts_of

if TYPE_CHECKING:
    from symgrad.door.to_sympy import Symbols


def check_padding(layer: Layer) -> None:
    """Raise where a number of zeros is not what is subtracted from the place: SymPy would not keep it.

    Raises:
        SymgradError: there is such an entry, pad(x[b, i + k - 1], 2).
    """
    for fit in layer.fits:
        if fit.padding is not None and fit.padding != ZERO:
            numbers = [part for part in parts_of(fit.value) if not part.free]
            if numbers or any(sign < 0 for sign in map(_sign, parts_of(fit.padding))):
                text = f"pad(…[{place_text(fit.value)}], {place_text(fit.padding)})"
                raise SymgradError(
                    f"{text} has no form in SymPy: a number is added to its place, and only the number of zeros can "
                    "be subtracted there. Shift the equation's letters."
                )


def _sign(part: Term) -> int:
    """-1 for a negative number of zeros."""
    factor = part.factors[0] if isinstance(part, Mul) else part
    return -1 if isinstance(factor, Num) and factor.value < 0 else 1


def fitted_lengths(layer: Layer, symbols: Symbols) -> dict[Any, Any]:
    """The lengths that follow from shifted entries: N_i = floor((N_h + 2 p - N_k)/stride) + 1."""
    known = {*given_axes(layer), *(axis.name for axis in layer.axes if axis.length is not None)}
    found = {}
    for axis, lengths in derived_axes(layer.fits, known):
        each = [
            sympy.floor(symbols.expression(top, {}) / symbols.expression(step, {})) + 1
            for top, step in lengths
        ]  # fmt: skip
        found[symbols.sizes[axis]] = sympy.Min(*each)
    return found


def shifts(node: Any) -> dict[Any, Any]:
    """For each letter of a sum that only says where a shifted entry lies, its place: {h: i + k - p}.

    So it is where the sum's body has a factor KroneckerDelta(h, place), and h stands besides in one entry alone.
    """
    factors = sympy.Mul.make_args(node.function)
    found = {}
    for letter, *_ in node.limits:
        deltas = [f for f in factors if isinstance(f, sympy.KroneckerDelta) and letter in f.args[:2]]
        others = [f for f in factors if f not in deltas and letter in f.free_symbols]
        if len(deltas) != 1 or len(others) != 1 or not _stands_once(letter, others[0]):
            continue
        (place,) = (side for side in deltas[0].args[:2] if side != letter)
        if not isinstance(place, (sympy.Symbol, sympy.Idx, sympy.Indexed)) and letter not in place.free_symbols:
            found[letter] = place
    return found


def _stands_once(letter: Any, entry: Any) -> bool:
    """Whether a letter is one index of an entry, and stands nowhere else in it."""
    return isinstance(entry, sympy.Indexed) and [i for i in entry.indices if letter in i.free_symbols] == [letter]


def without_shifts(node: Any, places: Mapping[Any, Any]) -> Any:
    """A sum's body without the deltas of its shifts."""
    factors = sympy.Mul.make_args(node.function)
    kept = [
        f for f in factors
        if not (isinstance(f, sympy.KroneckerDelta) and any(side in places for side in f.args[:2]))
    ]  # fmt: skip
    return sympy.Mul(*kept)


def split_padding(place: Any, letters: Collection[Any]) -> tuple[Any, Any]:
    """(i + k, p) for the place i + k - p: what is subtracted, and has no letter, is the number of zeros."""
    terms = sympy.Add.make_args(sympy.expand(place))
    zeros = [term for term in terms if is_minus(term) and not term.free_symbols & set(letters)]
    padding = -sympy.Add(*zeros)
    return place + padding, padding
