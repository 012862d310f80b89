"""The tables of operators and helpers against torch itself, in numbers.

A proof is blind to a row that is typed wrong: the layer would not be the operator, or a helper not the
function of that name. So each layer is run beside the operator, and each formula as it was read beside
what torch's autograd computes.
"""

from __future__ import annotations

import itertools
import random
from fractions import Fraction

import pytest

from symgrad.audit.operators import build_operator, known_rows
from symgrad.audit.records import FORWARD, GRADIENT, MISFIT, NOT_READ
from symgrad.audit.values import Ignored, Value
from symgrad.prove.evaluate import Evaluator, Point
from symgrad.prove.floats import Floats
from symgrad.prove.numbers import EvaluationError

torch = pytest.importorskip("torch", reason="torch is not installed")
LENGTHS = (3, 4, 2, 5)
RANGES = ((-2.0, 2.0), (0.1, 0.9), (1.1, 2.5))
POSITIVE = {"atan2", "binary_cross_entropy", "native_batch_norm", "_native_batch_norm_legit_no_training"}
"""Operators whose layers are theirs for positive numbers below 1, or that refuse others."""
TOLERANCE, SINGLE = 1e-9, 1e-7
IN_SINGLE = {"hardsigmoid"}
"""torch 2.13 multiplies by 1/6 rounded to single precision, in double precision too."""
NO_KERNEL = {"linear_backward"}
"""Operators that torch runs on no CPU."""
MASKS = ("condition", "mask")


def argument_of(meaning, name: str, tensors: dict):
    """What stands for a setting in a call of torch; where that does not matter, `UNUSED` says it."""
    if meaning is None and name in ("dtype", "output_mask"):
        return UNUSED[name](tensors)
    if isinstance(meaning, Value):
        return int(meaning.number) if meaning.number.denominator == 1 else float(meaning.number)
    if isinstance(meaning, tuple):
        return [argument_of(each, name, tensors) for each in meaning]
    if isinstance(meaning, Ignored):
        return UNUSED[name](tensors) if name in UNUSED else None
    return meaning


UNUSED = {
    "normalized_shape": lambda tensors: list(tensors["weight"].shape),
    "momentum": lambda _: 0.1,
    "buffer": lambda tensors: torch.exp(-tensors["self"].detach().abs()),
    "input_dtype": lambda _: torch.float64,
    "dtype": lambda _: torch.float64,
    "output_mask": lambda _: [True, True, True],
    "running_mean": lambda tensors: torch.zeros_like(tensors["weight"]).detach(),
    "running_var": lambda tensors: torch.ones_like(tensors["weight"]).detach(),
}


class Sample:
    """An operator at random numbers, and torch's own results there."""

    def __init__(self, row, entry, limits, rng) -> None:
        self.operator = build_operator(row, entry)
        layer = self.operator.layer
        self.sizes = dict(zip((axis.name for axis in layer.axes), LENGTHS, strict=False))
        self.entry, self.rng, self.limits = entry, rng, limits
        names = [*(t.name for t in layer.tensors), *(c.name for c in layer.constants)]
        self.values = {name: self.drawn(layer.indices(name)) for name in names}
        for place, constant in enumerate(layer.constants):  # low stands before high
            self.values[constant.name] = {(): Fraction(3 + 2 * place, 10)}
        self.tensors = {}
        arguments = {}
        for argument in entry.signature.arguments:
            name = self.operator.names.get(argument.name)
            if name is not None and layer.tensor(name):
                kept = self.tensor(name, self.values[name])
                self.tensors[argument.name] = kept.requires_grad_(argument.name in entry.gradients)
                arguments[argument.name] = kept > 0 if argument.name in MASKS else kept
            elif name is not None:
                arguments[argument.name] = float(self.values[name][()])
        for name, meaning in self.operator.scope.items():
            arguments[name] = argument_of(meaning, name, self.tensors)
        base, _, overload = entry.name.partition(".")
        self.call = getattr(getattr(torch.ops.aten, base), overload or "default")
        self.arguments = arguments
        self.results = self.outcome(arguments)

    def drawn(self, indices):
        keys = itertools.product(*(range(self.sizes[index.axis]) for index in indices))
        return {key: Fraction(self.rng.uniform(*self.limits)).limit_denominator(1000) for key in keys}

    def tensor(self, name, values, indices=None):
        shape = [self.sizes[index.axis] for index in self.operator.layer.indices(name)]
        for place in self.operator.dims.get(name, ()):
            shape.insert(place, 1)
        return torch.tensor([float(v) for _, v in sorted(values.items())], dtype=torch.float64).reshape(shape)

    def outcome(self, arguments):
        found = self.call(**arguments)
        return list(found) if isinstance(found, (tuple, list)) else [found]

    def flat(self, layer, term, indices, more=None):
        """A term of the layer at every place of some indices, by symgrad's evaluator."""
        evaluator = Evaluator(layer, Point(self.sizes, {**self.values, **(more or {})}), Floats())
        keys = itertools.product(*(range(self.sizes[index.axis]) for index in indices))
        return [float(evaluator.value(term, dict(zip(indices, key, strict=True)))) for key in keys]


