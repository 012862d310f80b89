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
    where = _where(layer, failing, passing)
    worst = next((o for o in wrong if o.case.plain), wrong[0])
    return Finding(name, kind, where, worst, len(wrong), len(wrong) + len(right))


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


def _where(layer: Layer, failing: list[Case], passing: list[Case]) -> str:
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
    count = f"in {len(failing)} of {len(failing) + len(passing)} cases"
    excluded, words = max(shared, default=(0, ""), key=lambda pair: pair[0])
    return f"{count}, all of them {words}" if excluded else count


def _properties(layer: Layer) -> Iterator[Property]:
    """What cases may have in common, the simplest first."""
    for axis in layer.axes:
        name = axis.name
        yield f"where N_{name} > 1", lambda case, name=name: prod(case.lengths[name]) > 1
        yield f"where N_{name} = 1", lambda case, name=name: prod(case.lengths[name]) == 1
    for one, other in combinations([axis.name for axis in layer.axes], 2):
        words = f"where N_{one}·N_{other} > 1"
        yield words, lambda case, a=one, b=other: prod(case.lengths[a]) * prod(case.lengths[b]) > 1
    for axis in layer.axes:
        if axis.variadic:
            yield from _ranks(axis.name)
    yield "in float32 and half precision", lambda case: case.dtype != "float64"
    for dtype in ("float64", "float32", "float16", "bfloat16"):
        yield f"in {dtype}", lambda case, dtype=dtype: case.dtype == dtype
    yield "in half precision", lambda case: case.dtype in ("float16", "bfloat16")
    yield "where arrays are not contiguous", lambda case: case.layout != "contiguous"
    for layout in ("transposed", "strided", "permuted"):
        yield f"where arrays are {layout}", lambda case, layout=layout: case.layout == layout
    yield "for the upstream gradient of .sum() (ones, strides of 0)", lambda case: case.upstream == "ones"
    yield "for upstream gradients other than ones", lambda case: case.upstream != "ones"
    for style in _STYLES:
        yield f"for {style}", lambda case, style=style: case.data == style
    for group in _GROUPS:
        yield "for " + " or ".join(group), lambda case, group=group: case.data in group
    yield "for constants other than the defaults", lambda case: case.constants == "other"
    yield "for the default constants", lambda case: case.constants == "default"
    yield "where only some inputs ask for a gradient", lambda case: case.wanted != ""


def _ranks(name: str) -> Iterator[Property]:
    """How many dimensions a variadic axis stands for."""
    yield f"where {name}... is no dimension", lambda case: not case.lengths[name]
    yield f"where {name}... is more than one dimension", lambda case: len(case.lengths[name]) > 1


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
