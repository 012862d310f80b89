"""Adjoints written by hand, and a numeric stand-in for the prover: foundations of their own."""

from __future__ import annotations

import itertools
import math
import zlib
from functools import cache

import numpy as np

from symgrad.algebra.binding import transform_children
from symgrad.algebra.terms import Add, Call, Delta, Entry, Mul, Num, Pow, Size, Sum, Term
from symgrad.notation.layer import Layer
from symgrad.notation.library import from_text, load
from symgrad.plan import Adjoint, KernelPlan, make_plan
from symgrad.plan.from_statistics import with_statistics

BATCH_NORM = """
g_w[c]       = sum[s, k](g_y[s, c, k] * (x[s, c, k] - mu[c]) / sqrt(var[c] + eps))
g_beta[c]    = sum[s, k](g_y[s, c, k])
g_var[c]     = sum[s, k](-1/2 * g_y[s, c, k] * w[c] * (x[s, c, k] - mu[c]) * (var[c] + eps)**(-3/2))
g_mu[c]      = sum[s, k](-g_y[s, c, k] * w[c] / sqrt(var[c] + eps)) - 2 * g_var[c] * mean[s, k](x[s, c, k] - mu[c])
g_x[s, c, k] = (g_y[s, c, k] * w[c] / sqrt(var[c] + eps) +
g_mu[c] / (size[s] * size[k]) + 2 * g_var[c] * (x[s, c, k] - mu[c]) / (size[s] * size[k]))
"""
ADJOINTS = {
    "batch_norm": BATCH_NORM,
    "sigmoid": "g_y[i] = g_z[i] * exp(-y[i]) / (1 + exp(-y[i]))**2",
    "mse": "g_z[i] = 2 * g_L * (z[i] - t[i]) / size[i]",
    "batch_norm_sigmoid_mse": """
g_z[s, c, k] = 2 * g_L * (z[s, c, k] - t[s, c, k]) / (size[s] * size[c] * size[k])
g_y[s, c, k] = g_z[s, c, k] * exp(-y[s, c, k]) / (1 + exp(-y[s, c, k]))**2
"""
    + BATCH_NORM,
}
STATISTICS = {
    "batch_norm": """
g_mu_total[c] = g_mu[c] - 2 * g_var[c] * mean[s, k](x[s, c, k] - mu[c])
g_x[s, c, k]  = (2 * g_var[c] * (x[s, c, k] - mu[c]) / (size[s] * size[k])
+ g_mu_total[c] / (size[s] * size[k]) + x[s, c, k] - x[s, c, k])""",
}
STATISTICS["batch_norm_sigmoid_mse"] = STATISTICS["batch_norm"]


def adjoints(layer: Layer, text: str, seeds: dict[str, str]) -> list[Adjoint]:
    """The equations of a text with g_ for d_; `seeds` declares the cotangents that come in."""
    flat = {d.name: d.name.rsplit(".", 1)[-1] for d in layer.definitions}
    declared = [f"input {_declare(t.name, t.indices, layer)}" for t in layer.tensors]
    declared += [f"input {_declare(flat[d.name], d.indices, layer)}" for d in layer.definitions]
    declared += [f"constant {c.name} = {c.text}" for c in layer.constants]
    declared += [f"input {seed}" for seed in seeds.values()]
    last = [line for line in text.strip().splitlines() if " = " in line][-1].split("[")[0]
    parsed = from_text("\n".join(declared) + "\n" + text.strip() + f"\noutput {last}\n")
    back = {short: name for name, short in flat.items()}

    def rename(term: Term) -> Term:
        if isinstance(term, Entry):
            return Entry(_original(term.name, back), term.indices)
        return transform_children(term, rename)

    return [Adjoint(_original(d.name, back), d.indices, rename(d.body)) for d in parsed.definitions]


def _original(name: str, back: dict[str, str]) -> str:
    if name.startswith("g_"):
        return "d_" + back.get(name[2:], name[2:])
    return back.get(name, name)


def _declare(name, indices, layer):
    letters = [i.name + ("..." if layer.axis(i.axis).variadic else "") for i in indices]
    return f"{name}[{', '.join(letters)}]" if letters else name


@cache
def plan_of(name: str) -> KernelPlan:
    """The plan of a gallery layer, from the adjoints written here."""
    layer = load(name)
    seeds = {o: "g_" + _declare(o, layer.indices(o), layer) for o in layer.outputs}
    given = adjoints(layer, ADJOINTS[name], seeds)
    plan = make_plan(layer, given, equal_in_numbers)
    if name not in STATISTICS:
        return plan
    seeds = {name: f"g_{name}[c]" for name in plan.statistics}
    return with_statistics(plan, adjoints(layer, STATISTICS[name], seeds), equal_in_numbers)


def equal_in_numbers(left: Term, right: Term, layer: Layer) -> bool:
    """Whether both terms agree on random numbers at sizes 2, 3, 2, ..."""
    sizes = {axis.name: 2 + place % 2 for place, axis in enumerate(layer.axes)}
    for seed in range(2):
        numbers = _Numbers(layer, sizes, seed)
        free = sorted(left.free | right.free)
        for values in itertools.product(*(range(sizes[i.axis]) for i in free)):
            at = dict(zip(free, values, strict=True))
            if not math.isclose(numbers.value(left, at), numbers.value(right, at), rel_tol=1e-9, abs_tol=1e-11):
                return False
    return True


class _Numbers:
    """Evaluates terms entry by entry; inputs get random numbers, definitions are computed."""

    def __init__(self, layer: Layer, sizes: dict[str, int], seed: int) -> None:
        self.layer, self.sizes, self.seed = layer, sizes, seed
        self.known: dict[tuple[str, tuple[int, ...]], float] = {}

    def value(self, term: Term, at) -> float:
        match term:
            case Num(value):
                return float(value)
            case Size(axis):
                return self.sizes[axis]
            case Entry(name, indices):
                return self.entry(name, tuple(at[i] for i in indices))
            case Add(terms):
                return sum(self.value(t, at) for t in terms)
            case Mul(factors):
                return math.prod(self.value(f, at) for f in factors)
            case Pow(base, exponent):
                base = self.value(base, at)
                return base ** (int(exponent) if exponent.denominator == 1 else float(exponent))
            case Call(function, (argument,)):
                return FUNCTIONS[function](self.value(argument, at))
            case Delta(left, right):
                return float(at[left] == at[right])
            case Sum(indices, body):
                places = itertools.product(*(range(self.sizes[i.axis]) for i in indices))
                return sum(self.value(body, {**at, **dict(zip(indices, p, strict=True))}) for p in places)
        raise AssertionError(term)

    def entry(self, name: str, place: tuple[int, ...]) -> float:
        if (name, place) not in self.known:
            definition = self.layer.definition(name)
            if definition is not None:
                found = self.value(definition.body, dict(zip(definition.indices, place, strict=True)))
            else:
                key = zlib.crc32(repr((name, place)).encode())
                found = float(np.random.default_rng([key, self.seed]).uniform(0.5, 1.5))
            self.known[name, place] = found
        return self.known[name, place]


FUNCTIONS = {"exp": math.exp, "log": math.log, "tanh": math.tanh, "sigmoid": lambda u: 1 / (1 + math.exp(-u))}