def same(found, wanted, name="") -> bool:
    assert len(found) == wanted.numel()
    tolerance = SINGLE if name in IN_SINGLE else TOLERANCE
    return all(abs(a - b) <= tolerance * max(1, abs(b)) for a, b in zip(found, wanted.flatten().tolist(), strict=True))


def sample(row, entry) -> Sample:
    """Numbers in the operator's domain: the first range in which everything is finite."""
    for limits in RANGES[1:] if row.name in POSITIVE else RANGES:
        made = Sample(row, entry, limits, random.Random(repr(row)))
        if all(torch.isfinite(result).all() for result in made.results[: len(made.operator.returns)]):
            return made
    raise AssertionError(f"{entry.name} has no finite value in any range")


ROWS = [
    pytest.param(row, id=f"{name}-{n}")
    for name, rows in known_rows().items()
    for n, row in enumerate(rows)
    if name not in NO_KERNEL
]


@pytest.mark.parametrize("row", ROWS)
def test_each_layer_is_the_operator(row, entries):
    made = sample(row, entries[row.name])
    layer = made.operator.layer
    for name, result in zip(made.operator.returns, made.results, strict=False):
        entry = layer.entry(name)
        if result.numel():  # what is saved in evaluation mode is empty
            assert same(made.flat(layer, entry, entry.indices), result), name


@pytest.mark.parametrize("row", ROWS)
def test_each_gradient_formula_as_read_is_what_torch_computes(row, entries, audit):
    made = sample(row, entries[row.name])
    layer = made.operator.layer
    upstream = {f"d_{name}": made.drawn(layer.indices(name)) for name in layer.outputs}
    given = [made.tensor(name[2:], values) for name, values in upstream.items()]
    (audited,) = [each for each in audit.entries if each.operator == row.name]
    for judged in audited.formulas:
        for claimed in judged.claims:
            if judged.mode != GRADIENT or claimed.layer != layer or claimed.verdict in (NOT_READ, MISFIT):
                continue
            pairs = zip(made.results[: len(given)], given, strict=True)
            results, seeds = zip(*(pair for pair in pairs if pair[0].requires_grad), strict=True)
            (wanted,) = torch.autograd.grad(
                list(results), made.tensors[judged.target], seeds, retain_graph=True, materialize_grads=True
            )
            wanted = wanted + torch.zeros_like(made.tensors[judged.target])  # a zero may have no storage
            indices = layer.indices(made.operator.names[judged.target])
            assert same(made.flat(layer, claimed.proof.right, indices, upstream), wanted, row.name), claimed.text


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("row", ROWS)
def test_each_forward_formula_as_read_is_what_torch_computes(row, entries, audit):
    made = sample(row, entries[row.name])
    moving = {name: made.tensors[name] for name in made.entry.gradients if name in made.tensors}
    tangents = {f"dot_{made.operator.names[name]}": made.drawn(made.operator.layer.indices(made.operator.names[name]))
                for name in moving}  # fmt: skip
    (audited,) = [each for each in audit.entries if each.operator == row.name]
    for judged in audited.formulas:
        for claimed in judged.claims:
            if judged.mode != FORWARD or claimed.settings != row.settings or claimed.verdict in (NOT_READ, MISFIT):
                continue
            place = made.entry.signature.returns.index(judged.target)
            with torch.autograd.forward_ad.dual_level():
                duals = {
                    name: torch.autograd.forward_ad.make_dual(
                        kept.detach(),
                        made.tensor(made.operator.names[name], tangents[f"dot_{made.operator.names[name]}"]),
                    )
                    for name, kept in moving.items()
                }
                found = made.outcome({**made.arguments, **duals})[place]
                wanted = torch.autograd.forward_ad.unpack_dual(found).tangent
            indices = claimed.layer.indices(claimed.layer.outputs[0])
            wanted = torch.zeros_like(made.results[place]) if wanted is None else wanted
            assert same(made.flat(claimed.layer, claimed.proof.right, indices, tangents), wanted, row.name), (
                claimed.text
            )


def test_a_wrong_row_is_seen(entries):
    from symgrad.audit.operators import parse_rows

    (row,) = parse_rows("sin(x[i]): y[i] = cos(x[i])", "<test>")["sin"]
    made = sample(row, entries["sin"])
    entry = made.operator.layer.entry("y")
    assert not same(made.flat(made.operator.layer, entry, entry.indices), made.results[0])
    with pytest.raises(EvaluationError):
        made.flat(made.operator.layer, made.operator.layer.entry("y").__class__("q"), ())
