"""A second evaluation of terms, in floats, that shares no code with the package's own.

Gradients are difference quotients of the forward pass. Where the quotients to both sides differ the
function has a kink, or the value is too rough to say, and there is no answer.
"""

from __future__ import annotations

import itertools
import math
import operator

from symgrad.algebra.terms import (
    Add,
    Call,
    Compare,
    Delta,
    Diff,
    Entry,
    Mul,
    Num,
    Position,
    Pow,
    Reduce,
    Size,
    Sum,
    Where,
)

STEP = 1e-6
FUNCTIONS = {
    "pow": math.pow,
    "exp": math.exp, "log": math.log, "log1p": math.log1p, "expm1": math.expm1, "tanh": math.tanh, "sinh": math.sinh,
    "cosh": math.cosh, "sin": math.sin, "cos": math.cos, "tan": math.tan, "atan": math.atan, "asinh": math.asinh,
    "erf": math.erf, "erfc": math.erfc, "lgamma": math.lgamma, "abs": abs,
    "sigmoid": lambda x: 1/(1 + math.exp(-x)), "softplus": lambda x: math.log(1 + math.exp(x)),
    "relu": lambda x: max(x, 0.0), "sign": lambda x: (x > 0) - (x < 0), "pi": lambda: math.pi,
}  # fmt: skip
RELATIONS = {"<": operator.lt, "<=": operator.le, "==": operator.eq, "!=": operator.ne}


class NoAnswer(Exception):  # noqa: N818 - an answer, not a fault
    """The value is not to be had in this way."""


class Plain:
    """Values at one point; `moved` replaces one entry of a tensor or definition."""

    def __init__(self, layer, sizes, values, moved=None):
        self.layer, self.sizes, self.values, self.moved = layer, sizes, values, moved or {}
        self.memo = {}

    def value(self, term, at):
        match term:
            case Num(value):
                return float(value)
            case Size(axis):
                return float(self.sizes[axis])
            case Position(index):
                return float(at[index])
            case Delta(left, right):
                return float(at[left] == at[right])
            case Add(terms):
                return math.fsum(self.value(each, at) for each in terms)
            case Mul(factors):
                return self.product(factors, at)
            case Pow(base, exponent):
                whole = exponent.denominator == 1
                return math.pow(self.value(base, at), int(exponent) if whole else float(exponent))
            case Call(name, arguments):
                return float(FUNCTIONS[name](*(self.value(each, at) for each in arguments)))
            case Compare(relation, left, right):
                return float(RELATIONS[relation](self.value(left, at), self.value(right, at)))
            case Where(condition, then, otherwise):
                return self.value(then if self.value(condition, at) else otherwise, at)
            case Sum(indices, body):
                return math.fsum(self.value(body, {**at, **inner}) for inner in self.places(indices))
            case Reduce(operation, indices, body):
                found = [self.value(body, {**at, **inner}) for inner in self.places(indices)]
                return {"max": max, "min": min, "prod": math.prod}[operation](found)
            case Entry(name, indices):
                return self.entry(name, tuple(at[index] for index in indices))
            case Diff(body, wrt, total):
                return self.derivative(body, wrt, total, at)
        raise AssertionError(term)

    def product(self, factors, at):
        """A product; a factor without names that is 0 decides it."""
        result = 1.0
        for factor in sorted(factors, key=lambda each: bool(each.names)):
            result *= self.value(factor, at)
            if not factor.names and not result:
                return 0.0
        return result

    def places(self, indices):
        for key in itertools.product(*(range(self.sizes[index.axis]) for index in indices)):
            yield dict(zip(indices, key, strict=True))

    def entry(self, name, key):
        if (name, key) in self.moved:
            return self.moved[name, key]
        if (name, key) not in self.memo:
            self.memo[name, key] = self.computed(name, key)
        return self.memo[name, key]

    def computed(self, name, key):
        definition = self.layer.definition(name)
        if definition is not None:
            return self.value(definition.body, dict(zip(definition.indices, key, strict=True)))
        if name in self.values:
            return float(self.values[name][key])
        if name.removeprefix("d_") in self.layer.outputs:
            return 1.0
        return self.slope(name.removeprefix("d_"), key)

    def slope(self, name, key):
        """The gradient of the weighted sum of all outputs by one entry."""

        def loss(moved):
            other = Plain(self.layer, self.sizes, self.values, {**self.moved, (name, key): moved})
            return math.fsum(
                self.entry(f"d_{out}", place) * other.entry(out, place)
                for out in self.layer.outputs
                for place in itertools.product(*(range(self.sizes[i.axis]) for i in self.layer.indices(out)))
            )

        return quotient(loss, self.entry(name, key))

    def derivative(self, body, wrt, total, at):
        if not total:
            raise NoAnswer("what is held is the package's own question")
        name, key = wrt.name, tuple(at[index] for index in wrt.indices)

        def moved_body(moved):
            return Plain(self.layer, self.sizes, self.values, {**self.moved, (name, key): moved}).value(body, at)

        return quotient(moved_body, self.entry(name, key))


def quotient(function, x):
    """The derivative from both sides, where these agree."""
    middle = function(x)
    right, left = (function(x + STEP) - middle) / STEP, (middle - function(x - STEP)) / STEP
    if abs(right - left) > 1e-2 * max(1.0, abs(right)):
        raise NoAnswer("there is a kink")
    return (right + left) / 2
