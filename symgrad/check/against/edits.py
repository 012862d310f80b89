"""The usual mistakes in one formula: a row for each kind of node, and the factors that are often lost or doubled."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction

from symgrad.algebra.binding import rename
from symgrad.algebra.terms import (
    ONE,
    Add,
    Call,
    Compare,
    Delta,
    Diff,
    Entry,
    Index,
    Mul,
    Num,
    Pow,
    Reduce,
    Size,
    Sum,
    Term,
    Where,
    add,
    mul,
    negative,
    power,
    sum_over,
    walk,
)
from symgrad.check.against.place_edits import moved_places, overwritten
from symgrad.notation.layer import Layer
from symgrad.notation.unparse import unparse
from symgrad.prove.mutations import times

Scope = tuple[Index, ...]
Edit = tuple[str, Term]
"""A mistake in words, and the term with it."""
Rules = Mapping[type, Callable[..., Iterator[Edit]]]
"""For a kind of node, the edits of such a node in a scope of indices."""


def edits(body: Term, indices: Scope, layer: Layer) -> Iterator[tuple[int, str, Term]]:
    """The mistakes of one formula, each with its rank: small for what is made often."""
    for factor, words in _usual_factors(layer, body):
        yield 1, words, times(body, factor)
    for factor, words in _own_factors(layer, body):
        yield 2, words, times(body, factor)
    for what, term in _walk(body, indices, layer, _RULES):
        yield 2, what, term
    for what, term in _walk(body, indices, layer, _RARER):
        yield 3, what, term


def _usual_factors(layer: Layer, body: Term) -> Iterator[tuple[Term, str]]:
    """What whole gradients, or one of their terms, are too large or too small by."""
    axes = [axis.name for axis in layer.axes]
    yield negative(ONE), "the sign is wrong"
    yield Num(Fraction(2)), "a factor 2 too much"
    yield Num(Fraction(1, 2)), "a factor 2 is missing"
    groups = [tuple(axes[a:b]) for a in range(len(axes)) for b in range(a + 1, len(axes) + 1)]
    groups += [(axes[a], axes[b]) for a in range(len(axes)) for b in range(a + 2, len(axes))]
    for group in groups:
        size = mul(*(Size(axis) for axis in group))
        words = "·".join(f"N_{axis}" for axis in group)
        yield power(size, -1), f"it is divided by {words}: a mean for a sum"
        yield size, f"the division by {words} is missing: a sum for a mean"
        yield power(size, 2), f"it is multiplied by {words} instead of divided"
    for tensor in layer.tensors:
        if tensor.role == "parameter" and set(tensor.indices) <= body.free:
            yield tensor.entry, f"a factor {unparse(tensor.entry, layer)} too much"
            yield power(tensor.entry, -1), f"it is divided by {unparse(tensor.entry, layer)}"


def edits_within(term: Term, layer: Layer) -> Iterator[Edit]:
    """The edits of a part of a formula."""
    yield from _walk(term, tuple(sorted(term.free)), layer, _RULES)


def _own_factors(layer: Layer, body: Term) -> Iterator[tuple[Term, str]]:
    """Powers that stand in the formula, and what the forward pass multiplies a parameter with: 1/σ, x̂."""
    for node in dict.fromkeys(walk(body)):
        if isinstance(node, Pow) and node.base.names and node.free <= body.free:
            root = abs(node.exponent) if abs(node.exponent) < 1 else Fraction(1, node.exponent.denominator)
            for exponent in dict.fromkeys((-root, root, -2 * root, 2 * root)):
                factor = power(node.base, exponent)
                how = "too much" if exponent < 0 else "is missing"
                said = unparse(power(node.base, -abs(exponent)), layer)
                yield factor, f"a factor {said} {how}"
    for product in _products(layer):
        if product.free <= body.free:
            said = unparse(product, layer)
            yield power(product, -1), f"the factor {said} is missing"
            yield product, f"a factor {said} too much"
            yield power(product, -2), f"it is divided by {said} instead of multiplied"


def _products(layer: Layer) -> list[Term]:
    """Products of two factors or more in the definitions, without their parameters."""
    parameters = {tensor.name for tensor in layer.tensors if tensor.role == "parameter"}
    found = []
    for definition in layer.definitions:
        for node in walk(definition.body):
            if isinstance(node, Mul):
                kept = [f for f in node.factors if f.names and not (isinstance(f, Entry) and f.name in parameters)]
                found += [mul(*kept)] if len(kept) > 1 else []
    return list(dict.fromkeys(found))


def _walk(term: Term, scope: Scope, layer: Layer, rules: Rules) -> Iterator[Edit]:
    """Every edit of a node, then of those below it."""
    rule = rules.get(type(term))
    if rule is not None:
        yield from rule(term, scope, layer)
    inner = (*scope, *term.indices) if isinstance(term, (Sum, Reduce)) else scope
    for place, child in enumerate(term.children):
        if isinstance(term, Diff) and place == 1:
            continue
        for what, found in _walk(child, inner, layer, rules):
            yield what, term.rebuild((*term.children[:place], found, *term.children[place + 1 :]))


def _add(term: Add, scope: Scope, layer: Layer) -> Iterator[Edit]:  # noqa: ARG001 - a rule takes all three
    """A term dropped, with the wrong sign, or off by a usual factor."""
    for place, part in enumerate(term.terms):
        before, after = term.terms[:place], term.terms[place + 1 :]
        said = unparse(part, layer).removeprefix("-")
        yield f"the term {said} is missing", add(*before, *after)
        yield f"the sign of {said} is wrong", add(*before, negative(part), *after)
        for factor, words in _usual_factors(layer, part):
            if factor != negative(ONE):
                yield f"in {said}: {words}", add(*before, times(part, factor), *after)


def _add_rarer(term: Add, scope: Scope, layer: Layer) -> Iterator[Edit]:  # noqa: ARG001 - a rule takes all three
    """A term off by a factor of the formula's own."""
    for place, part in enumerate(term.terms):
        said = unparse(part, layer).removeprefix("-")
        for factor, words in _own_factors(layer, part):
            yield f"in {said}: {words}", add(*term.terms[:place], times(part, factor), *term.terms[place + 1 :])


