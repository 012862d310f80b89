"""Layers made of terms, one for each node and each thing that a plan must be able to do with it.

They need no parser and no prover: the adjoints come from the route by paths, and a stand-in for the prover
compares in numbers, so that these tests see the plan and the printers alone.
"""

from __future__ import annotations

from fractions import Fraction
from functools import cache

from symgrad.algebra.terms import (
    MINUS_ONE,
    ONE,
    ZERO,
    Call,
    Compare,
    Delta,
    Entry,
    Index,
    Position,
    Reduce,
    Sum,
    Term,
    add,
    divide,
    mul,
    negative,
    number,
    power,
    where,
)
from symgrad.check.kernels import load_kernel
from symgrad.derive.paths import derive_by_paths
from symgrad.notation.layer import Axis, Constant, Definition, Layer, Tensor
from symgrad.plan import Adjoint, KernelPlan, make_plan
from symgrad.plan.from_statistics import statistics_of, with_statistics
from symgrad.plan.guess import Guess
from symgrad.prove.study import statistics_gradients
from symgrad.render.kernels import render

b, i, j, k, o = (Index(name, name) for name in "bijko")
i2 = Index("i2", "i")
BOTH = (b, i)


def entry(name: str, *indices: Index) -> Entry:
    return Entry(name, indices)


x, t = entry("x", *BOTH), entry("t", *BOTH)
EARLIER = Compare("<=", Position(i2), Position(i))


def call(function: str, *arguments: Term) -> Call:
    return Call(function, arguments)


def exp(term: Term) -> Call:
    return call("exp", term)


def total(indices: tuple[Index, ...], body: Term) -> Sum:
    return Sum(indices, body)


def layer(name, tensors, definitions, outputs, variadic=(), constants=()) -> Layer:
    """`tensors` and `definitions` by name; a name with a dash before it is a target."""
    axes = dict.fromkeys(index.axis for indices in tensors.values() for index in indices)
    return Layer(
        name, "A layer for tests.", tuple(Axis(axis, axis in variadic) for axis in axes),
        tuple(Tensor(n.lstrip("-"), ix, "target" if n[0] == "-" else "input") for n, ix in tensors.items()),
        tuple(Constant(n, Fraction(text), text) for n, text in constants),
        tuple(Definition(n, indices, body) for n, (indices, body) in definitions.items()), outputs,
    )  # fmt: skip


EIGHT = number(8)
SMOOTH = ("erf", "erfc", "softplus", "atan", "asinh", "sin", "cos", "tan", "sinh", "cosh", "tanh", "sigmoid")
CORNERS = ("abs", "sign", "relu")
BELOW_ONE = ("asin", "acos", "atanh")
"""Functions of what lies between -1 and 1, as x/(1 + x^2) does."""
softmax = divide(exp(x), total((i,), exp(x)))
log_p, log_1_p = call("log", entry("p", *BOTH)), call("log", add(ONE, negative(entry("p", *BOTH))))
masked = where(EARLIER, exp(entry("s", b, i, i2)), ZERO)

