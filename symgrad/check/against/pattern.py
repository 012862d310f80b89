"""In which cases a result is wrong: the simplest property that those have and the others have not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from math import prod

from symgrad.check.against.records import Case, Finding, Outcome
from symgrad.notation.layer import Layer

Property = tuple[str, Callable[[Case], bool]]

MATHEMATICS, PRECISION, LAYOUT, UPSTREAM, CONSTANTS, WANTED, VALUES = (
    "mathematics", "precision", "memory layout", "upstream gradient", "constants", "which gradients are wanted",
    "special values",
)  # fmt: skip
FORWARD = "forward"


def findings(layer: Layer, outcomes: Sequence[Outcome]) -> list[Finding]:
    """What is wrong, the forward pass first, each with the property that its cases share."""
    names = [*layer.outputs, *(f"d_{tensor.name}" for tensor in layer.differentiable)]
    found = []
    for name in names:
        own = [outcome for outcome in outcomes if outcome.what == name]
        wrong = [outcome for outcome in own if not outcome.passed]
        if wrong:
            right = [outcome for outcome in own if outcome.passed]
            found.append(_finding(layer, name, wrong, right))
    return found


def _finding(layer: Layer, name: str, wrong: list[Outcome], right: list[Outcome]) -> Finding:
    failing, passing = [o.case for o in wrong], [o.case for o in right]
    kind = _kind(failing)
    worst = next((o for o in wrong if o.case.plain), None) or max(wrong, key=lambda o: o.relative)
    return Finding(name, kind, where(layer, failing, passing), worst, len(wrong), len(wrong) + len(right))


def _kind(failing: Sequence[Case]) -> str:
    """What it is about: the plainest case that fails says it."""
    if any(case.plain and case.constants == "default" for case in failing):
        return MATHEMATICS
    if any(case.plain for case in failing):
        return CONSTANTS
    double = [case for case in failing if case.dtype == "float64"]
    for kind, unusual in _UNUSUAL:
        if any(unusual(case) for case in double):
            return kind
    if any(case.data in ("ordinary", "a large mean", "large numbers", "small numbers") for case in failing):
        return PRECISION
    return VALUES


_UNUSUAL: tuple[tuple[str, Callable[[Case], bool]], ...] = (
    (UPSTREAM, lambda c: c.upstream == "ones" and c.layout == "contiguous"),
    (LAYOUT, lambda c: c.layout != "contiguous"),
    (WANTED, lambda c: c.wanted != ""),
    (PRECISION, lambda c: c.data in ("a large mean", "large numbers", "small numbers")),
    (VALUES, lambda c: c.data != "ordinary"),
)


def where(layer: Layer, failing: Sequence[Case], passing: Sequence[Case]) -> str:
    """The cases in words."""
    if not passing:
        return "in every case"
    known = list(_properties(layer))
    for count in (1, 2):
        for chosen in combinations(known, count):
            if all(holds(case) for case in failing for _, holds in chosen) and not any(
                all(holds(case) for _, holds in chosen) for case in passing
            ):
                return "only " + " and ".join(words for words, _ in chosen)
    shared = [(sum(not holds(case) for case in passing), words) for words, holds in known if all(map(holds, failing))]
    often = f"in {len(failing)} of {len(failing) + len(passing)} cases"
    excluded, said = max(shared, default=(0, ""), key=lambda pair: pair[0])
    return f"{often}, all of them {said}" if excluded else often


Holds = Callable[[Case], bool]


def _properties(layer: Layer) -> Iterator[Property]:
    """What cases may have in common, the simplest first."""
    names = [axis.name for axis in layer.axes]
    for name in names:
        yield f"where N_{name} > 1", _longer(name)
        yield f"where N_{name} = 1", _not(_longer(name))
    for one, other in combinations(names, 2):
        yield f"where N_{one}·N_{other} > 1", _longer(one, other)
    for axis in layer.axes:
        if axis.variadic:
            yield f"where {axis.name}... is no dimension", _rank(axis.name, 0)
            yield f"where {axis.name}... is more than one dimension", _rank(axis.name, 2)
    for dtypes, words in _DTYPES.items():
        yield words, _field("dtype", dtypes)
    yield "where arrays are not contiguous", _not(_field("layout", ("contiguous",)))
    for layout in ("transposed", "strided", "permuted"):
        yield f"where arrays are {layout}", _field("layout", (layout,))
    yield "for the upstream gradient of .sum() (ones, strides of 0)", _field("upstream", ("ones",))
    yield "for upstream gradients other than ones", _field("upstream", ("random",))
    for styles in (*((style,) for style in _STYLES), *_GROUPS):
        yield "for " + " or ".join(styles), _field("data", styles)
    yield "for constants other than the defaults", _field("constants", ("other",))
    yield "for the default constants", _field("constants", ("default",))
    yield "where only some inputs ask for a gradient", _not(_field("wanted", ("",)))


def _longer(*names: str) -> Holds:
    """Whether axes have more than one place together."""
    return lambda case: prod(prod(case.lengths[name]) for name in names) > 1


def _rank(name: str, least: int) -> Holds:
    """Whether a variadic axis stands for no dimension, or for at least so many."""
    return lambda case: len(case.lengths[name]) >= least if least else not case.lengths[name]


def _field(name: str, values: Sequence[str]) -> Holds:
    """Whether a field of the case is one of these."""
    return lambda case: getattr(case, name) in values


def _not(holds: Holds) -> Holds:
    return lambda case: not holds(case)


_DTYPES = {
    ("float32", "float16", "bfloat16"): "in float32 and half precision",
    ("float64",): "in float64",
    ("float32",): "in float32",
    ("float16", "bfloat16"): "in half precision",
    ("float16",): "in float16",
    ("bfloat16",): "in bfloat16",
}
_STYLES = (
    "a large mean", "large numbers", "small numbers", "equal numbers", "ties and zeros", "zero parameters",
    "extreme numbers",
)  # fmt: skip
_GROUPS = (
    ("a large mean", "extreme numbers"),
    ("large numbers", "extreme numbers"),
    ("ties and zeros", "extreme numbers"),
    ("large numbers", "a large mean", "extreme numbers"),
    ("zero parameters", "ties and zeros"),
    ("ties and zeros", "zero parameters", "extreme numbers"),
    ("ties and zeros", "equal numbers", "extreme numbers"),
)
