"""Finding instances of a term: the same but for the letters of some of its indices."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from itertools import product

from symgrad.algebra.binding import alpha_equal, rename, transform_children
from symgrad.algebra.terms import Call, Index, Term, walk

Letters = dict[Index, Index]


def match(pattern: Term, term: Term, variables: Collection[Index]) -> Letters | None:
    """Letters for the variables with which the pattern is the term, or None."""
    if type(pattern) is not type(term) or pattern.names != term.names:
        return None
    used = sorted(index for index in variables if index in pattern.free)
    choices = [sorted(index for index in term.free if index.axis == variable.axis) for variable in used]
    for letters in product(*choices):
        mapping = dict(zip(used, letters, strict=True))
        if alpha_equal(rename(pattern, mapping), term):
            return mapping
    return None


def exponents(term: Term) -> Iterator[Term]:
    """The arguments of the exponentials in a term."""
    return (node.arguments[0] for node in walk(term) if isinstance(node, Call) and node.function == "exp")


def replace_exponentials(term: Term, change: Callable[[Term], Term | None]) -> Term:
    """The term with exp(u) replaced by `change(u)`, where that is not None."""
    if isinstance(term, Call) and term.function == "exp":
        found = change(term.arguments[0])
        if found is not None:
            return found
    return transform_children(term, lambda child: replace_exponentials(child, change))
