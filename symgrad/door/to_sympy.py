"""Terms and layers as SymPy objects: IndexedBase entries, Sum, Product, KroneckerDelta, Piecewise.

An index counts from 0: a sum over an axis runs over (k, 0, N_k - 1), where N_k is a positive integer symbol.
Tensors and constants are real. Every bound letter is a letter of its own, different from those around it, because
SymPy's substitution does not keep them apart. And a `Sum` takes a `Piecewise` out of another `Sum` inside it, with
the letter that is bound there; where that would happen, cases are written as products with `Heaviside`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import sympy
from sympy.concrete.expr_with_limits import ExprWithLimits

from symgrad.algebra.binding import fresh_letter
from symgrad.algebra.terms import (
    ONE,
    Add,
    Binder,
    Call,
    Compare,
    Delta,
    Entry,
    Index,
    Mul,
    Num,
    Place,
    Position,
    Pow,
    Reduce,
    Size,
    Sum,
    Term,
    Where,
    negative,
    walk,
)
from symgrad.door.over import MaxOver, MinOver
from symgrad.door.sympy_functions import FORMULAS, NAMES
from symgrad.door.sympy_layer import SympyLayer
from symgrad.door.sympy_places import check_padding, fitted_lengths
from symgrad.errors import SymgradError
from symgrad.notation.conditions import larger, smaller
from symgrad.notation.layer import Definition, Layer
from symgrad.notation.unparse_layer import undotted

_REDUCTIONS: Mapping[str, Any] = {"max": MaxOver, "min": MinOver, "prod": sympy.Product}
_RELATIONS: Mapping[str, Any] = {"<": sympy.Lt, "<=": sympy.Le, "==": sympy.Eq, "!=": sympy.Ne}
Scope = Mapping[Index, Any]


def layer_to_sympy(layer: Layer) -> SympyLayer:
    """The SymPy objects of a layer.

    Raises:
        SymgradError: a term that SymPy has no expression for.
    """
    symbols = Symbols.of(layer)
    check_padding(layer)
    roles = {
        role: tuple(symbols.entry(t.entry, symbols.scope(t.indices)) for t in layer.tensors if t.role == role)
        for role in ("input", "parameter", "target")
    }
    variadic = [Index(axis.name, axis.name) for axis in layer.axes if axis.variadic]
    return SympyLayer(
        name=layer.name,
        doc=layer.doc,
        equations=tuple(symbols.equation(d.entry, d.body) for d in layer.definitions),
        inputs=roles["input"],
        parameters=roles["parameter"],
        targets=roles["target"],
        constants={symbols.scalar(c.name): sympy.Rational(c.default) for c in layer.constants},
        outputs=tuple(symbols.base(layer.entry(name)) for name in layer.outputs),
        variadic=tuple(symbols.scope(variadic).values()),
        order=layer.order,
        sizes=dict(symbols.sizes),
        labels={
            symbols.entry(t.entry, symbols.scope(t.indices)): symbols.letter(Index(t.into, t.into))
            for t in layer.tensors
            if t.role == "label"
        },
        lengths={
            symbols.sizes[axis.name]: symbols.expression(axis.length, {})
            for axis in layer.axes
            if axis.length is not None
        },
        fitted=fitted_lengths(layer, symbols),
    )


@dataclass
class Symbols:
    """The SymPy symbols of one layer. Make it with `Symbols.of`.

    Attributes:
        names: for each name of the layer its name in SymPy, without dots.
        sizes: the length of each axis.
        axes: the axis to which each letter belongs, so that no letter is used for two.
        whole: the names of labels and whole constants.
    """

    names: Mapping[str, str]
    sizes: dict[str, Any] = field(default_factory=dict)
    axes: dict[str, str] = field(default_factory=dict)
    whole: frozenset[str] = frozenset()
    products: bool = False
    """Whether cases are written as products now."""

    @classmethod
    def of(cls, layer: Layer) -> Symbols:
        """Symbols no two of which share a name."""
        symbols = cls(
            undotted(layer), whole=frozenset((*layer.labels, *(c.name for c in layer.constants if c.is_whole)))
        )
        taken = {prefix + name for name in symbols.names.values() for prefix in ("", "d_", "dot_")}
        for axis in layer.axes:
            name = f"N_{axis.name}"
            while name in taken:
                name += "_"
            taken.add(name)
            symbols.sizes[axis.name] = sympy.Symbol(name, integer=True, positive=True)
        symbols.axes = dict.fromkeys(taken, "")  # a letter is none of these
        for index in [*(Index(axis.name, axis.name) for axis in layer.axes), *_indices(layer.definitions)]:
            symbols.axes.setdefault(index.name, index.axis)
        return symbols

    def letter(self, index: Index, used: Iterable[str] = ()) -> Any:
        """A symbol for an index: its own letter where that is not `used` and belongs to its axis."""
        others = {name for name, axis in self.axes.items() if axis != index.axis}
        name = fresh_letter(index, others | set(used)).name
        self.axes[name] = index.axis
        return sympy.Symbol(name, integer=True, nonnegative=True)

    def scope(self, indices: Iterable[Index], outer: Scope | None = None) -> dict[Index, Any]:
        """The symbols of `indices`, in addition to those around them."""
        found = dict(outer or {})
        for index in indices:
            found[index] = self.letter(index, [str(symbol) for symbol in found.values()])
        return found

    def name(self, name: str) -> str:
        """x, y_mu, d_y_mu."""
        prefix = next((p for p in ("d_", "dot_") if name.startswith(p) and name not in self.names), "")
        own = name.removeprefix(prefix)
        return prefix + self.names.get(own, own.replace(".", "_"))

    def scalar(self, name: str) -> Any:
        """A real symbol; of a whole constant or a label one that is an integer."""
        return sympy.Symbol(self.name(name), **self.assumptions(name))

    def assumptions(self, name: str) -> dict[str, bool]:
        """What is known of the values of a tensor or a constant."""
        return {"integer": True, "nonnegative": True} if name in self.whole else {"real": True}

    def base(self, entry: Entry) -> Any:
        """The tensor of an entry with its shape; a symbol for a scalar."""
        if not entry.indices:
            return self.scalar(entry.name)
        shape = tuple(self.sizes[index.axis] for index in entry.indices)
        return sympy.IndexedBase(self.name(entry.name), shape=shape, **self.assumptions(entry.name))

    def entry(self, entry: Entry, scope: Scope) -> Any:
        """x[s, c]."""
        base = self.base(entry)
        return base[tuple(self.index(index, scope, entry) for index in entry.indices)] if entry.indices else base

    def index(self, index: Index, scope: Scope, term: Term) -> Any:
        """A letter's symbol, or what a place is: stride*i + k, t[b]."""
        if isinstance(index, Place):
            return self.expression(index.value, scope)
        if index not in scope:
            name = term.name if isinstance(term, Entry) else "where"
            raise SymgradError(f"{index} in {name}[…] has no symbol here; add its form to {__name__}")
        return scope[index]

    def equation(self, left: Entry, right: Term) -> Any:
        """`Eq(left, right)`, as it stands."""
        scope = self.scope(left.indices)
        found = self.expression(right, scope)
        letters = {symbol for symbol in found.free_symbols if isinstance(symbol, sympy.Symbol) and symbol.is_integer}
        known = {self.name(name) for name in self.whole}
        loose = {letter for letter in letters - {*scope.values(), *self.sizes.values()} if letter.name not in known}
        if loose:
            raise SymgradError(f"SymPy took {loose} out of the sum that binds it; report this with the layer")
        return sympy.Eq(self.entry(left, scope), found, evaluate=False)

    def expression(self, term: Term, scope: Scope) -> Any:
        """A term whose free indices have symbols.

        Raises:
            SymgradError: a term that SymPy has no expression for.
        """
        match term:
            case Num(value):
                return sympy.Rational(value.numerator, value.denominator)
            case Size(axis):
                return self.sizes[axis]
            case Entry():
                return self.entry(term, scope)
            case Add(terms):
                return sympy.Add(*(self.expression(part, scope) for part in terms))
            case Mul(factors):
                return sympy.Mul(*(self.expression(part, scope) for part in factors))
            case Pow(base, exponent):
                return self.power(self.expression(base, scope), exponent)
            case Call("pi", ()):
                return sympy.pi
            case Call(function, arguments):
                build = FORMULAS.get(function) or NAMES[function]
                return build(*(self.expression(argument, scope) for argument in arguments))
            case Sum() | Reduce():
                return self.reduction(term, scope)
            case Delta(left, right):
                return sympy.KroneckerDelta(scope[left], self.index(right, scope, term))
            case Position(index):
                return scope[index]
            case Compare() if self.products:
                return self.indicator(term, scope)
            case Compare():
                return sympy.Piecewise((1, self.condition(term, scope)), (0, True))
            case Where():
                return self.choice(term, scope)
        raise SymgradError(f"a {type(term).__name__} has no form in SymPy; add one to {__name__}")

    def reduction(self, term: Binder, scope: Scope) -> Any:
        """Sum(body, (k, 0, N_k - 1))."""
        inner = self.scope(term.indices, scope)
        limits = [(inner[index], 0, self.sizes[index.axis] - 1) for index in term.indices]
        head = _REDUCTIONS[term.operation] if isinstance(term, Reduce) else sympy.Sum
        body = self.expression(term.body, inner)
        if _would_leak(body, [letter for letter, *_ in limits]):
            self.products, before = True, self.products
            body = self.expression(term.body, inner)
            self.products = before
        return head(body, *limits)

    def indicator(self, term: Compare, scope: Scope) -> Any:
        """1 where a relation holds, else 0, without a Piecewise."""
        left, right = self.expression(term.left, scope), self.expression(term.right, scope)
        if term.relation in ("<", "<="):
            return sympy.Heaviside(right - left, int(term.relation == "<="))
        same = sympy.KroneckerDelta(left, right)
        return same if term.relation == "==" else 1 - same

    @staticmethod
    def power(base: Any, exponent: Fraction) -> Any:
        """A power; SymPy would take it into the cases of a Piecewise, and a root with them."""
        power = sympy.Rational(exponent.numerator, exponent.denominator)
        return sympy.Pow(base, power, evaluate=not isinstance(base, sympy.Piecewise))

    def choice(self, term: Where, scope: Scope) -> Any:
        """Max and Min where the cases are theirs; else a Piecewise."""
        if isinstance(term.otherwise, Where):
            one, other = term.then, term.otherwise.then
            for head, cases in ((sympy.Max, larger), (sympy.Min, smaller)):
                if cases(one, other) == term:
                    return head(self.expression(one, scope), self.expression(other, scope))
        first, second = self.expression(term.then, scope), self.expression(term.otherwise, scope)
        if self.products:
            chosen = self.expression(term.condition, scope)
            return chosen * first + (1 - chosen) * second
        return sympy.Piecewise((first, self.condition(term.condition, scope)), (second, True))

    def condition(self, term: Term, scope: Scope) -> Any:
        """A term that is 0 or 1 as a condition."""
        match term:
            case Compare(relation, left, right):
                return _RELATIONS[relation](self.expression(left, scope), self.expression(right, scope))
            case Delta(left, right):
                return sympy.Eq(scope[left], self.index(right, scope, term))
            case Mul(factors):
                return sympy.And(*(self.condition(factor, scope) for factor in factors))
            case Add((first, second)) if first == ONE:
                return sympy.Not(self.condition(negative(second), scope))
        raise SymgradError(f"a {type(term).__name__} is no condition in SymPy; add one to {__name__}")


def _would_leak(body: Any, letters: list[Any]) -> bool:
    """Whether SymPy would take a Piecewise out of a sum inside `body`, which binds a letter of its conditions."""
    return any(
        choice.has(*letters) and choice.has(*inner.bound_symbols)
        for inner in body.atoms(ExprWithLimits)
        for choice in inner.atoms(sympy.Piecewise)
    )


def _indices(definitions: Iterable[Definition]) -> Iterable[Index]:
    """The letters of definitions, free ones first."""
    for definition in definitions:
        yield from definition.indices
        for node in walk(definition.body):
            if isinstance(node, Binder):
                yield from node.indices