LAYERS = (
    layer("relu", {"x": BOTH}, {"y": (BOTH, where(Compare("<", ZERO, x), x, ZERO))}, ("y",)),
    layer("leaky", {"x": BOTH, "g": ()}, {"y": (BOTH, where(Compare("<", x, ZERO), mul(entry("g"), x), x))}, ("y",)),
    layer("elu", {"x": BOTH}, {"y": (BOTH, where(Compare("<", ZERO, x), x, add(exp(x), MINUS_ONE)))}, ("y",)),
    layer("x_log_x", {"x": BOTH}, {"y": (BOTH, where(Compare("<", ZERO, x), mul(x, call("log", x)), ZERO))}, ("y",)),
    layer("row_max", {"x": BOTH, "w": (b,)},
          {"m": ((b,), Reduce("max", (i,), x)), "y": ((b,), mul(entry("w", b), entry("m", b)))}, ("y",)),
    layer("from_min", {"x": BOTH},
          {"m": ((b,), Reduce("min", (i,), x)), "y": (BOTH, mul(x, add(x, negative(entry("m", b)))))}, ("y",)),
    layer("product", {"x": BOTH}, {"p": ((b,), Reduce("prod", (i,), x))}, ("p",)),
    layer("whole_product", {"x": BOTH}, {"L": ((), Reduce("prod", BOTH, x))}, ("L",)),
    layer("running_sum", {"x": BOTH}, {"y": (BOTH, total((i2,), where(EARLIER, entry("x", b, i2), ZERO)))}, ("y",)),
    layer("causal", {"s": (b, i, i2)}, {"p": ((b, i, i2), divide(masked, total((i2,), masked)))}, ("p",)),
    layer("off_diagonal", {"x": (i, i2)},
          {"y": ((i, i2), add(entry("x", i, i2), negative(mul(Delta(i, i2), entry("x", i2, i)))))}, ("y",)),
    layer("gram", {"x": BOTH}, {"y": ((i, i2), total((b,), mul(x, entry("x", b, i2))))}, ("y",)),
    layer("functions", {"x": BOTH, "g": ()},
          {"y": (BOTH, add(*(call(f, divide(mul(entry("g"), x), EIGHT)) for f in (*SMOOTH, *CORNERS)))),
           "z": (BOTH, call("lgamma", add(ONE, power(x, 2))))}, ("y", "z")),
    layer("bounded_functions", {"x": BOTH},
          {"y": (BOTH, add(*(call(f, divide(x, add(ONE, power(x, 2)))) for f in BELOW_ONE),
                           call("acosh", add(ONE, ONE, power(x, 2)))))}, ("y",)),
    layer("small_functions", {"x": BOTH, "g": (b,)},
          {"y": (BOTH, mul(x, add(call("pi"), *(call(f, entry("g", b)) for f in SMOOTH))))}, ("y",)),
    layer("pool", {"x": (b, i, j)}, {"y": ((b,), Reduce("max", (i, j), entry("x", b, i, j)))}, ("y",)),
    layer("unused", {"x": BOTH, "u": (b,), "n": ()},
          {"y": (BOTH, mul(x, x)), "z": ((b,), entry("u", b))}, ("y",)),
    layer("bilinear", {"x": BOTH, "a": (o, i, j), "z": (b, j)},
          {"y": ((b, o), total((i, j), mul(x, entry("a", o, i, j), entry("z", b, j))))}, ("y",)),
    layer("heads", {"q": (b, i, o, k), "r": (b, j, o, k)},
          {"s": ((b, o, i, j), total((k,), mul(entry("q", b, i, o, k), entry("r", b, j, o, k))))}, ("s",)),
    layer("nested", {"x": BOTH, "w": (i, j)},
          {"L": ((), call("log", total((b,), exp(total((i, j), mul(x, entry("w", i, j)))))))}, ("L",)),
    layer("recomputed", {"x": BOTH, "w": (i,)},
          {"y": ((b,), total((i,), mul(entry("w", i), softmax)))}, ("y",)),
    layer("scalars", {"a": (), "c": ()}, {"y": ((), mul(entry("a"), call("sigmoid", entry("c"))))}, ("y",)),
    layer("two_variadic", {"x": BOTH, "w": (j, i)},
          {"y": ((b, j), total((i,), mul(x, entry("w", j, i))))}, ("y",), variadic="bj"),
    layer("variadic_middle", {"x": (b, i, j), "w": (i,)},
          {"y": ((b, j), total((i,), mul(entry("x", b, i, j), entry("w", i))))}, ("y",), variadic="i"),
    layer("probabilities", {"x": BOTH, "-t": BOTH},
          {"p": (BOTH, softmax), "L": ((), negative(total(BOTH, mul(t, log_p))))}, ("L",)),
    layer("bernoulli", {"x": BOTH, "-t": BOTH},
          {"p": (BOTH, power(add(ONE, exp(negative(x))), -1)),
           "L": ((), negative(total(BOTH, add(mul(t, log_p), mul(add(ONE, negative(t)), log_1_p)))))}, ("L",)),
    layer("on_constants", {"x": BOTH, "w": (b,)},
          {"y": (BOTH, where(Compare("<", entry("w", b), ONE), mul(x, entry("w", b)), entry("c"))),
           "u": (BOTH, where(Compare("<", entry("c"), ONE), x, ZERO)),
           "v": (BOTH, add(Compare("<", x, entry("w", b)), x))}, ("y", "u", "v"), constants=(("c", "0.5"),)),
)  # fmt: skip
BY_NAME = {made.name: made for made in LAYERS}


@cache
def plan_of(name: str) -> KernelPlan:
    made, guess = BY_NAME[name], Guess()
    same = lambda left, right, layer: not guess.differ(layer, left, right)  # noqa: E731
    plan = make_plan(made, adjoints(derive_by_paths(made)), same)
    if not plan.statistics:
        return plan
    return with_statistics(plan, adjoints(statistics_gradients(made, statistics_of(plan))), same)


def adjoints(gradients) -> list[Adjoint]:
    return [Adjoint(g.entry.name, g.entry.indices, g.body) for g in gradients]


@cache
def text_of(name: str, backend: str) -> str:
    return render(plan_of(name), backend).text


@cache
def module_of(name: str, backend: str):
    return load_kernel(render(plan_of(name), backend))