def _mul(term: Mul, scope: Scope, layer: Layer) -> Iterator[Edit]:
    """A factor dropped, or upside down; an entry squared."""
    for place, factor in enumerate(term.factors):
        before, after = term.factors[:place], term.factors[place + 1 :]
        said = unparse(factor, layer)
        sign = factor == Num(Fraction(-1))
        yield "the sign is wrong" if sign else f"the factor {said} is missing", mul(*before, *after)
        if isinstance(factor, Pow):
            yield f"it is multiplied by 1/({said})", mul(*before, power(factor, -1), *after)
        if isinstance(factor, Entry):
            yield f"{said} stands twice", mul(*before, factor, *term.factors[place:])
        if factor.names and not isinstance(factor, Pow):
            yield f"it is divided by {said} instead", mul(*before, power(factor, -1), *after)
        if isinstance(factor, Num) and not sign:
            for value in (2 * factor.value, factor.value / 2, 1 / factor.value):
                yield f"the number {value} instead of {factor.value}", mul(*before, Num(value), *after)
    yield from _forgotten_sum(term, scope)


def _forgotten_sum(term: Mul, scope: Scope) -> Iterator[Edit]:
    """sum(a) * b where it should be sum(a * b) is no single edit of a product; the inner sum is."""
    for place, factor in enumerate(term.factors):
        if isinstance(factor, Sum) and all(i in scope for i in factor.indices):
            rest = (*term.factors[:place], *term.factors[place + 1 :])
            yield "a factor has got into the sum", sum_over(factor.indices, mul(*rest, factor.body))


def _pow(term: Pow, scope: Scope, layer: Layer) -> Iterator[Edit]:  # noqa: ARG001 - a rule takes all three
    """Another power: 1/σ for 1/σ², a root forgotten."""
    was = unparse(term, layer)
    half = Fraction(1, 2)
    steps = (half, -half, Fraction(1), Fraction(-1)) if term.exponent.denominator > 1 else (Fraction(1), Fraction(-1))
    for exponent in dict.fromkeys((*(term.exponent + step for step in steps), 2 * term.exponent, term.exponent / 2)):
        if exponent not in (0, term.exponent):
            changed = power(term.base, exponent)
            yield f"{unparse(changed, layer)} instead of {was}", changed
    if isinstance(term.base, (Size, Mul)):
        for size in dict.fromkeys(node for node in _factors(term.base) if isinstance(node, Size)):
            less = mul(*(f for f in _factors(term.base) if f != size), add(size, negative(ONE)))
            yield f"N_{size.axis} - 1 instead of N_{size.axis}", power(less, term.exponent)


def _factors(term: Term) -> tuple[Term, ...]:
    return term.factors if isinstance(term, Mul) else (term,)


def _sum(term: Sum, scope: Scope, layer: Layer) -> Iterator[Edit]:
    """A mean for a sum, a sum forgotten, or over some of its axes only; gradients of one label not added up."""
    yield from overwritten(term, layer)
    said = unparse(term, layer)
    names = ", ".join(index.name for index in term.indices)
    whole = mul(*(Size(index.axis) for index in term.indices))
    yield f"mean[{names}] instead of sum[{names}] in {said}", mul(power(whole, -1), term)
    for index in term.indices:
        if len(term.indices) > 1:
            yield f"the sum over {names} is divided by N_{index.axis}", mul(power(Size(index.axis), -1), term)
    for gone in [term.indices, *((index,) for index in term.indices if len(term.indices) > 1)]:
        outside = {i: next((s for s in scope if s.axis == i.axis and s not in term.indices), None) for i in gone}
        outside = {i: o or (i if i in scope else None) for i, o in outside.items()}
        if all(outside.values()):
            left = tuple(index for index in term.indices if index not in gone)
            body = rename(term.body, {i: o for i, o in outside.items() if o is not None})
            letters = ", ".join(index.name for index in gone)
            yield f"the sum over {letters} is forgotten in {said}", sum_over(left, body)
    for axis in layer.axes:
        if axis.name not in {index.axis for index in term.indices} and any(i.axis == axis.name for i in scope):
            inner = next(i for i in scope if i.axis == axis.name)
            if inner in term.body.free:
                yield f"the sum runs over {inner.name} too in {said}", sum_over((*term.indices, inner), term.body)


def _entry(term: Entry, scope: Scope, layer: Layer) -> Iterator[Edit]:
    """Another index of the same axis, another place; the upstream gradient left out; a tensor by another."""
    yield from moved_places(term, layer)
    for place, index in enumerate(term.indices):
        for other in dict.fromkeys(scope):
            if other.axis == index.axis and other != index:
                changed = Entry(term.name, (*term.indices[:place], other, *term.indices[place + 1 :]))
                yield f"{unparse(changed, layer)} instead of {unparse(term, layer)}", changed
    for name in (*(t.name for t in layer.tensors), *(d.name for d in layer.definitions)):
        own = layer.indices(name)
        if own is not None and name != term.name and not term.name.startswith("d_") and _same_axes(own, term.indices):
            changed = Entry(name, term.indices)
            yield f"{unparse(changed, layer)} instead of {unparse(term, layer)}", changed
    if term.name.startswith("d_"):
        yield f"{unparse(term, layer)} is left out", ONE


def _delta(term: Delta, scope: Scope, layer: Layer) -> Iterator[Edit]:  # noqa: ARG001 - a rule takes all three
    """Another place."""
    yield from moved_places(term, layer)


def _same_axes(one: Scope, other: Scope) -> bool:
    return tuple(i.axis for i in one) == tuple(i.axis for i in other)


def _size(term: Size, scope: Scope, layer: Layer) -> Iterator[Edit]:  # noqa: ARG001 - a rule takes all three
    """The length of another axis, or of all."""
    for axis in layer.axes:
        if axis.name != term.axis:
            yield f"N_{axis.name} instead of N_{term.axis}", Size(axis.name)
            yield f"N_{term.axis}·N_{axis.name} instead of N_{term.axis}", mul(term, Size(axis.name))
    yield f"N_{term.axis} - 1 instead of N_{term.axis}", add(term, negative(ONE))


def _num(term: Num, scope: Scope, layer: Layer) -> Iterator[Edit]:  # noqa: ARG001 - a rule takes all three
    """A number off by one, by 2, or with the other sign."""
    value = term.value
    for other in dict.fromkeys((value + 1, value - 1, 2 * value, value / 2, -value, 1 / value if value else value)):
        if other not in (0, value):
            yield f"the number {other} instead of {value}", Num(other)


def _call(term: Call, scope: Scope, layer: Layer) -> Iterator[Edit]:  # noqa: ARG001 - a rule takes all three
    """A function left out, or a related one in its place."""
    if not term.arguments:
        return
    said = unparse(term, layer)
    yield f"{unparse(term.arguments[0], layer)} instead of {said}", term.arguments[0]
    for other in _RELATED.get(term.function, ()):
        changed = Call(other, term.arguments)
        yield f"{unparse(changed, layer)} instead of {said}", changed


_RELATED = {
    "tanh": ("sigmoid",), "sigmoid": ("tanh",), "exp": ("expm1",), "expm1": ("exp",), "log": ("log1p",),
    "log1p": ("log",), "sin": ("cos",), "cos": ("sin",), "sinh": ("cosh",), "cosh": ("sinh",), "erf": ("tanh",),
    "softplus": ("sigmoid",), "relu": ("sign",), "abs": ("sign",), "sign": ("abs",),
}  # fmt: skip


def _where(term: Where, scope: Scope, layer: Layer) -> Iterator[Edit]:  # noqa: ARG001 - a rule takes all three
    """One case for all, or the cases exchanged."""
    yield f"{unparse(term.then, layer)} in all cases", term.then
    yield f"{unparse(term.otherwise, layer)} in all cases", term.otherwise
    yield "the cases are exchanged", Where(term.condition, term.otherwise, term.then)


def _compare(term: Compare, scope: Scope, layer: Layer) -> Iterator[Edit]:  # noqa: ARG001 - a rule takes all three
    """The relation the other way round."""
    if term.relation in ("<", "<="):
        yield "a comparison is the wrong way round", Compare(term.relation, term.right, term.left)


_RARER: Rules = {Add: _add_rarer}
_RULES: Rules = {
    Add: _add, Mul: _mul, Pow: _pow, Sum: _sum, Entry: _entry, Size: _size, Num: _num, Call: _call,
    Where: _where, Compare: _compare, Delta: _delta,
}  # fmt: skip
